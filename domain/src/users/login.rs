//! What users log in by: a name, and a password.

use proto::store;
use storage::{Batch, Key};

use super::{Search, UserKey, Users, change_user, has_or_takes, require_self_or_privileged, without_secrets};
use crate::caller::Caller;
use crate::devices::Reason;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, UserId, UserRef};
use crate::names::Space;
use crate::retry::Tries;
use crate::secret::random_number;
use crate::text::check_name;

impl Users {
    /// Checks a login name and password; same time and error whether or not the name exists.
    ///
    /// # Errors
    /// `Unauthenticated`; `Denied(Disabled)`; `Limited` when too many log in at once.
    pub async fn verify_password(&self, caller: &Caller, username: &str, password: &str) -> Result<store::User> {
        self.verify_password_of(caller, &UserRef::Username(username.to_owned()), password).await
    }

    /// As [`Self::verify_password`], for a user found by id.
    ///
    /// # Errors
    /// As [`Self::verify_password`].
    pub async fn verify_password_of(&self, caller: &Caller, user: &UserRef, password: &str) -> Result<store::User> {
        let user = self.resolve(caller.app(), std::slice::from_ref(user)).await?.pop().flatten();
        let hash = user.as_ref().map(|user| user.password_hash.as_str()).filter(|hash| !hash.is_empty());
        let right = self.passwords.verify(password, hash).await?;
        match user.filter(|_| right) {
            Some(user) if user.disabled => Err(Error::Denied(Denial::Disabled)),
            Some(user) => Ok(without_secrets(user)),
            None => Err(Error::Unauthenticated("the name or the password is wrong")),
        }
    }

    /// Whom somebody means who types this to log in: the user with this login name; failing that, the only one with this mobile
    /// or mail address. What several users have means none of them.
    pub(crate) async fn meant_by(&self, app: AppNumber, login: &str) -> Result<UserRef> {
        let username = UserRef::Username(login.to_owned());
        if self.resolve(app, std::slice::from_ref(&username)).await?.iter().any(Option::is_some) {
            return Ok(username);
        }
        for by in [Search::Mobile, Search::Email] {
            if let [user] = self.called(app, by, login).await?.as_slice() {
                return Ok(UserRef::Id(UserId(user.id)));
            }
        }
        Ok(username)
    }

    /// Whether a login name is nobody's yet. For anyone who may register, who would find out anyway.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub async fn is_username_free(&self, caller: &Caller, username: &str) -> Result<bool> {
        check_name("username", username, self.limits.uid)?;
        Ok(self.holder(caller.app(), username).await?.is_none())
    }

    /// Changes a password: one's own, by the old one; anyone's for a privileged caller, who need not know it.
    /// Every token of the user is void then, and open sessions end: whoever knew the old password is out.
    ///
    /// # Errors
    /// `Unauthenticated` for a wrong old password; `Denied(Credential)`, `NotFound(User)`, `Invalid`, `Limited`.
    pub async fn change_password(&self, caller: &Caller, user: UserId, old: Option<&str>, new: &str) -> Result<()> {
        require_self_or_privileged(caller, user)?;
        if old.is_none() {
            caller.require_privileged()?;
        }
        let key = UserKey { app: caller.app(), user };
        let mut tries = Tries::default();
        loop {
            let before = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::User))?;
            if let Some(old) = old {
                let hash = Some(before.password_hash.as_str()).filter(|hash| !hash.is_empty());
                if !self.passwords.verify(old, hash).await? {
                    return Err(Error::Unauthenticated("the old password is wrong"));
                }
            }
            let password_hash = self.passwords.hash(new).await?;
            let token_generation = before.token_generation + 1;
            let after = store::User { password_hash, token_generation, ..before.clone() };
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, Some(&before)).put(&key, &after);
            if tries.settled(self.store.commit(batch).await).await? {
                self.kicks.all(key.app, user, Reason::TokenRevoked, "the password was changed").await;
                return Ok(());
            }
        }
    }

    /// Gives a user another login name: oneself, or anyone for a privileged caller. The old one is free then.
    ///
    /// Several homes change: the record says which name it is about to have, the name is claimed, the record has it, the old name is released.
    /// A crash in between leaves the old name, and the new one reserved until the user changes to it again, or to another.
    ///
    /// # Errors
    /// `Exists(Username)`, also for a name that a registration is just taking; `NotFound(User)`, `Denied(Credential)`, `Invalid`.
    pub async fn rename(&self, caller: &Caller, user: UserId, username: &str) -> Result<()> {
        require_self_or_privileged(caller, user)?;
        check_name("username", username, self.limits.uid)?;
        let app = caller.app();
        let renaming = store::Renaming { name: username.to_owned(), claim: random_number() };
        let announce = |record: &mut store::User| record.renaming = Some(renaming.clone());
        let old = change_user(&self.store, app, user, announce).await?.username;
        let target = store::NameTarget { id: user.0, claim: renaming.claim };
        let mut tries = Tries::default();
        loop {
            let was = self.names.read(app, Space::Username, username).await?;
            if self.holder(app, username).await?.is_some_and(|holder| holder != user) {
                self.settle_name(app, user, &renaming, false).await?;
                return Err(Error::Exists(Noun::Username));
            }
            if self.names.take_over(app, Space::Username, username, was.as_ref(), target).await? {
                break;
            }
            tries.lost().await?;
        }
        // Read before the record lets go of it: once it has, somebody else may take the name, and then this row is not the one that stood here.
        let freed = self.names.read(app, Space::Username, &old).await?.filter(|was| was.id == user.0);
        let now = self.settle_name(app, user, &renaming, true).await?.username;
        match freed {
            Some(was) if now != old => self.names.release(app, Space::Username, &old, &was).await,
            _ => Ok(()),
        }
    }

    /// Ends a change of the login name, one way or the other, unless another change has begun since: then that one counts.
    async fn settle_name(
        &self,
        app: AppNumber,
        user: UserId,
        renaming: &store::Renaming,
        succeeded: bool,
    ) -> Result<store::User> {
        let settle = |record: &mut store::User| {
            if record.renaming.as_ref() == Some(renaming) {
                record.renaming = None;
                if succeeded {
                    record.username.clone_from(&renaming.name);
                }
            }
        };
        change_user(&self.store, app, user, settle).await
    }

    /// Who has a login name, or is about to.
    async fn holder(&self, app: AppNumber, username: &str) -> Result<Option<UserId>> {
        let Some(target) = self.names.target(app, Space::Username, username).await? else { return Ok(None) };
        let user = UserId(target);
        let holds = match self.store.get(&UserKey { app, user }).await? {
            Some(record) => has_or_takes(&record, username),
            // Somebody registers under it, or crashed over it; unless the one who had it is gone.
            None => !self.has_departed(app, target).await?,
        };
        Ok(Some(user).filter(|_| holds))
    }
}
