//! tim: the HTTP form of Tencent's messaging SDK.
//!
//! Every call is `POST` with JSON; the header `token` tells who is calling; every answer is `{code, msg, data}` where code 0 is success.
//! A user's `userID` is the app's own uid, or the decimal id of a user who has none. The document names most methods by heading only;
//! for those, the SDK's parameters and rules count.

mod blacklist;
mod content;
mod conversation;
mod conversations;
mod create;
mod error;
mod group;
mod group_members;
mod group_profile;
mod groups;
mod joining;
mod message;
mod messages;
mod payload;
mod profiles;
mod routes;
mod tips;
mod users;
mod view;

use axum::response::Response;
use domain::{Caller, Domain};
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer;
use crate::config::Config;
use crate::context::Call;
use crate::dialect::Dialect;

pub(crate) use error::Error;
pub(crate) use routes::routes;

/// The dialect's name, and the mark that it leaves on what it writes.
const NAME: &str = "tim";

/// What a handler answers with.
type Reply<T> = Result<T, Error>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Tim;

/// Every answer.
#[derive(Serialize)]
struct Envelope<'a, T> {
    code: u32,
    msg: &'a str,
    data: T,
}

impl Dialect for Tim {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str = "The HTTP form of Tencent's messaging SDK. Code 0 is success; error codes are Tencent's where it has one. \
        `/register` and `/login` carry no app, so they belong to the app of the header `app_id`, or else to the configured `default_app`.";

    type Access = ();
    type Shape = ();
    type Error = Error;

    async fn authenticate(domain: &Domain, _config: &Config, call: &Call, (): ()) -> Result<Caller, Error> {
        let token = call.header("token").ok_or_else(Error::no_token)?;
        Ok(domain.tokens.authenticate(token).await?)
    }

    fn ok<T: Serialize>((): (), value: &T) -> Response {
        answer::json(200, &Envelope { code: 0, msg: "", data: value })
    }

    fn error(error: Error) -> Response {
        answer::json(error.status, &Envelope { code: error.code, msg: &error.msg, data: error.data })
    }

    fn cause(error: &Error) -> Option<&domain::Error> {
        error.cause.as_ref()
    }

    fn envelope((): (), value: Value) -> Value {
        json!({
            "type": "object",
            "required": ["code", "msg", "data"],
            "properties": { "code": { "type": "integer", "const": 0 }, "msg": { "type": "string" }, "data": value },
        })
    }

    fn error_schema() -> Value {
        json!({
            "type": "object",
            "required": ["code", "msg", "data"],
            "properties": {
                "code": { "type": "integer", "minimum": 1 },
                "msg": { "type": "string", "description": "What is wrong" },
                "data": { "type": ["object", "null"], "description": "`{message}` where sending one failed" },
            },
        })
    }

    fn error_statuses() -> &'static [(u16, &'static str)] {
        crate::numbers::STATUSES
    }

    fn schemes() -> Vec<(&'static str, Value)> {
        let token =
            json!({ "type": "apiKey", "in": "header", "name": "token", "description": "From `/login` or `/register`" });
        vec![("tim_token", token)]
    }

    fn scheme_of((): ()) -> Option<&'static str> {
        Some("tim_token")
    }
}
