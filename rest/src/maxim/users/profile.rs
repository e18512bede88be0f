//! What users tell of themselves, what they log in by, and their end.

use domain::UserRef;
use domain::record::Account;
use domain::users::ProfileChange;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{change_profile, check_username, own};
use crate::context::Cx;
use crate::dialect::Fault;
use crate::input::{Anywhere, Json, Query, Text};
use crate::lenient;
use crate::maxim::error::{at_login, at_password};
use crate::maxim::{Reply, number_header, u32_of};
use crate::names::number_of_user;

/// A user, as the user sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Profile {
    avatar: String,
    description: String,
    email: String,
    mobile: String,
    nick_name: String,
    private_info: String,
    public_info: String,
    user_id: u64,
    username: String,
}

/// What changes.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProfileRequest {
    /// Beside the document; its clients send it too.
    #[serde(default)]
    pub(super) avatar: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) nick_name: Option<String>,
    #[serde(default)]
    pub(super) private_info: Option<String>,
    #[serde(default)]
    pub(super) public_info: Option<String>,
}

/// A picture.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AvatarRequest {
    /// Its URL.
    avatar: String,
}

/// A name to show.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct NicknameRequest {
    nick_name: String,
}

/// A mobile number.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct MobileRequest {
    #[serde(deserialize_with = "lenient::string")]
    mobile: String,
}

/// A login name.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct UsernameRequest {
    username: String,
}

/// A password, and the one before.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PasswordRequest {
    new_password: String,
    /// Needed but by admins who act for the user.
    #[serde(default)]
    old_password: Option<String>,
}

/// Proof that it is the user who asks.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeleteRequest {
    /// Needed but by admins who act for the user.
    #[serde(default)]
    password: Option<String>,
}

/// An account at another system.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct BindQuery {
    open_id: String,
    /// Which system.
    #[serde(default, rename = "type", deserialize_with = "lenient::opt_u64")]
    kind: Option<u64>,
}

/// `GET /user/profile`: one's own data.
pub(crate) async fn get(cx: Cx, (): ()) -> Reply<Profile> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Id(own(&cx)?)).await?;
    let user_id = number_of_user(&user);
    let stored = user.profile.unwrap_or_default();
    Ok(Profile {
        avatar: stored.avatar,
        description: stored.signature,
        email: stored.email,
        mobile: stored.mobile,
        nick_name: stored.name,
        private_info: stored.private_extension,
        public_info: stored.extension,
        user_id,
        username: user.username,
    })
}

/// `POST|PUT /user/profile`: changes one's own data.
pub(crate) async fn update(cx: Cx, Json(req): Json<ProfileRequest>) -> Reply<bool> {
    let change = req.into_change();
    set(&cx, change).await
}

/// `POST|PUT /user/avatar`: sets the picture.
pub(crate) async fn avatar(cx: Cx, Json(req): Json<AvatarRequest>) -> Reply<bool> {
    set(&cx, ProfileChange { avatar: Some(req.avatar), ..ProfileChange::default() }).await
}

/// `POST|PUT /user/nickname`: sets the name to show.
pub(crate) async fn nickname(cx: Cx, Anywhere(req): Anywhere<NicknameRequest>) -> Reply<bool> {
    set(&cx, ProfileChange { name: Some(req.nick_name), ..ProfileChange::default() }).await
}

/// `POST|PUT /user/mobile`: sets the mobile number, which must be nobody else's, for people log in by it.
pub(crate) async fn mobile(cx: Cx, Anywhere(req): Anywhere<MobileRequest>) -> Reply<bool> {
    set(&cx, ProfileChange { mobile: Some(req.mobile), exclusive: true, ..ProfileChange::default() }).await
}

/// `POST|PUT /user/private`: sets what only the user sees.
pub(crate) async fn private(cx: Cx, Text(text): Text) -> Reply<bool> {
    set(&cx, ProfileChange { private_extension: Some(text), ..ProfileChange::default() }).await
}

/// `POST|PUT /user/public`: sets what everybody sees.
pub(crate) async fn public(cx: Cx, Text(text): Text) -> Reply<bool> {
    set(&cx, ProfileChange { extension: Some(text), ..ProfileChange::default() }).await
}

/// `POST|PUT /user/username`: changes the login name.
pub(crate) async fn username(cx: Cx, Anywhere(req): Anywhere<UsernameRequest>) -> Reply<bool> {
    check_username(&req.username)?;
    cx.domain.users.rename(&cx.caller, own(&cx)?, &req.username).await?;
    Ok(true)
}

/// `POST /user/change_password`: changes the password.
pub(crate) async fn change_password(cx: Cx, Json(req): Json<PasswordRequest>) -> Reply<bool> {
    let old = proof(&cx, "old_password", req.old_password.as_deref())?;
    cx.domain.users.change_password(&cx.caller, own(&cx)?, old, &req.new_password).await.map_err(at_password)?;
    Ok(true)
}

/// `GET /user/bind_openid`: binds an account of another system.
pub(crate) async fn bind_openid(cx: Cx, Query(req): Query<BindQuery>) -> Reply<bool> {
    let account = Account { kind: u32_of("type", req.kind.unwrap_or_default())?, id: req.open_id };
    cx.domain.users.bind_account(&cx.caller, own(&cx)?, &account).await?;
    Ok(true)
}

/// `POST /user/delete`: deletes the user.
pub(crate) async fn delete(cx: Cx, Json(req): Json<DeleteRequest>) -> Reply<bool> {
    let user = own(&cx)?;
    if let Some(password) = proof(&cx, "password", req.password.as_deref())? {
        cx.domain.users.verify_password_of(&cx.caller, &UserRef::Id(user), password).await.map_err(at_login)?;
    }
    cx.domain.delete_user(&cx.caller, user).await?;
    Ok(true)
}

/// A password that users must give, admins for themselves too, and admins who act for a user need not.
fn proof<'a>(cx: &Cx, field: &'static str, password: Option<&'a str>) -> Reply<Option<&'a str>> {
    let acts_for_somebody = cx.caller.is_privileged() && number_header(&cx.call, "user_id")?.is_some();
    if password.is_none() && !acts_for_somebody {
        return Err(Fault::missing(field).into());
    }
    Ok(password)
}

async fn set(cx: &Cx, change: ProfileChange) -> Reply<bool> {
    change_profile(cx, own(cx)?, change).await.map(|_| true)
}

impl ProfileRequest {
    pub(super) fn into_change(self) -> ProfileChange {
        ProfileChange {
            name: self.nick_name,
            avatar: self.avatar,
            signature: self.description,
            private_extension: self.private_info,
            extension: self.public_info,
            ..ProfileChange::default()
        }
    }
}
