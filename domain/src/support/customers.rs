//! Customers: users whom an app knows by names of its own.

use proto::store::{Customer, Profile, SupportStore, User};
use storage::{Batch, Home, Key, Rest, Table};

use super::Support;
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, UserId, UserRef};
use crate::retry::Tries;
use crate::secret::sha256;
use crate::tables;
use crate::text::check_name;
use crate::users::{NewUser, ProfileChange};

/// Which user a customer is.
///
/// home: the customer's name, hashed.  rest: empty.  value: `store.Customer`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CustomerKey {
    app: AppNumber,
    hash: [u8; 32],
}

impl CustomerKey {
    pub(crate) fn new(app: AppNumber, id: &str) -> Self {
        Self { app, hash: sha256(id.as_bytes()) }
    }
}

impl Key for CustomerKey {
    const TABLE: Table = tables::CUSTOMER;
    type Record = Customer;
    fn home(&self) -> Home {
        tables::customer(self.app, &self.hash)
    }
    fn rest(&self, _out: &mut Rest) {}
}

impl Support {
    /// The user whom the app calls this customer, made if there is none, and the desk to go to; without a name, a new user each time.
    /// A name and an avatar that are told replace those that the user has. Privileged.
    ///
    /// The user comes first, then the customer's row; a crash in between, or another who was faster, leaves a user whom nobody knows.
    ///
    /// # Errors
    /// `NotFound(Store)` where the app has no desk; `Denied(Credential)`, `Invalid`.
    pub async fn customer(&self, caller: &Caller, id: Option<&str>, profile: &Profile) -> Result<(User, SupportStore)> {
        caller.require_privileged()?;
        let desk = self.all_stores(caller.app()).await?.into_iter().next().ok_or(Error::NotFound(Noun::Store))?;
        let new = || NewUser { profile: profile.clone(), ..NewUser::default() };
        let Some(id) = id else { return Ok((self.users.create(caller, new()).await?, desk)) };
        check_name("customer_id", id, self.config.uid_limit)?;
        let key = CustomerKey::new(caller.app(), id);
        let mut tries = Tries::default();
        loop {
            let read = self.store.get(&key).await?;
            if let Some(user) = self.known(caller, read.as_ref()).await? {
                return Ok((self.introduce(caller, user, profile).await?, desk));
            }
            let user = self.users.create(caller, new()).await?;
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, read.as_ref()).put(&key, &Customer { user: user.id });
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok((user, desk));
            }
        }
    }

    /// The user whom the app calls this customer. Privileged.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`.
    pub async fn find_customer(&self, caller: &Caller, id: &str) -> Result<User> {
        caller.require_privileged()?;
        let read = self.store.get(&CustomerKey::new(caller.app(), id)).await?;
        self.known(caller, read.as_ref()).await?.ok_or(Error::NotFound(Noun::User))
    }

    /// The user of a customer's row, unless the app has deleted that user.
    async fn known(&self, caller: &Caller, row: Option<&Customer>) -> Result<Option<User>> {
        let Some(row) = row else { return Ok(None) };
        Ok(self.users.find_many(caller, &[UserRef::Id(UserId(row.user))]).await?.pop().flatten())
    }

    /// Takes over what a customer tells anew.
    async fn introduce(&self, caller: &Caller, user: User, told: &Profile) -> Result<User> {
        let known = user.profile.clone().unwrap_or_default();
        let news = |told: &String, known: &String| (!told.is_empty() && told != known).then(|| told.clone());
        let (name, avatar) = (news(&told.name, &known.name), news(&told.avatar, &known.avatar));
        if name.is_none() && avatar.is_none() {
            return Ok(user);
        }
        let change = ProfileChange { name, avatar, ..ProfileChange::default() };
        self.users.update(caller, UserId(user.id), change).await
    }
}
