//! The command line.

mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::{Resettable, StyledStr};
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand};

use crate::fault::{self, Faulty};
use crate::measure::process;
use crate::plan::Plan;
use crate::plan::schedule::Load;
use crate::plan::target::Target;
use crate::plan::threshold::Threshold;
use crate::run::agent::{self, Agent};
use crate::run::coordinator;
use crate::run::fleet::Fleet;
use crate::scenario::Scenario;
use output::{Compare, Output};

/// Load generator for Linnet: its gateway, and its REST service.
#[derive(Debug, Parser)]
#[command(name = "linnet-loadtest", version)]
struct Arguments {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    fleet: Fleet,
    /// Threads of each process of the generator; 0 means one per core, shared by the processes of this machine.
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
    Scenario(Flags),
    /// Tells a run's outcome again, from the file that --json-file wrote: as text, or with --html as a page.
    Report {
        /// The outcome.
        outcome: PathBuf,
    },
    /// Compares two runs of the same plan, and fails when the second is worse.
    Compare(Compare),
    /// Waits for coordinators on other machines (their --agents), and generates load for them.
    Agent(agent::Options),
    /// Is a process of the generator. Only a coordinator or an agent starts it.
    #[command(hide = true)]
    Worker,
    /// Relays connections to a gateway and breaks promises on the way, to prove that a run notices.
    Faulty(Faulty),
}

/// A plan made of flags: the scenario's name and options, and with each of them the same options for where, how much, and what for.
#[derive(Debug)]
struct Flags(Box<Plan>);

/// The part of a plan that is the same in every scenario.
#[derive(Debug, Args)]
struct Shared {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    /// What must be true in the end, for example `'ack p99 < 20ms'`. May be given several times.
    #[arg(long)]
    threshold: Vec<Threshold>,
}

impl Subcommand for Flags {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        let scenarios = Scenario::augment_subcommands(clap::Command::new("scenarios"));
        command.subcommands(scenarios.get_subcommands().cloned().map(|scenario| {
            // What is added would put its own description in the place of the scenario's.
            let short = Resettable::<StyledStr>::from(scenario.get_about().cloned());
            let long = Resettable::<StyledStr>::from(scenario.get_long_about().cloned());
            Shared::augment_args(scenario).about(short).long_about(long)
        }))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Scenario::has_subcommand(name)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let options = matches.subcommand().map(|(_, options)| options);
        let options = options.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        let Shared { target, load, threshold } = Shared::from_arg_matches(options)?;
        let scenario = Scenario::from_arg_matches(matches)?;
        Ok(Self(Box::new(Plan { target, scenario, load, thresholds: threshold })))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
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
    let Arguments { output, fleet, threads, command } = arguments;
    process::raise_file_limit();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build()?;
    let plan = match command {
        Command::Run { plan } => {
            let text = std::fs::read_to_string(&plan).with_context(|| format!("cannot read {}", plan.display()))?;
            Plan::parse(&text).with_context(|| format!("in {}", plan.display()))?
        }
        Command::Scenario(Flags(plan)) => {
            plan.check()?;
            *plan
        }
        Command::Report { outcome } => {
            let outcome = output::read(&outcome)?;
            output.tell(&outcome)?;
            return Ok(true);
        }
        Command::Compare(compare) => return compare.run(),
        Command::Agent(options) => {
            return runtime.block_on(async {
                let agent = Agent::listen(options, threads).await?;
                println!("waiting for coordinators on {}", agent.address()?);
                agent.serve().await.map(|()| true)
            });
        }
        Command::Worker => {
            let served = runtime.block_on(crate::run::serve());
            runtime.shutdown_background();
            return served.map(|()| true);
        }
        Command::Faulty(faulty) => return runtime.block_on(fault::run(faulty)).map(|()| true),
    };
    let outcome = runtime.block_on(async {
        let workers = fleet.gather(&plan, threads).await?;
        let (mut shows, stop) = output.show(&plan)?;
        coordinator::run(plan, workers, &mut shows, stop.asked()).await
    });
    // Thousands of connections need not be closed one by one.
    runtime.shutdown_background();
    let mut outcome = outcome?;
    outcome.environment.commit.clone_from(&output.commit);
    output.tell(&outcome)?;
    Ok(outcome.passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_takes_the_shared_options_and_a_plan_takes_none() {
        use clap::CommandFactory as _;
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        for scenario in Scenario::augment_subcommands(clap::Command::new("scenarios")).get_subcommands() {
            let parsed = Arguments::try_parse_from([
                "linnet-loadtest",
                scenario.get_name(),
                "--credentials",
                "load.tsv",
                "--threshold",
                "ack p99 < 20ms",
            ]);
            let Command::Scenario(Flags(plan)) = parsed.unwrap().command else { panic!("not a scenario") };
            assert_eq!(plan.scenario.name(), scenario.get_name());
            assert_eq!(plan.thresholds.len(), 1);
            let built = command.find_subcommand(scenario.get_name()).unwrap();
            assert_eq!(built.get_about().map(ToString::to_string), scenario.get_about().map(ToString::to_string));
        }
        assert!(Arguments::try_parse_from(["linnet-loadtest", "run", "plan.toml"]).is_ok());
    }
}
