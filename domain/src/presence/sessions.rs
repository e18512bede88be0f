//! Sessions that open and close, and how many of one user there may be.

use proto::{entry, store};
use storage::{Batch, Scan};
use tracing::warn;

use super::{LastSeenKey, LeaseKey, Presence, key_of, offline, state_of};
use crate::caller::Caller;
use crate::devices::{CLIENT_LIMIT, DeviceKey, check_device_id, cut};
use crate::error::Result;
use crate::ids::{AppNumber, BootId, SessionId, UserId};
use crate::retry::Tries;
use crate::tables;

/// As `wire.Kicked.Reason` numbers it.
const OTHER_DEVICE: u32 = 1;

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
    /// How many devices of this platform the user may be logged in from, this one included; `None` for any number.
    pub devices_allowed: Option<usize>,
    /// The session was open before, and its run counted as over meanwhile. Then it displaces nobody: who has come since has more right.
    pub again: bool,
}

/// What became of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The session has its lease.
    Yes,
    /// Others have its place: it is over.
    Displaced,
}

/// Leases that must make way.
#[derive(Debug, Default)]
struct Displaced<'a> {
    /// The same device's: it has another session now.
    replaced: Vec<&'a store::Lease>,
    /// Of other devices, the oldest ones.
    kicked: Vec<&'a store::Lease>,
}

impl Presence {
    /// Records the device and the session's lease, and tells the watchers if the user came online.
    ///
    /// In the same commit the leases of sessions go that must make way: the same device's, and the oldest of as many devices of the platform as
    /// are too many. Whoever commits later is the newer one, whatever the clocks say, and has seen all leases before its own; so of sessions
    /// that open at once at several gateways exactly as many remain as may. Those that must go are told wherever they are; where that is lost,
    /// [`Self::is_open`] says so.
    /// Leases of a gateway that has died count until its run is over.
    ///
    /// A device that was never seen before is told to the user's others by a notice. A crash in between leaves it untold.
    ///
    /// # Errors
    /// `Invalid` for the device id; `Full`, `Limited`, `Unavailable`.
    pub async fn open(&self, caller: &Caller, opening: Opening) -> Result<Opened> {
        check_device_id(&opening.device_id)?;
        let (app, user) = (caller.app(), caller.user()?);
        let device_key = DeviceKey { app, user, device_id: &opening.device_id };
        let seen_key = LastSeenKey { app, user };
        let mut tries = Tries::default();
        let (is_new, live, since) = loop {
            let now = self.clock.now().0;
            let device = self.store.get(&device_key).await?;
            let last = self.store.get(&seen_key).await?;
            let (live, dead) = self.leases(app, user).await?;
            let displaced = displaced(&live, &opening);
            if opening.again {
                if live.iter().any(|lease| is_of(lease, &opening)) {
                    return Ok(Opened::Yes);
                }
                if !displaced.is_empty() {
                    return Ok(Opened::Displaced);
                }
            }
            let mut batch = Batch::new(tables::user(app, user));
            for lease in dead.iter().chain(displaced.all()) {
                batch.delete(&key_of(app, user, lease));
            }
            // Newer than all that are there, also where another gateway's clock is ahead.
            let since = live.iter().map(|lease| lease.since + 1).fold(now, i64::max);
            let lease = store::Lease {
                session: opening.session.0,
                boot: opening.boot.0,
                platform: opening.platform,
                device_id: opening.device_id.clone(),
                since,
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
                .expect_unchanged(&seen_key, last.as_ref())
                .put(&device_key, &seen)
                .put(&key_of(app, user, &lease), &lease)
                .put(&seen_key, &after(last.as_ref(), now));
            if tries.settled(self.store.commit(batch).await).await? {
                break (device.is_none(), live, since);
            }
        };
        if live.is_empty() {
            self.tell(app, user, &state_of(&[opening.platform], since)).await;
        }
        self.tell_displaced(app, user, &displaced(&live, &opening)).await;
        if is_new && let Err(error) = self.tell_new_device(caller, user, &opening).await {
            warn!(app = app.0, %error, "the notice of a new device was not written");
        }
        Ok(Opened::Yes)
    }

    /// Removes the lease, and tells the watchers if the user went offline.
    ///
    /// # Errors
    /// `Limited`, `Unavailable`; the lease then lasts as long as its run.
    pub async fn close(&self, caller: &Caller, session: SessionId, boot: BootId) -> Result<()> {
        let (app, user) = (caller.app(), caller.user()?);
        let seen_key = LastSeenKey { app, user };
        let mut tries = Tries::default();
        loop {
            let last = self.store.get(&seen_key).await?;
            let (live, _) = self.leases(app, user).await?;
            let seen = after(last.as_ref(), self.clock.now().0);
            let mut batch = Batch::new(tables::user(app, user));
            batch
                .expect_unchanged(&seen_key, last.as_ref())
                .delete(&LeaseKey { app, user, boot, session })
                .put(&seen_key, &seen);
            if !tries.settled(self.store.commit(batch).await).await? {
                continue;
            }
            let is_own = |lease: &store::Lease| lease.boot == boot.0 && lease.session == session.0;
            // Whose place others have taken was not the last to go.
            if live.iter().any(is_own) && live.iter().all(is_own) {
                self.tell(app, user, &offline(seen.time)).await;
            }
            return Ok(());
        }
    }

    /// Whether a session still has its lease: one without has been displaced by another.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn is_open(&self, caller: &Caller, session: SessionId, boot: BootId) -> Result<bool> {
        let key = LeaseKey { app: caller.app(), user: caller.user()?, boot, session };
        Ok(self.store.get(&key).await?.is_some())
    }

    async fn tell_displaced(&self, app: AppNumber, user: UserId, displaced: &Displaced<'_>) {
        let kinds = [
            (0, "", &displaced.replaced),
            (OTHER_DEVICE, "another device of this platform logged in", &displaced.kicked),
        ];
        for (reason, message, leases) in kinds {
            if leases.is_empty() {
                continue;
            }
            let session = |lease: &&store::Lease| store::SessionRef { boot: lease.boot, session: lease.session };
            let kick = store::Kick {
                user: user.0,
                reason,
                message: message.to_owned(),
                sessions: leases.iter().map(session).collect(),
                ..store::Kick::default()
            };
            self.events.tell(app, store::event::Body::Kick(kick)).await;
        }
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

impl<'a> Displaced<'a> {
    fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.kicked.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = &'a store::Lease> {
        self.replaced.iter().chain(&self.kicked).copied()
    }
}

/// Which of these leases must make way for a session.
fn displaced<'a>(live: &'a [store::Lease], opening: &Opening) -> Displaced<'a> {
    let mut displaced = Displaced::default();
    let mut rivals = Vec::new();
    for lease in live.iter().filter(|lease| !is_of(lease, opening)) {
        if lease.device_id == opening.device_id {
            displaced.replaced.push(lease);
        } else if lease.platform == opening.platform {
            rivals.push(lease);
        }
    }
    if let Some(allowed) = opening.devices_allowed {
        rivals.sort_by_key(|lease| (lease.since, lease.boot, lease.session));
        let excess = (rivals.len() + 1).saturating_sub(allowed.max(1));
        displaced.kicked = rivals.drain(..excess).collect();
    }
    displaced
}

fn is_of(lease: &store::Lease, opening: &Opening) -> bool {
    lease.boot == opening.boot.0 && lease.session == opening.session.0
}

/// The row that follows this one, whose leases have changed.
fn after(last: Option<&store::LastSeen>, now: i64) -> store::LastSeen {
    let (time, changes) = last.map_or((0, 0), |last| (last.time, last.changes));
    store::LastSeen { time: time.max(now), changes: changes + 1 }
}
