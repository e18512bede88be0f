//! What is shown of a run while it goes on, and what becomes of its outcome.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::{compare, hlog, html, text};
use crate::show::dashboard::Dashboard;
use crate::show::lines::Lines;
use crate::show::prometheus::Prometheus;
use crate::show::{Shows, Stop};

/// What is shown, and what is written.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// Prints the outcome as one JSON document instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Writes that document to a file, for `report` and `compare`.
    #[arg(long, global = true, value_name = "FILE")]
    json_file: Option<PathBuf>,
    /// Writes a page with charts that needs nothing but a browser.
    #[arg(long, global = true, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes every second's histograms as an HdrHistogram interval log.
    #[arg(long, global = true, value_name = "FILE")]
    hlog: Option<PathBuf>,
    /// Shows lines instead of a dashboard, as it is done anyway where there is no terminal.
    #[arg(long, global = true)]
    plain: bool,
    /// Shows nothing until the end.
    #[arg(long, global = true)]
    quiet: bool,
    /// Serves Prometheus metrics of the run itself while it goes on, on this address: `127.0.0.1:9200`.
    #[arg(long, global = true, value_name = "ADDRESS")]
    prometheus: Option<SocketAddr>,
    /// Commit of what is measured, for reports.
    #[arg(long, global = true, env = "LINNET_COMMIT")]
    pub(super) commit: Option<String>,
}

impl Output {
    /// Begins to show a run, in a dashboard if there is a terminal for it. Call within a runtime.
    pub(super) fn show(&self, plan: &Plan) -> anyhow::Result<(Shows, Stop)> {
        let mut shows = Shows::default();
        let stop = Stop::default();
        if let Some(address) = self.prometheus {
            shows.0.push(Box::new(Prometheus::start(address)?));
        }
        if self.quiet {
            return Ok((shows, stop));
        }
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        if self.plain || !terminal {
            shows.0.push(Box::new(Lines::new(plan, std::io::stderr())));
        } else {
            shows.0.push(Box::new(Dashboard::start(plan, stop.clone())?));
        }
        Ok((shows, stop))
    }

    /// Prints the outcome and writes the files that were asked for.
    pub(super) fn tell(&self, outcome: &Outcome) -> anyhow::Result<()> {
        if let Some(path) = &self.json_file {
            write(path, |out| Ok(serde_json::to_writer(out, outcome)?))?;
        }
        if let Some(path) = &self.html {
            write(path, |out| Ok(out.write_all(html::page(outcome).as_bytes())?))?;
        }
        if let Some(path) = &self.hlog {
            write(path, |out| hlog::write(outcome, out))?;
        }
        if self.json {
            return say(&serde_json::to_string(outcome)?);
        }
        let mut told = String::new();
        text::write(outcome, &mut told)?;
        say(&told)
    }
}

/// Writes a file to its end: what a buffer cannot write when it is dropped, nobody hears of.
fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let written = File::create(path).map_err(anyhow::Error::from).and_then(|file| {
        let mut out = BufWriter::new(file);
        content(&mut out)?;
        Ok(out.flush()?)
    });
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Prints, for as long as somebody reads: `head` may have seen enough.
fn say(told: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{told}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}

/// Reads an outcome that `--json-file` or `--json` wrote.
pub(super) fn read(path: &Path) -> anyhow::Result<Outcome> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Outcome::parse(&text).with_context(|| format!("in {}", path.display()))
}

/// Options of `compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The outcome to measure by.
    before: PathBuf,
    /// The outcome to judge.
    after: PathBuf,
    /// How much worse a number may be, in percent. Where the runs' own seconds scatter by more, it is that much.
    #[arg(long, default_value_t = 10.0)]
    tolerance: f64,
    /// Compares runs of different plans too.
    #[arg(long)]
    force: bool,
}

impl Compare {
    /// Prints the comparison; whether the second is no worse.
    pub(super) fn run(&self) -> anyhow::Result<bool> {
        let (before, after) = (read(&self.before)?, read(&self.after)?);
        let differences = compare::differences(&before, &after);
        if !differences.is_empty() && !self.force {
            bail!("they did not do the same (--force compares all the same):\n  {}", differences.join("\n  "));
        }
        let mut told = format!("  a  {}: {}\n", self.before.display(), text::headline(&before));
        told.push_str(&format!("  b  {}: {}\n\n", self.after.display(), text::headline(&after)));
        let comparison = compare::compare(&before, &after, self.tolerance / 100.0);
        comparison.write(&mut told)?;
        say(&told)?;
        Ok(!comparison.is_worse())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_whole_is_an_error() {
        let full = write(Path::new("/dev/full"), |out| Ok(out.write_all(b"short enough for the buffer")?));
        assert!(format!("{:#}", full.unwrap_err()).starts_with("cannot write /dev/full: "));
    }
}
