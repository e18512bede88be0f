//! Brings a new session up to date: tells what is held, page by page, and takes what is missing.

use std::time::{Duration, Instant};

use proto::Message;
use proto::wire::frame::Body;
use proto::wire::{ConversationSync, Have, Sync, SyncPage, Verdict};

use super::Session;
use super::requests::Origin;
use crate::conversations::{Conversation, ConversationId};
use crate::error::Error;
use crate::event::Event;

/// A disputed conversation is asked about after as long as a request that failed so often.
const DISPUTE_SPREAD: u32 = 3;
/// Conversations a page.
const PAGE: u32 = 100;

impl Session {
    /// Asks for the first page.
    pub(super) fn start_sync(&mut self, now: Instant) {
        self.sync_retry = None;
        self.synced = false;
        self.ask_sync_page(now, bytes::Bytes::new());
    }

    fn ask_sync_page(&mut self, now: Instant, cursor: bytes::Bytes) {
        let sync = Sync { have: self.have(), cursor, limit: PAGE, entries: self.config.sync_entries };
        self.requests.add(Origin::Sync, Box::new(Body::Sync(sync)), Some(now + self.config.request_timeout));
    }

    /// What the device holds, as far as it fits in half a frame.
    ///
    /// Of conversations left out the server sends the newest entries again, which are recognised as repeats.
    fn have(&mut self) -> Vec<Have> {
        let mut room = self.max_frame() / 2;
        self.logs
            .have()
            .take_while(|have| {
                let size = have.encoded_len() + 4;
                let fits = size <= room;
                room = room.saturating_sub(size);
                fits
            })
            .collect()
    }

    pub(super) fn handle_sync_page(&mut self, now: Instant, page: SyncPage) {
        for conversation in page.conversations {
            self.take_synced(now, conversation);
        }
        if !page.next.is_empty() {
            self.ask_sync_page(now, page.next);
            return;
        }
        self.synced = true;
        self.sync_attempts = 0;
        self.events.push_back(Event::Synced);
        for id in self.logs.with_gaps() {
            self.note_gap(now, id);
        }
    }

    /// Takes one conversation's entries, after settling what lies below them.
    fn take_synced(&mut self, now: Instant, synced: ConversationSync) {
        let verdict = synced.verdict();
        let Some(state) = synced.state.and_then(Conversation::from_wire) else { return };
        let (id, epoch) = (state.id, state.epoch);
        let mut doubted = self.logs.is_doubted(id);
        if verdict == Verdict::Reset {
            // The epoch need not tell: a server that has lost something must not begin a new one at every claim.
            self.logs.reset(id, epoch, &mut self.events);
            doubted |= self.logs.is_doubted(id);
        } else {
            self.logs.settle(id, epoch, 0, &mut self.events);
        }
        // Pushes may have overtaken this page, so the position is the log's own and not what was told.
        let Some((_, held_seq)) = self.logs.position(id) else { return };
        let first = synced.entries.first().map(|entry| entry.seq);
        match verdict {
            Verdict::Truncated | Verdict::Unknown => {
                let from = if synced.from_seq > 0 { synced.from_seq } else { first.unwrap_or(state.last_seq + 1) };
                self.skip_below(id, held_seq, from, state.first_seq);
            }
            Verdict::Reset => self.skip_below(id, held_seq, first.unwrap_or(state.last_seq + 1), state.first_seq),
            // Complete: what lies between is not there for this user, so nothing is missed.
            Verdict::Complete => {
                if let Some(first) = first.filter(|&first| first > held_seq + 1) {
                    self.logs.skip_to(id, first - 1, false, &mut self.events);
                }
            }
        }
        for entry in synced.entries {
            self.take_entry(now, id, epoch, entry);
        }
        if verdict == Verdict::Complete {
            self.logs.skip_to(id, state.last_seq, false, &mut self.events);
        }
        if doubted {
            // What made it so may be newer than this page, and was not kept.
            self.logs.doubt(id);
        }
        self.events.push_back(Event::Conversation(Box::new(state)));
    }

    /// Skips to where the page's entries start. Entries that this user could never read are no gap.
    fn skip_below(&mut self, id: ConversationId, held: u64, from: u64, first_readable: u64) {
        if from <= held + 1 {
            return;
        }
        if first_readable > held + 1 {
            self.logs.skip_to(id, first_readable.min(from) - 1, self.logs.begun(id), &mut self.events);
        }
        self.logs.skip_to(id, from - 1, true, &mut self.events);
    }

    /// What is held is not what the server has: it is to say which holds. A whole group may find out at once, hence the delay.
    pub(super) fn dispute(&mut self, now: Instant) {
        let at = now + self.backoff.delay_for(DISPUTE_SPREAD);
        self.sync_retry = Some(self.sync_retry.map_or(at, |due| due.min(at)));
    }

    pub(super) fn sync_failed(&mut self, now: Instant, error: &Error) {
        let asked = match error {
            Error::RetryLater { after, .. } => *after,
            _ => Duration::ZERO,
        };
        self.sync_attempts += 1;
        self.sync_retry = Some(now + asked + self.backoff.delay_for(self.sync_attempts));
    }
}
