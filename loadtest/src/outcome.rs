//! What a run tells in the end: one document, from which every report is made, and which `compare` reads.

mod figures;
mod judge;

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::measure::environment::Environment;
use crate::measure::kernel::KernelMemory;
use crate::measure::latency::{Latencies, Summary};
use crate::measure::ledger::Verdict;
use crate::measure::names::count;
use crate::measure::process::Sample;
use crate::measure::tick::Tick;
use crate::plan::Plan;
use crate::plan::threshold::Judged;
use crate::run::crew::Member;
use crate::run::message::{Milestone, Part};

/// Version of the document. A reader refuses a later one.
pub const VERSION: u32 = 1;
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

/// This machine; where agents generate the load, with their cores for that.
fn environment(fleet: &[Member]) -> Environment {
    let machines = fleet.iter().filter_map(|member| member.machine.as_ref());
    let cores: BTreeMap<&str, usize> = machines.map(|machine| (machine.address.as_str(), machine.cores)).collect();
    let here = Environment::here();
    let generator_cores = if cores.is_empty() { here.generator_cores } else { cores.values().sum() };
    Environment { generator_cores, ..here }
}

impl Outcome {
    pub(crate) fn new(
        mut plan: Plan,
        fleet: Vec<Member>,
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
            environment: environment(&fleet),
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
            fleet,
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
