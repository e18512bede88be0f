//! Scenario `storm`: all sessions are cut at once, and come back, there or elsewhere, while others go on sending.
//!
//! Each of the survivors, who are not cut, writes to one of those who are: before the storm, so that there is something to compare
//! with, and through it, so that the books show what a message into the outage is worth.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use linnet_sdk::{Client, ConversationId, Event, Limits};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::reading::Reader;
use super::writing::{self, Promise, Writer};
use crate::measure::latency::Recorder;
use crate::measure::names::{count, timing};
use crate::plan;
use crate::plan::schedule::Load;
use crate::plan::span::Span;
use crate::plan::target::Target;
use crate::run::context::Context;
use crate::run::message::Milestone;

/// Messages a second that survivors write, where nothing is said.
const RATE: f64 = 200.0;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Storm {
    /// Connections that are cut, each of a user of its own.
    #[arg(long, default_value_t = 1000)]
    pub connections: usize,
    /// Users who are not cut, and write to those who are, with `--rate` messages a second in all (default 200).
    #[arg(long, default_value_t = 50)]
    pub survivors: usize,
    /// Where survivors connect, if not where all do: needed when their gateway would be killed with the others.
    #[arg(long, value_delimiter = ',')]
    pub survivor_address: Vec<String>,
    /// How long survivors write before the storm.
    #[arg(long, default_value = "5s")]
    pub calm: Span,
    /// Kills the gateway of this process id, instead of closing the connections from here.
    #[arg(long, conflicts_with = "restart_command")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill: Option<i32>,
    /// Runs this in a shell, where the run was started, instead of closing the connections from here: `systemctl restart linnet`.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_command: Option<String>,
    /// How long coming back may take.
    #[arg(long, default_value = "120s")]
    pub patience: Span,
    /// Bytes of text.
    #[arg(long, default_value_t = 200)]
    pub payload: usize,
}

impl Default for Storm {
    fn default() -> Self {
        Self {
            connections: 1000,
            survivors: 50,
            survivor_address: Vec::new(),
            calm: Span::seconds(5),
            kill: None,
            restart_command: None,
            patience: Span::seconds(120),
            payload: 200,
        }
    }
}

impl Storm {
    pub(super) fn users(&self) -> usize {
        self.connections + self.survivors
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self {
            connections: plan::share(self.connections, index, processes),
            survivors: plan::share(self.survivors, index, processes),
            ..self.clone()
        }
    }

    /// Whether the clients close their own connections.
    fn cuts_itself(&self) -> bool {
        self.kill.is_none() && self.restart_command.is_none()
    }

    /// Kills the gateway, or has it restarted, when all have had notice; returns at once. A failure shows as a storm from which nobody
    /// comes back, and is told on standard error.
    pub(super) fn strike(&self, notice: Duration) -> anyhow::Result<()> {
        if let Some(pid) = self.kill {
            let victim = Pid::from_raw(pid).filter(|_| pid > 1).context("--kill names no process")?;
            std::thread::spawn(move || {
                std::thread::sleep(notice);
                if let Err(error) = kill_process(victim, Signal::KILL) {
                    eprintln!("the gateway cannot be killed: {error}");
                }
            });
        }
        if let Some(command) = self.restart_command.clone() {
            std::thread::spawn(move || {
                std::thread::sleep(notice);
                match Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).status() {
                    Ok(status) if status.success() => {}
                    Ok(status) => eprintln!("the restart command failed: {status}"),
                    Err(error) => eprintln!("no shell to restart with: {error}"),
                }
            });
        }
        Ok(())
    }

    /// What survivors write in a time.
    fn load(load: &Load, duration: Duration) -> Load {
        Load { duration: Span(duration), ..load.clone() }
    }
}

/// Survivors write at a pace, as long as it takes.
pub(super) fn complete(storm: &Storm, load: &mut Load) -> anyhow::Result<()> {
    if storm.kill.is_some() && storm.restart_command.is_some() {
        bail!("a storm kills the gateway or has it restarted, and not both");
    }
    if !load.stages.is_empty() {
        bail!("a storm takes a rate, and no stages");
    }
    load.rate.get_or_insert(RATE);
    Ok(())
}

pub(super) async fn run(context: Arc<Context>, storm: Storm) -> anyhow::Result<()> {
    let limits = Limits { event_queue: 256, max_in_flight: 1000, max_pending: 2000, ..Limits::default() };
    let (survivors, cut) = context.users.split_at(storm.survivors.min(context.users.len()));
    let address =
        if storm.survivor_address.is_empty() { &context.plan.target.address } else { &storm.survivor_address };
    let elsewhere = Target { address: address.clone(), ..context.plan.target.clone() };
    let pens = context.connect_all(survivors, elsewhere.dialer(limits, context.authorities.as_deref())?).await?;
    let small = Limits { event_queue: 16, max_pending: 8, ..Limits::default() };
    let clients = context.connect_all(cut, context.dialer(small)?).await?;

    let mut writers = Vec::with_capacity(pens.len());
    for ((pen, survivor), user) in pens.into_iter().zip(survivors).zip(cut.iter().cycle()) {
        pen.ignore_events().await?;
        let conversation = ConversationId::between(survivor.id, user.id);
        writers.push(Arc::new(Writer::new(&context, pen, conversation, storm.payload, Promise::Durable)));
    }
    let tally = Arc::new(Tally::new(&context));
    let mut readers = Vec::with_capacity(clients.len());
    for (number, client) in clients.iter().enumerate() {
        let heard = writers.iter().skip(number).step_by(clients.len()).map(|writer| &writer.stream);
        let reader = Reader::new(&context, client.clone(), context.books.reader(heard));
        tokio::spawn(watch(Arc::clone(&tally), client.clone(), Arc::clone(&reader)));
        readers.push(reader);
    }
    context.reach(Milestone::Connected).await;
    let stop = context.stop.clone();
    let calm = Storm::load(&context.plan.load, storm.calm.0);
    writing::pace(&context, &writers, calm, move || *stop.borrow()).await?;
    if context.stopped() {
        // The server is left alone.
        context.reach(Milestone::Loaded).await;
        writing::settle(&context, &readers).await;
        return Ok(());
    }
    context.reach(Milestone::Strike).await;

    tally.begun.get_or_init(Instant::now);
    context.meters.count(count::CUT).fetch_add(clients.len() as u64, Ordering::Relaxed);
    let (over, stop) = (Arc::new(AtomicBool::new(false)), context.stop.clone());
    let writing = tokio::spawn({
        let (context, over) = (Arc::clone(&context), Arc::clone(&over));
        let load = Storm::load(&context.plan.load, storm.patience.0);
        let writers: Vec<Arc<Writer>> =
            writers.iter().map(|writer| Arc::new(writer.timed_as(timing::STORM_ACK))).collect();
        let done = move || *stop.borrow() || over.load(Ordering::Relaxed);
        async move { writing::pace(&context, &writers, load, done).await }
    });
    if storm.cuts_itself() {
        for client in &clients {
            client.cut().await?;
        }
    }
    let until = Instant::now() + storm.patience.0;
    while tally.back.load(Ordering::Relaxed) < clients.len() && Instant::now() < until && !context.stopped() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    over.store(true, Ordering::Relaxed);
    // Whoever ends the run early does not wait for those who are not back.
    let missing = if context.stopped() { 0 } else { clients.len().saturating_sub(tally.back.load(Ordering::Relaxed)) };
    context.meters.count(count::NOT_BACK).fetch_add(missing as u64, Ordering::Relaxed);
    writing.await??;
    context.reach(Milestone::Loaded).await;
    writing::settle(&context, &readers).await;
    Ok(())
}

/// What comes of the storm.
#[derive(Debug)]
struct Tally {
    begun: OnceLock<Instant>,
    /// Sessions that have everything again.
    back: AtomicUsize,
    outage: Arc<Recorder>,
    sync: Arc<Recorder>,
    all: Arc<Recorder>,
}

impl Tally {
    fn new(context: &Context) -> Self {
        let timing = |name| context.meters.timing(name);
        Self {
            begun: OnceLock::new(),
            back: AtomicUsize::new(0),
            outage: timing(timing::OUTAGE),
            sync: timing(timing::SYNC),
            all: timing(timing::BACK),
        }
    }

    fn note_back(&self, lost: Instant) {
        self.sync.record(lost.elapsed());
        self.all.record(self.begun.get().map_or(Duration::ZERO, Instant::elapsed));
        self.back.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes a client's events, and notes when it is back after the first loss of its connection.
async fn watch(tally: Arc<Tally>, client: Client, reader: Arc<Reader>) {
    let mut events = client.events();
    drop(client);
    let (mut lost, mut open, mut back) = (None, false, false);
    while let Some(event) = events.next().await {
        match (&event, lost) {
            (Event::Disconnected { .. }, None) => lost = Some(Instant::now()),
            (Event::Connected { resumed, .. }, Some(lost)) if !back => {
                if !open {
                    tally.outage.record(lost.elapsed());
                }
                open = true;
                // Who goes on with an earlier session is sent what was missed, and is not told when that is over.
                if *resumed {
                    back = true;
                    tally.note_back(lost);
                }
            }
            (Event::Synced, Some(lost)) if !back => {
                back = true;
                tally.note_back(lost);
            }
            _ => {}
        }
        reader.handle(event);
    }
}
