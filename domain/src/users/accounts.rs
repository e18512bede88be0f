//! What users are called at other systems, such as the one that they also log in to by another app's button.
//!
//! An account there belongs to one user here. The user's record lists it first, then its name is claimed: see `names.rs`.

use proto::store::{self, Account};

use super::{UserKey, Users, change_user, require_self_or_privileged};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::names::Space;
use crate::retry::Tries;
use crate::secret::random_number;
use crate::text::check_name;

impl Users {
    /// Binds an account of another system to a user, in the place of another one of that kind: to oneself, or to anyone for a
    /// privileged caller. Binding it again changes nothing.
    ///
    /// A crash in between leaves an account that is listed and not bound; the same call again completes it.
    ///
    /// # Errors
    /// `Exists(Account)` if it is somebody else's; `NotFound(User)`, `Denied(Credential)`, `Invalid`.
    pub async fn bind_account(&self, caller: &Caller, user: UserId, account: &Account) -> Result<()> {
        require_self_or_privileged(caller, user)?;
        check_name("account", &account.id, self.limits.name)?;
        let app = caller.app();
        if self.account_holder(app, account).await?.is_some_and(|holder| holder != user) {
            return Err(Error::Exists(Noun::Account));
        }
        let list = |record: &mut store::User| {
            record.accounts.retain(|each| each.kind != account.kind);
            record.accounts.push(account.clone());
        };
        change_user(&self.store, app, user, list).await?;
        let name = name_of(account);
        let target = store::NameTarget { id: user.0, claim: random_number() };
        let mut tries = Tries::default();
        loop {
            let was = self.names.read(app, Space::Account, &name).await?;
            match self.account_holder(app, account).await? {
                Some(holder) if holder == user => return Ok(()),
                Some(_) => {
                    change_user(&self.store, app, user, |record| record.accounts.retain(|each| each != account))
                        .await?;
                    return Err(Error::Exists(Noun::Account));
                }
                None => {}
            }
            if self.names.take_over(app, Space::Account, &name, was.as_ref(), target).await? {
                return Ok(());
            }
            tries.lost().await?;
        }
    }

    /// Unbinds the account of this kind, or all. Whoever has none is left alone.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`.
    pub async fn unbind_account(&self, caller: &Caller, user: UserId, kind: Option<u32>) -> Result<()> {
        require_self_or_privileged(caller, user)?;
        let stays = |account: &Account| kind.is_some_and(|kind| account.kind != kind);
        change_user(&self.store, caller.app(), user, |record| record.accounts.retain(stays)).await.map(drop)
    }

    /// The account of this kind that is bound to a user, or the first of any.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`.
    pub async fn account(&self, caller: &Caller, user: UserId, kind: Option<u32>) -> Result<Option<Account>> {
        require_self_or_privileged(caller, user)?;
        let app = caller.app();
        let record = self.store.get(&UserKey { app, user }).await?.ok_or(Error::NotFound(Noun::User))?;
        for account in record.accounts.into_iter().filter(|account| kind.is_none_or(|kind| account.kind == kind)) {
            if self.account_holder(app, &account).await? == Some(user) {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    /// Whose account this is.
    async fn account_holder(&self, app: AppNumber, account: &Account) -> Result<Option<UserId>> {
        let Some(target) = self.names.target(app, Space::Account, &name_of(account)).await? else { return Ok(None) };
        let record = self.store.get(&UserKey { app, user: UserId(target) }).await?;
        Ok(record.filter(|record| record.accounts.contains(account)).map(|record| UserId(record.id)))
    }
}

fn name_of(account: &Account) -> String {
    format!("{}:{}", account.kind, account.id)
}
