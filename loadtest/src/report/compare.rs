//! Two outcomes beside each other, and whether the second is worse.
//!
//! A difference counts when it is larger than the tolerance, and larger than what the runs' own seconds scatter by.

use std::fmt::{Result, Write};

use super::units::figure;
use crate::measure::names::{count, timing};
use crate::measure::tick::Tick;
use crate::outcome::Outcome;

/// Rates: more is better.
const RATES: [(&str, &str); 3] = [
    ("acked per second", count::ACKED),
    ("received per second", count::RECEIVED),
    ("requests per second", count::REQUESTS),
];
/// Costs: less is better. With what is counted of which the cost is a share. The last is no cost, and only told beside them.
const COSTS: [(&str, Option<&str>); 6] = [
    ("server us per message", Some(count::ACKED)),
    ("server us per delivery", Some(count::RECEIVED)),
    ("server us per request", Some(count::REQUESTS)),
    ("server us per login", None),
    ("server bytes per connection", None),
    ("messages per fsync", None),
];
/// A mean of n seconds that scatter by s is known to about s/√n; so many times that is beyond chance.
const SIGMAS: f64 = 3.0;

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Within what is tolerated, or within the noise.
    Same,
    /// Beyond that, for the better.
    Better,
    /// Beyond that, for the worse.
    Worse,
    /// Not judged: it depends on something else, or on chance.
    Told,
}

/// One number of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// As [`Outcome::value`] knows it.
    pub name: String,
    /// In the first.
    pub before: f64,
    /// In the second.
    pub after: f64,
    /// The share by which it may change.
    pub limit: f64,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// Two outcomes compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Number by number.
    pub rows: Vec<Row>,
    /// What makes the second worse by itself: it failed where the first passed.
    pub failures: Vec<String>,
    /// What a reader should know before believing it.
    pub warnings: Vec<String>,
}

/// In what the two did not do the same. Only what decides the numbers: neither addresses nor thresholds.
#[must_use]
pub fn differences(before: &Outcome, after: &Outcome) -> Vec<String> {
    let told = |outcome: &Outcome| {
        let plan = &outcome.plan;
        [
            ("scenario", serde_json::to_string(&plan.scenario).unwrap_or_default()),
            ("load", serde_json::to_string(&plan.load).unwrap_or_default()),
            ("transport", plan.target.transport.to_string()),
        ]
    };
    let pairs = told(before).into_iter().zip(told(after)).filter(|(before, after)| before != after);
    pairs.map(|((what, before), (_, after))| format!("{what}: {before} and {after}")).collect()
}

/// Compares. `tolerance` is a share: 0.1 lets a number be 10 % worse.
#[must_use]
pub fn compare(before: &Outcome, after: &Outcome, tolerance: f64) -> Comparison {
    let mut rows = Vec::new();
    let mut row = |name: &str, more_is_better: bool, judged: bool, noise: f64| {
        let (Some(before), Some(after)) = (before.value(name), after.value(name)) else { return };
        let limit = tolerance.max(noise);
        let verdict = if judged { judge(before, after, more_is_better, limit) } else { Verdict::Told };
        rows.push(Row { name: name.to_owned(), before, after, limit, verdict });
    };
    for (name, counted) in RATES {
        let noise = noise(before, after, |_, tick| {
            tick.counts.get(counted).map(|&count| count as f64 / f64::from(tick.span.max(1)))
        });
        row(name, true, true, noise);
    }
    // Latencies under as much load as goes are the rate's other side.
    let judged = before.open && after.open || !before.is_maximum();
    for name in before.timings.keys().filter(|name| *name != timing::LAG) {
        for (at, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let noise = noise(before, after, |_, tick| {
                let times = tick.timings.get(name).filter(|times| !times.is_empty())?;
                Some(times.at(quantile) as f64)
            });
            row(&format!("{name} {at}"), false, judged, noise);
        }
        row(&format!("{name} p99.9"), false, false, 0.0);
    }
    for (name, counted) in COSTS {
        let noise = counted.map_or(0.0, |counted| {
            noise(before, after, |last, tick| {
                let cpu = |tick: &Tick| tick.servers.iter().map(|server| server.cpu_us).sum::<u64>();
                let done = *tick.counts.get(counted).filter(|&&done| done > 0)?;
                Some(cpu(tick).saturating_sub(cpu(last?)) as f64 / done as f64)
            })
        });
        row(name, false, name != "messages per fsync", noise);
    }
    row("kernel bytes per connection", false, false, 0.0);
    let failures = if before.passed && !after.passed { after.failures() } else { Vec::new() };
    Comparison { rows, failures, warnings: warnings(before, after) }
}

fn warnings(before: &Outcome, after: &Outcome) -> Vec<String> {
    let mut warnings = Vec::new();
    for (which, outcome) in [("a", before), ("b", after)] {
        warnings.extend(outcome.invalid.iter().map(|reason| format!("{which} is invalid: {reason}")));
        if outcome.stopped {
            warnings.push(format!("{which} was ended early"));
        }
    }
    let (one, other) = (&before.environment, &after.environment);
    if (&one.cpu, one.cores, one.memory) != (&other.cpu, other.cores, other.memory) {
        warnings.push("they ran on different machines".to_owned());
    }
    warnings
}

fn judge(before: f64, after: f64, more_is_better: bool, limit: f64) -> Verdict {
    let (good, bad) = if more_is_better { (after, before) } else { (before, after) };
    // Memory that shrank to nothing, or below, compares with nothing.
    if good <= 0.0 || bad <= 0.0 {
        return Verdict::Told;
    }
    if bad / good > 1.0 + limit {
        Verdict::Worse
    } else if good / bad > 1.0 + limit {
        Verdict::Better
    } else {
        Verdict::Same
    }
}

/// The share by which two means of so scattered seconds may differ by chance.
fn noise(before: &Outcome, after: &Outcome, of: impl Fn(Option<&Tick>, &Tick) -> Option<f64>) -> f64 {
    let spread = |outcome: &Outcome| {
        let mut last = None;
        let mut values = Vec::new();
        for tick in outcome.under_load() {
            values.extend(of(last, tick));
            last = Some(tick);
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let error = square.sqrt() / mean / count.sqrt();
        if error.is_finite() { error } else { 0.0 }
    };
    SIGMAS * spread(before).hypot(spread(after))
}

impl Comparison {
    /// Whether the second is worse.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        !self.failures.is_empty() || self.rows.iter().any(|row| row.verdict == Verdict::Worse)
    }

    /// As text. The last line is the verdict.
    pub fn write(&self, out: &mut impl Write) -> Result {
        writeln!(out, "  {:<28}{:>14}{:>14}{:>9}{:>9}", "", "a", "b", "b/a", "limit")?;
        for row in &self.rows {
            let verdict = match row.verdict {
                Verdict::Same => "same",
                Verdict::Better => "better",
                Verdict::Worse => "WORSE",
                Verdict::Told => "",
            };
            let limit =
                if row.verdict == Verdict::Told { String::new() } else { format!("±{:.0} %", 100.0 * row.limit) };
            let [before, after] = [row.before, row.after].map(|value| figure(&row.name, value));
            let ratio = row.after / row.before;
            let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { "-".to_owned() };
            let line = format!("  {:<28}{before:>14}{after:>14}{ratio:>9}{limit:>9}  {verdict}", row.name);
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
        for warning in &self.warnings {
            writeln!(out, "  mind  {warning}")?;
        }
        for failure in &self.failures {
            writeln!(out, "  b failed, and a did not: {failure}")?;
        }
        let named = |verdict| {
            let names = self.rows.iter().filter(|row| row.verdict == verdict).map(|row| row.name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        match (self.is_worse(), named(Verdict::Worse), named(Verdict::Better)) {
            (true, worse, _) if worse.is_empty() => write!(out, "  b is WORSE"),
            (true, worse, _) => write!(out, "  b is WORSE: {worse}"),
            (false, _, better) if better.is_empty() => write!(out, "  b is as good as a"),
            (false, _, better) => write!(out, "  b is better: {better}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn verdict(comparison: &Comparison, name: &str) -> Verdict {
        comparison.rows.iter().find(|row| row.name == name).unwrap().verdict
    }

    #[test]
    fn a_run_is_as_good_as_itself() {
        let outcome = fixture::outcome();
        assert!(differences(&outcome, &outcome).is_empty());
        let comparison = compare(&outcome, &outcome, 0.1);
        assert!(!comparison.is_worse());
        assert!(comparison.rows.iter().all(|row| matches!(row.verdict, Verdict::Same | Verdict::Told)));
        let mut text = String::new();
        comparison.write(&mut text).unwrap();
        assert!(text.ends_with("b is as good as a"), "{text}");
    }

    #[test]
    fn what_is_worse_beyond_tolerance_and_noise_is_named() {
        let before = fixture::outcome();
        let mut after = before.clone();
        after.timings.get_mut("ack").unwrap().p50_us *= 3;
        *after.figures.get_mut("server us per message").unwrap() /= 4.0;
        let comparison = compare(&before, &after, 0.1);
        assert_eq!(verdict(&comparison, "ack p50"), Verdict::Worse);
        assert_eq!(verdict(&comparison, "server us per message"), Verdict::Better);
        let mut text = String::new();
        comparison.write(&mut text).unwrap();
        assert!(comparison.is_worse() && text.ends_with("b is WORSE: ack p50"), "{text}");
        assert!(!compare(&before, &after, 5.0).is_worse());
    }

    #[test]
    fn seconds_that_scatter_widen_the_limit() {
        let before = fixture::outcome();
        let mut after = before.clone();
        for (at, tick) in after.timeline.iter_mut().enumerate() {
            *tick.counts.get_mut(count::ACKED).unwrap() *= 1 + 9 * (at as u64 % 2);
        }
        let limit = |after: &Outcome| {
            compare(&before, after, 0.0).rows.iter().find(|row| row.name == "acked per second").unwrap().limit
        };
        assert!(limit(&after) > 4.0 * limit(&before) && limit(&after) > 0.2);
    }

    #[test]
    fn a_failure_and_another_plan_are_noticed() {
        let mut before = fixture::outcome();
        before.invalid.clear();
        let mut after = before.clone();
        after.ledger.lost = 1;
        after.passed = false;
        after.plan.load.rate = Some(17.0);
        after.invalid.push("late".to_owned());
        let comparison = compare(&before, &after, 0.1);
        assert!(comparison.is_worse() && comparison.failures == ["the books: 1 lost"]);
        assert_eq!(comparison.warnings, ["b is invalid: late"]);
        assert!(differences(&before, &after)[0].starts_with("load: "));
    }
}
