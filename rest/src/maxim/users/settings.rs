//! How users want to be treated. The document puts single values into the query, its clients put them into the body.

use domain::UserRef;
use domain::record::{FriendPolicy, User, UserSettings};
use domain::users::SettingsChange;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::own;
use crate::context::Cx;
use crate::input::{Anywhere, Json};
use crate::lenient;
use crate::maxim::{Error, Reply, u32_of};
use crate::names::number_of_user;

/// A user's settings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Settings {
    auth_answer: String,
    /// 0 anyone becomes a friend, 1 the user is asked, 2 a right answer is enough, 3 nobody.
    auth_mode: i32,
    auth_question: String,
    auto_download: bool,
    group_confirm: bool,
    id: u64,
    no_push: bool,
    no_push_detail: bool,
    no_push_end_hour: u32,
    no_push_start_hour: u32,
    no_sounds: bool,
    push_nick_name: String,
    push_token: String,
    silence_end_time: u32,
    silence_start_time: u32,
    user_id: u64,
    vibratory: bool,
}

/// What changes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct SettingsRequest {
    auth_answer: Option<String>,
    /// 0 anyone becomes a friend, 1 the user is asked, 2 a right answer is enough, 3 nobody.
    #[serde(deserialize_with = "lenient::opt_u64")]
    auth_mode: Option<u64>,
    auth_question: Option<String>,
    #[serde(deserialize_with = "lenient::opt_boolean")]
    auto_download: Option<bool>,
    #[serde(deserialize_with = "lenient::opt_boolean")]
    group_confirm: Option<bool>,
    #[serde(deserialize_with = "lenient::opt_boolean")]
    no_push: Option<bool>,
    #[serde(deserialize_with = "lenient::opt_boolean")]
    no_push_detail: Option<bool>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    no_push_end_hour: Option<u64>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    no_push_start_hour: Option<u64>,
    #[serde(deserialize_with = "lenient::opt_boolean")]
    no_sounds: Option<bool>,
    push_nick_name: Option<String>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    silence_end_time: Option<u64>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    silence_start_time: Option<u64>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    user_id: Option<u64>,
    #[serde(deserialize_with = "lenient::opt_boolean")]
    vibratory: Option<bool>,
}

/// A switch.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct Switch {
    /// `true`, `false`, 1 or 0.
    #[serde(deserialize_with = "lenient::boolean")]
    value: bool,
}

/// A number.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct Choice {
    #[serde(deserialize_with = "lenient::u64")]
    value: u64,
}

/// A text.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct Words {
    #[serde(deserialize_with = "lenient::string")]
    value: String,
}

/// From when to when.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct Hours {
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    no_push_end_hour: Option<u64>,
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    no_push_start_hour: Option<u64>,
}

/// `GET /user/settings`: one's settings.
pub(crate) async fn get(cx: Cx, (): ()) -> Reply<Settings> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Id(own(&cx)?)).await?;
    Ok(Settings::from(&user))
}

/// `POST|PUT /user/settings`: changes one's settings.
pub(crate) async fn update(cx: Cx, Json(req): Json<SettingsRequest>) -> Reply<bool> {
    if let Some(number) = req.user_id {
        // An admin who means somebody else says so in the header; changing one's own settings instead would go unnoticed.
        let meant = cx.domain.users.find(&cx.caller, &UserRef::Number(number)).await?;
        if meant.id != own(&cx)?.0 {
            return Err(Error::parameter("user_id: must be the caller's"));
        }
    }
    set(&cx, req.into_change()?).await
}

/// `POST|PUT /user/authmode`: sets how friend requests are answered.
pub(crate) async fn auth_mode(cx: Cx, Anywhere(req): Anywhere<Choice>) -> Reply<bool> {
    let friend_policy = Some(policy_of("value", req.value)?);
    set(&cx, SettingsChange { friend_policy, ..SettingsChange::default() }).await
}

/// `POST|PUT /user/download`: sets whether clients fetch pictures and files by themselves.
pub(crate) async fn download(cx: Cx, Anywhere(req): Anywhere<Switch>) -> Reply<bool> {
    set(&cx, SettingsChange { auto_download: Some(req.value), ..SettingsChange::default() }).await
}

/// `POST|PUT /user/push`: sets whether pushes are off.
pub(crate) async fn push(cx: Cx, Anywhere(req): Anywhere<Switch>) -> Reply<bool> {
    set(&cx, SettingsChange { no_push: Some(req.value), ..SettingsChange::default() }).await
}

/// `POST|PUT /user/push/detail`: sets whether pushes leave out what was said.
pub(crate) async fn push_detail(cx: Cx, Anywhere(req): Anywhere<Switch>) -> Reply<bool> {
    set(&cx, SettingsChange { no_push_detail: Some(req.value), ..SettingsChange::default() }).await
}

/// `POST|PUT /user/push/limit`: sets when pushes pause.
pub(crate) async fn push_limit(cx: Cx, Anywhere(req): Anywhere<Hours>) -> Reply<bool> {
    let no_push_start_hour = number_of("no_push_start_hour", req.no_push_start_hour)?;
    let no_push_end_hour = number_of("no_push_end_hour", req.no_push_end_hour)?;
    set(&cx, SettingsChange { no_push_start_hour, no_push_end_hour, ..SettingsChange::default() }).await
}

/// `POST|PUT /user/push/nickname`: sets the name that pushes to others show.
pub(crate) async fn push_nickname(cx: Cx, Anywhere(req): Anywhere<Words>) -> Reply<bool> {
    set(&cx, SettingsChange { push_nick_name: Some(req.value), ..SettingsChange::default() }).await
}

/// `POST|PUT /user/sounds`: sets whether messages make no sound.
pub(crate) async fn sounds(cx: Cx, Anywhere(req): Anywhere<Switch>) -> Reply<bool> {
    set(&cx, SettingsChange { no_sounds: Some(req.value), ..SettingsChange::default() }).await
}

/// `POST|PUT /user/vibratory`: sets whether messages make devices vibrate.
pub(crate) async fn vibratory(cx: Cx, Anywhere(req): Anywhere<Switch>) -> Reply<bool> {
    set(&cx, SettingsChange { vibratory: Some(req.value), ..SettingsChange::default() }).await
}

async fn set(cx: &Cx, change: SettingsChange) -> Reply<bool> {
    cx.domain.users.update_settings(&cx.caller, own(cx)?, change).await?;
    Ok(true)
}

fn policy_of(field: &'static str, number: u64) -> Reply<FriendPolicy> {
    let policy = i32::try_from(number).ok().and_then(|number| FriendPolicy::try_from(number).ok());
    policy.ok_or_else(|| Error::parameter(format!("{field}: must be 0, 1, 2 or 3")))
}

fn number_of(field: &'static str, number: Option<u64>) -> Reply<Option<u32>> {
    number.map(|number| u32_of(field, number)).transpose()
}

impl SettingsRequest {
    fn into_change(self) -> Reply<SettingsChange> {
        Ok(SettingsChange {
            friend_policy: self.auth_mode.map(|mode| policy_of("auth_mode", mode)).transpose()?,
            auth_question: self.auth_question,
            auth_answer: self.auth_answer,
            auto_download: self.auto_download,
            group_confirm: self.group_confirm,
            no_push: self.no_push,
            no_push_detail: self.no_push_detail,
            no_push_start_hour: number_of("no_push_start_hour", self.no_push_start_hour)?,
            no_push_end_hour: number_of("no_push_end_hour", self.no_push_end_hour)?,
            no_sounds: self.no_sounds,
            push_nick_name: self.push_nick_name,
            silence_start_hour: number_of("silence_start_time", self.silence_start_time)?,
            silence_end_hour: number_of("silence_end_time", self.silence_end_time)?,
            vibratory: self.vibratory,
            ..SettingsChange::default()
        })
    }
}

impl Settings {
    /// With what Linnet calls one of the user's devices.
    pub(crate) fn with_push_token(self, push_token: String) -> Self {
        Self { push_token, ..self }
    }
}

impl From<&User> for Settings {
    fn from(user: &User) -> Self {
        let user_id = number_of_user(user);
        let stored: UserSettings = user.settings.clone().unwrap_or_default();
        Self {
            auth_answer: stored.auth_answer,
            auth_mode: stored.friend_policy,
            auth_question: stored.auth_question,
            auto_download: stored.auto_download,
            group_confirm: stored.group_confirm,
            id: user_id,
            no_push: stored.no_push,
            no_push_detail: stored.no_push_detail,
            no_push_end_hour: stored.no_push_end_hour,
            no_push_start_hour: stored.no_push_start_hour,
            no_sounds: stored.no_sounds,
            push_nick_name: stored.push_nick_name,
            push_token: String::new(),
            silence_end_time: stored.silence_end_hour,
            silence_start_time: stored.silence_start_hour,
            user_id,
            vibratory: stored.vibratory,
        }
    }
}
