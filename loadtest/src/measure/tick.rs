//! One second of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latency::Latencies;
use super::process::Sample;

/// What happened in one second: in one process, or, added up, in all. A row of a long run's timeline covers several seconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tick {
    /// Seconds from the start of the run to the end of this one.
    pub second: u32,
    /// Seconds that it covers: what was counted is to be divided by it.
    #[serde(default = "one")]
    pub span: u32,
    /// What was counted in this second, by [`names::count`](super::names::count).
    pub counts: BTreeMap<String, u64>,
    /// Levels at its end, by [`names::gauge`](super::names::gauge).
    pub gauges: BTreeMap<String, i64>,
    /// Times recorded in it, by [`names::timing`](super::names::timing).
    pub timings: BTreeMap<String, Latencies>,
    /// The generator's processes at its end, added up.
    pub generator: Sample,
    /// The server's processes at its end, in the order in which they were named. Entered by the coordinator.
    pub servers: Vec<Sample>,
    /// What the server's own metrics said at its end. Entered by the coordinator.
    pub metrics: BTreeMap<String, f64>,
}

fn one() -> u32 {
    1
}

impl Tick {
    /// Adds another process's same second.
    pub fn add(&mut self, mut other: Self) {
        for (name, level) in std::mem::take(&mut other.gauges) {
            let sum = self.gauges.entry(name).or_default();
            *sum = sum.saturating_add(level);
        }
        self.generator.add(other.generator);
        self.count(other.counts, &other.timings);
    }

    /// Adds the seconds that follow: levels are then those at their end, and the server's metrics their mean.
    pub fn append(&mut self, next: Self) {
        self.count(next.counts, &next.timings);
        let span = self.span.saturating_add(next.span);
        let share = f64::from(next.span) / f64::from(span.max(1));
        for (name, value) in next.metrics {
            let mean = self.metrics.entry(name).or_insert(value);
            *mean += (value - *mean) * share;
        }
        self.second = next.second;
        self.span = span;
        self.gauges = next.gauges;
        self.generator = next.generator;
        self.servers = next.servers;
    }

    fn count(&mut self, counts: BTreeMap<String, u64>, timings: &BTreeMap<String, Latencies>) {
        for (name, count) in counts {
            let sum = self.counts.entry(name).or_default();
            *sum = sum.saturating_add(count);
        }
        for (name, times) in timings {
            self.timings.entry(name.clone()).or_default().add(times);
        }
    }
}
