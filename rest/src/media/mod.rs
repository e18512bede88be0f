//! The bytes of files: where the URLs lead that the dialects hand out.
//!
//! Linnet's own, and in no document. What is asked for is signed, or has a name that nobody guesses; no other credential is needed, so that a
//! page or a player can load it. The app is named in the path.

mod download;
mod error;
mod routes;
mod upload;

use axum::response::Response;
use domain::{AppNumber, Caller, Domain};
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer;
use crate::config::Config;
use crate::context::Call;
use crate::dialect::Dialect;

pub(crate) use download::name_of;
pub use error::Error;
pub use routes::routes;

/// What a handler answers with.
type Reply<T> = Result<T, Error>;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Media;

impl Dialect for Media {
    const NAME: &'static str = "media";
    const ABOUT: &'static str = "The bytes of files, where the URLs lead that the dialects hand out. Linnet's own. \
        Errors are `{error, message}` with the usual HTTP statuses.";
    type Access = ();
    type Shape = ();
    type Error = Error;

    /// Every route is public: what is shown besides the app, the product looks at.
    async fn authenticate(domain: &Domain, config: &Config, call: &Call, (): ()) -> Reply<Caller> {
        Self::nobody(domain, config, call).await
    }

    async fn nobody(domain: &Domain, _: &Config, call: &Call) -> Reply<Caller> {
        let named = call.path_values.iter().find(|(name, _)| name == "app" || name == "name");
        // The name of an open file begins with its app's number.
        let number = named.and_then(|(_, value)| value.split('-').next()?.parse().ok());
        Ok(domain.apps.anonymous_by_number(AppNumber(number.unwrap_or_default())).await?)
    }

    fn ok<T: Serialize>((): (), value: &T) -> Response {
        answer::json(200, value)
    }

    fn error(error: Error) -> Response {
        answer::json(error.status(), &error.body())
    }

    fn cause(error: &Error) -> Option<&domain::Error> {
        error.cause()
    }

    fn envelope((): (), value: Value) -> Value {
        value
    }

    fn error_schema() -> Value {
        json!({
            "type": "object",
            "required": ["error", "message"],
            "properties": { "error": { "type": "string" }, "message": { "type": "string" } },
        })
    }

    fn error_statuses() -> &'static [(u16, &'static str)] {
        error::STATUSES
    }

    fn schemes() -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    fn scheme_of((): ()) -> Option<&'static str> {
        None
    }
}
