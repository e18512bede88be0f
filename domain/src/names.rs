//! Unique names: an app's own ids of its users and groups, and login names.
//!
//! Each name is a home of its own that holds the id it stands for. Creating something named takes two commits, first the name, then the record;
//! a crash in between leaves a name that points at no record. Whoever creates something under that name next takes over the id that it points at,
//! and the record's own commit, which expects that there is none, lets one of two rivals win. So a name row alone proves nothing:
//! it counts only together with a record that carries the name; a name whose record does not is free.
//!
//! Somebody who exists already takes a name the other way round: the record first says that it is about to have it, then the name is claimed.
//! A name that points at a record which has it, or is about to, is taken. Each such claim writes a number into the row that no other row has,
//! so that nobody who found the name free before can take it over after.
//!
//! Two crashes can leave a uid and a login name that point at two ids without records. Who asks for both together is told that the login name
//! is taken: either id alone can still be completed, and no name is ever shared.
//!
//! Every user's and group's decimal id is a name too, in the space of the app's own ids, so that no app can give that number to another.

use proto::store;
use storage::{Batch, Home, Key, Rest, Store, Table};

use crate::error::Result;
use crate::ids::{AppNumber, ID_END};
use crate::secret::sha256;
use crate::tables;

/// Which space a name is unique in. Codes are never reused.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// The app's own ids of users, and users' decimal ids.
    Uid = 1,
    /// Login names.
    Username = 2,
    /// The app's own ids of groups, and groups' decimal ids.
    Gid = 3,
    /// Accounts at other systems.
    Account = 4,
}

/// What a name stands for.
///
/// home: the name, hashed.  rest: empty.  value: `store.NameTarget`.
pub(crate) struct NameKey {
    app: AppNumber,
    space: Space,
    hash: [u8; 32],
}

impl NameKey {
    pub(crate) fn new(app: AppNumber, space: Space, name: &str) -> Self {
        Self { app, space, hash: sha256(name.as_bytes()) }
    }
}

impl Key for NameKey {
    const TABLE: Table = tables::NAME;
    type Record = store::NameTarget;
    fn home(&self) -> Home {
        tables::name(self.app, self.space as u8, &self.hash)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// Finds and claims names.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    store: Store,
}

impl Names {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// The id that a name points at. The record there must still be asked whether it carries the name.
    pub(crate) async fn target(&self, app: AppNumber, space: Space, name: &str) -> Result<Option<u64>> {
        Ok(self.read(app, space, name).await?.map(|target| target.id))
    }

    /// As [`Self::target`], as it is kept: what [`Self::take_over`] expects.
    pub(crate) async fn read(&self, app: AppNumber, space: Space, name: &str) -> Result<Option<store::NameTarget>> {
        Ok(self.store.get(&NameKey::new(app, space, name)).await?)
    }

    /// [`Self::target`] of many names.
    pub(crate) async fn targets(&self, app: AppNumber, space: Space, names: &[String]) -> Result<Vec<Option<u64>>> {
        let keys: Vec<_> = names.iter().map(|name| NameKey::new(app, space, name)).collect();
        Ok(self.store.get_many(&keys).await?.into_iter().map(|target| target.map(|target| target.id)).collect())
    }

    /// Points a name at a new id, if it still points where it was read to. `false` after a lost race.
    pub(crate) async fn claim(
        &self,
        app: AppNumber,
        space: Space,
        name: &str,
        was: Option<u64>,
        id: u64,
    ) -> Result<bool> {
        let was = was.map(|id| store::NameTarget { id, claim: 0 });
        self.claim_over(app, space, name, was.as_ref(), id).await
    }

    /// As [`Self::claim`], of a name that somebody who existed already may have held.
    pub(crate) async fn claim_over(
        &self,
        app: AppNumber,
        space: Space,
        name: &str,
        was: Option<&store::NameTarget>,
        id: u64,
    ) -> Result<bool> {
        if was.is_some_and(|was| was.id == id) {
            return Ok(true);
        }
        self.point(NameKey::new(app, space, name), was, &store::NameTarget { id, claim: 0 }).await
    }

    /// Points a name at somebody who exists and is about to have it, if it is still as it was read. `false` after a lost race.
    /// The target's `claim` is random.
    pub(crate) async fn take_over(
        &self,
        app: AppNumber,
        space: Space,
        name: &str,
        was: Option<&store::NameTarget>,
        target: store::NameTarget,
    ) -> Result<bool> {
        self.point(NameKey::new(app, space, name), was, &target).await
    }

    /// Forgets a name that its record no longer carries, if it is still as it was read.
    pub(crate) async fn release(
        &self,
        app: AppNumber,
        space: Space,
        name: &str,
        was: &store::NameTarget,
    ) -> Result<()> {
        let key = NameKey::new(app, space, name);
        let mut batch = Batch::new(key.home());
        batch.expect_unchanged(&key, Some(was)).delete(&key);
        match self.store.commit(batch).await {
            // Whoever was faster has the name now.
            Ok(()) | Err(storage::Error::Conflict) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    async fn point(&self, key: NameKey, was: Option<&store::NameTarget>, target: &store::NameTarget) -> Result<bool> {
        let mut batch = Batch::new(key.home());
        batch.expect_unchanged(&key, was).put(&key, target);
        match self.store.commit(batch).await {
            Ok(()) => Ok(true),
            Err(storage::Error::Conflict) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }
}

/// The number that a name is, if it is written as numbers are: no sign, no leading zero, below 2^53, not 0.
pub(crate) fn as_number(name: &str) -> Option<u64> {
    let digits = name.bytes().all(|byte| byte.is_ascii_digit()) && !name.starts_with('0');
    name.parse().ok().filter(|number| digits && *number < ID_END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_decimals_are_numbers() {
        assert_eq!(as_number("1"), Some(1));
        assert_eq!(as_number("9007199254740991"), Some(ID_END - 1));
        for name in
            ["", "0", "01", "+1", "-1", " 1", "1 ", "1.0", "9007199254740992", "99999999999999999999", "x", "１"]
        {
            assert_eq!(as_number(name), None, "{name:?}");
        }
    }
}
