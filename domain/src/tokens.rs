//! Tokens: what a caller shows to be believed.

use std::time::Duration;

use crate::caller::Caller;
use crate::error::Result;
use crate::ids::UserId;

/// What to issue.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Whose API issues it: "tim", "maxim", ... or "" for the wire protocol.
    pub dialect: &'static str,
    /// `wire.Platform` it is for; 0 for any.
    pub platform: u32,
    /// How long it is good for; `None` for ever.
    pub lifetime: Option<Duration>,
    /// Length in characters `[A-Za-z0-9]`; a repeated token is derived and always the same for one user (gobelieve).
    pub repeatable: bool,
}

/// A token, shown once.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The text that the client presents.
    pub text: String,
    /// Unix milliseconds; 0 for never.
    pub expires: i64,
}

/// See the module.
#[derive(Debug)]
pub struct Tokens {}

impl Tokens {
    /// Issues a token for a user: oneself (after a password), or anyone for a privileged caller.
    pub async fn issue(&self, caller: &Caller, user: UserId, issue: Issue) -> Result<Issued> { todo!() }

    /// Who holds this token. The only way from a text to a user.
    ///
    /// # Errors
    /// `Unauthenticated`, with the same answer for wrong, expired and revoked; `Denied(Disabled)`.
    pub async fn authenticate(&self, text: &str) -> Result<Caller> { todo!() }

    /// Acts in a user's name. Privileged callers only.
    pub async fn act_as(&self, caller: &Caller, user: UserId) -> Result<Caller> { todo!() }

    /// Voids every token of a user and ends open sessions.
    pub async fn revoke_all(&self, caller: &Caller, user: UserId) -> Result<()> { todo!() }
}
