//! gobelieve's messages: `POST /messages/peers`, `/messages/groups`, and `GET /messages`.

use std::collections::HashMap;

use domain::entry::Entry;
use domain::entry::entry::Body;
use domain::messages::Outgoing;
use domain::{ConversationId, GroupId, GroupRef, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::users::ensure_uid;
use super::{Reply, content};
use crate::context::{Cx, fresh_id};
use crate::input::{Json, Query};
use crate::names::{number_of_group, number_of_user};

/// Most messages of one answer.
const NEWEST: usize = 1024;

/// The original's numbers for kinds of messages.
const COMMAND_PEER: u8 = 4;
const COMMAND_GROUP: u8 = 8;
const COMMAND_SYSTEM: u8 = 21;

/// A message.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SendRequest {
    /// A user.
    #[schema(minimum = 1)]
    sender: u64,
    /// A user or a group.
    #[schema(minimum = 1)]
    receiver: u64,
    content: String,
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct ListQuery {
    /// A customer-service store.
    store: Option<u64>,
}

/// A message, as it is listed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Row {
    id: u64,
    content: String,
    /// Unix seconds.
    timestamp: i64,
    /// A user; 0 for the app itself.
    sender: u64,
    /// A user or a group, by `command`.
    receiver: u64,
    /// 4 between users, 8 in a group, 21 a notice.
    command: u8,
}

/// `POST /messages/peers`: a message between users.
pub(super) async fn to_peer(cx: Cx, Json(request): Json<SendRequest>) -> Reply<()> {
    let sender = ensure_uid(&cx, "sender", request.sender).await?;
    let receiver = ensure_uid(&cx, "receiver", request.receiver).await?;
    send(&cx, sender, ConversationId::direct(sender, receiver), request.content).await
}

/// `POST /messages/groups`: a message to a group.
pub(super) async fn to_group(cx: Cx, Json(request): Json<SendRequest>) -> Reply<()> {
    let sender = ensure_uid(&cx, "sender", request.sender).await?;
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(request.receiver)).await?;
    send(&cx, sender, ConversationId::Group(GroupId(group.id)), request.content).await
}

/// `GET /messages`: the caller's newest messages.
pub(super) async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Reply<Vec<Row>> {
    if query.store.is_some() {
        return Ok(Vec::new());
    }
    let recent = cx.domain.messages.recent(&cx.caller, NEWEST).await?;
    let numbers = Numbers::of(&cx, &recent).await?;
    Ok(recent.into_iter().filter_map(|(conversation, entry)| numbers.row(conversation, entry)).collect())
}

async fn send(cx: &Cx, sender: UserId, conversation: ConversationId, content: String) -> Reply<()> {
    let sender = cx.domain.tokens.act_as(&cx.caller, sender).await?;
    let message =
        Outgoing { conversation, client_msg_id: fresh_id(), content: content::read(content), online_only: false };
    cx.domain.messages.send(&sender, message).await?;
    Ok(())
}

/// What this dialect calls the users and groups of a page of messages.
struct Numbers {
    users: HashMap<UserId, u64>,
    groups: HashMap<GroupId, u64>,
}

impl Numbers {
    async fn of(cx: &Cx, messages: &[(ConversationId, Entry)]) -> Reply<Self> {
        let mut wanted: Vec<UserId> = Vec::new();
        let mut groups = HashMap::new();
        for (conversation, entry) in messages {
            wanted.push(UserId(entry.sender));
            match *conversation {
                ConversationId::Direct { low, high } => wanted.extend([low, high]),
                ConversationId::Notices(user) => wanted.push(user),
                ConversationId::Group(group) => {
                    groups.entry(group).or_insert(group.0);
                }
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        let wanted: Vec<UserRef> = wanted.into_iter().filter(|user| user.0 != 0).map(UserRef::Id).collect();
        let users = cx.domain.users.find_many(&cx.caller, &wanted).await?;
        let users = users.into_iter().flatten().map(|user| (UserId(user.id), number_of_user(&user))).collect();
        for (group, number) in &mut groups {
            // A group that was dismissed since is still called by its id.
            if let Ok(found) = cx.domain.groups.find(&cx.caller, &GroupRef::Id(*group)).await {
                *number = number_of_group(&found);
            }
        }
        Ok(Self { users, groups })
    }

    fn user(&self, user: UserId) -> u64 {
        self.users.get(&user).copied().unwrap_or(user.0)
    }

    fn row(&self, conversation: ConversationId, entry: Entry) -> Option<Row> {
        let Some(Body::Message(content)) = entry.body else { return None };
        let sender = UserId(entry.sender);
        let (command, receiver) = match conversation {
            ConversationId::Direct { .. } => (COMMAND_PEER, self.user(conversation.peer_of(sender)?)),
            ConversationId::Group(group) => (COMMAND_GROUP, self.groups.get(&group).copied().unwrap_or(group.0)),
            ConversationId::Notices(user) => (COMMAND_SYSTEM, self.user(user)),
        };
        Some(Row {
            id: entry.message_id,
            content: content::write(&content),
            timestamp: entry.time / 1000,
            sender: self.user(sender),
            receiver,
            command,
        })
    }
}
