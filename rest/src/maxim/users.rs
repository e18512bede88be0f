//! Registering, and users' own data.

use domain::UserRef;
use domain::record::{User, UserSettings};
use domain::users::NewUser;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Error, Reply};
use crate::context::{Anonymous, Cx};
use crate::input::Json;
use crate::names::number_of_user;

/// Who registers.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RegisterRequest {
    /// Letters (of any script), digits and underscores; not all digits; does not begin with `maxim` or `mta`.
    username: String,
    password: String,
}

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

/// A user, as the user sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Profile {
    avatar: String,
    description: String,
    email: String,
    mobile: String,
    nick_name: String,
    private_info: String,
    public_info: String,
    user_id: u64,
    username: String,
}

/// `POST /user/register/v2`: makes a user.
pub(crate) async fn register(cx: Anonymous, Json(req): Json<RegisterRequest>) -> Reply<Settings> {
    check_registrant(&req)?;
    let (username, password) = (Some(req.username), Some(req.password));
    let user = cx.domain.users.create(&cx.nobody, NewUser { username, password, ..NewUser::default() }).await?;
    Ok(settings(&user))
}

/// `GET /user/profile`: one's own data.
pub(crate) async fn profile(cx: Cx, (): ()) -> Reply<Profile> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Id(cx.caller.user()?)).await?;
    let user_id = number_of_user(&user);
    let stored = user.profile.unwrap_or_default();
    Ok(Profile {
        avatar: stored.avatar,
        description: stored.signature,
        email: stored.email,
        mobile: stored.mobile,
        nick_name: stored.name,
        private_info: stored.private_extension,
        public_info: stored.extension,
        user_id,
        username: user.username,
    })
}

/// The system's own rules for usernames, with the texts that its clients show.
fn check_registrant(req: &RegisterRequest) -> Result<(), Error> {
    let name = req.username.as_str();
    if name.is_empty() {
        return Err(Error::parameter("the username must not be empty"));
    }
    if !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
        return Err(Error::parameter("the username may hold letters, digits and underscores only"));
    }
    if name.chars().all(|letter| letter.is_ascii_digit()) {
        return Err(Error::parameter("the username must not be all digits"));
    }
    if ["maxim", "mta"].iter().any(|reserved| name.to_ascii_lowercase().starts_with(reserved)) {
        return Err(Error::parameter("the username must not begin with maxim or mta"));
    }
    if req.password.is_empty() { Err(Error::parameter("the password must not be empty")) } else { Ok(()) }
}

fn settings(user: &User) -> Settings {
    let user_id = number_of_user(user);
    let auth_mode = user.settings.as_ref().map_or(0, |stored| stored.friend_policy);
    let stored: UserSettings = user.settings.clone().unwrap_or_default();
    Settings {
        auth_answer: stored.auth_answer,
        auth_mode,
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
