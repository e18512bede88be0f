//! Badges: what the app's icon shows. iOS wants to be told the number itself, so it is kept; the app sets it when its user looks at it.

use super::Push;
use super::keys::UserKey;
use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{AppNumber, UserId};

impl Push {
    /// Sets what the caller's icon shows.
    ///
    /// # Errors
    /// `NotFound(User)`.
    pub async fn set_badge(&self, caller: &Caller, badge: u32) -> Result<()> {
        let user = self.own(caller).await?;
        self.change_user(caller.app(), user, |row| {
            row.badge = badge;
            Ok(())
        })
        .await
    }

    /// What the caller's icon shows.
    ///
    /// # Errors
    /// What the store says.
    pub async fn badge(&self, caller: &Caller) -> Result<u32> {
        let key = UserKey { app: caller.app(), user: caller.user()? };
        Ok(self.parts.store.get(&key).await?.unwrap_or_default().badge)
    }

    /// What a user's icon is to show with one more notice.
    pub(super) async fn move_badge(&self, app: AppNumber, user: UserId, by: i32, set: bool) -> Result<u32> {
        self.change_user(app, user, |row| {
            row.badge = if set { u32::try_from(by).unwrap_or(0) } else { row.badge.saturating_add_signed(by) };
            Ok(row.badge)
        })
        .await
    }
}
