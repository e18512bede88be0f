//! What one client hears: enters it into the books, takes the times, reads back what was skipped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linnet_sdk::{Client, ConversationId, Event, Range, content};
use parking_lot::RwLock;

use super::link::Link;
use crate::measure::latency::Recorder;
use crate::measure::ledger::{self, Arrival};
use crate::measure::mark::Mark;
use crate::measure::names::{count, timing};
use crate::run::context::Context;

/// What a reader's times are entered as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    /// Each arrival.
    pub(crate) delivery: &'static str,
    /// Whether the arrival at the last of all readers is timed too.
    pub(crate) room: bool,
}

impl Default for Timed {
    fn default() -> Self {
        Self { delivery: timing::DELIVERY, room: false }
    }
}

/// One client's eyes.
#[derive(Debug)]
pub(crate) struct Reader {
    context: Arc<Context>,
    client: RwLock<Client>,
    pub(crate) book: Arc<ledger::Reader>,
    link: Link,
    delivery: Arc<Recorder>,
    room: Option<Arc<Recorder>>,
    received: Arc<AtomicU64>,
    hints: Arc<AtomicU64>,
}

impl Reader {
    pub(crate) fn new(context: &Arc<Context>, client: Client, book: Arc<ledger::Reader>) -> Arc<Self> {
        Self::timed(context, client, book, Timed::default())
    }

    pub(crate) fn timed(context: &Arc<Context>, client: Client, book: Arc<ledger::Reader>, timed: Timed) -> Arc<Self> {
        let meters = &context.meters;
        Arc::new(Self {
            client: RwLock::new(client),
            book,
            link: Link::new(meters),
            delivery: meters.timing(timed.delivery),
            room: timed.room.then(|| meters.timing(timing::ROOM)),
            received: meters.count(count::RECEIVED),
            hints: meters.count(count::HINTS),
            context: Arc::clone(context),
        })
    }

    pub(crate) fn client(&self) -> Client {
        self.client.read().clone()
    }

    /// The user has logged in anew, and goes on reading where it was.
    pub(crate) fn replace(&self, client: Client) {
        *self.client.write() = client;
        self.link.replaced();
    }

    /// Enters what the client hears from now on, as it hears it: without a task and a queue, which cost more than the entering.
    pub(crate) async fn listen(self: &Arc<Self>) -> linnet_sdk::Result<()> {
        let reader = Arc::clone(self);
        self.client().listen(move |event| reader.handle(event)).await
    }

    /// Takes events until the client is closed.
    pub(crate) async fn read(self: Arc<Self>) {
        let mut events = self.client().events();
        while let Some(event) = events.next().await {
            self.handle(event);
        }
    }

    /// Enters one event.
    pub(crate) fn handle(self: &Arc<Self>, event: Event) {
        match event {
            Event::Entry(new) => self.arrive(new.conversation, &new.entry),
            Event::OnlineOnly(new) => self.arrive(new.conversation, &new.entry),
            Event::Gap { conversation, from_seq, to_seq } => {
                self.book.skip(conversation, from_seq, to_seq);
                // In a task of its own, because answers wait behind events that nobody takes.
                tokio::spawn(Arc::clone(self).read_back(conversation, from_seq, to_seq));
            }
            Event::Receipt(_) | Event::Typing { .. } | Event::Presence(_) => {
                self.hints.fetch_add(1, Ordering::Relaxed);
            }
            event => self.link.note(&event),
        }
    }

    fn arrive(&self, conversation: ConversationId, entry: &content::Entry) {
        match Mark::of(entry, self.context.run) {
            Some(mark) => self.enter(mark, self.book.arrive(conversation, mark.stream, mark.number, entry.seq)),
            None if entry.seq > 0 => self.book.pass(conversation, entry.seq),
            None => {}
        }
    }

    fn enter(&self, mark: Mark, arrival: Arrival) {
        if arrival == Arrival::Void {
            return;
        }
        let intended = self.context.start + Duration::from_nanos(mark.nanos);
        let took = Instant::now().saturating_duration_since(intended);
        self.delivery.record(took);
        if let Some(room) = self.room.as_ref().filter(|_| arrival == Arrival::Last) {
            room.record(took);
        }
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads an announced gap back from history. What cannot be read counts as lost.
    async fn read_back(self: Arc<Self>, conversation: ConversationId, mut from: u64, to: u64) {
        while from <= to {
            let page = match self.client().history(conversation, Range::Forward(from), 200).await {
                Ok(page) => page,
                Err(error) if error.is_definite() => break,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            let Some(last) = page.entries.last().map(|entry| entry.seq) else { break };
            for entry in page.entries.iter().filter(|entry| entry.seq <= to) {
                if let Some(mark) = Mark::of(entry, self.context.run) {
                    self.enter(mark, self.book.read_back(mark.stream, mark.number, entry.seq));
                }
            }
            from = last + 1;
        }
        self.book.close_gap();
    }

    /// Has the client find out whether its connection still works: one that only listens would notice minutes later.
    pub(crate) async fn wake(&self) {
        // Fails only when the client is closed, which the books will show.
        let _ = self.client().wake().await;
    }
}
