//! How much is sent when: the open model's clock, and the closed model's window.
//!
//! In the open model messages are due at times that are fixed beforehand, whether or not the server keeps up, and latency counts from
//! those times: a stall shows in every message that it delays. In the closed model each sender keeps a number of messages under way,
//! which finds the highest throughput and flatters every latency.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::span::Span;
use crate::run::context::GRACE;

/// No generator sends more a second; what it could not send it would only count.
const FASTEST: f64 = 1e8;

/// Most messages under way per sender: each is a task that waits.
const WIDEST: usize = 1_000_000;

/// How much, and how long.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// Messages (or calls) a second in all: the open model. Without it and without stages, as many as go: the closed model.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How long to go on, when there are no stages.
    #[arg(long, default_value = "10s")]
    pub duration: Span,
    /// Messages under way per sender: what the closed model keeps up (default 32), and what the open model may at most reach
    /// (default 1000).
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<usize>,
    /// How long what is under way when the load is over may take to be acknowledged, and then to arrive; what has not come by then is
    /// lost. The default is enough to notice a dead connection and make a new one.
    #[arg(long, default_value_t = Span(GRACE))]
    pub grace: Span,
    /// One after the other, in the open model. Only in files.
    #[arg(skip)]
    pub stages: Vec<Stage>,
}

/// A part of the schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// For reports.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How long.
    pub duration: Span,
    /// Messages a second at its end, and, unless it ramps, throughout.
    pub rate: f64,
    /// Goes evenly from the stage before (or from 0) to its own rate.
    #[serde(default)]
    pub ramp: bool,
}

impl Default for Load {
    fn default() -> Self {
        Self { rate: None, duration: Span::seconds(10), in_flight: None, grace: Span(GRACE), stages: Vec::new() }
    }
}

impl Load {
    /// Whether messages are due at fixed times.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rate.is_some() || !self.stages.is_empty()
    }

    /// Messages under way per sender.
    #[must_use]
    pub fn window(&self) -> usize {
        self.in_flight.unwrap_or_else(|| if self.is_open() { 1000 } else { 32 }).max(1)
    }

    /// How long all of it takes.
    #[must_use]
    pub fn length(&self) -> Duration {
        if self.stages.is_empty() { self.duration.0 } else { self.stages.iter().map(|stage| stage.duration.0).sum() }
    }

    /// A process's part, from 0 to 1.
    #[must_use]
    pub fn share(&self, part: f64) -> Self {
        let part = |rate: f64| rate * part;
        Self {
            rate: self.rate.map(part),
            stages: self.stages.iter().map(|stage| Stage { rate: part(stage.rate), ..stage.clone() }).collect(),
            ..self.clone()
        }
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.rate.is_some() && !self.stages.is_empty() {
            bail!("either a rate or stages, not both");
        }
        let rates = self.stages.iter().map(|stage| stage.rate).chain(self.rate);
        if let Some(rate) = rates.into_iter().find(|rate| !(0.0..=FASTEST).contains(rate)) {
            bail!("{rate} is no rate: from 0 to {FASTEST} a second");
        }
        if let Some(window) = self.in_flight.filter(|window| *window > WIDEST) {
            bail!("{window} messages under way per sender are too many: at most {WIDEST}");
        }
        Ok(())
    }

    /// The times at which messages are due, from the start.
    pub(crate) fn times(&self) -> Times {
        let stages = if self.stages.is_empty() {
            let rate = self.rate.unwrap_or(0.0);
            vec![Stage { name: String::new(), duration: self.duration, rate, ramp: false }]
        } else {
            self.stages.clone()
        };
        Times { stages, at: 0, begun: 0.0, rate_before: 0.0, number: 0.0 }
    }
}

/// The times at which messages are due.
#[derive(Debug)]
pub(crate) struct Times {
    stages: Vec<Stage>,
    /// Stage that is under way, and when it began, in seconds.
    at: usize,
    begun: f64,
    rate_before: f64,
    /// Number of the next message within its stage; a fraction is carried over from the stage before.
    number: f64,
}

impl Iterator for Times {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let stage = self.stages.get(self.at)?;
            let (length, to) = (stage.duration.0.as_secs_f64(), stage.rate);
            let from = if stage.ramp { self.rate_before } else { to };
            let total = (from + to) / 2.0 * length;
            if self.number >= total {
                self.number -= total;
                self.begun += length;
                self.rate_before = to;
                self.at += 1;
                continue;
            }
            // After t seconds, from*t + (to-from)/(2*length)*t^2 messages were due.
            let slope = (to - from) / length;
            let t = if slope.abs() < f64::EPSILON {
                self.number / from
            } else {
                ((from * from + 2.0 * slope * self.number).max(0.0).sqrt() - from) / slope
            };
            self.number += 1.0;
            return Some(Duration::from_secs_f64(self.begun + t.max(0.0)));
        }
    }
}

/// A message is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    /// When it was meant to be sent.
    pub(crate) intended: Instant,
}

/// Hands out what is due, to the senders in turn, until the schedule ends or nobody is left. Returns how many found no room: those are
/// counted rather than sent late without a trace.
///
/// To be run on a thread of its own, because the runtime's timers are no finer than a millisecond.
pub(crate) fn pace(senders: &[mpsc::Sender<Due>], load: &Load, start: Instant, stopped: impl Fn() -> bool) -> u64 {
    // By default the system lets a thread sleep 50 microseconds longer than asked, which would be part of every latency. Where it
    // does not take the wish, the lag shows it.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut dropped = 0;
    for (offset, sender) in load.times().zip(senders.iter().cycle()) {
        let intended = start + offset;
        let wait = intended.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        if stopped() {
            break;
        }
        match sender.try_send(Due { intended }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => dropped += 1,
            // The run was ended early.
            Err(mpsc::error::TrySendError::Closed(_)) => break,
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(load: &Load) -> Vec<u128> {
        load.times().map(|time| time.as_micros() / 1000).collect()
    }

    #[test]
    fn a_rate_is_even() {
        let load = Load { rate: Some(10.0), duration: Span::seconds(1), ..Load::default() };
        assert_eq!(millis(&load), (0..1000).step_by(100).collect::<Vec<_>>());
        let none = Load { rate: Some(0.0), ..load };
        assert!(millis(&none).is_empty());
    }

    #[test]
    fn stages_follow_and_ramp() {
        let stage = |seconds, rate, ramp| Stage { name: String::new(), duration: Span::seconds(seconds), rate, ramp };
        let load = Load { stages: vec![stage(10, 100.0, true), stage(2, 100.0, false)], ..Load::default() };
        let times: Vec<Duration> = load.times().collect();
        assert_eq!(times.len(), 500 + 200);
        assert!(times.is_sorted());
        // Half of the ramp's messages come in the last 30 % of it.
        let middle = times[250].as_secs_f64();
        assert!((middle - 10.0 / 2f64.sqrt()).abs() < 0.01, "{middle}");
        assert_eq!(load.length(), Duration::from_secs(12));
    }

    #[test]
    fn messages_go_to_the_senders_in_turn() {
        let (first, mut one) = mpsc::channel(1000);
        let (second, mut two) = mpsc::channel(1000);
        let load = Load { rate: Some(1000.0), duration: "100ms".parse().unwrap(), ..Load::default() };
        let start = Instant::now();
        assert_eq!(pace(&[first, second], &load, start, || false), 0);
        assert!(start.elapsed() >= Duration::from_millis(99));
        let count = |queue: &mut mpsc::Receiver<Due>| std::iter::from_fn(|| queue.try_recv().ok()).count();
        assert_eq!((count(&mut one), count(&mut two)), (50, 50));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (only, _queue) = mpsc::channel(10);
        let load = Load { rate: Some(10_000.0), duration: "10ms".parse().unwrap(), ..Load::default() };
        assert_eq!(pace(&[only], &load, Instant::now(), || false), 90);
    }
}
