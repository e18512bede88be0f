//! An open session: what arrives, and what time does to it.

use std::time::{Duration, Instant};

use proto::entry::{self, Entry};
use proto::wire::error::Code;
use proto::wire::frame::Body;
use proto::wire::{self, Delivery, Ping, Pong, Push, PushAck, Send, SendAck};

use super::logs::Offered;
use super::requests::{Origin, Repetition};
use super::{Session, State};
use crate::conversations::{ConversationId, Receipt};
use crate::error::Error;
use crate::event::{Delivered, Event};
use crate::presence::Presence;

/// How often to say something when the server named no interval.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(60);

impl Session {
    pub(super) fn handle_open(&mut self, now: Instant, id: u64, body: Body) {
        match body {
            Body::Push(push) => self.handle_push(now, push),
            Body::SendAck(ack) => self.handle_send_ack(now, id, ack),
            Body::Error(error) if id == 0 => self.handle_connection_error(now, error),
            Body::Error(error) => self.handle_request_error(now, id, error),
            Body::Kicked(kicked) => self.handle_kicked(kicked),
            Body::Drain(drain) => {
                let delay = Duration::from_millis(u64::from(drain.reconnect_after_ms));
                self.leave_at = Some(now + delay);
                self.events.push_back(Event::Draining { reconnect_in: delay });
            }
            Body::Resync(resync) => {
                let at = now + Duration::from_millis(u64::from(resync.after_ms));
                self.sync_retry = Some(self.sync_retry.map_or(at, |due| due.min(at)));
            }
            Body::Ping(Ping {}) => {
                let body = Some(Body::Pong(Pong { server_time: 0 }));
                self.frames.push_back(Box::new(wire::Frame { id, body }));
            }
            Body::Pong(_) | Body::Welcome(_) => {}
            Body::Receipt(receipt) => self.events.extend(Receipt::from_wire(&receipt).map(Event::Receipt)),
            Body::Typing(typing) => {
                if let Some(conversation) = ConversationId::from_wire(typing.conversation.as_ref()) {
                    let (user, active) = (typing.user, typing.active);
                    self.events.push_back(Event::Typing { conversation, user, active });
                }
            }
            Body::PresenceList(list) if id == 0 => {
                self.events
                    .extend(list.presences.into_iter().map(|presence| Event::Presence(Presence::from(presence))));
            }
            answer => self.handle_answer(now, id, answer),
        }
    }

    fn handle_push(&mut self, now: Instant, push: Push) {
        self.received += 1;
        if self.received - self.acked >= self.config.ack_every {
            self.ack_pushes(now);
        } else {
            self.ack_at.get_or_insert(now + self.config.ack_after);
        }
        for delivery in push.deliveries {
            self.handle_delivery(now, delivery);
        }
    }

    fn handle_delivery(&mut self, now: Instant, delivery: Delivery) {
        let (Some(id), Some(entry)) = (ConversationId::from_wire(delivery.conversation.as_ref()), delivery.entry)
        else {
            return; // A conversation of a kind that this version does not know.
        };
        if delivery.online_only || entry.seq == 0 {
            let delivered = Delivered { conversation: id, epoch: delivery.epoch, entry };
            self.events.push_back(Event::OnlineOnly(Box::new(delivered)));
            return;
        }
        self.take_entry(now, id, delivery.epoch, entry);
    }

    /// Puts an entry in its place, and minds the gap below it.
    pub(super) fn take_entry(&mut self, now: Instant, id: ConversationId, epoch: u64, entry: Entry) {
        match self.logs.offer(id, epoch, entry, &mut self.events) {
            Offered::Early | Offered::Doubtful => self.note_gap(now, id),
            Offered::Contradicted => self.dispute(now),
            Offered::Delivered | Offered::Repeat => {}
        }
    }

    fn ack_pushes(&mut self, now: Instant) {
        self.acked = self.received;
        self.ack_at = None;
        self.say(now, Body::PushAck(PushAck { received: self.received }));
    }

    /// An own message got its place. The gateway does not push it to the session that sent it, so the entry is made from the ack.
    fn handle_send_ack(&mut self, now: Instant, id: u64, ack: SendAck) {
        let Some(request) = self.requests.answered(id) else { return };
        let (Origin::App(call), Body::Send(send)) = (request.origin, *request.body) else { return };
        let conversation = ConversationId::from_wire(ack.conversation.as_ref().or(send.conversation.as_ref()));
        if let Some(conversation) = conversation.filter(|_| ack.seq > 0) {
            if self.logs.lacks(conversation, ack.epoch, ack.seq) {
                let entry = self.own_entry(send, &ack);
                self.take_entry(now, conversation, ack.epoch, entry);
            } else if self.logs.contradicts(conversation, ack.epoch, ack.seq, ack.message_id) {
                self.dispute(now);
            }
        }
        self.replies.push_back((call, Ok(Box::new(Body::SendAck(ack)))));
    }

    fn own_entry(&self, send: Send, ack: &SendAck) -> Entry {
        Entry {
            seq: ack.seq,
            message_id: ack.message_id,
            sender: self.welcome.as_ref().map_or(0, |welcome| welcome.user),
            time: ack.time,
            client_msg_id: send.client_msg_id,
            body: send.content.map(entry::entry::Body::Message),
        }
    }

    fn handle_answer(&mut self, now: Instant, id: u64, answer: Body) {
        let Some(request) = self.requests.answered(id) else { return };
        match (request.origin, answer) {
            (Origin::App(call), answer) => self.replies.push_back((call, Ok(Box::new(answer)))),
            (Origin::Sync, Body::SyncPage(page)) => self.handle_sync_page(now, page),
            (Origin::Gap(id), Body::HistoryPage(page)) => self.handle_gap_page(now, id, page),
            (origin, _) => self.fail(now, origin, Error::Protocol("an answer of another kind".to_owned())),
        }
    }

    fn handle_request_error(&mut self, now: Instant, id: u64, error: wire::Error) {
        let Some(request) = self.requests.get(id) else { return };
        let passing = matches!(error.code(), Code::RetryLater | Code::Unavailable);
        if passing && request.repetition == Repetition::Send {
            let asked = Duration::from_millis(u64::from(error.retry_after_ms));
            let attempts = request.attempts;
            let at = now + asked + self.backoff.delay_for(attempts);
            self.requests.retry(id, at);
            return;
        }
        if let Some(request) = self.requests.answered(id) {
            self.fail(now, request.origin, Error::from(error));
        }
    }

    /// An error about the connection as a whole: the server ends it.
    fn handle_connection_error(&mut self, now: Instant, error: wire::Error) {
        if error.code() == Code::Unauthenticated {
            self.ticket = None;
            self.close(Error::from(error));
            return;
        }
        if error.retry_after_ms > 0 {
            self.leave_at = Some(now + Duration::from_millis(u64::from(error.retry_after_ms)));
        }
        self.drop_connection(now, &error.message);
    }

    /// Whatever of an open session has come due.
    pub(super) fn handle_open_timeout(&mut self, now: Instant) {
        if self.leave_at.is_some_and(|at| at <= now) {
            self.drop_connection(now, "the server is about to stop");
            return;
        }
        if self.reading && self.answer_by.is_some_and(|by| by <= now) {
            self.drop_connection(now, "the server does not answer");
            return;
        }
        if self.ack_at.is_some_and(|at| at <= now) {
            self.ack_pushes(now);
        }
        if self.next_ping() <= now {
            self.say(now, Body::Ping(Ping {}));
            self.answer_by.get_or_insert(now + self.config.silence_timeout);
        }
        if self.sync_retry.is_some_and(|at| at <= now) {
            self.start_sync(now);
        }
        self.check_gaps(now);
    }

    /// When [`Self::handle_open_timeout`] has something to do.
    pub(super) fn open_timeout(&self) -> Option<Instant> {
        debug_assert!(matches!(self.state, State::Open { .. }));
        let answer_by = self.answer_by.filter(|_| self.reading);
        [self.leave_at, answer_by, self.ack_at, self.sync_retry, self.next_gap(), Some(self.next_ping())]
            .into_iter()
            .flatten()
            .min()
    }

    /// When something has to be said to stay connected.
    fn next_ping(&self) -> Instant {
        let announced = self.welcome.as_ref().map_or(0, |welcome| welcome.heartbeat_ms);
        let interval = if announced == 0 { DEFAULT_HEARTBEAT } else { Duration::from_millis(u64::from(announced)) };
        self.last_sent + interval
    }
}
