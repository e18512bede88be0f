//! What a group is: its profile, its owner, its end.

use domain::groups::GroupChange;
use domain::record::{Group as Stored, GroupKind, JoinPolicy};
use domain::{GroupId, GroupRef, UserId, UserRef};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::group::{CustomField, Group, show};
use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// How many groups of a list are looked at at a time.
const AT_ONCE: usize = 16;

/// Which group.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OfGroup {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    pub(super) group_id: String,
}

/// Which group, and which of its fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    /// Keys of the custom fields that are wanted; all where it is left out or empty.
    #[serde(default)]
    group_custom_field_filter: Vec<String>,
}

/// What of a group changes; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdateRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    /// 1 to 30 bytes.
    name: Option<String>,
    /// At most 100 bytes.
    avatar: Option<String>,
    /// At most 240 bytes.
    introduction: Option<String>,
    /// At most 300 bytes.
    notification: Option<String>,
    /// For `Public` groups: `FreeAccess`, `NeedPermission` or `DisableApply`.
    join_option: Option<String>,
    /// Whether only the owner and admins may speak. Not for `Private` groups.
    mute_all_members: Option<bool>,
    /// Fields to set; others stay.
    #[serde(default)]
    group_custom_field: Vec<CustomField>,
}

/// Who is to own a group.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OwnerRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(rename = "newOwnerID", deserialize_with = "lenient::string")]
    new_owner_id: String,
}

/// The groups that the caller is in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Groups {
    group_list: Vec<Group>,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Wrapped {
    pub(super) group: Group,
}

/// A group that is no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gone {
    #[serde(rename = "groupID")]
    group_id: String,
}

/// `POST /group/getGroupList`: the groups that the caller is in.
pub(crate) async fn list(cx: Cx, (): ()) -> Reply<Groups> {
    let groups = cx.domain.groups.list_all(&cx.caller).await?;
    let shown = stream::iter(groups).map(|group| show(&cx, group)).buffered(AT_ONCE);
    Ok(Groups { group_list: shown.try_collect().await? })
}

/// `POST /group/getGroupProfile`: one group.
pub(crate) async fn get(cx: Cx, Json(req): Json<ProfileRequest>) -> Reply<Wrapped> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    let mut group = show(&cx, group).await?;
    group.keep_fields(&req.group_custom_field_filter);
    Ok(Wrapped { group })
}

/// `POST /group/updateGroupProfile`: changes a group.
pub(crate) async fn update(cx: Cx, Json(req): Json<UpdateRequest>) -> Reply<Wrapped> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id.clone())).await?;
    let change = change_of(&group, req)?;
    let group = cx.domain.groups.update(&cx.caller, GroupId(group.id), change).await?;
    Ok(Wrapped { group: show(&cx, group).await? })
}

/// `POST /group/changeGroupOwner`: hands a group over.
pub(crate) async fn change_owner(cx: Cx, Json(req): Json<OwnerRequest>) -> Reply<Wrapped> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    if group.kind() == GroupKind::Room {
        return Err(Error::permission("an AVChatRoom keeps its owner"));
    }
    let heir = cx.domain.users.find(&cx.caller, &UserRef::Uid(req.new_owner_id)).await?;
    let group = cx.domain.groups.transfer(&cx.caller, GroupId(group.id), UserId(heir.id)).await?;
    Ok(Wrapped { group: show(&cx, group).await? })
}

/// `POST /group/dismissGroup`: ends a group.
pub(crate) async fn dismiss(cx: Cx, Json(req): Json<OfGroup>) -> Reply<Gone> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id.clone())).await?;
    if group.kind() == GroupKind::Private {
        return Err(Error::permission("a Private group is not dismissed; its members quit"));
    }
    cx.domain.groups.dismiss(&cx.caller, GroupId(group.id)).await?;
    Ok(Gone { group_id: req.group_id })
}

fn change_of(group: &Stored, req: UpdateRequest) -> Result<GroupChange, Error> {
    check_bytes("name", req.name.as_deref(), 1, 30)?;
    check_bytes("avatar", req.avatar.as_deref(), 0, 100)?;
    check_bytes("introduction", req.introduction.as_deref(), 0, 240)?;
    check_bytes("notification", req.notification.as_deref(), 0, 300)?;
    let join_policy = req.join_option.as_deref().map(join_policy).transpose()?;
    if join_policy.is_some() && group.kind() != GroupKind::Public {
        return Err(Error::permission("only Public groups have a joinOption of their own"));
    }
    if req.mute_all_members.is_some() && group.kind() == GroupKind::Private {
        return Err(Error::permission("nobody is silent in a Private group"));
    }
    Ok(GroupChange {
        name: req.name,
        avatar: req.avatar,
        introduction: req.introduction,
        announcement: req.notification,
        join_policy,
        muted_until: req.mute_all_members.map(|muted| if muted { -1 } else { 0 }),
        custom_fields: req.group_custom_field.into_iter().map(Into::into).collect(),
        ..GroupChange::default()
    })
}

/// A `joinOption`.
pub(super) fn join_policy(option: &str) -> Result<JoinPolicy, Error> {
    match option {
        "" | "FreeAccess" => Ok(JoinPolicy::Open),
        "NeedPermission" => Ok(JoinPolicy::Approval),
        "DisableApply" => Ok(JoinPolicy::Closed),
        _ => Err(Error::parameter("joinOption: must be FreeAccess, NeedPermission or DisableApply")),
    }
}

/// The system's own limits, which are bytes.
pub(super) fn check_bytes(field: &str, text: Option<&str>, least: usize, most: usize) -> Result<(), Error> {
    match text {
        Some(text) if !(least..=most).contains(&text.len()) => {
            Err(Error::parameter(format!("{field}: must be {least} to {most} bytes")))
        }
        _ => Ok(()),
    }
}
