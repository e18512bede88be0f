//! What one client hears: enters it into the books, takes the times, reads back what was skipped.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linnet_sdk::{Client, ConversationId, Event, Range, content};

use crate::measure::latency::Recorder;
use crate::measure::ledger;
use crate::measure::mark::Mark;
use crate::measure::names::{count, gauge, timing};
use crate::run::context::Context;

/// One client's eyes.
#[derive(Debug)]
pub(crate) struct Reader {
    context: Arc<Context>,
    client: Client,
    book: Arc<ledger::Reader>,
    delivery: Arc<Recorder>,
    received: Arc<AtomicU64>,
    disconnected: Arc<AtomicU64>,
    connections: Arc<AtomicI64>,
}

impl Reader {
    pub(crate) fn new(context: &Arc<Context>, client: Client, book: Arc<ledger::Reader>) -> Arc<Self> {
        let meters = &context.meters;
        Arc::new(Self {
            client,
            book,
            delivery: meters.timing(timing::DELIVERY),
            received: meters.count(count::RECEIVED),
            disconnected: meters.count(count::DISCONNECTED),
            connections: meters.gauge(gauge::CONNECTIONS),
            context: Arc::clone(context),
        })
    }

    /// Takes events until the client is closed.
    pub(crate) async fn read(self: Arc<Self>) {
        let mut events = self.client.events();
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
            Event::Disconnected { .. } => {
                self.disconnected.fetch_add(1, Ordering::Relaxed);
                self.connections.fetch_sub(1, Ordering::Relaxed);
            }
            Event::Connected { .. } => drop(self.connections.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }

    fn arrive(&self, conversation: ConversationId, entry: &content::Entry) {
        match Mark::of(entry, self.context.run) {
            Some(mark) => {
                self.book.arrive(mark.stream, mark.number, entry.seq);
                let intended = self.context.start + Duration::from_nanos(mark.nanos);
                self.delivery.record(Instant::now().saturating_duration_since(intended));
                self.received.fetch_add(1, Ordering::Relaxed);
            }
            None if entry.seq > 0 => self.book.pass(conversation, entry.seq),
            None => {}
        }
    }

    /// Reads an announced gap back from history. What cannot be read counts as lost.
    async fn read_back(self: Arc<Self>, conversation: ConversationId, mut from: u64, to: u64) {
        while from <= to {
            let page = match self.client.history(conversation, Range::Forward(from), 200).await {
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
                    self.book.read_back(mark.stream, mark.number, entry.seq);
                    self.received.fetch_add(1, Ordering::Relaxed);
                }
            }
            from = last + 1;
        }
        self.book.close_gap();
    }

    /// Has the client find out whether its connection still works: one that only listens would notice minutes later.
    pub(crate) async fn wake(&self) {
        // Fails only when the client is closed, which the books will show.
        let _ = self.client.wake().await;
    }
}
