//! What a run has shown so far, made ready to be looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::measure::latency::Latencies;
use crate::measure::names::{count, gauge, timing};
use crate::measure::process::Sample;
use crate::measure::tick::Tick;
use crate::plan::Plan;
use crate::report::units::{clock, number};
use crate::run::message::Milestone;
use crate::scenario::Scenario;

/// Rates worth a line, those that tell most first.
const RATES: [&str; 5] = [count::ACKED, count::RECEIVED, count::REQUESTS, count::CALLS, count::CONNECTED];
/// Times worth a line, likewise.
const TIMINGS: [&str; 9] = [
    timing::ACK,
    timing::REQUEST,
    timing::DELIVERY,
    timing::ROOM,
    timing::CALL,
    timing::SLOW_DELIVERY,
    timing::OUTAGE,
    timing::SYNC,
    timing::LOGIN,
];

/// One second, as it is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Second {
    /// Seconds from the start to its end.
    pub(super) at: f64,
    pub(super) counts: BTreeMap<String, u64>,
    /// p50 and p99, microseconds.
    pub(super) times: BTreeMap<String, (u64, u64)>,
    pub(super) connections: i64,
    pub(super) server: Usage,
    pub(super) generator: Usage,
    pub(super) metrics: BTreeMap<String, f64>,
}

/// What processes used in a second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) cores: f64,
    pub(super) rss: u64,
}

/// A run so far.
#[derive(Debug)]
pub(super) struct History {
    /// `peer over tcp, open model`
    pub(super) title: String,
    pub(super) seconds: Vec<Second>,
    /// All seconds added up.
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) times: BTreeMap<String, Latencies>,
    /// Latest milestone, and when it was reached.
    reached: (Milestone, Duration),
    stopping: bool,
    connections: usize,
    planned: Duration,
    /// End of each stage from the load's beginning, and what it is called.
    stages: Vec<(Duration, String)>,
    last: Option<(Sample, Sample)>,
}

impl History {
    pub(super) fn new(plan: &Plan) -> Self {
        let planned = match &plan.scenario {
            Scenario::Connect(connect) => connect.hold.0,
            // Until the storm; how long that takes is what is measured.
            Scenario::Storm(storm) => storm.calm.0,
            _ => plan.load.length(),
        };
        let model = if plan.load.is_open() { ", open model" } else { "" };
        let mut end = Duration::ZERO;
        let many = plan.load.stages.len();
        let stages = plan.load.stages.iter().enumerate().map(|(at, stage)| {
            end += stage.duration.0;
            let name = if stage.name.is_empty() { format!("{}/s", number(stage.rate)) } else { stage.name.clone() };
            (end, format!("stage {} of {many}: {name}", at + 1))
        });
        Self {
            title: format!("{} over {}{model}", plan.scenario.name(), plan.target.transport),
            seconds: Vec::new(),
            counts: BTreeMap::new(),
            times: BTreeMap::new(),
            reached: (Milestone::Start, Duration::ZERO),
            stopping: false,
            connections: plan.scenario.connections(),
            planned,
            stages: stages.collect(),
            last: None,
        }
    }

    pub(super) fn tick(&mut self, tick: &Tick) {
        let servers: Sample = tick.servers.iter().copied().sum();
        // The first second has nothing to be compared with.
        let (server, generator) = self.last.replace((servers, tick.generator)).unwrap_or((servers, tick.generator));
        let usage = |before: Sample, after: Sample| Usage {
            cores: after.cpu_us.saturating_sub(before.cpu_us) as f64 / 1e6,
            rss: after.rss,
        };
        for (name, count) in &tick.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        let mut times = BTreeMap::new();
        for (name, recorded) in tick.timings.iter().filter(|(_, times)| !times.is_empty()) {
            self.times.entry(name.clone()).or_default().add(recorded);
            times.insert(name.clone(), (recorded.at(0.5), recorded.at(0.99)));
        }
        self.seconds.push(Second {
            at: f64::from(tick.second),
            counts: tick.counts.clone(),
            times,
            connections: tick.gauges.get(gauge::CONNECTIONS).copied().unwrap_or(0),
            server: usage(server, servers),
            generator: usage(generator, tick.generator),
            metrics: tick.metrics.clone(),
        });
    }

    pub(super) fn milestone(&mut self, milestone: Milestone, elapsed: Duration) {
        self.reached = (milestone, elapsed);
    }

    pub(super) fn stopping(&mut self) {
        self.stopping = true;
    }

    /// The last second; an empty one before the first.
    pub(super) fn now(&self) -> Second {
        self.seconds.last().cloned().unwrap_or_default()
    }

    /// Rates that this run has, those that tell most first; how many connect, only while nothing else goes on.
    pub(super) fn rates(&self) -> Vec<&'static str> {
        let seen = |name: &&str| self.counts.get(*name).is_some_and(|&count| count > 0);
        let rates: Vec<&str> = RATES.into_iter().filter(seen).collect();
        if rates.len() > 1 { rates.into_iter().filter(|name| *name != count::CONNECTED).collect() } else { rates }
    }

    /// Times that this run has, likewise.
    pub(super) fn timings(&self) -> Vec<&'static str> {
        let timings: Vec<&str> = TIMINGS.into_iter().filter(|name| self.times.contains_key(*name)).collect();
        if timings.len() > 1 { timings.into_iter().filter(|name| *name != timing::LOGIN).collect() } else { timings }
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// How much is done of what goes on, and what that is, `elapsed` after the start.
    pub(super) fn progress(&self, elapsed: Duration) -> (f64, String) {
        let (milestone, at) = self.reached;
        let ratio = |done: f64, all: f64| if all > 0.0 { (done / all).clamp(0.0, 1.0) } else { 0.0 };
        let told = match milestone {
            Milestone::Start => {
                let connected = self.count(count::CONNECTED);
                let all = self.connections.max(1);
                // Once all are there the server gets a moment to put away what logging in left behind.
                let told = if connected < all as u64 { "connecting" } else { "connected, taking breath" };
                (ratio(connected as f64, all as f64), format!("{told}: {connected} of {all}"))
            }
            Milestone::Connected => {
                let under_load = elapsed.saturating_sub(at);
                let left = self.planned.saturating_sub(under_load);
                let stage =
                    (self.stages.iter()).find(|(end, _)| under_load < *end).map_or("", |(_, name)| name.as_str());
                let stage = if stage.is_empty() { String::new() } else { format!(", {stage}") };
                let done = ratio(under_load.as_secs_f64(), self.planned.as_secs_f64());
                let left = if left.is_zero() {
                    "waiting for answers".into()
                } else {
                    format!("{} left", clock(left.as_secs_f64()))
                };
                (done, format!("{:.0} %, {left}{stage}", 100.0 * done))
            }
            Milestone::Strike => (1.0, "until everybody is back".to_owned()),
            Milestone::Loaded => (1.0, "waiting for what is under way".to_owned()),
            Milestone::Settled => (1.0, "done".to_owned()),
        };
        if self.stopping { (told.0, "ending early".to_owned()) } else { told }
    }

    /// How long all of it may take; more than is known while connections are made.
    pub(super) fn planned(&self) -> Duration {
        self.planned
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::fixture;

    /// A real run, told second by second.
    pub(in crate::show) fn told(seconds: usize) -> History {
        let outcome = fixture::outcome();
        let mut history = History::new(&outcome.plan);
        for tick in outcome.timeline.iter().take(seconds) {
            history.tick(tick);
        }
        history
    }

    #[test]
    fn progress_follows_the_milestones() {
        let mut history = told(0);
        let all = history.connections;
        assert_eq!(history.progress(Duration::ZERO), (0.0, format!("connecting: 0 of {all}")));
        history.milestone(Milestone::Connected, Duration::from_secs(3));
        let half = history.planned() / 2;
        let (ratio, text) = history.progress(Duration::from_secs(3) + half);
        assert!((ratio - 0.5).abs() < 1e-9 && text.starts_with("50 %, "), "{text}");
        assert!(history.progress(Duration::from_secs(9_999)).1.contains("waiting for answers"));
        history.stopping();
        assert_eq!(history.progress(half).1, "ending early");
    }

    #[test]
    fn seconds_add_up() {
        let outcome = fixture::outcome();
        let history = told(usize::MAX);
        assert_eq!(history.count(count::ACKED), outcome.count(count::ACKED));
        assert_eq!(history.times["ack"].summary(), outcome.timings["ack"]);
        assert_eq!(history.rates()[0], count::ACKED);
        assert!(history.seconds.iter().any(|second| second.server.cores > 0.0 && second.generator.rss > 0));
    }
}
