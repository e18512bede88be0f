//! One second of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latency::Latencies;
use super::process::Sample;

/// What happened in one second: in one process, or, added up, in all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tick {
    /// Seconds from the start of the run to the end of this one.
    pub second: u32,
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

impl Tick {
    /// Adds another process's same second.
    pub fn add(&mut self, other: Self) {
        for (name, count) in other.counts {
            *self.counts.entry(name).or_default() += count;
        }
        for (name, level) in other.gauges {
            *self.gauges.entry(name).or_default() += level;
        }
        for (name, times) in other.timings {
            self.timings.entry(name).or_default().add(&times);
        }
        self.generator.add(other.generator);
    }
}
