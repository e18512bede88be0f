//! The group object.

use domain::conversations::Conversation;
use domain::groups::gid_of;
use domain::record::{Group as Stored, GroupKind, JoinPolicy, Member, Mute, Role};
use domain::users::uid_of;
use domain::{ConversationId, GroupId, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reply;
use super::conversation::{self, Target, With};
use super::view::{self, LastMessage};
use crate::context::Cx;

/// A field of the app's own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CustomField {
    pub key: String,
    pub value: String,
}

impl CustomField {
    /// As they are kept.
    pub(super) fn read(kept: &str) -> Vec<Self> {
        let fields = domain::groups::read_fields(kept).into_iter();
        fields.map(|field| Self { key: field.key, value: field.value }).collect()
    }

    /// Leaves out those that are not wanted; without a wish, all are.
    pub(super) fn keep(fields: &mut Vec<Self>, keys: &[String]) {
        fields.retain(|field| keys.is_empty() || keys.contains(&field.key));
    }
}

impl From<CustomField> for domain::groups::CustomField {
    fn from(field: CustomField) -> Self {
        Self { key: field.key, value: field.value }
    }
}

/// A group, as the caller sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    #[serde(rename = "groupID")]
    group_id: String,
    name: String,
    avatar: String,
    /// `Private`, `Public`, `ChatRoom`, `AVChatRoom` or `Community`.
    #[serde(rename = "type")]
    kind: &'static str,
    introduction: String,
    notification: String,
    /// Empty where the app itself owns the group.
    #[serde(rename = "ownerID")]
    owner_id: String,
    /// Unix seconds.
    create_time: i64,
    /// Larger after every change of the group.
    info_sequence: i64,
    /// Unix seconds.
    last_info_time: i64,
    /// Absent for who is not a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    self_info: Option<SelfInfo>,
    /// Absent for who is not a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message: Option<LastMessage>,
    /// Absent for who is not a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_message_seq: Option<u64>,
    member_count: u32,
    max_member_count: u32,
    mute_all_members: bool,
    /// `FreeAccess`, `NeedPermission` or `DisableApply`.
    join_option: &'static str,
    /// `FreeAccess` where plain members may add others, else `DisableInvite`.
    invite_option: &'static str,
    group_custom_field: Vec<CustomField>,
}

/// The caller's own place in a group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SelfInfo {
    /// `Owner`, `Admin` or `Member`.
    role: &'static str,
    /// `AcceptAndNotify`, `AcceptNotNotify` or `Discard`.
    message_remind_type: &'static str,
    /// Unix seconds.
    join_time: i64,
    name_card: String,
}

/// A group as this dialect shows it.
pub(super) async fn show(cx: &Cx, group: Stored) -> Reply<Group> {
    let owner_id = owner_of(cx, &group).await?;
    let (mut self_info, mut last_message, mut next_message_seq) = (None, None, None);
    if let Some((member, seen)) = own_place(cx, GroupId(group.id)).await? {
        self_info = Some(SelfInfo::of(&member, seen.membership.mute()));
        next_message_seq = Some(seen.head.last_seq + 1);
        let target = Target { id: seen.id, with: With::Group(Box::new(group.clone())) };
        let newest = view::last(cx, &target, seen.last).await?;
        last_message = newest.map(|(entry, message)| LastMessage::of(&message, &entry));
    }
    let now = cx.clock.now().0;
    Ok(Group {
        group_id: gid_of(&group),
        max_member_count: cx.domain.groups.capacity(&group),
        owner_id,
        self_info,
        last_message,
        next_message_seq,
        kind: match group.kind() {
            GroupKind::Private => "Private",
            GroupKind::Public => "Public",
            GroupKind::Meeting => "ChatRoom",
            GroupKind::Room => "AVChatRoom",
            GroupKind::Super => "Community",
        },
        join_option: join_option(group.join_policy()),
        invite_option: if group.members_may_invite { "FreeAccess" } else { "DisableInvite" },
        name: group.name,
        avatar: group.avatar,
        introduction: group.introduction,
        notification: group.announcement,
        create_time: group.created.div_euclid(1000),
        info_sequence: group.updated,
        last_info_time: group.updated.div_euclid(1000),
        member_count: group.members,
        mute_all_members: group.muted_until == -1 || group.muted_until > now,
        group_custom_field: CustomField::read(&group.custom_fields),
    })
}

/// What everybody may know of a group, whoever asks.
pub(super) async fn show_public(cx: &Cx, group: Stored) -> Reply<Group> {
    let shown = show(cx, group).await?;
    Ok(Group { self_info: None, last_message: None, next_message_seq: None, ..shown })
}

/// How one joins, in the SDK's words.
pub(super) fn join_option(policy: JoinPolicy) -> &'static str {
    match policy {
        JoinPolicy::Open => "FreeAccess",
        JoinPolicy::Approval => "NeedPermission",
        JoinPolicy::Closed => "DisableApply",
    }
}

async fn owner_of(cx: &Cx, group: &Stored) -> Reply<String> {
    if group.owner == 0 {
        return Ok(String::new());
    }
    let found = cx.domain.users.find_many(&cx.caller, &[UserRef::Id(UserId(group.owner))]).await?.pop().flatten();
    Ok(found.map_or_else(|| group.owner.to_string(), |user| uid_of(&user)))
}

/// The caller's own row in a group and view of it; `None` for who is not a member.
async fn own_place(cx: &Cx, group: GroupId) -> Reply<Option<(Member, Conversation)>> {
    let Some(member) = cx.domain.groups.member(&cx.caller, group, cx.caller.user()?).await? else { return Ok(None) };
    match cx.domain.conversations.get(&cx.caller, ConversationId::Group(group)).await {
        Ok(seen) => Ok(Some((member, seen))),
        Err(domain::Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Group {
    /// Leaves out the custom fields that are not wanted.
    pub(super) fn keep_fields(&mut self, keys: &[String]) {
        CustomField::keep(&mut self.group_custom_field, keys);
    }
}

impl SelfInfo {
    fn of(member: &Member, mute: Mute) -> Self {
        Self {
            role: match member.role() {
                Role::Owner => "Owner",
                Role::Admin => "Admin",
                Role::Member => "Member",
            },
            message_remind_type: conversation::remind_type(mute),
            join_time: member.joined.div_euclid(1000),
            name_card: member.card.clone(),
        }
    }
}
