//! Puts each conversation's entries in order.
//!
//! Entries arrive by push, by sync page, by history page and as acks of own sends, in any order and more than once.
//! They leave in seq order, each once. What arrives too early is held, within a bound, until the entries below it came;
//! asking for those is the business of [`super::gaps`].

use std::collections::{BTreeMap, HashMap, VecDeque};

use proto::entry::Entry;
use proto::wire::Have;

use crate::conversations::ConversationId;
use crate::event::{Cursor, Delivered, Event};

/// Message ids that are remembered of a conversation.
const MOST_RECENT: usize = 16;

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It was the next one, and is on its way to the app.
    Delivered,
    /// It was had already.
    Repeat,
    /// Another entry was had in its place: the server has lost that one, or is told so and finds that it has not.
    Contradicted,
    /// Entries below it are missing.
    Early,
    /// It names another epoch than the one at hand. It is not kept: a page, which speaks for the server's state and not for
    /// something under way, has to settle which epoch holds.
    Doubtful,
}

/// What is missing of a conversation, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// All conversations' positions.
#[derive(Debug)]
pub(crate) struct Logs {
    logs: HashMap<ConversationId, Log>,
    /// Entries held over all conversations.
    held: usize,
    max_held: usize,
}

#[derive(Debug)]
struct Log {
    epoch: u64,
    /// Everything up to here went to the app, or was announced to be skipped.
    seq: u64,
    /// Message ids of the newest entries up to `seq`, as many as are known: another entry in one's place means that the log lost it.
    recent: VecDeque<u64>,
    /// Highest seq that is known to exist.
    known: u64,
    /// Whether `seq` is a position that the app knows of. Else the oldest readable entry has yet to be learnt.
    begun: bool,
    /// Something named another epoch.
    doubted: bool,
    held: BTreeMap<u64, Entry>,
}

impl Log {
    fn new(epoch: u64) -> Self {
        Self { epoch, seq: 0, recent: VecDeque::new(), known: 0, begun: false, doubted: false, held: BTreeMap::new() }
    }
}

impl Log {
    /// Goes on to the entry that follows.
    fn advance(&mut self, entry: &Entry) {
        self.seq = entry.seq;
        if self.recent.len() == MOST_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(entry.message_id);
    }

    fn holds_another(&self, seq: u64, message_id: u64) -> bool {
        let back = self.seq.checked_sub(seq).and_then(|back| usize::try_from(back).ok());
        let held = back.and_then(|back| self.recent.iter().rev().nth(back));
        held.is_some_and(|held| *held != message_id)
    }
}

impl Logs {
    pub(crate) fn new(cursors: &[Cursor], max_held: usize) -> Self {
        let logs = cursors
            .iter()
            .map(|cursor| {
                let recent = Some(cursor.message_id).filter(|id| *id != 0).into_iter().collect();
                let log = Log { seq: cursor.seq, recent, known: cursor.seq, begun: true, ..Log::new(cursor.epoch) };
                (cursor.conversation, log)
            })
            .collect();
        Self { logs, held: 0, max_held }
    }

    /// How far each conversation has got, for the server to compare.
    pub(crate) fn have(&self) -> impl Iterator<Item = Have> + '_ {
        self.logs.iter().filter(|(_, log)| log.begun).map(|(conversation, log)| Have {
            conversation: Some(conversation.to_wire()),
            epoch: log.epoch,
            seq: log.seq,
            message_ids: log.recent.iter().copied().collect(),
        })
    }

    /// Whether another entry is held in the place of this one.
    pub(crate) fn contradicts(&self, id: ConversationId, epoch: u64, seq: u64, message_id: u64) -> bool {
        self.logs.get(&id).is_some_and(|log| log.epoch == epoch && log.holds_another(seq, message_id))
    }

    /// Whether an entry would be new: neither delivered nor held.
    pub(crate) fn lacks(&self, id: ConversationId, epoch: u64, seq: u64) -> bool {
        self.logs.get(&id).is_none_or(|log| epoch != log.epoch || (seq > log.seq && !log.held.contains_key(&seq)))
    }

    /// Takes an entry that arrived.
    pub(crate) fn offer(&mut self, id: ConversationId, epoch: u64, entry: Entry, out: &mut VecDeque<Event>) -> Offered {
        let log = self.logs.entry(id).or_insert_with(|| Log::new(epoch));
        if epoch != log.epoch {
            log.doubted = true;
            return Offered::Doubtful;
        }
        if entry.seq <= log.seq {
            let is_other = log.holds_another(entry.seq, entry.message_id);
            return if is_other { Offered::Contradicted } else { Offered::Repeat };
        }
        log.known = log.known.max(entry.seq);
        if entry.seq == log.seq + 1 {
            log.advance(&entry);
            log.begun = true;
            out.push_back(deliver(id, epoch, entry));
            self.held -= drain(id, log, out);
            return Offered::Delivered;
        }
        // Past the bound an entry is only remembered to exist, and fetched again with those before it.
        if self.held < self.max_held && log.held.insert(entry.seq, entry).is_none() {
            self.held += 1;
        }
        Offered::Early
    }

    /// Takes the epoch that a page names for the one that holds. Another one than before starts the conversation over.
    pub(crate) fn settle(&mut self, id: ConversationId, epoch: u64, last_seq: u64, out: &mut VecDeque<Event>) {
        let log = self.logs.entry(id).or_insert_with(|| Log::new(epoch));
        log.doubted = false;
        if epoch != log.epoch {
            self.start_over(id, epoch, last_seq, out);
        }
    }

    /// Forgets what is held of a conversation: it was of another history.
    pub(crate) fn start_over(&mut self, id: ConversationId, epoch: u64, last_seq: u64, out: &mut VecDeque<Event>) {
        let log = self.logs.entry(id).or_insert_with(|| Log::new(epoch));
        self.held -= log.held.len();
        if log.begun {
            out.push_back(Event::Reset { conversation: id, epoch });
        }
        *log = Log { known: last_seq, ..Log::new(epoch) };
    }

    /// Moves past entries up to `seq` that will not come. `announce` tells the app of those that it might expect.
    pub(crate) fn skip_to(&mut self, id: ConversationId, seq: u64, announce: bool, out: &mut VecDeque<Event>) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.begun = true;
        log.doubted = false;
        while log.seq < seq {
            // Entries held inside the range are had after all: skip only around them.
            let next = log.held.keys().next().copied().filter(|&held| held <= seq).unwrap_or(seq + 1);
            if next > log.seq + 1 && announce {
                out.push_back(Event::Gap { conversation: id, from_seq: log.seq + 1, to_seq: next - 1 });
            }
            if next > log.seq + 1 {
                log.recent.clear();
            }
            log.seq = next - 1;
            self.held -= drain(id, log, out);
        }
        log.known = log.known.max(log.seq);
        self.held -= drain(id, log, out);
    }

    /// What is missing below the entries that are known to exist.
    pub(crate) fn missing(&self, id: ConversationId) -> Option<Missing> {
        let log = self.logs.get(&id)?;
        let to = log.held.keys().next().map_or(log.known, |first| first - 1);
        let to = if log.doubted { to.max(log.seq + 1) } else { to };
        (to > log.seq).then_some(Missing { from: log.seq + 1, to })
    }

    /// Whether the app knows of a position in this conversation.
    pub(crate) fn begun(&self, id: ConversationId) -> bool {
        self.logs.get(&id).is_some_and(|log| log.begun)
    }

    /// The conversation's epoch and position.
    pub(crate) fn position(&self, id: ConversationId) -> Option<(u64, u64)> {
        self.logs.get(&id).map(|log| (log.epoch, log.seq))
    }

    /// The conversations in which something is missing.
    pub(crate) fn with_gaps(&self) -> Vec<ConversationId> {
        self.logs.keys().copied().filter(|&id| self.missing(id).is_some()).collect()
    }
}

/// Delivers what has become next in line; returns how many entries that were.
fn drain(id: ConversationId, log: &mut Log, out: &mut VecDeque<Event>) -> usize {
    let mut drained = 0;
    while let Some(first) = log.held.first_entry() {
        if *first.key() > log.seq + 1 {
            break;
        }
        let entry = first.remove();
        drained += 1;
        if entry.seq > log.seq {
            log.advance(&entry);
            out.push_back(deliver(id, log.epoch, entry));
        }
    }
    drained
}

fn deliver(conversation: ConversationId, epoch: u64, entry: Entry) -> Event {
    Event::Entry(Box::new(Delivered { conversation, epoch, entry }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: ConversationId = ConversationId::Group(9);

    fn entry(seq: u64) -> Entry {
        Entry { seq, ..Entry::default() }
    }

    fn seqs(out: &mut VecDeque<Event>) -> Vec<u64> {
        out.drain(..)
            .map(|event| match event {
                Event::Entry(delivered) => delivered.entry.seq,
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    }

    fn begun(seq: u64, max_held: usize) -> Logs {
        Logs::new(&[Cursor { conversation: C, epoch: 1, seq, message_id: 0 }], max_held)
    }

    #[test]
    fn any_order_comes_out_in_order_and_once() {
        let mut logs = begun(0, 100);
        let mut out = VecDeque::new();
        for seq in [3, 1, 1, 5, 2, 3, 4, 5, 2] {
            logs.offer(C, 1, entry(seq), &mut out);
        }
        assert_eq!(seqs(&mut out), [1, 2, 3, 4, 5]);
        assert_eq!(logs.held, 0);
        assert_eq!(logs.missing(C), None);
    }

    #[test]
    fn what_exceeds_the_bound_is_remembered_as_missing() {
        let mut logs = begun(0, 2);
        let mut out = VecDeque::new();
        for seq in [3, 4, 5, 6] {
            assert_eq!(logs.offer(C, 1, entry(seq), &mut out), Offered::Early);
        }
        assert_eq!(logs.missing(C), Some(Missing { from: 1, to: 2 }));
        logs.offer(C, 1, entry(1), &mut out);
        logs.offer(C, 1, entry(2), &mut out);
        assert_eq!(seqs(&mut out), [1, 2, 3, 4]);
        assert_eq!(logs.missing(C), Some(Missing { from: 5, to: 6 }));
    }

    #[test]
    fn skipping_announces_only_what_is_not_held() {
        let mut logs = begun(2, 100);
        let mut out = VecDeque::new();
        logs.offer(C, 1, entry(5), &mut out);
        logs.skip_to(C, 7, true, &mut out);
        let gap = |from_seq, to_seq| Event::Gap { conversation: C, from_seq, to_seq };
        assert_eq!(out.pop_front(), Some(gap(3, 4)));
        assert!(matches!(out.pop_front(), Some(Event::Entry(e)) if e.entry.seq == 5));
        assert_eq!(out.pop_front(), Some(gap(6, 7)));
        assert_eq!(logs.position(C), Some((1, 7)));
        assert_eq!(logs.held, 0);
    }

    #[test]
    fn another_epoch_is_doubted_until_a_page_settles_it() {
        let mut logs = begun(4, 100);
        let mut out = VecDeque::new();
        logs.offer(C, 1, entry(6), &mut out);
        assert_eq!(logs.offer(C, 7, entry(1), &mut out), Offered::Doubtful);
        assert_eq!(logs.missing(C), Some(Missing { from: 5, to: 5 }));
        // The page confirms the epoch at hand: what named the other one was late.
        logs.settle(C, 1, 6, &mut out);
        logs.offer(C, 1, entry(5), &mut out);
        assert_eq!(seqs(&mut out), [5, 6]);
        assert_eq!(logs.missing(C), None);
        // And now the epoch did change, to a smaller number.
        assert_eq!(logs.offer(C, 0, entry(2), &mut out), Offered::Doubtful);
        assert_eq!(logs.missing(C), Some(Missing { from: 7, to: 7 }));
        logs.settle(C, 0, 2, &mut out);
        assert_eq!(out.pop_front(), Some(Event::Reset { conversation: C, epoch: 0 }));
        assert_eq!(logs.missing(C), Some(Missing { from: 1, to: 2 }));
        logs.offer(C, 0, entry(1), &mut out);
        logs.offer(C, 0, entry(2), &mut out);
        assert_eq!(seqs(&mut out), [1, 2]);
        assert_eq!(logs.held, 0);
    }
}
