//! Groups: who is in them, in which role, and what may be done there.

use proto::store;

use crate::caller::Caller;
use crate::conversations::Page;
use crate::error::Result;
use crate::ids::{GroupId, GroupRef, UserId};

/// A new group. A user who creates one becomes its owner; the app names one, or none.
#[derive(Debug, Clone, Default)]
pub struct NewGroup {
    /// The app's own id; unique in the app.
    pub gid: Option<String>,
    pub name: String,
    pub avatar: String,
    pub introduction: String,
    pub announcement: String,
    pub extension: String,
    pub custom_fields: String,
    pub kind: store::GroupKind,
    pub join_policy: store::JoinPolicy,
    /// For a privileged caller: who owns it. `None` with a user as caller means the caller; with a server, nobody.
    pub owner: Option<UserId>,
    /// Whether the owner is a member too (gobelieve: no, unless listed).
    pub owner_is_member: bool,
    /// Further members and their roles.
    pub members: Vec<(UserId, store::Role)>,
    /// Names shown in the group, by user.
    pub cards: Vec<(UserId, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct GroupChange {
    pub name: Option<String>,
    pub avatar: Option<String>,
    pub introduction: Option<String>,
    pub announcement: Option<String>,
    pub extension: Option<String>,
    pub custom_fields: Option<String>,
    pub join_policy: Option<store::JoinPolicy>,
    pub muted_until: Option<i64>,
}

/// What became of one user of a batch.
#[derive(Debug, Clone)]
pub enum Added { Yes, Already, Failed(crate::error::Error) }

/// See the module.
#[derive(Debug)]
pub struct Groups {}

impl Groups {
    pub async fn create(&self, caller: &Caller, new: NewGroup) -> Result<store::Group> { todo!() }
    /// A group that the caller may see (member, or privileged; public groups for anyone). # Errors: `NotFound(Group)`.
    pub async fn find(&self, caller: &Caller, group: &GroupRef) -> Result<store::Group> { todo!() }
    pub async fn update(&self, caller: &Caller, group: GroupId, change: GroupChange) -> Result<store::Group> { todo!() }
    pub async fn dismiss(&self, caller: &Caller, group: GroupId) -> Result<()> { todo!() }
    /// Adds members without asking them, as far as the caller may. At most 500 a call. One result per user, in order.
    pub async fn add_members(&self, caller: &Caller, group: GroupId, users: &[(UserId, String)]) -> Result<Vec<(UserId, Added)>> { todo!() }
    pub async fn remove_members(&self, caller: &Caller, group: GroupId, users: &[UserId]) -> Result<()> { todo!() }
    pub async fn join(&self, caller: &Caller, group: GroupId) -> Result<()> { todo!() }
    pub async fn leave(&self, caller: &Caller, group: GroupId) -> Result<()> { todo!() }
    /// Members by user id.
    pub async fn members(&self, caller: &Caller, group: GroupId, cursor: Option<&[u8]>, limit: usize) -> Result<Page<store::Member>> { todo!() }
    /// One's own or another's membership; `None` if not a member.
    pub async fn member(&self, caller: &Caller, group: GroupId, user: UserId) -> Result<Option<store::Member>> { todo!() }
    /// Groups that the caller is in.
    pub async fn list(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<store::Group>> { todo!() }
}

/// What string dialects call a group.
#[must_use]
pub fn gid_of(group: &store::Group) -> String {
    if group.gid.is_empty() { group.id.to_string() } else { group.gid.clone() }
}
