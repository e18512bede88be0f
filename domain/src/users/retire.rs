//! The end of a user's record. [`Domain::delete_user`](crate::Domain::delete_user) is the whole of it.

use proto::store;
use storage::{Batch, Key, Scan};

use super::{DepartedKey, UserKey, Users, change_user};
use crate::devices::{DeviceKey, Reason};
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::names::Space;
use crate::roster::ContactKey;
use crate::tables;

/// Rows of a home that are removed at a time.
const ROWS_AT_ONCE: usize = 500;

impl Users {
    /// Keeps a user out: no token is good any more, none is issued, and open sessions end.
    pub(crate) async fn lock_out(&self, app: AppNumber, user: UserId) -> Result<()> {
        let lock = |record: &mut store::User| {
            if !record.disabled {
                record.disabled = true;
                record.token_generation += 1;
            }
        };
        change_user(&self.store, app, user, lock).await?;
        self.kicks.all(app, user, Reason::UserDisabled, "the user was deleted").await;
        Ok(())
    }

    /// Removes the record, with all that the user told of themselves, and everything that leads to it. The id stays taken.
    ///
    /// Devices and contacts go first, then the record, then what leads to it. A crash in between leaves a user without devices and contacts,
    /// or rows that lead to nobody, which readers pass over.
    pub(crate) async fn retire(&self, app: AppNumber, user: UserId) -> Result<()> {
        let key = UserKey { app, user };
        let record = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::User))?;
        let profile = record.profile.clone().unwrap_or_default();
        let rows = self.all_rows(app, user, &profile).await?;
        self.empty_home(app, user).await?;
        let mut batch = Batch::new(key.home());
        let departed = store::Departed { time: self.clock.now().0 };
        batch.expect(&key, storage::State::Present).delete(&key).put(&DepartedKey { app, user }, &departed);
        match self.store.commit(batch).await {
            Err(storage::Error::Conflict) => return Err(Error::NotFound(Noun::User)),
            outcome => outcome?,
        }
        self.unlist(rows).await?;
        match self.names.read(app, Space::Username, &record.username).await? {
            Some(was) if was.id == user.0 => self.names.release(app, Space::Username, &record.username, &was).await,
            _ => Ok(()),
        }
    }

    async fn empty_home(&self, app: AppNumber, user: UserId) -> Result<()> {
        let home = tables::user(app, user);
        loop {
            let devices = self.store.scan(Scan::<DeviceKey<'_>>::new(home.clone(), ROWS_AT_ONCE)).await?;
            let contacts = self.store.scan(Scan::<ContactKey>::new(home.clone(), ROWS_AT_ONCE)).await?;
            if devices.is_empty() && contacts.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::new(home.clone());
            for row in &devices {
                batch.delete(&DeviceKey { app, user, device_id: &row.record.device_id });
            }
            for row in &contacts {
                batch.delete(&ContactKey { app, user, contact: UserId(row.record.user) });
            }
            self.store.commit(batch).await?;
        }
    }
}
