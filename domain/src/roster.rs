//! The roster: who is whose friend, who is blocked, and who may write to whom.
//!
//! Each of two users keeps a row about the other, so most changes take two commits. The row of the user who asks is always changed last:
//! a crash in between leaves the caller's own view as it was, and the same call once more completes it. Notices come after both rows;
//! a crash before them loses a notice and no fact.

use std::sync::Arc;

use proto::store::{Contact, FriendPolicy, Relation};
use proto::{entry, store};
use storage::{Batch, Clock, Home, Key, Rest, Scan, Store, Table};

use crate::caller::Caller;
use crate::config::Config;
use crate::conversations::Page;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::log::Log;
use crate::page;
use crate::retry::Tries;
use crate::tables;
use crate::text::check_text;
use crate::users::UserKey;

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

/// See the module.
#[derive(Debug)]
pub struct Roster {
    store: Store,
    clock: Clock,
    log: Arc<Log>,
    page_limit: usize,
    text_limit: usize,
}

impl Roster {
    pub(crate) fn new(store: Store, clock: Clock, log: Arc<Log>, config: &Config) -> Self {
        Self { store, clock, log, page_limit: config.page_limit, text_limit: config.text_limit }
    }

    /// The caller's contacts by user id: friends, requests either way, and whoever is blocked.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is none.
    pub async fn list(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<Contact>> {
        let home = tables::user(caller.app(), caller.user()?);
        let limit = limit.clamp(1, self.page_limit);
        let from = page::after(cursor)?;
        let scan = Scan::<ContactKey>::new(home, limit + 1).from(|rest| {
            rest.u64(from);
        });
        let contacts = self.store.scan(scan).await?.into_iter().map(|row| row.record).collect();
        Ok(page::cut(contacts, limit, |contact| contact.user))
    }

    /// How the caller stands to a user; `None` for strangers.
    ///
    /// # Errors
    /// What the store says.
    pub async fn get(&self, caller: &Caller, user: UserId) -> Result<Option<Contact>> {
        Ok(self.store.get(&ContactKey { app: caller.app(), user: caller.user()?, contact: user }).await?)
    }

    /// Asks to become friends; at once where the other's policy is open, or where the other asked before.
    ///
    /// Asking again changes nothing. A policy that wants a question answered is treated as one that wants to be asked,
    /// since this call carries no answer.
    ///
    /// # Errors
    /// `NotFound(User)`; `Exists(Contact)` between friends; `Denied(Blocked)`, `Denied(RefusesFriends)`; `Invalid`.
    pub async fn request(&self, caller: &Caller, user: UserId, reason: &str) -> Result<()> {
        check_text("reason", reason, self.text_limit)?;
        let (own, other) = self.two(caller, user)?;
        let policy = self.policy_of(caller.app(), user).await?;
        let (mine, theirs) = (self.row(&own).await?, self.row(&other).await?);
        if mine.relation() == Relation::Friend && theirs.relation() == Relation::Friend {
            return Err(Error::Exists(Noun::Contact));
        }
        if theirs.blocked {
            return Err(Error::Denied(Denial::Blocked));
        }
        // Somebody who asked, or who is a friend on the other side already, has consented; so has the app when it acts for a user.
        let consented = mine.relation() == Relation::Pending || theirs.relation() == Relation::Friend;
        if consented || policy == FriendPolicy::Open {
            return self.befriend(caller, &own, &other).await;
        }
        if policy == FriendPolicy::Closed {
            return Err(Error::Denied(Denial::RefusesFriends));
        }
        if mine.relation() == Relation::Requested && theirs.relation() == Relation::Pending {
            return Ok(());
        }
        let set = |relation| move |row: &mut Contact| (row.relation, row.reason) = (relation as i32, reason.to_owned());
        self.change(&other, set(Relation::Pending)).await?;
        self.change(&own, set(Relation::Requested)).await?;
        self.tell(caller, user, entry::tip::Kind::FriendRequested, reason).await
    }

    /// Accepts a request.
    ///
    /// # Errors
    /// `NotFound(Contact)` if there is none; `Exists(Contact)` between friends.
    pub async fn accept(&self, caller: &Caller, user: UserId) -> Result<()> {
        let (own, other) = self.two(caller, user)?;
        match self.row(&own).await?.relation() {
            Relation::Pending => self.befriend(caller, &own, &other).await,
            Relation::Friend => Err(Error::Exists(Noun::Contact)),
            Relation::None | Relation::Requested => Err(Error::NotFound(Noun::Contact)),
        }
    }

    /// Declines a request.
    ///
    /// # Errors
    /// `NotFound(Contact)` if there is none.
    pub async fn decline(&self, caller: &Caller, user: UserId) -> Result<()> {
        let (own, other) = self.two(caller, user)?;
        if self.row(&own).await?.relation() != Relation::Pending {
            return Err(Error::NotFound(Noun::Contact));
        }
        self.part(&own, &other).await?;
        self.tell(caller, user, entry::tip::Kind::FriendDeclined, "").await
    }

    /// Ends a friendship, or withdraws a request, on both sides.
    ///
    /// # Errors
    /// `NotFound(Contact)` if there is neither.
    pub async fn remove(&self, caller: &Caller, user: UserId) -> Result<()> {
        let (own, other) = self.two(caller, user)?;
        if self.row(&own).await?.relation() == Relation::None {
            return Err(Error::NotFound(Noun::Contact));
        }
        self.part(&own, &other).await?;
        self.tell(caller, user, entry::tip::Kind::FriendRemoved, "").await
    }

    /// Blocks a user, who cannot write to the caller any more, and is not told. A friendship stays what it is.
    ///
    /// # Errors
    /// `NotFound(User)`, `Invalid`.
    pub async fn block(&self, caller: &Caller, user: UserId) -> Result<()> {
        let (own, _) = self.two(caller, user)?;
        self.policy_of(caller.app(), user).await?;
        self.set_blocked(caller, &own, true).await
    }

    /// Unblocks a user. Unblocking somebody who is not blocked changes nothing.
    ///
    /// # Errors
    /// `Invalid`.
    pub async fn unblock(&self, caller: &Caller, user: UserId) -> Result<()> {
        let (own, _) = self.two(caller, user)?;
        self.set_blocked(caller, &own, false).await
    }

    async fn set_blocked(&self, caller: &Caller, own: &ContactKey, blocked: bool) -> Result<()> {
        if !self.change(own, |row| row.blocked = blocked).await? {
            return Ok(());
        }
        // Only the caller's own devices learn of it.
        let tip = entry::Tip {
            kind: entry::tip::Kind::BlockChanged as i32,
            users: vec![own.contact.0],
            ..entry::Tip::default()
        };
        self.log.notice(caller.app_shared(), own.user, own.user, tip).await
    }

    /// The caller's row about a user, and the user's about the caller.
    fn two(&self, caller: &Caller, user: UserId) -> Result<(ContactKey, ContactKey)> {
        let (app, own) = (caller.app(), caller.user()?);
        if own == user {
            return Err(Error::Invalid { field: "user", message: "must be somebody else".to_owned() });
        }
        Ok((ContactKey { app, user: own, contact: user }, ContactKey { app, user, contact: own }))
    }

    async fn policy_of(&self, app: AppNumber, user: UserId) -> Result<FriendPolicy> {
        let user = self.store.get(&UserKey { app, user }).await?.ok_or(Error::NotFound(Noun::User))?;
        Ok(user.settings.unwrap_or_default().friend_policy())
    }

    async fn row(&self, key: &ContactKey) -> Result<Contact> {
        Ok(self.store.get(key).await?.unwrap_or_else(|| stranger(key)))
    }

    async fn befriend(&self, caller: &Caller, own: &ContactKey, other: &ContactKey) -> Result<()> {
        let set = |row: &mut Contact| (row.relation, row.reason) = (Relation::Friend as i32, String::new());
        self.change(other, set).await?;
        self.change(own, set).await?;
        self.tell(caller, own.contact, entry::tip::Kind::FriendAccepted, "").await
    }

    async fn part(&self, own: &ContactKey, other: &ContactKey) -> Result<()> {
        let clear = |row: &mut Contact| (row.relation, row.reason) = (Relation::None as i32, String::new());
        self.change(other, clear).await?;
        self.change(own, clear).await?;
        Ok(())
    }

    /// Changes a row under whatever else changes it; says whether that made a difference. A row that says nothing is removed.
    async fn change<T>(&self, key: &ContactKey, change: impl Fn(&mut Contact) -> T) -> Result<bool> {
        let mut tries = Tries::default();
        loop {
            let read = self.store.get(key).await?;
            let old = read.clone().unwrap_or_else(|| stranger(key));
            let mut new = old.clone();
            change(&mut new);
            if new == old {
                return Ok(false);
            }
            if new.relation != old.relation {
                new.since = self.clock.now().0;
            }
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(key, read.as_ref());
            let kept = new.relation() != Relation::None || new.blocked || !new.remark.is_empty();
            if kept || !new.extension.is_empty() {
                batch.put(key, &new)
            } else {
                batch.delete(key)
            };
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok(true);
            }
        }
    }

    /// Tells both users' devices: who did it is the sender, whom it happened to is the tip's user.
    async fn tell(&self, caller: &Caller, user: UserId, kind: entry::tip::Kind, text: &str) -> Result<()> {
        let own = caller.user()?;
        let tip = entry::Tip { kind: kind as i32, users: vec![user.0], text: text.to_owned(), ..entry::Tip::default() };
        self.log.notice(caller.app_shared(), user, own, tip.clone()).await?;
        self.log.notice(caller.app_shared(), own, own, tip).await
    }
}

fn stranger(key: &ContactKey) -> Contact {
    Contact { user: key.contact.0, ..store::Contact::default() }
}

#[cfg(test)]
mod tests;
