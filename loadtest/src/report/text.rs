//! An outcome as text, for a terminal.

use crate::outcome::Outcome;

/// The whole report.
pub fn write(outcome: &Outcome, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    let model = if outcome.open { "open" } else { "closed" };
    writeln!(
        out,
        "{} over {}, {model} model, {:.1} s",
        outcome.scenario, outcome.plan.target.transport, outcome.seconds
    )?;
    for (name, times) in outcome.timings.iter().filter(|(_, times)| times.count > 0) {
        writeln!(out, "  {name:<10} {times}")?;
    }
    for (name, figure) in &outcome.figures {
        writeln!(out, "  {name:<32} {figure:.1}")?;
    }
    for (name, count) in outcome.counts.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "  {name:<32} {count}")?;
    }
    let faults: Vec<String> = outcome.ledger.faults().iter().map(|(name, count)| format!("{count} {name}")).collect();
    writeln!(out, "  books      {}", faults.join(", "))?;
    for (error, count) in &outcome.errors {
        writeln!(out, "  error      {count} x {error}")?;
    }
    for judged in &outcome.thresholds {
        let verdict = if judged.passed { "kept" } else { "BROKEN" };
        let measured = judged.measured.map_or_else(|| "not measured".to_owned(), |value| format!("{value:.1}"));
        writeln!(out, "  threshold  {}: {measured}, {verdict}", judged.threshold)?;
    }
    for reason in &outcome.invalid {
        writeln!(out, "  INVALID    {reason}")?;
    }
    write!(out, "  {}", if outcome.passed { "PASSED" } else { "FAILED" })
}
