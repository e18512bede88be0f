//! Commands that look into the store or change it: through a running server's socket, or on its files while none runs.

pub(crate) mod apps;
pub(crate) mod backup;
pub(crate) mod push;
pub(crate) mod rules;
pub(crate) mod users;

use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::{AppNumber, Caller, Clock, Domain, Outlet};
use storage::{Bus, Store};

use crate::config::Config;

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
    /// If a server owns it and does not answer, or the files cannot be opened.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        let running = is_running(config);
        let (store, bus) = if running {
            (Store::connect(&config.store.remote), Bus::connect(&config.store.remote))
        } else {
            let store = Store::open(&config.store.rocks, domain::TABLES, Clock::system());
            let place = config.store.rocks.directory.display().to_string();
            let store = store.with_context(|| {
                format!(
                    "cannot open the store in {place}, and no server answers on {}",
                    config.store.remote.socket.display()
                )
            })?;
            (store, Bus::local())
        };
        wait_until_ready(&store, &bus).await?;
        let domain =
            Domain::open(store.clone(), Clock::system(), Outlet::Bus(bus.clone()), config.domain.clone()).await?;
        Ok(Self { domain, store, bus })
    }

    /// As [`Self::open`], for what makes sense beside a running server only.
    ///
    /// # Errors
    /// If no server runs here, or it does not answer.
    pub(crate) async fn of_running_server(config: &Config) -> Result<Self> {
        if !is_running(config) {
            bail!(
                "no server runs here (nothing answers on {}): start one with `linnet serve`",
                config.store.remote.socket.display()
            );
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

/// Whether a process on this machine owns the store and answers for it.
pub(crate) fn is_running(config: &Config) -> bool {
    UnixStream::connect(&config.store.remote.socket).is_ok()
}

async fn wait_until_ready(store: &Store, bus: &Bus) -> Result<()> {
    let ready = async {
        while !(store.is_ready() && bus.is_ready()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(CONNECT, ready).await.context("the running server does not answer on its store socket")
}
