//! Tokens: what a caller shows to be believed.
//!
//! A token is 256 random bits, kept under their SHA-256: the store tells nobody a token. Its row vanishes when it expires.
//! It is void as well when the user's token generation has moved on, when the user is disabled, when the device that it was issued on was
//! removed, and when the app is gone.

mod handover;

use std::time::Duration;

use proto::store;
use storage::{Batch, Clock, Home, Key, Rest, Store, Table};

use crate::apps::Directory;
use crate::caller::{Caller, Subject};
use crate::config::Config;
use crate::devices::{DeviceKey, Devices, Kicks, Reason};
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, UserId, UserRef};
use crate::users::{NewUser, UserKey, Users, change_user, require_self_or_privileged, seen_by, uid_of};
use crate::{secret, tables};

#[cfg(test)]
pub(crate) use handover::HandoverKey;

/// No token of ours is longer, so a longer text need not be looked up.
const LONGEST: usize = 256;
/// Characters of a random token: 256 bits.
const RANDOM_LENGTH: usize = 43;
/// Characters of a repeatable token, as gobelieve's clients expect.
const REPEATABLE_LENGTH: usize = 30;

/// What to issue.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Whose API issues it: "tim", "maxim", ... or "" for the wire protocol.
    pub dialect: &'static str,
    /// `wire.Platform` it is for; 0 for any.
    pub platform: u32,
    /// How long it is good for; `None` for ever.
    pub lifetime: Option<Duration>,
    /// Derived instead of random: 30 of `[A-Za-z0-9]`, the same each time for one user and dialect until [`Tokens::revoke_all`] (gobelieve).
    pub repeatable: bool,
}

/// What somebody logs in from, where the system's clients tell. Its token ends with it.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// 1 to 64 bytes.
    pub device_id: String,
    /// `wire.Platform`; 0 where it is not told.
    pub platform: u32,
    /// Name and version of the client, for people.
    pub client: String,
}

/// A token, shown once.
#[derive(Clone)]
pub struct Issued {
    /// The text that the client presents: `[A-Za-z0-9]`.
    pub text: String,
    /// Unix milliseconds; 0 for never.
    pub expires: i64,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Issued").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// One token.
///
/// home: the token.  rest: empty.  value: `store.Token`.
pub(crate) struct TokenKey {
    pub(crate) hash: [u8; 32],
}

impl Key for TokenKey {
    const TABLE: Table = tables::TOKEN;
    type Record = store::Token;
    fn home(&self) -> Home {
        tables::token(&self.hash)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// See the module.
#[derive(Debug)]
pub struct Tokens {
    store: Store,
    clock: Clock,
    directory: Directory,
    users: Users,
    devices: Devices,
    kicks: Kicks,
    handovers: handover::Limits,
}

impl Tokens {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        directory: Directory,
        users: Users,
        devices: Devices,
        kicks: Kicks,
        config: &Config,
    ) -> Self {
        Self { store, clock, directory, users, devices, kicks, handovers: handover::Limits::new(config) }
    }

    /// Checks a password and issues a token: what a login form does. For anonymous callers, who cannot [`Self::issue`].
    ///
    /// # Errors
    /// `Unauthenticated`, with the same answer for an unknown user and a wrong password; `Denied(Disabled)`; `Limited`.
    pub async fn log_in(
        &self,
        caller: &Caller,
        user: &UserRef,
        password: &str,
        issue: Issue,
    ) -> Result<(store::User, Issued)> {
        self.log_in_from(caller, user, password, issue, None).await
    }

    /// As [`Self::log_in`], on a device, which is then among the user's: the token ends when the device is removed.
    ///
    /// Device and token lie in two homes. A crash in between leaves a device without a token.
    ///
    /// # Errors
    /// As [`Self::log_in`]; `Invalid` for the device's id.
    pub async fn log_in_from(
        &self,
        caller: &Caller,
        user: &UserRef,
        password: &str,
        issue: Issue,
        device: Option<&NewDevice>,
    ) -> Result<(store::User, Issued)> {
        let user = self.users.verify_password_of(caller, user, password).await?;
        if let Some(device) = device {
            self.devices.note(caller.app(), UserId(user.id), device).await?;
        }
        let device_id = device.map_or("", |device| &device.device_id);
        let issued = self.give(caller, &user, &issue, device_id).await?;
        Ok((user, issued))
    }

    /// As [`Self::log_in_from`], for whatever people call themselves: their login name, or a mobile or mail address that only they have.
    ///
    /// # Errors
    /// As [`Self::log_in_from`].
    pub async fn log_in_by_any(
        &self,
        caller: &Caller,
        login: &str,
        password: &str,
        issue: Issue,
        device: Option<&NewDevice>,
    ) -> Result<(store::User, Issued)> {
        let user = self.users.meant_by(caller.app(), login).await?;
        self.log_in_from(caller, &user, password, issue, device).await
    }

    /// Creates a user and issues a first token: what a registration form does. A crash in between leaves a user who can log in.
    ///
    /// # Errors
    /// Those of [`Users::create`].
    pub async fn register(&self, caller: &Caller, new: NewUser, issue: Issue) -> Result<(store::User, Issued)> {
        let user = self.users.create(caller, new).await?;
        let issued = self.give(caller, &user, &issue, "").await?;
        Ok((user, issued))
    }

    /// Issues a token for a user: oneself, or anyone for a privileged caller.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Disabled)`, `Denied(Credential)`.
    pub async fn issue(&self, caller: &Caller, user: UserId, issue: Issue) -> Result<Issued> {
        require_self_or_privileged(caller, user)?;
        let key = UserKey { app: caller.app(), user };
        let user = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::User))?;
        if user.disabled {
            return Err(Error::Denied(Denial::Disabled));
        }
        self.give(caller, &user, &issue, "").await
    }

    /// Who holds this token. The only way from a text to a user.
    ///
    /// # Errors
    /// `Unauthenticated`, with the same answer for wrong, expired and revoked; `Denied(Disabled)`.
    pub async fn authenticate(&self, text: &str) -> Result<Caller> {
        Ok(self.authenticate_user(text).await?.0)
    }

    /// As [`Self::authenticate`], with the user's record, as users see their own.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn authenticate_user(&self, text: &str) -> Result<(Caller, store::User)> {
        const REFUSED: Error = Error::Unauthenticated("the token is wrong, expired or revoked");
        if text.is_empty() || text.len() > LONGEST {
            return Err(REFUSED);
        }
        let hash = secret::sha256(text.as_bytes());
        let token = self.store.get(&TokenKey { hash }).await?.ok_or(REFUSED)?;
        if token.expires != 0 && token.expires <= self.clock.now().0 {
            return Err(REFUSED);
        }
        let app = self.directory.by_number(AppNumber(token.app)).await?.ok_or(REFUSED)?;
        let key = UserKey { app: AppNumber(token.app), user: UserId(token.user) };
        let user = self.store.get(&key).await?.ok_or(REFUSED)?;
        if user.token_generation != token.generation {
            return Err(REFUSED);
        }
        if user.disabled {
            return Err(Error::Denied(Denial::Disabled));
        }
        let device = DeviceKey { app: key.app, user: key.user, device_id: &token.device_id };
        if !token.device_id.is_empty() && self.store.get(&device).await?.is_none() {
            return Err(REFUSED);
        }
        let admin = is_admin(&app, &user);
        let subject = Subject::User { id: UserId(user.id), admin, platform: token.platform, acted_for: false };
        let caller = Caller::new(app, subject);
        let user = seen_by(&caller, user);
        Ok((caller, user))
    }

    /// Whether a caller that [`Self::authenticate`] made earlier would still be let in. `generation` is that of the user's record then.
    ///
    /// # Errors
    /// `Unauthenticated`, `Denied(Disabled)`.
    pub async fn confirm(&self, caller: &Caller, generation: u64) -> Result<()> {
        const REFUSED: Error = Error::Unauthenticated("the token was revoked");
        self.directory.by_number(caller.app()).await?.ok_or(REFUSED)?;
        let user = self.store.get(&UserKey { app: caller.app(), user: caller.user()? }).await?.ok_or(REFUSED)?;
        if user.token_generation != generation {
            return Err(REFUSED);
        }
        if user.disabled { Err(Error::Denied(Denial::Disabled)) } else { Ok(()) }
    }

    /// Acts in a user's name. Privileged callers only.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(User)`, `Denied(Disabled)`.
    pub async fn act_as(&self, caller: &Caller, user: UserId) -> Result<Caller> {
        let user = self.actable(caller, user).await?;
        if user.disabled { Err(Error::Denied(Denial::Disabled)) } else { Ok(acting(caller, &user)) }
    }

    /// As [`Self::act_as`], also in the name of a user who is disabled: to end the account.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(User)`.
    pub async fn act_to_delete(&self, caller: &Caller, user: UserId) -> Result<Caller> {
        Ok(acting(caller, &self.actable(caller, user).await?))
    }

    /// A user in whose name the caller may act.
    async fn actable(&self, caller: &Caller, user: UserId) -> Result<store::User> {
        caller.require_privileged()?;
        let key = UserKey { app: caller.app(), user };
        self.store.get(&key).await?.ok_or(Error::NotFound(Noun::User))
    }

    /// Voids every token of a user and ends open sessions: one's own, or anyone's for a privileged caller.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(User)`.
    pub async fn revoke_all(&self, caller: &Caller, user: UserId) -> Result<()> {
        require_self_or_privileged(caller, user)?;
        change_user(&self.store, caller.app(), user, |record| record.token_generation += 1).await?;
        self.kicks.all(caller.app(), user, Reason::TokenRevoked, "the token was revoked").await;
        Ok(())
    }

    async fn give(&self, caller: &Caller, user: &store::User, issue: &Issue, device_id: &str) -> Result<Issued> {
        let now = self.clock.now();
        let text = if issue.repeatable {
            let label = [issue.dialect.as_bytes(), &user.id.to_be_bytes(), &user.token_generation.to_be_bytes()];
            secret::derived_text(&caller.app_record().signing_key, &label.join(&0), REPEATABLE_LENGTH)
        } else {
            secret::random_text(RANDOM_LENGTH)
        };
        let expires = issue.lifetime.map(|lifetime| now.plus(lifetime));
        let key = TokenKey { hash: secret::sha256(text.as_bytes()) };
        let token = store::Token {
            app: caller.app().0,
            user: user.id,
            generation: user.token_generation,
            dialect: issue.dialect.to_owned(),
            platform: issue.platform,
            issued: now.0,
            expires: expires.map_or(0, |at| at.0),
            device_id: device_id.to_owned(),
        };
        let mut batch = Batch::new(key.home());
        // A repeated token is written again: it means the same, and one that would have expired lives on.
        match expires {
            Some(at) => batch.put_expiring(&key, &token, at),
            None => batch.put(&key, &token),
        };
        self.store.commit(batch).await?;
        Ok(Issued { text, expires: token.expires })
    }
}

/// A caller who acts in a user's name.
fn acting(caller: &Caller, user: &store::User) -> Caller {
    let admin = is_admin(caller.app_record(), user);
    let subject = Subject::User { id: UserId(user.id), admin, platform: 0, acted_for: true };
    Caller::new(caller.app_shared().clone(), subject)
}

/// Whether the app lists this user among its admins.
fn is_admin(app: &store::App, user: &store::User) -> bool {
    let uid = uid_of(user);
    app.admins.contains(&uid)
}
