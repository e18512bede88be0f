//! tenured's profiles, and who is connected.
//!
//! The document names these calls in a comment only. Their paths and fields are ours, in its style.

use domain::record::User;
use domain::users::{ProfileChange, uid_of};
use domain::{Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reply;
use crate::context::Cx;
use crate::dialect::{Fault, respelled};
use crate::input::Json;
use crate::lenient;

/// Which users.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsersRequest {
    #[serde(deserialize_with = "lenient::vec_string")]
    user_ids: Vec<String>,
}

/// What changes. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetRequest {
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
    #[serde(default)]
    alias_name: Option<String>,
    #[serde(default)]
    user_name: Option<String>,
    /// 0 unknown, 1 male, 2 female.
    #[serde(default)]
    #[schema(maximum = 2)]
    sex: Option<u32>,
    #[serde(default)]
    head_img_url: Option<String>,
    /// A motto.
    #[serde(default)]
    motto: Option<String>,
    /// The app's own.
    #[serde(default)]
    attrs: Option<String>,
}

/// Users, in the order asked for; unknown ones are left out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Profiles {
    users: Vec<Profile>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    user_id: String,
    /// The internal id.
    cloud_id: u64,
    /// The user's id in the app's other system.
    id: String,
    alias_name: String,
    user_name: String,
    /// 0 unknown, 1 male, 2 female.
    sex: u32,
    head_img_url: String,
    motto: String,
    attrs: String,
    /// Unix milliseconds.
    create_time: i64,
}

/// Users, in the order asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct States {
    users: Vec<State>,
}

/// Whether a user is connected.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    user_id: String,
    online: bool,
    /// Unix milliseconds when the user was last connected; 0 where that is not known.
    last_seen: i64,
}

/// `POST /v1/get_profile`: users' profiles.
pub(super) async fn get(cx: Cx, Json(request): Json<UsersRequest>) -> Reply<Profiles> {
    let found = find(&cx, request.user_ids).await?;
    Ok(Profiles { users: found.into_iter().flatten().map(Profile::from).collect() })
}

/// `POST /v1/set_profile`: changes a user's profile.
pub(super) async fn set(cx: Cx, Json(request): Json<SetRequest>) -> Reply<()> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Uid(request.user_id.clone())).await?;
    let outcome = cx.domain.users.update(&cx.caller, UserId(user.id), request.into_change()).await;
    outcome.map_err(|error| respelled(error, spelled))?;
    Ok(())
}

/// `POST /v1/get_online_status`: who is connected.
pub(super) async fn online(cx: Cx, Json(request): Json<UsersRequest>) -> Reply<States> {
    let asked = request.user_ids.clone();
    let found: Option<Vec<User>> = find(&cx, request.user_ids).await?.into_iter().collect();
    let found = found.ok_or(domain::Error::NotFound(Noun::User))?;
    let ids: Vec<UserId> = found.iter().map(|user| UserId(user.id)).collect();
    let states = cx.domain.presence.query(&cx.caller, &ids).await?;
    let told = asked.into_iter().zip(states);
    let users = told.map(|(user_id, (_, state))| State { user_id, online: state.online, last_seen: state.last_seen });
    Ok(States { users: users.collect() })
}

async fn find(cx: &Cx, user_ids: Vec<String>) -> Reply<Vec<Option<User>>> {
    let limit = cx.config.max_users_per_call;
    if user_ids.is_empty() || user_ids.len() > limit {
        let message = format!("holds {}; 1 to {limit} are allowed", user_ids.len());
        return Err(Fault::invalid("userIds", message).into());
    }
    let asked: Vec<UserRef> = user_ids.into_iter().map(UserRef::Uid).collect();
    Ok(cx.domain.users.find_many(&cx.caller, &asked).await?)
}

/// What these calls call a field of the domain's.
fn spelled(field: &'static str) -> &'static str {
    match field {
        "name" => "userName",
        "alias" => "aliasName",
        "avatar" => "headImgUrl",
        "gender" => "sex",
        "signature" => "motto",
        "attributes" => "attrs",
        field => field,
    }
}

impl SetRequest {
    fn into_change(self) -> ProfileChange {
        ProfileChange {
            name: self.user_name,
            alias: self.alias_name,
            avatar: self.head_img_url,
            gender: self.sex,
            signature: self.motto,
            attributes: self.attrs,
            ..ProfileChange::default()
        }
    }
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        let user_id = uid_of(&user);
        let stored = user.profile.unwrap_or_default();
        Self {
            user_id,
            cloud_id: user.id,
            id: stored.external_id,
            alias_name: stored.alias,
            user_name: stored.name,
            sex: stored.gender,
            head_img_url: stored.avatar,
            motto: stored.signature,
            attrs: stored.attributes,
            create_time: user.created,
        }
    }
}
