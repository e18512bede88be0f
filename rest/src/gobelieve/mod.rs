//! gobelieve: integer users, an app's server under HTTP Basic, and clients under tokens that never expire.
//!
//! Its server may name any user: whoever does not exist yet is created, as there.

mod content;
mod error;
mod groups;
mod messages;
mod routes;
mod tokens;
mod users;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::apps::Credential;
use domain::{Caller, Domain};
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer;
use crate::config::Config;
use crate::context::Call;
use crate::dialect::Dialect;

pub use error::Error;
pub use routes::routes;

/// What handlers return.
type Reply<T> = Result<T, Error>;

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Gobelieve;

/// Which credential a route takes.
#[derive(Debug, Clone, Copy, Default)]
pub enum Access {
    /// `Authorization: Basic base64(appid:hex_md5(appsecret))`.
    #[default]
    Server,
    /// `Authorization: Bearer token`.
    Client,
}

/// What a good answer looks like.
#[derive(Debug, Clone, Copy, Default)]
pub enum Shape {
    /// `meta` and `data`. Clients of the original read `data`; its document shows `meta` beside it.
    #[default]
    Data,
    /// For a boolean: `{"success": true}`, or an empty body where there was nothing to do.
    Success,
    /// An empty body.
    Empty,
}

#[derive(Serialize)]
struct Meta {
    code: u16,
    message: &'static str,
}

#[derive(Serialize)]
struct Data<'a, T> {
    meta: Meta,
    data: &'a T,
}

impl Dialect for Gobelieve {
    const NAME: &'static str = "gobelieve";
    const ABOUT: &'static str = "GoBelieve's API. Users and groups are integers; an app's server creates users by naming them. \
        The HTTP status is 200 for success, and errors have `meta` with the code and a message.";
    type Access = Access;
    type Shape = Shape;
    type Error = Error;

    async fn authenticate(domain: &Domain, _: &Config, call: &Call, access: Access) -> Reply<Caller> {
        let header = call.header("authorization").unwrap_or_default();
        match access {
            // The original cuts the scheme off by length and does not look at it.
            Access::Server => {
                let credential = header.get(6..).and_then(basic).ok_or(Error::WrongApp)?;
                domain.apps.authenticate(&credential).await.map_err(|error| error::refused(error, Error::WrongApp))
            }
            Access::Client => {
                let token = header.get(7..).ok_or(Error::WrongToken)?;
                domain.tokens.authenticate(token).await.map_err(|error| error::refused(error, Error::WrongToken))
            }
        }
    }

    fn ok<T: Serialize>(shape: Shape, value: &T) -> Response {
        match shape {
            Shape::Data => answer::json(200, &Data { meta: Meta { code: 200, message: "" }, data: value }),
            Shape::Success if serde_json::to_value(value).is_ok_and(|value| value == true) => {
                answer::json(200, &json!({ "success": true }))
            }
            Shape::Success | Shape::Empty => answer::empty(),
        }
    }

    fn error(error: Error) -> Response {
        let body = error.body();
        answer::json(error.status(), &body)
    }

    fn cause(error: &Error) -> Option<&domain::Error> {
        error.cause()
    }

    fn envelope(shape: Shape, value: Value) -> Value {
        let meta = json!({
            "type": "object",
            "required": ["code", "message"],
            "properties": { "code": { "const": 200 }, "message": { "type": "string" } },
        });
        match shape {
            Shape::Data => json!({
                "type": "object",
                "required": ["meta", "data"],
                "properties": { "meta": meta, "data": value },
            }),
            Shape::Success => json!({
                "type": "object",
                "required": ["success"],
                "properties": { "success": { "const": true } },
            }),
            Shape::Empty => Value::Null,
        }
    }

    fn error_schema() -> Value {
        json!({
            "type": "object",
            "required": ["meta"],
            "properties": {
                "error": { "type": "string", "description": "Only where a token is wrong: the message again" },
                "meta": {
                    "type": "object",
                    "required": ["code"],
                    "properties": {
                        "code": { "type": "integer" },
                        "message": { "type": "string" },
                        "field": { "type": "string", "description": "The field at fault" },
                        "detail": { "type": "string", "description": "What is wrong with it" },
                    },
                },
            },
        })
    }

    fn error_statuses() -> &'static [(u16, &'static str)] {
        &[
            (400, "A credential, a field or a rule; the message tells"),
            (405, "No such method here"),
            (408, "The body did not arrive in time"),
            (413, "The body is too large"),
            (429, "Too many requests"),
            (500, "An error of the server's"),
            (503, "The store cannot be reached, or the server is too busy"),
        ]
    }

    fn schemes() -> Vec<(&'static str, Value)> {
        vec![
            (
                "gobelieve_server",
                json!({ "type": "http", "scheme": "basic",
                    "description": "User name: the appid. Password: the MD5 of the app's secret, in hex" }),
            ),
            (
                "gobelieve_client",
                json!({ "type": "http", "scheme": "bearer", "description": "A token from /auth/grant" }),
            ),
        ]
    }

    fn scheme_of(access: Access) -> Option<&'static str> {
        Some(match access {
            Access::Server => "gobelieve_server",
            Access::Client => "gobelieve_client",
        })
    }
}

fn basic(encoded: &str) -> Option<Credential> {
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (number, md5) = decoded.split_once(':')?;
    Some(Credential::SecretMd5 { number: number.parse().ok()?, md5: md5.to_ascii_lowercase() })
}
