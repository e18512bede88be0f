//! Groups and their members.

use proto::wire::frame::Body;
use proto::wire::{
    self, AddMembers, BlockMembers, CountRoom, CreateGroup, DismissGroup, FindMembers, GetGroup, GroupRole, JoinGroup,
    LeaveGroup, ListBlocked, ListGroups, ListMembers, RemoveMembers, SearchGroups, TransferGroup, UpdateGroup,
    UpdateMember, UpgradeGroup, list_members::Which,
};

/// Who can find a group and how it works, who may join it, and its and its members' further fields.
pub use proto::wire::{CustomField, GroupKind, JoinPolicy};

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
    /// Who can find it, and how it works.
    pub kind: GroupKind,
    /// Who may join by asking.
    pub join_policy: JoinPolicy,
    /// Until when all but owner and admins are silent, in Unix milliseconds; 0 for not, -1 for ever.
    pub muted_until: i64,
    /// Whether new members may read what was said before.
    pub history_visible: bool,
    /// Whether plain members may add others.
    pub members_may_invite: bool,
    /// Whether plain members may change name, picture and texts.
    pub members_may_edit: bool,
    /// Whether plain members cannot list the others.
    pub members_hidden: bool,
    /// Whether members see who has read what they said.
    pub receipts: bool,
    /// The app's own.
    pub extension: String,
    /// Further fields of the app's.
    pub custom_fields: Vec<CustomField>,
    /// Most members.
    pub capacity: u32,
    /// How many users are on the block list.
    pub blocked: u32,
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
        Self {
            role: wire.role().into(),
            kind: wire.kind(),
            join_policy: wire.join_policy(),
            id: wire.id,
            gid: wire.gid,
            name: wire.name,
            avatar: wire.avatar,
            introduction: wire.introduction,
            announcement: wire.announcement,
            owner: wire.owner,
            members: wire.members,
            created: wire.created,
            muted_until: wire.muted_until,
            history_visible: wire.history_visible,
            members_may_invite: wire.members_may_invite,
            members_may_edit: wire.members_may_edit,
            members_hidden: wire.members_hidden,
            receipts: wire.receipts,
            extension: wire.extension,
            custom_fields: wire.custom_fields,
            capacity: wire.capacity,
            blocked: wire.blocked,
        }
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
    /// Unix milliseconds; 0 when not muted, -1 for ever.
    pub muted_until: i64,
    /// Further fields of the app's.
    pub custom_fields: Vec<CustomField>,
}

impl From<wire::Member> for Member {
    fn from(wire: wire::Member) -> Self {
        let role = wire.role().into();
        let wire::Member { user, card, joined, muted_until, custom_fields, .. } = wire;
        Self { user: user.map(User::from).unwrap_or_default(), role, card, joined, muted_until, custom_fields }
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
    /// Who can find it, and how it works. Not [`GroupKind::Super`]: see [`Client::upgrade_group`].
    pub kind: GroupKind,
    /// Who may join by asking.
    pub join_policy: JoinPolicy,
    /// What its members should know.
    pub announcement: String,
    /// The app's own.
    pub extension: String,
    /// Whether new members may read what was said before.
    pub history_visible: bool,
    /// Whether plain members may add others. `None`: in private groups they may.
    pub members_may_invite: Option<bool>,
    /// Whether plain members may change name, picture and texts.
    pub members_may_edit: bool,
}

/// A user on a group's block list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// Who.
    pub user: User,
    /// Who put them there; 0 for the app itself.
    pub by: u64,
    /// Unix milliseconds.
    pub created: i64,
}

impl From<wire::Blocked> for Blocked {
    fn from(wire: wire::Blocked) -> Self {
        let wire::Blocked { user, by, created } = wire;
        Self { user: user.map(User::from).unwrap_or_default(), by, created }
    }
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
    /// Who may join by asking.
    pub join_policy: Option<JoinPolicy>,
    /// Whether plain members cannot list the others.
    pub members_hidden: Option<bool>,
    /// Whether members see who has read what they said.
    pub receipts: Option<bool>,
    /// The app's own.
    pub extension: Option<String>,
    /// Further fields to set; the others stay.
    pub custom_fields: Vec<CustomField>,
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
    /// Further fields to set; the others stay.
    pub custom_fields: Vec<CustomField>,
}

impl Client {
    /// Creates a group that the caller owns.
    pub async fn create_group(&self, group: NewGroup) -> Result<Group> {
        let create = CreateGroup {
            name: group.name,
            members: group.members,
            avatar: group.avatar,
            introduction: group.introduction,
            gid: group.gid,
            kind: group.kind.into(),
            join_policy: group.join_policy.into(),
            announcement: group.announcement,
            extension: group.extension,
            history_visible: group.history_visible,
            members_may_invite: group.members_may_invite,
            members_may_edit: group.members_may_edit,
        };
        Ok(answer!(self, Body::CreateGroup(create), Group).into())
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
        self.list_members(group, Which::All, cursor, limit).await
    }

    /// A group's admins, without its owner.
    pub async fn admins(&self, group: u64) -> Result<Vec<Member>> {
        Ok(self.list_members(group, Which::Admins, None, 0).await?.items)
    }

    /// Members who are silent by themselves: for owner and admins. `limit` is 1 to 500, 0 means 100.
    pub async fn muted_members(&self, group: u64, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Member>> {
        self.list_members(group, Which::Muted, cursor, limit).await
    }

    /// Those of these users who are members, at most 500. Also where the group hides its members.
    pub async fn find_members(&self, group: u64, users: &[u64]) -> Result<Vec<Member>> {
        let page = answer!(self, Body::FindMembers(FindMembers { id: group, users: users.to_vec() }), MemberPage);
        Ok(page.members.into_iter().map(Member::from).collect())
    }

    async fn list_members(&self, group: u64, which: Which, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Member>> {
        let list = ListMembers { id: group, cursor: page::cursor(cursor), limit, which: which.into() };
        let page = answer!(self, Body::ListMembers(list), MemberPage);
        Ok(Page::new(page.members.into_iter().map(Member::from), page.next))
    }

    /// The users on a group's block list, by user id: for owner and admins. `limit` is 1 to 500, 0 means 100.
    pub async fn blocked_members(&self, group: u64, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Blocked>> {
        let list = ListBlocked { id: group, cursor: page::cursor(cursor), limit };
        let page = answer!(self, Body::ListBlocked(list), BlockedPage);
        Ok(Page::new(page.blocked.into_iter().map(Blocked::from), page.next))
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
            join_policy: change.join_policy.map(i32::from),
            members_hidden: change.members_hidden,
            receipts: change.receipts,
            extension: change.extension,
            custom_fields: change.custom_fields,
        };
        self.ask_ok(Body::UpdateGroup(update)).await
    }

    /// Makes a super group of a group that the caller owns: it takes more members, and is found by its members only.
    pub async fn upgrade_group(&self, group: u64) -> Result<Group> {
        Ok(answer!(self, Body::UpgradeGroup(UpgradeGroup { id: group }), Group).into())
    }

    /// How many sessions are in a chat room, as far as heard within the last minute.
    pub async fn count_room(&self, room: u64) -> Result<u32> {
        Ok(answer!(self, Body::CountRoom(CountRoom { id: room }), RoomCount).sessions)
    }

    /// Changes a member's role, name, silence or further fields.
    pub async fn update_member(&self, group: u64, user: u64, change: MemberChange) -> Result<()> {
        let MemberChange { role, card, muted_until, custom_fields } = change;
        let role = role.map(|role| GroupRole::from(role) as i32);
        let update = UpdateMember { group, user, role, card, muted_until, custom_fields };
        self.ask_ok(Body::UpdateMember(update)).await
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
