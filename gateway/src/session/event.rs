//! Events: what a session does with what others did.

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::{ConversationId, UserId, record};
use proto::wire;
use wire::error::Code;
use wire::frame::Body;

use super::exchange::{Asked, Call};
use super::outbound::Outbound;
use super::{After, Session, State, millis};
use crate::error::coded;

/// Something that the session's client should learn. Frames are encoded once for all sessions.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A conversation's log grew.
    Appended { appended: &'a record::Appended, frame: Bytes },
    /// Someone's read mark moved.
    ReadMoved { moved: &'a record::ReadMoved, frame: Bytes },
    /// Someone is writing.
    Typed { user: UserId, frame: Bytes },
    /// A watched user came or went.
    PresenceMoved { frame: Bytes },
    /// The session is over.
    Kick { reason: i32, message: &'a str },
    /// The same device has logged in again: the session is over, and nobody needs to be told.
    Replaced,
    /// Events were lost before they came here: the client should compare with the store.
    Missed { after: Duration },
    /// The gateway stops.
    Drain { reconnect_after: Duration },
    /// The gateway stops at once.
    Cut,
}

impl Session {
    /// Something happened that the client should learn. Returns whether the session has something to do now.
    pub fn handle_event(&mut self, now: Instant, event: &Event<'_>) -> bool {
        match self.state {
            State::Ended => return false,
            _ if matches!(event, Event::Cut) => {
                let parked = self.state == State::Parked;
                self.enter(now, if parked { State::Ended } else { State::Cut(After::End) });
                return true;
            }
            State::Fresh | State::Authenticating { .. } => return self.handle_event_before_login(now, event),
            State::Closing(after) | State::Cut(after) => return self.handle_event_while_closing(after, event),
            State::Open | State::Draining | State::Parked => {}
        }
        match event {
            Event::Appended { appended, frame } => {
                if !self.acknowledge(appended) {
                    self.push(now, frame, appended.online_only);
                }
            }
            Event::ReadMoved { moved, frame } => {
                if !self.is_own_read(moved) {
                    self.hint(frame);
                }
            }
            Event::Typed { user, frame } => {
                if self.identity.as_ref().is_none_or(|identity| identity.user != *user) {
                    self.hint(frame);
                }
            }
            Event::PresenceMoved { frame } => self.hint(frame),
            Event::Kick { reason, message } => {
                let kicked = wire::Kicked { reason: *reason, message: (*message).to_owned() };
                self.end(now, Some(Body::Kicked(kicked)));
            }
            Event::Replaced => self.end(now, None),
            Event::Missed { after } => self.miss(now, *after),
            Event::Drain { reconnect_after } => self.drain(now, *reconnect_after),
            Event::Cut => {}
        }
        true
    }

    fn handle_event_before_login(&mut self, now: Instant, event: &Event<'_>) -> bool {
        match event {
            Event::Drain { reconnect_after } => {
                let drain = wire::Drain { reconnect_after_ms: millis(*reconnect_after) };
                self.answer(0, Body::Drain(drain));
                self.enter(now, State::Closing(After::End));
                true
            }
            _ => false,
        }
    }

    /// The connection ends, but its session may be resumed: entries are kept for that.
    fn handle_event_while_closing(&mut self, after: After, event: &Event<'_>) -> bool {
        match event {
            Event::Appended { appended, frame } if after == After::Park && !appended.online_only => {
                // If that is too much, the session knows that it is no longer complete.
                let _ = self.out.push(frame.clone(), self.config.resume_buffer.bytes());
            }
            Event::Kick { .. } | Event::Replaced | Event::Drain { .. } => {
                self.state = match self.state {
                    State::Cut(_) => State::Cut(After::End),
                    _ => State::Closing(After::End),
                };
            }
            _ => {}
        }
        true
    }

    /// If this entry is what the client is waiting to have acknowledged, acknowledges it here, in the push's place.
    fn acknowledge(&mut self, appended: &record::Appended) -> bool {
        let Some(entry) = &appended.entry else { return false };
        if self.pending.is_empty() || self.identity.as_ref().is_none_or(|identity| identity.user.0 != entry.sender) {
            return false;
        }
        let place = appended.conversation.as_ref().and_then(ConversationId::from_wire);
        let found = self.pending.iter_mut().find_map(|pending| match &mut pending.kind {
            Asked::Send { client_msg_id, conversation, acked, .. }
                if !*acked && **client_msg_id == *entry.client_msg_id && Some(*conversation) == place =>
            {
                *acked = true;
                Some(pending.id)
            }
            _ => None,
        });
        let Some(answer_to) = found else { return false };
        let Some(id) = answer_to else { return true };
        let ack = wire::SendAck {
            client_msg_id: entry.client_msg_id.clone(),
            conversation: appended.conversation,
            epoch: appended.epoch,
            seq: entry.seq,
            message_id: entry.message_id,
            time: entry.time,
        };
        self.answer(id, Body::SendAck(ack));
        true
    }

    fn is_own_read(&self, moved: &record::ReadMoved) -> bool {
        let place = moved.conversation.as_ref().and_then(ConversationId::from_wire);
        self.identity.as_ref().is_some_and(|identity| identity.user.0 == moved.user)
            && self.pending.iter().any(|pending| {
                matches!(pending.kind, Asked::Read { conversation, seq } if Some(conversation) == place && seq >= moved.seq)
            })
    }

    fn push(&mut self, now: Instant, frame: &Bytes, online_only: bool) {
        let parked = self.state == State::Parked;
        if parked && online_only {
            return;
        }
        let limit = if parked { &self.config.resume_buffer } else { &self.config.outbound_queue };
        if self.out.push(frame.clone(), limit.bytes()).is_err() && !parked {
            self.close(now, coded(Code::SlowConsumer, "too much waits to be read: reconnect and sync"), After::Park);
        }
    }

    fn hint(&mut self, frame: &Bytes) {
        if self.state != State::Parked {
            self.out.hint(frame.clone(), self.config.outbound_queue.bytes());
        }
    }

    /// What was lost may have been entries, which the client then asks for, or the end of this session, which is asked for here.
    fn miss(&mut self, now: Instant, after: Duration) {
        match self.state {
            // Nobody is there to ask: the client logs in anew.
            State::Parked => self.enter(now, State::Ended),
            State::Open => {
                self.answer(0, Body::Resync(wire::Resync { after_ms: millis(after) }));
                self.calls.push_back(Call::Confirm);
            }
            _ => {}
        }
    }

    fn drain(&mut self, now: Instant, reconnect_after: Duration) {
        if self.state == State::Parked {
            return self.enter(now, State::Ended);
        }
        self.answer(0, Body::Drain(wire::Drain { reconnect_after_ms: millis(reconnect_after) }));
        self.enter(now, State::Draining);
        self.settle_at(now);
    }

    /// Ends the session, with last words or without.
    fn end(&mut self, now: Instant, last: Option<Body>) {
        if self.state == State::Parked {
            self.out = Outbound::default();
            return self.enter(now, State::Ended);
        }
        if let Some(body) = last {
            self.answer(0, body);
        }
        self.enter(now, State::Closing(After::End));
    }
}
