//! What differs between the dialects besides their endpoints: who is believed, what an answer looks like, what an error looks like.
//!
//! A dialect is a type without values; [`crate::route`] calls it around every handler.

use std::future::Future;

use axum::response::Response;
use domain::{Caller, Domain};
use serde::Serialize;
use serde_json::Value;

use crate::config::Config;
use crate::context::{Call, nobody};

/// One system's documented HTTP API.
pub trait Dialect: Sized + Send + Sync + 'static {
    /// Its name in the OpenAPI document, in metrics and in `Content.origin`.
    const NAME: &'static str;
    /// One paragraph for the OpenAPI document.
    const ABOUT: &'static str;

    /// Which credential a route asks for; `()` where a dialect knows one kind only. The default is the usual kind.
    type Access: Copy + Default + Send + Sync + 'static;
    /// Where an answer's value goes in the envelope; `()` where there is one envelope.
    type Shape: Copy + Default + Send + Sync + 'static;
    /// Everything that can go wrong. Its `From<domain::Error>` is the dialect's one exhaustive match.
    type Error: From<domain::Error> + From<Fault> + Send + 'static;

    /// Who is calling. Runs before the handler, always, unless the route is `public`.
    fn authenticate(
        domain: &Domain,
        config: &Config,
        call: &Call,
        access: Self::Access,
    ) -> impl Future<Output = Result<Caller, Self::Error>> + Send;

    /// In whose app a `public` route is called. Runs before the handler. The default is the header `app_id`, or else `default_app`.
    fn nobody(
        domain: &Domain,
        config: &Config,
        call: &Call,
    ) -> impl Future<Output = Result<Caller, Self::Error>> + Send {
        async { Ok(nobody(domain, config, call).await?) }
    }

    /// The answer of a call that went well.
    fn ok<T: Serialize>(shape: Self::Shape, value: &T) -> Response;

    /// The answer of a call that did not.
    fn error(error: Self::Error) -> Response;

    /// What the domain said, where it said something: an unreachable store goes to the log, once.
    fn cause(error: &Self::Error) -> Option<&domain::Error>;

    /// Answers `OPTIONS` on a path that browsers may call. The framework adds the CORS headers.
    fn preflight() -> Response {
        crate::answer::empty()
    }

    /// JSON schema of a good answer around the schema of its value.
    fn envelope(shape: Self::Shape, value: Value) -> Value;

    /// JSON schema of an error answer.
    fn error_schema() -> Value;

    /// The statuses that errors come with, and what each means.
    fn error_statuses() -> &'static [(u16, &'static str)];

    /// OpenAPI security schemes, by name.
    fn schemes() -> Vec<(&'static str, Value)>;

    /// The scheme that a route with this access asks for; `None` where the credential stands in the body.
    fn scheme_of(access: Self::Access) -> Option<&'static str>;

    /// OpenAPI parameters that every route of the dialect takes, such as headers.
    fn parameters() -> Vec<Value> {
        Vec::new()
    }
}

/// What the framework found wrong before, or instead of, the handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The body is not what it should be at all: not JSON, not UTF-8, empty.
    #[error("malformed body: {0}")]
    Malformed(String),
    /// One field is missing or wrong.
    #[error("{field}: {problem}")]
    Field {
        /// Its name, with its path: `members[1].uid`.
        field: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The path exists, but not with this method.
    #[error("method not allowed; allowed: {allow}")]
    Method {
        /// The methods that exist, for the `Allow` header.
        allow: String,
    },
    /// The body is larger than `max_body`.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// That limit in bytes.
        limit: u64,
    },
    /// The body did not arrive within `body_timeout`.
    #[error("the body did not arrive in time")]
    Slow,
    /// More requests are in flight than `max_requests`, or this one took longer than `request_timeout`.
    #[error("the server is too busy")]
    Busy,
    /// A handler failed in a way that is our fault. The log says more.
    #[error("internal error")]
    Internal,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is there, but not like this.
    #[error("{0}")]
    Invalid(String),
}

/// An error about a field, with what the dialect calls that field.
#[must_use]
pub fn respelled(error: domain::Error, spelled: impl FnOnce(&'static str) -> &'static str) -> domain::Error {
    match error {
        domain::Error::Invalid { field, message } => domain::Error::Invalid { field: spelled(field), message },
        other => other,
    }
}

impl Fault {
    /// A field that is missing.
    pub fn missing(field: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: Problem::Missing }
    }

    /// A field that is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: Problem::Invalid(message.into()) }
    }

    /// The usual HTTP status, for dialects that use statuses.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Field { .. } => 400,
            Self::Method { .. } => 405,
            Self::TooLarge { .. } => 413,
            Self::Slow => 408,
            Self::Busy => 503,
            Self::Internal => 500,
        }
    }
}
