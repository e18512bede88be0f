//! Commands that look into the store or change it: through a running server's socket, on its files while none runs,
//! or in the Redis Cluster, where there is one.

pub(crate) mod apps;
pub(crate) mod backup;
pub(crate) mod push;
pub(crate) mod rules;
pub(crate) mod users;

use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::{AppNumber, Caller, Clock, Domain, Outlet};
use storage::{Bus, Store};

use crate::cluster;
use crate::config::{Config, Engine};
use crate::running::Running;

/// How long a running server has to answer the first call.
const CONNECT: Duration = Duration::from_secs(5);

/// The store of this machine, opened for one command.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) domain: Domain,
    pub(crate) store: Store,
    bus: Bus,
}

impl Admin {
    /// Opens the store, whoever owns it at the moment.
    ///
    /// # Errors
    /// If a server owns it and does not answer, the files cannot be opened, or the cluster is not there or not as it has to be.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        let clock = Clock::system();
        let (store, bus) = match config.store.engine {
            Engine::Redis => cluster::open(config, &clock).await?,
            Engine::Rocks => open_here(config, &clock).await?,
        };
        let domain = Domain::open(store.clone(), clock, Outlet::Bus(bus.clone()), config.domain.clone()).await?;
        Ok(Self { domain, store, bus })
    }

    /// As [`Self::open`], for what makes sense beside a running server only.
    ///
    /// # Errors
    /// If no server runs here, or it does not answer.
    pub(crate) async fn of_running_server(config: &Config) -> Result<Self> {
        if !is_running(config) {
            let (place, role) = match config.store.engine {
                Engine::Rocks => (config.store.remote.socket.display(), "serve"),
                Engine::Redis => (config.data_dir.display(), "gateway"),
            };
            bail!("no server runs here (nothing answers on {place}): start one with `linnet {role}`");
        }
        Self::open(config).await
    }

    /// The operator of this machine, in one app.
    ///
    /// # Errors
    /// If there is no such app.
    pub(crate) async fn operator(&self, app: &str) -> Result<Caller> {
        let record = self.domain.apps.find(app).await.with_context(|| format!("app `{app}`"))?;
        Ok(self.domain.apps.operator(AppNumber(record.number)).await?)
    }

    /// Waits until the server has heard what this command published last, so that leaving does not cut it off.
    pub(crate) async fn flush(&self) {
        self.bus.flush().await;
    }
}

/// Whether a server runs over this data folder: one that owns the store and answers for it, or one of a cluster's.
pub(crate) fn is_running(config: &Config) -> bool {
    match config.store.engine {
        Engine::Rocks => UnixStream::connect(&config.store.remote.socket).is_ok(),
        Engine::Redis => Running::read(config).is_some_and(|running| running.is_alive()),
    }
}

/// The embedded store: its files, or the server that has them open.
async fn open_here(config: &Config, clock: &Clock) -> Result<(Store, Bus)> {
    if is_running(config) {
        let (store, bus) = (Store::connect(&config.store.remote), Bus::connect(&config.store.remote));
        wait_until_ready(&store, &bus).await?;
        return Ok((store, bus));
    }
    let store = Store::open(&config.store.rocks, domain::TABLES, clock.clone()).with_context(|| {
        let (place, socket) = (config.store.rocks.directory.display(), config.store.remote.socket.display());
        format!("cannot open the store in {place}, and no server answers on {socket}")
    })?;
    Ok((store, Bus::local()))
}

async fn wait_until_ready(store: &Store, bus: &Bus) -> Result<()> {
    let ready = async {
        while !(store.is_ready() && bus.is_ready()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(CONNECT, ready).await.context("the running server does not answer on its store socket")
}

/// Asks on the terminal. Without one, the answer is no: a script says `--yes`.
fn confirmed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{question} Say --yes to do so without a terminal");
    }
    print!("{question} [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
