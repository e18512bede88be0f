//! The steps of creating a user: names one by one, then the record. `names.rs` says why in this order.

use proto::store;
use storage::{Batch, Key, State};

use super::{NewUser, UserKey, Users};
use crate::counters::Sequence;
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::names::{Space, as_number};

/// What a new user's creation found, before it changes anything.
pub(super) struct Plan {
    pub(super) uid_was: Option<u64>,
    pub(super) username_was: Option<u64>,
    /// `None` for a generated one.
    pub(super) id: Option<u64>,
}

impl Users {
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
            && let Some(target) = self.names.target(app, Space::Username, username).await?
        {
            plan.username_was = Some(target);
            match self.store.get(&UserKey { app, user: UserId(target) }).await? {
                Some(user) if user.username == *username => return Err(Error::Exists(Noun::Username)),
                Some(_) => {}
                // Somebody is about to have this name, or crashed before having it: the one id decides between the two.
                None if plan.id.is_none_or(|id| id == target) && target >= UserId::FIRST_GENERATED.0 => {
                    plan.id = Some(target);
                }
                None if plan.id == Some(target) => {}
                None => return Err(Error::Exists(Noun::Username)),
            }
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
            && !self.names.claim(app, Space::Username, username, plan.username_was, id).await?
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
        let key = UserKey { app, user: UserId(id) };
        let mut batch = Batch::new(key.home());
        batch.expect(&key, State::Absent).put(&key, &user);
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
}
