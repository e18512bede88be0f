//! What one user writes into one conversation: sends it, keeps the books, takes the times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use linnet_sdk::{Client, ConversationId, Outgoing, content};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::measure::latency::Recorder;
use crate::measure::ledger::Stream;
use crate::measure::mark::Mark;
use crate::measure::names::{count, timing};
use crate::plan::schedule::{self, Due};
use crate::run::context::{Context, GRACE};

/// One user's pen.
#[derive(Debug)]
pub(crate) struct Writer {
    context: Arc<Context>,
    client: Client,
    pub(crate) stream: Arc<Stream>,
    payload: usize,
    online_only: bool,
    ack: Arc<Recorder>,
    lag: Arc<Recorder>,
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
        online_only: bool,
    ) -> Self {
        let meters = &context.meters;
        Self {
            stream: context.books.stream(conversation, !online_only),
            client,
            payload,
            online_only,
            ack: meters.timing(timing::ACK),
            lag: meters.timing(timing::LAG),
            sent: meters.count(count::SENT),
            acked: meters.count(count::ACKED),
            refused: meters.count(count::REFUSED),
            context: Arc::clone(context),
        }
    }

    /// Sends one message and waits until it is acknowledged or refused.
    pub(crate) async fn send(&self, intended: Instant) {
        let number = self.stream.send();
        self.sent.fetch_add(1, Ordering::Relaxed);
        let context = &self.context;
        let mark = Mark { run: context.run, stream: self.stream.id, number, nanos: context.nanos(intended) };
        let outgoing = Outgoing {
            conversation: self.stream.conversation,
            content: content::text(mark.text(self.payload)),
            client_msg_id: String::new(),
            online_only: self.online_only,
        };
        let acked = match self.client.submit(outgoing).await {
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

    /// Sends what is due, as it comes, with at most `window` messages under way.
    async fn on_schedule(self: Arc<Self>, mut due: mpsc::Receiver<Due>, window: usize) {
        let mut under_way = FuturesUnordered::new();
        let mut open = true;
        while open || !under_way.is_empty() {
            tokio::select! {
                biased;
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                next = due.recv(), if open && under_way.len() < window => match next {
                    Some(Due { intended }) => {
                        self.lag.record(Instant::now().saturating_duration_since(intended));
                        under_way.push(self.send(intended));
                    }
                    None => open = false,
                },
            }
        }
    }
}

/// Has all of them write as the plan's load says, until it is over and the last acks have come.
pub(crate) async fn write(context: &Arc<Context>, writers: &[Arc<Writer>]) -> anyhow::Result<()> {
    let load = context.plan.load.clone();
    let window = load.window();
    let mut tasks = JoinSet::new();
    if load.is_open() {
        let mut queues = Vec::with_capacity(writers.len());
        for writer in writers {
            let (queue, due) = mpsc::channel(window);
            queues.push(queue);
            tasks.spawn(Arc::clone(writer).on_schedule(due, window));
        }
        let stop = context.stop.clone();
        let start = Instant::now();
        let pacer = tokio::task::spawn_blocking(move || schedule::pace(&queues, &load, start, || *stop.borrow()));
        let dropped = pacer.await?;
        context.meters.count(count::NOT_SENT).fetch_add(dropped, Ordering::Relaxed);
    } else {
        let until = Instant::now() + load.length();
        for writer in writers {
            for _ in 0..window {
                let (context, writer) = (Arc::clone(context), Arc::clone(writer));
                tasks.spawn(async move {
                    let mut now = Instant::now();
                    while now < until && !context.stopped() {
                        writer.send(now).await;
                        now = Instant::now();
                    }
                });
            }
        }
        context.sleep(load.length()).await;
    }
    let all = async { while tasks.join_next().await.is_some() {} };
    // Whoever is still waiting then is counted as unknown.
    let _ = tokio::time::timeout(GRACE, all).await;
    Ok(())
}
