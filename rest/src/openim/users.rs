//! openim's users: `POST /auth/user_register`, `/user/update_user_info` and `/user/get_user_info`.

use domain::record::{Profile, User};
use domain::users::{NewUser, ProfileChange, uid_of};
use domain::{UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bind::{Bind, Bound, Rules, bind};
use super::tokens::{TokenReply, for_platform};
use super::{Error, Nothing, Refusal, Reply};
use crate::context::{Call, Cx};
use crate::dialect::Fault;

/// A new user.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct RegisterRequest {
    /// The app's secret.
    #[schema(required = true, max_length = 32)]
    secret: String,
    /// 1 iOS, 2 Android, 3 Windows, 4 OSX, 5 web, 6 mini program, 7 Linux.
    #[schema(required = true, minimum = 1, maximum = 7)]
    platform: i32,
    /// The user's id in the app.
    #[schema(required = true, min_length = 1, max_length = 64)]
    uid: String,
    /// The name to show; may be empty.
    #[schema(required = true, value_type = String, max_length = 64)]
    name: Option<String>,
    #[schema(max_length = 1024)]
    icon: String,
    /// 0 unknown, 1 male, 2 female.
    #[schema(minimum = 0, maximum = 2)]
    gender: i32,
    #[schema(max_length = 32)]
    mobile: String,
    #[schema(max_length = 16)]
    birth: String,
    #[schema(max_length = 64)]
    email: String,
    /// The app's own.
    #[schema(max_length = 1024)]
    ex: String,
}

/// Who is looked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct FindRequest {
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
    #[serde(rename = "uidList")]
    #[schema(required = true)]
    uid_list: Vec<String>,
}

/// What changes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct UpdateRequest {
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
    /// Whom an administrator changes.
    #[schema(required = true, min_length = 1, max_length = 64)]
    uid: String,
    #[schema(max_length = 64)]
    name: String,
    #[schema(max_length = 1024)]
    icon: String,
    /// 1 male, 2 female.
    #[schema(minimum = 0, maximum = 2)]
    gender: i32,
    #[schema(max_length = 32)]
    mobile: String,
    #[schema(max_length = 16)]
    birth: String,
    #[schema(max_length = 64)]
    email: String,
    /// The app's own.
    #[schema(max_length = 1024)]
    ex: String,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserInfo {
    uid: String,
    name: String,
    icon: String,
    gender: u32,
    mobile: String,
    birth: String,
    email: String,
    ex: String,
}

impl Bind for RegisterRequest {
    const NAME: &'static str = "paramsUserRegister";

    fn rules(&self, rules: &mut Rules) {
        rules.text("Secret", &self.secret, 32);
        rules.number("Platform", self.platform.into(), 1, 7);
        rules.text("UID", &self.uid, 64);
        rules.required("Name", self.name.is_some());
        rules.max("Name", self.name.as_deref().unwrap_or_default(), 64);
        // The document counts the icon in bytes, the rest in characters.
        rules.keep("Icon", "max", self.icon.len() <= 1024);
        rules.keep("Gender", "oneof", (0..=2).contains(&self.gender));
        rules.max("Mobile", &self.mobile, 32);
        rules.max("Birth", &self.birth, 16);
        rules.max("Email", &self.email, 64);
        rules.max("Ex", &self.ex, 1024);
    }
}

impl Bind for FindRequest {
    const NAME: &'static str = "paramsGetUserInfo";

    fn rules(&self, rules: &mut Rules) {
        rules.required("OperationID", !self.operation_id.is_empty());
    }
}

impl Bind for UpdateRequest {
    const NAME: &'static str = "paramsUpdateUserInfo";

    fn rules(&self, rules: &mut Rules) {
        rules.required("OperationID", !self.operation_id.is_empty());
        rules.text("UID", &self.uid, 64);
        rules.max("Name", &self.name, 64);
        rules.keep("Icon", "max", self.icon.len() <= 1024);
        rules.keep("Gender", "oneof", (0..=2).contains(&self.gender));
        rules.max("Mobile", &self.mobile, 32);
        rules.max("Birth", &self.birth, 16);
        rules.max("Email", &self.email, 64);
        rules.max("Ex", &self.ex, 1024);
    }
}

/// The secret in the body.
pub(super) fn secret(call: &Call) -> Reply<String> {
    bind::<RegisterRequest>(call).map(|request| request.secret)
}

/// `POST /auth/user_register`: a new user and a token for it.
///
/// A crash in between leaves the user without a token; `/auth/user_token` gives one.
pub(super) async fn register(cx: Cx, Bound(request): Bound<RegisterRequest>) -> Reply<TokenReply> {
    let issue = for_platform(request.platform, &cx.config);
    let user = cx.domain.users.create(&cx.caller, request.into_user()).await?;
    let issued = cx.domain.tokens.issue(&cx.caller, UserId(user.id), issue).await?;
    Ok(TokenReply::new(uid_of(&user), issued))
}

/// `POST /user/update_user_info`: changes a user.
pub(super) async fn update(cx: Cx, Bound(request): Bound<UpdateRequest>) -> Reply<Nothing> {
    // The original takes the `uid` from administrators only, and the token's user from anyone else.
    let user = match cx.caller.user() {
        Ok(own) if !cx.caller.is_privileged() => own,
        _ => {
            let found = cx.domain.users.find(&cx.caller, &UserRef::Uid(request.uid.clone())).await;
            UserId(found.map_err(Error::at_update)?.id)
        }
    };
    cx.domain.users.update(&cx.caller, user, request.into_change()).await.map_err(Error::at_update)?;
    Ok(Nothing {})
}

/// `POST /user/get_user_info`: those of the users who exist.
pub(super) async fn find(cx: Cx, Bound(request): Bound<FindRequest>) -> Reply<Vec<UserInfo>> {
    let limit = cx.config.max_users_per_call;
    match request.uid_list.len() {
        0 => return Err(Error::Refused(Refusal::NO_UIDS)),
        count if count > limit => return Err(too_many("uidList", count, limit)),
        _ => {}
    }
    let wanted: Vec<UserRef> = request.uid_list.into_iter().map(UserRef::Uid).collect();
    let found = cx.domain.users.find_many(&cx.caller, &wanted).await?;
    Ok(found.into_iter().flatten().map(UserInfo::from).collect())
}

/// A list that is longer than one call may have it.
pub(super) fn too_many(field: &str, count: usize, limit: usize) -> Error {
    Fault::invalid(field, format!("holds {count}; at most {limit} are allowed")).into()
}

impl RegisterRequest {
    fn into_user(self) -> NewUser {
        let profile = Profile {
            name: self.name.unwrap_or_default(),
            avatar: self.icon,
            gender: u32::try_from(self.gender).unwrap_or(0),
            mobile: self.mobile,
            birth: self.birth,
            email: self.email,
            extension: self.ex,
            ..Profile::default()
        };
        NewUser { uid: Some(self.uid), profile, ..NewUser::default() }
    }
}

impl UpdateRequest {
    fn into_change(self) -> ProfileChange {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        ProfileChange {
            name: given(self.name),
            avatar: given(self.icon),
            gender: u32::try_from(self.gender).ok().filter(|gender| *gender != 0),
            mobile: given(self.mobile),
            birth: given(self.birth),
            email: given(self.email),
            extension: given(self.ex),
            ..ProfileChange::default()
        }
    }
}

impl From<User> for UserInfo {
    fn from(user: User) -> Self {
        let uid = uid_of(&user);
        let profile = user.profile.unwrap_or_default();
        Self {
            uid,
            name: profile.name,
            icon: profile.avatar,
            gender: profile.gender,
            mobile: profile.mobile,
            birth: profile.birth,
            email: profile.email,
            ex: profile.extension,
        }
    }
}
