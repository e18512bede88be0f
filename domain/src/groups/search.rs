//! Public groups, found by how their names begin.
//!
//! An app's public groups stand in one home, in the order of their names. The row is written before the group's own commit and the row of
//! an earlier name is removed after it: a crash in between leaves a row that does not fit its group, which every reader passes over.

use bytes::Bytes;
use proto::store;
use proto::store::{GroupKind, PublicGroup};
use storage::{Batch, Home, Key, Rest, Scan, Table};

use super::{GroupKey, Groups};
use crate::caller::Caller;
use crate::conversations::Page;
use crate::error::Result;
use crate::ids::{AppNumber, GroupId};
use crate::tables;

/// How much of a name finds a group, in bytes.
const NAME_LIMIT: usize = 64;

/// That a group can be found by its name.
///
/// home: the app's public groups.  rest: the beginning of the name in lower case, then group id as u64.  value: `store.PublicGroup`.
#[derive(Debug, Clone)]
pub(crate) struct PublicGroupKey {
    pub(crate) app: AppNumber,
    pub(crate) name: String,
    pub(crate) group: GroupId,
}

impl Key for PublicGroupKey {
    const TABLE: Table = tables::PUBLIC_GROUP;
    type Record = PublicGroup;
    fn home(&self) -> Home {
        tables::public_groups(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.bytes(self.name.as_bytes()).u64(self.group.0);
    }
}

impl PublicGroupKey {
    /// Where a group is found; `None` for groups that are not public.
    fn of(app: AppNumber, group: &store::Group) -> Option<Self> {
        let public = group.kind() == GroupKind::Public && !group.dismissed;
        public.then(|| Self { app, name: folded(&group.name), group: GroupId(group.id) })
    }
}

impl Groups {
    /// Public groups whose names begin so, in the order of their names; all of them for an empty beginning.
    /// A page may hold fewer than `limit` although more follow.
    ///
    /// # Errors
    /// `Denied(Credential)` for anonymous callers.
    pub async fn search(
        &self,
        caller: &Caller,
        beginning: &str,
        cursor: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<store::Group>> {
        if !caller.is_privileged() {
            caller.user()?;
        }
        let app = caller.app();
        let limit = limit.clamp(1, self.limits.page);
        let beginning = folded(beginning);
        let cursor = cursor.filter(|cursor| *cursor >= beginning.as_bytes()).unwrap_or(beginning.as_bytes());
        let scan = Scan::<PublicGroupKey>::new(tables::public_groups(app), limit).from(|rest| {
            rest.bytes(cursor);
        });
        let rows = self.store.scan(scan).await?;
        let full = rows.len() == limit;
        let fits = |rest: &Bytes| rest.starts_with(beginning.as_bytes());
        // The next page starts at the first key after the last one: the same bytes with a zero behind.
        let next = rows.last().filter(|row| full && fits(&row.rest)).map(|row| [&row.rest[..], &[0]].concat().into());
        let rows: Vec<_> = rows.into_iter().filter(|row| fits(&row.rest)).collect();
        let keys: Vec<_> = rows.iter().map(|row| GroupKey { app, group: GroupId(row.record.group) }).collect();
        let groups = self.store.get_many(&keys).await?;
        let is_there = |(rest, group): (Bytes, Option<store::Group>)| {
            group.filter(|group| PublicGroupKey::of(app, group).is_some_and(|key| key.address().rest == rest))
        };
        let items = rows.into_iter().map(|row| row.rest).zip(groups).filter_map(is_there).collect();
        Ok(Page { items, next })
    }

    /// Lets a group be found as it will be, if that is another way than before.
    pub(super) async fn publish(
        &self,
        app: AppNumber,
        before: Option<&store::Group>,
        after: &store::Group,
    ) -> Result<()> {
        let was = before.and_then(|group| PublicGroupKey::of(app, group));
        let Some(key) = PublicGroupKey::of(app, after) else { return Ok(()) };
        if was.is_some_and(|was| was.name == key.name) {
            return Ok(());
        }
        let mut batch = Batch::new(key.home());
        batch.put(&key, &PublicGroup { group: key.group.0 });
        Ok(self.store.commit(batch).await?)
    }

    /// Lets a group no longer be found as it was, if that is another way than now.
    pub(super) async fn unpublish(&self, app: AppNumber, before: &store::Group, after: &store::Group) -> Result<()> {
        let Some(key) = PublicGroupKey::of(app, before) else { return Ok(()) };
        if PublicGroupKey::of(app, after).is_some_and(|now| now.name == key.name) {
            return Ok(());
        }
        let mut batch = Batch::new(key.home());
        batch.delete(&key);
        self.store.commit(batch).await?;
        // Another process may have given the group its earlier name back after this one took it away and before the row went.
        match self.store.get(&GroupKey { app, group: key.group }).await? {
            Some(now) if PublicGroupKey::of(app, &now).is_some_and(|again| again.name == key.name) => {
                self.publish(app, None, &now).await
            }
            _ => Ok(()),
        }
    }
}

/// A name as it is searched for.
fn folded(name: &str) -> String {
    let mut name = name.trim().to_lowercase();
    name.truncate(name.floor_char_boundary(NAME_LIMIT));
    name
}
