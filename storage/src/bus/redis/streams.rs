//! What one process sends to another is numbered, so that a hole is seen.
//!
//! A *stream* is everything that one publisher has for one process. Publications in it are counted from zero, lost ones too.
//! A frame says how many came before its first one; a frame without publications only says how many there were.

use std::collections::HashMap;

use super::names::Boot;

/// How many publishers are remembered. One that was forgotten makes its next frame look like a hole, once.
const PUBLISHERS: usize = 4_096;

/// What a frame says besides its publications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) publisher: Boot,
    /// Grows whenever the publisher has forgotten how far it was, and begins anew.
    pub(super) stream: u64,
    /// How many publications of the stream came before those of this frame.
    pub(super) before: u64,
}

/// What a frame turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// How many publications at the front were here before.
    pub(super) repeated: usize,
    /// Whether some before this frame never arrived, and how many for certain.
    pub(super) missed: Option<u64>,
}

/// The streams that end in this process.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    streams: HashMap<Boot, Position>,
    frames: u64,
}

#[derive(Debug)]
struct Position {
    stream: u64,
    next: u64,
    // Which frame was this publisher's last, counting all.
    frame: u64,
}

impl Incoming {
    /// Takes note of a frame with `count` publications.
    pub(super) fn take(&mut self, header: Header, count: usize) -> Arrival {
        self.frames += 1;
        let end = header.before + count as u64;
        let fresh = Position { stream: header.stream, next: end, frame: self.frames };
        let Some(known) = self.streams.get_mut(&header.publisher) else {
            self.make_room();
            self.streams.insert(header.publisher, fresh);
            return Arrival { repeated: 0, missed: (header.before > 0).then_some(header.before) };
        };
        if header.stream < known.stream {
            // From before the publisher began anew: what it was has been told as missed.
            return Arrival { repeated: count, missed: None };
        }
        if header.stream > known.stream {
            *known = fresh;
            return Arrival { repeated: 0, missed: Some(header.before) };
        }
        let missed = header.before.checked_sub(known.next).filter(|missed| *missed > 0);
        let repeated = usize::try_from(known.next.saturating_sub(header.before)).unwrap_or(count).min(count);
        known.next = known.next.max(end);
        known.frame = self.frames;
        Arrival { repeated, missed }
    }

    /// Forgets the half of the publishers that have been silent for longest.
    fn make_room(&mut self) {
        if self.streams.len() < PUBLISHERS {
            return;
        }
        let mut frames: Vec<u64> = self.streams.values().map(|position| position.frame).collect();
        let (_, median, _) = frames.select_nth_unstable(PUBLISHERS / 2);
        let median = *median;
        self.streams.retain(|_, position| position.frame >= median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(publisher: Boot, stream: u64, before: u64) -> Header {
        Header { publisher, stream, before }
    }

    fn arrival(repeated: usize, missed: Option<u64>) -> Arrival {
        Arrival { repeated, missed }
    }

    #[test]
    fn holes_are_seen_and_repetitions_skipped() {
        let (one, other) = (Boot::random(), Boot::random());
        let mut incoming = Incoming::default();
        assert_eq!(incoming.take(frame(one, 1, 0), 3), arrival(0, None));
        assert_eq!(incoming.take(frame(one, 1, 3), 2), arrival(0, None));
        // The same frame again, since its answer was lost; then one that overlaps.
        assert_eq!(incoming.take(frame(one, 1, 3), 2), arrival(2, None));
        assert_eq!(incoming.take(frame(one, 1, 4), 2), arrival(1, None));
        // Publishers do not mix.
        assert_eq!(incoming.take(frame(other, 1, 0), 1), arrival(0, None));
        // Numbers 6 and 7 never came.
        assert_eq!(incoming.take(frame(one, 1, 8), 1), arrival(0, Some(2)));
        // A frame without publications tells how far it is.
        assert_eq!(incoming.take(frame(one, 1, 9), 0), arrival(0, None));
        assert_eq!(incoming.take(frame(one, 1, 11), 0), arrival(0, Some(2)));
        assert_eq!(incoming.take(frame(one, 1, 11), 1), arrival(0, None));
    }

    #[test]
    fn a_first_frame_that_is_not_the_first_is_a_hole() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.take(frame(Boot::random(), 1, 4), 1), arrival(0, Some(4)));
        assert_eq!(incoming.take(frame(Boot::random(), 1, 4), 0), arrival(0, Some(4)));
        assert_eq!(incoming.take(frame(Boot::random(), 1, 0), 0), arrival(0, None));
    }

    #[test]
    fn a_publisher_that_begins_anew_is_a_hole_of_unknown_size() {
        let one = Boot::random();
        let mut incoming = Incoming::default();
        incoming.take(frame(one, 1, 0), 3);
        assert_eq!(incoming.take(frame(one, 2, 0), 1), arrival(0, Some(0)));
        assert_eq!(incoming.take(frame(one, 1, 3), 2), arrival(2, None));
        assert_eq!(incoming.take(frame(one, 2, 1), 1), arrival(0, None));
    }

    #[test]
    fn publishers_without_number_take_bounded_memory() {
        let regular = Boot::random();
        let mut incoming = Incoming::default();
        for n in 0..20_000 {
            incoming.take(frame(Boot::random(), 1, 0), 1);
            assert_eq!(incoming.take(frame(regular, 1, n), 1), arrival(0, None));
        }
        assert!(incoming.streams.len() <= PUBLISHERS);
    }
}
