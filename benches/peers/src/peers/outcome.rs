//! What a run tells, in the names that `linnet-loadtest --json` uses, and what a process costs.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

/// Ticks of processor time a second, as Linux tells user space.
const TICKS: u64 = 100;

/// A process at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Resident memory, bytes.
    rss: f64,
    /// Processor time so far, microseconds.
    cpu: f64,
}

/// The server and this generator at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    server: Sample,
    generator: Sample,
}

/// Looks at both.
pub(crate) fn look(server_pid: u32) -> Result<Moment> {
    Ok(Moment { server: sample(server_pid)?, generator: sample(std::process::id())? })
}

/// Looks at a process.
fn sample(pid: u32) -> Result<Sample> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    let (statm, stat) = (read("statm")?, read("stat")?);
    let pages: u64 = statm.split_whitespace().nth(1).context("statm is short")?.parse()?;
    // The command's name, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')').context("stat is short")?.1.split_whitespace().collect();
    let ticks = |at: usize| -> Result<u64> { Ok(fields.get(at).context("stat is short")?.parse()?) };
    let cpu = (ticks(11)? + ticks(12)?) * 1_000_000 / TICKS;
    Ok(Sample { rss: (pages * rustix::param::page_size() as u64) as f64, cpu: cpu as f64 })
}

/// Lets this process open as many files as the system allows it.
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // A refusal shows later, as connections that cannot be made.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Times, in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are valid"))
    }
}

impl Times {
    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(time.as_micros().try_into().unwrap_or(u64::MAX));
    }

    pub(crate) fn p99(&self) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(0.99))
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        self.0.add(&other.0).context("histograms of the same bounds add up")
    }
}

/// Collects what is told in the end.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) figures: BTreeMap<String, f64>,
    pub(crate) timings: BTreeMap<&'static str, Times>,
    /// Why these numbers are the generator's rather than the server's.
    pub(crate) invalid: Vec<String>,
}

impl Outcome {
    /// What so many logins cost.
    pub(crate) fn logins(&mut self, connections: usize, before: Moment, after: Moment) {
        let each = connections.max(1) as f64;
        self.counts.insert("connected", connections as u64);
        let server = after.server.rss - before.server.rss;
        self.figures.insert("server bytes per connection".into(), server / each);
        for (whose, cpu) in used(before, after) {
            self.figures.insert(format!("{whose} us per login"), cpu / each);
        }
    }

    /// What the load cost, and how fast it went.
    pub(crate) fn load(&mut self, seconds: f64, before: Moment, after: Moment) {
        let counts = [("acked", "message"), ("received", "delivery")]
            .map(|(name, what)| (name, what, self.counts.get(name).copied().unwrap_or(0) as f64));
        let counted = counts.into_iter().filter(|&(.., count)| count > 0.0);
        for (name, _, count) in counted.clone() {
            self.figures.insert(format!("{name} per second"), count / seconds);
        }
        for (whose, cpu) in used(before, after) {
            self.figures.insert(format!("{whose} cores"), cpu / 1e6 / seconds);
            for (_, what, count) in counted.clone() {
                self.figures.insert(format!("{whose} us per {what}"), cpu / count);
            }
        }
    }
}

/// Processor time between two moments, microseconds, by whose it is.
fn used(before: Moment, after: Moment) -> [(&'static str, f64); 2] {
    let server = after.server.cpu - before.server.cpu;
    [("server", server), ("generator", after.generator.cpu - before.generator.cpu)]
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let timings: BTreeMap<&str, Value> = (self.timings.iter())
            .filter(|(_, Times(times))| !times.is_empty())
            .map(|(name, Times(times))| {
                let at = |quantile| times.value_at_quantile(quantile);
                let summary = json!({
                    "count": times.len(), "min_us": times.min(), "mean_us": times.mean(), "p50_us": at(0.5),
                    "p90_us": at(0.9), "p99_us": at(0.99), "p999_us": at(0.999), "max_us": times.max(),
                });
                (*name, summary)
            })
            .collect();
        let whole = json!({
            "tool": "peers", "counts": self.counts, "figures": self.figures, "timings": timings, "invalid": self.invalid,
        });
        write!(out, "{whole}")
    }
}
