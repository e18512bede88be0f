//! Devices: what a user logs in from, and ending what is logged in.
//!
//! A device's row is written when a session opens, together with the session's lease; see [`crate::presence`].

use std::sync::Arc;

use proto::store;
use storage::{Home, Key, Rest, Scan, Store, Table};

use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::events::Events;
use crate::ids::{AppNumber, UserId};
use crate::tables;
use crate::users::{UserKey, require_self_or_privileged};

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

    async fn some(&self, app: AppNumber, user: UserId, device_id: Option<&str>, reason: u32, message: &str) {
        let device_id = device_id.unwrap_or_default().to_owned();
        let kick = store::Kick { user: user.0, device_id, reason, message: message.to_owned() };
        self.events.tell(app, store::event::Body::Kick(kick)).await;
    }
}

/// See the module.
#[derive(Debug)]
pub struct Devices {
    store: Store,
    kicks: Kicks,
}

impl Devices {
    pub(crate) fn new(store: Store, kicks: Kicks) -> Self {
        Self { store, kicks }
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

    async fn check(&self, caller: &Caller, user: UserId) -> Result<()> {
        require_self_or_privileged(caller, user)?;
        let found = self.store.get(&UserKey { app: caller.app(), user }).await?;
        found.map(|_| ()).ok_or(Error::NotFound(Noun::User))
    }
}
