//! The server, looked at while it works: from outside in `/proc`, from inside through its `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Empty};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::process::{self, Sample};
use crate::plan::target::Target;

/// How often the server's metrics are asked for.
const EVERY: Duration = Duration::from_secs(1);
/// How long they may take; longer than this they are no use to that second.
const PATIENCE: Duration = Duration::from_millis(900);

/// What the metrics of a second are called in [`Tick::metrics`](super::tick::Tick::metrics), per second each.
pub mod metric {
    /// Groups of commits written and synced.
    pub const FSYNCS: &str = "fsyncs";
    /// Seconds spent on that.
    pub const FSYNC_SECONDS: &str = "fsync seconds";
    /// Bytes written so.
    pub const FSYNC_BYTES: &str = "fsync bytes";
    /// Commits in groups.
    pub const COMMITS: &str = "commits";
    /// Groups of commits, to a disk or a shard.
    pub const GROUPS: &str = "commit groups";
    /// Entries that became durable.
    pub const ENTRIES: &str = "entries";
    /// Commits that waited when a group was taken; a level.
    pub const QUEUED: &str = "queued commits";
}

/// Our names, and the counters whose growth a second they tell.
const RATES: [(&str, &str); 12] = [
    (metric::FSYNCS, "linnet_storage_sync_seconds_count"),
    (metric::FSYNC_SECONDS, "linnet_storage_sync_seconds_sum"),
    (metric::FSYNC_BYTES, "linnet_storage_group_bytes_sum"),
    (metric::COMMITS, "linnet_storage_group_commits_sum"),
    (metric::GROUPS, "linnet_storage_group_commits_count"),
    (metric::ENTRIES, "linnet_entries_total"),
    ("pushes", "linnet_gateway_pushes_total"),
    ("frames in", "linnet_gateway_frames_in_total"),
    ("frames out", "linnet_gateway_frames_out_total"),
    ("bytes in", "linnet_gateway_bytes_in_total"),
    ("bytes out", "linnet_gateway_bytes_out_total"),
    ("cache misses", "linnet_storage_cache_misses_total"),
];
/// Our names, and the gauges that they tell.
const LEVELS: [(&str, &str); 3] = [
    (metric::QUEUED, "linnet_storage_queued_commits"),
    ("connections", "linnet_gateway_connections"),
    ("active conversations", "linnet_active_conversations"),
];

/// The server's processes and metrics, watched until dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    pids: Vec<u32>,
    seen: Arc<Mutex<Seen>>,
    scrapers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// What each endpoint said last, by its place.
    endpoints: BTreeMap<usize, BTreeMap<String, f64>>,
    /// Endpoints that did not answer, how often, and why the last time.
    failures: BTreeMap<String, (u64, String)>,
}

impl Watch {
    /// Begins to ask the endpoints of the target. Call within a runtime.
    pub(crate) fn start(target: &Target) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let scrapers = (target.metrics.iter().enumerate())
            .map(|(place, url)| tokio::spawn(scrape(place, url.clone(), Arc::clone(&seen))))
            .collect();
        Self { pids: target.server_pid.clone(), seen, scrapers }
    }

    /// The processes now, in the order in which they were named; one that is gone is all zeros.
    pub(crate) fn processes(&self) -> Vec<Sample> {
        self.pids.iter().map(|&pid| process::sample(pid).unwrap_or_default()).collect()
    }

    /// What the metrics said last, all endpoints added up.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let mut sum = BTreeMap::new();
        for metrics in self.seen.lock().endpoints.values() {
            for (name, value) in metrics {
                *sum.entry(name.clone()).or_default() += value;
            }
        }
        sum
    }

    /// What could not be seen, in words for people.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let gone = (self.pids.iter()).filter(|&&pid| process::sample(pid).is_err());
        let mut warnings: Vec<String> = gone
            .map(|pid| format!("the server's process {pid} cannot be looked at: its costs are not known"))
            .collect();
        for (url, (times, reason)) in &self.seen.lock().failures {
            warnings.push(format!("{url} did not tell its metrics {times} times: {reason}"));
        }
        warnings
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for scraper in &self.scrapers {
            scraper.abort();
        }
    }
}

type Http = Client<HttpConnector, Empty<Bytes>>;

/// Asks one endpoint every second, and keeps what grew since the last time it answered.
async fn scrape(place: usize, url: String, seen: Arc<Mutex<Seen>>) {
    let client: Http = Client::builder(TokioExecutor::new()).build_http();
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut last: Option<(Instant, BTreeMap<String, f64>)> = None;
    loop {
        clock.tick().await;
        match tokio::time::timeout(PATIENCE, page(&client, &url)).await.context("too slow").and_then(|page| page) {
            Ok(text) => {
                let (now, page) = (Instant::now(), parse(&text));
                if let Some((then, before)) = &last {
                    let told = growth(before, &page, now.saturating_duration_since(*then));
                    seen.lock().endpoints.insert(place, told);
                }
                last = Some((now, page));
            }
            Err(error) => {
                let mut seen = seen.lock();
                seen.endpoints.remove(&place);
                let (times, reason) = seen.failures.entry(url.clone()).or_default();
                *times += 1;
                *reason = format!("{error:#}");
            }
        }
    }
}

async fn page(client: &Http, url: &str) -> anyhow::Result<String> {
    let uri: Uri = url.parse().context("no URL")?;
    let answer = client.get(uri).await?;
    ensure!(answer.status().is_success(), "answered {}", answer.status());
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.into())?)
}

/// Sums of Prometheus' text by name, labels put aside. Buckets and quantiles are no sums and are left out.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        if labels.contains("le=\"") || labels.contains("quantile=\"") {
            continue;
        }
        if let Some(value) = value.parse::<f64>().ok().filter(|value| value.is_finite()) {
            *sums.entry(name.trim().to_owned()).or_default() += value;
        }
    }
    sums
}

/// What a second of the time between two pages brought, and the levels at its end. A server that began anew counts from nothing.
fn growth(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, time: Duration) -> BTreeMap<String, f64> {
    let seconds = time.as_secs_f64().max(f64::EPSILON);
    let rates = RATES.iter().filter_map(|&(name, counter)| {
        let (now, then) = (*after.get(counter)?, before.get(counter).copied().unwrap_or(0.0));
        let grown = if now < then { now } else { now - then };
        Some((name.to_owned(), grown / seconds))
    });
    let levels = LEVELS.iter().filter_map(|&(name, gauge)| Some((name.to_owned(), *after.get(gauge)?)));
    rates.chain(levels).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const PAGE: &str = "# TYPE linnet_gateway_connections gauge\n\
        linnet_gateway_connections{transport=\"tcp\"} 7\n\
        linnet_gateway_connections{transport=\"quic\"} 5\n\
        linnet_storage_sync_seconds_bucket{le=\"0.001\"} 90\n\
        linnet_storage_sync_seconds_sum 0.25\n\
        linnet_storage_sync_seconds_count 100\n\
        linnet_entries_total 5000\n\
        broken\n";

    #[test]
    fn labels_are_added_up_and_buckets_left_out() {
        let sums = parse(PAGE);
        assert_eq!(sums.get("linnet_gateway_connections"), Some(&12.0));
        assert_eq!(sums.len(), 4);
    }

    #[test]
    fn growth_is_told_by_the_second() {
        let after = parse(PAGE);
        let mut before = after.clone();
        before.insert("linnet_storage_sync_seconds_count".to_owned(), 50.0);
        before.insert("linnet_entries_total".to_owned(), 9_000.0);
        let told = growth(&before, &after, Duration::from_secs(2));
        assert_eq!(told.get(metric::FSYNCS), Some(&25.0));
        assert_eq!(told.get(metric::ENTRIES), Some(&2_500.0), "the server began anew");
        assert_eq!(told.get("connections"), Some(&12.0));
    }

    #[tokio::test]
    async fn an_endpoint_is_read_and_an_absent_one_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{PAGE}", PAGE.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let client: Http = Client::builder(TokioExecutor::new()).build_http();
        assert_eq!(page(&client, &url).await.unwrap(), PAGE);
        assert!(served.await.unwrap().starts_with("GET /metrics HTTP/1.1"));

        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let target = Target {
            metrics: vec![format!("http://{nobody}/metrics")],
            server_pid: vec![u32::MAX],
            ..Target::default()
        };
        let watch = Watch::start(&target);
        while watch.warnings().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(watch.metrics().is_empty());
        assert_eq!(watch.processes(), [Sample::default()]);
    }
}
