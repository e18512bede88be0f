//! Making responses.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

/// A JSON answer.
#[must_use]
pub fn json<T: Serialize>(status: u16, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, "application/json", body),
        Err(error) => {
            tracing::error!(%error, "a reply could not be written as JSON");
            with_type(500, "application/json", &b"{\"error\":\"internal error\"}"[..])
        }
    }
}

/// Status 200 and nothing else; typed as HTML, as the systems that answer so do.
#[must_use]
pub fn empty() -> Response {
    with_type(200, "text/html; charset=utf-8", Body::empty())
}

/// Any body under any type.
#[must_use]
pub fn with_type(status: u16, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
