//! How many members of a group are connected.
//!
//! Nobody counts sessions as they come and go: the members' leases are asked, and the answer is good for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use storage::Scan;

use super::{BootKey, LEASE_LIMIT, LastSeenKey, LeaseKey, Presence};
use crate::caller::Caller;
use crate::error::{Denial, Error, Noun, Result};
use crate::groups::{GroupKey, MemberKey};
use crate::ids::{AppNumber, BootId, GroupId, UserId};
use crate::tables;

/// Groups whose counts are kept at hand.
const KEPT: u64 = 10_000;
/// Members who are asked about at a time.
const USERS_PER_READ: usize = 1_000;

/// Counts that are good for a while.
#[derive(Debug, Clone)]
pub(super) struct Counts(moka::sync::Cache<(AppNumber, GroupId), u32>);

impl Counts {
    pub(super) fn new(window: Duration) -> Self {
        Self(moka::sync::Cache::builder().max_capacity(KEPT).time_to_live(window).build())
    }
}

impl Presence {
    /// How many members of a group are connected, as of a moment ago; for members and privileged callers.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`.
    pub async fn online_members(&self, caller: &Caller, group: GroupId) -> Result<u32> {
        let app = caller.app();
        let record = self.store.get(&GroupKey { app, group }).await?.filter(|record| !record.dismissed);
        let record = record.ok_or(Error::NotFound(Noun::Group))?;
        if !caller.is_privileged() {
            let user = caller.user()?;
            if record.owner != user.0 && self.store.get(&MemberKey { app, group, user }).await?.is_none() {
                return Err(Error::Denied(Denial::NotMember));
            }
        }
        if let Some(count) = self.counts.0.get(&(app, group)) {
            return Ok(count);
        }
        let members = self.events.members(app, group, None).await?;
        let mut count = 0;
        for users in members.chunks(USERS_PER_READ) {
            count += self.count_online(app, users).await?;
        }
        self.counts.0.insert((app, group), count);
        Ok(count)
    }

    async fn count_online(&self, app: AppNumber, users: &[UserId]) -> Result<u32> {
        let keys: Vec<_> = users.iter().map(|&user| LastSeenKey { app, user }).collect();
        let seen = self.store.get_many(&keys).await?;
        let mut boots_of = Vec::new();
        for (&user, _) in users.iter().zip(seen).filter(|(_, seen)| seen.is_some()) {
            let leases = self.store.scan(Scan::<LeaseKey>::new(tables::user(app, user), LEASE_LIMIT)).await?;
            boots_of.push(leases.into_iter().map(|row| row.record.boot).collect::<BTreeSet<u64>>());
        }
        let boots: BTreeSet<u64> = boots_of.iter().flatten().copied().collect();
        let keys: Vec<_> = boots.iter().map(|&boot| BootKey { boot: BootId(boot) }).collect();
        let runs = self.store.get_many(&keys).await?;
        let runs: BTreeMap<u64, bool> = boots.into_iter().zip(runs.iter().map(Option::is_some)).collect();
        let online = boots_of.iter().filter(|boots| boots.iter().any(|boot| runs[boot]));
        Ok(u32::try_from(online.count()).unwrap_or(u32::MAX))
    }
}
