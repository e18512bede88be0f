//! The books: what was sent, what was acknowledged, what arrived, at whom, in which order.
//!
//! Kept outside the server, from what clients saw. A *stream* is what one user writes into one conversation; a *reader* is one client
//! that listens to some streams. An acknowledged message must arrive at each of its readers, once, at the seq that the ack named, in the
//! order of sending; a refused one must not arrive; one whose outcome is unknown (its connection broke for good) may.
//! Messages that are not stored (rooms, online-only) promise less: what did not come of them is *missed*, not lost.

use std::collections::HashMap;
use std::sync::Arc;

use linnet_sdk::ConversationId;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

/// Which numbers of a stream something is true of.
#[derive(Debug, Clone, Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Sets a bit; whether it was set before.
    fn set(&mut self, number: u64) -> bool {
        let (word, bit) = (usize::try_from(number / 64).unwrap_or(usize::MAX), 1 << (number % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let was = self.0[word] & bit != 0;
        self.0[word] |= bit;
        was
    }

    fn word(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(0)
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many are here and not there.
    fn without(&self, there: &Self) -> u64 {
        self.0.iter().enumerate().map(|(at, word)| u64::from((word & !there.word(at)).count_ones())).sum()
    }

    /// How many are both here and there.
    fn with(&self, there: &Self) -> u64 {
        self.0.iter().enumerate().map(|(at, word)| u64::from((word & there.word(at)).count_ones())).sum()
    }
}

/// What one user writes into one conversation.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Its place in the books; part of every message's [`Mark`](super::mark::Mark).
    pub(crate) id: u32,
    pub(crate) conversation: ConversationId,
    /// Whether an ack promises that every reader will have the message.
    durable: bool,
    lines: Mutex<Lines>,
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
        Some((if line.arrived == readers { Arrival::Last } else { Arrival::Entered }, false))
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
        let stream = Arc::new(Stream { id, conversation, durable, lines: Mutex::default() });
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

/// What the books say. Messages are counted once; arrivals once for each reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Messages given to the client library.
    pub sent: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages definitely refused.
    pub refused: u64,
    /// Messages neither acknowledged nor refused.
    pub unknown: u64,
    /// First arrivals, over all readers.
    pub received: u64,
    /// Acknowledged, and never arrived at a reader.
    pub lost: u64,
    /// Arrived at a reader more than once.
    pub duplicated: u64,
    /// Arrived behind a later message of the same sender, or at a seq not above the one before.
    pub reordered: u64,
    /// Seqs skipped between two arrivals without a word.
    pub gaps: u64,
    /// Refused, and arrived all the same.
    pub ghosts: u64,
    /// At another seq than acknowledged, or at two.
    pub misplaced: u64,
    /// Arrived under the run's mark, and never sent.
    pub unheard_of: u64,
    /// Seqs that the client library announced to skip; they were read back from history. No fault.
    pub skipped: u64,
    /// Not stored, by intention, and not arrived at a reader. No fault.
    pub missed: u64,
}

impl Verdict {
    /// Adds another process's.
    pub fn add(&mut self, other: Self) {
        let Self {
            sent,
            acked,
            refused,
            unknown,
            received,
            lost,
            duplicated,
            reordered,
            gaps,
            ghosts,
            misplaced,
            unheard_of,
            skipped,
            missed,
        } = other;
        self.sent += sent;
        self.acked += acked;
        self.refused += refused;
        self.unknown += unknown;
        self.received += received;
        self.lost += lost;
        self.duplicated += duplicated;
        self.reordered += reordered;
        self.gaps += gaps;
        self.ghosts += ghosts;
        self.misplaced += misplaced;
        self.unheard_of += unheard_of;
        self.skipped += skipped;
        self.missed += missed;
    }

    /// Faults by name, each with its count; those that did not happen too.
    #[must_use]
    pub fn faults(&self) -> [(&'static str, u64); 7] {
        [
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("gaps", self.gaps),
            ("ghosts", self.ghosts),
            ("misplaced", self.misplaced),
            ("unheard of", self.unheard_of),
        ]
    }

    /// Whether every promise was kept.
    #[must_use]
    pub fn kept(&self) -> bool {
        self.faults().iter().all(|&(_, count)| count == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three messages, sent and acknowledged at 11, 12 and 13; one reader.
    fn books() -> (Books, Arc<Stream>, Arc<Reader>) {
        let books = Books::default();
        let stream = books.stream(ConversationId::between(1, 2), true);
        for seq in 11..=13 {
            let number = stream.send();
            stream.ack(number, seq);
        }
        let reader = books.reader([&stream]);
        (books, stream, reader)
    }

    fn judged(arrivals: &[(u64, u64)]) -> Verdict {
        let (books, stream, reader) = books();
        for &(number, seq) in arrivals {
            reader.arrive(stream.conversation, stream.id, number, seq);
        }
        books.verdict()
    }

    #[test]
    fn books_that_balance_are_kept() {
        let verdict = judged(&[(0, 11), (1, 12), (2, 13)]);
        assert!(verdict.kept());
        assert_eq!((verdict.sent, verdict.acked, verdict.received), (3, 3, 3));
    }

    #[test]
    fn every_breach_is_found() {
        let lost = judged(&[(0, 11), (1, 12)]);
        assert_eq!((lost.lost, lost.kept()), (1, false));
        let repeated = judged(&[(0, 11), (1, 12), (1, 12), (2, 13)]);
        assert_eq!((repeated.duplicated, repeated.reordered, repeated.kept()), (1, 1, false));
        let disordered = judged(&[(1, 12), (0, 11), (2, 13)]);
        assert_eq!((disordered.reordered, disordered.kept()), (1, false));
        let hole = judged(&[(0, 11), (2, 13)]);
        assert_eq!((hole.gaps, hole.lost, hole.kept()), (1, 1, false));
        let elsewhere = judged(&[(0, 11), (1, 12), (2, 14)]);
        assert_eq!((elsewhere.misplaced, elsewhere.kept()), (1, false));
        let unheard_of = judged(&[(0, 11), (1, 12), (2, 13), (9, 14)]);
        assert_eq!((unheard_of.unheard_of, unheard_of.kept()), (1, false));
    }

    #[test]
    fn the_senders_order_counts_and_not_only_the_seqs() {
        let books = Books::default();
        let stream = books.stream(ConversationId::between(1, 2), true);
        let (first, second) = (stream.send(), stream.send());
        stream.ack(first, 2);
        stream.ack(second, 1);
        let reader = books.reader([&stream]);
        reader.arrive(stream.conversation, stream.id, second, 1);
        reader.arrive(stream.conversation, stream.id, first, 2);
        assert_eq!(books.verdict().reordered, 1);
    }

    #[test]
    fn an_announced_gap_is_kept_once_it_is_read_back() {
        let (books, stream, reader) = books();
        reader.arrive(stream.conversation, stream.id, 0, 11);
        reader.skip(stream.conversation, 12, 12);
        reader.arrive(stream.conversation, stream.id, 2, 13);
        assert_eq!((books.verdict().lost, books.verdict().gaps, books.settled()), (1, 0, false));
        reader.read_back(stream.id, 1, 12);
        reader.close_gap();
        assert!(books.verdict().kept() && books.settled());
        reader.read_back(stream.id, 1, 12);
        assert_eq!(books.verdict().duplicated, 1);
    }

    #[test]
    fn a_gap_announced_too_short_leaves_a_hole() {
        let (books, stream, reader) = books();
        reader.arrive(stream.conversation, stream.id, 0, 11);
        reader.skip(stream.conversation, 13, 13);
        assert_eq!(books.verdict().gaps, 1);
    }

    #[test]
    fn a_refused_message_must_not_arrive_and_an_unknown_one_may() {
        let books = Books::default();
        let stream = books.stream(ConversationId::between(1, 2), true);
        let reader = books.reader([&stream]);
        let (unknown, refused) = (stream.send(), stream.send());
        stream.refuse(refused);
        reader.arrive(stream.conversation, stream.id, unknown, 1);
        assert!(books.verdict().kept());
        assert_eq!(books.verdict().unknown, 1);
        reader.arrive(stream.conversation, stream.id, refused, 2);
        assert_eq!((books.verdict().ghosts, books.verdict().kept()), (1, false));
    }

    #[test]
    fn each_reader_is_owed_each_message() {
        let (books, stream, first) = books();
        let second = books.reader([&stream]);
        for (number, seq) in [(0, 11), (1, 12), (2, 13)] {
            first.arrive(stream.conversation, stream.id, number, seq);
        }
        second.arrive(stream.conversation, stream.id, 0, 11);
        let verdict = books.verdict();
        assert_eq!((verdict.sent, verdict.received, verdict.lost), (3, 4, 2));
    }

    #[test]
    fn the_last_reader_is_told_apart() {
        let (books, stream, first) = books();
        let second = books.reader([&stream]);
        assert_eq!(first.arrive(stream.conversation, stream.id, 0, 11), Arrival::Entered);
        assert_eq!(second.arrive(stream.conversation, stream.id, 0, 11), Arrival::Last);
        assert_eq!(second.arrive(stream.conversation, stream.id, 0, 11), Arrival::Void);
        assert_eq!(first.read_back(stream.id, 1, 12), Arrival::Entered);
        assert_eq!(second.read_back(stream.id, 1, 12), Arrival::Last);
    }

    #[test]
    fn what_a_reader_does_not_follow_only_takes_its_place() {
        let books = Books::default();
        let conversation = ConversationId::Group(7);
        let (own, other) = (books.stream(conversation, true), books.stream(conversation, true));
        let reader = books.reader([&other]);
        for (stream, seq) in [(&other, 1), (&own, 2), (&other, 3)] {
            let number = stream.send();
            stream.ack(number, seq);
            reader.arrive(conversation, stream.id, number, seq);
        }
        let verdict = books.verdict();
        assert!(verdict.kept(), "{verdict:?}");
        assert_eq!((verdict.received, reader.newest(conversation)), (2, 3));
    }

    #[test]
    fn what_is_not_stored_is_missed_and_not_lost() {
        let books = Books::default();
        let stream = books.stream(ConversationId::between(1, 2), false);
        let number = stream.send();
        stream.ack(number, 0);
        books.reader([&stream]);
        let verdict = books.verdict();
        assert!(verdict.kept() && books.settled());
        assert_eq!(verdict.missed, 1);
    }
}
