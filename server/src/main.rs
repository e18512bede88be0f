//! The one binary: reads the command line and the configuration, and starts what was asked for.
//!
//! - `cli`: what can be asked;  `config`: every setting, and where it comes from;
//! - `start`: the roles `serve`, `gateway` and `rest`;  `shutdown`, `reload`: signals;  `welcome`, `running`: what a server tells about itself;
//! - `cluster`: the Redis Cluster that many processes share;  `admin`: commands on the store;  `migrate`: moving it;  `chat`: the terminal client;  `doctor`: checks of the machine.

mod admin;
mod chat;
mod cli;
mod cluster;
mod config;
mod doctor;
mod logs;
mod migrate;
mod probes;
mod process;
mod reload;
mod running;
mod shutdown;
mod start;
mod telemetry;
mod time;
mod tls;
mod welcome;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use cli::{Cli, Command, ConfigCommand};
use config::Config;
use start::Role;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("linnet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let config = Config::load(&cli.config, &cli.command)?;
    let done = match cli.command {
        Command::Serve(ref args) => {
            let ready_file = args.gateway.ready.ready_file.clone();
            start::run(Role::Serve, config, &cli, ready_file.as_deref())
        }
        Command::Gateway(ref args) => {
            let ready_file = args.ready.ready_file.clone();
            start::run(Role::Gateway, config, &cli, ready_file.as_deref())
        }
        Command::Rest(ref args) => {
            let ready_file = args.ready.ready_file.clone();
            start::run(Role::Rest, config, &cli, ready_file.as_deref())
        }
        Command::Chat(args) => runtime()?.block_on(chat::run(&config, args)),
        Command::App(command) => runtime()?.block_on(admin::apps::run(&config, command)),
        Command::Push(command) => runtime()?.block_on(admin::push::run(&config, command)),
        Command::User(command) => runtime()?.block_on(admin::users::run(&config, command)),
        Command::Backup { directory } => runtime()?.block_on(admin::backup::backup(&config, &directory)),
        Command::Restore { directory, replace } => admin::backup::restore(&config, &directory, replace),
        Command::Migrate(ref args) => return runtime()?.block_on(migrate::run(&config, args)),
        Command::Doctor => {
            return Ok(if doctor::run(&config) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Config(ConfigCommand::Print) => config.print().map(|text| print!("{text}")),
        Command::Config(ConfigCommand::Check) => {
            println!("the configuration is good");
            Ok(())
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The runtime of everything.
///
/// By default, one look at the sockets makes up to 1,024 tasks ready at once, however many are ready already; and whatever another thread finishes,
/// such as a commit, would wait behind all of them. When 15,000 connections end or begin at once, that is a fifth of a second.
/// With so few while there is work, the kernel keeps the rest, and what is under way is finished first.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().max_io_events_per_tick(128).max_io_events_per_busy_tick(16);
    builder.build().context("cannot start the runtime")
}
