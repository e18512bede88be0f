//! gobelieve's messages: what an app's server says in users' names and in its own, and what a client reads back.

use domain::entry::entry::Body;
use domain::entry::{Content, Entry};
use domain::messages::{Outgoing, said_at};
use domain::{ConversationId, GroupId, GroupRef, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::users::ensure_uid;
use super::{Reply, content, notification, support};
use crate::context::{Cx, fresh_id};
use crate::dialect::Fault;
use crate::input::{Json, Query};
use crate::names::{Numbers, numbers_of_groups, numbers_of_users};

/// Most messages of one answer.
const NEWEST: usize = 1024;

/// The original's numbers for kinds of messages.
const COMMAND_PEER: u8 = 4;
const COMMAND_GROUP_NOTIFICATION: u8 = 7;
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

/// What the app says to a user.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NoticeRequest {
    /// A user.
    #[schema(minimum = 1)]
    receiver: u64,
    content: String,
}

/// What the app says to a group.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct GroupNoticeRequest {
    #[schema(minimum = 1)]
    group_id: u64,
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
    /// 4 between users, 8 in a group, 7 a notice to a group, 21 a notice to a user.
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

/// `POST /messages/systems`: a notice to a user.
pub(super) async fn to_user(cx: Cx, Json(request): Json<NoticeRequest>) -> Reply<()> {
    let receiver = ensure_uid(&cx, "receiver", request.receiver).await?;
    notify(&cx, ConversationId::Notices(receiver), request.content, false).await
}

/// `POST /messages/notifications`: a notice to a user who is connected.
pub(super) async fn to_connected_user(cx: Cx, Json(request): Json<NoticeRequest>) -> Reply<()> {
    let receiver = ensure_uid(&cx, "receiver", request.receiver).await?;
    notify(&cx, ConversationId::Notices(receiver), request.content, true).await
}

/// `POST /messages/groups/notifications`: a notice to a group.
pub(super) async fn to_members(cx: Cx, Json(request): Json<GroupNoticeRequest>) -> Reply<()> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(request.group_id)).await?;
    notify(&cx, ConversationId::Group(GroupId(group.id)), request.content, false).await
}

/// `GET /messages`: the caller's newest messages.
pub(super) async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Reply<Vec<Row>> {
    let mut recent = cx.domain.messages.recent(&cx.caller, NEWEST).await?;
    if let Some(store) = query.store {
        let served_by = support::sellers(&cx, store).await?;
        let me = cx.caller.user()?;
        recent.retain(|(id, _)| id.peer_of(me).is_some_and(|peer| served_by.contains(&peer)));
    }
    let named = Named::of(&cx, &recent).await?;
    let mut rows: Vec<Row> = recent.into_iter().flat_map(|(id, entry)| named.rows(id, entry)).collect();
    // A tip may be several notifications.
    rows.drain(..rows.len().saturating_sub(NEWEST));
    Ok(rows)
}

/// Sends a message in a user's name.
pub(super) async fn send(cx: &Cx, sender: UserId, conversation: ConversationId, content: String) -> Reply<()> {
    let sender = cx.domain.tokens.act_as(&cx.caller, sender).await?;
    let content = read(cx, content).await?;
    let message = Outgoing { conversation, client_msg_id: fresh_id(), content, online_only: false };
    cx.domain.messages.send(&sender, message).await?;
    Ok(())
}

async fn notify(cx: &Cx, conversation: ConversationId, content: String, online_only: bool) -> Reply<()> {
    let content = read(cx, content).await?;
    let message = Outgoing { conversation, client_msg_id: fresh_id(), content, online_only };
    cx.domain.messages.notify(&cx.caller, message).await?;
    Ok(())
}

/// A content, with the users found whom it mentions.
async fn read(cx: &Cx, text: String) -> Reply<Content> {
    let mut content = content::read(text);
    let limit = cx.config.max_users_per_call;
    if content.mentions.len() > limit {
        return Err(Fault::invalid("content", format!("mentions more than {limit} users")).into());
    }
    let mentioned: Vec<UserRef> = content.mentions.iter().map(|number| UserRef::Number(*number)).collect();
    let found = cx.domain.users.find_many(&cx.caller, &mentioned).await?;
    let ids: Vec<Option<u64>> = found.into_iter().map(|user| user.map(|user| user.id)).collect();
    content::resolve(&mut content, &ids);
    Ok(content)
}

/// What this dialect calls the users and groups of a page of messages.
struct Named {
    users: Numbers,
    groups: Numbers,
}

impl Named {
    async fn of(cx: &Cx, messages: &[(ConversationId, Entry)]) -> Reply<Self> {
        let mut users: Vec<u64> = Vec::new();
        let mut groups: Vec<u64> = Vec::new();
        for (conversation, entry) in messages {
            users.push(entry.sender);
            match &entry.body {
                Some(Body::Message(content)) => users.extend(&content.mentions),
                Some(Body::Tip(tip)) => users.extend(&tip.users),
                Some(Body::Edit(_) | Body::Recall(_)) | None => {}
            }
            match *conversation {
                ConversationId::Direct { low, high } => users.extend([low.0, high.0]),
                ConversationId::Notices(user) => users.push(user.0),
                ConversationId::Group(group) => groups.push(group.0),
            }
        }
        Ok(Self { users: numbers_of_users(cx, users).await?, groups: numbers_of_groups(cx, groups).await? })
    }

    fn rows(&self, conversation: ConversationId, entry: Entry) -> Vec<Row> {
        let (Some(Body::Tip(tip)), ConversationId::Group(group)) = (&entry.body, conversation) else {
            return self.row(conversation, entry).into_iter().collect();
        };
        let receiver = self.groups.of(group.0);
        let row = |content| Row {
            id: entry.message_id,
            content,
            timestamp: entry.time / 1000,
            sender: 0,
            receiver,
            command: COMMAND_GROUP_NOTIFICATION,
        };
        notification::of(receiver, &entry, tip, |user| self.users.of(user)).into_iter().map(row).collect()
    }

    fn row(&self, conversation: ConversationId, entry: Entry) -> Option<Row> {
        let timestamp = said_at(&entry) / 1000;
        let Some(Body::Message(content)) = entry.body else { return None };
        let sender = UserId(entry.sender);
        let (command, receiver) = match conversation {
            ConversationId::Direct { .. } => (COMMAND_PEER, self.users.of(conversation.peer_of(sender)?.0)),
            ConversationId::Group(group) => (group_command(&content), self.groups.of(group.0)),
            ConversationId::Notices(user) => (COMMAND_SYSTEM, self.users.of(user.0)),
        };
        Some(Row {
            id: entry.message_id,
            content: content::write(&content, &|user| self.users.of(user)),
            timestamp,
            sender: self.users.of(sender.0),
            receiver,
            command,
        })
    }
}

fn group_command(content: &Content) -> u8 {
    if content.system { COMMAND_GROUP_NOTIFICATION } else { COMMAND_GROUP }
}
