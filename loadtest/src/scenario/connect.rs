//! Scenario `connect`: opens connections at a given rate, holds them, heartbeats included, and tells what they cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use linnet_sdk::{Client, Limits};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::link::Link;
use crate::plan;
use crate::plan::credentials::User;
use crate::plan::span::Span;
use crate::plan::target::Dialer;
use crate::run::context::Context;
use crate::run::message::Milestone;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Connect {
    /// Connections, each of a user of its own.
    #[arg(long, default_value_t = Self::default().connections)]
    pub connections: usize,
    /// Connections begun a second; 0 means as fast as they are answered.
    #[arg(long, default_value_t = Self::default().connect_rate)]
    pub connect_rate: f64,
    /// Logins under way at the same time, at most.
    #[arg(long, default_value_t = Self::default().parallel)]
    pub parallel: usize,
    /// How long the connections are held.
    #[arg(long, default_value_t = Self::default().hold)]
    pub hold: Span,
    /// Connections closed and opened anew while they are held, in percent of all a minute.
    #[arg(long, default_value_t = Self::default().churn)]
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
    let (mut held, mut failed) = (Vec::with_capacity(context.users.len()), 0);
    let mut hold = |(user, client): (User, linnet_sdk::Result<Client>)| {
        match client {
            Ok(client) => {
                tokio::spawn(watch(Link::new(&context.meters), client.clone()));
                held.push(Arc::new(Held { user, client: Mutex::new(client) }));
            }
            // Counted, and borne: unless it is that way for everybody.
            Err(error) => {
                failed += 1;
                if held.is_empty() && failed >= connect.parallel {
                    return Err(error).context("nobody can log in");
                }
            }
        }
        Ok(())
    };
    for (number, user) in context.users.iter().enumerate() {
        if connect.connect_rate > 0.0 {
            let due = start + Duration::from_secs_f64(number as f64 / connect.connect_rate);
            context.sleep(due.saturating_duration_since(Instant::now())).await;
        }
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (shared, user, options) = (Arc::clone(&context), user.clone(), dialer.options(user));
        logins.spawn(async move {
            let client = shared.log_in(options).await;
            drop(permit);
            (user, client)
        });
        // As they come: a task that has ended is kept until somebody looks.
        while let Some(login) = logins.try_join_next() {
            hold(login?)?;
        }
        if context.stopped() {
            break;
        }
    }
    while let Some(login) = logins.join_next().await {
        hold(login?)?;
    }
    context.meters.figure("connects per second", held.len() as f64 / start.elapsed().as_secs_f64());
    context.reach(Milestone::Connected).await;
    tokio::select! {
        () = context.sleep(connect.hold.0) => {}
        () = churn(&context, &held, dialer, connect.churn) => {}
    }
    context.reach(Milestone::Loaded).await;
    context.reach(Milestone::Settled).await;
    Ok(())
}

/// One connection that is held.
#[derive(Debug)]
struct Held {
    user: User,
    client: Mutex<Client>,
}

/// Closes connections and opens them anew, one after the other, evenly over time. Ends with the run.
async fn churn(context: &Arc<Context>, held: &[Arc<Held>], mut dialer: Dialer, percent: f64) {
    let a_second = held.len() as f64 * percent / 100.0 / 60.0;
    if a_second <= 0.0 {
        return std::future::pending().await;
    }
    // A clock must not stand still.
    let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / a_second).max(Duration::from_nanos(1)));
    for held in held.iter().cycle() {
        due.tick().await;
        let (context, held, options) = (Arc::clone(context), Arc::clone(held), dialer.options(&held.user));
        // Many at the same time, where the server takes longer than their pace.
        tokio::spawn(async move {
            let mut client = held.client.lock().await;
            client.close().await;
            // A failure is counted, and the user stays away until its next turn.
            if let Ok(again) = context.log_in_again(options).await {
                tokio::spawn(watch(Link::new(&context.meters), again.clone()));
                *client = again;
            }
        });
    }
}

/// Notices when a connection breaks, and takes the events that nobody wants.
async fn watch(link: Link, client: Client) {
    let mut events = client.events();
    drop(client);
    while let Some(event) = events.next().await {
        link.note(&event);
    }
}
