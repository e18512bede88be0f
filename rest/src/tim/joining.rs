//! Coming into groups and leaving them: by oneself, on application, and how much one wants to hear of them.

use domain::conversations::ViewChange;
use domain::groups::Applied as Outcome;
use domain::record::{GroupKind, Mute};
use domain::{ConversationId, GroupId, GroupRef, MessageId, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::conversation::{self, Kind, Target, With};
use super::group::{Group, show, show_public};
use super::message::{MessageRef, plain};
use super::payload::Applied;
use super::{Error, Reply, messages, view};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// Most users whose messages are set in one call.
const MOST_USERS: usize = 30;

/// Which group, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    /// For whoever decides.
    #[serde(default)]
    apply_message: String,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Joined {
    /// `JoinedSuccess`, `AlreadyInGroup` or `WaitAdminApproval`.
    status: &'static str,
    /// Absent while the caller waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Group>,
}

/// Which group.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OfGroup {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
}

/// The group that was left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Left {
    #[serde(rename = "groupID")]
    group_id: String,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    group: Group,
}

/// The answer to an application.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandleRequest {
    /// `Agree` or `Reject`.
    handle_action: String,
    /// For the applicant.
    #[serde(default)]
    handle_message: String,
    /// The system notice that told of the application, or its ID.
    message: MessageRef,
}

/// How much the caller wants to hear of a group, or of users.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemindRequest {
    #[serde(rename = "groupID", default, deserialize_with = "lenient::opt_string")]
    group_id: Option<String>,
    /// At most 30.
    #[serde(rename = "userIDList", default, deserialize_with = "lenient::vec_string")]
    users: Vec<String>,
    /// `AcceptAndNotify`, `AcceptNotNotify` or `Discard`.
    message_remind_type: String,
}

/// What became of it: the group, or each of the users.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reminded {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_user_list: Option<Vec<String>>,
    /// Who does not exist, or with whom nothing was said yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_user_list: Option<Vec<String>>,
}

/// `POST /group/joinGroup`: joins a group, or asks to.
pub(crate) async fn join(cx: Cx, Json(req): Json<JoinRequest>) -> Reply<Joined> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    let id = GroupId(group.id);
    let status = match cx.domain.groups.apply(&cx.caller, id, &req.apply_message).await? {
        Outcome::Waits => return Ok(Joined { status: "WaitAdminApproval", group: None }),
        Outcome::Joined => "JoinedSuccess",
        Outcome::Already => "AlreadyInGroup",
    };
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Id(id)).await?;
    Ok(Joined { status, group: Some(show(&cx, group).await?) })
}

/// `POST /group/quitGroup`: leaves a group.
pub(crate) async fn quit(cx: Cx, Json(req): Json<OfGroup>) -> Reply<Left> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id.clone())).await?;
    cx.domain.groups.quit(&cx.caller, GroupId(group.id)).await?;
    Ok(Left { group_id: req.group_id })
}

/// `POST /group/searchGroupByID`: tells what everybody may know of a group.
pub(crate) async fn search(cx: Cx, Json(req): Json<OfGroup>) -> Reply<Found> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    if group.kind() == GroupKind::Private {
        return Err(Error::permission("Private groups cannot be searched for"));
    }
    Ok(Found { group: show_public(&cx, group).await? })
}

/// `POST /group/handleGroupApplication`: answers an application.
pub(crate) async fn handle(cx: Cx, Json(req): Json<HandleRequest>) -> Reply<Found> {
    let accept = match req.handle_action.as_str() {
        "Agree" => true,
        "Reject" => false,
        _ => return Err(Error::parameter("handleAction: must be Agree or Reject")),
    };
    let applied = applied(&cx, req.message).await?;
    let user = UserId(cx.domain.users.find(&cx.caller, &UserRef::Uid(applied.operator_id)).await?.id);
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(applied.group_profile.group_id)).await?;
    let id = GroupId(group.id);
    let group = cx.domain.groups.answer_application(&cx.caller, id, user, accept, &req.handle_message).await?;
    Ok(Found { group: show(&cx, group).await? })
}

/// `POST /group/setMessageRemindType`: sets how much the caller wants to hear of a group, or of users.
pub(crate) async fn set_remind_type(cx: Cx, Json(req): Json<RemindRequest>) -> Reply<Reminded> {
    let mute = mute_of(&req.message_remind_type)?;
    let Some(group) = req.group_id else { return remind_of_users(&cx, req.users, mute).await };
    let target = conversation::find(&cx, Kind::Group, &group).await?;
    conversation::unless_new(&target, set_mute(&cx, target.id, mute).await)?;
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(group)).await?;
    Ok(Reminded { group: Some(show(&cx, group).await?), ..Reminded::default() })
}

/// Who applied, and where, by the notice that told of it.
async fn applied(cx: &Cx, message: MessageRef) -> Reply<Applied> {
    let payload = match message {
        MessageRef::Object(given) => given.payload,
        MessageRef::Id(id) => {
            let me = cx.caller.user()?;
            let target = Target { id: ConversationId::Notices(me), with: With::System };
            let id = MessageId(id.parse().map_err(|_| Error::no_message())?);
            let seq = cx.domain.messages.position(&cx.caller, target.id, id).await?.ok_or_else(Error::no_message)?;
            let entries = messages::newest(cx, &target, seq, 1).await?;
            view::show(cx, &target, &entries).await?.pop().ok_or_else(Error::no_message)?.message.payload
        }
    };
    serde_json::from_str(payload.get()).map_err(|error| Error::parameter(format!("message.payload: {}", plain(&error))))
}

fn mute_of(name: &str) -> Result<Mute, Error> {
    match name {
        "AcceptAndNotify" => Ok(Mute::None),
        "AcceptNotNotify" => Ok(Mute::Notifications),
        "Discard" => Ok(Mute::Messages),
        _ => Err(Error::parameter("messageRemindType: must be AcceptAndNotify, AcceptNotNotify or Discard")),
    }
}

async fn set_mute(cx: &Cx, conversation: ConversationId, mute: Mute) -> Result<(), domain::Error> {
    let change = ViewChange { mute: Some(mute), ..ViewChange::default() };
    cx.domain.conversations.update(&cx.caller, conversation, change).await
}

async fn remind_of_users(cx: &Cx, uids: Vec<String>, mute: Mute) -> Reply<Reminded> {
    if !(1..=MOST_USERS).contains(&uids.len()) {
        return Err(Error::parameter("userIDList: must name 1 to 30 users, unless there is a groupID"));
    }
    let me = cx.caller.user()?;
    let asked: Vec<UserRef> = uids.iter().map(|uid| UserRef::Uid(uid.clone())).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let (mut success, mut failure) = (Vec::new(), Vec::new());
    for (uid, user) in uids.into_iter().zip(found) {
        let outcome = match user {
            Some(user) => set_mute(cx, ConversationId::direct(me, UserId(user.id)), mute).await,
            None => Err(domain::Error::NotFound(domain::Noun::User)),
        };
        match outcome {
            Ok(()) => success.push(uid),
            Err(domain::Error::NotFound(_)) => failure.push(uid),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Reminded { group: None, success_user_list: Some(success), failure_user_list: Some(failure) })
}
