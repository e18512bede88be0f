//! The list of conversations.
//!
//! The document types a row of the list as a message. Clients of the original read conversations, so a row is one, with its newest message
//! beside it, in the field that the document names.

use domain::conversations::Conversation as Seen;
use domain::{ConversationId, GroupRef, UserRef, record};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::conversation::{self, Target, With, remind_type};
use super::group::{self, Group};
use super::message::Message;
use super::profiles::{self, Profile};
use super::view::{self, LastMessage};
use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// Conversations in one answer where the caller does not say, and most of them.
const PAGE: usize = 100;

/// Which conversations.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ListRequest {
    /// Only this one. The document asks for it; without it, all come.
    #[serde(rename = "conversationID", default, deserialize_with = "lenient::opt_string")]
    conversation_id: Option<String>,
    /// 1 to 100, which is also the default; more are answered with 100.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    count: Option<u64>,
}

/// Which conversation.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ConversationRequest {
    /// `C2C` and a userID, `GROUP` and a groupID, or `@TIM#SYSTEM`.
    #[serde(rename = "conversationID")]
    conversation_id: String,
}

/// A conversation, as the caller sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conversation {
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// `C2C`, `GROUP` or `@TIM#SYSTEM`.
    #[serde(rename = "type")]
    kind: &'static str,
    unread_count: u64,
    /// Null where nothing was said yet.
    last_message: Option<LastMessage>,
    /// Of the other user.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_profile: Option<Profile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_profile: Option<Group>,
    remark: String,
    is_pinned: bool,
    /// `AcceptAndNotify`, `AcceptNotNotify` or `Discard`.
    message_remind_type: &'static str,
    /// The newest message whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

/// One conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneReply {
    conversation: Conversation,
}

/// A conversation that was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedReply {
    #[serde(rename = "conversationID")]
    conversation_id: String,
}

/// `POST /conversation/getConversationList`: the caller's conversations, pinned ones first, then the most recent.
pub(crate) async fn list(cx: Cx, Json(req): Json<ListRequest>) -> Reply<Vec<Conversation>> {
    if let Some(id) = req.conversation_id.filter(|id| !id.is_empty()) {
        return Ok(vec![find(&cx, &id).await?]);
    }
    let page = cx.domain.conversations.list(&cx.caller, None, page_size(req.count)?).await?;
    let mut rows = Vec::with_capacity(page.items.len());
    for seen in page.items {
        if let Some(target) = target_of(&cx, seen.id).await? {
            let row = show(&cx, target, Some(seen)).await?;
            // There may be notices of which this system's clients know nothing.
            rows.extend(row.last_message.is_some().then_some(row));
        }
    }
    Ok(rows)
}

/// `POST /conversation/getConversationProfile`: one conversation.
pub(crate) async fn profile(cx: Cx, Json(req): Json<ConversationRequest>) -> Reply<OneReply> {
    Ok(OneReply { conversation: find(&cx, &req.conversation_id).await? })
}

/// `POST /conversation/deleteConversation`: hides a conversation and what was said in it so far.
pub(crate) async fn delete(cx: Cx, Json(req): Json<ConversationRequest>) -> Reply<DeletedReply> {
    let target = conversation::find_by_id(&cx, &req.conversation_id).await?;
    conversation::unless_new(&target, cx.domain.conversations.delete(&cx.caller, target.id).await)?;
    Ok(DeletedReply { conversation_id: target.full_name() })
}

fn page_size(count: Option<u64>) -> Reply<usize> {
    match count {
        Some(0) => Err(Error::parameter("count: must be at least 1")),
        count => Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(PAGE).min(PAGE)),
    }
}

/// One conversation, which may be yet to begin.
async fn find(cx: &Cx, id: &str) -> Reply<Conversation> {
    let target = conversation::find_by_id(cx, id).await?;
    let seen = cx.domain.conversations.get(&cx.caller, target.id).await.map(Some);
    let seen = conversation::unless_new(&target, seen)?;
    show(cx, target, seen).await
}

/// Whom a conversation is with; `None` for a group that was dismissed, which is none to this system's clients.
async fn target_of(cx: &Cx, id: ConversationId) -> Reply<Option<Target>> {
    let with = match id {
        ConversationId::Direct { .. } => {
            let me = cx.caller.user()?;
            let peer = id.peer_of(me).unwrap_or(me);
            let found = cx.domain.users.find_many(&cx.caller, &[UserRef::Id(peer)]).await?.pop().flatten();
            // The record may be gone; the id and what was said are not.
            With::User(Box::new(found.unwrap_or_else(|| record::User { id: peer.0, ..record::User::default() })))
        }
        ConversationId::Group(group) => match cx.domain.groups.find(&cx.caller, &GroupRef::Id(group)).await {
            Ok(found) => With::Group(Box::new(found)),
            Err(domain::Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        },
        ConversationId::Notices(_) => With::System,
    };
    Ok(Some(Target { id, with }))
}

async fn show(cx: &Cx, target: Target, seen: Option<Seen>) -> Reply<Conversation> {
    let newest = seen.as_ref().and_then(|seen| seen.last.clone());
    let newest = view::last(cx, &target, newest).await?;
    let membership = seen.as_ref().map(|seen| seen.membership.clone()).unwrap_or_default();
    Ok(Conversation {
        conversation_id: target.full_name(),
        kind: target.kind().name(),
        unread_count: seen.map_or(0, |seen| seen.unread),
        last_message: newest.as_ref().map(|(entry, message)| LastMessage::of(message, entry)),
        message: newest.map(|(_, message)| message),
        is_pinned: membership.pinned,
        message_remind_type: remind_type(membership.mute()),
        remark: membership.remark,
        user_profile: match &target.with {
            With::User(user) => Some(profiles::profile(user)),
            With::Group(_) | With::System => None,
        },
        group_profile: match target.with {
            With::Group(group) => Some(group::show(cx, *group).await?),
            With::User(_) | With::System => None,
        },
    })
}
