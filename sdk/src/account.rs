//! The caller's own account: what others do not see of it, how the caller wants to be treated, the password.

use proto::wire::frame::Body;
use proto::wire::{self, ChangePassword, GetProfile, GetSettings, UpdateSettings};

/// How a user answers requests to become a friend.
pub use proto::wire::FriendPolicy;

use crate::client::Client;
use crate::error::Result;
use crate::users::User;

/// The caller's own profile, with what others do not see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// As everybody sees the caller.
    pub user: User,
    /// Login name; empty where there is none.
    pub username: String,
    /// The app's own, for the caller alone.
    pub private_extension: String,
    /// Phone number.
    pub mobile: String,
    /// Mail address.
    pub email: String,
    /// Birthday, as the app writes it.
    pub birth: String,
    /// Where the caller is, as the app writes it.
    pub location: String,
    /// Language, as the app writes it.
    pub language: String,
    /// Unix milliseconds.
    pub created: i64,
}

impl From<wire::Profile> for Profile {
    fn from(wire: wire::Profile) -> Self {
        Self {
            user: wire.user.map(User::from).unwrap_or_default(),
            username: wire.username,
            private_extension: wire.private_extension,
            mobile: wire.mobile,
            email: wire.email,
            birth: wire.birth,
            location: wire.location,
            language: wire.language,
            created: wire.created,
        }
    }
}

/// How the caller wants to be treated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// How requests to become a friend are answered.
    pub friend_policy: FriendPolicy,
    /// What to ask whoever wants to be a friend.
    pub question: String,
    /// What the right answer is.
    pub answer: String,
    /// Being added to a group needs the caller's consent: an invitation waits for the answer.
    pub group_confirm: bool,
    /// Clients fetch pictures and files by themselves.
    pub auto_download: bool,
    /// Nothing is pushed to devices that are not connected.
    pub no_push: bool,
    /// Pushes leave out what was said.
    pub no_push_detail: bool,
    /// When pushes pause: an hour of the day, 0 to 24.
    pub no_push_start_hour: u32,
    /// When they go on. Equal to the start: never paused.
    pub no_push_end_hour: u32,
    /// Messages make no sound.
    pub no_sounds: bool,
    /// From when pushes come without a sound: an hour of the day, 0 to 24.
    pub silence_start_hour: u32,
    /// Until when. Equal to the start: never.
    pub silence_end_hour: u32,
    /// Messages make devices vibrate.
    pub vibratory: bool,
    /// The name that pushes to others show.
    pub push_name: String,
    /// The app forbids the caller to ask for friends. Only the app can change that.
    pub may_not_befriend: bool,
}

impl From<wire::Settings> for Settings {
    fn from(wire: wire::Settings) -> Self {
        Self {
            friend_policy: wire.friend_policy(),
            question: wire.question,
            answer: wire.answer,
            group_confirm: wire.group_confirm,
            auto_download: wire.auto_download,
            no_push: wire.no_push,
            no_push_detail: wire.no_push_detail,
            no_push_start_hour: wire.no_push_start_hour,
            no_push_end_hour: wire.no_push_end_hour,
            no_sounds: wire.no_sounds,
            silence_start_hour: wire.silence_start_hour,
            silence_end_hour: wire.silence_end_hour,
            vibratory: wire.vibratory,
            push_name: wire.push_name,
            may_not_befriend: wire.may_not_befriend,
        }
    }
}

/// Changes to [`Settings`], field by field. `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingsChange {
    /// See [`Settings::friend_policy`].
    pub friend_policy: Option<FriendPolicy>,
    /// See [`Settings::question`].
    pub question: Option<String>,
    /// See [`Settings::answer`].
    pub answer: Option<String>,
    /// See [`Settings::group_confirm`].
    pub group_confirm: Option<bool>,
    /// See [`Settings::auto_download`].
    pub auto_download: Option<bool>,
    /// See [`Settings::no_push`].
    pub no_push: Option<bool>,
    /// See [`Settings::no_push_detail`].
    pub no_push_detail: Option<bool>,
    /// See [`Settings::no_push_start_hour`].
    pub no_push_start_hour: Option<u32>,
    /// See [`Settings::no_push_end_hour`].
    pub no_push_end_hour: Option<u32>,
    /// See [`Settings::no_sounds`].
    pub no_sounds: Option<bool>,
    /// See [`Settings::silence_start_hour`].
    pub silence_start_hour: Option<u32>,
    /// See [`Settings::silence_end_hour`].
    pub silence_end_hour: Option<u32>,
    /// See [`Settings::vibratory`].
    pub vibratory: Option<bool>,
    /// See [`Settings::push_name`].
    pub push_name: Option<String>,
}

impl Client {
    /// The caller's own profile, with what others do not see.
    pub async fn profile(&self) -> Result<Profile> {
        Ok(answer!(self, Body::GetProfile(GetProfile {}), Profile).into())
    }

    /// How the caller wants to be treated.
    pub async fn settings(&self) -> Result<Settings> {
        Ok(answer!(self, Body::GetSettings(GetSettings {}), Settings).into())
    }

    /// Changes the caller's settings; answers all of them as they are then.
    pub async fn update_settings(&self, change: SettingsChange) -> Result<Settings> {
        let update = UpdateSettings {
            friend_policy: change.friend_policy.map(i32::from),
            question: change.question,
            answer: change.answer,
            group_confirm: change.group_confirm,
            auto_download: change.auto_download,
            no_push: change.no_push,
            no_push_detail: change.no_push_detail,
            no_push_start_hour: change.no_push_start_hour,
            no_push_end_hour: change.no_push_end_hour,
            no_sounds: change.no_sounds,
            silence_start_hour: change.silence_start_hour,
            silence_end_hour: change.silence_end_hour,
            vibratory: change.vibratory,
            push_name: change.push_name,
        };
        Ok(answer!(self, Body::UpdateSettings(update), Settings).into())
    }

    /// Changes the password that the caller logs in with at the app's server.
    ///
    /// Every token of the caller's is void then, this client's too: it is closed, and the call may end with
    /// [`Error::Kicked`](crate::Error::Kicked) although the password was changed. A wrong old password is
    /// [`Error::Invalid`](crate::Error::Invalid) with the field `old`, and the client goes on.
    pub async fn change_password(&self, old: &str, new: &str) -> Result<()> {
        self.ask_ok(Body::ChangePassword(ChangePassword { old: old.to_owned(), new: new.to_owned() })).await
    }
}
