//! Scenario `storm`: a gateway with many sessions is killed, and all of them come back, there or elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use linnet_sdk::{Client, Event, Limits};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::credentials;
use crate::latency::{Latency, Summary};
use crate::report::Report;
use crate::target::{Target, Way};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Connections, each of a user of its own.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// The gateway to kill, by its process id. Name an address that leads elsewhere then, such as a host of several addresses.
    #[arg(long)]
    kill: i32,
    /// Seconds that coming back may take.
    #[arg(long, default_value_t = 120)]
    patience: u64,
}

/// What the run tells.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    scenario: &'static str,
    transport: Way,
    connections: usize,
    back: usize,
    /// From the kill until a client's session was open again.
    outage: Summary,
    /// From the kill until everything was synchronised.
    synced: Summary,
}

#[derive(Debug)]
struct Shared {
    killed: Mutex<Option<Instant>>,
    outage: Latency,
    synced: Latency,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let Arguments { target, connections, kill, patience } = arguments;
    let victim = Pid::from_raw(kill).filter(|_| kill > 1).context("no process id")?;
    let users = credentials::read(&target.credentials, connections)?;
    let mut dialer = target.dialer(Limits { event_queue: 16, max_pending: 8, ..Limits::default() })?;
    let permits = Arc::new(Semaphore::new(64));
    let mut logins = JoinSet::new();
    for user in users.iter().take(connections) {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let options = dialer.options(user);
        logins.spawn(async move {
            let client = Client::connect(options).await;
            drop(permit);
            client
        });
    }
    let shared = Arc::new(Shared { killed: Mutex::new(None), outage: Latency::new(), synced: Latency::new() });
    let mut watchers = JoinSet::new();
    while let Some(client) = logins.join_next().await {
        watchers.spawn(watch(Arc::clone(&shared), client?.context("a client cannot log in")?));
    }
    // What logging in left behind is put away first.
    tokio::time::sleep(Duration::from_secs(3)).await;
    *shared.killed.lock() = Some(Instant::now());
    kill_process(victim, Signal::KILL).context("the gateway cannot be killed")?;
    let until = Instant::now() + Duration::from_secs(patience);
    while shared.synced.summary().count < connections as u64 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (outage, synced) = (shared.outage.summary(), shared.synced.summary());
    if outage.count == 0 {
        bail!("nobody came back");
    }
    Ok(Outcome {
        scenario: "storm",
        transport: target.transport,
        connections,
        back: usize::try_from(synced.count)?,
        outage,
        synced,
    })
}

/// Notes when a client is back after the kill.
async fn watch(shared: Arc<Shared>, client: Client) {
    let mut events = client.events();
    drop(client);
    let mut back = false;
    while let Some(event) = events.next().await {
        let Some(killed) = *shared.killed.lock() else { continue };
        match event {
            Event::Connected { .. } if !back => {
                back = true;
                shared.outage.record(killed.elapsed());
            }
            Event::Synced if back => {
                shared.synced.record(killed.elapsed());
                break;
            }
            _ => {}
        }
    }
    // The client lives on, so that the others find the gateway as it would be.
    while events.next().await.is_some() {}
}

impl Outcome {
    /// Whether everybody came back.
    pub(crate) fn kept(&self) -> bool {
        self.back == self.connections
    }
}

impl Report for Outcome {}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { transport, connections, back, outage, synced, .. } = self;
        writeln!(out, "storm over {transport:?}: {back} of {connections} back after their gateway was killed")?;
        writeln!(out, "  connected  {outage}")?;
        write!(out, "  synced     {synced}")
    }
}
