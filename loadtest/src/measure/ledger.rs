//! The books: what was sent, what was acknowledged, what arrived, at whom, in which order.
//!
//! Kept outside the server, from what clients saw. A *stream* is what one user writes into one conversation; a *reader* is one client
//! that listens to some streams. An acknowledged message must arrive at each of its readers, once, at the seq that the ack named, in the
//! order of sending; a refused one must not arrive; one whose outcome is unknown (its connection broke for good) may.
//! Messages that are not stored (rooms, online-only) promise less: what did not come of them is *missed*, not lost.

mod bits;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;

use linnet_sdk::ConversationId;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;

use self::bits::Bits;
pub use self::verdict::Verdict;

/// What one user writes into one conversation.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Its place in the books; part of every message's [`Mark`](super::mark::Mark).
    pub(crate) id: u32,
    pub(crate) conversation: ConversationId,
    /// Whether an ack promises that every reader will have the message.
    durable: bool,
    lines: Mutex<Lines>,
    /// One for each message that every reader has, where that is not owed: what the next one waits for that is not acknowledged.
    pub(crate) landed: Semaphore,
}

#[derive(Debug, Default)]
struct Lines {
    messages: Vec<Line>,
    /// Who listens.
    readers: u32,
    acked: Bits,
    refused: Bits,
    /// Placed elsewhere than an ack or an earlier arrival said.
    misplaced: Bits,
    /// Arrived, and never sent.
    unheard_of: u64,
}

/// One message.
#[derive(Debug, Default)]
struct Line {
    /// Where it is in its conversation; 0 until an ack or an arrival tells.
    seq: u64,
    /// Readers that have it.
    arrived: u32,
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is entered, and other readers still wait for theirs.
    Entered,
    /// It is entered, and with it every reader of the stream has the message.
    Last,
    /// It is not this reader's to keep books on, or was here before, or was never sent.
    Void,
}

impl Stream {
    /// Enters a message; returns its number.
    pub(crate) fn send(&self) -> u64 {
        let mut lines = self.lines.lock();
        lines.messages.push(Line::default());
        lines.messages.len() as u64 - 1
    }

    pub(crate) fn ack(&self, number: u64, seq: u64) {
        let mut lines = self.lines.lock();
        lines.acked.set(number);
        lines.place(number, seq);
    }

    /// Messages acknowledged so far.
    pub(crate) fn acked(&self) -> u64 {
        self.lines.lock().acked.count()
    }

    pub(crate) fn refuse(&self, number: u64) {
        self.lines.lock().refused.set(number);
    }
}

impl Lines {
    /// Compares a message's place with what is known of it. `None` for a number that was never sent.
    fn place(&mut self, number: u64, seq: u64) -> Option<&mut Line> {
        let line = usize::try_from(number).ok().and_then(|at| self.messages.get_mut(at));
        let Some(line) = line else {
            self.unheard_of += 1;
            return None;
        };
        // Messages that are not stored have no seq to compare.
        if line.seq != 0 && line.seq != seq && seq != 0 {
            self.misplaced.set(number);
        } else if seq != 0 {
            line.seq = seq;
        }
        Some(line)
    }
}

/// One client that listens.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    /// Highest seq so far.
    conversations: HashMap<ConversationId, u64>,
    streams: HashMap<u32, Seen>,
    duplicated: u64,
    reordered: u64,
    gaps: u64,
    skipped: u64,
    /// Announced gaps that are still being read back.
    open_gaps: u64,
}

/// What a reader has of a stream.
#[derive(Debug)]
struct Seen {
    stream: Arc<Stream>,
    numbers: Bits,
    /// Number expected at the least: one above the highest so far.
    next: u64,
}

impl Reader {
    /// The reader is to have everything acknowledged of this stream from now on.
    pub(crate) fn follow(&self, stream: &Arc<Stream>) {
        stream.lines.lock().readers += 1;
        let seen = Seen { stream: Arc::clone(stream), numbers: Bits::default(), next: 0 };
        self.pages.lock().streams.insert(stream.id, seen);
    }

    /// A message came, in its turn.
    pub(crate) fn arrive(&self, conversation: ConversationId, stream: u32, number: u64, seq: u64) -> Arrival {
        let mut pages = self.pages.lock();
        let pages = &mut *pages;
        let mut late = false;
        if seq > 0 {
            let last = pages.conversations.entry(conversation).or_default();
            late = seq <= *last;
            pages.gaps += skipped(*last, seq);
            *last = seq.max(*last);
        }
        // Of a stream that is not followed, such as one's own, only the place counts.
        let Some(seen) = pages.streams.get_mut(&stream) else { return Arrival::Void };
        let Some((arrival, repeat)) = seen.note(number, seq) else { return Arrival::Void };
        late |= number < seen.next;
        seen.next = seen.next.max(number + 1);
        pages.reordered += u64::from(late);
        pages.duplicated += u64::from(repeat);
        arrival
    }

    /// Another entry of a followed conversation came: a tip, or someone else's message. It takes a seq, and nothing else.
    pub(crate) fn pass(&self, conversation: ConversationId, seq: u64) {
        let mut pages = self.pages.lock();
        let pages = &mut *pages;
        let last = pages.conversations.entry(conversation).or_default();
        pages.gaps += skipped(*last, seq);
        *last = seq.max(*last);
    }

    /// The newest entry of a conversation that came so far, by its seq; 0 for none.
    pub(crate) fn newest(&self, conversation: ConversationId) -> u64 {
        self.pages.lock().conversations.get(&conversation).copied().unwrap_or(0)
    }

    /// The client library skips these seqs, and says so. They are to be read back from history, as an app would.
    pub(crate) fn skip(&self, conversation: ConversationId, from: u64, to: u64) {
        let mut pages = self.pages.lock();
        let pages = &mut *pages;
        pages.skipped += to + 1 - from;
        pages.open_gaps += 1;
        let last = pages.conversations.entry(conversation).or_default();
        pages.gaps += skipped(*last, from);
        *last = to.max(*last);
    }

    /// A message of an announced gap, read back from history: it has no turn that it could miss.
    pub(crate) fn read_back(&self, stream: u32, number: u64, seq: u64) -> Arrival {
        let mut pages = self.pages.lock();
        let pages = &mut *pages;
        let Some(seen) = pages.streams.get_mut(&stream) else { return Arrival::Void };
        let Some((arrival, repeat)) = seen.note(number, seq) else { return Arrival::Void };
        // Entries that follow the gap come in their turn, behind this one.
        seen.next = seen.next.max(number + 1);
        pages.duplicated += u64::from(repeat);
        arrival
    }

    /// An announced gap was read back, or cannot be.
    pub(crate) fn close_gap(&self) {
        let mut pages = self.pages.lock();
        pages.open_gaps = pages.open_gaps.saturating_sub(1);
    }

    /// Whether everything acknowledged has arrived.
    pub(crate) fn settled(&self) -> bool {
        let pages = self.pages.lock();
        pages.open_gaps == 0 && pages.streams.values().all(Seen::settled)
    }
}

/// Seqs between the last entry and the next, as far as it is known which was the last.
fn skipped(last: u64, next: u64) -> u64 {
    if last == 0 { 0 } else { next.saturating_sub(last + 1) }
}

impl Seen {
    /// Enters an arrival; whether it is the last, and whether it is a repeat. `None` for a number that was never sent.
    fn note(&mut self, number: u64, seq: u64) -> Option<(Arrival, bool)> {
        let mut lines = self.stream.lines.lock();
        let readers = lines.readers;
        let line = lines.place(number, seq)?;
        if self.numbers.set(number) {
            return Some((Arrival::Void, true));
        }
        line.arrived += 1;
        if line.arrived < readers {
            return Some((Arrival::Entered, false));
        }
        if !self.stream.durable {
            self.stream.landed.add_permits(1);
        }
        Some((Arrival::Last, false))
    }

    fn settled(&self) -> bool {
        !self.stream.durable || self.stream.lines.lock().acked.without(&self.numbers) == 0
    }
}

/// All books of one process.
#[derive(Debug, Default)]
pub(crate) struct Books {
    streams: RwLock<Vec<Arc<Stream>>>,
    readers: RwLock<Vec<Arc<Reader>>>,
}

impl Books {
    /// Opens a book for what one user writes into a conversation; `durable` when an ack promises delivery.
    pub(crate) fn stream(&self, conversation: ConversationId, durable: bool) -> Arc<Stream> {
        let mut streams = self.streams.write();
        let id = u32::try_from(streams.len()).unwrap_or(u32::MAX);
        let stream = Arc::new(Stream { id, conversation, durable, lines: Mutex::default(), landed: Semaphore::new(0) });
        streams.push(Arc::clone(&stream));
        stream
    }

    /// Opens a book for a client that listens to these streams.
    pub(crate) fn reader<'a>(&self, streams: impl IntoIterator<Item = &'a Arc<Stream>>) -> Arc<Reader> {
        let reader = Arc::new(Reader::default());
        for stream in streams {
            reader.follow(stream);
        }
        self.readers.write().push(Arc::clone(&reader));
        reader
    }

    /// Whether everything acknowledged has arrived at everyone.
    pub(crate) fn settled(&self) -> bool {
        self.readers.read().iter().all(|reader| reader.settled())
    }

    /// Balances the books.
    pub(crate) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for stream in self.streams.read().iter() {
            let lines = stream.lines.lock();
            let (acked, refused) = (lines.acked.count(), lines.refused.count());
            verdict.sent += lines.messages.len() as u64;
            verdict.acked += acked;
            verdict.refused += refused;
            verdict.unknown += (lines.messages.len() as u64).saturating_sub(acked + refused);
            verdict.misplaced += lines.misplaced.count();
            verdict.unheard_of += lines.unheard_of;
        }
        for reader in self.readers.read().iter() {
            let pages = reader.pages.lock();
            verdict.duplicated += pages.duplicated;
            verdict.reordered += pages.reordered;
            verdict.gaps += pages.gaps;
            verdict.skipped += pages.skipped;
            for seen in pages.streams.values() {
                let lines = seen.stream.lines.lock();
                let absent = lines.acked.without(&seen.numbers);
                verdict.received += seen.numbers.count();
                verdict.ghosts += lines.refused.with(&seen.numbers);
                if seen.stream.durable {
                    verdict.lost += absent;
                } else {
                    verdict.missed += absent;
                }
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests;
