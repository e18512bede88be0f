//! What operators and the curious ask: health, readiness, metrics, version, and the API's own description.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use utoipa_swagger_ui::SwaggerUi;

use crate::answer;
use crate::route::State;
use crate::service::Version;

/// Draws the metrics as Prometheus text; the server, which owns the recorder, gives it.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// `GET /readyz`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The routes that belong to no dialect.
pub(crate) fn router(
    state: &Arc<State>,
    render: RenderMetrics,
    version: Version,
    document: &Value,
    draining: CancellationToken,
) -> Router {
    let state = Arc::clone(state);
    let document = Bytes::from(document.to_string());
    Router::new()
        .route("/healthz", get(async || answer::with_type(200, "text/plain; charset=utf-8", "ok\n")))
        .route("/readyz", get(move || ready(Arc::clone(&state), draining.clone())))
        .route(
            "/metrics",
            get(async move || answer::with_type(200, "text/plain; version=0.0.4; charset=utf-8", render())),
        )
        .route("/version", get(async move || answer::json(200, &version)))
        .route("/openapi.json", get(async move || answer::with_type(200, "application/json", document.clone())))
        .merge(SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json")))
        .method_not_allowed_fallback(async || answer::json(405, &json!({ "error": "method not allowed" })))
}

async fn ready(state: Arc<State>, draining: CancellationToken) -> Response {
    let reason = if draining.is_cancelled() {
        Some("draining: the server is about to stop".to_owned())
    } else {
        match tokio::time::timeout(state.config.ready_timeout, state.domain.ready()).await {
            Ok(Ok(())) => None,
            Ok(Err(missing)) => Some(missing),
            Err(_) => Some("the store does not answer".to_owned()),
        }
    };
    let status = if reason.is_none() { 200 } else { 503 };
    answer::json(status, &Readiness { ready: reason.is_none(), reason })
}
