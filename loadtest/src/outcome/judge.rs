//! Whether a run passed, and whether its numbers are worth anything.

use super::Outcome;
use crate::measure::names::{count, timing};
use crate::report::units::figure;

/// A generator this late on its own schedule, microseconds at p99, measures itself.
const LATE_US: u64 = 5_000;
/// So does one that uses this share of the cores that it may use, in the open model;
const SATURATED: f64 = 0.9;
/// and from this share on it is said that it may.
const BUSY: f64 = 0.8;
/// Server and generator together this near to all cores of the machine: neither can show what it could do alone.
const FULL: f64 = 0.95;

impl Outcome {
    /// Judges the books, the thresholds and the generator.
    pub(super) fn judge(&mut self) {
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
        let apart = self.fleet.iter().any(|member| member.machine.is_some());
        if !apart && all > 0 && server > 0.0 && server + generator > FULL * all as f64 {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::run::crew::{Machine, Member};

    fn judged(generator_cores: f64, abroad: bool) -> (usize, usize) {
        let mut outcome = fixture::outcome();
        assert_eq!((outcome.environment.generator_cores, outcome.environment.cores), (2, 2));
        outcome.timings.remove(timing::LAG);
        outcome.invalid.clear();
        outcome.figures.insert("generator cores".to_owned(), generator_cores);
        let machine = abroad.then(|| Machine { address: "elsewhere:7070".to_owned(), cores: 2 });
        outcome.fleet = vec![Member { name: "somebody".to_owned(), clock: Default::default(), machine }];
        outcome.judge();
        (outcome.invalid.len(), outcome.warnings.len())
    }

    #[test]
    fn a_generator_without_time_to_spare_is_noticed() {
        assert_eq!(judged(1.0, false), (0, 0));
        assert_eq!(judged(1.7, false), (0, 1));
        assert_eq!(judged(1.85, false), (1, 1), "and the machine is full");
        assert_eq!(judged(1.85, true), (1, 0), "but the server's machine is another");
    }

    #[test]
    fn late_and_dropped_messages_make_a_run_invalid() {
        let mut outcome = fixture::outcome();
        outcome.invalid.clear();
        outcome.timings.get_mut(timing::LAG).unwrap().p99_us = LATE_US + 1;
        outcome.counts.insert(count::NOT_SENT.to_owned(), 3);
        outcome.judge();
        assert_eq!(outcome.invalid.len(), 2);
        assert!(outcome.passed, "its books balance all the same");
        outcome.counts.insert(count::CONNECT_FAILED.to_owned(), 1);
        outcome.judge();
        assert!(!outcome.passed);
    }
}
