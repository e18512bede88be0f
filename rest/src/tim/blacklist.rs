//! The block list.

use std::collections::HashMap;

use domain::roster::{Friendship, Which};
use domain::users::uid_of;
use domain::{UserId, UserRef};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// Most users of one call, as the SDK has it.
const MOST: usize = 1_000;
/// Rows that are read at a time where all are wanted.
const ROWS_PER_READ: usize = 1_000;

/// Which users.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ListRequest {
    /// 1 to 1000.
    #[serde(rename = "userIDList", deserialize_with = "lenient::vec_string")]
    user_id_list: Vec<String>,
}

/// `POST /user/getBlacklist`: whom the caller has blocked.
pub(crate) async fn list(cx: Cx, (): ()) -> Reply<Vec<String>> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = cx.domain.roster.list(&cx.caller, Which::Blocked, cursor.as_deref(), ROWS_PER_READ).await?;
        let users: Vec<UserRef> = page.items.iter().map(|contact| UserRef::Id(UserId(contact.user))).collect();
        let found = cx.domain.users.find_many(&cx.caller, &users).await?;
        all.extend(found.iter().flatten().map(uid_of));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

/// `POST /user/addToBlacklist`: blocks users, and ends friendships with them.
pub(crate) async fn add(cx: Cx, Json(req): Json<ListRequest>) -> Reply<Vec<String>> {
    let names = names_of(&cx, req).await?;
    let users: Vec<UserId> = names.keys().copied().collect();
    let blocked = cx.domain.roster.block_all(&cx.caller, &users, Friendship::Ended).await?;
    Ok(sorted(blocked.into_iter().filter_map(|(user, _)| names.get(&user).cloned()).collect()))
}

/// `POST /user/removeFromBlacklist`: unblocks users.
pub(crate) async fn remove(cx: Cx, Json(req): Json<ListRequest>) -> Reply<Vec<String>> {
    let names = names_of(&cx, req).await?;
    let users: Vec<UserId> = names.keys().copied().collect();
    cx.domain.roster.unblock_all(&cx.caller, &users).await?;
    Ok(sorted(names.into_values().collect()))
}

/// The users of a request who exist, by id.
async fn names_of(cx: &Cx, req: ListRequest) -> Reply<HashMap<UserId, String>> {
    if !(1..=MOST).contains(&req.user_id_list.len()) {
        return Err(Error::parameter(format!("userIDList: must name 1 to {MOST} users")));
    }
    let asked: Vec<UserRef> = req.user_id_list.into_iter().map(UserRef::Uid).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    Ok(found.into_iter().flatten().map(|user| (UserId(user.id), uid_of(&user))).collect())
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}
