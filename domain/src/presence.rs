//! Presence: which users are connected. Kept under leases, so that a gateway that dies takes its sessions with it.
//!
//! A session writes one lease row when it opens and deletes it when it closes; what is renewed, once per process and not per session,
//! is the run ("boot") of the gateway that the leases name. A lease whose run is over counts for nothing, and is removed when its user
//! connects again.

mod count;

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::{entry, store};
use storage::{Batch, Clock, Home, Key, Rest, Scan, Store, Table};
use tracing::warn;

use crate::caller::Caller;
use crate::config::Config;
use crate::devices::{CLIENT_LIMIT, DeviceKey, check_device_id, cut};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::ids::{AppNumber, BootId, SessionId, UserId};
use crate::log::Log;
use crate::retry::Tries;
use crate::tables;

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

/// A session that opens.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The gateway's run that holds it; must have been [renewed](Presence::renew) before.
    pub boot: BootId,
    /// Unique within that run.
    pub session: SessionId,
    /// `wire.Platform`.
    pub platform: u32,
    /// 1 to 64 bytes.
    pub device_id: String,
    /// Name and version of the client, for people.
    pub client: String,
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

    /// Keeps a gateway's run alive for the configured lease; call it at a third of that.
    ///
    /// # Errors
    /// `Full`, `Limited`, `Unavailable`.
    pub async fn renew(&self, boot: BootId) -> Result<()> {
        let now = self.clock.now();
        let mut batch = Batch::new(tables::root());
        batch.put_expiring(&BootKey { boot }, &store::LastSeen { time: now.0 }, now.plus(self.config.presence_lease));
        Ok(self.store.commit(batch).await?)
    }

    /// Ends a run: all its sessions are offline. Watchers are not told of each; they find out when they ask.
    ///
    /// # Errors
    /// `Limited`, `Unavailable`.
    pub async fn end(&self, boot: BootId) -> Result<()> {
        let mut batch = Batch::new(tables::root());
        batch.delete(&BootKey { boot });
        Ok(self.store.commit(batch).await?)
    }

    /// Records the device and the session's lease, and tells the watchers if the user came online.
    ///
    /// A device that was never seen before is told to the user's others by a notice. A crash in between leaves it untold.
    ///
    /// # Errors
    /// `Invalid` for the device id; `Full`, `Limited`, `Unavailable`.
    pub async fn open(&self, caller: &Caller, opening: Opening) -> Result<()> {
        check_device_id(&opening.device_id)?;
        let (app, user) = (caller.app(), caller.user()?);
        let device_key = DeviceKey { app, user, device_id: &opening.device_id };
        let now = self.clock.now().0;
        let mut tries = Tries::default();
        let (is_new, before) = loop {
            let device = self.store.get(&device_key).await?;
            let (live, dead) = self.leases(app, user).await?;
            let mut batch = Batch::new(tables::user(app, user));
            for lease in &dead {
                batch.delete(&key_of(app, user, lease));
            }
            let lease = store::Lease {
                session: opening.session.0,
                boot: opening.boot.0,
                platform: opening.platform,
                device_id: opening.device_id.clone(),
                since: now,
            };
            let seen = store::Device {
                device_id: opening.device_id.clone(),
                platform: opening.platform,
                client: cut(&opening.client, CLIENT_LIMIT).to_owned(),
                first_seen: device.as_ref().map_or(now, |device| device.first_seen),
                last_seen: now,
            };
            batch
                .expect_unchanged(&device_key, device.as_ref())
                .put(&device_key, &seen)
                .put(&key_of(app, user, &lease), &lease)
                .put(&LastSeenKey { app, user }, &store::LastSeen { time: now });
            if tries.settled(self.store.commit(batch).await).await? {
                break (device.is_none(), live);
            }
        };
        if before.is_empty() {
            self.tell(app, user, &state_of(&[opening.platform], now)).await;
        }
        if is_new && let Err(error) = self.tell_new_device(caller, user, &opening).await {
            warn!(app = app.0, %error, "the notice of a new device was not written");
        }
        Ok(())
    }

    /// Removes the lease, and tells the watchers if the user went offline.
    ///
    /// # Errors
    /// `Limited`, `Unavailable`; the lease then lasts as long as its run.
    pub async fn close(&self, caller: &Caller, session: SessionId, boot: BootId) -> Result<()> {
        let (app, user) = (caller.app(), caller.user()?);
        let now = self.clock.now().0;
        let mut batch = Batch::new(tables::user(app, user));
        batch
            .delete(&LeaseKey { app, user, boot, session })
            .put(&LastSeenKey { app, user }, &store::LastSeen { time: now });
        self.store.commit(batch).await?;
        let (live, _) = self.leases(app, user).await?;
        if live.is_empty() {
            self.tell(app, user, &State { last_seen: now, ..State::default() }).await;
        }
        Ok(())
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
            let state = if live.is_empty() {
                State { last_seen: last_seen.time, ..State::default() }
            } else {
                state_of(&platforms, now)
            };
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

    /// Nobody need be told of a user's first device.
    async fn tell_new_device(&self, caller: &Caller, user: UserId, opening: &Opening) -> Result<()> {
        let devices = self.store.scan(Scan::<DeviceKey<'_>>::new(tables::user(caller.app(), user), 2)).await?;
        if devices.len() < 2 {
            return Ok(());
        }
        let kind = entry::tip::Kind::DeviceLoggedIn.into();
        let text = opening.device_id.clone();
        let tip = entry::Tip { kind, users: vec![user.0], text, ..entry::Tip::default() };
        self.log.notice(caller.app_shared(), user, user, tip).await
    }
}

fn state_of(platforms: &[u32], now: i64) -> State {
    let unique: BTreeSet<u32> = platforms.iter().copied().collect();
    State { online: true, platforms: unique.into_iter().collect(), last_seen: now }
}

fn key_of(app: AppNumber, user: UserId, lease: &store::Lease) -> LeaseKey {
    LeaseKey { app, user, boot: BootId(lease.boot), session: SessionId(lease.session) }
}
