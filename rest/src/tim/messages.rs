//! Creating, sending and reading messages.
//!
//! `createMessage` makes a message object and keeps it for a while under the ID that the message will have; `sendMessage` takes
//! the object, which says everything by itself, or that ID. Either way the message keeps its ID, and sending it again changes nothing.

use domain::messages::{HistoryRange, Outgoing};
use domain::{MessageId, Seq, UserRef, entry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::conversation::{self, Kind, Target};
use super::message::{self, EVERYBODY, GivenMessage, Message, MessageRef, Wrapped};
use super::{Error, Reply, content, create, view};
use crate::context::{Cx, fresh_id};
use crate::input::{Json, from_json};
use crate::lenient;
use crate::people::Named;

/// Most messages on one page. The SDK's limit; more are asked for in vain.
const PAGE: usize = 15;

/// What a message is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateRequest {
    /// The receiver's userID or groupID.
    #[serde(deserialize_with = "lenient::string")]
    to: String,
    /// `C2C` or `GROUP`.
    conversation_type: String,
    /// `High`, `Normal`, `Low` or `Lowest`.
    priority: String,
    /// `{text[, atUserList]}`, `{file}`, `{data, description, extension}`, `{data, index}` or `{message}`.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
    /// What a file is sent as, if its MIME type and name do not tell: `TIMImageElem`, `TIMSoundElem`, `TIMVideoFileElem`, `TIMFileElem`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The app's own, carried unread.
    #[serde(default)]
    cloud_custom_data: String,
}

/// `POST /message/createMessage`: makes a message, to be sent by `sendMessage`.
pub(crate) async fn create(cx: Cx, Json(req): Json<CreateRequest>) -> Reply<Message> {
    let made = create::make(req.kind.as_deref(), &req.payload).map_err(Error::parameter)?;
    content::read(&made.kind, &made.payload).map_err(Error::parameter)?;
    let given = GivenMessage {
        id: String::new(),
        kind: made.kind,
        payload: made.payload,
        conversation_type: Kind::parse(&req.conversation_type)?.name().to_owned(),
        to: req.to,
        priority: message::priority_name(message::priority(&req.priority)?).to_owned(),
        at_user_list: made.at_user_list,
        cloud_custom_data: req.cloud_custom_data,
        status: String::new(),
    };
    keep(&cx, given).await
}

/// A message of the caller's own.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OwnMessage {
    /// What `createMessage` or `sendMessage` answered, or its ID.
    message: Option<MessageRef>,
    /// The ID, where `message` is left out.
    #[serde(rename = "ID", default, deserialize_with = "lenient::opt_string")]
    id: Option<String>,
}

/// `POST /message/sendMessage`: sends what `createMessage` made.
pub(crate) async fn send(cx: Cx, Json(req): Json<OwnMessage>) -> Reply<Wrapped> {
    let given = req.find(&cx).await?;
    send_given(&cx, given).await
}

/// `POST /message/resendMessage`: sends what could not be sent before.
pub(crate) async fn resend(cx: Cx, Json(req): Json<OwnMessage>) -> Reply<Wrapped> {
    let given = req.find(&cx).await?;
    check_failed(&cx, &given).await?;
    send_given(&cx, given).await
}

/// `POST /message/revokeMessage`: withdraws a message.
pub(crate) async fn revoke(cx: Cx, Json(req): Json<OwnMessage>) -> Reply<Wrapped> {
    let given = req.find(&cx).await?;
    let target = conversation::find(&cx, Kind::parse(&given.conversation_type)?, &given.to).await?;
    let seq = position(&cx, &target, &given.id).await?;
    cx.domain.messages.recall(&cx.caller, target.id, seq).await?;
    let entries = newest(&cx, &target, seq, 1).await?;
    view::show(&cx, &target, &entries).await?.pop().ok_or_else(Error::no_message)
}

impl OwnMessage {
    async fn find(self, cx: &Cx) -> Reply<GivenMessage> {
        match (self.message, self.id) {
            (Some(MessageRef::Object(given)), _) => Ok(given),
            (Some(MessageRef::Id(id)), _) | (None, Some(id)) => kept(cx, id).await,
            (None, None) => Err(Error::parameter("message: is missing")),
        }
    }
}

/// Which messages to read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListRequest {
    /// `C2C` and a userID, `GROUP` and a groupID, or `@TIM#SYSTEM`.
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// 1 to 15, which is also the default; more are answered with 15.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    count: Option<u64>,
    /// The ID of the oldest message that is known, to read what was before it.
    #[serde(rename = "nextReqMessageID", default, deserialize_with = "lenient::opt_string")]
    next_req_message_id: Option<String>,
}

/// `POST /message/getMessageList`: the newest messages of a conversation, or those before a known one; the oldest comes first.
pub(crate) async fn list(cx: Cx, Json(req): Json<ListRequest>) -> Reply<Vec<Wrapped>> {
    let count = page_of(req.count)?;
    let target = conversation::find_by_id(&cx, &req.conversation_id).await?;
    let known = req.next_req_message_id.filter(|id| !id.is_empty());
    let Some(from) = start(&cx, &target, known).await? else { return Ok(Vec::new()) };
    let mut entries = newest(&cx, &target, from, count).await?;
    entries.reverse();
    view::show(&cx, &target, &entries).await
}

/// Which conversation.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ReadRequest {
    /// `C2C` and a userID, `GROUP` and a groupID, or `@TIM#SYSTEM`.
    #[serde(rename = "conversationID")]
    conversation_id: String,
}

/// Nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Nothing {}

/// `POST /message/setMessageRead`: marks everything in a conversation as read.
pub(crate) async fn set_read(cx: Cx, Json(req): Json<ReadRequest>) -> Reply<Nothing> {
    let target = conversation::find_by_id(&cx, &req.conversation_id).await?;
    let outcome = cx.domain.conversations.read(&cx.caller, target.id, Seq(u64::MAX)).await;
    conversation::unless_new(&target, outcome)?;
    Ok(Nothing {})
}

/// Keeps a message for the author to send, and shows it.
async fn keep(cx: &Cx, mut given: GivenMessage) -> Reply<Message> {
    let kind = Kind::parse(&given.conversation_type)?;
    // Who it is to may turn out to be nobody: that is for sendMessage to say, since making a message asks nobody in the SDK either.
    let target = match conversation::find(cx, kind, &given.to).await {
        Ok(target) => Some(target),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    let text = serde_json::to_string(&given).map_err(|error| Error::parameter(error.to_string()))?;
    let id = cx.domain.messages.prepare(&cx.caller, target.map(|target| target.id), text).await?;
    given.id = id.to_string();
    shown(cx, given, "unSend").await
}

/// A message that was kept.
async fn kept(cx: &Cx, id: String) -> Reply<GivenMessage> {
    let message = MessageId(id.parse().map_err(|_| Error::no_message())?);
    let text = cx.domain.messages.prepared(&cx.caller, message).await?.ok_or_else(Error::no_message)?;
    Ok(GivenMessage { id, ..from_json(text.as_bytes())? })
}

/// Sends a message; the error of one that could not be sent shows it as it now is.
async fn send_given(cx: &Cx, given: GivenMessage) -> Reply<Wrapped> {
    match deliver(cx, given.clone()).await {
        Ok(message) => Ok(Wrapped { message }),
        Err(error) => Err(failed(cx, given, error).await),
    }
}

/// Only what failed is sent again: the object says so itself, and what is named by its ID must not have been sent.
async fn check_failed(cx: &Cx, given: &GivenMessage) -> Reply<()> {
    let failed = match given.status.as_str() {
        "fail" => true,
        "" => {
            let target = conversation::find(cx, Kind::parse(&given.conversation_type)?, &given.to).await?;
            cx.domain.messages.sent(&cx.caller, target.id, &given.id).await?.is_none()
        }
        _ => false,
    };
    if failed { Ok(()) } else { Err(Error::parameter("message: only one that failed can be sent again")) }
}

/// Sends a message, and shows it as it was sent.
async fn deliver(cx: &Cx, given: GivenMessage) -> Reply<Message> {
    let target = conversation::find(cx, Kind::parse(&given.conversation_type)?, &given.to).await?;
    let content = resolve(cx, &given).await?;
    let client_msg_id = if given.id.is_empty() { fresh_id() } else { given.id.clone() };
    let outgoing = Outgoing { conversation: target.id, client_msg_id, content, online_only: false };
    let sent = match given.id.parse() {
        Ok(id) => cx.domain.messages.send_prepared(&cx.caller, MessageId(id), outgoing.clone()).await?,
        Err(_) => cx.domain.messages.send(&cx.caller, outgoing.clone()).await?,
    };
    let entry = entry::Entry {
        seq: sent.seq.0,
        message_id: sent.message_id.0,
        sender: cx.caller.user()?.0,
        time: sent.time,
        client_msg_id: outgoing.client_msg_id,
        body: Some(entry::entry::Body::Message(outgoing.content)),
    };
    let shown = view::show(cx, &target, &[entry]).await?.pop().ok_or_else(Error::no_message)?;
    Ok(shown.message)
}

/// The error of a message that could not be sent, with the message as it now is.
async fn failed(cx: &Cx, given: GivenMessage, error: Error) -> Error {
    match shown(cx, given, "fail").await {
        Ok(message) => error.with_data(content::raw(&Wrapped { message })),
        Err(_) => error,
    }
}

/// A message that is not in the log.
async fn shown(cx: &Cx, given: GivenMessage, status: &'static str) -> Reply<Message> {
    let me = cx.domain.users.find(&cx.caller, &UserRef::Id(cx.caller.user()?)).await?;
    let from = domain::users::uid_of(&me);
    let profile = me.profile.unwrap_or_default();
    let kind = Kind::parse(&given.conversation_type)?;
    Ok(Message {
        id: given.id,
        kind: given.kind,
        payload: given.payload,
        conversation_id: format!("{}{}", kind.name(), given.to),
        conversation_type: kind.name(),
        to: given.to,
        from,
        flow: "out",
        time: cx.clock.now().0.div_euclid(1000),
        status,
        is_revoked: false,
        priority: message::priority_name(message::priority(&given.priority)?),
        nick: profile.name,
        avatar: profile.avatar,
        is_peer_read: false,
        name_card: String::new(),
        at_user_list: given.at_user_list,
        cloud_custom_data: given.cloud_custom_data,
    })
}

/// A message's content, with the users found whom it names. Those who are not users are not mentioned.
async fn resolve(cx: &Cx, given: &GivenMessage) -> Reply<entry::Content> {
    let content::Parsed { mut content, authors } =
        content::read(&given.kind, &given.payload).map_err(Error::parameter)?;
    content.set_priority(message::priority(&given.priority)?);
    content.extension.clone_from(&given.cloud_custom_data);
    content.mention_all = given.at_user_list.iter().any(|uid| uid == EVERYBODY);
    let mentioned = given.at_user_list.iter().filter(|uid| *uid != EVERYBODY).cloned().collect();
    let named = Named { mentioned, authors };
    if named.count() > cx.config.max_users_per_call {
        return Err(Error::parameter("atUserList, messageList: name too many users"));
    }
    Ok(named.resolve(cx, content).await?)
}

/// How many messages there are on a page.
fn page_of(count: Option<u64>) -> Reply<usize> {
    match count {
        Some(0) => Err(Error::parameter("count: must be at least 1")),
        Some(count) => Ok(usize::try_from(count).unwrap_or(PAGE).min(PAGE)),
        None => Ok(PAGE),
    }
}

/// The seq to read from: before a known message's, or 0 for the newest. `None` if nothing can be before it.
async fn start(cx: &Cx, target: &Target, known: Option<String>) -> Reply<Option<Seq>> {
    let Some(id) = known else { return Ok(Some(Seq(0))) };
    let seq = position(cx, target, &id).await?;
    Ok(if seq.0 > 1 { Some(Seq(seq.0 - 1)) } else { None })
}

/// Where a message is.
async fn position(cx: &Cx, target: &Target, id: &str) -> Reply<Seq> {
    let message = MessageId(id.parse().map_err(|_| Error::no_message())?);
    cx.domain.messages.position(&cx.caller, target.id, message).await?.ok_or_else(Error::no_message)
}

/// Up to `count` entries that have a message object, the newest first.
pub(super) async fn newest(cx: &Cx, target: &Target, mut from: Seq, count: usize) -> Reply<Vec<entry::Entry>> {
    let mut found = Vec::new();
    while found.len() < count {
        let range = HistoryRange { from, ascending: false, limit: count };
        let page = cx.domain.messages.history(&cx.caller, target.id, range).await;
        let page = conversation::unless_new(target, page)?;
        let end = page.entries.last().map_or(0, |entry| entry.seq);
        found.extend(page.entries.into_iter().filter(view::is_shown));
        if page.complete || end <= 1 {
            break;
        }
        from = Seq(end - 1);
    }
    found.truncate(count);
    Ok(found)
}
