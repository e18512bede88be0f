//! The REST service on its socket.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use domain::{Clock, Domain};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// The service, and the task that serves it.
pub(super) struct Rest {
    pub(super) service: rest::Service,
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Rest {
    /// Listens, and serves from now on.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub(super) async fn start(
        config: &Config,
        domain: &Domain,
        clock: &Clock,
        metrics: PrometheusHandle,
    ) -> Result<Self> {
        let listen = &config.rest.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| format!("rest: cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let render = Arc::new(move || metrics.render());
        let service =
            rest::Service::new(domain.clone(), clock.clone(), config.rest.clone(), rest::Version::default(), render);
        let stop = CancellationToken::new();
        let serving = tokio::spawn(service.clone().serve(listener, stop.clone()));
        Ok(Self { service, address, stop, serving })
    }

    /// Takes no more requests, and waits for those under way.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        match self.serving.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the REST service ended badly"),
            Err(error) => tracing::error!(%error, "the REST service ended badly"),
        }
    }
}
