//! tenured: three endpoints to issue a sign and to create accounts.
//!
//! Its document leaves most open; what we chose stands in the OpenAPI descriptions. HTTP status is 200 always, `error` tells.

mod accounts;
mod content;
mod error;
mod friends;
mod group_members;
mod group_messages;
mod groups;
mod messages;
mod profiles;
mod routes;
mod rules;
mod sign;
mod tokens;

use axum::response::Response;
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
pub struct Tenured;

/// Which credential a route takes.
#[derive(Debug, Clone, Copy, Default)]
pub enum Access {
    /// `appId` and `sign`, in the query, the headers or the body.
    #[default]
    Sign,
    /// `appId` and `private`, in the body.
    Private,
}

/// Where the value goes.
#[derive(Debug, Clone, Copy, Default)]
pub enum Shape {
    /// `data` is null, whatever the value.
    #[default]
    Null,
    /// `data` is a string that holds the value's JSON, as the document types it.
    Text,
}

/// Every answer.
#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a str,
    message: &'a str,
    data: Option<String>,
}

impl Dialect for Tenured {
    const NAME: &'static str = "tenured";
    const ABOUT: &'static str = "tenured: signs and accounts. The HTTP status is always 200; `error` is \"0000\" for success, \
        else 0001 store, 0002 no route, 1000 not certified, 2006 app missing, 3001 user exists, 3002 user missing, 9999 anything else.";
    type Access = Access;
    type Shape = Shape;
    type Error = Error;

    async fn authenticate(domain: &Domain, _: &Config, call: &Call, access: Access) -> Result<Caller, Error> {
        match access {
            Access::Private => tokens::authenticate(domain, call).await,
            Access::Sign => sign::authenticate(domain, call).await,
        }
    }

    fn ok<T: Serialize>(shape: Shape, value: &T) -> Response {
        let data = match shape {
            Shape::Null => None,
            Shape::Text => serde_json::to_string(value).ok(),
        };
        answer::json(200, &Envelope { error: "0000", message: "", data })
    }

    fn error(error: Error) -> Response {
        let message = error.message();
        answer::json(200, &Envelope { error: error.code(), message: &message, data: None })
    }

    fn cause(error: &Error) -> Option<&domain::Error> {
        error.cause()
    }

    fn envelope(shape: Shape, value: Value) -> Value {
        let data = match shape {
            Shape::Null => json!({ "type": "null" }),
            Shape::Text => json!({ "type": "string", "contentMediaType": "application/json", "contentSchema": value }),
        };
        json!({
            "type": "object",
            "required": ["error", "message", "data"],
            "properties": { "error": { "const": "0000" }, "message": { "type": "string" }, "data": data },
        })
    }

    fn error_schema() -> Value {
        json!({
            "type": "object",
            "required": ["error", "message", "data"],
            "properties": {
                "error": { "type": "string", "enum": ["0001", "0002", "1000", "2006", "3001", "3002", "9999"] },
                "message": { "type": "string" },
                "data": { "type": "null" },
            },
        })
    }

    fn error_statuses() -> &'static [(u16, &'static str)] {
        &[(200, "Everything; the code in the body tells")]
    }

    fn schemes() -> Vec<(&'static str, Value)> {
        vec![(
            "tenured_sign",
            json!({ "type": "apiKey", "in": "query", "name": "sign",
                "description": "A sign from /v1/build_token, beside `appId`; also taken from headers or the body" }),
        )]
    }

    fn scheme_of(access: Access) -> Option<&'static str> {
        match access {
            Access::Sign => Some("tenured_sign"),
            Access::Private => None,
        }
    }
}
