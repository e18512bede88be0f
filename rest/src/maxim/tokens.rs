//! Logging in.

use domain::tokens::Issue;
use domain::{UserRef, record};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::at_login;
use super::{NAME, Reply};
use crate::context::Anonymous;
use crate::input::Json;
use crate::lenient;
use crate::names::number_of_user;

/// Who logs in, by name.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ByName {
    /// The username.
    name: String,
    password: String,
}

/// Who logs in, by id.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ById {
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
    log_in(&cx, &UserRef::Username(req.name), &req.password).await
}

/// `POST /token/id`: logs in by id.
pub(crate) async fn by_id(cx: Anonymous, Json(req): Json<ById>) -> Reply<Token> {
    log_in(&cx, &UserRef::Number(req.user_id), &req.password).await
}

async fn log_in(cx: &Anonymous, who: &UserRef, password: &str) -> Reply<Token> {
    let issue = Issue { dialect: NAME, platform: 0, lifetime: Some(cx.config.maxim_token_lifetime), repeatable: false };
    let (user, issued): (record::User, _) =
        cx.domain.tokens.log_in(&cx.nobody, who, password, issue).await.map_err(at_login)?;
    Ok(Token {
        access_key_secret: String::new(),
        encrypt_type: 0,
        expire: issued.expires,
        public_key: String::new(),
        push_token: String::new(),
        store_token: String::new(),
        token: issued.text,
        user_id: number_of_user(&user),
    })
}
