//! Where a process's bytes are, and how it hears of what other processes did.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::{Clock, Domain, Outlet};
use gateway::Hub;
use storage::{Bus, Store};

use crate::cluster;
use crate::config::{Config, Engine};
use crate::start::Role;

/// A store and a bus, opened as the role and the configuration want it.
pub(super) struct Backend {
    pub(super) store: Store,
    pub(super) bus: Bus,
    pub(super) reach: Reach,
}

/// How the store is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// This process owns the store, and serves it to others of this machine.
    Owned,
    /// Another process of this machine owns it.
    Remote,
    /// It is a Redis Cluster, which this process shares with others as equals.
    Shared,
}

impl Backend {
    /// Opens both.
    ///
    /// # Errors
    /// If the store cannot be opened, or is a cluster that cannot keep what an ack promises.
    /// Another process's store is looked for in the background, and never an error.
    pub(super) async fn open(role: Role, config: &Config, clock: &Clock) -> Result<Self> {
        if config.store.engine == Engine::Redis {
            let (store, bus) = cluster::open(config, clock).await?;
            return Ok(Self { store, bus, reach: Reach::Shared });
        }
        if role == Role::Rest {
            let store = Store::connect(&config.store.remote);
            let bus = Bus::connect(&config.store.remote);
            return Ok(Self { store, bus, reach: Reach::Remote });
        }
        let directory = &config.store.rocks.directory;
        let store = Store::open(&config.store.rocks, domain::TABLES, clock.clone())
            .with_context(|| format!("cannot open the store in {}", directory.display()))?;
        Ok(Self { store, bus: Bus::local(), reach: Reach::Owned })
    }

    /// The domain over it; `hub` holds the sessions of this process, if it has any.
    ///
    /// # Errors
    /// If a store that is open does not answer.
    pub(super) async fn domain(&self, config: &Config, clock: &Clock, hub: Option<&Arc<Hub>>) -> Result<Domain> {
        let sessions = hub.map(|hub| Arc::clone(hub) as Arc<dyn domain::Deliver>);
        let outlet = match (sessions, self.reach) {
            (Some(sessions), Reach::Shared) => Outlet::Both(sessions, self.bus.clone()),
            (Some(sessions), Reach::Owned | Reach::Remote) => Outlet::Here(sessions),
            (None, _) => Outlet::Bus(self.bus.clone()),
        };
        let (store, clock, settings) = (self.store.clone(), clock.clone(), config.domain.clone());
        match self.reach {
            // The owner may come later than this process: until then, requests are answered 503.
            Reach::Remote => Ok(Domain::new(store, clock, outlet, settings)),
            Reach::Owned | Reach::Shared => Ok(Domain::open(store, clock, outlet, settings).await?),
        }
    }
}
