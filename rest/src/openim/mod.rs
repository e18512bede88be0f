//! openim: what an app's server does as its administrator.
//!
//! `/auth/*` takes the app's secret in the body and gives tokens; everything else takes such a token in the header `token`.
//! Which HTTP status and `errCode` a refusal has differs from path to path, so each route names its own.

mod bind;
mod content;
mod error;
mod friends;
mod groups;
mod managed;
mod members;
mod messages;
mod routes;
mod tokens;
mod users;

use axum::response::Response;
use domain::apps::Credential;
use domain::{Caller, Domain};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answer;
use crate::config::Config;
use crate::context::Call;
use crate::dialect::Dialect;

pub use error::{Error, Refusal};
pub use routes::routes;

/// What handlers return.
type Reply<T> = Result<T, Error>;

/// Nothing beside `errCode` and `errMsg`.
#[derive(Debug, Serialize, ToSchema)]
struct Nothing {}

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct OpenIm;

/// Which credential a route takes, and how it refuses a wrong one.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// The app's secret, which this reads from the body.
    Secret(fn(&Call) -> Result<String, Error>),
    /// Any user's token.
    Token(Refusal),
    /// The token of a user whom the app lists as an administrator.
    Admin {
        /// For a wrong token.
        bad_token: Refusal,
        /// For someone else's.
        not_admin: Refusal,
    },
}

impl Default for Access {
    fn default() -> Self {
        Self::Token(Refusal::PARSE_TOKEN)
    }
}

/// Where the value goes.
#[derive(Debug, Clone, Copy, Default)]
pub enum Shape {
    /// Into `data`.
    #[default]
    Data,
    /// Into `data`, and `errMsg` is `ok`.
    Okay,
    /// Beside `errCode` and `errMsg`.
    Flat,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a, T> {
    err_code: i32,
    err_msg: &'a str,
    data: &'a T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Flat<'a, T> {
    err_code: i32,
    err_msg: &'a str,
    #[serde(flatten)]
    value: &'a T,
}

impl Dialect for OpenIm {
    const NAME: &'static str = "openim";
    const ABOUT: &'static str = "OpenIM's server API. The header `token` is one that /auth/user_token gave an administrator of the \
        app; `operationID` is any string of the caller's, for its own logs. `errCode` is 0 for success.";
    type Access = Access;
    type Shape = Shape;
    type Error = Error;

    async fn authenticate(domain: &Domain, _: &Config, call: &Call, access: Access) -> Reply<Caller> {
        match access {
            Access::Secret(read) => Ok(domain.apps.authenticate(&Credential::SecretOnly(read(call)?)).await?),
            Access::Token(refusal) => by_token(domain, call, refusal).await,
            Access::Admin { bad_token, not_admin } => {
                let caller = by_token(domain, call, bad_token).await?;
                if caller.is_privileged() { Ok(caller) } else { Err(Error::Refused(not_admin)) }
            }
        }
    }

    fn ok<T: Serialize>(shape: Shape, value: &T) -> Response {
        match shape {
            Shape::Data => answer::json(200, &Data { err_code: 0, err_msg: "", data: value }),
            Shape::Okay => answer::json(200, &Data { err_code: 0, err_msg: "ok", data: value }),
            Shape::Flat => answer::json(200, &Flat { err_code: 0, err_msg: "", value }),
        }
    }

    fn error(error: Error) -> Response {
        let (status, body) = error.answer();
        answer::json(status, &body)
    }

    fn cause(error: &Error) -> Option<&domain::Error> {
        error.cause()
    }

    fn preflight() -> Response {
        answer::json(200, &"Options Request!")
    }

    fn envelope(shape: Shape, value: Value) -> Value {
        let head = json!({
            "type": "object",
            "required": ["errCode", "errMsg"],
            "properties": { "errCode": { "const": 0 }, "errMsg": { "type": "string" } },
        });
        let value = match shape {
            Shape::Data | Shape::Okay => {
                json!({ "type": "object", "required": ["data"], "properties": { "data": value } })
            }
            Shape::Flat => value,
        };
        json!({ "allOf": [head, value] })
    }

    fn error_schema() -> Value {
        json!({
            "type": "object",
            "required": ["errCode", "errMsg"],
            "properties": {
                "errCode": { "type": "integer", "not": { "const": 0 } },
                "errMsg": { "type": "string" },
            },
        })
    }

    fn error_statuses() -> &'static [(u16, &'static str)] {
        &[
            (200, "Errors of the product: errCode is not 0"),
            (400, "A field is missing or wrong, or the secret or token is"),
            (405, "No such method here"),
            (408, "The body did not arrive in time"),
            (413, "The body is too large"),
            (429, "Too many requests"),
            (500, "What the original answers so: the user exists already, or does not exist"),
            (503, "The store cannot be reached, or the server is too busy"),
        ]
    }

    fn schemes() -> Vec<(&'static str, Value)> {
        vec![(
            "openim_token",
            json!({ "type": "apiKey", "in": "header", "name": "token", "description": "A token from /auth/user_token" }),
        )]
    }

    fn scheme_of(access: Access) -> Option<&'static str> {
        match access {
            Access::Secret(_) => None,
            Access::Token(_) | Access::Admin { .. } => Some("openim_token"),
        }
    }
}

async fn by_token(domain: &Domain, call: &Call, refusal: Refusal) -> Reply<Caller> {
    let token = call.header("token").ok_or(Error::Refused(refusal))?;
    domain.tokens.authenticate(token).await.map_err(|error| match error {
        domain::Error::Unauthenticated(_) | domain::Error::Denied(_) => Error::Refused(refusal),
        other => other.into(),
    })
}
