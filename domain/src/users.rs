//! Users: who exists in an app, under which names, with which profile.
//!
//! A user's record lies in the user's own home; the names that find it lie in homes of their own, see `names.rs` for what that means.

mod accounts;
mod create;
mod index;
mod login;
mod profile;
mod retire;
mod settings;

use proto::store;
use storage::{Batch, Clock, Home, Key, Rest, Store, Table};

use crate::caller::{Caller, Subject};
use crate::config::Config;
use crate::counters::Counters;
use crate::devices::{Kicks, Reason};
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, UserId, UserRef};
use crate::names::{Names, Space};
use crate::passwords::Passwords;
use crate::retry::Tries;
use crate::tables;

pub use index::Search;
#[cfg(test)]
pub(crate) use index::{UserIndexKey, Way};
pub use profile::ProfileChange;
pub use settings::SettingsChange;

/// What a new user starts with.
#[derive(Clone, Default)]
pub struct NewUser {
    /// The app's own id, 1 to 64 bytes; none leaves the user with the internal id only.
    pub uid: Option<String>,
    /// Login name, unique in the app.
    pub username: Option<String>,
    /// Password for the login name, at most 1 KiB.
    pub password: Option<String>,
    /// Everything else.
    pub profile: store::Profile,
    /// Whether mobile and mail address must be nobody else's: for systems that log in by them.
    pub exclusive: bool,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("NewUser").field("uid", &self.uid).field("username", &self.username).finish_non_exhaustive()
    }
}

/// A user's own record.
///
/// home: the user.  rest: empty.  value: `store.User`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
}

impl Key for UserKey {
    const TABLE: Table = tables::USER;
    type Record = store::User;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// That a user is gone. No record takes this id again: what else lies in the home is then nobody's for good.
///
/// home: the user.  rest: empty.  value: `store.Departed`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DepartedKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
}

impl Key for DepartedKey {
    const TABLE: Table = tables::DEPARTED;
    type Record = store::Departed;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Users {
    store: Store,
    clock: Clock,
    counters: Counters,
    names: Names,
    passwords: Passwords,
    kicks: Kicks,
    limits: Limits,
}

/// The settings that concern users.
#[derive(Debug, Clone)]
struct Limits {
    uid: usize,
    name: usize,
    text: usize,
    page: usize,
}

impl Users {
    pub(crate) fn new(store: Store, clock: Clock, counters: Counters, kicks: Kicks, config: &Config) -> Self {
        Self {
            names: Names::new(store.clone()),
            store,
            clock,
            counters,
            passwords: Passwords::new(config),
            kicks,
            limits: Limits {
                uid: config.uid_limit,
                name: config.name_limit,
                text: config.text_limit,
                page: config.page_limit,
            },
        }
    }

    /// Finds one user. The password's hash is left out; what is private is for the user and privileged callers.
    ///
    /// # Errors
    /// `NotFound(User)`.
    pub async fn find(&self, caller: &Caller, user: &UserRef) -> Result<store::User> {
        let found = self.find_many(caller, std::slice::from_ref(user)).await?.pop().flatten();
        found.ok_or(Error::NotFound(Noun::User))
    }

    /// Finds many; unknown ones are `None`. In the order asked for.
    ///
    /// # Errors
    /// `Denied(Credential)` for anonymous callers.
    pub async fn find_many(&self, caller: &Caller, users: &[UserRef]) -> Result<Vec<Option<store::User>>> {
        if caller.subject() == Subject::Anonymous {
            return Err(Error::Denied(Denial::Credential));
        }
        let found = self.resolve(caller.app(), users).await?;
        Ok(found.into_iter().map(|user| user.map(|user| seen_by(caller, user))).collect())
    }

    /// Disables or enables. Disabling ends open sessions, after it is durable. Privileged.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`.
    pub async fn set_disabled(&self, caller: &Caller, user: UserId, disabled: bool) -> Result<()> {
        caller.require_privileged()?;
        change_user(&self.store, caller.app(), user, |record| record.disabled = disabled).await?;
        if disabled {
            self.kicks.all(caller.app(), user, Reason::UserDisabled, "the user is disabled").await;
        }
        Ok(())
    }

    /// As [`Self::set_disabled`], for many: all are looked up first, and if one is unknown, none is changed.
    /// A crash in between leaves the first ones changed; the same call again completes it.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`.
    pub async fn set_disabled_all(&self, caller: &Caller, users: &[UserRef], disabled: bool) -> Result<()> {
        caller.require_privileged()?;
        let found: Option<Vec<store::User>> = self.resolve(caller.app(), users).await?.into_iter().collect();
        for user in found.ok_or(Error::NotFound(Noun::User))? {
            self.set_disabled(caller, UserId(user.id), disabled).await?;
        }
        Ok(())
    }

    /// The records that these references find, in their order.
    pub(crate) async fn resolve(&self, app: AppNumber, users: &[UserRef]) -> Result<Vec<Option<store::User>>> {
        // Names of one space are read together; a single reference, the usual case, costs one read of its name.
        let uid = |user: &UserRef| match user {
            UserRef::Uid(uid) => Some(uid.clone()),
            UserRef::Number(number) => Some(number.to_string()),
            UserRef::Id(_) | UserRef::Username(_) => None,
        };
        let username = |user: &UserRef| match user {
            UserRef::Username(name) => Some(name.clone()),
            _ => None,
        };
        let uids: Vec<String> = users.iter().filter_map(uid).collect();
        let usernames: Vec<String> = users.iter().filter_map(username).collect();
        let mut uids = self.names.targets(app, Space::Uid, &uids).await?.into_iter();
        let mut usernames = self.names.targets(app, Space::Username, &usernames).await?.into_iter();
        let ids: Vec<UserId> = users
            .iter()
            .map(|user| match user {
                UserRef::Id(id) => *id,
                UserRef::Uid(_) | UserRef::Number(_) => UserId(uids.next().flatten().unwrap_or(0)),
                UserRef::Username(_) => UserId(usernames.next().flatten().unwrap_or(0)),
            })
            .collect();
        let keys: Vec<UserKey> = ids.iter().map(|user| UserKey { app, user: *user }).collect();
        let found = self.store.get_many(&keys).await?;
        let is_meant = |(asked, found): (&UserRef, Option<store::User>)| found.filter(|found| is_called(found, asked));
        Ok(users.iter().zip(found).map(is_meant).collect())
    }

    async fn by_uid(&self, app: AppNumber, uid: &str) -> Result<Option<store::User>> {
        Ok(self.resolve(app, &[UserRef::Uid(uid.to_owned())]).await?.pop().flatten())
    }
}

/// What string dialects call a user: the app's own uid, or the decimal id.
#[must_use]
pub fn uid_of(user: &store::User) -> String {
    if user.uid.is_empty() { user.id.to_string() } else { user.uid.clone() }
}

/// Whether a login name is this user's, or is about to be.
fn has_or_takes(user: &store::User, username: &str) -> bool {
    user.username == username || user.renaming.as_ref().is_some_and(|renaming| renaming.name == username)
}

/// Whether a reference means this user. A name row alone proves nothing.
fn is_called(user: &store::User, asked: &UserRef) -> bool {
    match asked {
        UserRef::Id(id) => user.id == id.0,
        UserRef::Uid(uid) => uid_of(user) == *uid,
        UserRef::Number(number) => user.id == *number || user.uid == number.to_string(),
        UserRef::Username(name) => user.username == *name,
    }
}

/// Changes a user's record under whatever else changes it.
pub(crate) async fn change_user(
    store: &Store,
    app: AppNumber,
    user: UserId,
    change: impl Fn(&mut store::User),
) -> Result<store::User> {
    let key = UserKey { app, user };
    let mut tries = Tries::default();
    loop {
        let old = store.get(&key).await?.ok_or(Error::NotFound(Noun::User))?;
        let mut new = old.clone();
        change(&mut new);
        let mut batch = Batch::new(key.home());
        batch.expect_unchanged(&key, Some(&old)).put(&key, &new);
        if new == old || tries.settled(store.commit(batch).await).await? {
            return Ok(new);
        }
    }
}

/// # Errors
/// [`Denial::Credential`] unless the caller is this user, or privileged.
pub(crate) fn require_self_or_privileged(caller: &Caller, user: UserId) -> Result<()> {
    if caller.user().is_ok_and(|own| own == user) { Ok(()) } else { caller.require_privileged() }
}

pub(crate) fn seen_by(caller: &Caller, user: store::User) -> store::User {
    let mut user = without_secrets(user);
    if require_self_or_privileged(caller, UserId(user.id)).is_err() {
        if let Some(profile) = &mut user.profile {
            profile.private_extension.clear();
        }
        // How the user wants to be asked is for whoever would ask; the answer is not.
        user.settings = user.settings.map(|own| store::UserSettings {
            friend_policy: own.friend_policy,
            may_not_befriend: own.may_not_befriend,
            auth_question: if own.friend_policy() == store::FriendPolicy::Question {
                own.auth_question
            } else {
                String::new()
            },
            ..store::UserSettings::default()
        });
    }
    user
}

fn without_secrets(mut user: store::User) -> store::User {
    user.password_hash.clear();
    user
}

#[cfg(test)]
mod tests;
