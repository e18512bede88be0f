//! gobelieve's chat rooms: `POST /messages/rooms`.
//!
//! This system's rooms are numbers that exist by being named, apart from its groups' numbers. A room that another dialect made is meant
//! by its number; any other number stands for the room `room:<number>`.

use domain::groups::NewGroup;
use domain::record::GroupKind;
use domain::{ConversationId, GroupId, GroupRef};
use serde::Deserialize;
use utoipa::ToSchema;

use super::users::ensure_uid;
use super::{Reply, messages};
use crate::context::Cx;
use crate::dialect::Fault;
use crate::input::Json;

/// A message to a room.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SendRequest {
    /// A user.
    #[schema(minimum = 1)]
    sender: u64,
    /// A room.
    #[schema(minimum = 1)]
    receiver: u64,
    content: String,
}

/// `POST /messages/rooms`: a message to whoever is in a room.
pub(super) async fn send(cx: Cx, Json(request): Json<SendRequest>) -> Reply<()> {
    let sender = ensure_uid(&cx, "sender", request.sender).await?;
    let room = ensure(&cx, request.receiver).await?;
    messages::send(&cx, sender, ConversationId::Group(room), request.content).await
}

/// The room of a number, created if there is none.
async fn ensure(cx: &Cx, number: u64) -> Reply<GroupId> {
    if number == 0 || number >= domain::ID_END {
        return Err(Fault::invalid("receiver", "must be from 1 to 2^53 - 1").into());
    }
    let gid = format!("room:{number}");
    for name in [GroupRef::Number(number), GroupRef::Gid(gid.clone())] {
        match cx.domain.groups.find(&cx.caller, &name).await {
            Ok(found) if found.kind() == GroupKind::Room => return Ok(GroupId(found.id)),
            Ok(_) | Err(domain::Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let new = NewGroup { gid: Some(gid.clone()), kind: GroupKind::Room, ..NewGroup::default() };
    match cx.domain.groups.create(&cx.caller, new).await {
        // Another request was faster.
        Err(domain::Error::Exists(_)) => Ok(GroupId(cx.domain.groups.find(&cx.caller, &GroupRef::Gid(gid)).await?.id)),
        outcome => Ok(GroupId(outcome?.id)),
    }
}
