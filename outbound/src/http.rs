//! The HTTP client: one request, one answer, within a time and a size. It follows no redirects.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::config::Config;
use crate::connect::Connector;
use crate::metrics::REQUEST_SECONDS;

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(60);

/// A `POST`.
#[derive(Debug, Clone)]
pub struct Request {
    url: String,
    headers: HeaderMap,
    body: Bytes,
    /// HTTP/2 whatever the other side says, as APNs wants it.
    h2: bool,
}

impl Request {
    /// A request with a body of some type.
    #[must_use]
    pub fn new(url: impl Into<String>, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { url: url.into(), headers, body: body.into(), h2: false }
    }

    /// A request with a JSON body.
    #[must_use]
    pub fn json(url: impl Into<String>, body: &serde_json::Value) -> Self {
        Self::new(url, "application/json", body.to_string())
    }

    /// A request with a form.
    #[must_use]
    pub fn form<'a>(url: impl Into<String>, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        Self::new(url, "application/x-www-form-urlencoded", form.finish())
    }

    /// Adds a header. A value that no header can hold is left out, and the other side then says what it misses.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Over HTTP/2, without asking.
    #[must_use]
    pub fn h2(mut self) -> Self {
        self.h2 = true;
        self
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// When to ask again, if it says so in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(hyper::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The URL is none.
    #[error("not a URL")]
    Url,
    /// Nobody could be reached, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The answer is longer than allowed, or broke off.
    #[error("the answer is too long, or broke off")]
    Body,
}

type Pool = Client<Connector, Full<Bytes>>;

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    any: Pool,
    h2: Pool,
    timeout: Duration,
    limit: usize,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    /// A client with these limits.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let connector = Connector::new(config.allow_private, config.connect_timeout);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).timer(TokioTimer::new());
        let any = builder.build(connector.clone());
        let h2 = builder.http2_only(true).build(connector);
        Self { any, h2, timeout: config.request_timeout, limit: config.answer_limit.bytes() }
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// Where there is no answer; whether the request took effect is then unknown.
    pub async fn send(&self, request: Request) -> Result<Answer, Error> {
        let begun = Instant::now();
        let answered = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        metrics::histogram!(REQUEST_SECONDS).record(begun.elapsed().as_secs_f64());
        answered.unwrap_or(Err(Error::Timeout))
    }

    async fn exchange(&self, request: Request) -> Result<Answer, Error> {
        let uri: Uri = request.url.parse().map_err(|_| Error::Url)?;
        let pool = if request.h2 { &self.h2 } else { &self.any };
        let mut asked = hyper::Request::new(Full::new(request.body));
        *asked.method_mut() = Method::POST;
        *asked.uri_mut() = uri;
        *asked.headers_mut() = request.headers;
        let response = pool.request(asked).await.map_err(|error| Error::Connection(reason(&error)))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, self.limit).collect().await.map_err(|_| Error::Body)?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// The innermost reason, which is the one that tells something.
fn reason(error: &hyper_util::client::legacy::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
