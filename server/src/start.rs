//! The roles `serve`, `gateway` and `rest`: start, run until told to stop, drain.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::Cli;
use crate::config::Config;
use crate::logs::{self, Filter};
use crate::process::Process;
use crate::running::Running;
use crate::shutdown::{Request, Signals};
use crate::{reload, telemetry, tls, welcome};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Gateway and REST service over an embedded store.
    Serve,
    /// The gateway, which owns the store.
    Gateway,
    /// The REST service, over another process's store.
    Rest,
}

/// Runs a role until a signal, or until the store has failed.
///
/// # Errors
/// If it cannot start, or the store has failed.
pub(crate) fn run(role: Role, config: Config, cli: &Cli, ready_file: Option<&Path>) -> Result<()> {
    let filter = logs::start(&config.log)?;
    raise_descriptor_limit();
    let runtime = crate::runtime()?;
    let outcome = runtime.block_on(main(role, config, cli, &filter, ready_file));
    // What is still open was given its time, and is cut.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

async fn main(role: Role, config: Config, cli: &Cli, filter: &Filter, ready_file: Option<&Path>) -> Result<()> {
    create_data_folder(&config)?;
    let mut signals = Signals::listen()?;
    let metrics = telemetry::start()?;
    let process = Process::start(role, &config, metrics).await?;
    let made = match role {
        Role::Serve | Role::Gateway => welcome::first_start(process.domain()).await?,
        Role::Rest => None,
    };
    let running = process.running();
    let announced = running.announce(&config, ready_file)?;
    print!("{}", welcome::text(&running, made.as_ref()));
    drop(made);
    tracing::info!(?role, version = env!("CARGO_PKG_VERSION"), addresses = %addresses(&running), "ready");

    let mut current = config;
    let failure = loop {
        tokio::select! {
            request = signals.next() => match request {
                Request::Stop(signal) => {
                    tracing::info!(signal, "stopping");
                    break None;
                }
                Request::Reload => match reloaded(cli, &current, filter, &process) {
                    Ok(config) => current = config,
                    Err(error) => tracing::error!(error = format!("{error:#}"), "the configuration is not reloaded; the old one stays in force"),
                },
            },
            reason = process.failure() => break Some(reason),
        }
    };
    drop(announced);
    if let Some(reason) = failure {
        // Nothing is acked any more, and only a new start can tell what is on the disk.
        bail!("the store has failed and this process ends: {reason}");
    }
    process.drain(&current, &mut signals).await;
    tracing::info!("stopped");
    Ok(())
}

fn addresses(running: &Running) -> String {
    serde_json::to_string(running).unwrap_or_default()
}

/// Reads the configuration again and puts in force what can be.
fn reloaded(cli: &Cli, old: &Config, filter: &Filter, process: &Process) -> Result<Config> {
    let new = Config::load(&cli.config, &cli.command)?;
    let changes = reload::compare(old, &new)?;
    filter.set(&new.log.filter)?;
    let identity = tls::load(&new).context("certificate")?;
    process.reload(&new, identity)?;
    tracing::info!(changed = changes.live.join(", "), "the configuration and the certificate are reloaded");
    if !changes.restart.is_empty() {
        tracing::warn!(keys = changes.restart.join(", "), "these keys changed and need a restart");
    }
    Ok(new)
}

/// What people say is nobody else's to read on this machine.
fn create_data_folder(config: &Config) -> Result<()> {
    let folder = &config.data_dir;
    let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.with_context(|| format!("cannot create {}", folder.display()))
}

/// Each connection takes a descriptor, and the usual soft limit of 1024 is there for old programs only.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}
