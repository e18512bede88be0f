//! openim's messages: `POST /manager/send_msg`.

use domain::messages::Outgoing;
use domain::{Caller, ConversationId, GroupId, GroupRef, UserId, UserRef, entry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::bind::{Bind, Bound, Rules};
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
    /// 101 text, 102 picture, 103 sound, 104 video, 105 file, 110 custom.
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

/// `POST /manager/send_msg`: a message in a user's name.
pub(super) async fn send(cx: Cx, Bound(request): Bound<SendRequest>) -> Reply<SendReply> {
    let content = request.content(&cx).await?;
    let sender = request.sender(&cx).await?;
    let conversation = request.conversation(&cx, &sender).await?;
    let msg_id = fresh_id();
    let message = Outgoing { conversation, client_msg_id: msg_id.clone(), content, online_only: false };
    let sent = cx.domain.messages.send(&sender, message).await?;
    Ok(SendReply { send_time: sent.time.saturating_mul(1_000_000), msg_id })
}

impl SendRequest {
    async fn content(&self, cx: &Cx) -> Reply<entry::Content> {
        let raw = self.content.as_deref().map(RawValue::get).unwrap_or_default();
        let content = content::read(self.content_type, raw)?;
        let limit = cx.config.max_users_per_call;
        if self.force_list.len() > limit {
            return Err(too_many("forceList", self.force_list.len(), limit));
        }
        let wanted: Vec<UserRef> = self.force_list.iter().cloned().map(UserRef::Uid).collect();
        let mentioned = cx.domain.users.find_many(&cx.caller, &wanted).await?;
        Ok(entry::Content {
            sender_name: self.sender_nick_name.clone(),
            sender_avatar: self.sender_face_url.clone(),
            mentions: mentioned.into_iter().flatten().map(|user| user.id).collect(),
            ..content
        })
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
