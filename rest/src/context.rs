//! What a handler is given besides its input.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use domain::{Caller, Clock, Domain, Millis};
use rand::Rng as _;

use crate::config::Config;
use crate::dialect::Fault;
use crate::stream::Stream;

/// A request, read to its end.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path, as sent.
    pub path: String,
    /// What stands after `?`, without it; empty if nothing does.
    pub query: String,
    /// The values of the path's `{names}`, decoded.
    pub path_values: Vec<(String, String)>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, within `max_body`; empty where the handler reads it as it comes.
    pub body: Bytes,
    /// Its body as it comes, of routes that say so.
    pub stream: Stream,
    /// Where it came from, if over a socket.
    pub peer: Option<IpAddr>,
    /// When it had been read.
    pub arrived: Millis,
}

impl Call {
    /// A header's text; `None` if it is absent or not text.
    ///
    /// Proxies drop header names with underscores, so `app_id` is found as `app-id` too.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name).or_else(|| self.headers.get(name.replace('_', "-")))?;
        value.to_str().ok()
    }

    /// The first value of a query parameter.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// The context of a handler whose caller is known.
#[derive(Debug)]
pub struct Cx {
    /// The product.
    pub domain: Domain,
    /// Who is calling; the tenant comes with it.
    pub caller: Caller,
    /// The settings.
    pub config: std::sync::Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// The request itself, for headers.
    pub call: Call,
}

/// The context of a `public` handler: it has a tenant, but no user to misuse.
#[derive(Debug)]
pub struct Anonymous {
    /// The product.
    pub domain: Domain,
    /// Nobody, in the app that the header `app_id` or `default_app` names: may register and log in.
    pub nobody: Caller,
    /// The settings.
    pub config: std::sync::Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// The request itself, for headers.
    pub call: Call,
}

/// 32 hex digits that nobody guesses: message and group ids for dialects whose clients expect such, and the id under which
/// a message without one of its own is stored.
#[must_use]
pub fn fresh_id() -> String {
    hex::encode(rand::rng().random::<[u8; 16]>())
}

/// Who a public call is for: nobody yet, in the app of the header `app_id`, or else in the configured one.
pub(crate) async fn nobody(domain: &Domain, config: &Config, call: &Call) -> Result<Caller, domain::Error> {
    let app = call.header("app_id").unwrap_or(&config.default_app);
    domain.apps.anonymous(app).await
}

/// What URLs of this service begin with, as the client of a call sees it: `public_url`, or else what the client called it by.
#[must_use]
pub fn base_url(config: &Config, call: &Call) -> String {
    if !config.public_url.is_empty() {
        return config.public_url.trim_end_matches('/').to_owned();
    }
    let host = call.header("host").unwrap_or(&config.listen);
    let scheme = call.header("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    format!("{scheme}://{host}")
}

impl Call {
    /// The body as text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self) -> Result<&str, Fault> {
        std::str::from_utf8(&self.body).map_err(|_| Fault::Malformed("the body is not UTF-8".into()))
    }
}
