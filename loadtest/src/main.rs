//! Drives a Linnet gateway as phones would, and keeps its own books on what was promised and what was kept.
//!
//! One file per scenario: [`connect`] (how many, how fast, at what memory), [`peer`] (durable 1:1 messages), [`fanout`] (a group's messages),
//! [`storm`] (coming back after a gateway's death). They share
//! [`target`] (where, how and as whom), [`ledger`] (what was lost, repeated or out of order), [`pacer`] (the open model's clock),
//! [`process`] (what it cost the server and this program) and [`report`]. Nothing here knows the server's code.

mod connect;
mod credentials;
mod fanout;
mod latency;
mod ledger;
mod pacer;
mod peer;
mod process;
mod report;
mod storm;
mod target;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::Report as _;

/// Load generator for a Linnet gateway.
#[derive(Debug, Parser)]
#[command(name = "linnet-loadtest", version)]
struct Arguments {
    /// Prints the report as one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Worker threads of the generator; 0 means one per core.
    #[arg(long, global = true, default_value_t = 0)]
    threads: usize,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Opens connections at a given rate, holds them, and tells what they cost the server.
    Connect(connect::Arguments),
    /// Sends durable messages between pairs of users and checks that every one arrives once and in order.
    Peer(peer::Arguments),
    /// Sends messages to a group and tells how soon all of its members have them.
    Fanout(fanout::Arguments),
    /// Kills a gateway with many connections and tells how soon all are back.
    Storm(storm::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
        .with_writer(std::io::stderr)
        .init();
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("linnet-loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the scenario and prints its report; true when everything that was promised was kept.
fn run(arguments: Arguments) -> anyhow::Result<bool> {
    process::raise_file_limit();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if arguments.threads > 0 {
        builder.worker_threads(arguments.threads);
    }
    let runtime = builder.enable_all().build()?;
    let (report, kept) = match arguments.scenario {
        Scenario::Connect(connect) => {
            let report = runtime.block_on(connect::run(connect))?;
            (report.render(arguments.json)?, report.kept())
        }
        Scenario::Peer(peer) => {
            let report = runtime.block_on(peer::run(peer))?;
            (report.render(arguments.json)?, report.kept())
        }
        Scenario::Fanout(fanout) => {
            let report = runtime.block_on(fanout::run(fanout))?;
            (report.render(arguments.json)?, report.kept())
        }
        Scenario::Storm(storm) => {
            let report = runtime.block_on(storm::run(storm))?;
            (report.render(arguments.json)?, report.kept())
        }
    };
    println!("{report}");
    // Thousands of connections need not be closed one by one.
    runtime.shutdown_background();
    Ok(kept)
}
