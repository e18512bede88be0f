//! Groups: who is in them, in which role, and what may be done there.
//!
//! A group's record and its member rows lie in the home of its conversation, together with the log. So every change appends an entry that
//! tells of it, in the same commit: whoever has read the log up to there knows the group as it was then.
//! Each member has a membership row in the user's own home besides, which is written before the member row and removed after it.
//! A crash in between leaves a membership row without a member row: every reader passes over it, and the same call once more completes it.
//!
//! What dialects forbid beyond this (who may invite to which kind of group) is their own; privileged callers may do everything.

mod announcements;
mod applications;
mod blocks;
mod change;
mod create;
mod fields;
mod find;
mod invitations;
mod marks;
mod members;
mod membership;
mod qr;
mod rooms;
mod search;
mod shared_files;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use proto::store::{GroupKind, Role};
use proto::{entry, store};
use storage::{Batch, Clock, Home, Key, Rest, Store, Table};

use crate::caller::Caller;
use crate::config::Config;
use crate::counters::Counters;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, ConversationId, GroupId, UserId};
use crate::log::{Changes, Draft, Log};
use crate::names::Names;
use crate::tables;

#[cfg(test)]
pub(crate) use announcements::AnnouncementKey;
#[cfg(test)]
pub(crate) use applications::ApplicationKey;
pub use applications::Applied;
pub(crate) use blocks::BarredKey;
pub use change::{GroupChange, MemberChange};
pub use create::NewGroup;
pub use fields::{CustomField, read_fields, write_fields};
#[cfg(test)]
pub(crate) use invitations::InvitationKey;
pub use invitations::Invited;
#[cfg(test)]
pub(crate) use marks::{Mark, MemberMarkKey};
pub use members::Counted;
pub use membership::Added;
pub(crate) use membership::role_in;
pub use qr::JoinCode;
#[cfg(test)]
pub(crate) use rooms::RoomCountKey;
#[cfg(test)]
pub(crate) use search::PublicGroupKey;
pub use shared_files::NewSharedFile;
#[cfg(test)]
pub(crate) use shared_files::SharedFileKey;

/// A group's own record.
///
/// home: the group's conversation.  rest: empty.  value: `store.Group`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupKey {
    pub(crate) app: AppNumber,
    pub(crate) group: GroupId,
}

impl Key for GroupKey {
    const TABLE: Table = tables::GROUP;
    type Record = store::Group;
    fn home(&self) -> Home {
        tables::group(self.app, self.group)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// A member of a group.
///
/// home: the group's conversation.  rest: user id as u64.  value: `store.Member`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberKey {
    pub(crate) app: AppNumber,
    pub(crate) group: GroupId,
    pub(crate) user: UserId,
}

impl Key for MemberKey {
    const TABLE: Table = tables::MEMBER;
    type Record = store::Member;
    fn home(&self) -> Home {
        tables::group(self.app, self.group)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.user.0);
    }
}

/// See the module.
#[derive(Debug)]
pub struct Groups {
    store: Store,
    clock: Clock,
    counters: Counters,
    names: Names,
    log: Arc<Log>,
    turns: Turns,
    limits: Limits,
}

/// The settings that concern groups.
#[derive(Debug, Clone)]
struct Limits {
    gid: usize,
    name: usize,
    text: usize,
    capacity: u32,
    super_capacity: u32,
    batch: usize,
    page: usize,
    members_page: usize,
    blocked: usize,
    request_window: Duration,
    request_kept: Duration,
    join_code_lifetime: Duration,
    announcements: usize,
    files: usize,
    room_count_window: Duration,
}

impl Groups {
    pub(crate) fn new(store: Store, clock: Clock, counters: Counters, log: Arc<Log>, config: &Config) -> Self {
        Self {
            names: Names::new(store.clone()),
            store,
            clock,
            counters,
            log,
            turns: Turns::default(),
            limits: Limits {
                gid: config.uid_limit,
                name: config.name_limit,
                text: config.text_limit,
                capacity: config.group_capacity,
                super_capacity: config.super_group_capacity.max(config.group_capacity),
                batch: config.group_batch,
                page: config.page_limit.max(config.group_batch),
                members_page: config.members_page.max(config.group_batch),
                blocked: config.group_blocked,
                request_window: config.join_request_window,
                request_kept: config.join_request_kept,
                join_code_lifetime: config.join_code_lifetime,
                announcements: config.group_announcements,
                files: config.group_files,
                room_count_window: config.room_count_window,
            },
        }
    }

    /// Most members that a group takes.
    #[must_use]
    pub fn capacity(&self, group: &store::Group) -> u32 {
        if group.capacity == 0 { self.most_members(group.kind()) } else { group.capacity }
    }

    /// Most members that a group of this kind may take.
    fn most_members(&self, kind: GroupKind) -> u32 {
        if kind == GroupKind::Super { self.limits.super_capacity } else { self.limits.capacity }
    }

    /// A group's record, unless the group was dismissed.
    async fn record(&self, app: AppNumber, group: GroupId) -> Result<store::Group> {
        let found = self.store.get(&GroupKey { app, group }).await?;
        found.filter(|found| !found.dismissed).ok_or(Error::NotFound(Noun::Group))
    }

    async fn member_row(&self, app: AppNumber, group: GroupId, user: UserId) -> Result<Option<store::Member>> {
        Ok(self.store.get(&MemberKey { app, group, user }).await?)
    }

    /// The caller's own role; `None` for who is not in the group. An owner need not be a member.
    async fn role(&self, caller: &Caller, group: &store::Group) -> Result<Option<Role>> {
        let Ok(user) = caller.user() else { return Ok(None) };
        if group.owner == user.0 {
            return Ok(Some(Role::Owner));
        }
        let member = self.member_row(caller.app(), GroupId(group.id), user).await?;
        Ok(member.map(|member| member.role()))
    }

    /// What the caller counts as in a group.
    ///
    /// # Errors
    /// `Denied(NotMember)`.
    async fn standing(&self, caller: &Caller, group: &store::Group) -> Result<Standing> {
        if caller.is_privileged() {
            return Ok(Standing::App);
        }
        self.role(caller, group).await?.map(Standing::Role).ok_or(Error::Denied(Denial::NotMember))
    }

    /// Commits a change of a group together with the entry that tells of it.
    ///
    /// # Errors
    /// [`Error::is_conflict`] when the group changed meanwhile, and what the log says.
    async fn write(&self, caller: &Caller, change: Change, tip: entry::Tip) -> Result<store::Group> {
        let announced = announcements::told_by(caller.app(), &change, caller.user().unwrap_or_default());
        self.write_with(caller, change, tip, announced).await
    }

    /// [`Self::write`], with further changes of the group's home.
    async fn write_with(
        &self,
        caller: &Caller,
        change: Change,
        tip: entry::Tip,
        further: Option<Changes>,
    ) -> Result<store::Group> {
        let app = caller.app();
        let group = GroupId(change.after.id);
        let is_room = change.after.kind() == GroupKind::Room;
        let earliest = change.before.as_ref().map_or(0, |before| before.updated + 1);
        let told = Arc::new(std::sync::OnceLock::new());
        let written = Arc::clone(&told);
        let more: Changes = Box::new(move |batch, place| {
            let Change { before, mut after, members } = change;
            // Invariant: every change of a group or its members makes `updated` larger. So a record that is unchanged
            // proves that no member row has changed either, and is the one expectation that a change needs.
            after.updated = place.time.0.max(earliest);
            if before.is_none() {
                after.created = place.time.0;
            }
            let key = GroupKey { app, group };
            batch.expect_unchanged(&key, before.as_ref()).put(&key, &after);
            let mut moved = false;
            for member in members {
                moved |= member.apply(app, group, after.history_visible, batch, place.seq.0, place.time.0);
            }
            place.head.members_version += u64::from(moved);
            let _ = written.set(after);
            if let Some(further) = further {
                further(batch, place);
            }
        });
        if is_room {
            self.write_room(caller, group, earliest, tip, more).await?;
        } else {
            let draft = Draft {
                sender: caller.user().unwrap_or_default(),
                client_msg_id: String::new(),
                body: entry::entry::Body::Tip(tip),
                more: Some(more),
            };
            self.log.write(caller.app_shared(), ConversationId::Group(group), draft).await?;
        }
        Ok(told.get().expect("an entry that is durable had its changes built").clone())
    }
}

/// What string dialects call a group.
#[must_use]
pub fn gid_of(group: &store::Group) -> String {
    if group.gid.is_empty() { group.id.to_string() } else { group.gid.clone() }
}

/// What a caller counts as in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The app itself: may do everything.
    App,
    /// A member, or an owner who is none.
    Role(Role),
}

impl Standing {
    /// # Errors
    /// `Denied(NotAdmin)` for plain members.
    fn require_admin(self) -> Result<()> {
        if self == Self::Role(Role::Member) { Err(Error::Denied(Denial::NotAdmin)) } else { Ok(()) }
    }

    /// # Errors
    /// `Denied(NotOwner)` for members and admins.
    fn require_owner(self) -> Result<()> {
        match self {
            Self::App | Self::Role(Role::Owner) => Ok(()),
            Self::Role(Role::Admin | Role::Member) => Err(Error::Denied(Denial::NotOwner)),
        }
    }

    /// Owners stand above admins and members, and admins above members.
    ///
    /// # Errors
    /// `Denied(NotAdmin)` or `Denied(NotOwner)`, by what would have been needed.
    fn require_above(self, other: Role) -> Result<()> {
        self.require_admin()?;
        if other == Role::Member { Ok(()) } else { self.require_owner() }
    }
}

/// What changes in a group's home.
struct Change {
    /// The record that the change was decided on; `None` for a new group.
    before: Option<store::Group>,
    after: store::Group,
    members: Vec<MemberRow>,
}

/// A member row that changes.
enum MemberRow {
    /// A new one; when and from where on is decided with the entry's place.
    Joins(store::Member),
    /// One that is kept otherwise.
    Changes {
        was: Box<store::Member>,
        is: Box<store::Member>,
    },
    Leaves(store::Member),
}

impl MemberRow {
    /// Adds the row to the batch; says whether it changes who is a member.
    fn apply(
        self,
        app: AppNumber,
        group: GroupId,
        history_visible: bool,
        batch: &mut Batch,
        seq: u64,
        time: i64,
    ) -> bool {
        let key = |user| MemberKey { app, group, user: UserId(user) };
        match self {
            Self::Joins(mut member) => {
                // The entry that tells of the joining is the first that a new member may read.
                member.join_seq = if history_visible { 1 } else { seq };
                member.joined = time;
                batch.put(&key(member.user), &member);
                marks::keep(batch, app, group, None, Some(&member));
                true
            }
            Self::Changes { was, is } => {
                batch.put(&key(is.user), &is);
                marks::keep(batch, app, group, Some(&was), Some(&is));
                false
            }
            Self::Leaves(member) => {
                batch.delete(&key(member.user));
                marks::keep(batch, app, group, Some(&member), None);
                true
            }
        }
    }
}

/// Lets changes of one group go one after the other in this process, so that they do not keep losing races against each other.
/// Other processes are met by the commit's expectation.
#[derive(Debug)]
struct Turns {
    locks: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        // Groups share locks; the number only bounds how many change at once.
        Self { locks: (0..256).map(|_| tokio::sync::Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl Turns {
    async fn take(&self, app: AppNumber, group: GroupId) -> tokio::sync::MutexGuard<'_, ()> {
        let slot = self.hasher.hash_one((app, group)) as usize % self.locks.len();
        self.locks[slot].lock().await
    }
}

#[cfg(test)]
mod tests;
