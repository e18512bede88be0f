//! Metrics and health on an address of their own, for a process without the REST service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use domain::Domain;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long `/readyz` waits for the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// The page, until this is dropped.
#[derive(Debug)]
pub(crate) struct Probes {
    address: SocketAddr,
    draining: CancellationToken,
    _stop: DropGuard,
}

impl Probes {
    /// Serves `/metrics`, `/healthz` and `/readyz`.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub(crate) async fn start(listen: &str, metrics: PrometheusHandle, domain: Domain) -> Result<Self> {
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("`metrics.listen`: cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let (draining, stop) = (CancellationToken::new(), CancellationToken::new());
        let asked = Arc::new((domain, draining.clone()));
        let router = Router::new()
            .route("/metrics", get(async move || metrics.render()))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(move || ready(Arc::clone(&asked))));
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "metrics are no longer shown");
            }
        });
        Ok(Self { address, draining, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, `/readyz` says no. Health and metrics are shown until the end.
    pub(crate) fn announce_drain(&self) {
        self.draining.cancel();
    }
}

async fn ready(asked: Arc<(Domain, CancellationToken)>) -> (StatusCode, String) {
    let (domain, draining) = &*asked;
    if draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".into());
    }
    match tokio::time::timeout(PATIENCE, domain.ready()).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n".into()),
        Ok(Err(missing)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n".into()),
    }
}
