//! The group object, whole and in lists.

use domain::GroupId;
use domain::record::{Group as Stored, GroupKind, JoinPolicy, Membership};
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use crate::context::Cx;
use crate::names::{number_of_group, numbers_of_users};

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Group {
    /// 0 anyone may join, 1 an admin decides, 2 nobody.
    apply_approval: u8,
    avatar: String,
    /// Unix seconds until which only admins may write; 0 when they are not alone, -1 for ever.
    ban_expire_time: i64,
    capacity: u32,
    /// Members.
    count: u32,
    /// Unix milliseconds.
    created_at: i64,
    description: String,
    ext: String,
    group_id: u64,
    /// Whether plain members cannot list the others.
    hide_member_info: bool,
    history_visible: bool,
    member_invite: bool,
    member_modify: bool,
    /// The caller's own: 0 everything comes, 1 without notifications, 2 nothing comes.
    msg_mute_mode: i32,
    /// The caller's own: 0 everything is pushed, 1 nothing, 2 admins' messages and mentions, 3 admins' messages, 4 mentions.
    msg_push_mode: i32,
    name: String,
    /// 0 where the app itself owns the group.
    owner_id: u64,
    read_ack: bool,
    /// 0: the group exists.
    status: u8,
    /// 0 private, 1 public, 2 chat room.
    #[serde(rename = "type")]
    kind: u8,
    /// Unix milliseconds.
    updated_at: i64,
}

/// A group, as lists tell of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Brief {
    /// 0 anyone may join, 1 an admin decides, 2 nobody.
    apply_approval: u8,
    avatar: String,
    capacity: u32,
    /// Members.
    count: u32,
    group_id: u64,
    /// As in the group itself.
    msg_mute_mode: i32,
    /// As in the group itself.
    msg_push_mode: i32,
    name: String,
    /// 0 where the app itself owns the group.
    owner: u64,
    /// 0: the group exists.
    status: u8,
    /// 0 private, 1 public, 2 chat room.
    #[serde(rename = "type")]
    kind: u8,
}

/// A group, and what showing it takes besides.
pub(super) struct Seen {
    group: Stored,
    owner: u64,
    capacity: u32,
    own: Membership,
}

/// A group as the caller sees it.
pub(super) async fn show(cx: &Cx, group: Stored) -> Reply<Group> {
    let seen = look_at(cx, vec![group]).await?.pop();
    Ok(seen.map(Group::of).expect("one group was looked at"))
}

/// Groups as the caller sees them, in their order.
pub(super) async fn look_at(cx: &Cx, groups: Vec<Stored>) -> Reply<Vec<Seen>> {
    let owners = numbers_of_users(cx, groups.iter().map(|group| group.owner)).await?;
    let ids: Vec<GroupId> = groups.iter().map(|group| GroupId(group.id)).collect();
    let own = cx.domain.groups.own_settings(&cx.caller, &ids).await?;
    let seen = |(group, own): (Stored, Membership)| {
        let (owner, capacity) = (owners.of(group.owner), cx.domain.groups.capacity(&group));
        Seen { group, owner, capacity, own }
    };
    Ok(groups.into_iter().zip(own).map(seen).collect())
}

impl Group {
    fn of(seen: Seen) -> Self {
        let Seen { group, owner, capacity, own } = seen;
        Self {
            apply_approval: approval(&group),
            ban_expire_time: seconds(group.muted_until),
            capacity,
            count: group.members,
            created_at: group.created,
            group_id: number_of_group(&group),
            hide_member_info: group.members_hidden,
            history_visible: group.history_visible,
            kind: kind(&group),
            member_invite: group.members_may_invite,
            member_modify: group.members_may_edit,
            msg_mute_mode: own.mute,
            msg_push_mode: own.push_mode,
            owner_id: owner,
            read_ack: group.receipts,
            status: u8::from(group.dismissed),
            updated_at: group.updated,
            avatar: group.avatar,
            description: group.introduction,
            ext: group.extension,
            name: group.name,
        }
    }
}

impl Brief {
    pub(super) fn of(seen: Seen) -> Self {
        let Seen { group, owner, capacity, own } = seen;
        Self {
            apply_approval: approval(&group),
            capacity,
            count: group.members,
            group_id: number_of_group(&group),
            kind: kind(&group),
            msg_mute_mode: own.mute,
            msg_push_mode: own.push_mode,
            owner,
            status: u8::from(group.dismissed),
            avatar: group.avatar,
            name: group.name,
        }
    }
}

/// A time in seconds, where 0 and -1 mean what they mean in milliseconds.
pub(super) fn seconds(millis: i64) -> i64 {
    if millis > 0 { millis.div_euclid(1000) } else { millis }
}

fn approval(group: &Stored) -> u8 {
    match group.join_policy() {
        JoinPolicy::Open => 0,
        JoinPolicy::Approval => 1,
        JoinPolicy::Closed => 2,
    }
}

fn kind(group: &Stored) -> u8 {
    match group.kind() {
        GroupKind::Private | GroupKind::Super => 0,
        GroupKind::Public => 1,
        GroupKind::Meeting | GroupKind::Room => 2,
    }
}
