//! Which supporter serves whom.

use proto::store;
use proto::store::Assignment;
use rand::seq::IndexedRandom as _;
use storage::{Batch, Home, Key, Rest, Scan, Store, Table};

use super::{StoreKey, Support, SupporterKey};
use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{AppNumber, UserId};
use crate::retry::Tries;
use crate::tables;

/// Who serves a user at one desk.
///
/// home: the user.  rest: the desk's id as u64.  value: `store.Assignment`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssignmentKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) store: u64,
}

impl Key for AssignmentKey {
    const TABLE: Table = tables::ASSIGNMENT;
    type Record = Assignment;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.store);
    }
}

/// Whom a customer gets.
#[derive(Debug, Clone)]
pub struct Served {
    /// The supporter.
    pub by: store::User,
    /// Whether the supporter is connected.
    pub online: bool,
}

/// Most desks of an app that are looked at.
const MOST_DESKS: usize = 1_000;

/// Whether one of two users serves the other at some desk, now.
pub(crate) async fn are_customer_and_supporter(store: &Store, app: AppNumber, two: [UserId; 2]) -> Result<bool> {
    let desks = store.scan(Scan::<StoreKey>::new(tables::support(app), MOST_DESKS)).await?;
    let desks: Vec<u64> = desks.into_iter().map(|row| row.record.id).collect();
    let [one, other] = two;
    Ok(serves(store, app, &desks, one, other).await? || serves(store, app, &desks, other, one).await?)
}

async fn serves(store: &Store, app: AppNumber, desks: &[u64], supporter: UserId, customer: UserId) -> Result<bool> {
    let keys: Vec<_> = desks.iter().map(|&desk| AssignmentKey { app, user: customer, store: desk }).collect();
    let assigned = store.get_many(&keys).await?;
    for (&desk, assigned) in desks.iter().zip(assigned) {
        // Whoever serves there no more has lost the right with the place.
        if assigned.is_some_and(|assigned| assigned.supporter == supporter.0)
            && store.get(&SupporterKey { app, store: desk, user: supporter }).await?.is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Support {
    /// Who serves the caller at a desk: the same one as last time, connected or not; else one of those who are connected, by chance;
    /// else the first one. `None` where nobody serves.
    ///
    /// # Errors
    /// `NotFound(Store)`; `Denied(Credential)` unless the caller is a user.
    pub async fn supporter(&self, caller: &Caller, store: u64) -> Result<Option<Served>> {
        let key = AssignmentKey { app: caller.app(), user: caller.user()?, store };
        let mut tries = Tries::default();
        loop {
            let mut candidates = self.supporters(caller, store).await?;
            let read = self.store.get(&key).await?;
            let last = read.as_ref().and_then(|last| candidates.iter().position(|user| user.id == last.supporter));
            if let Some(place) = last {
                let by = candidates.swap_remove(place);
                let online = !self.connected(caller, &[UserId(by.id)]).await?.is_empty();
                return Ok(Some(Served { by, online }));
            }
            candidates.retain(|user| !user.disabled);
            let ids: Vec<UserId> = candidates.iter().map(|user| UserId(user.id)).collect();
            let connected = self.connected(caller, &ids).await?;
            let chosen = connected.choose(&mut rand::rng()).or_else(|| ids.first()).copied();
            let Some(chosen) = chosen else { return Ok(None) };
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, read.as_ref()).put(&key, &Assignment { supporter: chosen.0 });
            // Whoever was faster has chosen for both.
            if tries.settled(self.store.commit(batch).await).await? {
                let by = candidates.into_iter().find(|user| user.id == chosen.0);
                return Ok(by.map(|by| Served { by, online: !connected.is_empty() }));
            }
        }
    }

    /// Those of the users who are connected.
    async fn connected(&self, caller: &Caller, users: &[UserId]) -> Result<Vec<UserId>> {
        let mut connected = Vec::new();
        for users in users.chunks(self.config.presence_limit.max(1)) {
            let states = self.presence.query(caller, users).await?;
            connected.extend(states.into_iter().filter(|(_, state)| state.online).map(|(user, _)| user));
        }
        Ok(connected)
    }
}
