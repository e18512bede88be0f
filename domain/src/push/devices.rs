//! Devices: what a user is reached on, and what providers call it.
//!
//! A token belongs to whoever bound it last, since a phone changes hands and accounts: its owner row tells, and bindings elsewhere are void.

use proto::store::{self, PushProvider};
use storage::{Batch, Key, Scan, State};

use super::keys::{DeviceKey, OwnerKey, ReachedKey};
use super::{Push, invalid};
use crate::caller::{Caller, Subject};
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::retry::Tries;
use crate::secret::derived_text;
use crate::tables;
use crate::text::check_text;
use crate::users::NewUser;

/// Longest name of a device, in bytes.
const NAME_LIMIT: usize = 64;
/// Longest token of a provider, in bytes; real ones stay below 512.
const TOKEN_LIMIT: usize = 1_024;
/// Longest name of a channel, in bytes.
pub(super) const CHANNEL_LIMIT: usize = 128;
/// Characters of a token of our own.
const OWN_TOKEN: usize = 32;

/// How a caller names a device of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceRef<'a> {
    /// Not at all: the one device that systems know who know no devices.
    Unnamed,
    /// By its id.
    Id(&'a str),
    /// By its [`serial`](crate::devices::serial) number.
    Serial(u32),
}

/// What a provider calls a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Whose token it is; unspecified for the provider of the channel, which is then named.
    pub provider: PushProvider,
    /// The token: 1 to 1024 bytes.
    pub token: String,
    /// Name of the app's channel; empty for the first one of the provider.
    pub channel: String,
}

impl Push {
    /// Binds a provider's token to a device of the caller's, in the place of an earlier one of the same provider.
    ///
    /// Three homes change: the token's owner, the list of whom the app reaches, then the device. A crash in between leaves a token that
    /// nobody is reached by; the same call once more completes it.
    ///
    /// # Errors
    /// `Invalid` for the device's name, the token, the channel's name, and too many devices; `NotFound(User)`.
    pub async fn bind(&self, caller: &Caller, device: DeviceRef<'_>, mut binding: Binding) -> Result<()> {
        if binding.token.is_empty() {
            return Err(invalid("token", "must not be empty"));
        }
        if binding.provider == PushProvider::Unspecified {
            let channels = self.channels_of(caller.app()).await?;
            let named = channels.iter().find(|channel| channel.name == binding.channel);
            binding.provider = named.ok_or_else(|| invalid("channel", "must be one that the app has"))?.provider();
        }
        check_text("token", &binding.token, TOKEN_LIMIT)?;
        check_text("channel", &binding.channel, CHANNEL_LIMIT)?;
        let user = self.own(caller).await?;
        let app = caller.app();
        let device = self.name_of(caller, user, device).await?;
        self.own_token(app, OwnerKey::new(app, binding.provider, &binding.token), user, &device).await?;
        self.reach(app, user).await?;
        let row = store::PushBinding {
            provider: binding.provider as i32,
            token: binding.token,
            channel: binding.channel,
            bound: self.parts.clock.now().0,
        };
        self.change_device(app, user, &device, |kept| {
            kept.bindings.retain(|bound| bound.provider != row.provider);
            kept.bindings.push(row.clone());
        })
        .await
    }

    /// Forgets what providers call a device of the caller's; what is forgotten already stays so.
    ///
    /// # Errors
    /// What the store says.
    pub async fn unbind_device(&self, caller: &Caller, device: DeviceRef<'_>) -> Result<()> {
        let user = caller.user()?;
        let device = self.name_of(caller, user, device).await?;
        self.forget(caller.app(), user, &device, |_| true).await
    }

    /// Forgets a provider's token, whichever device of the caller's it is bound to.
    ///
    /// # Errors
    /// What the store says.
    pub async fn unbind_token(&self, caller: &Caller, provider: PushProvider, token: &str) -> Result<()> {
        let (app, user) = (caller.app(), caller.user()?);
        let owner = self.parts.store.get(&OwnerKey::new(app, provider, token)).await?;
        let Some(owner) = owner.filter(|owner| owner.user == user.0) else { return Ok(()) };
        self.forget(app, user, &owner.device, |bound| bound.provider() == provider && bound.token == token).await
    }

    /// Forgets a token of which its provider said that it is no longer good.
    ///
    /// # Errors
    /// What the store says.
    pub async fn expired(&self, app: AppNumber, delivery: &super::Delivery) -> Result<()> {
        let is_it = |bound: &store::PushBinding| bound.token == delivery.token;
        self.forget(app, delivery.user, &delivery.device, is_it).await
    }

    /// What Linnet calls a device of the caller's: always the same text. The device is noted, so that notices can be sent to it.
    ///
    /// # Errors
    /// `Invalid` for the device's name, and too many devices; `NotFound(User)`.
    pub async fn register_device(&self, caller: &Caller, device: &str) -> Result<String> {
        if device.is_empty() {
            return Err(invalid("device", "must not be empty"));
        }
        let user = self.own(caller).await?;
        let app = caller.app();
        let label = [&b"push"[..], &user.0.to_be_bytes(), device.as_bytes()].join(&0);
        let token = derived_text(&caller.app_record().signing_key, &label, OWN_TOKEN);
        self.own_token(app, OwnerKey::new(app, PushProvider::Unspecified, &token), user, device).await?;
        self.reach(app, user).await?;
        self.change_device(app, user, device, |kept| kept.push_token.clone_from(&token)).await?;
        Ok(token)
    }

    /// Makes a user who only gets pushes, with a device and an alias where they are given; tells the user, and what Linnet calls the device,
    /// or nothing.
    ///
    /// The user comes first. A crash in between leaves one without device or alias, whom nothing reaches.
    ///
    /// # Errors
    /// As [`crate::users::Users::create`]; `Invalid` for the device and the alias.
    pub async fn register(
        &self,
        caller: &Caller,
        new: NewUser,
        device: Option<&str>,
        alias: Option<&str>,
    ) -> Result<(store::User, String)> {
        let user = self.parts.users.create(caller, new).await?;
        let id = UserId(user.id);
        let subject = Subject::User { id, admin: false, platform: 0, acted_for: false };
        let own = Caller::new(caller.app_shared().clone(), subject);
        let token = match device {
            Some(device) => self.register_device(&own, device).await?,
            None => String::new(),
        };
        if let Some(alias) = alias {
            self.set_alias(&own, alias, Some(token.as_str()).filter(|token| !token.is_empty())).await?;
        }
        Ok((user, token))
    }

    /// What a device is kept under: its id. A number that no device of the user's has stands for itself, since a phone may be bound before it
    /// has ever been connected.
    async fn name_of(&self, caller: &Caller, user: UserId, device: DeviceRef<'_>) -> Result<String> {
        let number = match device {
            DeviceRef::Unnamed => return Ok(String::new()),
            DeviceRef::Id(id) => return Ok(id.to_owned()),
            DeviceRef::Serial(number) => number,
        };
        match self.parts.devices.find_by_serial(caller, user, number).await {
            Ok(device) => Ok(device.device_id),
            Err(Error::NotFound(Noun::Device)) => Ok(format!("sn:{number}")),
            Err(error) => Err(error),
        }
    }

    /// The caller's devices, by their names.
    ///
    /// # Errors
    /// What the store says.
    pub async fn devices(&self, caller: &Caller) -> Result<Vec<store::PushDevice>> {
        self.devices_of(caller.app(), caller.user()?).await
    }

    pub(super) async fn devices_of(&self, app: AppNumber, user: UserId) -> Result<Vec<store::PushDevice>> {
        let most = self.parts.config.push_devices + 1;
        let rows = self.parts.store.scan(Scan::<DeviceKey<'_>>::new(tables::user(app, user), most)).await?;
        Ok(rows.into_iter().map(|row| row.record).collect())
    }

    /// Changes a device's row, which is made if there is none.
    pub(super) async fn change_device<T>(
        &self,
        app: AppNumber,
        user: UserId,
        device: &str,
        change: impl Fn(&mut store::PushDevice) -> T,
    ) -> Result<T> {
        check_text("device", device, NAME_LIMIT)?;
        let key = DeviceKey { app, user, device };
        let mut tries = Tries::default();
        loop {
            let old = self.parts.store.get(&key).await?;
            let most = self.parts.config.push_devices;
            if old.is_none() && self.devices_of(app, user).await?.len() >= most {
                return Err(invalid("device", format!("a user has at most {most}")));
            }
            let mut new = old.clone().unwrap_or_default();
            device.clone_into(&mut new.name);
            let told = change(&mut new);
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, old.as_ref()).put(&key, &new);
            if old.as_ref() == Some(&new) || tries.settled(self.parts.store.commit(batch).await).await? {
                return Ok(told);
            }
        }
    }

    /// Removes bindings of a device, then the rows that find it by their tokens. A device with nothing left goes too.
    async fn forget(
        &self,
        app: AppNumber,
        user: UserId,
        device: &str,
        which: impl Fn(&store::PushBinding) -> bool,
    ) -> Result<()> {
        let key = DeviceKey { app, user, device };
        let mut tries = Tries::default();
        let gone = loop {
            let Some(old) = self.parts.store.get(&key).await? else { return Ok(()) };
            let (gone, kept): (Vec<_>, Vec<_>) = old.bindings.clone().into_iter().partition(&which);
            let new = store::PushDevice { bindings: kept, ..old.clone() };
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, Some(&old));
            if new.bindings.is_empty() && new.push_token.is_empty() && new.alias.is_empty() {
                batch.delete(&key);
            } else {
                batch.put(&key, &new);
            }
            if new == old || tries.settled(self.parts.store.commit(batch).await).await? {
                break gone;
            }
        };
        for binding in gone {
            let owner = OwnerKey::new(app, binding.provider(), &binding.token);
            let ours = store::PushOwner { user: user.0, device: device.to_owned() };
            let mut batch = Batch::new(owner.home());
            batch.expect_unchanged(&owner, Some(&ours)).delete(&owner);
            match self.parts.store.commit(batch).await {
                // Somebody else has bound it since.
                Ok(()) | Err(storage::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn own_token(&self, app: AppNumber, key: OwnerKey, user: UserId, device: &str) -> Result<()> {
        debug_assert_eq!(key.app, app, "a token is found within its app");
        check_text("device", device, NAME_LIMIT)?;
        let mut batch = Batch::new(key.home());
        batch.put(&key, &store::PushOwner { user: user.0, device: device.to_owned() });
        Ok(self.parts.store.commit(batch).await?)
    }

    /// Puts a user onto the list of those whom a notice to all goes to.
    async fn reach(&self, app: AppNumber, user: UserId) -> Result<()> {
        let key = ReachedKey { app, user };
        let mut batch = Batch::new(key.home());
        batch.expect(&key, State::Absent).put(&key, &store::PushReached { user: user.0 });
        match self.parts.store.commit(batch).await {
            Ok(()) | Err(storage::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
