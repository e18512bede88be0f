//! What a group says of itself, its rules, and what of it the caller wants to hear.

use domain::conversations::ViewChange;
use domain::groups::GroupChange;
use domain::record::{JoinPolicy, Mute, PushMode};
use domain::{ConversationId, GroupRef, Millis};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::group::{Group, seconds, show};
use super::named::group_of;
use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// A text of a group.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TextRequest {
    #[serde(deserialize_with = "lenient::u64")]
    pub(super) group_id: u64,
    #[serde(deserialize_with = "lenient::string")]
    pub(super) value: String,
}

/// A rule of a group.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SwitchRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    #[serde(deserialize_with = "lenient::boolean")]
    value: bool,
}

/// How to join a group.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ApprovalRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    /// 0 anyone may join, 1 an admin decides, 2 nobody.
    #[serde(deserialize_with = "lenient::u64")]
    #[schema(maximum = 2)]
    apply_approval: u64,
}

/// How long all but owner and admins are silent.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BanAllRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    /// Minutes; -1 for ever.
    #[serde(deserialize_with = "lenient::i64")]
    duration: i64,
}

/// Which group's silence ends.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UnbanAllRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
}

/// Until when all but owner and admins are silent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BanAllReply {
    /// Unix seconds; -1 for ever.
    ban_expire_time: i64,
}

/// How much of a group the caller wants to hear.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MuteModeRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    /// 0 everything, 1 without notifications, 2 nothing.
    #[serde(deserialize_with = "lenient::u64")]
    #[schema(maximum = 2)]
    msg_mute_mode: u64,
}

/// Which messages of a group are pushed to the caller's phones.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PushModeRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    /// 0 all, 1 none, 2 admins' and mentions, 3 admins', 4 mentions.
    #[serde(deserialize_with = "lenient::u64")]
    #[schema(maximum = 4)]
    msg_push_mode: u64,
}

/// `POST|PUT /group/info/name`: renames a group.
pub(crate) async fn set_name(cx: Cx, Json(req): Json<TextRequest>) -> Reply<Group> {
    if req.value.is_empty() {
        return Err(Error::parameter("value: must not be empty"));
    }
    change(&cx, req.group_id, GroupChange { name: Some(req.value), ..GroupChange::default() }).await
}

/// `POST|PUT /group/info/avatar`: gives a group another picture.
pub(crate) async fn set_avatar(cx: Cx, Json(req): Json<TextRequest>) -> Reply<Group> {
    change(&cx, req.group_id, GroupChange { avatar: Some(req.value), ..GroupChange::default() }).await
}

/// `POST|PUT /group/info/description`: says what a group is about.
pub(crate) async fn set_description(cx: Cx, Json(req): Json<TextRequest>) -> Reply<Group> {
    change(&cx, req.group_id, GroupChange { introduction: Some(req.value), ..GroupChange::default() }).await
}

/// `POST|PUT /group/info/ext`: sets the app's own.
pub(crate) async fn set_ext(cx: Cx, Json(req): Json<TextRequest>) -> Reply<Group> {
    change(&cx, req.group_id, GroupChange { extension: Some(req.value), ..GroupChange::default() }).await
}

/// `POST|PUT /group/settings/allow_member_invitation`
pub(crate) async fn set_member_invite(cx: Cx, Json(req): Json<SwitchRequest>) -> Reply<bool> {
    let to = GroupChange { members_may_invite: Some(req.value), ..GroupChange::default() };
    change(&cx, req.group_id, to).await.map(|_| true)
}

/// `POST|PUT /group/settings/allow_member_modify`
pub(crate) async fn set_member_modify(cx: Cx, Json(req): Json<SwitchRequest>) -> Reply<bool> {
    let to = GroupChange { members_may_edit: Some(req.value), ..GroupChange::default() };
    change(&cx, req.group_id, to).await.map(|_| true)
}

/// `POST|PUT /group/settings/enable_read_ack`
pub(crate) async fn set_read_ack(cx: Cx, Json(req): Json<SwitchRequest>) -> Reply<bool> {
    let to = GroupChange { receipts: Some(req.value), ..GroupChange::default() };
    change(&cx, req.group_id, to).await.map(|_| true)
}

/// `POST|PUT /group/settings/history_visible`
pub(crate) async fn set_history_visible(cx: Cx, Json(req): Json<SwitchRequest>) -> Reply<bool> {
    let to = GroupChange { history_visible: Some(req.value), ..GroupChange::default() };
    change(&cx, req.group_id, to).await.map(|_| true)
}

/// `POST|PUT /group/settings/hide_member_info`
pub(crate) async fn set_hide_members(cx: Cx, Json(req): Json<SwitchRequest>) -> Reply<bool> {
    let to = GroupChange { members_hidden: Some(req.value), ..GroupChange::default() };
    change(&cx, req.group_id, to).await.map(|_| true)
}

/// `POST|PUT /group/settings/require_admin_approval`: says how to join.
pub(crate) async fn set_approval(cx: Cx, Json(req): Json<ApprovalRequest>) -> Reply<bool> {
    let join_policy = match req.apply_approval {
        0 => JoinPolicy::Open,
        1 => JoinPolicy::Approval,
        2 => JoinPolicy::Closed,
        _ => return Err(Error::parameter("apply_approval: must be 0, 1 or 2")),
    };
    let to = GroupChange { join_policy: Some(join_policy), ..GroupChange::default() };
    change(&cx, req.group_id, to).await.map(|_| true)
}

/// `POST /group/settings/ban_all`: lets only owner and admins speak.
pub(crate) async fn ban_all(cx: Cx, Json(req): Json<BanAllRequest>) -> Reply<BanAllReply> {
    let until = muted_until(cx.clock.now(), req.duration)?;
    change(&cx, req.group_id, GroupChange { muted_until: Some(until), ..GroupChange::default() }).await?;
    Ok(BanAllReply { ban_expire_time: seconds(until) })
}

/// `POST /group/settings/unban_all`: lets everybody speak again.
pub(crate) async fn unban_all(cx: Cx, Json(req): Json<UnbanAllRequest>) -> Reply<bool> {
    change(&cx, req.group_id, GroupChange { muted_until: Some(0), ..GroupChange::default() }).await.map(|_| true)
}

/// `POST|PUT /group/msg/mute_mode`: says how much of a group the caller wants to hear.
pub(crate) async fn set_mute_mode(cx: Cx, Json(req): Json<MuteModeRequest>) -> Reply<Group> {
    let mute = i32::try_from(req.msg_mute_mode).ok().and_then(|mode| Mute::try_from(mode).ok());
    let mute = mute.ok_or_else(|| Error::parameter("msg_mute_mode: must be 0, 1 or 2"))?;
    change_own(&cx, req.group_id, ViewChange { mute: Some(mute), ..ViewChange::default() }).await
}

/// `POST|PUT /group/msg/push_mode`: says which messages are pushed to the caller's phones.
pub(crate) async fn set_push_mode(cx: Cx, Json(req): Json<PushModeRequest>) -> Reply<Group> {
    let mode = i32::try_from(req.msg_push_mode).ok().and_then(|mode| PushMode::try_from(mode).ok());
    let mode = mode.ok_or_else(|| Error::parameter("msg_push_mode: must be 0 to 4"))?;
    change_own(&cx, req.group_id, ViewChange { push_mode: Some(mode), ..ViewChange::default() }).await
}

/// `POST|PUT /group/msg/not_disturb`: the older form of [`set_mute_mode`], which its SDKs still have.
pub(crate) async fn set_not_disturb(cx: Cx, Json(req): Json<SwitchRequest>) -> Reply<bool> {
    let mute = if req.value { Mute::Notifications } else { Mute::None };
    change_own(&cx, req.group_id, ViewChange { mute: Some(mute), ..ViewChange::default() }).await.map(|_| true)
}

/// Until when somebody is silent for so many minutes from now.
pub(super) fn muted_until(now: Millis, minutes: i64) -> Result<i64, Error> {
    match minutes {
        -1 => Ok(-1),
        1.. => Ok(now.0.saturating_add(minutes.saturating_mul(60_000))),
        _ => Err(Error::parameter("duration: must be a number of minutes, or -1 for ever")),
    }
}

async fn change(cx: &Cx, number: u64, to: GroupChange) -> Reply<Group> {
    let group = group_of(cx, number).await?;
    let group = cx.domain.groups.update(&cx.caller, group, to).await?;
    show(cx, group).await
}

async fn change_own(cx: &Cx, number: u64, to: ViewChange) -> Reply<Group> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(number)).await?;
    let conversation = ConversationId::Group(domain::GroupId(group.id));
    let outcome = cx.domain.conversations.update(&cx.caller, conversation, to).await;
    // Whose conversation it is not is no member.
    outcome.map_err(|error| match error {
        domain::Error::NotFound(_) => domain::Error::Denied(domain::Denial::NotMember),
        other => other,
    })?;
    show(cx, group).await
}
