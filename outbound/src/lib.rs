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

use domain::{Clock, Domain};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use http::{Answer, Error, Http, Request};
pub use webhook::Webhooks;

use sender::Sender;

/// The running workers.
#[derive(Debug)]
pub struct Outbound {
    stop: CancellationToken,
    workers: [JoinHandle<()>; 2],
}

impl Outbound {
    /// Starts the workers. One process that shares a store does so: the one that owns it.
    #[must_use]
    pub fn start(domain: Domain, clock: Clock, http: Http, config: &Config) -> Self {
        metrics::describe();
        let stop = CancellationToken::new();
        let sender = Arc::new(Sender::new(domain, clock, http, config.clone()));
        let workers = [
            tokio::spawn(outbox::run(Arc::clone(&sender), stop.clone())),
            tokio::spawn(tasks::run(sender, stop.clone())),
        ];
        Self { stop, workers }
    }

    /// Takes up nothing more, and waits for what is under way.
    pub async fn stop(self) {
        self.stop.cancel();
        for worker in self.workers {
            // A worker that panicked has been reported by the runtime.
            let _ = worker.await;
        }
    }
}
