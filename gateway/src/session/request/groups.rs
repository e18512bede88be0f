//! Groups and their members.

use domain::groups::{CustomField, GroupChange, MemberChange, NewGroup};
use domain::record::{GroupKind, JoinPolicy, Role};
use domain::{GroupId, GroupRef, UserId};
use proto::wire;
use wire::frame::Body;

use super::{MOST_MEMBERS, MOST_NAMES, MOST_ROWS, PageOf, at_most, group, group_ref, no_request, page, user, users};
use crate::error::invalid;

/// A request about groups.
#[derive(Debug, Clone)]
pub enum GroupRequest {
    Create(Box<NewGroup>),
    Get(GroupRef),
    Update { group: GroupId, change: Box<GroupChange> },
    Dismiss(GroupId),
    Upgrade(GroupId),
    AddMembers { group: GroupId, users: Vec<UserId> },
    RemoveMembers { group: GroupId, users: Vec<UserId> },
    Join(GroupId),
    Leave(GroupId),
    List(PageOf),
    Search { beginning: String, page: PageOf },
    Members { group: GroupId, which: Members, page: PageOf },
    FindMembers { group: GroupId, users: Vec<UserId> },
    UpdateMember { group: GroupId, user: UserId, change: Box<MemberChange> },
    Transfer { group: GroupId, user: UserId },
    Block { group: GroupId, users: Vec<UserId>, blocked: bool },
    Blocked { group: GroupId, page: PageOf },
    CountRoom(GroupId),
}

/// Which members to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    All,
    Admins,
    Muted,
}

impl GroupRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create_group",
            Self::Get(_) => "get_group",
            Self::Update { .. } => "update_group",
            Self::Dismiss(_) => "dismiss_group",
            Self::Upgrade(_) => "upgrade_group",
            Self::AddMembers { .. } => "add_members",
            Self::RemoveMembers { .. } => "remove_members",
            Self::Join(_) => "join_group",
            Self::Leave(_) => "leave_group",
            Self::List(_) => "list_groups",
            Self::Search { .. } => "search_groups",
            Self::Members { .. } => "list_members",
            Self::FindMembers { .. } => "find_members",
            Self::UpdateMember { .. } => "update_member",
            Self::Transfer { .. } => "transfer_group",
            Self::Block { .. } => "block_members",
            Self::Blocked { .. } => "list_blocked",
            Self::CountRoom(_) => "count_room",
        }
    }

    pub(super) fn asks_for_a_page(&self) -> bool {
        matches!(
            self,
            Self::List(_)
                | Self::Search { .. }
                | Self::Members { .. }
                | Self::FindMembers { .. }
                | Self::Blocked { .. }
        )
    }

    pub(super) fn parse(body: Body) -> Result<Self, wire::Error> {
        Ok(match body {
            Body::CreateGroup(create) => Self::Create(Box::new(new_group(create)?)),
            Body::GetGroup(get) => Self::Get(group_ref(get.id, get.gid)?),
            Body::UpdateGroup(update) => {
                Self::Update { group: group(update.id)?, change: Box::new(group_change(update)?) }
            }
            Body::DismissGroup(dismiss) => Self::Dismiss(group(dismiss.id)?),
            Body::UpgradeGroup(upgrade) => Self::Upgrade(group(upgrade.id)?),
            Body::AddMembers(add) => {
                Self::AddMembers { group: group(add.id)?, users: users(&add.users, MOST_MEMBERS)? }
            }
            Body::RemoveMembers(remove) => {
                Self::RemoveMembers { group: group(remove.id)?, users: users(&remove.users, MOST_MEMBERS)? }
            }
            Body::JoinGroup(join) => Self::Join(group(join.id)?),
            Body::LeaveGroup(leave) => Self::Leave(group(leave.id)?),
            Body::ListGroups(list) => Self::List(page(list.cursor, list.limit, MOST_ROWS)),
            Body::SearchGroups(search) => {
                let page = page(search.cursor, search.limit, MOST_ROWS);
                Self::Search { beginning: search.beginning, page }
            }
            Body::ListMembers(list) => Self::Members {
                group: group(list.id)?,
                which: members(list.which)?,
                page: page(list.cursor, list.limit, MOST_MEMBERS),
            },
            Body::FindMembers(find) => {
                Self::FindMembers { group: group(find.id)?, users: users(&find.users, MOST_MEMBERS)? }
            }
            Body::UpdateMember(update) => Self::UpdateMember {
                group: group(update.group)?,
                user: user(update.user)?,
                change: Box::new(MemberChange {
                    role: update.role.map(role).transpose()?,
                    card: update.card,
                    muted_until: update.muted_until,
                    custom_fields: custom_fields(update.custom_fields)?,
                }),
            },
            Body::TransferGroup(to) => Self::Transfer { group: group(to.id)?, user: user(to.user)? },
            Body::BlockMembers(block) => {
                let (group, users) = (group(block.id)?, users(&block.users, MOST_MEMBERS)?);
                Self::Block { group, users, blocked: block.blocked }
            }
            Body::ListBlocked(list) => {
                Self::Blocked { group: group(list.id)?, page: page(list.cursor, list.limit, MOST_MEMBERS) }
            }
            Body::CountRoom(count) => Self::CountRoom(group(count.id)?),
            _ => return Err(no_request()),
        })
    }
}

fn new_group(create: wire::CreateGroup) -> Result<NewGroup, wire::Error> {
    let members = users(&create.members, MOST_MEMBERS)?;
    Ok(NewGroup {
        gid: Some(create.gid).filter(|gid| !gid.is_empty()),
        name: create.name,
        avatar: create.avatar,
        introduction: create.introduction,
        announcement: create.announcement,
        extension: create.extension,
        kind: kind(create.kind)?,
        join_policy: join_policy(create.join_policy)?,
        owner_is_member: true,
        members: members.into_iter().map(|user| (user, Role::Member)).collect(),
        history_visible: create.history_visible,
        members_may_invite: create.members_may_invite,
        members_may_edit: create.members_may_edit,
        ..NewGroup::default()
    })
}

fn group_change(update: wire::UpdateGroup) -> Result<GroupChange, wire::Error> {
    Ok(GroupChange {
        name: update.name,
        avatar: update.avatar,
        introduction: update.introduction,
        announcement: update.announcement,
        extension: update.extension,
        custom_fields: custom_fields(update.custom_fields)?,
        join_policy: update.join_policy.map(join_policy).transpose()?,
        muted_until: update.muted_until,
        history_visible: update.history_visible,
        members_may_invite: update.members_may_invite,
        members_may_edit: update.members_may_edit,
        members_hidden: update.members_hidden,
        receipts: update.receipts,
    })
}

fn custom_fields(fields: Vec<wire::CustomField>) -> Result<Vec<CustomField>, wire::Error> {
    let fields = at_most("custom_fields", fields, MOST_NAMES)?;
    Ok(fields.into_iter().map(|wire::CustomField { key, value }| CustomField { key, value }).collect())
}

/// A kind that a phone can make. The record and the contract have the same numbers.
fn kind(number: i32) -> Result<GroupKind, wire::Error> {
    match GroupKind::try_from(number) {
        Ok(GroupKind::Super) | Err(_) => Err(invalid("kind", "is no such choice")),
        Ok(kind) => Ok(kind),
    }
}

/// The record and the contract have the same numbers.
fn join_policy(number: i32) -> Result<JoinPolicy, wire::Error> {
    JoinPolicy::try_from(number).map_err(|_| invalid("join_policy", "is no such choice"))
}

/// A role that can be given; ownership is handed over in another way.
fn role(number: i32) -> Result<Role, wire::Error> {
    match wire::GroupRole::try_from(number) {
        Ok(wire::GroupRole::Member) => Ok(Role::Member),
        Ok(wire::GroupRole::Admin) => Ok(Role::Admin),
        Ok(wire::GroupRole::None | wire::GroupRole::Owner) | Err(_) => Err(invalid("role", "must be MEMBER or ADMIN")),
    }
}

fn members(number: i32) -> Result<Members, wire::Error> {
    match wire::list_members::Which::try_from(number) {
        Ok(wire::list_members::Which::All) => Ok(Members::All),
        Ok(wire::list_members::Which::Admins) => Ok(Members::Admins),
        Ok(wire::list_members::Which::Muted) => Ok(Members::Muted),
        Err(_) => Err(invalid("which", "is no such choice")),
    }
}
