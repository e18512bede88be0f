//! One axum router over all tables: finds the endpoint, reads the body within its limits, and answers whatever goes wrong
//! in the words of the dialect that the path belongs to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use domain::Millis;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::context::Call;
use crate::dialect::Fault;
use crate::metrics::Answers;
use crate::route::{Endpoint, State};
use crate::stream::Stream;
use crate::tables::Table;
use crate::{answer, metrics};

/// Where a connection came from; the server puts it into the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The endpoints of one path, whatever names stand in it: one or more methods, one dialect.
struct PathTable {
    endpoints: Vec<Endpoint>,
    /// Of each endpoint.
    answers: Vec<Answers>,
    state: Arc<State>,
    slots: Arc<Semaphore>,
}

/// The routes of all tables.
pub(crate) fn router(tables: Vec<Table>, state: &Arc<State>) -> Router {
    let slots = Arc::new(Semaphore::new(state.config.max_requests));
    let mut paths: BTreeMap<String, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in tables.into_iter().flat_map(|table| table.endpoints) {
        paths.entry(shape(endpoint.path)).or_default().push(endpoint);
    }
    let mut router = Router::new();
    for endpoints in paths.into_values() {
        let path = endpoints[0].path;
        let answers = endpoints.iter().map(|_| Answers::default()).collect();
        let table = Arc::new(PathTable { endpoints, answers, state: Arc::clone(state), slots: Arc::clone(&slots) });
        router = router.route(
            path,
            any(move |request: Request| {
                let table = Arc::clone(&table);
                async move { table.answer(request).await }
            }),
        );
    }
    router.fallback(async || unknown())
}

/// A path without the names in it: endpoints whose paths differ in names alone share one.
fn shape(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

/// Gives the values of a path the names that the endpoint knows them by.
fn rename(values: &mut [(String, String)], path: &str) {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for ((name, _), known) in values.iter_mut().zip(names) {
        known.clone_into(name);
    }
}

/// What a path that belongs to no dialect is answered.
fn unknown() -> Response {
    answer::json(404, &json!({ "error": "not found", "message": "no such path; /openapi.json lists those that exist" }))
}

impl PathTable {
    async fn answer(&self, request: Request) -> Response {
        let started = Instant::now();
        let method = request.method().clone();
        let found = self.endpoints.iter().position(|endpoint| endpoint.methods.contains(&method));
        // Every path has at least one endpoint; whose it is decides the words of a refusal.
        let (owner, answers) = (&self.endpoints[found.unwrap_or(0)], &self.answers[found.unwrap_or(0)]);
        let cors = self.endpoints.iter().any(|endpoint| endpoint.cors);
        let mut response = match found {
            _ if cors && method == Method::OPTIONS => (owner.preflight)(),
            None => self.wrong_method(owner),
            Some(_) => self.run(owner, request).await.unwrap_or_else(|fault| (owner.refuse)(fault)),
        };
        if cors {
            allow_any_origin(response.headers_mut());
        }
        answers.count(owner.dialect, owner.path, response.status().as_u16(), started.elapsed());
        response
    }

    fn wrong_method(&self, owner: &Endpoint) -> Response {
        let mut names: Vec<String> =
            self.endpoints.iter().flat_map(|endpoint| endpoint.methods.each()).map(|name| name.to_string()).collect();
        names.sort();
        let allow = names.join(", ");
        let value = HeaderValue::from_str(&allow);
        let mut response = (owner.refuse)(Fault::Method { allow });
        if let Ok(value) = value {
            response.headers_mut().insert(header::ALLOW, value);
        }
        response
    }

    async fn run(&self, endpoint: &Endpoint, request: Request) -> Result<Response, Fault> {
        let config = &self.state.config;
        let _slot = self.slots.try_acquire().map_err(|_| Fault::Busy)?;
        let (parts, body) = request.into_parts();
        let (body, stream, timeout) = if endpoint.streams {
            (Bytes::new(), Stream::new(body), config.upload_timeout)
        } else {
            let body = read_body(&parts.headers, body, config.max_body.0, config.body_timeout).await?;
            (body, Stream::default(), config.request_timeout)
        };
        let mut call = Call { stream, ..call(parts, body, self.state.clock.now()).await? };
        rename(&mut call.path_values, endpoint.path);
        // A handler that panics is a mistake of ours; its client gets an answer in the usual form, and the others get on.
        let handled = AssertUnwindSafe((endpoint.handler)(Arc::clone(&self.state), call)).catch_unwind();
        match tokio::time::timeout(timeout, handled).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) => {
                metrics::panicked();
                tracing::error!(route = endpoint.path, "a handler panicked");
                Err(Fault::Internal)
            }
            Err(_) => {
                tracing::warn!(route = endpoint.path, "a request took too long");
                Err(Fault::Busy)
            }
        }
    }
}

async fn read_body(headers: &HeaderMap, body: Body, limit: u64, deadline: Duration) -> Result<Bytes, Fault> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Fault::TooLarge { limit });
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let body = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
    match tokio::time::timeout(deadline, body.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::TooLarge { limit }),
        Ok(Err(_)) => Err(Fault::Malformed("the body broke off".into())),
        Err(_) => Err(Fault::Slow),
    }
}

async fn call(mut parts: Parts, body: Bytes, arrived: Millis) -> Result<Call, Fault> {
    use axum::extract::FromRequestParts as _;
    let raw = RawPathParams::from_request_parts(&mut parts, &()).await;
    let raw = raw.map_err(|_| Fault::invalid("path", "is not UTF-8"))?;
    // HTTP/2 says in another place what HTTP/1 calls the host.
    if let Some(authority) = parts.uri.authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok()) {
        parts.headers.entry(header::HOST).or_insert(authority);
    }
    let path_values = raw.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Call {
        peer: parts.extensions.get::<Peer>().map(|peer| peer.0),
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        path_values,
        headers: parts.headers,
        body,
        stream: Stream::default(),
        arrived,
    })
}

/// What browsers want to see before they let a page of another origin read the answer.
fn allow_any_origin(headers: &mut HeaderMap) {
    const ALLOWED: &str = "Authorization, Content-Type, token, operationID, app_id, access-token";
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
}
