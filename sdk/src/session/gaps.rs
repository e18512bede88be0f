//! Fetches what is missing in the middle of a conversation.
//!
//! Entries may overtake each other by a few milliseconds, so a gap gets a short while to close by itself before history is asked
//! for. A gap too long to be worth fetching, or whose entries are gone, is announced to the app and skipped.

use std::time::{Duration, Instant};

use proto::wire::frame::Body;
use proto::wire::{History, HistoryPage};

use super::Session;
use super::logs::Offered;
use super::requests::Origin;
use crate::conversations::ConversationId;
use crate::error::Error;

/// Entries asked for at once.
const PAGE: u32 = 200;
/// Gaps fetched at the same time.
const MAX_RUNNING: usize = 4;
/// How often the server may answer without bringing a gap any further, before it is skipped.
const MAX_FRUITLESS: u32 = 3;

/// One conversation with something missing.
#[derive(Debug)]
pub(super) struct Gap {
    due: Instant,
    running: bool,
    /// Answers that brought nothing.
    fruitless: u32,
    /// Answers that were errors.
    failures: u32,
}

impl Gap {
    /// The connection is gone, and with it the answer.
    pub(super) fn lost(&mut self, now: Instant) {
        self.running = false;
        self.due = now;
    }
}

impl Session {
    /// Something below an entry is missing.
    pub(super) fn note_gap(&mut self, now: Instant, id: ConversationId) {
        let due = now + self.config.gap_wait;
        self.gaps.entry(id).or_insert(Gap { due, running: false, fruitless: 0, failures: 0 });
    }

    /// When a gap comes due. While the session is being synchronised none does: the pages may close it.
    pub(super) fn next_gap(&self) -> Option<Instant> {
        if !self.synced || self.running_gaps() >= MAX_RUNNING {
            return None;
        }
        self.gaps.values().filter(|gap| !gap.running).map(|gap| gap.due).min()
    }

    /// Looks after every gap that has come due.
    pub(super) fn check_gaps(&mut self, now: Instant) {
        if self.gaps.is_empty() || !self.synced {
            return;
        }
        let mut room = MAX_RUNNING.saturating_sub(self.running_gaps());
        let due: Vec<ConversationId> =
            self.gaps.iter().filter(|(_, gap)| !gap.running && gap.due <= now).map(|(&id, _)| id).collect();
        for id in due {
            if room == 0 {
                return;
            }
            if self.fetch_gap(now, id) {
                room -= 1;
            }
        }
    }

    fn running_gaps(&self) -> usize {
        self.gaps.values().filter(|gap| gap.running).count()
    }

    /// Asks for what is missing, if it still is. Returns whether it asked.
    fn fetch_gap(&mut self, now: Instant, id: ConversationId) -> bool {
        loop {
            let Some(missing) = self.logs.missing(id) else {
                self.gaps.remove(&id);
                return false;
            };
            if missing.to - missing.from < self.config.max_gap {
                let history =
                    History { conversation: Some(id.to_wire()), from_seq: missing.from, forward: true, limit: PAGE };
                let body = Box::new(Body::History(history));
                self.requests.add(Origin::Gap(id), body, Some(now + self.config.request_timeout));
                if let Some(gap) = self.gaps.get_mut(&id) {
                    gap.running = true;
                }
                return true;
            }
            // Each round moves past at least one missing entry, so this ends.
            self.logs.skip_to(id, missing.to, true, &mut self.events);
        }
    }

    pub(super) fn handle_gap_page(&mut self, now: Instant, id: ConversationId, page: HistoryPage) {
        let before = self.logs.position(id);
        self.logs.settle(id, page.epoch, page.last_seq, &mut self.events);
        let Some((_, seq)) = self.logs.position(id) else { return };
        if page.first_seq > seq + 1 {
            // What lies below is not there, or not this user's to read. Only who had a position might have expected it.
            let announce = self.logs.begun(id);
            self.logs.skip_to(id, page.first_seq - 1, announce, &mut self.events);
        }
        for entry in page.entries {
            if self.logs.offer(id, page.epoch, entry, &mut self.events) == Offered::Contradicted {
                self.dispute(now);
            }
        }
        let progress = self.logs.position(id) != before;
        let Some(missing) = self.logs.missing(id) else {
            self.gaps.remove(&id);
            return;
        };
        let Some(gap) = self.gaps.get_mut(&id) else { return };
        gap.running = false;
        gap.failures = 0;
        if progress {
            gap.fruitless = 0;
            gap.due = now;
        } else {
            gap.fruitless += 1;
            gap.due = now + self.config.gap_wait * (1 << gap.fruitless.min(8));
            if gap.fruitless > MAX_FRUITLESS {
                self.gaps.remove(&id);
                self.logs.skip_to(id, missing.to, true, &mut self.events);
                if self.logs.missing(id).is_some() {
                    self.note_gap(now, id);
                }
            }
        }
    }

    pub(super) fn gap_failed(&mut self, now: Instant, id: ConversationId, error: &Error) {
        if matches!(error, Error::Denied(_) | Error::NotFound(_)) {
            // The conversation is no longer this user's; what is missing of it will stay so.
            while let Some(missing) = self.logs.missing(id) {
                self.logs.skip_to(id, missing.to, true, &mut self.events);
            }
            self.gaps.remove(&id);
            return;
        }
        let asked = match error {
            Error::RetryLater { after, .. } => *after,
            _ => Duration::ZERO,
        };
        let Some(gap) = self.gaps.get_mut(&id) else { return };
        gap.running = false;
        gap.failures += 1;
        gap.due = now + asked + self.backoff.delay_for(gap.failures);
    }
}
