//! Sending messages and notices, and what is sent like them: read receipts, withdrawals, additions, replacements.

use domain::entry::Content;
use domain::messages::Outgoing;
use domain::{Caller, MessageId, Noun, Seq, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::content::{self, Body};
use super::conversation::{self, Kind, Target};
use super::{Error, Reply};
use crate::context::{Cx, fresh_id};
use crate::input::Json;
use crate::lenient;

const READ_ACK: u64 = 9;
const RECALL: u64 = 10;
const APPEND: u64 = 11;
const REPLACE: u64 = 12;

/// What to send, and to whom.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SendRequest {
    /// 1 users, 2 groups.
    #[serde(rename = "type", deserialize_with = "lenient::u64")]
    kind: u64,
    /// Numbers of users or groups.
    #[serde(deserialize_with = "lenient::vec_u64")]
    targets: Vec<u64>,
    /// The author, if it is not the caller: for admins.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    from_user_id: Option<u64>,
    /// 0 text, 1 image, 2 audio, 3 video, 4 file, 5 location, 6 command, 7 forward;
    /// 9 read receipt, 10 withdrawal, 11 addition to, 12 replacement of `related_mid`.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    content_type: Option<u64>,
    #[serde(default)]
    content: Option<String>,
    /// JSON in a string.
    #[serde(default)]
    attachment: Option<String>,
    /// JSON in a string.
    #[serde(default)]
    config: Option<String>,
    /// JSON in a string.
    #[serde(default)]
    ext: Option<String>,
    /// The same one again, with the same content, changes nothing. 0 and none: not recognised.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    transaction_id: Option<u64>,
    /// Not stored; only who is connected gets it.
    #[serde(default)]
    online_only: Option<bool>,
    /// The message that a receipt, withdrawal, addition or replacement is about.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    related_mid: Option<u64>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sent {
    /// Whether every target got it.
    data: bool,
    /// Ids of the messages, in the order of the targets; 0 where there is none.
    msg_ids: Vec<u64>,
    /// Only where some targets did not get it: each target's outcome.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    results: Vec<Outcome>,
}

/// What became of one target.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outcome {
    target: u64,
    /// `success` or `fail`.
    result: &'static str,
    reason: String,
}

/// How it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As somebody's message.
    Message,
    /// As the app's notice; users find it in the conversation with number 0.
    Notice,
}

/// What to do for each target.
enum Act {
    Say { manner: Manner, content: Content, client_msg_id: String, online_only: bool },
    MarkRead(MessageId),
    Recall(MessageId),
    Append { message: MessageId, text: String, client_msg_id: String },
    Replace(MessageId, Content),
}

/// `POST|PUT /message/send`: sends a message to each target.
pub(crate) async fn send(mut cx: Cx, Json(req): Json<SendRequest>) -> Reply<Sent> {
    if let Some(author) = req.author() {
        cx.caller = author_of(&cx, author).await?;
    }
    to_each(&cx, req, Manner::Message).await
}

/// `POST|PUT /message/notify`: sends a notice to each target, as the app itself or in a user's name.
pub(crate) async fn notify(mut cx: Cx, Json(req): Json<SendRequest>) -> Reply<Sent> {
    cx.caller = match req.author() {
        Some(author) => author_of(&cx, author).await?,
        None => cx.caller.as_server()?,
    };
    to_each(&cx, req, Manner::Notice).await
}

impl SendRequest {
    /// Whom to send it as; 0 is nobody in particular.
    fn author(&self) -> Option<u64> {
        self.from_user_id.filter(|author| *author != 0)
    }
}

async fn to_each(cx: &Cx, req: SendRequest, manner: Manner) -> Reply<Sent> {
    check_targets(cx, &req.targets)?;
    let kind = Kind::parse(req.kind)?;
    let targets = req.targets.clone();
    let act = act_of(cx, req, manner).await?;
    let mut outcomes = Vec::with_capacity(targets.len());
    for target in &targets {
        outcomes.push(perform(cx, kind, *target, &act).await);
    }
    summary(&targets, outcomes)
}

fn check_targets(cx: &Cx, targets: &[u64]) -> Result<(), Error> {
    let most = cx.config.max_users_per_call;
    if (1..=most).contains(&targets.len()) {
        return Ok(());
    }
    Err(Error::parameter(format!("targets: must name 1 to {most}")))
}

/// Reads what is to be done.
async fn act_of(cx: &Cx, req: SendRequest, manner: Manner) -> Reply<Act> {
    let content_type = req.content_type.unwrap_or_default();
    let client_msg_id = match req.transaction_id {
        None | Some(0) => fresh_id(),
        Some(id) => format!("maxim-{id}"),
    };
    if manner == Manner::Message {
        match content_type {
            READ_ACK => return Ok(Act::MarkRead(related(&req)?)),
            RECALL => return Ok(Act::Recall(related(&req)?)),
            APPEND => {
                let (message, text) = (related(&req)?, req.content.unwrap_or_default());
                return Ok(Act::Append { message, text, client_msg_id });
            }
            // A replacement is a text, whatever it replaces.
            REPLACE => return Ok(Act::Replace(related(&req)?, content_of(cx, 0, req).await?)),
            _ => {}
        }
    }
    let online_only = req.online_only.unwrap_or_default();
    let content = content_of(cx, u8::try_from(content_type).unwrap_or(u8::MAX), req).await?;
    Ok(Act::Say { manner, content, client_msg_id, online_only })
}

fn related(req: &SendRequest) -> Result<MessageId, Error> {
    match req.related_mid {
        Some(id) if id > 0 => Ok(MessageId(id)),
        _ => Err(Error::parameter("related_mid: is missing")),
    }
}

/// What is said, with the users found whom it names.
async fn content_of(cx: &Cx, content_type: u8, req: SendRequest) -> Reply<Content> {
    let body =
        Body { content_type, content: req.content.unwrap_or_default(), attachment: req.attachment.unwrap_or_default() };
    let mut content = content::read(body, req.config.unwrap_or_default(), req.ext.unwrap_or_default())
        .ok_or_else(|| Error::parameter("content_type: must be 0 to 7, or for messages 9 to 12"))?;
    let named: Vec<u64> = content::named(&content).into_iter().collect();
    if named.len() > cx.config.max_users_per_call {
        return Err(Error::parameter("config, attachment: name too many users"));
    }
    let asked: Vec<UserRef> = named.iter().map(|number| UserRef::Number(*number)).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let ids = named.into_iter().zip(found).filter_map(|(number, user)| Some((number, user?.id))).collect();
    content::resolve(&mut content, &ids);
    Ok(content)
}

/// Does it for one target; answers the message's id.
async fn perform(cx: &Cx, kind: Kind, number: u64, act: &Act) -> Reply<u64> {
    let target = match (kind, act) {
        (Kind::User, Act::Say { manner: Manner::Notice, .. }) => conversation::notices_of(cx, number).await?,
        // To the app itself one can only say what was read.
        (Kind::User, Act::MarkRead(_)) if number == conversation::SYSTEM => conversation::system(cx)?,
        (Kind::User, _) => conversation::with_user(cx, number).await?,
        (Kind::Group, _) => conversation::with_group(cx, number).await?,
    };
    let (messages, caller) = (&cx.domain.messages, &cx.caller);
    match act {
        Act::Say { manner, content, client_msg_id, online_only } => {
            let (content, client_msg_id) = (content.clone(), client_msg_id.clone());
            let outgoing = Outgoing { conversation: target.id, client_msg_id, content, online_only: *online_only };
            let sent = match manner {
                Manner::Message => messages.send(caller, outgoing).await?,
                Manner::Notice => messages.notify(caller, outgoing).await?,
            };
            Ok(sent.message_id.0)
        }
        Act::MarkRead(message) => {
            let seq = position(cx, target, *message).await?;
            cx.domain.conversations.read(caller, target.id, seq).await?;
            Ok(message.0)
        }
        Act::Recall(message) => {
            messages.recall(caller, target.id, position(cx, target, *message).await?).await?;
            Ok(message.0)
        }
        Act::Append { message, text, client_msg_id } => {
            let seq = position(cx, target, *message).await?;
            messages.append(caller, target.id, seq, client_msg_id, text).await?;
            Ok(message.0)
        }
        Act::Replace(message, content) => {
            let seq = position(cx, target, *message).await?;
            messages.edit(caller, target.id, seq, content.clone()).await?;
            Ok(message.0)
        }
    }
}

async fn position(cx: &Cx, target: Target, message: MessageId) -> Reply<Seq> {
    let found = cx.domain.messages.position(&cx.caller, target.id, message).await?;
    Ok(found.ok_or(domain::Error::NotFound(Noun::Message))?)
}

/// The caller in the author's name. To name oneself needs no right.
async fn author_of(cx: &Cx, author: u64) -> Reply<Caller> {
    let author = cx.domain.users.find(&cx.caller, &UserRef::Number(author)).await?;
    if cx.caller.user().is_ok_and(|me| me.0 == author.id) {
        return Ok(cx.caller.clone());
    }
    Ok(cx.domain.tokens.act_as(&cx.caller, UserId(author.id)).await?)
}

/// All targets' outcomes as one answer. If none got it, the first one's error tells why.
fn summary(targets: &[u64], outcomes: Vec<Reply<u64>>) -> Reply<Sent> {
    if outcomes.iter().all(Result::is_err) {
        let first = outcomes.into_iter().find_map(Result::err);
        return Err(first.unwrap_or_else(|| Error::parameter("targets: is empty")));
    }
    let data = outcomes.iter().all(Result::is_ok);
    let msg_ids = outcomes.iter().map(|outcome| *outcome.as_ref().unwrap_or(&0)).collect();
    let describe = |(target, outcome): (&u64, Reply<u64>)| match outcome {
        Ok(_) => Outcome { target: *target, result: "success", reason: String::new() },
        Err(error) => Outcome { target: *target, result: "fail", reason: error.message.into_owned() },
    };
    let results = if data { Vec::new() } else { targets.iter().zip(outcomes).map(describe).collect() };
    Ok(Sent { data, msg_ids, results })
}
