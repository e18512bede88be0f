//! What a run tells in the end: one document, from which every report is made, and which `compare` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::latency::{Latencies, Summary};
use crate::measure::ledger::Verdict;
use crate::measure::names::{count, timing};
use crate::measure::process::Sample;
use crate::measure::tick::Tick;
use crate::plan::Plan;
use crate::plan::threshold::Judged;
use crate::run::message::{Milestone, Part};

/// Version of the document. A reader refuses a later one.
pub const VERSION: u32 = 1;
/// A generator this late on its own schedule, microseconds at p99, measures itself.
const LATE_US: u64 = 5_000;

/// What was used and held when a milestone was reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which.
    pub milestone: Milestone,
    /// Seconds from the start.
    pub seconds: f64,
    /// The server's processes, in the order in which they were named.
    pub servers: Vec<Sample>,
    /// The generator's processes, added up.
    pub generator: Sample,
}

impl Snapshot {
    fn server(&self) -> Sample {
        self.servers
            .iter()
            .fold(Sample::default(), |sum, next| Sample { rss: sum.rss + next.rss, cpu_us: sum.cpu_us + next.cpu_us })
    }
}

/// The document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// [`VERSION`].
    pub version: u32,
    /// This program's version.
    pub tool: String,
    /// What was to be done. Holds no token.
    pub plan: Plan,
    /// Name of the scenario.
    pub scenario: String,
    /// Whether messages were due at fixed times.
    pub open: bool,
    /// Unix milliseconds.
    pub started_at_ms: u64,
    /// How long the load went on, seconds.
    pub seconds: f64,
    /// Everything counted, by [`names::count`](crate::measure::names::count).
    pub counts: BTreeMap<String, u64>,
    /// Percentiles of everything timed, by [`names::timing`](crate::measure::names::timing).
    pub timings: BTreeMap<String, Summary>,
    /// The histograms behind them.
    pub histograms: BTreeMap<String, Latencies>,
    /// Derived numbers by name; what a threshold can name, besides counts and percentiles.
    pub figures: BTreeMap<String, f64>,
    /// What the books say.
    pub ledger: Verdict,
    /// Errors in words, and how often each.
    pub errors: BTreeMap<String, u64>,
    /// Costs up to each milestone.
    pub snapshots: Vec<Snapshot>,
    /// Every second.
    pub timeline: Vec<Tick>,
    /// What became of each threshold.
    pub thresholds: Vec<Judged>,
    /// Why these numbers are the generator's rather than the server's; empty for a valid run.
    pub invalid: Vec<String>,
    /// Whether the run was ended early.
    pub stopped: bool,
    /// Whether books balanced, something was done, and every threshold holds.
    pub passed: bool,
}

impl Outcome {
    pub(crate) fn new(
        plan: Plan,
        started_at_ms: u64,
        snapshots: Vec<Snapshot>,
        timeline: Vec<Tick>,
        parts: Vec<Part>,
        stopped: bool,
    ) -> Self {
        let (mut counts, mut histograms) = (BTreeMap::<_, u64>::new(), BTreeMap::<_, Latencies>::new());
        for tick in &timeline {
            for (name, count) in &tick.counts {
                *counts.entry(name.clone()).or_default() += count;
            }
            for (name, times) in &tick.timings {
                histograms.entry(name.clone()).or_default().add(times);
            }
        }
        let (mut ledger, mut errors, mut figures) = (Verdict::default(), BTreeMap::new(), BTreeMap::new());
        for part in parts {
            ledger.add(part.verdict);
            for (error, count) in part.errors {
                *errors.entry(error).or_default() += count;
            }
            for (name, figure) in part.figures {
                *figures.entry(name).or_default() += figure;
            }
        }
        let timings = histograms.iter().map(|(name, times)| (name.clone(), times.summary())).collect();
        let at = |milestone| snapshots.iter().find(|snapshot| snapshot.milestone == milestone);
        let seconds =
            at(Milestone::Loaded).zip(at(Milestone::Connected)).map_or(0.0, |(to, from)| to.seconds - from.seconds);
        let mut outcome = Self {
            version: VERSION,
            tool: concat!("linnet-loadtest ", env!("CARGO_PKG_VERSION")).to_owned(),
            scenario: plan.scenario.name().to_owned(),
            open: plan.load.is_open(),
            plan,
            started_at_ms,
            seconds,
            counts,
            timings,
            histograms,
            figures,
            ledger,
            errors,
            snapshots,
            timeline,
            thresholds: Vec::new(),
            invalid: Vec::new(),
            stopped,
            passed: false,
        };
        outcome.derive();
        outcome.judge();
        outcome
    }

    fn snapshot(&self, milestone: Milestone) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.milestone == milestone)
    }

    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Works out rates and costs.
    fn derive(&mut self) {
        let mut figures = BTreeMap::new();
        let mut figure = |name: String, value: f64| {
            if value.is_finite() {
                figures.insert(name, value);
            }
        };
        for name in [count::SENT, count::ACKED, count::RECEIVED, count::REQUESTS] {
            if self.count(name) > 0 && self.seconds > 0.0 {
                figure(format!("{name} per second"), self.count(name) as f64 / self.seconds);
            }
        }
        let connected = self.count(count::CONNECTED);
        if let Some((start, up)) = self.snapshot(Milestone::Start).zip(self.snapshot(Milestone::Connected)) {
            let costs = [("server", start.server(), up.server()), ("generator", start.generator, up.generator)];
            for (who, before, after) in costs.into_iter().filter(|(_, _, after)| after.rss > 0) {
                let logins = connected.max(1) as f64;
                figure(format!("{who} bytes per connection"), (after.rss as f64 - before.rss as f64) / logins);
                figure(format!("{who} us per login"), after.cpu_us.saturating_sub(before.cpu_us) as f64 / logins);
            }
        }
        if let Some((up, done)) = self.snapshot(Milestone::Connected).zip(self.snapshot(Milestone::Loaded)) {
            let costs = [("server", up.server(), done.server()), ("generator", up.generator, done.generator)];
            for (who, before, after) in costs.into_iter().filter(|(_, _, after)| after.rss > 0) {
                let cpu = after.cpu_us.saturating_sub(before.cpu_us) as f64;
                if self.seconds > 0.0 {
                    figure(format!("{who} cores"), cpu / 1e6 / self.seconds);
                }
                let shares = [("message", count::ACKED), ("delivery", count::RECEIVED), ("request", count::REQUESTS)];
                for (what, of) in shares.into_iter().filter(|(_, of)| self.count(of) > 0) {
                    figure(format!("{who} us per {what}"), cpu / self.count(of) as f64);
                }
            }
        }
        self.figures.extend(figures);
    }

    /// Judges the books, the thresholds and the generator.
    fn judge(&mut self) {
        self.thresholds =
            self.plan.thresholds.iter().map(|threshold| threshold.judge(self.value(&threshold.name))).collect();
        let lag = self.timings.get(timing::LAG).map_or(0, |lag| lag.p99_us);
        if lag > LATE_US {
            self.invalid.push(format!("the generator was {:.1} ms behind its schedule at p99", lag as f64 / 1000.0));
        }
        let not_sent = self.count(count::NOT_SENT);
        if not_sent > 0 {
            self.invalid.push(format!("{not_sent} due messages found their sender's window full"));
        }
        let failed = self.count(count::CONNECT_FAILED);
        let done = self.count(count::CONNECTED) + self.count(count::REQUESTS) > 0;
        self.passed =
            self.ledger.kept() && failed == 0 && done && self.thresholds.iter().all(|threshold| threshold.passed);
    }

    /// A number by name: a figure (`acked per second`), a count (`disconnected`), a fault (`lost`), or a percentile in microseconds
    /// (`ack p99`; p50, p90, p99, p99.9, p99.99, min, mean, max).
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        if let Some(&figure) = self.figures.get(name) {
            return Some(figure);
        }
        if let Some(&count) = self.counts.get(name) {
            return Some(count as f64);
        }
        if let Some((_, count)) = self.ledger.faults().iter().find(|(fault, _)| *fault == name) {
            return Some(*count as f64);
        }
        let (timing, at) = name.rsplit_once(' ')?;
        let times = self.timings.get(timing).filter(|times| times.count > 0)?;
        Some(match at {
            "min" => times.min_us as f64,
            "mean" => times.mean_us,
            "p50" => times.p50_us as f64,
            "p90" => times.p90_us as f64,
            "p99" => times.p99_us as f64,
            "p99.9" => times.p999_us as f64,
            "p99.99" => times.p9999_us as f64,
            "max" => times.max_us as f64,
            _ => return None,
        })
    }
}
