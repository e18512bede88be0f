//! tenured's messages between users: sending one, sending to many, bringing in old ones.
//!
//! The document names these calls in a comment only. Their paths and fields are ours, in its style.

use std::collections::BTreeMap;

use domain::messages::{Imported, Outgoing};
use domain::record::User;
use domain::{ConversationId, Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::content::Message;
use super::{Error, Reply};
use crate::context::{Cx, fresh_id};
use crate::dialect::Fault;
use crate::input::Json;
use crate::lenient;

/// A message from one user to another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendRequest {
    #[serde(deserialize_with = "lenient::string")]
    from_user_id: String,
    #[serde(deserialize_with = "lenient::string")]
    to_user_id: String,
    message: Message,
}

/// A message from one user to others, each of whom gets it alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchRequest {
    #[serde(deserialize_with = "lenient::string")]
    from_user_id: String,
    #[serde(deserialize_with = "lenient::vec_string")]
    to_user_ids: Vec<String>,
    message: Message,
}

/// Messages that were sent elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ImportRequest {
    messages: Vec<OldMessage>,
}

/// A message that was sent elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OldMessage {
    #[serde(deserialize_with = "lenient::string")]
    from_user_id: String,
    #[serde(deserialize_with = "lenient::string")]
    to_user_id: String,
    /// When it was sent, in Unix milliseconds.
    time: i64,
    message: Message,
}

/// A message that was sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    /// Its id, unique in the app.
    message_id: u64,
    /// Unix milliseconds.
    time: i64,
}

/// What became of each receiver's message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchReply {
    results: Vec<Outcome>,
}

/// What became of one receiver's message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    user_id: String,
    /// `0000` if it was sent.
    error: &'static str,
    message: String,
    #[serde(flatten)]
    sent: Option<Sent>,
}

/// The messages' ids, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportReply {
    message_ids: Vec<u64>,
}

/// `POST /v1/send_message`: a message between users.
pub(super) async fn send(cx: Cx, Json(request): Json<SendRequest>) -> Reply<Sent> {
    let sender = find(&cx, request.from_user_id).await?;
    deliver(&cx, sender, &request.to_user_id, &request.message).await
}

/// `POST /v1/batch_send_message`: the same message to many users.
pub(super) async fn send_batch(cx: Cx, Json(request): Json<BatchRequest>) -> Reply<BatchReply> {
    check_count(&cx, "toUserIds", request.to_user_ids.len())?;
    let sender = find(&cx, request.from_user_id).await?;
    let mut results = Vec::with_capacity(request.to_user_ids.len());
    for user_id in request.to_user_ids {
        let outcome = deliver(&cx, sender, &user_id, &request.message).await;
        results.push(Outcome::of(user_id, outcome));
    }
    Ok(BatchReply { results })
}

/// `POST /v1/import_message`: brings in messages that were sent elsewhere.
///
/// Conversations are brought in one after the other: a crash in between leaves a part of them, and the same request, sent again,
/// completes it.
pub(super) async fn import(cx: Cx, Json(request): Json<ImportRequest>) -> Reply<ImportReply> {
    check_count(&cx, "messages", request.messages.len())?;
    let people = people_of(&cx, &request.messages).await?;
    let mut conversations: BTreeMap<ConversationId, Vec<(usize, Imported)>> = BTreeMap::new();
    for (row, old) in request.messages.iter().enumerate() {
        let (conversation, imported) = old.resolve(&cx, &people).await.map_err(Error::at_row("messages", row))?;
        conversations.entry(conversation).or_default().push((row, imported));
    }
    let mut message_ids = vec![0; request.messages.len()];
    for (conversation, imported) in conversations {
        let (rows, imported): (Vec<usize>, Vec<Imported>) = imported.into_iter().unzip();
        let sent = cx.domain.messages.import(&cx.caller, conversation, imported).await?;
        rows.into_iter().zip(sent).for_each(|(row, sent)| message_ids[row] = sent.message_id.0);
    }
    Ok(ImportReply { message_ids })
}

/// Checks how long a list is.
pub(super) fn check_count(cx: &Cx, field: &str, count: usize) -> Reply<()> {
    let limit = cx.config.max_users_per_call;
    if (1..=limit).contains(&count) {
        return Ok(());
    }
    Err(Fault::invalid(field, format!("holds {count}; 1 to {limit} are allowed")).into())
}

/// The user with this id.
pub(super) async fn find(cx: &Cx, user_id: String) -> Reply<UserId> {
    Ok(UserId(cx.domain.users.find(&cx.caller, &UserRef::Uid(user_id)).await?.id))
}

/// Sends a message in a user's name.
pub(super) async fn say(cx: &Cx, sender: UserId, conversation: ConversationId, message: &Message) -> Reply<Sent> {
    let sender = cx.domain.tokens.act_as(&cx.caller, sender).await?;
    Ok(Sent::of(cx.domain.messages.send(&sender, outgoing(cx, conversation, message).await?).await?))
}

/// A message as the product takes it.
pub(super) async fn outgoing(cx: &Cx, conversation: ConversationId, message: &Message) -> Reply<Outgoing> {
    let client_msg_id = message.msg_id.clone().unwrap_or_else(fresh_id);
    let (content, online_only) = (message.resolve(cx).await?, message.online_only);
    Ok(Outgoing { conversation, client_msg_id, content, online_only })
}

async fn deliver(cx: &Cx, sender: UserId, to_user_id: &str, message: &Message) -> Reply<Sent> {
    let receiver = find(cx, to_user_id.to_owned()).await?;
    say(cx, sender, ConversationId::direct(sender, receiver), message).await
}

/// Everybody whom old messages are from and to.
async fn people_of(cx: &Cx, messages: &[OldMessage]) -> Reply<BTreeMap<String, User>> {
    let mut named: Vec<String> =
        messages.iter().flat_map(|old| [old.from_user_id.clone(), old.to_user_id.clone()]).collect();
    named.sort_unstable();
    named.dedup();
    let asked: Vec<UserRef> = named.iter().cloned().map(UserRef::Uid).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    Ok(named.into_iter().zip(found).filter_map(|(uid, user)| Some((uid, user?))).collect())
}

impl OldMessage {
    async fn resolve(&self, cx: &Cx, people: &BTreeMap<String, User>) -> Reply<(ConversationId, Imported)> {
        let find =
            |uid: &String| people.get(uid).map(|user| UserId(user.id)).ok_or(domain::Error::NotFound(Noun::User));
        let (sender, receiver) = (find(&self.from_user_id)?, find(&self.to_user_id)?);
        // Without one, sending the request again would bring the message in twice.
        let client_msg_id = self.message.msg_id.clone().ok_or_else(|| Fault::missing("message.msgId"))?;
        if !(1..=cx.clock.now().0).contains(&self.time) {
            return Err(Fault::invalid("time", "must be in the past").into());
        }
        let content = self.message.resolve(cx).await?;
        let imported = Imported { sender, client_msg_id, content, said_at: self.time };
        Ok((ConversationId::direct(sender, receiver), imported))
    }
}

impl Sent {
    pub(super) fn of(sent: domain::messages::Sent) -> Self {
        Self { message_id: sent.message_id.0, time: sent.time }
    }
}

impl Outcome {
    fn of(user_id: String, outcome: Reply<Sent>) -> Self {
        match outcome {
            Ok(sent) => Self { user_id, error: "0000", message: String::new(), sent: Some(sent) },
            Err(error) => Self { user_id, error: error.code(), message: error.message(), sent: None },
        }
    }
}
