//! Logging in.

use domain::tokens::{Issue, Issued, NewDevice};
use domain::{UserRef, record};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::at_login;
use super::{Error, NAME, Reply};
use crate::context::Anonymous;
use crate::dialect::Fault;
use crate::input::Json;
use crate::lenient;
use crate::names::number_of_user;

/// Who logs in, by name.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ByName {
    /// What the client logs in from. The token ends when it is removed.
    #[serde(default)]
    device_guid: Option<String>,
    /// The username.
    #[serde(default)]
    name: Option<String>,
    /// In its place; its web client may send it.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    mobile: Option<String>,
    password: String,
}

/// Who logs in, by whatever they call themselves.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ByAny {
    /// What the client logs in from. The token ends when it is removed.
    #[serde(default)]
    device_guid: Option<String>,
    /// The username, or a mobile number or mail address that nobody else has.
    #[serde(deserialize_with = "lenient::string")]
    login_name: String,
    password: String,
}

/// Who logs in, by id.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ById {
    /// What the client logs in from. The token ends when it is removed.
    #[serde(default)]
    device_guid: Option<String>,
    #[serde(deserialize_with = "lenient::u64")]
    user_id: u64,
    password: String,
}

/// A token, and whose it is. Transport is encrypted or not by its own means, so the keys of the system's own encryption are empty.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    access_key_secret: String,
    /// 0: the connection is not encrypted by the system's own means.
    encrypt_type: u8,
    /// Unix milliseconds.
    expire: i64,
    public_key: String,
    push_token: String,
    store_token: String,
    /// For the header `access-token`.
    token: String,
    user_id: u64,
}

/// `POST /token/user`: logs in by name.
pub(crate) async fn by_name(cx: Anonymous, Json(req): Json<ByName>) -> Reply<Token> {
    match (req.name, req.mobile) {
        (Some(name), _) => log_in(&cx, UserRef::Username(name), &req.password, req.device_guid).await,
        (None, Some(mobile)) => log_in_by_any(&cx, &mobile, &req.password, req.device_guid).await,
        (None, None) => Err(Fault::missing("name").into()),
    }
}

/// `POST /token/login`: logs in by name, mobile number or mail address.
pub(crate) async fn by_any(cx: Anonymous, Json(req): Json<ByAny>) -> Reply<Token> {
    log_in_by_any(&cx, &req.login_name, &req.password, req.device_guid).await
}

/// `POST /token/id`: logs in by id.
pub(crate) async fn by_id(cx: Anonymous, Json(req): Json<ById>) -> Reply<Token> {
    log_in(&cx, UserRef::Number(req.user_id), &req.password, req.device_guid).await
}

async fn log_in(cx: &Anonymous, who: UserRef, password: &str, guid: Option<String>) -> Reply<Token> {
    let device = device_of(cx, guid);
    let outcome = cx.domain.tokens.log_in_from(&cx.nobody, &who, password, issue(cx), device.as_ref()).await;
    answer(cx, outcome, device).await
}

async fn log_in_by_any(cx: &Anonymous, login: &str, password: &str, guid: Option<String>) -> Reply<Token> {
    let device = device_of(cx, guid);
    let outcome = cx.domain.tokens.log_in_by_any(&cx.nobody, login, password, issue(cx), device.as_ref()).await;
    answer(cx, outcome, device).await
}

fn issue(cx: &Anonymous) -> Issue {
    Issue { dialect: NAME, platform: 0, lifetime: Some(cx.config.maxim_token_lifetime), repeatable: false }
}

/// What the client logs in from, where it says so. Which platform that is, it does not say here.
fn device_of(cx: &Anonymous, guid: Option<String>) -> Option<NewDevice> {
    let device_id = guid.filter(|guid| !guid.is_empty())?;
    let client = cx.call.header("user-agent").unwrap_or_default().to_owned();
    Some(NewDevice { device_id, platform: 0, client })
}

/// With what notices find the device by, if it was told.
async fn answer(
    cx: &Anonymous,
    outcome: domain::Result<(record::User, Issued)>,
    device: Option<NewDevice>,
) -> Result<Token, Error> {
    let (user, issued) = outcome.map_err(at_login)?;
    let push_token = match device {
        Some(device) => {
            let caller = cx.domain.tokens.authenticate(&issued.text).await?;
            cx.domain.push.register_device(&caller, &device.device_id).await?
        }
        None => String::new(),
    };
    Ok(Token {
        access_key_secret: String::new(),
        encrypt_type: 0,
        expire: issued.expires,
        public_key: String::new(),
        push_token,
        store_token: String::new(),
        token: issued.text,
        user_id: number_of_user(&user),
    })
}
