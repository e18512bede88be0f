//! Runs of gateways: which go on, and what becomes of the sessions of one that is over.

use std::collections::{BTreeMap, BTreeSet};

use proto::store;
use storage::{Batch, Millis, Scan};

use super::{BootKey, LastSeenKey, Presence, State, offline, state_of};
use crate::error::Result;
use crate::ids::{AppNumber, BootId, UserId};
use crate::tables;

/// Most gateways of one store.
const MOST_RUNS: usize = 10_000;

impl Presence {
    /// Keeps a gateway's run alive for the configured lease; call it at a third of that. Says whether the run went on until now.
    ///
    /// If it did not, and is not just beginning, its sessions counted as disconnected for a while, and others may have taken their place:
    /// they must be opened [again](super::Opening::again).
    ///
    /// # Errors
    /// `Full`, `Limited`, `Unavailable`.
    pub async fn renew(&self, boot: BootId) -> Result<bool> {
        let key = BootKey { boot };
        let went_on = self.store.get(&key).await?.is_some();
        let now = self.clock.now();
        let mut batch = Batch::new(tables::root());
        let row = store::LastSeen { time: now.0, ..store::LastSeen::default() };
        batch.put_expiring(&key, &row, now.plus(self.config.presence_lease));
        self.store.commit(batch).await?;
        Ok(went_on)
    }

    /// Ends a run: all its sessions are offline. Gateways notice by [`Self::runs`], and tell the watchers.
    ///
    /// # Errors
    /// `Limited`, `Unavailable`.
    pub async fn end(&self, boot: BootId) -> Result<()> {
        let mut batch = Batch::new(tables::root());
        batch.delete(&BootKey { boot });
        Ok(self.store.commit(batch).await?)
    }

    /// Every run that goes on, and when it would be over if it were not renewed.
    ///
    /// One that is no longer here has [ended](Self::end) in good order, or has died if that time has come.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn runs(&self) -> Result<BTreeMap<BootId, Millis>> {
        let rows = self.store.scan(Scan::<BootKey>::new(tables::root(), MOST_RUNS)).await?;
        let runs = rows.iter().filter_map(|row| {
            let boot = row.rest[..].try_into().ok().map(u64::from_be_bytes)?;
            Some((BootId(boot), Millis(row.record.time).plus(self.config.presence_lease)))
        });
        Ok(runs.collect())
    }

    /// How those of these users are now whose sessions were, or are, in one of these runs.
    ///
    /// Who watches users asks this when a run is over or comes back. It costs a few reads for each user who was ever seen.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn touched_by(
        &self,
        app: AppNumber,
        users: &[UserId],
        runs: &BTreeSet<BootId>,
    ) -> Result<Vec<(UserId, State)>> {
        let keys: Vec<_> = users.iter().map(|&user| LastSeenKey { app, user }).collect();
        let last_seen = self.store.get_many(&keys).await?;
        let mut states = Vec::new();
        for (&user, last_seen) in users.iter().zip(last_seen) {
            let Some(last_seen) = last_seen else { continue };
            let (live, dead) = self.leases(app, user).await?;
            if !live.iter().chain(&dead).any(|lease| runs.contains(&BootId(lease.boot))) {
                continue;
            }
            let platforms: Vec<u32> = live.iter().map(|lease| lease.platform).collect();
            let state =
                if live.is_empty() { offline(last_seen.time) } else { state_of(&platforms, self.clock.now().0) };
            states.push((user, state));
        }
        Ok(states)
    }
}
