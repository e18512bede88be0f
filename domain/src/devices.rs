//! Devices: what a user logs in from, and ending what is logged in.
//!
//! A device's row is written when a session opens, together with the session's lease, see [`crate::presence`]; and at a login that names
//! its device, see [`crate::tokens`].

use std::sync::Arc;

use proto::store;
use storage::{Batch, Clock, Home, Key, Rest, Scan, State, Store, Table};

use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::events::Events;
use crate::ids::{AppNumber, UserId};
use crate::push;
use crate::retry::Tries;
use crate::secret::sha256;
use crate::tables;
use crate::tokens::NewDevice;
use crate::users::{UserKey, require_self_or_privileged};

/// Longest device id, in bytes.
const DEVICE_ID_LIMIT: usize = 64;
/// Longest description of a client, in bytes; what is beyond is cut.
pub(crate) const CLIENT_LIMIT: usize = 256;
/// Most devices that are listed; more than any one person has.
const MOST_LISTED: usize = 1_000;

/// One device.
///
/// home: the user.  rest: the device's own id.  value: `store.Device`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceKey<'a> {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) device_id: &'a str,
}

impl Key for DeviceKey<'_> {
    const TABLE: Table = tables::DEVICE;
    type Record = store::Device;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.bytes(self.device_id.as_bytes());
    }
}

/// Why the domain itself ends sessions; numbered as `wire.Kicked.Reason`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reason {
    TokenRevoked = 3,
    UserDisabled = 4,
}

/// Ends sessions, wherever they are connected. Tell it only what is durable already.
#[derive(Debug, Clone)]
pub(crate) struct Kicks {
    events: Arc<Events>,
}

impl Kicks {
    pub(crate) fn new(events: Arc<Events>) -> Self {
        Self { events }
    }

    /// Ends every session of a user.
    pub(crate) async fn all(&self, app: AppNumber, user: UserId, reason: Reason, message: &str) {
        self.some(app, user, None, reason as u32, message).await;
    }

    /// Ends every session of an app.
    pub(crate) async fn everyone(&self, app: AppNumber, reason: Reason, message: &str) {
        self.some(app, UserId(0), None, reason as u32, message).await;
    }

    async fn some(&self, app: AppNumber, user: UserId, device_id: Option<&str>, reason: u32, message: &str) {
        let device_id = device_id.unwrap_or_default().to_owned();
        let kick =
            store::Kick { user: user.0, device_id, reason, message: message.to_owned(), ..store::Kick::default() };
        self.events.tell(app, store::event::Body::Kick(kick)).await;
    }
}

/// A device's number, for systems whose devices have one: the same each time, and another one for each of a user's devices
/// unless 31 bits of a hash happen to be alike.
#[must_use]
pub fn serial(device_id: &str) -> u32 {
    let [a, b, c, d, ..] = sha256(device_id.as_bytes());
    (u32::from_be_bytes([a, b, c, d]) >> 1).max(1)
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Devices {
    store: Store,
    clock: Clock,
    kicks: Kicks,
}

impl Devices {
    pub(crate) fn new(store: Store, clock: Clock, kicks: Kicks) -> Self {
        Self { store, clock, kicks }
    }

    /// A user's devices, by their ids: one's own, or anyone's for a privileged caller.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(User)`.
    pub async fn list(&self, caller: &Caller, user: UserId) -> Result<Vec<store::Device>> {
        self.check(caller, user).await?;
        let scan = Scan::<DeviceKey<'_>>::new(tables::user(caller.app(), user), MOST_LISTED);
        Ok(self.store.scan(scan).await?.into_iter().map(|row| row.record).collect())
    }

    /// Ends the sessions of a user, or of one device. One's own, or anyone's for a privileged caller. `reason` is a `wire.Kicked.Reason`.
    ///
    /// The device may log in again with the same token; [`crate::tokens::Tokens::revoke_all`] prevents that.
    /// Sessions end within a second, also those in other processes; the call does not wait for that.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(User)`, `NotFound(Device)`.
    pub async fn kick(
        &self,
        caller: &Caller,
        user: UserId,
        device_id: Option<&str>,
        reason: u32,
        message: &str,
    ) -> Result<()> {
        self.check(caller, user).await?;
        if let Some(device_id) = device_id {
            let device = self.store.get(&DeviceKey { app: caller.app(), user, device_id }).await?;
            device.ok_or(Error::NotFound(Noun::Device))?;
        }
        self.kicks.some(caller.app(), user, device_id, reason, message).await;
        Ok(())
    }

    /// The device with this [`serial`] number. Who may ask is as for [`Self::list`].
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(User)`, `NotFound(Device)`.
    pub async fn find_by_serial(&self, caller: &Caller, user: UserId, number: u32) -> Result<store::Device> {
        let mut devices = self.list(caller, user).await?.into_iter();
        devices.find(|device| serial(&device.device_id) == number).ok_or(Error::NotFound(Noun::Device))
    }

    /// Forgets a device: its sessions end, and so do the tokens that were issued on it. Who may is as for [`Self::kick`].
    ///
    /// It is on the list again once it logs in with another token.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(User)`, `NotFound(Device)`.
    pub async fn remove(&self, caller: &Caller, user: UserId, device_id: &str) -> Result<()> {
        self.check(caller, user).await?;
        let key = DeviceKey { app: caller.app(), user, device_id };
        let mut batch = Batch::new(key.home());
        // Nothing is pushed to it any more either: rows that find it by its tokens lead nowhere.
        batch.expect(&key, State::Present).delete(&key).delete(&push::DeviceKey {
            app: key.app,
            user,
            device: device_id,
        });
        match self.store.commit(batch).await {
            Err(storage::Error::Conflict) => return Err(Error::NotFound(Noun::Device)),
            outcome => outcome?,
        }
        let reason = Reason::TokenRevoked as u32;
        self.kicks.some(key.app, user, Some(device_id), reason, "the device was removed").await;
        Ok(())
    }

    /// Writes down that somebody logged in on a device.
    pub(crate) async fn note(&self, app: AppNumber, user: UserId, new: &NewDevice) -> Result<()> {
        check_device_id(&new.device_id)?;
        let key = DeviceKey { app, user, device_id: &new.device_id };
        let now = self.clock.now().0;
        let mut tries = Tries::default();
        loop {
            let old = self.store.get(&key).await?;
            let seen = store::Device {
                device_id: new.device_id.clone(),
                platform: new.platform,
                client: cut(&new.client, CLIENT_LIMIT).to_owned(),
                first_seen: old.as_ref().map_or(now, |device| device.first_seen),
                last_seen: now,
            };
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, old.as_ref()).put(&key, &seen);
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok(());
            }
        }
    }

    async fn check(&self, caller: &Caller, user: UserId) -> Result<()> {
        require_self_or_privileged(caller, user)?;
        let found = self.store.get(&UserKey { app: caller.app(), user }).await?;
        found.map(|_| ()).ok_or(Error::NotFound(Noun::User))
    }
}

/// # Errors
/// `Invalid` for a device id that is empty or too long.
pub(crate) fn check_device_id(device_id: &str) -> Result<()> {
    if (1..=DEVICE_ID_LIMIT).contains(&device_id.len()) {
        return Ok(());
    }
    Err(Error::Invalid { field: "device_id", message: format!("must be 1 to {DEVICE_ID_LIMIT} bytes") })
}

/// The beginning of a text, at most so many bytes of it.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
