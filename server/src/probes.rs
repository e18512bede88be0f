//! Metrics and health on an address of their own, for a process without the REST service.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use domain::Domain;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves `/metrics`, `/healthz` and `/readyz` until `stop`. Answers where it listens.
///
/// # Errors
/// If the address cannot be bound.
pub(crate) async fn start(
    listen: &str,
    metrics: PrometheusHandle,
    domain: Domain,
    stop: CancellationToken,
) -> Result<SocketAddr> {
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("`metrics.listen`: cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let asked = Arc::new((domain, stop.clone()));
    let router = Router::new()
        .route("/metrics", get(async move || metrics.render()))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(move || ready(Arc::clone(&asked))));
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "metrics are no longer shown");
        }
    });
    Ok(address)
}

async fn ready(asked: Arc<(Domain, CancellationToken)>) -> (StatusCode, String) {
    let (domain, stop) = &*asked;
    if stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".into());
    }
    match domain.check().await {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}
