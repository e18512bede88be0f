//! Handovers: a short text that one device leaves, and another one of the same person takes, under a code that is shown as a picture or a link.
//!
//! A code names the user whose home holds the text, and 256 random bits, which are kept as their SHA-256. It is good once, and for a while.

use std::time::Duration;

use proto::store;
use storage::{Batch, Home, Key, Rest, State, Table};

use super::Tokens;
use crate::caller::Caller;
use crate::config::Config;
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::text::check_text;
use crate::{secret, tables};

/// Characters of a code's secret part: 256 bits.
const SECRET_LENGTH: usize = 43;

/// The settings that concern handovers.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    text: usize,
    window: Duration,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        Self { text: config.text_limit, window: config.handover_window }
    }
}

/// One text that waits.
///
/// home: the user who left it.  rest: the SHA-256 of the code's secret part.  value: `store.Handover`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandoverKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) hash: [u8; 32],
}

impl Key for HandoverKey {
    const TABLE: Table = tables::HANDOVER;
    type Record = store::Handover;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.bytes(&self.hash);
    }
}

impl Tokens {
    /// Leaves a text; answers the code to take it by.
    ///
    /// # Errors
    /// `Invalid` for a text or a lifetime that is too long, or none; `Denied(Credential)` for who is no user.
    pub async fn leave(&self, caller: &Caller, text: String, lifetime: Duration) -> Result<String> {
        let (app, user) = (caller.app(), caller.user()?);
        check_text("text", &text, self.handovers.text)?;
        let most = self.handovers.window;
        if lifetime.is_zero() || lifetime > most {
            let message = format!("must be from 1 to {} seconds", most.as_secs());
            return Err(Error::Invalid { field: "lifetime", message });
        }
        let secret = secret::random_text(SECRET_LENGTH);
        let key = HandoverKey { app, user, hash: secret::sha256(secret.as_bytes()) };
        let mut batch = Batch::new(key.home());
        batch.put_expiring(&key, &store::Handover { text }, self.clock.now().plus(lifetime));
        self.store.commit(batch).await?;
        Ok(format!("{}-{secret}", user.0))
    }

    /// Takes a text, which is then gone. For whoever has the code, logged in or not.
    ///
    /// # Errors
    /// `NotFound(Handover)` for a code that was never given, was used, or has expired.
    pub async fn take(&self, caller: &Caller, code: &str) -> Result<String> {
        const GONE: Error = Error::NotFound(Noun::Handover);
        let (user, secret) = code.split_once('-').ok_or(GONE)?;
        let user = UserId(user.parse().map_err(|_| GONE)?);
        let key = HandoverKey { app: caller.app(), user, hash: secret::sha256(secret.as_bytes()) };
        let found = self.store.get(&key).await?.ok_or(GONE)?;
        let mut batch = Batch::new(key.home());
        batch.expect(&key, State::Present).delete(&key);
        match self.store.commit(batch).await {
            Ok(()) => Ok(found.text),
            Err(storage::Error::Conflict) => Err(GONE),
            Err(other) => Err(other.into()),
        }
    }
}
