//! A run's seconds, as many as a chart can show: those of a long run are put together.

use std::collections::BTreeMap;

use crate::measure::latency::Latencies;
use crate::measure::names::gauge;
use crate::measure::process::Sample;
use crate::measure::tick::Tick;
use crate::outcome::Outcome;
use crate::run::message::Milestone;

/// More would be finer than the screen.
const MOST: usize = 300;

/// Points of a chart, in time.
pub(super) struct Points(Vec<Point>);

/// A second, or several.
pub(super) struct Point {
    /// Seconds from the start to its end.
    at: f64,
    seconds: f64,
    counts: BTreeMap<String, u64>,
    timings: BTreeMap<String, Latencies>,
    metrics: BTreeMap<String, f64>,
    pub(super) connections: f64,
    pub(super) server: Usage,
    pub(super) generator: Usage,
}

/// What processes used.
pub(super) struct Usage {
    pub(super) cores: f64,
    /// Bytes.
    pub(super) rss: f64,
}

impl Usage {
    fn between(before: Sample, after: Sample, seconds: f64) -> Self {
        let cores = after.cpu_us.saturating_sub(before.cpu_us) as f64 / 1e6 / seconds;
        Self { cores, rss: after.rss as f64 }
    }
}

impl Points {
    pub(super) fn of(outcome: &Outcome) -> Self {
        // The last tick is no whole second.
        let end = outcome.snapshot(Milestone::Settled).map_or(f64::MAX, |snapshot| snapshot.seconds);
        let ticks: Vec<&Tick> = outcome.timeline.iter().filter(|tick| f64::from(tick.second) <= end).collect();
        let start = outcome.snapshot(Milestone::Start);
        let mut before = start.map(|start| (start.server(), start.generator)).unwrap_or_default();
        let mut points = Vec::new();
        for ticks in ticks.chunks(ticks.len().div_ceil(MOST).max(1)) {
            let Some(last) = ticks.last() else { continue };
            let after = (last.servers.iter().copied().sum::<Sample>(), last.generator);
            points.push(point(ticks, last, before, after));
            before = after;
        }
        Self(points)
    }

    pub(super) fn x(&self) -> Vec<f64> {
        self.0.iter().map(|point| point.at).collect()
    }

    pub(super) fn end(&self) -> f64 {
        self.0.last().map_or(0.0, |point| point.at)
    }

    pub(super) fn each(&self, of: impl Fn(&Point) -> Option<f64>) -> Vec<Option<f64>> {
        self.0.iter().map(of).collect()
    }
}

fn point(ticks: &[&Tick], last: &Tick, before: (Sample, Sample), after: (Sample, Sample)) -> Point {
    let seconds: f64 = ticks.iter().map(|tick| f64::from(tick.span)).sum();
    let mut point = Point {
        at: f64::from(last.second),
        seconds,
        counts: BTreeMap::new(),
        timings: BTreeMap::new(),
        metrics: BTreeMap::new(),
        connections: last.gauges.get(gauge::CONNECTIONS).copied().unwrap_or(0) as f64,
        server: Usage::between(before.0, after.0, seconds),
        generator: Usage::between(before.1, after.1, seconds),
    };
    for tick in ticks {
        for (name, count) in &tick.counts {
            *point.counts.entry(name.clone()).or_default() += count;
        }
        for (name, times) in &tick.timings {
            point.timings.entry(name.clone()).or_default().add(times);
        }
        for (name, value) in &tick.metrics {
            *point.metrics.entry(name.clone()).or_default() += value * f64::from(tick.span) / seconds;
        }
    }
    point
}

impl Point {
    /// So many a second.
    pub(super) fn count(&self, name: &str) -> f64 {
        self.counts.get(name).copied().unwrap_or(0) as f64 / self.seconds
    }

    /// Microseconds; none where nothing was timed.
    pub(super) fn quantile(&self, name: &str, quantile: f64) -> Option<f64> {
        let times = self.timings.get(name).filter(|times| !times.is_empty())?;
        Some(times.at(quantile) as f64)
    }

    /// The mean of what the server's metrics said.
    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_long_run_is_put_together_and_loses_nothing() {
        let mut outcome = fixture::outcome();
        let tick = outcome.timeline[5].clone();
        outcome.timeline = (1..=2_000).map(|second| Tick { second, ..tick.clone() }).collect();
        outcome.snapshots.clear();
        let points = Points::of(&outcome);
        assert!(points.0.len() <= MOST && points.0.len() > MOST / 2);
        let acked: u64 = points.0.iter().map(|point| point.counts["acked"]).sum();
        assert_eq!(acked, 2_000 * tick.counts["acked"]);
        let rates = points.each(|point| Some(point.count("acked")));
        assert!(rates.iter().flatten().all(|&rate| rate == tick.counts["acked"] as f64));
    }
}
