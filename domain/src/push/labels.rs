//! Labels: tags of users, and aliases of users and devices.

use proto::store;
use storage::{Batch, Key};

use super::keys::{LabelKey, LabelledKey};
use super::{Push, invalid};
use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{AppNumber, UserId};
use crate::text::check_name;

/// Longest label, in bytes.
const LABEL_LIMIT: usize = 128;

impl Push {
    /// The caller's tags, in the order in which they came.
    ///
    /// # Errors
    /// What the store says.
    pub async fn tags(&self, caller: &Caller) -> Result<Vec<String>> {
        let key = super::keys::UserKey { app: caller.app(), user: caller.user()? };
        Ok(self.parts.store.get(&key).await?.unwrap_or_default().tags)
    }

    /// Adds tags to the caller; those that are there already stay.
    ///
    /// A crash in between leaves rows that find a user who does not carry the tag, and who is passed over.
    ///
    /// # Errors
    /// `Invalid` for a tag, and for too many of them; `NotFound(User)`.
    pub async fn add_tags(&self, caller: &Caller, tags: &[String]) -> Result<()> {
        let most = self.parts.config.push_tags;
        let too_many = || invalid("tags", format!("a user has at most {most}"));
        if tags.len() > most {
            return Err(too_many());
        }
        tags.iter().try_for_each(|tag| check_name("tags", tag, LABEL_LIMIT))?;
        let (app, user) = (caller.app(), self.own(caller).await?);
        for tag in tags {
            self.label(app, LabelKey::Tag(tag), user, "").await?;
        }
        self.change_user(app, user, |row| {
            for tag in tags {
                if !row.tags.contains(tag) {
                    row.tags.push(tag.clone());
                }
            }
            if row.tags.len() > most { Err(too_many()) } else { Ok(()) }
        })
        .await
    }

    /// Takes tags from the caller; `None` takes all.
    ///
    /// # Errors
    /// What the store says.
    pub async fn remove_tags(&self, caller: &Caller, tags: Option<&[String]>) -> Result<()> {
        let (app, user) = (caller.app(), caller.user()?);
        let removed = self
            .change_user(app, user, |row| {
                let is_meant = |tag: &String| tags.is_none_or(|tags| tags.contains(tag));
                let (removed, kept) = std::mem::take(&mut row.tags).into_iter().partition::<Vec<_>, _>(is_meant);
                row.tags = kept;
                Ok(removed)
            })
            .await?;
        for tag in &removed {
            self.unlabel(app, LabelKey::Tag(tag), user, "").await?;
        }
        Ok(())
    }

    /// Gives the caller another alias: the user, or one device, which `push_token` names. Several users and devices may have the same one.
    /// An empty alias takes away the one that was there.
    ///
    /// # Errors
    /// `Invalid` for the alias, and for a token that is no device of the caller's.
    pub async fn set_alias(&self, caller: &Caller, alias: &str, push_token: Option<&str>) -> Result<()> {
        if !alias.is_empty() {
            check_name("alias", alias, LABEL_LIMIT)?;
        }
        let (app, user) = (caller.app(), self.own(caller).await?);
        let device = match push_token {
            None => String::new(),
            Some(token) => {
                let devices = self.devices_of(app, user).await?;
                let found = devices.into_iter().find(|device| device.push_token == token);
                found.ok_or_else(|| invalid("push_token", "must be of a device of the caller's"))?.name
            }
        };
        if !alias.is_empty() {
            self.label(app, LabelKey::Alias(alias), user, &device).await?;
        }
        let before = if device.is_empty() {
            self.change_user(app, user, |row| Ok(std::mem::replace(&mut row.alias, alias.to_owned()))).await?
        } else {
            self.change_device(app, user, &device, |row| std::mem::replace(&mut row.alias, alias.to_owned())).await?
        };
        if !before.is_empty() && before != alias {
            self.unlabel(app, LabelKey::Alias(&before), user, &device).await?;
        }
        Ok(())
    }

    async fn label(&self, app: AppNumber, label: LabelKey<'_>, user: UserId, device: &str) -> Result<()> {
        let key = LabelledKey { app, label, user, device };
        let mut batch = Batch::new(key.home());
        batch.put(&key, &store::PushLabelled { user: user.0, device: device.to_owned() });
        Ok(self.parts.store.commit(batch).await?)
    }

    async fn unlabel(&self, app: AppNumber, label: LabelKey<'_>, user: UserId, device: &str) -> Result<()> {
        let key = LabelledKey { app, label, user, device };
        let mut batch = Batch::new(key.home());
        batch.delete(&key);
        Ok(self.parts.store.commit(batch).await?)
    }
}
