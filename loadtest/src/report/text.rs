//! An outcome as text, for a terminal.

use std::fmt::{Result, Write};

use super::units::{bytes, clock, date, figure, number, whole};
use crate::measure::environment::Environment;
use crate::measure::latency::Summary;
use crate::measure::names::{count, timing};
use crate::outcome::Outcome;
use crate::run::message::Milestone;

/// Width of the first column.
const NAMES: usize = 12;
/// Figures that have a place of their own in the report, by how they begin or end; the rest are listed.
const PLACED: [&str; 13] = [
    "per second",
    "per message",
    "per delivery",
    "per request",
    "per login",
    "per connection",
    "cores",
    "fsync us",
    "per fsync",
    "per group",
    "queued commits max",
    "fsyncs",
    "share",
];

/// The whole report. The last line says whether the run passed.
pub fn write(outcome: &Outcome, out: &mut impl Write) -> Result {
    title(outcome, out)?;
    rates(outcome, out)?;
    latencies(outcome, out)?;
    costs(outcome, out)?;
    others(outcome, out)?;
    books(outcome, out)?;
    list(out, "thresholds", &thresholds(outcome))?;
    list(out, "errors", &outcome.errors.iter().map(|(error, count)| format!("{count} × {error}")).collect::<Vec<_>>())?;
    list(out, "mind", &outcome.warnings)?;
    list(out, "INVALID", &outcome.invalid)?;
    verdict(outcome, out)
}

/// `peer over tcp, open model, 30 s at 5,000/s`
#[must_use]
pub fn headline(outcome: &Outcome) -> String {
    let model = match (outcome.open, outcome.is_maximum()) {
        (true, _) => ", open model",
        (false, true) => ", closed model",
        (false, false) => "",
    };
    format!("{} over {}{model}, {}", outcome.scenario, outcome.plan.target.transport, clock(outcome.seconds))
}

fn title(outcome: &Outcome, out: &mut impl Write) -> Result {
    let place = &outcome.environment;
    writeln!(out, "{} · {}", headline(outcome), date(outcome.started_at_ms))?;
    if place.cores > 0 {
        let commit = place.commit.as_ref().map_or_else(String::new, |commit| format!(", commit {commit}"));
        let Environment { cpu, cores, memory, kernel, .. } = place;
        writeln!(out, "{cpu}, {cores} cores, {}, Linux {kernel}{commit}", bytes(*memory as f64))?;
    }
    writeln!(out)
}

fn row(out: &mut impl Write, name: &str, text: &str) -> Result {
    writeln!(out, "  {name:<NAMES$}{text}")
}

/// A heading before the first line, and nothing at all for none.
fn list(out: &mut impl Write, name: &str, lines: &[String]) -> Result {
    for (at, line) in lines.iter().enumerate() {
        row(out, if at == 0 { name } else { "" }, line)?;
    }
    if lines.is_empty() { Ok(()) } else { writeln!(out) }
}

fn rates(outcome: &Outcome, out: &mut impl Write) -> Result {
    let names = [count::SENT, count::ACKED, count::RECEIVED, count::REQUESTS, count::CALLS, "connects"];
    let rates: Vec<String> = (names.iter())
        .filter_map(|name| {
            let rate = outcome.figures.get(&format!("{name} per second"))?;
            Some(format!("{name} {}/s", number(*rate)))
        })
        .collect();
    let mut lines = if rates.is_empty() { Vec::new() } else { vec![rates.join("   ")] };
    if outcome.is_maximum() {
        lines.push(
            "as fast as it went: the maximum of server and generator together; for latencies use --rate".to_owned(),
        );
    }
    list(out, "rate", &lines)
}

fn latencies(outcome: &Outcome, out: &mut impl Write) -> Result {
    let mut shown: Vec<(&str, &Summary)> = outcome
        .timings
        .iter()
        .filter(|(_, times)| times.count > 0)
        .map(|(name, times)| (name.as_str(), times))
        .collect();
    // The generator's own lateness is not the server's latency, and stands apart.
    shown.sort_by_key(|&(name, _)| name == timing::LAG);
    if shown.is_empty() {
        return Ok(());
    }
    let heads = ["p50", "p90", "p99", "p99.9", "max"].map(|head| format!("{head:>10}")).concat();
    row(out, "latency, ms", &format!("{heads}   samples"))?;
    for (name, times) in shown {
        let Summary { p50_us, p90_us, p99_us, p999_us, max_us, .. } = *times;
        let cells =
            [p50_us, p90_us, p99_us, p999_us, max_us].map(|us| format!("{:>10.3}", us as f64 / 1000.0)).concat();
        let name = if name == timing::LAG { "sent late" } else { name };
        row(out, &format!("  {name}"), &format!("{cells}   {}", whole(times.count)))?;
    }
    writeln!(out)
}

fn costs(outcome: &Outcome, out: &mut impl Write) -> Result {
    let of = |name: &str| outcome.figures.get(name).map(|&value| figure(name, value));
    let mut lines = Vec::new();
    for who in ["server", "generator"] {
        let cores = of(&format!("{who} cores")).map(|cores| format!("{cores} cores"));
        // Where each message has one reader, its delivery is all that it costs.
        let one = outcome.count(count::ACKED) == outcome.count(count::RECEIVED);
        let shares = ["message", "delivery", "request", "login"].map(|what| {
            let cost = of(&format!("{who} us per {what}")).filter(|_| what != "delivery" || !one)?;
            Some(format!("{cost} per {what}"))
        });
        let memory = memory(outcome, who);
        let parts: Vec<String> = cores.into_iter().chain(shares.into_iter().flatten()).chain(memory).collect();
        if !parts.is_empty() {
            lines.push(format!("{who:<11}{}", parts.join(", ")));
        }
    }
    let per = |who: &str| of(&format!("{who} bytes per connection")).map(|bytes| format!("{who} {bytes}"));
    let kernel = per("kernel").map(|kernel| format!("{kernel} (both ends, where they share it)"));
    let connection: Vec<String> = per("server").into_iter().chain(per("generator")).chain(kernel).collect();
    if !connection.is_empty() {
        lines.push(format!("connection {}", connection.join(", ")));
    }
    if let Some(fsyncs) = of("fsyncs per second") {
        let each = of("fsync us").map(|time| format!("{time} each"));
        let parts = ["messages per fsync", "bytes per fsync"];
        let parts =
            parts.iter().filter_map(|name| Some(format!("{} {}", of(name)?, name.trim_start_matches("bytes "))));
        let parts: Vec<String> = each.into_iter().chain(parts).collect();
        lines.push(format!("disk       {} fsyncs/s, {}", fsyncs.trim_end_matches("/s"), parts.join(", ")));
    }
    if let (Some(commits), Some(queued)) = (of("commits per group"), of("queued commits max")) {
        lines.push(format!("commits    {commits} at a time, at most {queued} waiting"));
    }
    list(out, "cost", &lines)
}

/// Memory when all was done, and what it was before.
fn memory(outcome: &Outcome, who: &str) -> Option<String> {
    let at = |milestone| {
        let snapshot = outcome.snapshot(milestone)?;
        let rss = if who == "server" { snapshot.server().rss } else { snapshot.generator.rss };
        (rss > 0).then(|| bytes(rss as f64))
    };
    let (before, after) = (at(Milestone::Start)?, at(Milestone::Loaded).or_else(|| at(Milestone::Connected))?);
    Some(format!("memory {before} to {after}"))
}

/// Figures that only this scenario has, and counts that no rate or book tells.
fn others(outcome: &Outcome, out: &mut impl Write) -> Result {
    let own = outcome.figures.iter().filter(|(name, _)| !PLACED.iter().any(|place| name.contains(place)));
    let own = own.map(|(name, value)| format!("{name} {}", figure(name, *value)));
    let told = [count::SENT, count::ACKED, count::RECEIVED];
    let counts = outcome.counts.iter().filter(|(name, count)| **count > 0 && !told.contains(&name.as_str()));
    let counts = counts.map(|(name, count)| format!("{name} {}", whole(*count)));
    let parts: Vec<String> = own.chain(counts).collect();
    list(out, "besides", &parts.chunks(5).map(|parts| parts.join("   ")).collect::<Vec<_>>())
}

fn books(outcome: &Outcome, out: &mut impl Write) -> Result {
    let ledger = &outcome.ledger;
    if ledger.sent == 0 {
        return Ok(());
    }
    let told = |pairs: &[(&str, u64)]| {
        pairs.iter().map(|(name, count)| format!("{} {name}", whole(*count))).collect::<Vec<_>>().join(", ")
    };
    let balance = if ledger.kept() { "they balance" } else { "PROMISES BROKEN" };
    list(out, "books", &[told(&ledger.entered()), told(&ledger.faults()), balance.to_owned()])
}

fn thresholds(outcome: &Outcome) -> Vec<String> {
    let told = outcome.thresholds.iter().map(|judged| {
        let verdict = if judged.passed { "kept  " } else { "BROKEN" };
        let measured =
            judged.measured.map_or_else(|| "not measured".to_owned(), |value| figure(&judged.threshold, value));
        format!("{verdict} {}: {measured}", judged.threshold)
    });
    told.collect()
}

fn verdict(outcome: &Outcome, out: &mut impl Write) -> Result {
    let failures = outcome.failures();
    if outcome.passed {
        let but = if outcome.invalid.is_empty() { "" } else { ", but the numbers are INVALID: see above" };
        return write!(out, "  PASSED{but}");
    }
    write!(out, "  FAILED")?;
    failures.iter().try_for_each(|reason| write!(out, "\n    {reason}"))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn text(outcome: &Outcome) -> String {
        let mut text = String::new();
        write(outcome, &mut text).unwrap();
        text
    }

    #[test]
    fn a_real_run_reads_well() {
        insta::assert_snapshot!(text(&fixture::outcome()));
    }

    #[test]
    fn a_failed_run_says_why() {
        let mut outcome = fixture::outcome();
        outcome.ledger.lost = 3;
        outcome.errors.insert("it was not to be".to_owned(), 7);
        outcome
            .thresholds
            .push("ack p99 < 1us".parse::<crate::plan::threshold::Threshold>().unwrap().judge(Some(912.0)));
        outcome.invalid.push("the generator slept".to_owned());
        outcome.passed = outcome.failures().is_empty();
        let text = text(&outcome);
        let (_, end) = text.split_once("books").unwrap();
        for part in
            ["3 lost", "PROMISES BROKEN", "BROKEN ack p99 < 1us: 912 µs", "7 × it was", "INVALID     the generator"]
        {
            assert!(end.contains(part), "{part} in {text}");
        }
        assert!(end.ends_with("FAILED\n    the books: 3 lost\n    ack p99 < 1us: was 912 µs"), "{text}");
    }

    #[test]
    fn what_was_not_measured_is_not_told() {
        let mut outcome = fixture::outcome();
        outcome.figures.clear();
        outcome.timings.clear();
        outcome.snapshots.clear();
        outcome.ledger = crate::measure::ledger::Verdict::default();
        let text = text(&outcome);
        for absent in ["latency", "cost", "books", "rate  "] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }
}
