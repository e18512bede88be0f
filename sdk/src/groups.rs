//! Groups and their members.

use proto::wire::frame::Body;
use proto::wire::{
    self, AddMembers, BlockMembers, CreateGroup, DismissGroup, GetGroup, GroupRole, JoinGroup, LeaveGroup, ListGroups,
    ListMembers, RemoveMembers, SearchGroups, TransferGroup, UpdateGroup, UpdateMember,
};

use crate::client::Client;
use crate::conversations::ConversationId;
use crate::error::Result;
use crate::page::{self, Page};
use crate::users::User;

/// What a user is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// Not a member.
    #[default]
    None,
    /// A member.
    Member,
    /// May manage members.
    Admin,
    /// May do everything.
    Owner,
}

impl From<GroupRole> for Role {
    fn from(role: GroupRole) -> Self {
        match role {
            GroupRole::None => Self::None,
            GroupRole::Member => Self::Member,
            GroupRole::Admin => Self::Admin,
            GroupRole::Owner => Self::Owner,
        }
    }
}

impl From<Role> for GroupRole {
    fn from(role: Role) -> Self {
        match role {
            Role::None => Self::None,
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Unique within the app, below 2^53.
    pub id: u64,
    /// The app's own id of the group; may be empty.
    pub gid: String,
    /// Name to show.
    pub name: String,
    /// Address of a picture.
    pub avatar: String,
    /// What it is about.
    pub introduction: String,
    /// What its members should know.
    pub announcement: String,
    /// The owner's user id.
    pub owner: u64,
    /// How many members it has.
    pub members: u32,
    /// Unix milliseconds.
    pub created: i64,
    /// The caller's own role.
    pub role: Role,
}

impl Group {
    /// The group's conversation.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        ConversationId::Group(self.id)
    }
}

impl From<wire::Group> for Group {
    fn from(wire: wire::Group) -> Self {
        let role = wire.role().into();
        let wire::Group { id, gid, name, avatar, introduction, announcement, owner, members, created, .. } = wire;
        Self { id, gid, name, avatar, introduction, announcement, owner, members, created, role }
    }
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: User,
    /// What they are in the group.
    pub role: Role,
    /// Their name within the group.
    pub card: String,
    /// Unix milliseconds.
    pub joined: i64,
    /// Unix milliseconds; 0 when not muted.
    pub muted_until: i64,
}

impl From<wire::Member> for Member {
    fn from(wire: wire::Member) -> Self {
        let role = wire.role().into();
        let wire::Member { user, card, joined, muted_until, .. } = wire;
        Self { user: user.map(User::from).unwrap_or_default(), role, card, joined, muted_until }
    }
}

/// A group to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewGroup {
    /// Name to show.
    pub name: String,
    /// Its first members besides the caller, by user id.
    pub members: Vec<u64>,
    /// Address of a picture.
    pub avatar: String,
    /// What it is about.
    pub introduction: String,
    /// The app's own id of the group; empty for none.
    pub gid: String,
}

/// Changes to a group. `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// Name to show.
    pub name: Option<String>,
    /// Address of a picture.
    pub avatar: Option<String>,
    /// What it is about.
    pub introduction: Option<String>,
    /// What its members should know.
    pub announcement: Option<String>,
    /// Until when all but owner and admins are silent, in Unix milliseconds; 0 for not, -1 for ever.
    pub muted_until: Option<i64>,
    /// Whether plain members may add others.
    pub members_may_invite: Option<bool>,
    /// Whether plain members may change name, picture and texts.
    pub members_may_edit: Option<bool>,
    /// Whether new members may read what was said before.
    pub history_visible: Option<bool>,
}

/// Changes to a member. `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// [`Role::Member`] or [`Role::Admin`]; for the owner.
    pub role: Option<Role>,
    /// Name within the group.
    pub card: Option<String>,
    /// Until when the member is silent, in Unix milliseconds; 0 for not, -1 for ever.
    pub muted_until: Option<i64>,
}

impl Client {
    /// Creates a group that the caller owns.
    pub async fn create_group(&self, group: NewGroup) -> Result<Group> {
        let NewGroup { name, members, avatar, introduction, gid } = group;
        let body = Body::CreateGroup(CreateGroup { name, members, avatar, introduction, gid });
        Ok(answer!(self, body, Group).into())
    }

    /// A group by id.
    pub async fn group(&self, id: u64) -> Result<Group> {
        Ok(answer!(self, Body::GetGroup(GetGroup { id, gid: String::new() }), Group).into())
    }

    /// A group by the app's own id.
    pub async fn group_by_gid(&self, gid: &str) -> Result<Group> {
        Ok(answer!(self, Body::GetGroup(GetGroup { id: 0, gid: gid.to_owned() }), Group).into())
    }

    /// The caller's groups. `limit` is 1 to 200, 0 means 100.
    pub async fn groups(&self, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Group>> {
        let page = answer!(self, Body::ListGroups(ListGroups { cursor: page::cursor(cursor), limit }), GroupPage);
        Ok(Page::new(page.groups.into_iter().map(Group::from), page.next))
    }

    /// A group's members. `limit` is 1 to 500, 0 means 100.
    pub async fn members(&self, group: u64, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Member>> {
        let body = Body::ListMembers(ListMembers { id: group, cursor: page::cursor(cursor), limit });
        let page = answer!(self, body, MemberPage);
        Ok(Page::new(page.members.into_iter().map(Member::from), page.next))
    }

    /// Public groups whose names begin so, by name. `limit` is 1 to 200, 0 means 100.
    pub async fn search_groups(&self, beginning: &str, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Group>> {
        let search = SearchGroups { beginning: beginning.to_owned(), cursor: page::cursor(cursor), limit };
        let page = answer!(self, Body::SearchGroups(search), GroupPage);
        Ok(Page::new(page.groups.into_iter().map(Group::from), page.next))
    }

    /// Changes a group's name, picture, texts or rules.
    pub async fn update_group(&self, group: u64, change: GroupChange) -> Result<()> {
        let update = UpdateGroup {
            id: group,
            name: change.name,
            avatar: change.avatar,
            introduction: change.introduction,
            announcement: change.announcement,
            muted_until: change.muted_until,
            members_may_invite: change.members_may_invite,
            members_may_edit: change.members_may_edit,
            history_visible: change.history_visible,
        };
        self.ask_ok(Body::UpdateGroup(update)).await
    }

    /// Changes a member's role, name or silence.
    pub async fn update_member(&self, group: u64, user: u64, change: MemberChange) -> Result<()> {
        let MemberChange { role, card, muted_until } = change;
        let role = role.map(|role| GroupRole::from(role) as i32);
        self.ask_ok(Body::UpdateMember(UpdateMember { group, user, role, card, muted_until })).await
    }

    /// Makes another member the owner of a group that the caller owns.
    pub async fn transfer_group(&self, group: u64, user: u64) -> Result<()> {
        self.ask_ok(Body::TransferGroup(TransferGroup { id: group, user })).await
    }

    /// Puts users on a group's block list, or takes them off, at most 500 at once.
    pub async fn block_members(&self, group: u64, users: &[u64], blocked: bool) -> Result<()> {
        self.ask_ok(Body::BlockMembers(BlockMembers { id: group, users: users.to_vec(), blocked })).await
    }

    /// Ends a group that the caller owns.
    pub async fn dismiss_group(&self, group: u64) -> Result<()> {
        self.ask_ok(Body::DismissGroup(DismissGroup { id: group })).await
    }

    /// Adds users to a group, at most 500 at once.
    pub async fn add_members(&self, group: u64, users: &[u64]) -> Result<()> {
        self.ask_ok(Body::AddMembers(AddMembers { id: group, users: users.to_vec() })).await
    }

    /// Removes users from a group, at most 500 at once.
    pub async fn remove_members(&self, group: u64, users: &[u64]) -> Result<()> {
        self.ask_ok(Body::RemoveMembers(RemoveMembers { id: group, users: users.to_vec() })).await
    }

    /// Joins a group.
    pub async fn join_group(&self, group: u64) -> Result<()> {
        self.ask_ok(Body::JoinGroup(JoinGroup { id: group })).await
    }

    /// Leaves a group.
    pub async fn leave_group(&self, group: u64) -> Result<()> {
        self.ask_ok(Body::LeaveGroup(LeaveGroup { id: group })).await
    }
}
