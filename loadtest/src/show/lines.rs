//! Lines for where there is no terminal: in logs, in pipes.

use std::io::Write;
use std::time::Duration;

use super::Show;
use super::history::History;
use crate::measure::tick::Tick;
use crate::plan::Plan;
use crate::report::units::{bytes, clock, micros, number, whole};
use crate::run::message::Milestone;

/// A run is told in about so many lines.
const LINES: u64 = 40;

/// Writes a line every second or every few.
pub struct Lines<W> {
    history: History,
    every: u32,
    out: W,
}

impl<W: Write + Send> Lines<W> {
    /// Writes to `out`.
    pub fn new(plan: &Plan, mut out: W) -> Self {
        let history = History::new(plan);
        let every = match history.planned().as_secs() / LINES {
            0 => 1,
            seconds => u32::try_from(seconds.next_multiple_of(5)).unwrap_or(u32::MAX),
        };
        tell(&mut out, &history.title);
        Self { history, every, out }
    }

    fn line(&self, second: u32) -> String {
        let now = self.history.now();
        let elapsed = Duration::from_secs(u64::from(second));
        let mut parts = vec![format!("{:>6}", clock(f64::from(second))), self.history.progress(elapsed).1];
        for name in self.history.rates() {
            parts.push(format!("{} {name}/s", whole(now.counts.get(name).copied().unwrap_or(0))));
        }
        for name in self.history.timings().into_iter().take(2) {
            if let Some(&(p50, p99)) = now.times.get(name) {
                parts.push(format!("{name} p50 {} p99 {}", micros(p50 as f64), micros(p99 as f64)));
            }
        }
        parts.push(format!("{} connections", now.connections));
        for (who, usage) in [("server", now.server), ("generator", now.generator)] {
            if usage.rss > 0 {
                parts.push(format!("{who} {} cores {}", number(usage.cores), bytes(usage.rss as f64)));
            }
        }
        parts.join("  ")
    }
}

impl<W: Write + Send> Show for Lines<W> {
    fn tick(&mut self, tick: &Tick) {
        self.history.tick(tick);
        if tick.second.is_multiple_of(self.every) {
            let line = self.line(tick.second);
            tell(&mut self.out, &line);
        }
    }

    fn milestone(&mut self, milestone: Milestone, elapsed: Duration) {
        self.history.milestone(milestone, elapsed);
        let told = match milestone {
            Milestone::Start => return,
            Milestone::Connected => "everybody is connected",
            Milestone::Strike => "the storm begins",
            Milestone::Loaded => "the load is over",
            Milestone::Settled => "everything has arrived, or is given up",
        };
        tell(&mut self.out, &format!("{:>6}  {told}", clock(elapsed.as_secs_f64())));
    }

    fn stopping(&mut self) {
        self.history.stopping();
        tell(&mut self.out, "ending early; Ctrl-C again ends without a report");
    }
}

/// Nobody reading is no reason to end the run.
fn tell(out: &mut impl Write, line: &str) {
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_run_is_told_line_by_line() {
        let outcome = fixture::outcome();
        let mut told = Vec::new();
        let mut lines = Lines::new(&outcome.plan, &mut told);
        for tick in &outcome.timeline {
            for snapshot in outcome.snapshots.iter().filter(|snapshot| snapshot.seconds as u32 + 1 == tick.second) {
                lines.milestone(snapshot.milestone, Duration::from_secs_f64(snapshot.seconds));
            }
            lines.tick(tick);
        }
        lines.stopping();
        insta::assert_snapshot!(String::from_utf8(told).unwrap());
    }

    #[test]
    fn a_long_run_is_told_in_few_lines() {
        let mut plan = fixture::outcome().plan;
        plan.load.duration = crate::plan::span::Span::seconds(3600);
        assert_eq!(Lines::new(&plan, Vec::new()).every, 90);
    }
}
