//! Scenario `fanout`: one member of a group writes, all others are told, at however many gateways they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use linnet_sdk::{Client, ConversationId, Event, Limits, NewGroup, Outgoing, content};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::credentials::{self, User};
use crate::latency::{Latency, Summary};
use crate::report::Report;
use crate::target::{Target, Way};

/// How long the last deliveries may take.
const GRACE: Duration = Duration::from_secs(40);
/// Users that one request adds to a group.
const MEMBERS_PER_REQUEST: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Members of the group, the one who writes included.
    #[arg(long, default_value_t = 900)]
    members: usize,
    /// Messages to write.
    #[arg(long, default_value_t = 200)]
    messages: u32,
    /// Messages under way at a time.
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
}

/// What the run tells.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    scenario: &'static str,
    transport: Way,
    members: usize,
    messages: u32,
    delivered: u64,
    /// Deliveries that never came.
    missing: u64,
    /// From the first message to the last delivery.
    seconds: f64,
    deliveries_per_second: f64,
    ack: Summary,
    /// From sending until a member had it.
    delivery: Summary,
}

#[derive(Debug)]
struct Run {
    group: ConversationId,
    start: Instant,
    /// When each message was sent, by its number.
    sent: Mutex<Vec<Instant>>,
    delivery: Latency,
    ack: Latency,
    delivered: AtomicU64,
    last_delivery_us: AtomicU64,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let Arguments { target, members, messages, in_flight } = arguments;
    let users = credentials::read(&target.credentials, members)?;
    let mut dialer = target.dialer(Limits { event_queue: 1024, ..Limits::default() })?;
    let writer = Client::connect(dialer.options(&users[0])).await.context("the writer cannot log in")?;
    writer.ignore_events().await?;
    let group = make_group(&writer, &users[1..members]).await.context("no group")?;
    let run = Arc::new(Run {
        group,
        start: Instant::now(),
        sent: Mutex::default(),
        delivery: Latency::new(),
        ack: Latency::new(),
        delivered: AtomicU64::new(0),
        last_delivery_us: AtomicU64::new(0),
    });
    let permits = Arc::new(Semaphore::new(64));
    let mut logins = JoinSet::new();
    for user in &users[1..members] {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let options = dialer.options(user);
        logins.spawn(async move {
            let client = Client::connect(options).await.context("a member cannot log in")?;
            let mut events = client.events();
            while let Some(event) = events.next().await {
                if event == Event::Synced {
                    break;
                }
            }
            drop(permit);
            anyhow::Ok(client)
        });
    }
    let mut listeners = JoinSet::new();
    while let Some(client) = logins.join_next().await {
        listeners.spawn(listen(Arc::clone(&run), client??));
    }
    let begun = Instant::now();
    let window = Arc::new(Semaphore::new(in_flight.max(1)));
    let mut sends = JoinSet::new();
    for number in 0..messages {
        let permit = Arc::clone(&window).acquire_owned().await?;
        run.sent.lock().push(Instant::now());
        let content = content::text(number.to_string());
        let pending =
            writer.submit(Outgoing { conversation: group, content, client_msg_id: String::new(), online_only: false });
        let (pending, sent, run) = (pending.await?, Instant::now(), Arc::clone(&run));
        sends.spawn(async move {
            let acked = pending.acknowledged().await;
            run.ack.record(sent.elapsed());
            drop(permit);
            acked.map(drop)
        });
    }
    while let Some(sent) = sends.join_next().await {
        sent?.context("a message was not acknowledged")?;
    }
    let due = (members as u64 - 1) * u64::from(messages);
    let until = Instant::now() + GRACE;
    while run.delivered.load(Ordering::Relaxed) < due && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let delivered = run.delivered.load(Ordering::Relaxed);
    let last = run.start + Duration::from_micros(run.last_delivery_us.load(Ordering::Relaxed));
    let seconds = last.saturating_duration_since(begun).as_secs_f64().max(f64::EPSILON);
    Ok(Outcome {
        scenario: "fanout",
        transport: target.transport,
        members,
        messages,
        delivered,
        missing: due.saturating_sub(delivered),
        seconds,
        deliveries_per_second: delivered as f64 / seconds,
        ack: run.ack.summary(),
        delivery: run.delivery.summary(),
    })
}

async fn make_group(writer: &Client, others: &[User]) -> linnet_sdk::Result<ConversationId> {
    let ids: Vec<u64> = others.iter().map(|user| user.id).collect();
    let (first, rest) = ids.split_at(ids.len().min(MEMBERS_PER_REQUEST));
    let group =
        writer.create_group(NewGroup { name: "fanout".into(), members: first.to_vec(), ..Default::default() }).await?;
    for members in rest.chunks(MEMBERS_PER_REQUEST) {
        writer.add_members(group.id, members).await?;
    }
    Ok(group.conversation())
}

/// Notes when each message comes.
async fn listen(run: Arc<Run>, client: Client) {
    let mut events = client.events();
    while let Some(event) = events.next().await {
        let Event::Entry(new) = event else { continue };
        let number = content::text_of(&new.entry).and_then(|text| text.parse::<usize>().ok());
        let Some(number) = number.filter(|_| new.conversation == run.group) else { continue };
        let now = Instant::now();
        if let Some(sent) = run.sent.lock().get(number).copied() {
            run.delivery.record(now.saturating_duration_since(sent));
        }
        run.delivered.fetch_add(1, Ordering::Relaxed);
        let at = u64::try_from(now.saturating_duration_since(run.start).as_micros()).unwrap_or(u64::MAX);
        run.last_delivery_us.fetch_max(at, Ordering::Relaxed);
    }
}

impl Outcome {
    /// Whether everybody was told everything.
    pub(crate) fn kept(&self) -> bool {
        self.missing == 0
    }
}

impl Report for Outcome {}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            transport,
            members,
            messages,
            delivered,
            missing,
            seconds,
            deliveries_per_second,
            ack,
            delivery,
            ..
        } = self;
        writeln!(
            out,
            "fanout over {transport:?}: {messages} messages to {members} members, {delivered} deliveries in {seconds:.2} s = {deliveries_per_second:.0}/s, {missing} missing"
        )?;
        writeln!(out, "  ack        {ack}")?;
        write!(out, "  delivery   {delivery}")
    }
}
