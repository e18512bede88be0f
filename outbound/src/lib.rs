//! HTTP requests that Linnet itself makes: to push providers, and to apps' own servers.
//!
//! What is to be sent, and to whom, the domain decides ([`domain::push`], [`domain::outbox`]); how it is sent is decided here.
//!
//! - `http`, `connect`: the client, which talks to public addresses only, unless it is allowed more;
//! - `webhook`: signed requests to apps' own servers;
//! - `provider`, `providers`: APNs, FCM and the Android vendors, each by its own public API;
//! - `outbox`, `tasks`: the workers, which take up what the store holds, and can stop at any point without losing any of it.

pub mod config;
mod connect;
mod http;
mod jwt;
mod metrics;
mod outbox;
mod provider;
mod providers;
mod sender;
mod tasks;
mod webhook;

use std::sync::Arc;

use domain::outbox::Duty;
use domain::{BootId, Clock, Domain};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use http::{Answer, Error, Http, Request};
pub use webhook::Webhooks;

use sender::Sender;

/// Who works on what a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// This process alone, of those that share the store.
    Alone,
    /// This process, which is this run, beside others: each does what its own messages leave, and one of them looks for what was left undone.
    Among(BootId),
}

/// The running workers.
#[derive(Debug)]
pub struct Outbound {
    domain: Domain,
    stop: CancellationToken,
    workers: [JoinHandle<()>; 2],
}

impl Outbound {
    /// Starts the workers. With [`Share::Alone`], one of the processes that share a store does so; with [`Share::Among`], each of them does, and
    /// should before its first message.
    #[must_use]
    pub fn start(domain: Domain, clock: Clock, http: Http, config: &Config, share: Share) -> Self {
        metrics::describe();
        domain.outbox.set_duty(match share {
            Share::Alone => Duty::Sole,
            Share::Among(me) => Duty::Shared { me, term: config.claim },
        });
        let stop = CancellationToken::new();
        let sender = Arc::new(Sender::new(domain.clone(), clock, http, config.clone()));
        let workers = [
            tokio::spawn(outbox::run(Arc::clone(&sender), share, stop.clone())),
            tokio::spawn(tasks::run(sender, stop.clone())),
        ];
        Self { domain, stop, workers }
    }

    /// Looks for nothing more, and waits for what is under way; beside others, also for a first try of all that this process's own messages left.
    ///
    /// Whoever cannot wait so long may drop the future: what is then undone is found by the next process, or the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.domain.outbox.resign().await {
            tracing::warn!(%error, "the lease of the outbox was not given back, and ends by itself");
        }
        for worker in self.workers {
            // A worker that panicked has been reported by the runtime.
            let _ = worker.await;
        }
    }
}
