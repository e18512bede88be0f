//! What waits to be sent to one process.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// Publications that travel together. Without any, it tells how many there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// How many publications of the stream came before the first of these.
    pub(super) before: u64,
    pub(super) payloads: Vec<Bytes>,
}

/// The stream to one process: what waits, and how many there were.
#[derive(Debug)]
pub(super) struct Outbox {
    waiting: VecDeque<(u64, Bytes)>,
    bytes: usize,
    /// How many publications the stream has had, those that were lost included.
    end: u64,
    reminder: Reminder,
}

/// When to tell the process how far the stream is, in case that it missed the last of it.
///
/// After the last batch a few times, at longer and longer intervals; after a loss until it has arrived.
#[derive(Debug)]
struct Reminder {
    first: Duration,
    last: Duration,
    due: Option<Instant>,
    interval: Duration,
    owed: bool,
}

impl Outbox {
    /// Reminders come `first` after the last batch, and then at twice the interval each, until that would be longer than `last`.
    pub(super) fn new(first: Duration, last: Duration) -> Self {
        let reminder = Reminder { first, last, due: None, interval: first, owed: false };
        Self { waiting: VecDeque::new(), bytes: 0, end: 0, reminder }
    }

    /// Queues a publication, and returns how many older ones had to go for it, so that no more than `limit` bytes wait.
    pub(super) fn push(&mut self, payload: Bytes, limit: usize, now: Instant) -> usize {
        let mut dropped = 0;
        while self.bytes + payload.len() > limit {
            let Some((_, oldest)) = self.waiting.pop_front() else { break };
            self.bytes -= oldest.len();
            dropped += 1;
        }
        self.bytes += payload.len();
        self.waiting.push_back((self.end, payload));
        self.end += 1;
        if dropped > 0 {
            self.reminder.owe(now);
        }
        dropped
    }

    /// Counts publications that will never be sent.
    pub(super) fn skip(&mut self, lost: u64, now: Instant) {
        self.end += lost;
        self.reminder.owe(now);
    }

    /// Takes what comes next: publications without a hole between them, of about `limit` bytes at most, or a reminder that is due.
    pub(super) fn take(&mut self, limit: usize, now: Instant) -> Option<Batch> {
        let Some((before, first)) = self.waiting.pop_front() else {
            let due = self.reminder.due.is_some_and(|due| due <= now);
            return due.then(|| Batch { before: self.end, payloads: Vec::new() });
        };
        let mut bytes = first.len();
        let mut payloads = vec![first];
        while let Some((position, next)) = self.waiting.front()
            && *position == before + payloads.len() as u64
            && bytes + next.len() <= limit
        {
            bytes += next.len();
            payloads.extend(self.waiting.pop_front().map(|(_, payload)| payload));
        }
        self.bytes -= bytes;
        Some(Batch { before, payloads })
    }

    /// A batch has reached the process.
    pub(super) fn arrived(&mut self, batch: &Batch, now: Instant) {
        // It tells of everything before its end.
        let last = batch.before + batch.payloads.len() as u64 == self.end;
        self.reminder.arrived(batch.payloads.is_empty(), last, now);
    }

    /// A batch has not reached the process, as far as anyone can tell, and will not be sent again.
    pub(super) fn lost(&mut self, now: Instant) {
        self.reminder.owe(now);
    }

    /// When [`Self::take`] has something, if nothing is pushed before.
    pub(super) fn next(&self) -> Option<Instant> {
        self.reminder.due
    }

    /// The number of the oldest publication that waits, or of the next one.
    pub(super) fn front(&self) -> u64 {
        self.waiting.front().map_or(self.end, |(position, _)| *position)
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }
}

impl Reminder {
    fn owe(&mut self, now: Instant) {
        self.owed = true;
        self.interval = self.first;
        self.due = Some(now + self.first);
    }

    fn arrived(&mut self, was_reminder: bool, last: bool, now: Instant) {
        if last {
            self.owed = false;
        }
        self.interval = match (self.owed, was_reminder) {
            (false, true) => self.interval * 2,
            _ => self.first,
        };
        self.due = (self.owed || self.interval <= self.last).then(|| now + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn outbox() -> Outbox {
        Outbox::new(SECOND, 5 * SECOND)
    }

    fn payload(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn batch(before: u64, payloads: &[&'static str]) -> Option<Batch> {
        Some(Batch { before, payloads: payloads.iter().copied().map(payload).collect() })
    }

    #[test]
    fn what_waits_travels_together() {
        let (mut outbox, now) = (outbox(), Instant::now());
        for text in ["aaaa", "bbbb", "cccc", "a longer one"] {
            assert_eq!(outbox.push(payload(text), 100, now), 0);
        }
        assert_eq!(outbox.take(8, now), batch(0, &["aaaa", "bbbb"]));
        assert_eq!(outbox.take(8, now), batch(2, &["cccc"]));
        assert_eq!(outbox.take(8, now), batch(3, &["a longer one"]));
        assert_eq!(outbox.take(8, now), None);
        assert_eq!((outbox.waiting.len(), outbox.bytes), (0, 0));
    }

    #[test]
    fn what_is_too_much_goes_and_leaves_a_hole() {
        let (mut outbox, now) = (outbox(), Instant::now());
        for text in ["aaaa", "bbbb", "cccc"] {
            outbox.push(payload(text), 12, now);
        }
        assert_eq!(outbox.push(payload("dddddd"), 12, now), 2);
        assert_eq!(outbox.take(100, now), batch(2, &["cccc", "dddddd"]));
        // Never less than one.
        assert_eq!(outbox.push(payload("far too long for it"), 12, now), 0);
        outbox.skip(3, now);
        outbox.push(payload("x"), 100, now);
        assert_eq!(outbox.take(100, now), batch(4, &["far too long for it"]));
        assert_eq!((outbox.front(), outbox.end()), (8, 9));
        assert_eq!(outbox.take(100, now), batch(8, &["x"]));
    }

    #[test]
    fn in_silence_the_process_is_reminded_at_growing_intervals() {
        let (mut outbox, start) = (outbox(), Instant::now());
        outbox.push(payload("a"), 100, start);
        let sent = outbox.take(100, start).unwrap();
        outbox.arrived(&sent, start);
        let mut reminded = Vec::new();
        while let Some(due) = outbox.next() {
            assert_eq!(outbox.take(100, due - SECOND / 10), None);
            let reminder = outbox.take(100, due).unwrap();
            assert_eq!(reminder, batch(1, &[]).unwrap());
            outbox.arrived(&reminder, due);
            reminded.push((due - start).as_secs());
        }
        assert_eq!(reminded, [1, 3, 7]);
    }

    #[test]
    fn after_a_loss_reminders_go_on_until_one_arrives() {
        let (mut outbox, start) = (outbox(), Instant::now());
        outbox.push(payload("a"), 100, start);
        outbox.take(100, start).unwrap();
        outbox.lost(start);
        let mut now = start;
        for _ in 0..100 {
            now = outbox.next().unwrap();
            assert_eq!(outbox.take(100, now), batch(1, &[]));
            outbox.lost(now);
        }
        assert_eq!(now, start + 100 * SECOND);
        now += SECOND;
        let reminder = outbox.take(100, now).unwrap();
        outbox.arrived(&reminder, now);
        assert_eq!(outbox.next(), Some(now + 2 * SECOND));
        // A batch that arrives tells of what was lost before it, too.
        outbox.lost(now);
        outbox.push(payload("b"), 100, now);
        let sent = outbox.take(100, now).unwrap();
        outbox.arrived(&sent, now);
        assert!(!outbox.reminder.owed);
    }
}
