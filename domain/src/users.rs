//! Users: who exists in an app, under which names, with which profile.
//!
//! A user's record lies in the user's own home; the names that find it lie in homes of their own, see `names.rs` for what that means.

mod create;

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
use crate::text::{check_name, check_text};

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
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("NewUser").field("uid", &self.uid).field("username", &self.username).finish_non_exhaustive()
    }
}

/// Changes to a profile; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// Name to show.
    pub name: Option<String>,
    /// URL of a picture.
    pub avatar: Option<String>,
    /// 0 unknown, 1 male, 2 female.
    pub gender: Option<u32>,
    /// A motto.
    pub signature: Option<String>,
    /// The app's own, seen by all.
    pub extension: Option<String>,
    /// The app's own, seen by the user alone.
    pub private_extension: Option<String>,
    /// Phone number.
    pub mobile: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Birthday, as the app writes it.
    pub birth: Option<String>,
    /// Where the user is, as the app writes it.
    pub location: Option<String>,
    /// Language, as the app writes it.
    pub language: Option<String>,
    /// Further fields of one dialect, as JSON.
    pub attributes: Option<String>,
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
}

impl Users {
    pub(crate) fn new(store: Store, clock: Clock, counters: Counters, kicks: Kicks, config: &Config) -> Self {
        Self {
            names: Names::new(store.clone()),
            store,
            clock,
            counters,
            passwords: Passwords::new(config.password_hashes, config.password_queue),
            kicks,
            limits: Limits { uid: config.uid_limit, name: config.name_limit, text: config.text_limit },
        }
    }

    /// Creates a user.
    ///
    /// Open to anonymous callers with username and password and no uid (registration): a uid is the app's to give, since it names users
    /// that the app knows, and admins. Else privileged.
    /// A numeric uid below [`UserId::FIRST_GENERATED`] becomes the internal id too.
    ///
    /// Several homes change: the names first, one by one, then the record. A crash in between leaves names without a record;
    /// whoever creates a user under one of them next completes it.
    ///
    /// # Errors
    /// `Exists(User)` for the uid, `Exists(Username)`, `Invalid`, `Denied(Credential)`.
    pub async fn create(&self, caller: &Caller, new: NewUser) -> Result<store::User> {
        if caller.subject() == Subject::Anonymous {
            if new.uid.is_some() {
                return Err(Error::Denied(Denial::Credential));
            }
            for (field, text) in [("username", &new.username), ("password", &new.password)] {
                if text.is_none() {
                    return Err(Error::Invalid { field, message: "must not be empty".to_owned() });
                }
            }
        } else {
            caller.require_privileged()?;
        }
        self.check_new(&new)?;
        // Asked before the password is hashed: a name that is taken should not cost a hash.
        let mut plan = self.plan(caller.app(), &new).await?;
        let password_hash = match &new.password {
            Some(password) => self.passwords.hash(password).await?,
            None => String::new(),
        };
        let mut tries = Tries::default();
        loop {
            if let Some(user) = self.carry_out(caller.app(), &new, &password_hash, plan).await? {
                return Ok(seen_by(caller, user));
            }
            tries.lost().await?;
            plan = self.plan(caller.app(), &new).await?;
        }
    }

    /// The user with this uid, created if there is none. Privileged. An existing user is left as it is.
    ///
    /// # Errors
    /// As [`Self::create`], but for `Exists(User)`; `Invalid` without a uid.
    pub async fn ensure(&self, caller: &Caller, new: NewUser) -> Result<store::User> {
        caller.require_privileged()?;
        let Some(uid) = new.uid.clone() else {
            return Err(Error::Invalid { field: "uid", message: "must not be empty".to_owned() });
        };
        if let Some(user) = self.by_uid(caller.app(), &uid).await? {
            return Ok(seen_by(caller, user));
        }
        match self.create(caller, new).await {
            // Somebody was faster. A uid that is somebody's internal id stays refused.
            Err(Error::Exists(Noun::User)) => match self.by_uid(caller.app(), &uid).await? {
                Some(user) => Ok(seen_by(caller, user)),
                None => Err(Error::Exists(Noun::User)),
            },
            outcome => outcome,
        }
    }

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

    /// Changes a profile: one's own, or anyone's for a privileged caller.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`, `Invalid`.
    pub async fn update(&self, caller: &Caller, user: UserId, change: ProfileChange) -> Result<store::User> {
        require_self_or_privileged(caller, user)?;
        let mut tries = Tries::default();
        let key = UserKey { app: caller.app(), user };
        loop {
            let old = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::User))?;
            let mut new = old.clone();
            let profile = new.profile.get_or_insert_default();
            apply(profile, change.clone());
            self.check_profile(profile)?;
            if new == old {
                return Ok(seen_by(caller, new));
            }
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, Some(&old)).put(&key, &new);
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok(seen_by(caller, new));
            }
        }
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

    /// The records that these references find, in their order.
    async fn resolve(&self, app: AppNumber, users: &[UserRef]) -> Result<Vec<Option<store::User>>> {
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

    fn check_new(&self, new: &NewUser) -> Result<()> {
        if let Some(uid) = &new.uid {
            check_name("uid", uid, self.limits.uid)?;
        }
        if let Some(username) = &new.username {
            check_name("username", username, self.limits.uid)?;
        }
        if new.password.is_some() && new.username.is_none() && new.uid.is_none() {
            return Err(Error::Invalid { field: "password", message: "needs a username or a uid".to_owned() });
        }
        self.check_profile(&new.profile)
    }

    fn check_profile(&self, profile: &store::Profile) -> Result<()> {
        check_text("name", &profile.name, self.limits.name)?;
        if profile.gender > 2 {
            return Err(Error::Invalid { field: "gender", message: "0, 1 or 2".to_owned() });
        }
        let texts = [
            ("avatar", &profile.avatar),
            ("signature", &profile.signature),
            ("extension", &profile.extension),
            ("private_extension", &profile.private_extension),
            ("mobile", &profile.mobile),
            ("email", &profile.email),
            ("birth", &profile.birth),
            ("location", &profile.location),
            ("language", &profile.language),
            ("alias", &profile.alias),
            ("external_id", &profile.external_id),
            ("attributes", &profile.attributes),
        ];
        texts.into_iter().try_for_each(|(field, text)| check_text(field, text, self.limits.text))
    }
}

/// What string dialects call a user: the app's own uid, or the decimal id.
#[must_use]
pub fn uid_of(user: &store::User) -> String {
    if user.uid.is_empty() { user.id.to_string() } else { user.uid.clone() }
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

fn seen_by(caller: &Caller, user: store::User) -> store::User {
    let mut user = without_secrets(user);
    if require_self_or_privileged(caller, UserId(user.id)).is_err() {
        if let Some(profile) = &mut user.profile {
            profile.private_extension.clear();
        }
        user.settings = None;
    }
    user
}

fn without_secrets(mut user: store::User) -> store::User {
    user.password_hash.clear();
    user
}

fn apply(profile: &mut store::Profile, change: ProfileChange) {
    let texts = [
        (&mut profile.name, change.name),
        (&mut profile.avatar, change.avatar),
        (&mut profile.signature, change.signature),
        (&mut profile.extension, change.extension),
        (&mut profile.private_extension, change.private_extension),
        (&mut profile.mobile, change.mobile),
        (&mut profile.email, change.email),
        (&mut profile.birth, change.birth),
        (&mut profile.location, change.location),
        (&mut profile.language, change.language),
        (&mut profile.attributes, change.attributes),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            *field = text;
        }
    }
    if let Some(gender) = change.gender {
        profile.gender = gender;
    }
}

#[cfg(test)]
mod tests;
