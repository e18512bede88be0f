//! How rows of the roster change, under whatever else changes them.

use proto::store::{Contact, FriendRequest, Relation, RequestStatus};
use proto::{entry, store};
use storage::Batch;

use super::{ContactKey, RequestKey, Roster};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::ids::{AppNumber, UserId};
use crate::retry::Tries;
use crate::tables;

impl Roster {
    /// The caller's row about a user, and the user's about the caller.
    pub(super) fn two(&self, caller: &Caller, user: UserId) -> Result<(ContactKey, ContactKey)> {
        let (app, own) = (caller.app(), caller.user()?);
        if own == user {
            return Err(Error::Invalid { field: "user", message: "must be somebody else".to_owned() });
        }
        Ok((ContactKey { app, user: own, contact: user }, ContactKey { app, user, contact: own }))
    }

    /// A row as it counts now.
    pub(super) async fn row(&self, key: &ContactKey) -> Result<Contact> {
        let read = self.store.get(key).await?;
        Ok(read.map_or_else(|| stranger(key.contact), |row| self.current(row)))
    }

    /// Changes one row; says whether that made a difference.
    pub(super) async fn change<T>(
        &self,
        key: &ContactKey,
        by: UserId,
        change: impl Fn(&mut Contact) -> T,
    ) -> Result<bool> {
        let change = |row: &mut Contact| {
            change(row);
        };
        Ok(!self.change_all(key.app, key.user, by, &[key.contact], change).await?.is_empty())
    }

    /// Changes a user's rows about others in one commit; whom it made a difference for. A row that says nothing is removed.
    ///
    /// `by` is who does it: a request that its author takes back is gone, while one that its receiver turns down stays to be listed.
    pub(super) async fn change_all(
        &self,
        app: AppNumber,
        user: UserId,
        by: UserId,
        contacts: &[UserId],
        change: impl Fn(&mut Contact),
    ) -> Result<Vec<UserId>> {
        let keys: Vec<ContactKey> = contacts.iter().map(|&contact| ContactKey { app, user, contact }).collect();
        let mut tries = Tries::default();
        loop {
            let mut batch = Batch::new(tables::user(app, user));
            let mut changed = Vec::new();
            for (key, read) in keys.iter().zip(self.store.get_many(&keys).await?) {
                let old = read.clone().map_or_else(|| stranger(key.contact), |row| self.current(row));
                let mut new = old.clone();
                change(&mut new);
                if new == old {
                    continue;
                }
                self.settle(&mut new, &old);
                batch.expect_unchanged(key, read.as_ref());
                if says_nothing(&new) {
                    batch.delete(key)
                } else {
                    batch.put(key, &new)
                };
                self.put_request(&mut batch, key, by, &old, &new);
                changed.push(key.contact);
            }
            if changed.is_empty() || tries.settled(self.store.commit(batch).await).await? {
                return Ok(changed);
            }
        }
    }

    /// Tells both users' devices: who did it is the sender, whom it happened to is the tip's user.
    pub(super) async fn tell(&self, caller: &Caller, user: UserId, kind: entry::tip::Kind, text: &str) -> Result<()> {
        let own = caller.user()?;
        let tip = entry::Tip { kind: kind as i32, users: vec![user.0], text: text.to_owned(), ..entry::Tip::default() };
        self.log.notice(caller.app_shared(), user, own, tip.clone()).await?;
        self.log.notice(caller.app_shared(), own, own, tip).await
    }

    /// Tells one user's own devices.
    pub(super) async fn tell_own(
        &self,
        caller: &Caller,
        own: UserId,
        kind: entry::tip::Kind,
        users: &[UserId],
    ) -> Result<()> {
        let users = users.iter().map(|user| user.0).collect();
        let tip = entry::Tip { kind: kind as i32, users, ..entry::Tip::default() };
        self.log.notice(caller.app_shared(), own, own, tip).await
    }

    /// Sets what follows from another relation.
    fn settle(&self, new: &mut Contact, old: &Contact) {
        if new.relation == old.relation {
            return;
        }
        new.since = self.clock.now().0;
        if old.relation() == Relation::Friend {
            new.ended = true;
        }
        if new.relation() == Relation::Friend {
            new.ended = false;
        }
        if new.relation() != Relation::Pending {
            new.reason.clear();
        }
    }

    /// Keeps the list of requests in step with the row that says that there is one.
    fn put_request(&self, batch: &mut Batch, key: &ContactKey, by: UserId, old: &Contact, new: &Contact) {
        let request = RequestKey { app: key.app, user: key.user, asker: key.contact };
        let (from, status) = match (old.relation(), new.relation()) {
            (before, Relation::Pending) if before != Relation::Pending => (new, RequestStatus::Pending),
            (Relation::Pending, Relation::Friend) => (old, RequestStatus::Accepted),
            (Relation::Pending, Relation::None) if by == key.user => (old, RequestStatus::Declined),
            (Relation::Pending, Relation::None | Relation::Requested) => {
                batch.delete(&request);
                return;
            }
            _ => return,
        };
        let now = self.clock.now();
        let row = FriendRequest {
            user: key.contact.0,
            reason: from.reason.clone(),
            status: status as i32,
            created: from.since,
            updated: now.0,
            expires: self.deadline(from.since),
        };
        batch.put_expiring(&request, &row, now.plus(self.config.friend_request_kept));
    }
}

/// A row about somebody of whom nothing is known.
pub(super) fn stranger(contact: UserId) -> Contact {
    Contact { user: contact.0, ..store::Contact::default() }
}

fn says_nothing(row: &Contact) -> bool {
    *row == Contact { user: row.user, since: row.since, ..Contact::default() }
}
