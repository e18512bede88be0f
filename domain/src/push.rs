//! Push: reaching phones that are not connected, and what their owners want of it.
//!
//! A *device* is what a user is reached on; its *bindings* are what providers (APNs, FCM, ...) call it; a *channel* is what a provider knows of
//! the app. Labels (tags, aliases) name many users or devices at once. A *notice* is what is shown; a *delivery* is a notice to one device over
//! one provider. What is decided here is who gets which notice; how a provider is asked over HTTP is the business of the crate `outbound`.
//!
//! Tokens and labels are found by rows of their own, written before the user's own rows and removed after them. So a row that finds something
//! proves nothing: it counts only where the user's own row agrees. A crash in between leaves a row that leads nowhere, and the same call once
//! more completes it.

mod audience;
mod badges;
mod channels;
mod devices;
mod hours;
mod keys;
mod labels;
mod messages;
mod targets;
mod tasks;
mod words;

use std::sync::Arc;

use proto::store;
use storage::{Clock, Store};

use crate::apps::Directory;
use crate::caller::Caller;
use crate::config::Config;
use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::ids::{AppNumber, UserId};
use crate::log::Log;
use crate::outbox::Outbox;
use crate::presence::Presence;
use crate::retry::Tries;
use crate::users::Users;

pub use devices::{Binding, DeviceRef};
pub(crate) use keys::DeviceKey;
#[cfg(test)]
pub(crate) use keys::{
    ChannelKey, LabelKey, LabelledKey, OwnerKey, QueuedKey, ReachedKey, RequestKey, TaskKey, UserKey,
};
pub use messages::MessagePage;
pub use targets::Delivery;
pub use tasks::{NewTask, Outcome, TaskPage};

/// What a push needs of the other services.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
    pub(crate) directory: Directory,
    pub(crate) users: Users,
    pub(crate) devices: crate::devices::Devices,
    pub(crate) presence: Presence,
    pub(crate) events: Arc<Events>,
    pub(crate) log: Arc<Log>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) config: Arc<Config>,
}

/// See the module.
pub struct Push {
    parts: Parts,
}

impl std::fmt::Debug for Push {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Push").finish_non_exhaustive()
    }
}

impl Push {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Changes a user's own push row under whatever else changes it.
    async fn change_user<T>(
        &self,
        app: AppNumber,
        user: UserId,
        change: impl Fn(&mut store::PushUser) -> Result<T>,
    ) -> Result<T> {
        let key = keys::UserKey { app, user };
        let mut tries = Tries::default();
        loop {
            let old = self.parts.store.get(&key).await?;
            let mut new = old.clone().unwrap_or_default();
            let told = change(&mut new)?;
            if old.as_ref() == Some(&new) {
                return Ok(told);
            }
            let mut batch = storage::Batch::new(storage::Key::home(&key));
            batch.expect_unchanged(&key, old.as_ref()).put(&key, &new);
            if tries.settled(self.parts.store.commit(batch).await).await? {
                return Ok(told);
            }
        }
    }

    /// The user who is asking, who must exist.
    async fn own(&self, caller: &Caller) -> Result<UserId> {
        let user = caller.user()?;
        let key = crate::users::UserKey { app: caller.app(), user };
        match self.parts.store.get(&key).await? {
            Some(_) => Ok(user),
            None => Err(Error::NotFound(crate::error::Noun::User)),
        }
    }
}

fn invalid(field: &'static str, message: impl Into<String>) -> Error {
    Error::Invalid { field, message: message.into() }
}
