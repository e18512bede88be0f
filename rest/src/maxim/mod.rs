//! maxim: the REST API of MaximTop's (Lanying's) server.
//!
//! The header `app_id` tells the tenant and `access-token` the user; an admin's token may act for a user with the header `user_id`, or for
//! a group's owner with `group_id`. Every answer is `{code, data, message}` with status 200, where code 200 is success.
//! Ids are numbers, times are Unix milliseconds; what a field counts in seconds is said beside it.

mod announcements;
mod app;
mod applications;
mod asked;
mod attachment;
mod content;
mod conversation;
mod error;
mod files;
mod group;
mod group_members;
mod group_settings;
mod groups;
mod invitations;
mod messages;
mod named;
mod outcome;
mod paging;
mod push;
mod qr;
mod roster;
mod routes;
mod send;
mod shared_files;
mod tokens;
mod users;

use axum::response::Response;
use domain::{Caller, Domain, GroupRef, UserId, UserRef};
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer;
use crate::config::Config;
use crate::context::Call;
use crate::dialect::{Dialect, Fault};

pub(crate) use error::Error;
pub(crate) use routes::routes;

/// The dialect's name, and the mark that it leaves on what it writes.
const NAME: &str = "maxim";

/// What a handler answers with.
type Reply<T> = Result<T, Error>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Maxim;

/// Where a caller shows who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Access {
    /// In headers.
    #[default]
    Headers,
    /// In headers, or in the query under the same names: its web clients load pictures so, which can have no headers.
    HeadersOrQuery,
    /// In headers; an admin may act for a user who is disabled, too.
    OfDisabledToo,
}

/// Where an answer's value goes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Shape {
    /// Into `data`.
    #[default]
    Data,
    /// Beside `code`: the value tells `data` and more.
    Beside,
}

#[derive(Serialize)]
struct InData<'a, T> {
    code: u32,
    data: &'a T,
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct Beside<'a, T> {
    code: u32,
    #[serde(flatten)]
    value: &'a T,
    message: Option<&'a str>,
}

impl Dialect for Maxim {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str = "The REST API of MaximTop's server. Code 200 is success. The header `app_id` names the app; without it, it is the \
        configured `default_app`. Header names may be spelled with hyphens, since proxies drop underscores. Ids are numbers below 2^53.";

    type Access = Access;
    type Shape = Shape;
    type Error = Error;

    async fn authenticate(domain: &Domain, config: &Config, call: &Call, access: Access) -> Result<Caller, Error> {
        let shown = |name| match access {
            Access::HeadersOrQuery => call.header(name).map(str::to_owned).or_else(|| call.query_value(name)),
            Access::Headers | Access::OfDisabledToo => call.header(name).map(str::to_owned),
        };
        let token = shown("access-token").ok_or_else(Error::no_token)?;
        let app = shown("app_id");
        let app = domain.apps.anonymous(app.as_deref().unwrap_or(&config.default_app)).await?;
        let caller = domain.tokens.authenticate(&token).await?;
        if caller.app() != app.app() {
            return Err(Error::foreign_token());
        }
        match (number_header(call, "user_id")?, number_header(call, "group_id")?) {
            (Some(user), _) => act_as(domain, caller, user, access).await,
            (None, Some(group)) => act_as_owner(domain, caller, group).await,
            (None, None) => Ok(caller),
        }
    }

    fn ok<T: Serialize>(shape: Shape, value: &T) -> Response {
        match shape {
            Shape::Data => answer::json(200, &InData { code: 200, data: value, message: None }),
            Shape::Beside => answer::json(200, &Beside { code: 200, value, message: None }),
        }
    }

    fn error(error: Error) -> Response {
        answer::json(error.status, &InData { code: error.code, data: &(), message: Some(&error.message) })
    }

    fn cause(error: &Error) -> Option<&domain::Error> {
        error.cause.as_ref()
    }

    fn envelope(shape: Shape, value: Value) -> Value {
        let code = json!({ "type": "integer", "const": 200 });
        let message = json!({ "type": "null" });
        match shape {
            Shape::Data => json!({
                "type": "object",
                "required": ["code", "data", "message"],
                "properties": { "code": code, "data": value, "message": message },
            }),
            Shape::Beside => json!({
                "allOf": [value, {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": { "code": code, "message": message },
                }],
            }),
        }
    }

    fn error_schema() -> Value {
        json!({
            "type": "object",
            "required": ["code", "data", "message"],
            "properties": {
                "code": { "type": "integer", "minimum": 10000 },
                "data": { "type": "null" },
                "message": { "type": "string", "description": "What is wrong" },
            },
        })
    }

    fn error_statuses() -> &'static [(u16, &'static str)] {
        crate::numbers::STATUSES
    }

    fn schemes() -> Vec<(&'static str, Value)> {
        let description = "From `/token/user` or `/token/id`";
        let token = json!({ "type": "apiKey", "in": "header", "name": "access-token", "description": description });
        vec![("maxim_token", token)]
    }

    fn scheme_of(_: Access) -> Option<&'static str> {
        Some("maxim_token")
    }

    fn parameters() -> Vec<Value> {
        let header = |name: &str, kind: &str, description: &str| json!({ "name": name, "in": "header", "required": false, "schema": { "type": kind }, "description": description });
        vec![
            header("app_id", "string", "The app; `default_app` where it is absent"),
            header("user_id", "integer", "With an admin's token: the user to act for"),
            header("group_id", "integer", "With an admin's token: the group whose owner to act for"),
        ]
    }
}

/// A caller who acts for a user. To name oneself needs no right.
async fn act_as(domain: &Domain, caller: Caller, user: u64, access: Access) -> Result<Caller, Error> {
    let found = domain.users.find(&caller, &UserRef::Number(user)).await?;
    if caller.user().is_ok_and(|me| me.0 == found.id) {
        return Ok(caller);
    }
    let user = UserId(found.id);
    match access {
        Access::OfDisabledToo => Ok(domain.tokens.act_to_delete(&caller, user).await?),
        Access::Headers | Access::HeadersOrQuery => Ok(domain.tokens.act_as(&caller, user).await?),
    }
}

/// A caller who acts for a group's owner, or as before where the app itself owns the group.
async fn act_as_owner(domain: &Domain, caller: Caller, group: u64) -> Result<Caller, Error> {
    // Its own web client names the group in the header of ordinary calls too, which lends no rights.
    if !caller.is_privileged() {
        return Ok(caller);
    }
    match domain.groups.find(&caller, &GroupRef::Number(group)).await?.owner {
        0 => Ok(caller),
        owner => Ok(domain.tokens.act_as(&caller, UserId(owner)).await?),
    }
}

/// A number that is an int32 in the document, and none below zero.
fn u32_of(field: &'static str, number: u64) -> Result<u32, Error> {
    let number = u32::try_from(number).ok().filter(|number| i32::try_from(*number).is_ok());
    number.ok_or_else(|| Error::parameter(format!("{field}: must be from 0 to {}", i32::MAX)))
}

/// A header that holds a number; absent and empty are alike.
fn number_header(call: &Call, name: &'static str) -> Result<Option<u64>, Error> {
    match call.header(name) {
        None | Some("") => Ok(None),
        Some(text) => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Fault::invalid(name, "must be a number").into()),
        },
    }
}
