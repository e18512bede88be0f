//! What a run tells in the end: one document, from which every report is made, and which `compare` reads.

mod figures;

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::measure::environment::Environment;
use crate::measure::kernel::KernelMemory;
use crate::measure::latency::{Latencies, Summary};
use crate::measure::ledger::Verdict;
use crate::measure::names::{count, timing};
use crate::measure::process::Sample;
use crate::measure::tick::Tick;
use crate::plan::Plan;
use crate::plan::threshold::Judged;
use crate::report::units::figure;
use crate::run::crew::Member;
use crate::run::message::{Milestone, Part};

/// Version of the document. A reader refuses a later one.
pub const VERSION: u32 = 1;
/// A generator this late on its own schedule, microseconds at p99, measures itself.
const LATE_US: u64 = 5_000;
/// So does one that uses this share of the cores that it may use, in the open model;
const SATURATED: f64 = 0.9;
/// and from this share on it is said that it may.
const BUSY: f64 = 0.8;
/// Server and generator together this near to all cores of the machine: neither can show what it could do alone.
const FULL: f64 = 0.95;

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
    /// The kernel of the coordinator's machine.
    #[serde(default)]
    pub kernel: Option<KernelMemory>,
}

impl Snapshot {
    /// The server's processes, added up.
    #[must_use]
    pub fn server(&self) -> Sample {
        self.servers.iter().copied().sum()
    }
}

/// The document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// [`VERSION`].
    pub version: u32,
    /// This program's version.
    pub tool: String,
    /// Where.
    #[serde(default)]
    pub environment: Environment,
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
    /// Every second; in a run of more than half an hour, every few seconds.
    pub timeline: Vec<Tick>,
    /// What became of each threshold.
    pub thresholds: Vec<Judged>,
    /// Why these numbers are the generator's rather than the server's; empty for a valid run.
    pub invalid: Vec<String>,
    /// What a reader should know before believing them.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Who generated the load.
    #[serde(default)]
    pub fleet: Vec<Member>,
    /// Whether the run was ended early.
    pub stopped: bool,
    /// Whether books balanced, something was done, and every threshold holds.
    pub passed: bool,
}

impl Outcome {
    pub(crate) fn new(
        mut plan: Plan,
        started_at_ms: u64,
        snapshots: Vec<Snapshot>,
        timeline: Vec<Tick>,
        parts: Vec<Part>,
        stopped: bool,
    ) -> Self {
        plan.scenario.forget_secrets();
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
            environment: Environment::here(),
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
            warnings: Vec::new(),
            fleet: Vec::new(),
            stopped,
            passed: false,
        };
        outcome.derive();
        outcome.judge();
        outcome
    }

    /// Reads a document. Fails on one that is none, or of a later version.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(text).context("no outcome of a run")?;
        ensure!(version <= VERSION, "an outcome of version {version}, and this program knows up to {VERSION}");
        serde_json::from_str(text).context("no outcome of a run")
    }

    /// What was used and held at a milestone, if the run came so far.
    #[must_use]
    pub fn snapshot(&self, milestone: Milestone) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.milestone == milestone)
    }

    /// A count by its name; 0 for one that nobody counted.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// The seconds that lie wholly under load.
    pub fn under_load(&self) -> impl Iterator<Item = &Tick> {
        let at = |milestone| self.snapshot(milestone).map(|snapshot| snapshot.seconds);
        let (from, to) = at(Milestone::Connected).zip(at(Milestone::Loaded)).unwrap_or_default();
        let whole = move |tick: &&Tick| {
            let end = f64::from(tick.second);
            end - f64::from(tick.span) >= from && end <= to
        };
        self.timeline.iter().filter(whole)
    }

    /// Whether messages or calls went as fast as they could, so that the rate is a maximum and the latencies are its price.
    #[must_use]
    pub fn is_maximum(&self) -> bool {
        !self.open && self.count(count::ACKED) + self.count(count::REQUESTS) > 0
    }

    /// Judges the books, the thresholds and the generator.
    fn judge(&mut self) {
        self.thresholds =
            self.plan.thresholds.iter().map(|threshold| threshold.judge(self.value(&threshold.name))).collect();
        let lag = self.timings.get(timing::LAG).map_or(0, |lag| lag.p99_us);
        if self.open && lag > LATE_US {
            self.invalid.push(format!("the generator was {:.1} ms behind its schedule at p99", lag as f64 / 1000.0));
        }
        let not_sent = self.count(count::NOT_SENT);
        if not_sent > 0 {
            self.invalid.push(format!("{not_sent} due messages found their sender's window full"));
        }
        if self.open {
            self.judge_generator();
        }
        if self.stopped {
            self.warnings.push("the run was ended early".to_owned());
        }
        self.passed = self.failures().is_empty();
    }

    /// In the open model a generator without time to spare is late, and what it is late with counts as the server's latency.
    fn judge_generator(&mut self) {
        let of = |name: &str| self.figures.get(name).copied().unwrap_or(0.0);
        let (generator, server) = (of("generator cores"), of("server cores"));
        let (own, all) = (self.environment.generator_cores, self.environment.cores);
        let busy = format!("the generator used {generator:.2} of the {own} cores that it may use");
        if own > 0 && generator > SATURATED * own as f64 {
            self.invalid.push(busy);
        } else if own > 0 && generator > BUSY * own as f64 {
            self.warnings.push(busy);
        }
        if all > 0 && server > 0.0 && server + generator > FULL * all as f64 {
            let used = server + generator;
            self.warnings.push(format!(
                "server and generator together used {used:.2} of {all} cores: latencies are those of a full machine"
            ));
        }
    }

    /// Why the run failed, in words for people; empty for one that passed.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let faults = self.ledger.faults();
        let broken = faults.iter().filter(|(_, count)| *count > 0);
        let mut failures: Vec<String> = broken.map(|(fault, count)| format!("the books: {count} {fault}")).collect();
        match self.count(count::CONNECT_FAILED) {
            0 => {}
            failed => failures.push(format!("{failed} connections could not be made")),
        }
        match self.count(count::NOT_BACK) {
            0 => {}
            away => failures.push(format!("{away} users did not have everything in time")),
        }
        if self.count(count::CONNECTED) + self.count(count::REQUESTS) == 0 {
            failures.push("nothing was done".to_owned());
        }
        for judged in self.thresholds.iter().filter(|judged| !judged.passed) {
            let measured = judged.measured.map_or_else(
                || "was not measured".to_owned(),
                |value| format!("was {}", figure(&judged.threshold, value)),
            );
            failures.push(format!("{}: {measured}", judged.threshold));
        }
        failures
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
