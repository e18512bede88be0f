//! What users tell of themselves.

use proto::store;
use storage::{Batch, Key};

use super::{UserKey, Users, require_self_or_privileged, seen_by};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::ids::UserId;
use crate::retry::Tries;
use crate::text::check_text;

/// Changes to a profile; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// Name to show.
    pub name: Option<String>,
    /// URL of a picture.
    pub avatar: Option<String>,
    /// 0 unknown, 1 male, 2 female.
    pub gender: Option<u32>,
    /// A motto.
    pub signature: Option<String>,
    /// The app's own, seen by all.
    pub extension: Option<String>,
    /// The app's own, seen by the user alone.
    pub private_extension: Option<String>,
    /// Phone number.
    pub mobile: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Birthday, as the app writes it.
    pub birth: Option<String>,
    /// Where the user is, as the app writes it.
    pub location: Option<String>,
    /// Language, as the app writes it.
    pub language: Option<String>,
    /// Another name, as tenured keeps it.
    pub alias: Option<String>,
    /// Further fields of one dialect, as JSON.
    pub attributes: Option<String>,
    /// A number of the app's own.
    pub level: Option<u32>,
    /// A number of the app's own.
    pub role: Option<u32>,
    /// A number of the app's own.
    pub message_settings: Option<u32>,
    /// tim's custom fields, as a JSON object of texts.
    pub custom_fields: Option<String>,
    /// Whether mobile and mail address must be nobody else's: for systems that log in by them.
    pub exclusive: bool,
}

impl Users {
    /// Changes a profile: one's own, or anyone's for a privileged caller.
    ///
    /// What finds the user by the new name, mobile and mail address is written before, and what did by the old ones removed after.
    /// A crash in between leaves rows that lead to a user who is not called so; whoever searches passes over them.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`, `Invalid`; `Exists(Mobile)`, `Exists(Email)` where they must be nobody else's.
    pub async fn update(&self, caller: &Caller, user: UserId, change: ProfileChange) -> Result<store::User> {
        require_self_or_privileged(caller, user)?;
        let mut tries = Tries::default();
        let key = UserKey { app: caller.app(), user };
        loop {
            let old = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::User))?;
            let before = old.profile.clone().unwrap_or_default();
            let after = changed(&before, &change);
            if after == before {
                return Ok(seen_by(caller, old));
            }
            self.check_profile(&after)?;
            if change.exclusive {
                self.require_sole(key.app, Some(user), &after).await?;
            }
            let stale = self.list_anew(key.app, user, &before, &after).await?;
            let now = self.clock.now().0;
            let new = store::User { profile: Some(after.clone()), updated: now, ..old.clone() };
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, Some(&old)).put(&key, &new);
            if tries.settled(self.store.commit(batch).await).await? {
                self.unlist(stale).await?;
                return Ok(seen_by(caller, new));
            }
        }
    }

    pub(super) fn check_profile(&self, profile: &store::Profile) -> Result<()> {
        check_text("name", &profile.name, self.limits.name)?;
        if profile.gender > 2 {
            return Err(Error::Invalid { field: "gender", message: "0, 1 or 2".to_owned() });
        }
        let texts = [
            ("avatar", &profile.avatar),
            ("signature", &profile.signature),
            ("extension", &profile.extension),
            ("private_extension", &profile.private_extension),
            ("mobile", &profile.mobile),
            ("email", &profile.email),
            ("birth", &profile.birth),
            ("location", &profile.location),
            ("language", &profile.language),
            ("alias", &profile.alias),
            ("external_id", &profile.external_id),
            ("attributes", &profile.attributes),
            ("custom_fields", &profile.custom_fields),
        ];
        texts.into_iter().try_for_each(|(field, text)| check_text(field, text, self.limits.text))
    }
}

fn changed(before: &store::Profile, change: &ProfileChange) -> store::Profile {
    let mut profile = before.clone();
    let texts = [
        (&mut profile.name, &change.name),
        (&mut profile.avatar, &change.avatar),
        (&mut profile.signature, &change.signature),
        (&mut profile.extension, &change.extension),
        (&mut profile.private_extension, &change.private_extension),
        (&mut profile.mobile, &change.mobile),
        (&mut profile.email, &change.email),
        (&mut profile.birth, &change.birth),
        (&mut profile.location, &change.location),
        (&mut profile.language, &change.language),
        (&mut profile.alias, &change.alias),
        (&mut profile.attributes, &change.attributes),
        (&mut profile.custom_fields, &change.custom_fields),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            field.clone_from(text);
        }
    }
    let numbers = [
        (&mut profile.gender, change.gender),
        (&mut profile.level, change.level),
        (&mut profile.role, change.role),
        (&mut profile.message_settings, change.message_settings),
    ];
    for (field, number) in numbers {
        *field = number.unwrap_or(*field);
    }
    profile
}
