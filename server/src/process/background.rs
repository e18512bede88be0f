//! What a process does besides answering: it shares its store, hears of other processes, and does what is left in the outbox.

use anyhow::{Context, Result};
use domain::{BootId, Clock, Domain, record};
use outbound::{Http, Outbound, Share};
use prost::Message;
use storage::{Bus, StoreServer, Subscription};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backend::{Backend, Reach};
use crate::config::Config;

/// Events of other processes that may wait to be passed on.
const BUS_CAPACITY: usize = 65_536;

/// Tasks that run until they are told to stop.
pub(super) struct Background {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    outbound: Option<Outbound>,
    bus: Bus,
}

impl Background {
    /// Starts what this process has to do; `sessions` says whether it has any that should hear of other processes.
    ///
    /// # Errors
    /// If the store's socket cannot be bound.
    pub(super) fn start(
        config: &Config,
        clock: &Clock,
        backend: &Backend,
        domain: &Domain,
        sessions: bool,
    ) -> Result<Self> {
        let (stop, bus) = (CancellationToken::new(), backend.bus.clone());
        let share = match backend.reach {
            // The owner of the store does it all.
            Reach::Remote => return Ok(Self { stop, tasks: Vec::new(), outbound: None, bus }),
            Reach::Owned => Share::Alone,
            Reach::Shared => Share::Among(BootId(rand::random_range(1..domain::ID_END))),
        };
        let mut tasks = Vec::new();
        if backend.reach == Reach::Owned {
            let server = StoreServer::bind(&config.store.server).with_context(|| {
                format!("cannot listen on the store socket {}", config.store.server.socket.display())
            })?;
            let (store, bus) = (backend.store.clone(), backend.bus.clone());
            tasks.push(tokio::spawn(server.serve(store, bus, domain::TABLES, stop.clone().cancelled_owned())));
        }
        if sessions {
            tasks.push(tokio::spawn(pass_on(backend.bus.subscribe(BUS_CAPACITY), domain.clone(), stop.clone())));
        }
        let http = Http::new(&config.outbound);
        let outbound = Outbound::start(domain.clone(), clock.clone(), http, &config.outbound, share);
        Ok(Self { stop, tasks, outbound: Some(outbound), bus })
    }

    /// Finishes what is under way, and ends.
    pub(super) async fn stop(self) {
        if let Some(outbound) = self.outbound {
            outbound.stop().await;
        }
        self.stop.cancel();
        for task in self.tasks {
            // A task that panicked has been reported by the runtime.
            let _ = task.await;
        }
        // Last, so that what was done until here is told to others.
        self.bus.close().await;
    }
}

/// Takes what other processes did to the sessions of this one.
async fn pass_on(mut heard: Subscription, domain: Domain, stop: CancellationToken) {
    loop {
        let event = tokio::select! {
            event = heard.recv() => event,
            () = stop.cancelled() => return,
        };
        match event.map(record::Event::decode) {
            Ok(Ok(event)) => domain.receive(event).await,
            Ok(Err(error)) => tracing::warn!(%error, "another process published what is no event"),
            Err(lagged) => {
                tracing::warn!(missed = lagged.missed, "events of other processes were missed: devices synchronise");
                domain.miss();
            }
        }
    }
}
