//! The command line.

mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::measure::process;
use crate::plan::Plan;
use crate::plan::schedule::Load;
use crate::plan::target::Target;
use crate::plan::threshold::Threshold;
use crate::run::coordinator::{self, Worker};
use crate::scenario::Scenario;
use output::{Compare, Output};

/// Load generator for a Linnet gateway.
#[derive(Debug, Parser)]
#[command(name = "linnet-loadtest", version)]
struct Arguments {
    #[command(flatten)]
    output: Output,
    /// Worker threads of the generator; 0 means one per core.
    #[arg(long, global = true, default_value_t = 0)]
    threads: usize,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a plan from a TOML file.
    Run {
        /// The plan.
        plan: PathBuf,
    },
    #[command(flatten)]
    Scenario(Box<Flags>),
    /// Tells a run's outcome again, from the file that --json-file wrote: as text, or with --html as a page.
    Report {
        /// The outcome.
        outcome: PathBuf,
    },
    /// Compares two runs of the same plan, and fails when the second is worse.
    Compare(Compare),
}

/// A plan made of flags.
#[derive(Debug, Subcommand)]
enum Flags {
    /// Opens connections at a given rate, holds them, and tells what they cost the server.
    Connect(With<crate::scenario::connect::Connect>),
    /// Sends messages between pairs of users and checks that every one arrives once and in order.
    Peer(With<crate::scenario::peer::Peer>),
}

#[derive(Debug, Args)]
struct With<T: Args> {
    #[command(flatten)]
    options: T,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    /// What must be true in the end, for example `'ack p99 < 20ms'`. May be given several times.
    #[arg(long)]
    threshold: Vec<Threshold>,
}

impl<T: Args> With<T> {
    fn plan(self, scenario: impl FnOnce(T) -> Scenario) -> Plan {
        Plan { target: self.target, scenario: scenario(self.options), load: self.load, thresholds: self.threshold }
    }
}

impl Flags {
    fn plan(self) -> Plan {
        match self {
            Self::Connect(with) => with.plan(Scenario::Connect),
            Self::Peer(with) => with.plan(Scenario::Peer),
        }
    }
}

/// Does what the command line says. The exit code is 0 for a run that passed, 1 for one that did not, 2 for one that could not be.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("linnet-loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn execute(arguments: Arguments) -> anyhow::Result<bool> {
    let Arguments { output, threads, command } = arguments;
    let plan = match command {
        Command::Run { plan } => {
            let text = std::fs::read_to_string(&plan).with_context(|| format!("cannot read {}", plan.display()))?;
            Plan::parse(&text).with_context(|| format!("in {}", plan.display()))?
        }
        Command::Scenario(flags) => flags.plan(),
        Command::Report { outcome } => {
            let outcome = output::read(&outcome)?;
            output.tell(&outcome)?;
            return Ok(true);
        }
        Command::Compare(compare) => return compare.run(),
    };
    process::raise_file_limit();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build()?;
    let outcome = runtime.block_on(async {
        let (mut shows, stop) = output.show(&plan)?;
        coordinator::run(plan, vec![Worker::local()], &mut shows, stop.asked()).await
    });
    // Thousands of connections need not be closed one by one.
    runtime.shutdown_background();
    let mut outcome = outcome?;
    outcome.environment.commit.clone_from(&output.commit);
    output.tell(&outcome)?;
    Ok(outcome.passed)
}
