//! tenured's messages in groups: in a user's name, as the app's notice, and what is done to them later.
//!
//! The document names these calls in a comment only. Their paths and fields are ours, in its style.

use domain::{ConversationId, GroupId, GroupRef, MessageId, Noun, Seq};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reply;
use super::content::Message;
use super::messages::{Sent, find, outgoing, say};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// A message of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendRequest {
    #[serde(deserialize_with = "lenient::string")]
    from_user_id: String,
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    message: Message,
}

/// A notice of the app's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotifyRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    message: Message,
}

/// Which message to withdraw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecallRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    /// What sending it answered.
    #[serde(deserialize_with = "lenient::u64")]
    message_id: u64,
}

/// Whose messages to withdraw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SweepRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
    /// `next` of the answer before; without it, from the newest message.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    from: Option<u64>,
}

/// How far that came.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SweepReply {
    /// Messages that were withdrawn by this call.
    recalled: usize,
    /// `from` of the next call; null if nothing older is left.
    next: Option<u64>,
}

/// How much a member has not read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnreadRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
    #[serde(deserialize_with = "lenient::u64")]
    unread: u64,
}

/// `POST /v1/send_group_message`: a message in a group, in a member's name.
pub(super) async fn send(cx: Cx, Json(request): Json<SendRequest>) -> Reply<Sent> {
    let sender = find(&cx, request.from_user_id).await?;
    let group = group_of(&cx, request.group_id).await?;
    say(&cx, sender, ConversationId::Group(group), &request.message).await
}

/// `POST /v1/send_group_system_message`: a notice in a group, as the app itself.
pub(super) async fn notify(cx: Cx, Json(request): Json<NotifyRequest>) -> Reply<Sent> {
    let group = group_of(&cx, request.group_id).await?;
    let outgoing = outgoing(&cx, ConversationId::Group(group), &request.message).await?;
    Ok(Sent::of(cx.domain.messages.notify(&cx.caller, outgoing).await?))
}

/// `POST /v1/recall_group_message`: withdraws a message, whoever sent it and when.
pub(super) async fn recall(cx: Cx, Json(request): Json<RecallRequest>) -> Reply<()> {
    let conversation = ConversationId::Group(group_of(&cx, request.group_id).await?);
    let message = MessageId(request.message_id);
    let found = cx.domain.messages.position(&cx.caller, conversation, message).await?;
    let seq = found.ok_or(domain::Error::NotFound(Noun::Message))?;
    Ok(cx.domain.messages.recall(&cx.caller, conversation, seq).await?)
}

/// `POST /v1/delete_group_user_message`: withdraws what a user said in a group.
pub(super) async fn sweep(cx: Cx, Json(request): Json<SweepRequest>) -> Reply<SweepReply> {
    let group = group_of(&cx, request.group_id).await?;
    let author = find(&cx, request.user_id).await?;
    let from = Seq(request.from.unwrap_or_default());
    let swept = cx.domain.messages.sweep(&cx.caller, group, author, from).await?;
    Ok(SweepReply { recalled: swept.recalled, next: swept.next.map(|seq| seq.0) })
}

/// `POST /v1/set_group_unread`: says how much shows as unread to a member.
pub(super) async fn set_unread(cx: Cx, Json(request): Json<UnreadRequest>) -> Reply<()> {
    let conversation = ConversationId::Group(group_of(&cx, request.group_id).await?);
    let user = find(&cx, request.user_id).await?;
    Ok(cx.domain.conversations.set_unread(&cx.caller, user, conversation, request.unread).await?)
}

async fn group_of(cx: &Cx, group_id: String) -> Reply<GroupId> {
    Ok(GroupId(cx.domain.groups.find(&cx.caller, &GroupRef::Gid(group_id)).await?.id))
}
