//! Scenario `connect`: opens connections at a given rate, holds them, and tells what they cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use linnet_sdk::{Client, Event, Limits};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::credentials::{self, User};
use crate::latency::{Latency, Summary};
use crate::process::{self, Sample};
use crate::report::{Cost, Report};
use crate::target::{Target, Way};

/// How long the server gets to put away what connecting left behind, before its memory is read.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Connections, each of a user of its own.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Connections begun a second; 0 means as fast as they are answered.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Logins under way at the same time, at most.
    #[arg(long, default_value_t = 64)]
    parallel: usize,
    /// Seconds that the connections are held.
    #[arg(long, default_value_t = 10)]
    hold: u64,
}

/// What the run tells.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    scenario: &'static str,
    transport: Way,
    connections: usize,
    connected: usize,
    failed: usize,
    /// Connections that broke while they were held.
    dropped: usize,
    /// The first failure, for people.
    failure: Option<String>,
    seconds: f64,
    connects_per_second: f64,
    /// From beginning to connect until logged in.
    login: Summary,
    hold_seconds: u64,
    /// What opening the connections cost the server.
    server_ramp: Option<Cost>,
    server_bytes_per_connection: Option<f64>,
    server_cpu_us_per_connection: Option<f64>,
    /// What holding them cost the server, as a share of one core.
    server_idle_cores: Option<f64>,
    /// What opening them cost this program.
    generator_ramp: Cost,
    generator_bytes_per_connection: f64,
}

#[derive(Debug)]
struct Shared {
    login: Latency,
    connected: AtomicUsize,
    dropped: AtomicUsize,
    failure: Mutex<Option<String>>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let Arguments { target, connections, rate, parallel, hold } = arguments;
    let users = credentials::read(&target.credentials, connections)?;
    let limits = Limits { event_queue: 8, max_pending: 8, ..Limits::default() };
    let mut dialer = target.dialer(limits)?;
    let shared = Arc::new(Shared {
        login: Latency::new(),
        connected: AtomicUsize::new(0),
        dropped: AtomicUsize::new(0),
        failure: Mutex::new(None),
    });
    let server = || target.server_pid.map(process::sample).transpose();
    let (server_before, own_before) = (server()?, process::sample(std::process::id())?);
    let start = Instant::now();
    let permits = Arc::new(Semaphore::new(parallel.max(1)));
    let mut holders = JoinSet::new();
    let mut logins = JoinSet::new();
    for (number, user) in users.into_iter().take(connections).enumerate() {
        if rate > 0.0 {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let options = dialer.options(&user);
        let login = Arc::clone(&shared);
        logins.spawn(async move {
            let client = log_in(&login, options, &user).await;
            drop(permit);
            client
        });
        while let Some(Ok(Some(client))) = logins.try_join_next() {
            holders.spawn(watch(Arc::clone(&shared), client));
        }
    }
    while let Some(joined) = logins.join_next().await {
        if let Some(client) = joined? {
            holders.spawn(watch(Arc::clone(&shared), client));
        }
    }
    let ramp = start.elapsed();
    tokio::time::sleep(SETTLE).await;
    let (server_up, own_up) = (server()?, process::sample(std::process::id())?);
    let held = Instant::now();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(hold)) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let hold_cost = cost(server_up, server()?);
    let connected = shared.connected.load(Ordering::Relaxed);
    let server_ramp = cost(server_before, server_up);
    let generator_ramp = Cost::between(own_before, own_up);
    let failure = shared.failure.lock().take();
    Ok(Outcome {
        scenario: "connect",
        transport: target.transport,
        connections,
        connected,
        failed: connections - connected,
        dropped: shared.dropped.load(Ordering::Relaxed),
        failure,
        seconds: ramp.as_secs_f64(),
        connects_per_second: connected as f64 / ramp.as_secs_f64(),
        login: shared.login.summary(),
        hold_seconds: hold,
        server_ramp,
        server_bytes_per_connection: server_ramp.map(|cost| cost.bytes_per(connected)),
        server_cpu_us_per_connection: server_ramp.map(|cost| cost.cpu_us_per(connected as u64)),
        server_idle_cores: hold_cost.map(|cost| cost.cpu_us as f64 / 1e6 / held.elapsed().as_secs_f64()),
        generator_bytes_per_connection: generator_ramp.bytes_per(connected),
        generator_ramp,
    })
}

fn cost(before: Option<Sample>, after: Option<Sample>) -> Option<Cost> {
    before.zip(after).map(|(before, after)| Cost::between(before, after))
}

async fn log_in(shared: &Shared, options: linnet_sdk::Options, user: &User) -> Option<Client> {
    let start = Instant::now();
    match Client::connect(options).await {
        Ok(client) => {
            shared.login.record(start.elapsed());
            shared.connected.fetch_add(1, Ordering::Relaxed);
            Some(client)
        }
        Err(error) => {
            shared.failure.lock().get_or_insert_with(|| format!("{user:?}: {error}"));
            None
        }
    }
}

/// Holds a connection and notices when it breaks.
async fn watch(shared: Arc<Shared>, client: Client) {
    let mut events = client.events();
    drop(client);
    while let Some(event) = events.next().await {
        if let Event::Disconnected { .. } | Event::Closed(_) = event {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Outcome {
    /// Whether every connection was made and held.
    pub(crate) fn kept(&self) -> bool {
        self.failed == 0 && self.dropped == 0
    }
}

impl Report for Outcome {}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            out,
            "connect over {:?}: {} of {} connected in {:.2} s = {:.0}/s; {} dropped within {} s",
            self.transport,
            self.connected,
            self.connections,
            self.seconds,
            self.connects_per_second,
            self.dropped,
            self.hold_seconds
        )?;
        if let Some(failure) = &self.failure {
            writeln!(out, "  {} failed, the first: {failure}", self.failed)?;
        }
        writeln!(out, "  login      {}", self.login)?;
        if let (Some(cost), Some(bytes), Some(cpu), Some(idle)) = (
            self.server_ramp,
            self.server_bytes_per_connection,
            self.server_cpu_us_per_connection,
            self.server_idle_cores,
        ) {
            writeln!(out, "  server     {cost}")?;
            writeln!(out, "             {bytes:.0} bytes and {cpu:.0} us per connection; idle {idle:.4} cores")?;
        }
        write!(
            out,
            "  generator  {}; {:.0} bytes per connection",
            self.generator_ramp, self.generator_bytes_per_connection
        )
    }
}
