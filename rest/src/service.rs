//! The REST service, put together: tables, probes and documents over one domain.

use std::sync::Arc;

use axum::Router;
use domain::{Clock, Domain};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::probes::RenderMetrics;
use crate::route::State;
use crate::{openapi, probes, router, tables};

/// What `/version` answers.
#[derive(Debug, Clone, Serialize)]
pub struct Version {
    /// Name of the program.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The commit that it was built from, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<&'static str>,
}

impl Default for Version {
    fn default() -> Self {
        Self { name: "linnet", version: env!("CARGO_PKG_VERSION"), commit: option_env!("LINNET_COMMIT") }
    }
}

/// The service, ready to be served or, in tests, called without a socket.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) config: Arc<Config>,
    pub(crate) draining: CancellationToken,
    router: Router,
}

impl Service {
    /// A service over a domain. `render` draws the metrics of the whole process.
    #[must_use]
    pub fn new(domain: Domain, clock: Clock, config: Config, version: Version, render: RenderMetrics) -> Self {
        let config = Arc::new(config);
        let draining = CancellationToken::new();
        let state = Arc::new(State { domain, clock, config: Arc::clone(&config) });
        let tables = tables::tables();
        let document = openapi::document(&tables, version.version);
        let probes = probes::router(&state, render, version, &document, draining.clone());
        let router = router::router(tables, &state).merge(probes);
        Self { config, draining, router }
    }

    /// All routes.
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}
