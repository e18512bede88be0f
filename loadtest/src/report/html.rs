//! An outcome as one page: it needs no network, no library, and no other file.

mod chart;
mod charts;
mod points;
mod tiles;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::summary;
use super::text::headline;
use super::units::{bytes, date, figure, micros, whole};
use crate::measure::names::timing;
use crate::outcome::Outcome;

/// The page.
#[must_use]
pub fn page(outcome: &Outcome) -> String {
    let title = headline(outcome);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Load test: " (title) }
                style { (PreEscaped(include_str!("html/style.css"))) }
            }
            body {
                main {
                    (head(outcome, &title))
                    (tiles::tiles(outcome))
                    (words(outcome))
                    section { h2 { "Over time" } div class="charts" { (charts::all(outcome)) } }
                    (percentiles(outcome))
                    div class="columns" {
                        (thresholds(outcome))
                        (books(outcome))
                        (figures(outcome))
                        (counts(outcome))
                    }
                    (errors(outcome))
                    (environment(outcome))
                    (plan(outcome))
                    footer { (outcome.tool) }
                }
                div id="tip" hidden {}
                script { (PreEscaped(include_str!("html/hover.js"))) }
            }
        }
    };
    page.into_string()
}

fn head(outcome: &Outcome, title: &str) -> Markup {
    let (class, verdict) = match (outcome.passed, outcome.invalid.is_empty()) {
        (false, _) => ("bad", "Failed"),
        (true, false) => ("doubtful", "Passed, but invalid"),
        (true, true) => ("good", "Passed"),
    };
    let place = &outcome.environment;
    html! {
        header {
            div {
                h1 { (title) }
                p { (date(outcome.started_at_ms)) @if place.cores > 0 { " · " (place.cpu) ", " (place.cores) " cores" } @if let Some(commit) = &place.commit { " · commit " (commit) } }
            }
            span class={ "verdict " (class) } { (verdict) }
        }
        (notes("bad", "Why it failed", &outcome.failures()))
        (notes("doubtful", "Why these numbers are not the server's", &outcome.invalid))
        (notes("", "Mind", &outcome.warnings))
    }
}

fn notes(class: &str, title: &str, lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            div class={ "note " (class) } { strong { (title) } ul { @for line in lines { li { (line) } } } }
        }
    }
}

fn words(outcome: &Outcome) -> Markup {
    let sentences = summary::sentences(outcome);
    html! {
        @if !sentences.is_empty() {
            section class="words" { h2 { "In plain words" } @for sentence in sentences { p { (sentence) } } }
        }
    }
}

/// A table whose first column is text and whose others are numbers.
fn table(title: &str, heads: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        @if !rows.is_empty() {
            section {
                h2 { (title) }
                div class="wide" {
                    table {
                        @if heads.iter().any(|head| !head.is_empty()) { thead { tr { @for head in heads { th { (head) } } } } }
                        tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
                    }
                }
            }
        }
    }
}

fn percentiles(outcome: &Outcome) -> Markup {
    let shown = outcome.timings.iter().filter(|(_, times)| times.count > 0);
    let rows: Vec<Vec<String>> = shown
        .map(|(name, times)| {
            let name = if name == timing::LAG { "sent late (the generator's own)" } else { name };
            let quantiles = [times.p50_us, times.p90_us, times.p99_us, times.p999_us, times.p9999_us, times.max_us];
            let quantiles = quantiles.map(|us| micros(us as f64));
            [name.to_owned(), whole(times.count), micros(times.mean_us)].into_iter().chain(quantiles).collect()
        })
        .collect();
    table("Percentiles", &["", "samples", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"], &rows)
}

fn thresholds(outcome: &Outcome) -> Markup {
    let rows: Vec<Vec<String>> = (outcome.thresholds.iter())
        .map(|judged| {
            let measured =
                judged.measured.map_or_else(|| "not measured".to_owned(), |value| figure(&judged.threshold, value));
            let verdict = if judged.passed { "✓ kept" } else { "✗ broken" };
            vec![judged.threshold.clone(), measured, verdict.to_owned()]
        })
        .collect();
    table("Thresholds", &["", "measured", ""], &rows)
}

fn books(outcome: &Outcome) -> Markup {
    let ledger = &outcome.ledger;
    if ledger.sent == 0 {
        return html! {};
    }
    let entries = ledger.entered().into_iter().chain(ledger.faults());
    let rows: Vec<Vec<String>> = entries.map(|(name, count)| vec![name.to_owned(), whole(count)]).collect();
    table("The books", &["", ""], &rows)
}

fn figures(outcome: &Outcome) -> Markup {
    let rows: Vec<Vec<String>> = outcome
        .figures
        .iter()
        .map(|(name, value)| {
            vec![name.replace(" us per ", " time per ").replace("fsync us", "time per fsync"), figure(name, *value)]
        })
        .collect();
    table("Rates and costs", &["", ""], &rows)
}

fn counts(outcome: &Outcome) -> Markup {
    let shown = outcome.counts.iter().filter(|(_, count)| **count > 0);
    let rows: Vec<Vec<String>> = shown.map(|(name, count)| vec![name.clone(), whole(*count)]).collect();
    table("Counts", &["", ""], &rows)
}

fn errors(outcome: &Outcome) -> Markup {
    let rows: Vec<Vec<String>> =
        outcome.errors.iter().map(|(error, count)| vec![error.clone(), whole(*count)]).collect();
    table("Errors", &["", ""], &rows)
}

fn environment(outcome: &Outcome) -> Markup {
    let place = &outcome.environment;
    if place.cores == 0 {
        return html! {};
    }
    let threads = |samples: u32| if samples > 0 { format!(", {samples} threads") } else { String::new() };
    let servers: Vec<String> = (outcome.snapshots.last().into_iter().flat_map(|last| &last.servers).enumerate())
        .map(|(at, sample)| {
            let pid = outcome.plan.target.server_pid.get(at).map_or_else(String::new, u32::to_string);
            format!(
                "process {pid}: {}{}, {} open files",
                bytes(sample.rss as f64),
                threads(sample.threads),
                whole(u64::from(sample.files))
            )
        })
        .collect();
    let mut rows = vec![
        ("Processor", place.cpu.clone()),
        ("Cores", format!("{} ({} for the generator)", place.cores, place.generator_cores)),
        ("Memory", bytes(place.memory as f64)),
        ("System", format!("{}, Linux {}", place.system, place.kernel)),
        ("Load tester", outcome.tool.clone()),
    ];
    rows.extend(place.commit.clone().map(|commit| ("Commit", commit)));
    rows.extend((!servers.is_empty()).then(|| ("Server", servers.join("; "))));
    rows.push(("Command", place.command.join(" ")));
    html! {
        section {
            h2 { "Environment" }
            dl { @for (name, value) in rows { dt { (name) } dd { (value) } } }
        }
    }
}

fn plan(outcome: &Outcome) -> Markup {
    let plan = toml::to_string_pretty(&outcome.plan).unwrap_or_default();
    html! { section { h2 { "The plan" } p class="caption" { "Saved to a file, " code { "linnet-loadtest run" } " does it again." } pre { (plan) } } }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let page = page(&fixture::outcome());
        assert!(page.contains("<svg") && page.contains("Passed"));
        let asked = ["src=", "href=", "@import", "url(", "fetch(", "http-equiv"];
        assert_eq!(asked.map(|word| page.contains(word)), [false; 6]);
    }

    #[test]
    fn plain_words_tell_what_the_machine_does() {
        insta::assert_snapshot!(summary::sentences(&fixture::outcome()).join("\n"));
    }

    #[test]
    fn tiles_and_tables_hold_the_numbers() {
        let outcome = fixture::outcome();
        insta::assert_snapshot!(
            "tiles",
            tiles::tiles(&outcome).into_string().replace("</div></div>", "</div></div>\n")
        );
        insta::assert_snapshot!("percentiles", percentiles(&outcome).into_string().replace("</tr>", "</tr>\n"));
    }

    #[test]
    fn what_went_wrong_is_at_the_top_and_words_of_others_are_escaped() {
        let mut outcome = fixture::outcome();
        outcome.errors.insert("<script>alert(1)</script>".to_owned(), 2);
        outcome.ledger.lost = 5;
        outcome.invalid.push("the generator slept".to_owned());
        outcome.passed = false;
        let page = page(&outcome);
        assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"));
        let place = |text: &str| page.find(text).unwrap();
        assert!(
            place("the books: 5 lost") < place("class=\"tiles\"")
                && place("the generator slept") < place("class=\"tiles\"")
        );
    }

    #[test]
    fn the_plan_can_be_run_again() {
        let outcome = fixture::outcome();
        let text = toml::to_string_pretty(&outcome.plan).unwrap();
        let plan = crate::plan::Plan::parse(&text).unwrap();
        assert_eq!(toml::to_string_pretty(&plan).unwrap(), text);
    }
}
