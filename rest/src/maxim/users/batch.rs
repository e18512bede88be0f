//! Calls about several users at once, for admins.

use domain::users::ProfileChange;
use domain::{UserId, UserRef};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change_profile;
use super::profile::ProfileRequest;
use super::register::Registrant;
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;
use crate::maxim::{Error, Reply};
use crate::names::number_of_user;

/// Rows that are worked on at a time.
const AT_ONCE: usize = 8;

/// Users' pictures.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AvatarsRequest {
    list: Vec<AvatarRow>,
}

/// A user's picture.
#[derive(Debug, Deserialize, ToSchema)]
struct AvatarRow {
    /// Its URL.
    avatar: String,
    #[serde(deserialize_with = "lenient::u64")]
    user_id: u64,
}

/// Users' data.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProfilesRequest {
    list: Vec<ProfileRow>,
}

/// A user's data. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
struct ProfileRow {
    #[serde(flatten)]
    change: ProfileRequest,
    #[serde(deserialize_with = "lenient::u64")]
    user_id: u64,
}

/// Who registers.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RegisterRequest {
    list: Vec<Registrant>,
}

/// Which users.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UsersRequest {
    #[serde(deserialize_with = "lenient::vec_u64")]
    list: Vec<u64>,
}

/// What became of one row.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// Why it failed; empty where it did not.
    reason: String,
    success: bool,
    user_id: u64,
}

/// What became of one registration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Registered {
    /// Why it failed; empty where it did not.
    reason: String,
    success: bool,
    /// 0 where it failed.
    user_id: u64,
    username: String,
}

/// `POST|PUT /user/avatar/batch`: sets users' pictures.
pub(crate) async fn avatars(cx: Cx, Json(req): Json<AvatarsRequest>) -> Reply<Vec<Changed>> {
    let change = |avatar| ProfileChange { avatar: Some(avatar), ..ProfileChange::default() };
    change_all(&cx, req.list.into_iter().map(|row| (row.user_id, change(row.avatar))).collect()).await
}

/// `POST|PUT /user/profile/batch`: changes users' data.
pub(crate) async fn profiles(cx: Cx, Json(req): Json<ProfilesRequest>) -> Reply<Vec<Changed>> {
    change_all(&cx, req.list.into_iter().map(|row| (row.user_id, row.change.into_change())).collect()).await
}

/// `POST /user/register/batch`: makes users.
pub(crate) async fn register(cx: Cx, Json(req): Json<RegisterRequest>) -> Reply<Vec<Registered>> {
    check_batch(&cx, req.list.len())?;
    let rows = req.list.into_iter().map(|row| register_one(&cx, row));
    Ok(stream::iter(rows).buffered(AT_ONCE).collect().await)
}

/// `PUT /user/disable`: disables users.
pub(crate) async fn disable(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<bool> {
    set_disabled(&cx, req.list, true).await
}

/// `PUT /user/enable`: enables users.
pub(crate) async fn enable(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<bool> {
    set_disabled(&cx, req.list, false).await
}

async fn set_disabled(cx: &Cx, list: Vec<u64>, disabled: bool) -> Reply<bool> {
    check_batch(cx, list.len())?;
    let users: Vec<UserRef> = list.into_iter().map(UserRef::Number).collect();
    cx.domain.users.set_disabled_all(&cx.caller, &users, disabled).await?;
    Ok(true)
}

async fn change_all(cx: &Cx, rows: Vec<(u64, ProfileChange)>) -> Reply<Vec<Changed>> {
    check_batch(cx, rows.len())?;
    let rows = rows.into_iter().map(|(user_id, change)| async move {
        let outcome = change_one(cx, user_id, change).await;
        Changed { success: outcome.is_ok(), reason: reason(outcome), user_id }
    });
    Ok(stream::iter(rows).buffered(AT_ONCE).collect().await)
}

async fn change_one(cx: &Cx, user_id: u64, change: ProfileChange) -> Reply<()> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Number(user_id)).await?;
    change_profile(cx, UserId(user.id), change).await.map(drop)
}

async fn register_one(cx: &Cx, row: Registrant) -> Registered {
    let username = row.username.clone();
    let made = match row.into_user() {
        Ok(new) => cx.domain.users.create(&cx.caller, new).await.map_err(Error::from),
        Err(error) => Err(error),
    };
    let user_id = made.as_ref().map_or(0, number_of_user);
    Registered { success: made.is_ok(), reason: reason(made.map(drop)), user_id, username }
}

/// Nobody but admins, and no more rows than one call takes.
fn check_batch(cx: &Cx, rows: usize) -> Reply<()> {
    cx.caller.require_privileged()?;
    let most = cx.config.max_users_per_call;
    if rows > most {
        return Err(Error::parameter(format!("list: holds {rows} rows; at most {most} are allowed")));
    }
    Ok(())
}

fn reason(outcome: Reply<()>) -> String {
    outcome.err().map(|error| error.message.into_owned()).unwrap_or_default()
}
