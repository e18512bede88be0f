//! Presence: which users are connected. Kept under leases, so that a gateway that dies takes its sessions with it.
//!
//! A session writes one lease row when it opens and deletes it when it closes; what is renewed, once per process and not per session,
//! is the run ("boot") of the gateway that the leases name. A lease whose run is over counts for nothing, and is removed when its user
//! connects again.
//!
//! The leases of a user are also where it is decided how many devices may be logged in: see [`Presence::open`].

mod count;
mod runs;
mod sessions;

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::store;
use storage::{Clock, Home, Key, Rest, Scan, Store, Table};

use crate::caller::Caller;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::ids::{AppNumber, BootId, SessionId, UserId};
use crate::log::Log;
use crate::tables;

pub use sessions::{Opened, Opening};

/// Most leases of one user that are looked at; the sessions of one user are limited well below.
const LEASE_LIMIT: usize = 1_000;

/// One connected session.
///
/// home: the user.  rest: boot as u64, then session as u64.  value: `store.Lease`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeaseKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) boot: BootId,
    pub(crate) session: SessionId,
}

impl Key for LeaseKey {
    const TABLE: Table = tables::LEASE;
    type Record = store::Lease;

    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.boot.0).u64(self.session.0);
    }
}

/// When a user was last connected.
///
/// home: the user.  rest: empty.  value: `store.LastSeen`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastSeenKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
}

impl Key for LastSeenKey {
    const TABLE: Table = tables::LAST_SEEN;
    type Record = store::LastSeen;

    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }

    fn rest(&self, _out: &mut Rest) {}
}

/// That a gateway's run goes on: the row vanishes unless it is renewed.
///
/// home: the store itself.  rest: boot as u64.  value: `store.LastSeen`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BootKey {
    pub(crate) boot: BootId,
}

impl Key for BootKey {
    const TABLE: Table = tables::BOOT;
    type Record = store::LastSeen;

    fn home(&self) -> Home {
        tables::root()
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.boot.0);
    }
}

/// Whether a user is connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// At least one session is.
    pub online: bool,
    /// `wire.Platform`s connected, ascending, without repeats.
    pub platforms: Vec<u32>,
    /// Unix milliseconds: now for whoever is connected; 0 where unknown.
    pub last_seen: i64,
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Presence {
    store: Store,
    clock: Clock,
    log: Arc<Log>,
    events: Arc<Events>,
    config: Arc<Config>,
    counts: count::Counts,
}

impl Presence {
    pub(crate) fn new(store: Store, clock: Clock, log: Arc<Log>, events: Arc<Events>, config: Arc<Config>) -> Self {
        let counts = count::Counts::new(config.online_count_window);
        Self { store, clock, log, events, config, counts }
    }

    /// Who is connected, in the order asked for. Unknown users are offline.
    ///
    /// # Errors
    /// `Invalid` for too many users; `Denied(Credential)` for anonymous callers.
    pub async fn query(&self, caller: &Caller, users: &[UserId]) -> Result<Vec<(UserId, State)>> {
        if !caller.is_privileged() {
            caller.user()?;
        }
        if users.len() > self.config.presence_limit {
            let message = format!("must be at most {}", self.config.presence_limit);
            return Err(Error::Invalid { field: "users", message });
        }
        let app = caller.app();
        let keys: Vec<_> = users.iter().map(|&user| LastSeenKey { app, user }).collect();
        let last_seen = self.store.get_many(&keys).await?;
        let now = self.clock.now().0;
        let mut states = Vec::with_capacity(users.len());
        for (&user, last_seen) in users.iter().zip(last_seen) {
            // Whoever was never seen has no lease either.
            let Some(last_seen) = last_seen else {
                states.push((user, State::default()));
                continue;
            };
            let (live, _) = self.leases(app, user).await?;
            let platforms: Vec<u32> = live.iter().map(|lease| lease.platform).collect();
            let state = if live.is_empty() { offline(last_seen.time) } else { state_of(&platforms, now) };
            states.push((user, state));
        }
        Ok(states)
    }

    /// A user's connected sessions.
    pub(crate) async fn live(&self, app: AppNumber, user: UserId) -> Result<Vec<store::Lease>> {
        Ok(self.leases(app, user).await?.0)
    }

    /// A user's leases: those whose run goes on, and the others.
    async fn leases(&self, app: AppNumber, user: UserId) -> Result<(Vec<store::Lease>, Vec<store::Lease>)> {
        let rows = self.store.scan(Scan::<LeaseKey>::new(tables::user(app, user), LEASE_LIMIT)).await?;
        let boots: BTreeSet<u64> = rows.iter().map(|row| row.record.boot).collect();
        let keys: Vec<_> = boots.iter().map(|&boot| BootKey { boot: BootId(boot) }).collect();
        let runs = self.store.get_many(&keys).await?;
        let alive: BTreeSet<u64> = boots.into_iter().zip(runs).filter_map(|(boot, run)| run.map(|_| boot)).collect();
        Ok(rows.into_iter().map(|row| row.record).partition(|lease| alive.contains(&lease.boot)))
    }

    async fn tell(&self, app: AppNumber, user: UserId, state: &State) {
        let moved = store::PresenceMoved {
            user: user.0,
            online: state.online,
            platforms: state.platforms.clone(),
            time: state.last_seen,
        };
        self.events.tell(app, store::event::Body::PresenceMoved(moved)).await;
    }
}

fn state_of(platforms: &[u32], now: i64) -> State {
    let unique: BTreeSet<u32> = platforms.iter().copied().collect();
    State { online: true, platforms: unique.into_iter().collect(), last_seen: now }
}

fn offline(last_seen: i64) -> State {
    State { last_seen, ..State::default() }
}

fn key_of(app: AppNumber, user: UserId, lease: &store::Lease) -> LeaseKey {
    LeaseKey { app, user, boot: BootId(lease.boot), session: SessionId(lease.session) }
}
