//! The roster: who is whose friend, who is blocked, and who may write to whom.
//!
//! Each of two users keeps a row about the other, so most changes take two commits. The row of the user who asks is always changed last:
//! a crash in between leaves the caller's own view as it was, and the same call once more completes it. Notices come after both rows;
//! a crash before them loses a notice and no fact.
//!
//! `ask` is about becoming friends, `end` about ceasing to be, `block` about who may not write, `arrange` about a user's own order among
//! contacts, `import` about friends that the app brings along. `change` is how all of them change rows.

mod arrange;
mod ask;
mod block;
mod change;
mod end;
mod import;

use std::sync::Arc;

use proto::store;
use proto::store::{Contact, Relation};
use storage::{Clock, Home, Key, Rest, Scan, Store, Table};

use crate::access::Access;
use crate::caller::Caller;
use crate::config::Config;
use crate::conversations::{MembershipKey, Page};
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, ConversationId, UserId, UserRef};
use crate::log::Log;
use crate::page;
use crate::tables;
use crate::users::Users;

pub use arrange::ContactChange;
#[cfg(test)]
pub(crate) use arrange::FriendGroupKey;
pub use ask::Ask;
#[cfg(test)]
pub(crate) use ask::AttemptKey;
pub(crate) use ask::RequestKey;
pub use block::Friendship;
pub use import::Imported;

/// Rows that are read at a time where most may be passed over.
const ROWS_PER_READ: usize = 1_000;

/// How a user stands to another.
///
/// home: the user.  rest: the other's id as u64.  value: `store.Contact`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContactKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) contact: UserId,
}

impl Key for ContactKey {
    const TABLE: Table = tables::CONTACT;
    type Record = Contact;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.contact.0);
    }
}

/// Which contacts to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Friends, requests either way, and whoever is blocked.
    All,
    /// Friends, blocked ones among them.
    Friends,
    /// Whoever is blocked.
    Blocked,
}

/// A user, as another one knows it.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// The user, without what is private. The settings tell how to ask for friendship, and nothing else.
    pub user: store::User,
    /// How the caller stands to the user.
    pub contact: Contact,
    /// How much the caller wants to hear from the user.
    pub mute: store::Mute,
}

/// See the module.
#[derive(Debug)]
pub struct Roster {
    store: Store,
    clock: Clock,
    log: Arc<Log>,
    access: Access,
    users: Users,
    config: Arc<Config>,
}

impl Roster {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        log: Arc<Log>,
        access: Access,
        users: Users,
        config: Arc<Config>,
    ) -> Self {
        Self { store, clock, log, access, users, config }
    }

    /// The caller's contacts by user id.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is none.
    pub async fn list(
        &self,
        caller: &Caller,
        which: Which,
        cursor: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<Contact>> {
        let limit = limit.clamp(1, self.config.roster_page);
        let from = page::after(cursor)?;
        let found = self.contacts(caller.app(), caller.user()?, which, from, limit + 1).await?;
        Ok(page::cut(found, limit, |contact| contact.user))
    }

    /// How the caller stands to a user; `None` for strangers.
    ///
    /// # Errors
    /// What the store says.
    pub async fn get(&self, caller: &Caller, user: UserId) -> Result<Option<Contact>> {
        let row = self.store.get(&ContactKey { app: caller.app(), user: caller.user()?, contact: user }).await?;
        Ok(row.map(|row| self.current(row)))
    }

    /// What the caller may know of these users, in their order; `None` for those who do not exist.
    ///
    /// # Errors
    /// `Invalid` for too many of them; `Denied(Credential)` unless the caller is a user.
    pub async fn people(&self, caller: &Caller, users: &[UserRef]) -> Result<Vec<Option<Person>>> {
        self.check_batch(users.len())?;
        let (app, me) = (caller.app(), caller.user()?);
        let found = self.users.resolve(app, users).await?;
        let ids: Vec<UserId> = found.iter().flatten().map(|user| UserId(user.id)).collect();
        let contact_of = |&contact: &UserId| ContactKey { app, user: me, contact };
        let membership_of =
            |&peer: &UserId| MembershipKey { app, user: me, conversation: ConversationId::direct(me, peer) };
        let contacts = self.store.get_many(&ids.iter().map(contact_of).collect::<Vec<_>>()).await?;
        let memberships = self.store.get_many(&ids.iter().map(membership_of).collect::<Vec<_>>()).await?;
        let mut known = ids.into_iter().zip(contacts).zip(memberships);
        let mut person = |user: store::User| {
            let ((id, contact), membership) = known.next()?;
            Some(Person {
                contact: contact.map_or_else(|| change::stranger(id), |contact| self.current(contact)),
                mute: membership.map_or(store::Mute::None, |membership| membership.mute()),
                user: crate::users::seen_by(caller, user),
            })
        };
        Ok(found.into_iter().map(|user| user.and_then(&mut person)).collect())
    }

    /// Whether a user may write to another now. Either of the two may ask, and privileged callers.
    ///
    /// # Errors
    /// `NotFound(User)`; `Denied(Credential)` for others.
    pub async fn may_message(&self, caller: &Caller, from: UserId, to: UserId) -> Result<bool> {
        if !caller.user().is_ok_and(|me| me == from || me == to) {
            caller.require_privileged()?;
        }
        match self.access.may_address(caller, from, to, false).await {
            Ok(()) => Ok(true),
            Err(Error::Denied(Denial::Blocked | Denial::NotFriends)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// At most `most` contacts of a user, from a user id on. Those that are not meant are passed over.
    async fn contacts(
        &self,
        app: AppNumber,
        user: UserId,
        which: Which,
        from: u64,
        most: usize,
    ) -> Result<Vec<Contact>> {
        let mut found = Vec::new();
        let mut next = from;
        loop {
            let scan = Scan::<ContactKey>::new(tables::user(app, user), ROWS_PER_READ).from(|rest| {
                rest.u64(next);
            });
            let rows = self.store.scan(scan).await?;
            let read = rows.len();
            next = rows.last().map_or(next, |row| row.record.user + 1);
            let meant = rows.into_iter().map(|row| self.current(row.record)).filter(|contact| which.means(contact));
            found.extend(meant.take(most - found.len()));
            if found.len() == most || read < ROWS_PER_READ {
                return Ok(found);
            }
        }
    }

    /// A row as it counts now: a request that was not answered in time is none any more.
    fn current(&self, mut row: Contact) -> Contact {
        let waits = matches!(row.relation(), Relation::Pending | Relation::Requested);
        if waits && self.deadline(row.since) <= self.clock.now().0 {
            row.relation = Relation::None as i32;
            row.reason.clear();
        }
        row
    }

    /// Until when a request of this time can be answered.
    fn deadline(&self, since: i64) -> i64 {
        storage::Millis(since).plus(self.config.friend_request_window).0
    }

    fn check_batch(&self, count: usize) -> Result<()> {
        let most = self.config.roster_batch;
        if count > most {
            return Err(Error::Invalid { field: "users", message: format!("must be at most {most}") });
        }
        Ok(())
    }

    /// # Errors
    /// `NotFound(User)`.
    async fn record(&self, app: AppNumber, user: UserId) -> Result<store::User> {
        self.users.resolve(app, &[UserRef::Id(user)]).await?.pop().flatten().ok_or(Error::NotFound(Noun::User))
    }
}

impl Which {
    fn means(self, contact: &Contact) -> bool {
        match self {
            Self::All => contact.relation() != Relation::None || contact.blocked,
            Self::Friends => contact.relation() == Relation::Friend,
            Self::Blocked => contact.blocked,
        }
    }
}

#[cfg(test)]
mod tests;
