//! How users want to be treated: who may become a friend, what makes a sound, when to be left alone.

use proto::store::{self, FriendPolicy, UserSettings};
use storage::{Batch, Key};

use super::{UserKey, Users, require_self_or_privileged};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::ids::UserId;
use crate::retry::Tries;
use crate::text::check_text;

/// The last hour that a quiet time may name: the end of the day.
const LAST_HOUR: u32 = 24;

/// Changes to settings; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct SettingsChange {
    /// How friend requests are answered.
    pub friend_policy: Option<FriendPolicy>,
    /// What to ask whoever wants to be a friend.
    pub auth_question: Option<String>,
    /// What the right answer is.
    pub auth_answer: Option<String>,
    /// Whether clients fetch pictures and files by themselves.
    pub auto_download: Option<bool>,
    /// Whether being added to a group needs the user's consent.
    pub group_confirm: Option<bool>,
    /// Whether nothing is pushed to sleeping devices.
    pub no_push: Option<bool>,
    /// Whether pushes leave out what was said.
    pub no_push_detail: Option<bool>,
    /// When pushes pause, as an hour of the day.
    pub no_push_start_hour: Option<u32>,
    /// When pushes go on.
    pub no_push_end_hour: Option<u32>,
    /// Whether messages make no sound.
    pub no_sounds: Option<bool>,
    /// The name that pushes to others show.
    pub push_nick_name: Option<String>,
    /// From when pushes come without a sound.
    pub silence_start_hour: Option<u32>,
    /// Until when.
    pub silence_end_hour: Option<u32>,
    /// Whether messages make devices vibrate.
    pub vibratory: Option<bool>,
    /// Whether the user may not ask for friends. The app's to decide.
    pub may_not_befriend: Option<bool>,
}

impl Users {
    /// Changes settings: one's own, or anyone's for a privileged caller.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`, `Invalid`.
    pub async fn update_settings(&self, caller: &Caller, user: UserId, change: SettingsChange) -> Result<UserSettings> {
        require_self_or_privileged(caller, user)?;
        if change.may_not_befriend.is_some() {
            caller.require_privileged()?;
        }
        self.check_settings(&change)?;
        let key = UserKey { app: caller.app(), user };
        let mut tries = Tries::default();
        loop {
            let old = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::User))?;
            let settings = changed(old.settings.clone().unwrap_or_default(), &change);
            let new = store::User { settings: Some(settings.clone()), ..old.clone() };
            if new == old {
                return Ok(settings);
            }
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, Some(&old)).put(&key, &new);
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok(settings);
            }
        }
    }

    fn check_settings(&self, change: &SettingsChange) -> Result<()> {
        let hours = [
            ("no_push_start_hour", change.no_push_start_hour),
            ("no_push_end_hour", change.no_push_end_hour),
            ("silence_start_hour", change.silence_start_hour),
            ("silence_end_hour", change.silence_end_hour),
        ];
        if let Some((field, _)) = hours.into_iter().find(|(_, hour)| hour.is_some_and(|hour| hour > LAST_HOUR)) {
            return Err(Error::Invalid { field, message: format!("must be an hour, 0 to {LAST_HOUR}") });
        }
        let texts = [
            ("auth_question", &change.auth_question, self.limits.text),
            ("auth_answer", &change.auth_answer, self.limits.text),
            ("push_nick_name", &change.push_nick_name, self.limits.name),
        ];
        texts
            .into_iter()
            .try_for_each(|(field, text, most)| check_text(field, text.as_deref().unwrap_or_default(), most))
    }
}

fn changed(mut settings: UserSettings, change: &SettingsChange) -> UserSettings {
    let switches = [
        (&mut settings.auto_download, change.auto_download),
        (&mut settings.group_confirm, change.group_confirm),
        (&mut settings.no_push, change.no_push),
        (&mut settings.no_push_detail, change.no_push_detail),
        (&mut settings.no_sounds, change.no_sounds),
        (&mut settings.vibratory, change.vibratory),
        (&mut settings.may_not_befriend, change.may_not_befriend),
    ];
    for (switch, on) in switches {
        *switch = on.unwrap_or(*switch);
    }
    let hours = [
        (&mut settings.no_push_start_hour, change.no_push_start_hour),
        (&mut settings.no_push_end_hour, change.no_push_end_hour),
        (&mut settings.silence_start_hour, change.silence_start_hour),
        (&mut settings.silence_end_hour, change.silence_end_hour),
    ];
    for (hour, new) in hours {
        *hour = new.unwrap_or(*hour);
    }
    let texts = [
        (&mut settings.auth_question, &change.auth_question),
        (&mut settings.auth_answer, &change.auth_answer),
        (&mut settings.push_nick_name, &change.push_nick_name),
    ];
    for (text, new) in texts {
        if let Some(new) = new {
            text.clone_from(new);
        }
    }
    if let Some(policy) = change.friend_policy {
        settings.friend_policy = policy.into();
    }
    settings
}
