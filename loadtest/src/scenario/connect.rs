//! Scenario `connect`: opens connections at a given rate, holds them, and tells what they cost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use linnet_sdk::{Client, Event, Limits};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::measure::names::{count, gauge};
use crate::plan;
use crate::plan::span::Span;
use crate::run::context::Context;
use crate::run::message::Milestone;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Connect {
    /// Connections, each of a user of its own.
    #[arg(long, default_value_t = 1000)]
    pub connections: usize,
    /// Connections begun a second; 0 means as fast as they are answered.
    #[arg(long, default_value_t = 0.0)]
    pub connect_rate: f64,
    /// Logins under way at the same time, at most.
    #[arg(long, default_value_t = 64)]
    pub parallel: usize,
    /// How long the connections are held.
    #[arg(long, default_value = "10s")]
    pub hold: Span,
    /// Connections closed and opened anew while they are held, in percent of all a minute.
    #[arg(long, default_value_t = 0.0)]
    pub churn: f64,
}

impl Default for Connect {
    fn default() -> Self {
        Self { connections: 1000, connect_rate: 0.0, parallel: 64, hold: Span::seconds(10), churn: 0.0 }
    }
}

impl Connect {
    pub(super) fn users(&self) -> usize {
        self.connections
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self {
            connections: plan::share(self.connections, index, processes),
            connect_rate: self.connect_rate / processes as f64,
            ..self.clone()
        }
    }
}

pub(super) async fn run(context: Arc<Context>, connect: Connect) -> anyhow::Result<()> {
    let limits = Limits { event_queue: 8, max_pending: 8, ..Limits::default() };
    let mut dialer = context.dialer(limits)?;
    let start = Instant::now();
    let permits = Arc::new(Semaphore::new(connect.parallel.max(1)));
    let mut logins = JoinSet::new();
    for (number, user) in context.users.iter().enumerate() {
        if connect.connect_rate > 0.0 {
            let due = start + Duration::from_secs_f64(number as f64 / connect.connect_rate);
            context.sleep(due.saturating_duration_since(Instant::now())).await;
        }
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (shared, options) = (Arc::clone(&context), dialer.options(user));
        logins.spawn(async move {
            let client = shared.log_in(options).await;
            drop(permit);
            client.ok()
        });
        if context.stopped() {
            break;
        }
    }
    let mut clients = Vec::with_capacity(context.users.len());
    while let Some(login) = logins.join_next().await {
        if let Some(client) = login? {
            tokio::spawn(watch(Arc::clone(&context), client.clone()));
            clients.push(client);
        }
    }
    context.meters.figure("connects per second", clients.len() as f64 / start.elapsed().as_secs_f64());
    context.reach(Milestone::Connected).await;
    context.sleep(connect.hold.0).await;
    context.reach(Milestone::Loaded).await;
    context.reach(Milestone::Settled).await;
    Ok(())
}

/// Holds a connection and notices when it breaks.
async fn watch(context: Arc<Context>, client: Client) {
    let mut events = client.events();
    drop(client);
    let (disconnected, connections) =
        (context.meters.count(count::DISCONNECTED), context.meters.gauge(gauge::CONNECTIONS));
    while let Some(event) = events.next().await {
        match event {
            Event::Disconnected { .. } => {
                disconnected.fetch_add(1, Ordering::Relaxed);
                connections.fetch_sub(1, Ordering::Relaxed);
            }
            Event::Connected { .. } => drop(connections.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}
