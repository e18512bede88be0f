//! Scenario `peer`: durable messages from one user of each pair to the other, every one accounted for.
//!
//! Open model (`--rate`): messages are due at fixed times and latency counts from then, so that a stall shows in every message that
//! it delays. Closed model (no `--rate`): each pair keeps `--in-flight` messages under way, which finds the highest throughput.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use linnet_sdk::{Client, ConversationId, Event, Limits, Outgoing, Range, content};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::credentials;
use crate::latency::{Latency, Summary};
use crate::ledger::{Ledger, Verdict};
use crate::pacer::{self, Due};
use crate::process;
use crate::report::{Cost, Report};
use crate::target::{Dialer, Target, Way};

/// How long the last acks may take after the last message was sent, and how long what was acknowledged may take to arrive:
/// enough to notice a dead connection and make a new one.
const GRACE: Duration = Duration::from_secs(40);
/// A generator this late on its own schedule measures itself.
const LATE_US: u64 = 5_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Pairs of users: one sends, the other receives.
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// Messages a second in all (open model). Without it, as many as go (closed model).
    #[arg(long)]
    rate: Option<f64>,
    /// Messages under way per pair: what the closed model keeps up, and what the open model may at most reach.
    #[arg(long)]
    in_flight: Option<usize>,
    /// Seconds of sending.
    #[arg(long, default_value_t = 10)]
    duration: u64,
    /// Bytes of text.
    #[arg(long, default_value_t = 200)]
    payload: usize,
}

/// What the run tells.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    scenario: &'static str,
    /// `open` or `closed`.
    model: &'static str,
    transport: Way,
    pairs: usize,
    in_flight: usize,
    payload: usize,
    offered_per_second: Option<f64>,
    seconds: f64,
    acked_per_second: f64,
    ledger: Verdict,
    /// Due messages that found their pair's window full (open model).
    not_sent: u64,
    /// The first definite error, for people.
    refusal: Option<String>,
    /// Until the sender knew the message to be durable; open model: from the time it was due.
    ack: Summary,
    /// Until the receiver had it; open model: from the time it was due.
    delivery: Summary,
    /// How late the generator was on its own schedule (open model).
    lag: Summary,
    /// The generator could not keep its schedule: the latencies are its own.
    saturated: bool,
    server: Option<Cost>,
    server_cpu_us_per_message: Option<f64>,
    generator: Cost,
    generator_cpu_us_per_message: f64,
}

/// What the tasks of a run share.
#[derive(Debug)]
struct Run {
    /// Tells this run's messages from those of earlier ones.
    id: u64,
    start: Instant,
    payload: usize,
    ack: Latency,
    delivery: Latency,
    lag: Latency,
    /// When the last ack came, microseconds from the start.
    last_ack: AtomicU64,
    refusal: Mutex<Option<String>>,
}

impl Run {
    /// What an entry says about itself, if it is of this run.
    fn mark(&self, entry: &content::Entry) -> Option<Mark> {
        content::text_of(entry).and_then(Mark::parse).filter(|mark| mark.run == self.id)
    }
}

/// One pair.
#[derive(Debug)]
struct Pair {
    sender: Client,
    receiver: Client,
    conversation: ConversationId,
    ledger: Mutex<Ledger>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let Arguments { target, pairs, rate, in_flight, duration, payload } = arguments;
    let in_flight = in_flight.unwrap_or_else(|| if rate.is_some() { 1000 } else { 32 }).max(1);
    let limits =
        Limits { event_queue: 1024, max_in_flight: in_flight, max_pending: 2 * in_flight, ..Limits::default() };
    let dialer = target.dialer(limits)?;
    let clients = connect(&target, dialer, pairs).await?;
    let run = Arc::new(Run {
        id: u64::from(std::process::id()),
        start: Instant::now(),
        payload,
        ack: Latency::new(),
        delivery: Latency::new(),
        lag: Latency::new(),
        last_ack: AtomicU64::new(0),
        refusal: Mutex::new(None),
    });
    let mut receivers = JoinSet::new();
    let pairs: Vec<Arc<Pair>> = clients
        .into_iter()
        .map(|(sender, receiver, conversation)| {
            let pair = Arc::new(Pair { sender, receiver: receiver.clone(), conversation, ledger: Mutex::default() });
            receivers.spawn(receive(Arc::clone(&run), Arc::clone(&pair), receiver));
            pair
        })
        .collect();
    let server = || target.server_pid.map(process::sample).transpose();
    let (server_before, own_before) = (server()?, process::sample(std::process::id())?);
    let duration = Duration::from_secs(duration);
    let not_sent = match rate {
        Some(rate) => send_open(&run, &pairs, rate, duration, in_flight).await?,
        None => {
            send_closed(&run, &pairs, duration, in_flight).await;
            0
        }
    };
    let (server_after, own_after) = (server()?, process::sample(std::process::id())?);
    settle(&pairs).await;
    let mut ledger = Verdict::default();
    for pair in &pairs {
        ledger.add(pair.ledger.lock().verdict());
    }
    let seconds = Duration::from_micros(run.last_ack.load(Ordering::Relaxed)).as_secs_f64().max(f64::EPSILON);
    let server = server_before.zip(server_after).map(|(before, after)| Cost::between(before, after));
    let generator = Cost::between(own_before, own_after);
    let refusal = run.refusal.lock().take();
    let lag = run.lag.summary();
    Ok(Outcome {
        scenario: "peer",
        model: if rate.is_some() { "open" } else { "closed" },
        transport: target.transport,
        pairs: pairs.len(),
        in_flight,
        payload,
        offered_per_second: rate,
        seconds,
        acked_per_second: ledger.acked as f64 / seconds,
        ledger,
        not_sent,
        refusal,
        ack: run.ack.summary(),
        delivery: run.delivery.summary(),
        lag,
        saturated: lag.p99_us > LATE_US || not_sent > 0,
        server,
        server_cpu_us_per_message: server.map(|cost| cost.cpu_us_per(ledger.acked)),
        generator_cpu_us_per_message: generator.cpu_us_per(ledger.acked),
        generator,
    })
}

/// Logs everybody in and waits until they are synchronised, so that only this run's messages follow.
async fn connect(
    target: &Target,
    mut dialer: Dialer,
    pairs: usize,
) -> anyhow::Result<Vec<(Client, Client, ConversationId)>> {
    let users = credentials::read(&target.credentials, 2 * pairs)?;
    let permits = Arc::new(Semaphore::new(64));
    let mut logins = Vec::new();
    for two in users.chunks_exact(2).take(pairs) {
        let (one, other) = (dialer.options(&two[0]), dialer.options(&two[1]));
        let conversation = ConversationId::between(two[0].id, two[1].id);
        let permits = Arc::clone(&permits);
        logins.push(tokio::spawn(async move {
            let _permit = permits.acquire_owned().await?;
            let sender = Client::connect(one).await.context("a sender cannot log in")?;
            sender.ignore_events().await?;
            let receiver = Client::connect(other).await.context("a receiver cannot log in")?;
            let mut events = receiver.events();
            while let Some(event) = events.next().await {
                if event == Event::Synced {
                    break;
                }
            }
            anyhow::Ok((sender, receiver, conversation))
        }));
    }
    let mut clients = Vec::with_capacity(pairs);
    for login in logins {
        clients.push(login.await??);
    }
    Ok(clients)
}

/// Enters what arrives into the books.
async fn receive(run: Arc<Run>, pair: Arc<Pair>, receiver: Client) {
    let mut events = receiver.events();
    while let Some(event) = events.next().await {
        let now = Instant::now();
        match event {
            Event::Entry(new) if new.conversation == pair.conversation => {
                if let Some(mark) = run.mark(&new.entry) {
                    pair.ledger.lock().arrive(mark.number, new.entry.seq);
                    run.delivery.record(now.saturating_duration_since(run.start + Duration::from_nanos(mark.nanos)));
                }
            }
            Event::Gap { conversation, from_seq, to_seq } if conversation == pair.conversation => {
                pair.ledger.lock().skip(from_seq, to_seq);
                // In a task of its own, because answers wait behind events that nobody takes.
                tokio::spawn(read_back(Arc::clone(&run), Arc::clone(&pair), receiver.clone(), from_seq, to_seq));
            }
            _ => {}
        }
    }
}

/// Reads an announced gap back from history. Until that succeeds its messages count as lost.
async fn read_back(run: Arc<Run>, pair: Arc<Pair>, receiver: Client, mut from: u64, to: u64) {
    while from <= to {
        let page = match receiver.history(pair.conversation, Range::Forward(from), 200).await {
            Ok(page) => page,
            Err(error) if error.is_definite() => return,
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let Some(last) = page.entries.last().map(|entry| entry.seq) else { return };
        for entry in page.entries.iter().filter(|entry| entry.seq <= to) {
            if let Some(mark) = run.mark(entry) {
                pair.ledger.lock().read_back(mark.number, entry.seq);
            }
        }
        from = last + 1;
    }
}

/// Sends one message and waits for its ack.
async fn send(run: &Run, pair: &Pair, intended: Instant) {
    let number = pair.ledger.lock().send();
    let nanos = u64::try_from(intended.saturating_duration_since(run.start).as_nanos()).unwrap_or(u64::MAX);
    let text = Mark { run: run.id, number, nanos }.text(run.payload);
    let outgoing = Outgoing {
        conversation: pair.conversation,
        content: content::text(text),
        client_msg_id: String::new(),
        online_only: false,
    };
    let acked = match pair.sender.submit(outgoing).await {
        Ok(pending) => pending.acknowledged().await,
        Err(error) => Err(error),
    };
    let now = Instant::now();
    match acked {
        Ok(sent) => {
            run.ack.record(now.saturating_duration_since(intended));
            pair.ledger.lock().ack(number, sent.seq);
            let at = u64::try_from(now.saturating_duration_since(run.start).as_micros()).unwrap_or(u64::MAX);
            run.last_ack.fetch_max(at, Ordering::Relaxed);
        }
        Err(error) => {
            run.refusal.lock().get_or_insert_with(|| error.to_string());
            if error.is_definite() {
                pair.ledger.lock().refuse(number);
            }
        }
    }
}

/// Keeps `in_flight` messages per pair under way.
async fn send_closed(run: &Arc<Run>, pairs: &[Arc<Pair>], duration: Duration, in_flight: usize) {
    let (stop, stopped) = watch::channel(false);
    let mut senders = JoinSet::new();
    for pair in pairs {
        for _ in 0..in_flight {
            let (run, pair, stopped) = (Arc::clone(run), Arc::clone(pair), stopped.clone());
            senders.spawn(async move {
                while !*stopped.borrow() {
                    send(&run, &pair, Instant::now()).await;
                }
            });
        }
    }
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    // The tasks hold receivers of their own, so this cannot fail before they end.
    let _ = stop.send(true);
    finish(senders).await;
}

/// Sends on schedule; returns how many due messages found no room.
async fn send_open(
    run: &Arc<Run>,
    pairs: &[Arc<Pair>],
    rate: f64,
    duration: Duration,
    in_flight: usize,
) -> anyhow::Result<u64> {
    let mut queues = Vec::with_capacity(pairs.len());
    let mut senders = JoinSet::new();
    for pair in pairs {
        let (queue, mut due) = mpsc::channel::<Due>(in_flight);
        queues.push(queue);
        let (run, pair) = (Arc::clone(run), Arc::clone(pair));
        let window = Arc::new(Semaphore::new(in_flight));
        senders.spawn(async move {
            let mut sends = JoinSet::new();
            while let Some(Due { intended }) = due.recv().await {
                run.lag.record(Instant::now().saturating_duration_since(intended));
                let Ok(permit) = Arc::clone(&window).acquire_owned().await else { break };
                let (run, pair) = (Arc::clone(&run), Arc::clone(&pair));
                sends.spawn(async move {
                    send(&run, &pair, intended).await;
                    drop(permit);
                });
                while sends.try_join_next().is_some() {}
            }
            finish(sends).await;
        });
    }
    let start = run.start.max(Instant::now());
    let pacer = tokio::task::spawn_blocking(move || pacer::pace(&queues, rate, start, duration));
    let dropped = pacer.await?;
    finish(senders).await;
    Ok(dropped)
}

/// Waits for the last acks, but not for ever: what is still open then is unknown.
async fn finish(mut tasks: JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    // Whoever is still waiting then is counted as unknown.
    let _ = tokio::time::timeout(GRACE, all).await;
}

/// Waits until everything acknowledged has arrived, or the grace is over.
async fn settle(pairs: &[Arc<Pair>]) {
    let until = Instant::now() + GRACE;
    for pair in pairs.iter().filter(|pair| !pair.ledger.lock().settled()) {
        // A receiver only listens, so it notices a server that died without a word at its next heartbeat, minutes later.
        // Fails only when the client is closed, which the books will show.
        let _ = pair.receiver.wake().await;
    }
    while Instant::now() < until && !pairs.iter().all(|pair| pair.ledger.lock().settled()) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A repeat would come right behind.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// What a message says about itself: `run number nanos`, and then filling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    run: u64,
    number: u64,
    /// When it was meant to be sent, from the run's start.
    nanos: u64,
}

impl Mark {
    fn text(self, length: usize) -> String {
        let Self { run, number, nanos } = self;
        let mut text = format!("{run} {number} {nanos} ");
        text.extend(std::iter::repeat_n('.', length.saturating_sub(text.len())));
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(4, ' ').map(str::parse::<u64>);
        Some(Self { run: fields.next()?.ok()?, number: fields.next()?.ok()?, nanos: fields.next()?.ok()? })
    }
}

impl Outcome {
    /// Whether every message is accounted for as promised.
    pub(crate) fn kept(&self) -> bool {
        self.ledger.kept() && self.ledger.acked > 0
    }
}

impl Report for Outcome {}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Verdict { sent, acked, received, refused, unknown, lost, duplicated, reordered, holes, announced, wrong } =
            self.ledger;
        let offered = self.offered_per_second.map_or_else(String::new, |rate| format!(" of {rate:.0}/s offered"));
        writeln!(
            out,
            "peer over {:?}, {} model: {} pairs, {} bytes, {:.2} s; {:.0} durable messages/s{offered}",
            self.transport, self.model, self.pairs, self.payload, self.seconds, self.acked_per_second
        )?;
        writeln!(out, "  ack        {}", self.ack)?;
        writeln!(out, "  delivery   {}", self.delivery)?;
        if self.model == "open" {
            writeln!(out, "  lag        {}", self.lag)?;
        }
        if self.saturated {
            writeln!(out, "  SATURATED: the generator was late or {} messages found no room", self.not_sent)?;
        }
        writeln!(
            out,
            "  ledger     {sent} sent, {acked} acked, {received} received, {refused} refused, {unknown} unknown"
        )?;
        writeln!(
            out,
            "             {lost} lost, {duplicated} duplicated, {reordered} reordered, {holes} holes, {wrong} wrong; {announced} read back from history"
        )?;
        if let Some(refusal) = &self.refusal {
            writeln!(out, "  first error: {refusal}")?;
        }
        if let (Some(cost), Some(cpu)) = (self.server, self.server_cpu_us_per_message) {
            writeln!(out, "  server     {cost}; {cpu:.1} us per message")?;
        }
        write!(out, "  generator  {}; {:.1} us per message", self.generator, self.generator_cpu_us_per_message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_text() {
        let mark = Mark { run: 7, number: 123, nanos: 9_000_000_001 };
        for length in [0, 40, 200] {
            let text = mark.text(length);
            assert!(text.len() >= length);
            assert_eq!(Mark::parse(&text), Some(mark));
        }
        assert_eq!(Mark::parse("hello there, old friend"), None);
    }
}
