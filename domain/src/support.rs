//! Customer service: desks (stores), who serves at them, and customers.
//!
//! An app makes the desks and says who serves there. A customer is a user whom the app knows by a name of its own, in a space of its own:
//! no customer's name ever leads to another kind of user. Whoever asks a desk for a supporter gets the same one each time.
//!
//! What customers and supporters say are messages like any other; see `messages`.

mod assign;
mod customers;

use std::sync::Arc;

use proto::store;
use proto::store::SupportStore;
use storage::{Batch, Clock, Home, Key, Rest, Scan, State, Store, Table};

use crate::caller::Caller;
use crate::config::Config;
use crate::counters::{Counters, Sequence};
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, UserId, UserRef};
use crate::presence::Presence;
use crate::retry::Tries;
use crate::tables;
use crate::text::check_name;
use crate::users::Users;

#[cfg(test)]
pub(crate) use assign::AssignmentKey;
pub use assign::Served;
pub(crate) use assign::are_customer_and_supporter;
#[cfg(test)]
pub(crate) use customers::CustomerKey;

/// A desk.
///
/// home: the app's customer service.  rest: the desk's id as u64.  value: `store.SupportStore`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreKey {
    pub(crate) app: AppNumber,
    pub(crate) store: u64,
}

impl Key for StoreKey {
    const TABLE: Table = tables::SUPPORT_STORE;
    type Record = SupportStore;
    fn home(&self) -> Home {
        tables::support(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.store);
    }
}

/// Who serves at a desk.
///
/// home: the app's customer service.  rest: the desk's id as u64, the user's id as u64.  value: `store.Supporter`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SupporterKey {
    pub(crate) app: AppNumber,
    pub(crate) store: u64,
    pub(crate) user: UserId,
}

impl Key for SupporterKey {
    const TABLE: Table = tables::SUPPORTER;
    type Record = store::Supporter;
    fn home(&self) -> Home {
        tables::support(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.store).u64(self.user.0);
    }
}

/// See the module.
#[derive(Debug)]
pub struct Support {
    store: Store,
    clock: Clock,
    counters: Counters,
    users: Users,
    presence: Presence,
    config: Arc<Config>,
}

impl Support {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        counters: Counters,
        users: Users,
        presence: Presence,
        config: Arc<Config>,
    ) -> Self {
        Self { store, clock, counters, users, presence, config }
    }

    /// Makes a desk. Privileged.
    ///
    /// # Errors
    /// `Denied(Credential)`, `Denied(TooMany)`, `Invalid`.
    pub async fn create_store(&self, caller: &Caller, name: &str) -> Result<SupportStore> {
        caller.require_privileged()?;
        check_name("name", name, self.config.name_limit)?;
        let app = caller.app();
        if self.all_stores(app).await?.len() >= self.config.support_stores {
            return Err(Error::Denied(Denial::TooMany));
        }
        let id = self.counters.next(app, Sequence::Stores).await?;
        let desk = SupportStore { id, name: name.to_owned(), created: self.clock.now().0 };
        let key = StoreKey { app, store: id };
        let mut batch = Batch::new(key.home());
        batch.expect(&key, State::Absent).put(&key, &desk);
        self.store.commit(batch).await?;
        Ok(desk)
    }

    /// The app's desks, by id. The first one is where new customers are served. Privileged.
    ///
    /// # Errors
    /// `Denied(Credential)`.
    pub async fn stores(&self, caller: &Caller) -> Result<Vec<SupportStore>> {
        caller.require_privileged()?;
        self.all_stores(caller.app()).await
    }

    /// Deletes a desk, and with it who served there. Privileged.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(Store)`.
    pub async fn delete_store(&self, caller: &Caller, store: u64) -> Result<()> {
        caller.require_privileged()?;
        let key = StoreKey { app: caller.app(), store };
        let mut tries = Tries::default();
        loop {
            let desk = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::Store))?;
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, Some(&desk)).delete(&key);
            for supporter in self.rows(key.app, store).await? {
                batch.delete(&SupporterKey { app: key.app, store, user: supporter });
            }
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok(());
            }
        }
    }

    /// Lets users serve at a desk; those who do so already stay. Privileged.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(Store)`, `NotFound(User)`, `Denied(TooMany)`.
    pub async fn add_supporters(&self, caller: &Caller, store: u64, users: &[UserId]) -> Result<()> {
        caller.require_privileged()?;
        let key = StoreKey { app: caller.app(), store };
        let refs: Vec<UserRef> = users.iter().map(|&user| UserRef::Id(user)).collect();
        if self.users.resolve(key.app, &refs).await?.iter().any(Option::is_none) {
            return Err(Error::NotFound(Noun::User));
        }
        let mut tries = Tries::default();
        loop {
            let desk = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::Store))?;
            let there = self.rows(key.app, store).await?;
            let new: Vec<UserId> = users.iter().copied().filter(|user| !there.contains(user)).collect();
            if there.len() + new.len() > self.config.supporters {
                return Err(Error::Denied(Denial::TooMany));
            }
            let mut batch = Batch::new(key.home());
            // Expected as it is, so that nobody is put at a desk that is being deleted.
            batch.expect_unchanged(&key, Some(&desk)).put(&key, &desk);
            for user in new {
                let supporter = store::Supporter { user: user.0, added: self.clock.now().0 };
                batch.put(&SupporterKey { app: key.app, store, user }, &supporter);
            }
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok(());
            }
        }
    }

    /// Ends somebody's service at a desk; customers whom this one served get another one when they ask. Privileged.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(Store)`, `NotFound(User)` for who does not serve there.
    pub async fn remove_supporter(&self, caller: &Caller, store: u64, user: UserId) -> Result<()> {
        caller.require_privileged()?;
        self.find_store(caller.app(), store).await?;
        let key = SupporterKey { app: caller.app(), store, user };
        self.store.get(&key).await?.ok_or(Error::NotFound(Noun::User))?;
        let mut batch = Batch::new(key.home());
        batch.delete(&key);
        Ok(self.store.commit(batch).await?)
    }

    /// Who serves at a desk, by user id. Any user may ask.
    ///
    /// # Errors
    /// `NotFound(Store)`; `Denied(Credential)` for anonymous callers.
    pub async fn supporters(&self, caller: &Caller, store: u64) -> Result<Vec<store::User>> {
        self.find_store(caller.app(), store).await?;
        let refs: Vec<UserRef> = self.rows(caller.app(), store).await?.into_iter().map(UserRef::Id).collect();
        Ok(self.users.find_many(caller, &refs).await?.into_iter().flatten().collect())
    }

    async fn find_store(&self, app: AppNumber, store: u64) -> Result<SupportStore> {
        self.store.get(&StoreKey { app, store }).await?.ok_or(Error::NotFound(Noun::Store))
    }

    async fn all_stores(&self, app: AppNumber) -> Result<Vec<SupportStore>> {
        let scan = Scan::<StoreKey>::new(tables::support(app), self.config.support_stores);
        Ok(self.store.scan(scan).await?.into_iter().map(|row| row.record).collect())
    }

    /// Who serves at a desk, by id, whether or not they exist still.
    async fn rows(&self, app: AppNumber, store: u64) -> Result<Vec<UserId>> {
        let scan = Scan::<SupporterKey>::new(tables::support(app), usize::MAX)
            .from(|rest| {
                rest.u64(store);
            })
            .to(|rest| {
                rest.u64(store + 1);
            });
        Ok(self.store.scan(scan).await?.into_iter().map(|row| UserId(row.record.user)).collect())
    }
}
