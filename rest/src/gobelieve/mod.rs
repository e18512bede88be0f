//! gobelieve: integer users, an app's server under HTTP Basic, and clients under tokens that never expire.
//!
//! Its server may name any user: whoever does not exist yet is created, as there.

mod client_groups;
mod content;
mod error;
mod files;
mod groups;
mod messages;
mod notification;
mod offline;
mod push;
mod rooms;
mod routes;
mod settings;
mod stores;
mod support;
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
    /// Either of them, told apart by the scheme.
    Either,
    /// `Authorization: Basic base64(appid:appkey)`, with the same `appid` in the body: a customer's client.
    Customer,
}

/// What a good answer looks like.
#[derive(Debug, Clone, Copy, Default)]
pub enum Shape {
    /// `meta` and `data`. Clients of the original read `data`; its document shows `meta` beside it.
    #[default]
    Data,
    /// For a boolean: `{"success": true}`, or an empty body where there was nothing to do.
    Success,
    /// The value alone.
    Bare,
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
            Access::Server => as_server(domain, header).await,
            Access::Client => as_client(domain, header).await,
            Access::Customer => support::authenticate(domain, call, true).await,
            Access::Either if scheme_is(header, "basic") => as_server(domain, header).await.map_err(Error::of_either),
            Access::Either => as_client(domain, header).await.map_err(Error::of_either),
        }
    }

    /// The public calls are those of customers, whose body names the app.
    async fn nobody(domain: &Domain, config: &Config, call: &Call) -> Reply<Caller> {
        let app = support::authenticate(domain, call, config.gobelieve_customer_key).await?;
        Ok(domain.apps.anonymous_by_number(app.app()).await?)
    }

    fn ok<T: Serialize>(shape: Shape, value: &T) -> Response {
        match shape {
            Shape::Data => answer::json(200, &Data { meta: Meta { code: 200, message: "" }, data: value }),
            Shape::Success if serde_json::to_value(value).is_ok_and(|value| value == true) => {
                answer::json(200, &json!({ "success": true }))
            }
            Shape::Bare => answer::json(200, value),
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
            Shape::Bare => value,
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
            (
                "gobelieve_customer",
                json!({ "type": "http", "scheme": "basic", "description": "User name: the appid. Password: the app's key" }),
            ),
        ]
    }

    fn scheme_of(access: Access) -> Option<&'static str> {
        match access {
            Access::Server => Some("gobelieve_server"),
            Access::Client | Access::Either => Some("gobelieve_client"),
            Access::Customer => Some("gobelieve_customer"),
        }
    }
}

async fn as_server(domain: &Domain, header: &str) -> Reply<Caller> {
    // The original cuts the scheme off by length and does not look at it.
    let credential = header.get(6..).and_then(basic).ok_or(Error::WrongApp)?;
    domain.apps.authenticate(&credential).await.map_err(|error| error::refused(error, Error::WrongApp))
}

async fn as_client(domain: &Domain, header: &str) -> Reply<Caller> {
    let token = header.get(7..).ok_or(Error::WrongToken)?;
    domain.tokens.authenticate(token).await.map_err(|error| error::refused(error, Error::WrongToken))
}

fn scheme_is(header: &str, scheme: &str) -> bool {
    header.split_once(' ').is_some_and(|(name, _)| name.eq_ignore_ascii_case(scheme))
}

fn basic(encoded: &str) -> Option<Credential> {
    let (number, md5) = decoded(encoded)?;
    Some(Credential::SecretMd5 { number, md5: md5.to_ascii_lowercase() })
}

/// The app's number, and what proves that one may name it.
fn decoded(encoded: &str) -> Option<(u32, String)> {
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (number, proof) = decoded.split_once(':')?;
    Some((number.parse().ok()?, proof.to_owned()))
}
