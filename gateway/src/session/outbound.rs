//! What waits to be sent on one session, and what was sent but may have to be sent again.
//!
//! One queue keeps the order of everything. Pushes are counted; each is kept after it was sent until the client confirms it,
//! within a bound of bytes, so that a resumed session goes on without a gap. All frames are shared bytes: a push to a thousand
//! sessions is encoded once.

use std::collections::VecDeque;

use bytes::Bytes;

/// Bytes that a queued frame costs besides its own.
const OVERHEAD: usize = 32;

/// The queue of one session.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    queue: VecDeque<(Kind, Bytes)>,
    /// Bytes in `queue` of pushes and hints.
    pushes: usize,
    /// Of those, what is sent because the session was resumed: the client is not slow for having been away.
    replayed: usize,
    /// Bytes in `queue` of answers.
    answers: usize,
    /// Pushes sent and not confirmed, oldest first: numbers `forgotten + 1 ..= sent`.
    held: VecDeque<Bytes>,
    held_bytes: usize,
    /// How many pushes were taken from the queue, in the count that the client shares.
    sent: u64,
    /// How many of those are no longer held.
    forgotten: u64,
    /// Some were dropped unsent: only a sync repairs that.
    lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Answers a request, or speaks about the connection. Gone with the connection.
    Answer,
    /// Entries. Counted, and kept until confirmed.
    Push,
    /// Typing, receipts, presence: at most once.
    Hint,
}

/// A queue would hold more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What a resumed session can go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continuity {
    /// Every push that the client lacks is queued.
    Complete,
    /// Some are gone.
    Broken,
}

impl Outbound {
    pub(super) fn answer(&mut self, frame: Bytes) {
        self.answers += frame.len() + OVERHEAD;
        self.queue.push_back((Kind::Answer, frame));
    }

    /// Queues a push. When that exceeds `limit`, all queued pushes are dropped instead.
    pub(super) fn push(&mut self, frame: Bytes, limit: usize) -> Result<(), Full> {
        if self.lost {
            return Err(Full);
        }
        let waiting = self.pushes - self.replayed;
        if waiting + frame.len() + OVERHEAD > limit && waiting > 0 {
            self.lose();
            return Err(Full);
        }
        self.pushes += frame.len() + OVERHEAD;
        self.queue.push_back((Kind::Push, frame));
        Ok(())
    }

    /// Queues a hint, unless there is a crowd already.
    pub(super) fn hint(&mut self, frame: Bytes, limit: usize) {
        if self.pushes + frame.len() + OVERHEAD <= limit / 2 {
            self.pushes += frame.len() + OVERHEAD;
            self.queue.push_back((Kind::Hint, frame));
        }
    }

    /// The next frame to send. A push is held from now on, the oldest making room within `hold` bytes.
    pub(super) fn next(&mut self, hold: usize) -> Option<Bytes> {
        let (kind, frame) = self.queue.pop_front()?;
        if self.queue.is_empty() {
            // An idle session holds no buffer.
            self.queue = VecDeque::new();
        }
        let cost = frame.len() + OVERHEAD;
        match kind {
            Kind::Answer => self.answers -= cost,
            Kind::Hint => self.pushes -= cost,
            Kind::Push => {
                self.pushes -= cost;
                self.replayed = self.replayed.saturating_sub(cost);
                self.sent += 1;
                self.held_bytes += cost;
                self.held.push_back(frame.clone());
                while self.held_bytes > hold {
                    self.forget_one();
                }
            }
        }
        Some(frame)
    }

    /// The client has all pushes up to `received`.
    pub(super) fn confirm(&mut self, received: u64) {
        while self.forgotten < received.min(self.sent) {
            self.forget_one();
        }
        if self.held.is_empty() {
            self.held = VecDeque::new();
        }
    }

    /// Drops every push, sent and unsent: the client must sync.
    pub(super) fn lose(&mut self) {
        self.queue.retain(|(kind, _)| *kind == Kind::Answer);
        self.pushes = 0;
        self.replayed = 0;
        self.held = VecDeque::new();
        self.held_bytes = 0;
        self.forgotten = self.sent;
        self.lost = true;
    }

    /// The connection is gone, and answers and hints with it; pushes stay.
    pub(super) fn park(&mut self) {
        self.queue.retain(|(kind, _)| *kind == Kind::Push);
        self.queue.shrink_to_fit();
        self.answers = 0;
        self.replayed = 0;
        self.pushes = self.queue.iter().map(|(_, frame)| frame.len() + OVERHEAD).sum();
    }

    /// A new connection goes on after the client's first `received` pushes: the rest is queued again, in order.
    ///
    /// Where that cannot be, counting goes on from the client's count, so that both sides agree again.
    pub(super) fn resume(&mut self, received: u64) -> Continuity {
        if self.lost || received < self.forgotten || received > self.sent {
            self.lose();
            self.lost = false;
            self.sent = received;
            self.forgotten = received;
            return Continuity::Broken;
        }
        self.confirm(received);
        for frame in std::mem::take(&mut self.held).into_iter().rev() {
            self.pushes += frame.len() + OVERHEAD;
            self.queue.push_front((Kind::Push, frame));
        }
        self.replayed = self.pushes;
        self.held_bytes = 0;
        self.sent = received;
        self.forgotten = received;
        Continuity::Complete
    }

    /// Puts another queue's frames before this one's.
    pub(super) fn go_first(&mut self, other: Self) {
        self.answers += other.answers;
        for (kind, frame) in other.queue.into_iter().rev() {
            self.queue.push_front((kind, frame));
        }
    }

    /// Bytes that wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.pushes + self.answers
    }

    fn forget_one(&mut self) {
        if let Some(frame) = self.held.pop_front() {
            self.held_bytes -= frame.len() + OVERHEAD;
        }
        self.forgotten += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1000;

    fn frame(number: u8) -> Bytes {
        Bytes::from(vec![number; 8])
    }

    fn drain(out: &mut Outbound) -> Vec<u8> {
        std::iter::from_fn(|| out.next(LIMIT)).map(|frame| frame[0]).collect()
    }

    #[test]
    fn everything_keeps_its_order() {
        let mut out = Outbound::default();
        out.push(frame(1), LIMIT).unwrap();
        out.answer(frame(2));
        out.hint(frame(3), LIMIT);
        out.push(frame(4), LIMIT).unwrap();
        assert_eq!(drain(&mut out), [1, 2, 3, 4]);
        assert_eq!(out.waiting(), 0);
    }

    #[test]
    fn a_resumed_session_sends_again_what_was_not_received_and_then_the_rest() {
        let mut out = Outbound::default();
        for number in 1..=4 {
            out.push(frame(number), LIMIT).unwrap();
        }
        assert_eq!(drain(&mut out), [1, 2, 3, 4]);
        out.confirm(1);
        out.push(frame(5), LIMIT).unwrap();
        out.answer(frame(99));
        out.hint(frame(98), LIMIT);
        out.park();
        out.push(frame(6), LIMIT).unwrap();
        assert_eq!(out.resume(2), Continuity::Complete);
        assert_eq!(drain(&mut out), [3, 4, 5, 6]);
        // And once more, from the new count.
        out.park();
        assert_eq!(out.resume(5), Continuity::Complete);
        assert_eq!(drain(&mut out), [6]);
        assert_eq!(out.waiting(), 0);
    }

    #[test]
    fn what_was_dropped_or_never_sent_breaks_continuity_and_both_sides_count_on() {
        for received in [0, 2, 9] {
            let mut out = Outbound::default();
            for number in 1..=4 {
                out.push(frame(number), LIMIT).unwrap();
            }
            drain(&mut out);
            out.confirm(3);
            assert_eq!(out.resume(received), Continuity::Broken);
            out.push(frame(7), LIMIT).unwrap();
            assert_eq!(drain(&mut out), [7]);
            assert_eq!(out.resume(received), Continuity::Complete);
            assert_eq!(drain(&mut out), [7]);
        }
    }

    #[test]
    fn the_buffer_of_sent_pushes_is_bounded() {
        let mut out = Outbound::default();
        for number in 1..=100 {
            out.push(frame(number), LIMIT).unwrap();
            assert_eq!(out.next(200).unwrap()[0], number);
        }
        assert!(out.held_bytes <= 200);
        assert_eq!(out.resume(94), Continuity::Broken);
    }

    #[test]
    fn too_much_unsent_loses_all_and_hints_give_way_first() {
        let mut out = Outbound::default();
        let mut queued = 0u8;
        while out.push(frame(queued), LIMIT).is_ok() {
            queued += 1;
            out.hint(frame(200), LIMIT);
        }
        assert_eq!(out.waiting(), 0);
        assert_eq!(out.push(frame(1), LIMIT), Err(Full));
        assert_eq!(out.resume(0), Continuity::Broken);
        assert_eq!(out.push(frame(1), LIMIT), Ok(()));
    }

    #[test]
    fn a_client_that_was_away_is_not_slow_for_it() {
        let mut out = Outbound::default();
        for number in 0..20 {
            out.push(frame(number), LIMIT).unwrap();
        }
        drain(&mut out);
        out.park();
        for number in 20..40 {
            out.push(frame(number), LIMIT).unwrap();
        }
        assert_eq!(out.resume(0), Continuity::Complete);
        assert!(out.waiting() > LIMIT);
        out.push(frame(40), LIMIT).unwrap();
        assert_eq!(drain(&mut out).len(), 41);
        assert_eq!(out.replayed, 0);
    }

    #[test]
    fn a_single_push_above_the_limit_still_goes_out() {
        let mut out = Outbound::default();
        assert_eq!(out.push(Bytes::from(vec![0; 5000]), LIMIT), Ok(()));
        assert!(out.next(LIMIT).is_some());
        assert_eq!(out.held_bytes, 0);
    }
}
