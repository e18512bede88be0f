//! Connections that do nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Server;
use crate::link::Dialer;
use crate::outcome::{Outcome, look};

/// Options of the scenario.
#[derive(Debug, Clone, Args)]
pub(crate) struct Idle {
    /// How many.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Logins under way at the same time.
    #[arg(long, default_value_t = 64)]
    parallel: usize,
    /// How long they are held, seconds.
    #[arg(long, default_value_t = 5)]
    hold: u64,
}

pub(crate) async fn run(server: &Server, idle: &Idle) -> Result<Outcome> {
    let dialer = Dialer::new(server)?;
    dialer.connect("setup").await?.prepare().await?;
    let before = look(server.server_pid)?;
    let start = Instant::now();
    let permits = Arc::new(Semaphore::new(idle.parallel.max(1)));
    let mut logins = JoinSet::new();
    for number in 0..idle.connections {
        let (permit, dialer) = (Arc::clone(&permits).acquire_owned().await?, dialer.clone());
        logins.spawn(async move {
            let mut link = dialer.connect(&format!("user-{number}")).await?;
            link.subscribe(&format!("topic-{number}")).await?;
            drop(permit);
            anyhow::Ok(link)
        });
    }
    let mut held = Vec::with_capacity(idle.connections);
    while let Some(login) = logins.join_next().await {
        held.push(login??);
    }
    let mut outcome = Outcome::default();
    outcome.figures.insert("connects per second".into(), held.len() as f64 / start.elapsed().as_secs_f64());
    // What logging in left behind may be put away first.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let up = look(server.server_pid)?;
    outcome.logins(held.len(), before, up);
    // They are not read from meanwhile: nobody is asked for a sign of life within so short a time.
    let hold = Duration::from_secs(idle.hold);
    tokio::time::sleep(hold).await;
    outcome.load(hold.as_secs_f64().max(1.0), up, look(server.server_pid)?);
    Ok(outcome)
}
