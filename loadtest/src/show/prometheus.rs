//! The run itself as Prometheus metrics, for those who watch it beside the server's own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use tokio::task::JoinHandle;

use super::Show;
use crate::measure::process::Sample;
use crate::measure::tick::Tick;
use crate::run::message::Milestone;

/// Told of each timing's last second.
const QUANTILES: [(&str, f64); 4] = [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99), ("0.999", 0.999)];

/// Serves `/metrics` until dropped.
pub struct Prometheus {
    recorder: PrometheusRecorder,
    server: JoinHandle<()>,
}

impl Prometheus {
    /// Listens. Call within a runtime.
    ///
    /// Fails when the address cannot be had.
    pub fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let (recorder, server) = PrometheusBuilder::new()
            .with_http_listener(address)
            .build()
            .with_context(|| format!("--prometheus: cannot listen on {address}"))?;
        let server = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(?error, "metrics of the run are no longer shown");
            }
        });
        Ok(Self { recorder, server })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Show for Prometheus {
    fn tick(&mut self, tick: &Tick) {
        metrics::with_local_recorder(&self.recorder, || record(tick));
    }

    fn milestone(&mut self, milestone: Milestone, _elapsed: Duration) {
        let number = match milestone {
            Milestone::Start => 0.0,
            Milestone::Connected => 1.0,
            Milestone::Strike => 1.5,
            Milestone::Loaded => 2.0,
            Milestone::Settled => 3.0,
        };
        metrics::with_local_recorder(&self.recorder, || gauge!("linnet_loadtest_milestone").set(number));
    }
}

fn record(tick: &Tick) {
    for (name, count) in &tick.counts {
        counter!(format!("linnet_loadtest_{}_total", plain(name))).increment(*count);
    }
    for (name, level) in &tick.gauges {
        gauge!(format!("linnet_loadtest_{}", plain(name))).set(*level as f64);
    }
    for (name, times) in tick.timings.iter().filter(|(_, times)| !times.is_empty()) {
        for (label, quantile) in QUANTILES {
            let seconds = times.at(quantile) as f64 / 1e6;
            gauge!(format!("linnet_loadtest_{}_seconds", plain(name)), "quantile" => label).set(seconds);
        }
    }
    process("generator", tick.generator);
    process("server", tick.servers.iter().copied().sum());
}

fn process(who: &'static str, sample: Sample) {
    if sample.rss > 0 {
        gauge!("linnet_loadtest_resident_memory_bytes", "of" => who).set(sample.rss as f64);
        counter!("linnet_loadtest_cpu_microseconds_total", "of" => who).absolute(sample.cpu_us);
    }
}

/// As a metric's name allows.
fn plain(name: &str) -> String {
    name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::report::fixture;

    #[tokio::test]
    async fn a_run_can_be_scraped() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        assert!(Prometheus::start(address).is_err(), "somebody else listens there");
        drop(free);
        let mut shown = Prometheus::start(address).unwrap();
        let outcome = fixture::outcome();
        outcome.timeline.iter().for_each(|tick| shown.tick(tick));
        shown.milestone(Milestone::Loaded, Duration::ZERO);
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        let acked = format!("linnet_loadtest_acked_total {}", outcome.count("acked"));
        for line in
            [acked.as_str(), "linnet_loadtest_milestone 2", "linnet_loadtest_ack_seconds{quantile=\"0.99\"} 0.0"]
        {
            assert!(page.contains(line), "{line} in {page}");
        }
    }
}
