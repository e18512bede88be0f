//! The roster: who is whose friend, who is blocked, and who may write to whom.

use proto::store;

use crate::caller::Caller;
use crate::conversations::Page;
use crate::error::Result;
use crate::ids::UserId;

/// See the module.
#[derive(Debug)]
pub struct Roster {}

impl Roster {
    pub async fn list(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<store::Contact>> { todo!() }
    pub async fn get(&self, caller: &Caller, user: UserId) -> Result<Option<store::Contact>> { todo!() }
    /// Asks to become friends; at once where the other's policy is open, or where the other asked before.
    pub async fn request(&self, caller: &Caller, user: UserId, reason: &str) -> Result<()> { todo!() }
    pub async fn accept(&self, caller: &Caller, user: UserId) -> Result<()> { todo!() }
    pub async fn decline(&self, caller: &Caller, user: UserId) -> Result<()> { todo!() }
    pub async fn remove(&self, caller: &Caller, user: UserId) -> Result<()> { todo!() }
    pub async fn block(&self, caller: &Caller, user: UserId) -> Result<()> { todo!() }
    pub async fn unblock(&self, caller: &Caller, user: UserId) -> Result<()> { todo!() }
}
