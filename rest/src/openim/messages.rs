//! openim's messages: `POST /manager/send_msg`.

use domain::messages::Outgoing;
use domain::{Caller, ConversationId, GroupId, GroupRef, Millis, Noun, Seq, UserId, UserRef, entry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::bind::{Bind, Bound, Rules};
use super::content::{Parsed, Said};
use super::users::too_many;
use super::{Error, Refusal, Reply, content};
use crate::context::{Cx, fresh_id};

/// A message in a user's name.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct SendRequest {
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
    /// Who sends it.
    #[serde(rename = "sendID")]
    #[schema(required = true, min_length = 1)]
    send_id: String,
    /// A user in 1:1 messages, a group in group messages.
    #[serde(rename = "recvID")]
    #[schema(required = true, min_length = 1)]
    recv_id: String,
    /// Name to show instead of the sender's own.
    #[serde(rename = "senderNickName")]
    sender_nick_name: String,
    /// Avatar to show instead of the sender's own.
    #[serde(rename = "senderFaceURL")]
    sender_face_url: String,
    /// Members to mention, in group messages.
    #[serde(rename = "forceList")]
    force_list: Vec<String>,
    /// An object by `contentType`, or a string that holds it.
    #[schema(required = true, value_type = Object)]
    content: Option<Box<RawValue>>,
    /// 101 text, 102 picture, 103 sound, 104 video, 105 file, 106 text with mentions, 107 merged messages, 108 card, 109 location,
    /// 110 custom, 111 withdrawal, 112 read receipt, 114 answer to a message.
    #[serde(rename = "contentType")]
    #[schema(required = true)]
    content_type: i32,
    /// 1 for 1:1, 2 for a group.
    #[serde(rename = "sessionType")]
    #[schema(required = true)]
    session_type: i32,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SendReply {
    /// Unix nanoseconds.
    #[serde(rename = "sendTime")]
    send_time: i64,
    /// 32 hex digits.
    #[serde(rename = "msgID")]
    msg_id: String,
}

impl Bind for SendRequest {
    const NAME: &'static str = "paramsManagementSendMsg";

    fn rules(&self, rules: &mut Rules) {
        rules.required("OperationID", !self.operation_id.is_empty());
        rules.required("SendID", !self.send_id.is_empty());
        rules.required("RecvID", !self.recv_id.is_empty());
        rules.required("Content", self.content.is_some());
        rules.required("ContentType", self.content_type != 0);
        rules.required("SessionType", self.session_type != 0);
    }
}

/// `POST /manager/send_msg`: a message in a user's name, or a withdrawal or receipt, which the original sends like one.
pub(super) async fn send(cx: Cx, Bound(request): Bound<SendRequest>) -> Reply<SendReply> {
    let raw = request.content.as_deref().map(RawValue::get).unwrap_or_default();
    let said = content::read(request.content_type, raw)?;
    let sender = request.sender(&cx).await?;
    let conversation = request.conversation(&cx, &sender).await?;
    match said {
        Said::Message(parsed) => say(&cx, &request, &sender, conversation, *parsed).await,
        Said::Recall(ids) => recall(&cx, &sender, conversation, &ids).await,
        Said::Read(ids) => mark_read(&cx, &sender, conversation, &ids).await,
    }
}

async fn say(
    cx: &Cx,
    request: &SendRequest,
    sender: &Caller,
    conversation: ConversationId,
    parsed: Parsed,
) -> Reply<SendReply> {
    let content = request.resolve(cx, parsed).await?;
    let msg_id = fresh_id();
    let message = Outgoing { conversation, client_msg_id: msg_id.clone(), content, online_only: false };
    let sent = cx.domain.messages.send(sender, message).await?;
    Ok(SendReply::at(Millis(sent.time), msg_id))
}

async fn recall(cx: &Cx, sender: &Caller, conversation: ConversationId, ids: &[String]) -> Reply<SendReply> {
    for seq in places(cx, sender, conversation, ids).await? {
        cx.domain.messages.recall(sender, conversation, seq).await?;
    }
    Ok(SendReply::at(cx.clock.now(), fresh_id()))
}

async fn mark_read(cx: &Cx, sender: &Caller, conversation: ConversationId, ids: &[String]) -> Reply<SendReply> {
    // Only in 1:1 conversations is it clear whose messages were read.
    let author = conversation.peer_of(sender.user()?).ok_or(Error::Refused(Refusal::CONTENT_TYPE))?;
    let author = cx.domain.tokens.act_as(&cx.caller, author).await?;
    let newest = places(cx, &author, conversation, ids).await?.into_iter().max().unwrap_or_default();
    cx.domain.conversations.read(sender, conversation, newest).await?;
    Ok(SendReply::at(cx.clock.now(), fresh_id()))
}

/// Where an author's messages are, by what `msgID` said when they were sent. Those that are known no longer are passed over.
async fn places(cx: &Cx, author: &Caller, conversation: ConversationId, ids: &[String]) -> Reply<Vec<Seq>> {
    let limit = cx.config.max_users_per_call;
    if ids.len() > limit {
        return Err(too_many("content", ids.len(), limit));
    }
    let mut places = Vec::new();
    for id in ids {
        places.extend(cx.domain.messages.sent(author, conversation, id).await?);
    }
    if places.is_empty() { Err(domain::Error::NotFound(Noun::Message).into()) } else { Ok(places) }
}

impl SendReply {
    fn at(time: Millis, msg_id: String) -> Self {
        Self { send_time: time.0.saturating_mul(1_000_000), msg_id }
    }
}

impl SendRequest {
    /// The content, with the users found whom it names: mentioned by itself or by `forceList`, or the authors of what it passes on.
    async fn resolve(&self, cx: &Cx, parsed: Parsed) -> Reply<entry::Content> {
        let Parsed { content, mut named } = parsed;
        named.mentioned.extend(self.force_list.iter().cloned());
        let (count, limit) = (named.count(), cx.config.max_users_per_call);
        if count > limit {
            return Err(too_many("forceList", count, limit));
        }
        let (sender_name, sender_avatar) = (self.sender_nick_name.clone(), self.sender_face_url.clone());
        Ok(named.resolve(cx, entry::Content { sender_name, sender_avatar, ..content }).await?)
    }

    async fn sender(&self, cx: &Cx) -> Reply<Caller> {
        let user = cx.domain.users.find(&cx.caller, &UserRef::Uid(self.send_id.clone())).await?;
        Ok(cx.domain.tokens.act_as(&cx.caller, UserId(user.id)).await?)
    }

    async fn conversation(&self, cx: &Cx, sender: &Caller) -> Reply<ConversationId> {
        match self.session_type {
            1 => {
                let user = cx.domain.users.find(&cx.caller, &UserRef::Uid(self.recv_id.clone())).await?;
                Ok(ConversationId::direct(sender.user()?, UserId(user.id)))
            }
            2 => {
                let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(self.recv_id.clone())).await?;
                Ok(ConversationId::Group(GroupId(group.id)))
            }
            _ => Err(Error::Refused(Refusal::SESSION_TYPE)),
        }
    }
}
