//! Metrics: collected in this process, shown as Prometheus text.

use std::time::Duration;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of histograms in seconds: from a cached read to a request at its deadline.
const SECONDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
    30.0,
];

/// Bounds of histograms of counts and bytes: powers of four.
const COUNTS: [f64; 11] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0];

/// How often old samples are folded away, so that a server that nobody scrapes does not keep them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts collecting. Call once per process, within a runtime.
///
/// # Errors
/// If something else collects already.
pub(crate) fn start() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&COUNTS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS))
        .context("bounds of histograms")?
        .install_recorder()
        .context("cannot collect metrics")?;
    let folded = handle.clone();
    tokio::spawn(async move {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            folded.run_upkeep();
        }
    });
    Ok(handle)
}
