//! Registering and logging in.

use domain::UserRef;
use domain::record::{Profile as Stored, User};
use domain::tokens::{Issue, Issued};
use domain::users::NewUser;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::at_login;
use super::profiles::{Profile, profile};
use super::{Error, NAME, Reply};
use crate::config::Config;
use crate::context::Anonymous;
use crate::input::Json;

/// Who registers.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RegisterRequest {
    email: String,
    /// Becomes the userID. Not all digits.
    username: String,
    password: String,
}

/// Who logs in.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct LoginRequest {
    username: String,
    password: String,
}

/// A token, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// For the header `token`.
    token: String,
    userinfo: Profile,
}

/// `POST /register`: makes a user and logs in.
pub(crate) async fn register(cx: Anonymous, Json(req): Json<RegisterRequest>) -> Reply<Session> {
    cx.nobody.require_open_registration()?;
    check_registrant(&req, &cx.nobody.app_record().admins)?;
    let profile = Stored { name: req.username.clone(), email: req.email, ..Stored::default() };
    let (uid, username, password) = (Some(req.username.clone()), Some(req.username), Some(req.password));
    // Only the app gives out uids; here it lets people choose their own, within what `check_registrant` allows.
    let app = cx.domain.apps.operator(cx.nobody.app()).await?;
    let new = NewUser { uid, username, password, profile, ..NewUser::default() };
    let (user, issued) = cx.domain.tokens.register(&app, new, issue(&cx.config)).await?;
    Ok(session(&user, issued))
}

/// `POST /login`: issues a token for a name and a password.
pub(crate) async fn login(cx: Anonymous, Json(req): Json<LoginRequest>) -> Reply<Session> {
    let who = UserRef::Username(req.username);
    let outcome = cx.domain.tokens.log_in(&cx.nobody, &who, &req.password, issue(&cx.config)).await;
    let (user, issued) = outcome.map_err(at_login)?;
    Ok(session(&user, issued))
}

/// Numbers are what other dialects' servers call their users, and admins are known by their uid:
/// whoever could register under one of those would be believed to be somebody else.
fn check_registrant(req: &RegisterRequest, admins: &[String]) -> Result<(), Error> {
    let missing = [("email", &req.email), ("username", &req.username), ("password", &req.password)];
    if let Some((field, _)) = missing.into_iter().find(|(_, text)| text.is_empty()) {
        return Err(Error::parameter(format!("{field}: must not be empty")));
    }
    if !req.email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()) {
        return Err(Error::parameter("email: is not an email address"));
    }
    if req.username.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::parameter("username: must not be all digits"));
    }
    if admins.contains(&req.username) { Err(Error::name_taken()) } else { Ok(()) }
}

fn issue(config: &Config) -> Issue {
    Issue { dialect: NAME, platform: 0, lifetime: Some(config.tim_token_lifetime), repeatable: false }
}

fn session(user: &User, issued: Issued) -> Session {
    Session { token: issued.text, userinfo: profile(user) }
}
