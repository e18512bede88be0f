//! gobelieve's `GET /messages/offline`: whether a user has something to read.

use domain::record::User;
use domain::{Caller, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Query;

/// Whose messages. A client asks for its own and names nobody.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct OfflineQuery {
    /// A user.
    uid: Option<u64>,
    /// A customer, as the app calls it, or by its `client_id`.
    customer_id: Option<String>,
    /// Taken and not used: what is unread is the same on all of a user's devices.
    #[serde(rename = "platform_id")]
    _platform_id: Option<String>,
    /// Taken and not used.
    #[serde(rename = "device_id")]
    _device_id: Option<String>,
}

/// What is unread.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Offline {
    /// Messages, over all conversations.
    count: u64,
    /// 1 if there are any.
    new: u8,
}

/// `GET /messages/offline`: how much a user has not read.
pub(super) async fn count(cx: Cx, Query(query): Query<OfflineQuery>) -> Reply<Offline> {
    let count = match reader(&cx, &query).await? {
        Some(reader) => cx.domain.conversations.unread_total(&reader).await?,
        None => 0,
    };
    Ok(Offline { count, new: u8::from(count > 0) })
}

/// Whose messages are counted; `None` for a user who was never heard of, and so has none.
async fn reader(cx: &Cx, query: &OfflineQuery) -> Reply<Option<Caller>> {
    if cx.caller.user().is_ok() {
        return Ok(Some(cx.caller.clone()));
    }
    let found = match (query.uid.filter(|uid| *uid != 0), query.customer_id.as_deref()) {
        (Some(uid), _) => by_number(cx, uid).await?,
        (None, Some(id)) if !id.is_empty() => customer(cx, id).await?,
        (None, _) => return Err(Error::NoUid),
    };
    match found {
        Some(user) => Ok(Some(cx.domain.tokens.act_as(&cx.caller, UserId(user.id)).await?)),
        None => Ok(None),
    }
}

async fn by_number(cx: &Cx, uid: u64) -> Reply<Option<User>> {
    Ok(cx.domain.users.find_many(&cx.caller, &[UserRef::Number(uid)]).await?.pop().flatten())
}

/// The customer whom the app calls so, or else whose number this is.
async fn customer(cx: &Cx, id: &str) -> Reply<Option<User>> {
    match (cx.domain.support.find_customer(&cx.caller, id).await, id.parse()) {
        (Err(domain::Error::NotFound(_)), Ok(client_id)) => by_number(cx, client_id).await,
        (Err(domain::Error::NotFound(_)), Err(_)) => Ok(None),
        (outcome, _) => Ok(Some(outcome?)),
    }
}
