//! Groups and their members.

use proto::wire::frame::Body;
use proto::wire::{
    self, AddMembers, CreateGroup, DismissGroup, GetGroup, GroupRole, JoinGroup, LeaveGroup, ListGroups, ListMembers,
    RemoveMembers, UpdateGroup,
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

    /// Changes a group's name, picture or texts.
    pub async fn update_group(&self, group: u64, change: GroupChange) -> Result<()> {
        let GroupChange { name, avatar, introduction, announcement } = change;
        self.ask_ok(Body::UpdateGroup(UpdateGroup { id: group, name, avatar, introduction, announcement })).await
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
