//! Creating a user: names one by one, then what finds the user otherwise, then the record. `names.rs` says why in this order.

use proto::store;
use storage::{Batch, Key, State};

use super::{DepartedKey, NewUser, UserKey, Users, has_or_takes, seen_by};
use crate::caller::{Caller, Subject};
use crate::counters::Sequence;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::names::{Space, as_number};
use crate::retry::Tries;
use crate::text::check_name;

/// What a new user's creation found, before it changes anything.
pub(super) struct Plan {
    pub(super) uid_was: Option<u64>,
    pub(super) username_was: Option<store::NameTarget>,
    /// `None` for a generated one.
    pub(super) id: Option<u64>,
}

impl Users {
    /// Creates a user.
    ///
    /// Open to anonymous callers with username and password and no uid (registration): a uid is the app's to give, since it names users
    /// that the app knows, and admins. Else privileged.
    /// A numeric uid below [`UserId::FIRST_GENERATED`] becomes the internal id too.
    ///
    /// The id of a deleted user is never given again: whoever gets that uid after is somebody else.
    ///
    /// Several homes change: the names first, one by one, then the rows that list the user, then the record. A crash in between leaves
    /// names and rows without a record; whoever creates a user under one of the names next completes it.
    ///
    /// # Errors
    /// `Exists(User)` for the uid, `Exists(Username)`, `Exists(Mobile)`, `Exists(Email)`, `Invalid`, `Denied(Credential|RegistrationClosed)`.
    pub async fn create(&self, caller: &Caller, new: NewUser) -> Result<store::User> {
        if caller.subject() == Subject::Anonymous {
            caller.require_open_registration()?;
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
        if new.exclusive {
            self.require_sole(caller.app(), None, &new.profile).await?;
        }
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

    /// Reads what stands in a new user's way, and which id it should get.
    pub(super) async fn plan(&self, app: AppNumber, new: &NewUser) -> Result<Plan> {
        let own_number = new.uid.as_deref().and_then(as_number).filter(|number| *number < UserId::FIRST_GENERATED.0);
        let mut plan = Plan { uid_was: None, username_was: None, id: own_number };
        if let Some(uid) = &new.uid
            && let Some(target) = self.names.target(app, Space::Uid, uid).await?
        {
            plan.uid_was = Some(target);
            match self.store.get(&UserKey { app, user: UserId(target) }).await? {
                Some(user) if user.uid == *uid || user.id.to_string() == *uid => {
                    return Err(Error::Exists(Noun::User));
                }
                Some(_) => {}
                None => plan.id = Some(target),
            }
        }
        if let Some(username) = &new.username
            && let Some(was) = self.names.read(app, Space::Username, username).await?
        {
            let target = was.id;
            plan.username_was = Some(was);
            let holder = self.store.get(&UserKey { app, user: UserId(target) }).await?;
            let gone = holder.is_none() && self.has_departed(app, target).await?;
            match holder {
                Some(user) if has_or_takes(&user, username) => {
                    return Err(Error::Exists(Noun::Username));
                }
                Some(_) => {}
                None if gone => {}
                // Somebody is about to have this name, or crashed before having it: the one id decides between the two.
                None if plan.id.is_none_or(|id| id == target) && target >= UserId::FIRST_GENERATED.0 => {
                    plan.id = Some(target);
                }
                None if plan.id == Some(target) => {}
                None => return Err(Error::Exists(Noun::Username)),
            }
        }
        if let Some(id) = plan.id
            && self.has_departed(app, id).await?
        {
            plan.id = None;
        }
        Ok(plan)
    }

    /// Claims the names and writes the record. `None` after a lost race.
    pub(super) async fn carry_out(
        &self,
        app: AppNumber,
        new: &NewUser,
        password_hash: &str,
        plan: Plan,
    ) -> Result<Option<store::User>> {
        let id = match plan.id {
            Some(id) => id,
            None => self.generate_id(app).await?,
        };
        if let Some(uid) = &new.uid
            && !self.names.claim(app, Space::Uid, uid, plan.uid_was, id).await?
        {
            return Ok(None);
        }
        if let Some(username) = &new.username
            && !self.names.claim_over(app, Space::Username, username, plan.username_was.as_ref(), id).await?
        {
            return Ok(None);
        }
        let user = store::User {
            id,
            uid: new.uid.clone().unwrap_or_default(),
            username: new.username.clone().unwrap_or_default(),
            password_hash: password_hash.to_owned(),
            created: self.clock.now().0,
            profile: Some(new.profile.clone()),
            settings: Some(store::UserSettings::default()),
            ..store::User::default()
        };
        self.list_new(app, UserId(id), &new.profile).await?;
        let key = UserKey { app, user: UserId(id) };
        let departed = DepartedKey { app, user: UserId(id) };
        let mut batch = Batch::new(key.home());
        batch.expect(&key, State::Absent).expect(&departed, State::Absent).put(&key, &user);
        match self.store.commit(batch).await {
            Ok(()) => Ok(Some(user)),
            Err(storage::Error::Conflict) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// A new id, whose decimal form nobody has as a uid, and nobody will.
    pub(super) async fn generate_id(&self, app: AppNumber) -> Result<u64> {
        loop {
            let id = self.counters.next(app, Sequence::Users).await?;
            if self.names.claim(app, Space::Uid, &id.to_string(), None, id).await? {
                return Ok(id);
            }
        }
    }

    pub(super) async fn has_departed(&self, app: AppNumber, id: u64) -> Result<bool> {
        Ok(self.store.get(&DepartedKey { app, user: UserId(id) }).await?.is_some())
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
}
