//! Channels: what providers know of an app, and what an app must show them.
//!
//! | provider | `app_id` | `app_key` | `app_secret` | `certificate` |
//! |---|---|---|---|---|
//! | APNs | bundle id | id of the signing key | team id | the signing key, PEM (`.p8`) |
//! | FCM | | | | the service account, JSON |
//! | Huawei | app id | | app secret | |
//! | Xiaomi | package name | app key | app secret | |
//! | OPPO | app id | app key | master secret | |
//! | vivo, Meizu | app id | app key | app secret | |
//!
//! The first one of a provider is used for devices that name none.

use std::sync::Arc;

use proto::store::{self, PushChannel, PushProvider};
use storage::{Batch, Key, Scan};

use super::devices::CHANNEL_LIMIT;
use super::keys::{ChannelKey, pushes};
use super::{Push, invalid};
use crate::caller::Caller;
use crate::error::Result;
use crate::ids::AppNumber;
use crate::text::{check_name, check_text};

/// Most channels of one app.
const MOST: usize = 64;
/// Longest text of a channel, in bytes; a service account is about 2,400 long.
const TEXT_LIMIT: usize = 16_384;

impl Push {
    /// Adds a channel, or changes the one of this name. Privileged.
    ///
    /// The channel comes first, then the app's setting that makes its messages leave outbox rows; a crash in between leaves a channel that
    /// nothing is sent over, and the same call once more completes it.
    ///
    /// # Errors
    /// `Invalid`, `Denied(Credential)`.
    pub async fn set_channel(&self, caller: &Caller, channel: PushChannel) -> Result<()> {
        caller.require_privileged()?;
        check_channel(&channel)?;
        let app = caller.app();
        let channels = self.channels_of(app).await?;
        if channels.len() >= MOST && channels.iter().all(|kept| kept.name != channel.name) {
            return Err(invalid("name", format!("an app has at most {MOST} channels")));
        }
        let key = ChannelKey { app, name: &channel.name };
        let mut batch = Batch::new(key.home());
        batch.put(&key, &channel);
        self.parts.store.commit(batch).await?;
        self.parts.directory.set(&caller.app_record().id, |settings| settings.push = true).await?;
        Ok(())
    }

    /// Removes a channel; without any, the app does not push. Privileged.
    ///
    /// # Errors
    /// `Invalid` if there is none of this name; `Denied(Credential)`.
    pub async fn remove_channel(&self, caller: &Caller, name: &str) -> Result<()> {
        caller.require_privileged()?;
        let app = caller.app();
        let channels = self.channels_of(app).await?;
        if channels.iter().all(|channel| channel.name != name) {
            return Err(invalid("name", "must be the name of a channel"));
        }
        if channels.len() == 1 {
            self.parts.directory.set(&caller.app_record().id, |settings| settings.push = false).await?;
        }
        let key = ChannelKey { app, name };
        let mut batch = Batch::new(key.home());
        batch.delete(&key);
        Ok(self.parts.store.commit(batch).await?)
    }

    /// The app's channels by name. What is secret about them is for privileged callers only.
    ///
    /// # Errors
    /// `Denied(Credential)` for anonymous callers.
    pub async fn channels(&self, caller: &Caller) -> Result<Vec<PushChannel>> {
        if !caller.is_privileged() {
            caller.user()?;
        }
        let channels = self.channels_of(caller.app()).await?;
        let shown = |channel: Arc<PushChannel>| match (caller.is_privileged(), PushChannel::clone(&channel)) {
            (true, channel) => channel,
            (false, channel) => PushChannel { app_secret: String::new(), certificate: String::new(), ..channel },
        };
        Ok(channels.into_iter().map(shown).collect())
    }

    pub(super) async fn channels_of(&self, app: AppNumber) -> Result<Vec<Arc<PushChannel>>> {
        let rows = self.parts.store.scan(Scan::<ChannelKey<'_>>::new(pushes(app), MOST)).await?;
        Ok(rows.into_iter().map(|row| Arc::new(row.record)).collect())
    }
}

/// The channel that a binding names, or else the first one of its provider, one for released apps before one for development.
pub(super) fn find_channel<'a>(
    channels: &'a [Arc<PushChannel>],
    binding: &store::PushBinding,
) -> Option<&'a Arc<PushChannel>> {
    let of_provider = || channels.iter().filter(|channel| channel.provider == binding.provider);
    of_provider()
        .find(|channel| !binding.channel.is_empty() && channel.name == binding.channel)
        .or_else(|| of_provider().min_by_key(|channel| channel.development))
}

fn check_channel(channel: &PushChannel) -> Result<()> {
    check_name("name", &channel.name, CHANNEL_LIMIT)?;
    let texts = [
        ("app_id", &channel.app_id),
        ("app_key", &channel.app_key),
        ("app_secret", &channel.app_secret),
        ("certificate", &channel.certificate),
        ("url", &channel.url),
    ];
    for (field, text) in texts {
        check_text(field, text, TEXT_LIMIT)?;
    }
    let needed: &[&str] = match channel.provider() {
        PushProvider::Apns => &["app_id", "app_key", "app_secret", "certificate"],
        PushProvider::Fcm => &["certificate"],
        PushProvider::Huawei | PushProvider::Xiaomi => &["app_id", "app_secret"],
        PushProvider::Oppo => &["app_key", "app_secret"],
        PushProvider::Vivo => &["app_id", "app_key", "app_secret"],
        PushProvider::Meizu => &["app_id", "app_secret"],
        PushProvider::Unspecified
        | PushProvider::Pushkit
        | PushProvider::Ng
        | PushProvider::Xinge
        | PushProvider::Jpush => return Err(invalid("provider", "must be one that notices can be sent over")),
    };
    match texts.iter().find(|(field, text)| text.is_empty() && needed.contains(field)) {
        Some((field, _)) => Err(invalid(field, "must not be empty")),
        None => Ok(()),
    }
}
