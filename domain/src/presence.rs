//! Presence: which users are connected. Kept under leases, so that a gateway that dies takes its sessions with it.
//!
//! A session writes one lease row when it opens and deletes it when it closes; what is renewed, once per process and not per session,
//! is the run ("boot") of the gateway that the leases name.

use proto::store;

use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{BootId, SessionId, UserId};

/// Whether a user is connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub online: bool,
    /// `wire.Platform`s connected, without repeats.
    pub platforms: Vec<u32>,
    /// Unix milliseconds; 0 where unknown.
    pub last_seen: i64,
}

/// A session that opens.
#[derive(Debug, Clone)]
pub struct Opening {
    pub boot: BootId,
    pub session: SessionId,
    pub platform: u32,
    /// 1 to 64 bytes.
    pub device_id: String,
    pub client: String,
}

/// See the module.
#[derive(Debug)]
pub struct Presence {}

impl Presence {
    /// Keeps a gateway's run alive for the configured lease; call it at a third of that.
    pub async fn renew(&self, boot: BootId) -> Result<()> { todo!() }
    /// Ends a run: all its sessions are offline.
    pub async fn end(&self, boot: BootId) -> Result<()> { todo!() }
    /// Records the device and the session's lease, and tells the watchers if the user came online.
    pub async fn open(&self, caller: &Caller, opening: Opening) -> Result<()> { todo!() }
    /// Removes the lease, and tells the watchers if the user went offline.
    pub async fn close(&self, caller: &Caller, session: SessionId, boot: BootId) -> Result<()> { todo!() }
    /// Who is connected. At most 200 users.
    pub async fn query(&self, caller: &Caller, users: &[UserId]) -> Result<Vec<(UserId, State)>> { todo!() }
}
