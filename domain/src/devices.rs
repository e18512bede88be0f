//! Devices: what a user logs in from, and ending what is logged in.

use proto::store;

use crate::caller::Caller;
use crate::error::Result;
use crate::ids::UserId;

/// See the module.
#[derive(Debug)]
pub struct Devices {}

impl Devices {
    /// A user's devices: one's own, or anyone's for a privileged caller.
    pub async fn list(&self, caller: &Caller, user: UserId) -> Result<Vec<store::Device>> { todo!() }
    /// Ends the sessions of a user, or of one device. One's own, or anyone's for a privileged caller. `reason` is a `wire.Kicked.Reason`.
    pub async fn kick(&self, caller: &Caller, user: UserId, device_id: Option<&str>, reason: u32, message: &str) -> Result<()> { todo!() }
}
