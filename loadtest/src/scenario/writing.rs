//! What one user writes into one conversation: sends it, keeps the books, takes the times. And how the plan's load is handed out to
//! those who write, or do something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use linnet_sdk::{Client, ConversationId, Limits, Outgoing, content};
use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::reading::Reader;
use crate::measure::latency::Recorder;
use crate::measure::ledger::Stream;
use crate::measure::mark::Mark;
use crate::measure::names::{count, timing};
use crate::plan::schedule::{self, Due, Load};
use crate::run::context::Context;
use crate::run::message::Milestone;

/// Somebody who does something whenever it is due.
pub(crate) trait Act: Send + Sync + 'static {
    /// Does one thing, and ends when it is done.
    fn act(&self, intended: Instant) -> impl Future<Output = ()> + Send;
}

/// How long a message that nobody acknowledges is waited for before the next one is sent.
const LOST: Duration = Duration::from_secs(1);

/// What a message is worth to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It is stored, then acknowledged, and reaches every reader.
    Durable,
    /// It is passed on to whoever is connected, then acknowledged.
    OnlineOnly,
    /// It is passed on, and nobody says so.
    BestEffort,
}

/// One user's pen.
#[derive(Debug)]
pub(crate) struct Writer {
    context: Arc<Context>,
    client: RwLock<Client>,
    pub(crate) stream: Arc<Stream>,
    /// Held from a message's number to its place in line: else two of them could change places here, and the books blame the server.
    turn: Arc<tokio::sync::Mutex<()>>,
    payload: usize,
    promise: Promise,
    ack: Arc<Recorder>,
    sent: Arc<AtomicU64>,
    acked: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Writer {
    /// Writes texts of `payload` bytes. Its client's events must be taken or ignored elsewhere.
    pub(crate) fn new(
        context: &Arc<Context>,
        client: Client,
        conversation: ConversationId,
        payload: usize,
        promise: Promise,
    ) -> Self {
        let meters = &context.meters;
        Self {
            stream: context.books.stream(conversation, promise == Promise::Durable),
            turn: Arc::default(),
            client: RwLock::new(client),
            payload,
            promise,
            ack: meters.timing(timing::ACK),
            sent: meters.count(count::SENT),
            acked: meters.count(count::ACKED),
            refused: meters.count(count::REFUSED),
            context: Arc::clone(context),
        }
    }

    /// The same pen, whose acks are timed under another name.
    pub(crate) fn timed_as(&self, name: &str) -> Self {
        Self {
            context: Arc::clone(&self.context),
            client: RwLock::new(self.client.read().clone()),
            stream: Arc::clone(&self.stream),
            turn: Arc::clone(&self.turn),
            ack: self.context.meters.timing(name),
            sent: Arc::clone(&self.sent),
            acked: Arc::clone(&self.acked),
            refused: Arc::clone(&self.refused),
            ..*self
        }
    }

    /// The user has logged in anew.
    pub(crate) fn replace(&self, client: Client) {
        *self.client.write() = client;
    }

    /// Sends one message and waits until it is acknowledged or refused.
    pub(crate) async fn send(&self, intended: Instant) {
        let context = &self.context;
        let turn = self.turn.lock().await;
        let number = self.stream.send();
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mark = Mark { run: context.run, stream: self.stream.id, number, nanos: context.nanos(intended) };
        let (conversation, content) = (self.stream.conversation, content::text(mark.text(self.payload)));
        let client = self.client.read().clone();
        if self.promise == Promise::BestEffort {
            let handed_in = client.send_and_forget(conversation, content).await;
            drop(turn);
            return self.await_arrival(number, handed_in).await;
        }
        let online_only = self.promise == Promise::OnlineOnly;
        let outgoing = Outgoing { conversation, content, client_msg_id: String::new(), online_only };
        let submitted = client.submit(outgoing).await;
        drop(turn);
        let acked = match submitted {
            Ok(pending) => pending.acknowledged().await,
            Err(error) => Err(error),
        };
        match acked {
            Ok(sent) => {
                self.ack.record(intended.elapsed());
                self.stream.ack(number, sent.seq);
                self.acked.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                context.meters.error(&error);
                self.refused.fetch_add(1, Ordering::Relaxed);
                if error.is_definite() {
                    self.stream.refuse(number);
                }
            }
        }
    }
}

impl Writer {
    /// Enters a message that nobody acknowledges. As fast as they go, the next one is sent when one has arrived.
    async fn await_arrival(&self, number: u64, handed_in: linnet_sdk::Result<()>) {
        if let Err(error) = handed_in {
            self.context.meters.error(&error);
            return self.stream.refuse(number);
        }
        self.stream.ack(number, 0);
        if !self.context.plan.load.is_open()
            && let Ok(Ok(landed)) = tokio::time::timeout(LOST, self.stream.landed.acquire()).await
        {
            landed.forget();
        }
    }
}

impl Act for Writer {
    async fn act(&self, intended: Instant) {
        self.send(intended).await;
    }
}

/// Room for as many messages under way as the load allows, and for readers who fall behind for a moment.
pub(crate) fn limits(context: &Context) -> Limits {
    let window = context.plan.load.window();
    Limits { event_queue: 1024, max_in_flight: window, max_pending: 2 * window, ..Limits::default() }
}

/// Does what is due, as it comes, with at most `window` things under way.
async fn on_schedule<A: Act>(actor: Arc<A>, mut due: mpsc::Receiver<Due>, window: usize, lag: Arc<Recorder>) {
    let mut under_way = FuturesUnordered::new();
    let mut open = true;
    while open || !under_way.is_empty() {
        tokio::select! {
            biased;
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            next = due.recv(), if open && under_way.len() < window => match next {
                Some(Due { intended }) => {
                    lag.record(Instant::now().saturating_duration_since(intended));
                    under_way.push(actor.act(intended));
                }
                None => open = false,
            },
        }
    }
}

/// Has all of them act as the plan's load says, until it is over and everything begun has ended.
pub(crate) async fn write<A: Act>(context: &Arc<Context>, actors: &[Arc<A>]) -> anyhow::Result<()> {
    let load = context.plan.load.clone();
    if load.is_open() {
        let stop = context.stop.clone();
        return pace(context, actors, load, move || *stop.borrow()).await;
    }
    let mut tasks = JoinSet::new();
    let until = Instant::now() + load.length();
    for actor in actors {
        for _ in 0..load.window() {
            let (context, actor) = (Arc::clone(context), Arc::clone(actor));
            tasks.spawn(async move {
                let mut now = Instant::now();
                while now < until && !context.stopped() {
                    actor.act(now).await;
                    now = Instant::now();
                }
            });
        }
    }
    context.sleep(load.length()).await;
    finish(tasks, context.plan.load.grace.0).await;
    Ok(())
}

/// Has them act in turn whenever an open load makes something due, until that is over or `stopped`, and everything begun has ended.
pub(crate) async fn pace<A: Act>(
    context: &Arc<Context>,
    actors: &[Arc<A>],
    load: Load,
    stopped: impl Fn() -> bool + Send + 'static,
) -> anyhow::Result<()> {
    let window = load.window();
    let lag = context.meters.timing(timing::LAG);
    let mut tasks = JoinSet::new();
    let mut queues = Vec::with_capacity(actors.len());
    for actor in actors {
        let (queue, due) = mpsc::channel(window);
        queues.push(queue);
        tasks.spawn(on_schedule(Arc::clone(actor), due, window, Arc::clone(&lag)));
    }
    let start = Instant::now();
    let pacer = tokio::task::spawn_blocking(move || schedule::pace(&queues, &load, start, stopped));
    let dropped = pacer.await?;
    context.meters.count(count::NOT_SENT).fetch_add(dropped, Ordering::Relaxed);
    finish(tasks, context.plan.load.grace.0).await;
    Ok(())
}

/// Waits until everything begun has ended, for a while.
async fn finish(mut tasks: JoinSet<()>, grace: Duration) {
    let all = async { while tasks.join_next().await.is_some() {} };
    // Whoever is still waiting then is counted as unknown.
    let _ = tokio::time::timeout(grace, all).await;
}

/// The course of a run once everybody is logged in: the load, then what it owes its readers.
pub(crate) async fn conduct<A: Act>(
    context: &Arc<Context>,
    actors: &[Arc<A>],
    readers: &[Arc<Reader>],
) -> anyhow::Result<()> {
    conduct_until(context, actors, readers, || {}).await
}

/// As [`conduct`], and tells when the load is over.
pub(crate) async fn conduct_until<A: Act>(
    context: &Arc<Context>,
    actors: &[Arc<A>],
    readers: &[Arc<Reader>],
    over: impl FnOnce(),
) -> anyhow::Result<()> {
    context.reach(Milestone::Connected).await;
    write(context, actors).await?;
    context.reach(Milestone::Loaded).await;
    over();
    settle(context, readers).await;
    Ok(())
}

/// Waits until readers have what they are owed.
pub(crate) async fn settle(context: &Context, readers: &[Arc<Reader>]) {
    if !context.books.settled() {
        for reader in readers {
            reader.wake().await;
        }
    }
    context.settle().await;
    context.reach(Milestone::Settled).await;
}
