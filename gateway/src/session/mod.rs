//! One client's session, as a state machine: no socket, no task, no clock, no `async`.
//!
//! Inputs are frames, replies of the domain, events, and time; outputs are frames to send ([`Session::poll_transmit`]), calls to
//! make ([`Session::poll_call`]) and when to wake it ([`Session::poll_timeout`]). `drive.rs` moves the bytes, `call.rs` makes the
//! calls, `registry.rs` brings the events and `sweep.rs` the time.
//!
//! A session outlives its connection: when that drops, the session is *parked*, goes on collecting pushes within a bound,
//! and is taken up again by whoever shows its ticket within the resume window.
//!
//! # How a sending device learns of its own messages
//! Every device of a conversation gets its entries as pushes, in seq order. The session that sent one gets the `SendAck` *in the
//! push's place*: at the very point of its outgoing order where the push would stand. So a client that counts an ack as the entry
//! it acknowledges sees every seq once and in order. If the connection drops before the ack, the entry comes as an ordinary push
//! (it carries the `client_msg_id`), or with the next sync.

mod outbound;
mod request;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::messages::Sent;
use domain::{Caller, ConversationId, SessionId, UserId, record};
use proto::{Message, frame, wire};
use wire::error::Code;
use wire::frame::Body;

use crate::config::Config;
use crate::error::{coded, from_domain, from_frame, invalid, retry_later};
use crate::limit::Bucket;
use outbound::{Continuity, Outbound};
pub use request::{PageOf, Request};

/// Requests refused in a row for their rate before the connection is ended: such a client does not listen.
const REFUSALS: u16 = 256;

/// The time, as both clocks tell it.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For spans of time.
    pub at: Instant,
    /// Unix milliseconds, to tell clients.
    pub unix_ms: i64,
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    state: State,
    /// Since when it is in that state.
    since: Instant,
    last_heard: Instant,
    /// Since when the client has not taken what waits to be sent.
    stalled: Option<Instant>,
    identity: Option<Box<Identity>>,
    out: Outbound,
    calls: VecDeque<Call>,
    pending: Vec<Pending>,
    next_key: u32,
    frames: Bucket,
    refused: u16,
}

/// Who is at the other end.
#[derive(Debug)]
pub struct Identity {
    pub caller: Caller,
    pub user: UserId,
    /// What string dialects call the user.
    pub uid: Box<str>,
    pub session: SessionId,
    pub device_id: Box<str>,
    /// `wire.Platform`.
    pub platform: i32,
    /// Name and version of the client, for the record of its devices.
    pub client: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Connected; nothing was said yet.
    Fresh,
    /// The token is being checked, or the ticket looked up. `id` is the request's.
    Authenticating { id: u64 },
    Open,
    /// The gateway stops: what is under way is finished, nothing new is begun.
    Draining,
    /// Last frames are on their way.
    Closing(After),
    /// Not another byte is sent.
    Cut(After),
    /// Without a connection, waiting to be resumed.
    Parked,
    Ended,
}

/// What becomes of a session whose connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Park,
    End,
}

/// What the driver should do with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Go on.
    Running,
    /// Send what is queued, then end the connection in good order.
    Closing,
    /// Drop the connection at once.
    Gone,
}

/// Something for the driver to do.
#[derive(Debug)]
pub enum Call {
    /// Check a token.
    Authenticate(Login),
    /// Find the session of a ticket.
    Resume { id: u64, ticket: Bytes, received: u64 },
    /// Ask the domain.
    Ask { key: u32, request: Request },
}

/// What a client says of itself when it logs in.
#[derive(Clone)]
pub struct Login {
    pub token: String,
    pub device_id: Box<str>,
    /// `wire.Platform`.
    pub platform: i32,
    pub client: Box<str>,
}

/// What came of a call.
#[derive(Debug)]
pub enum Reply {
    /// The token is good: this is who it is, and the ticket to resume the session with.
    Authenticated { identity: Box<Identity>, ticket: Bytes },
    /// The token is not good, or cannot be checked.
    Refused(domain::Error),
    /// The ticket resumes nothing.
    StaleTicket,
    /// A message is durable, or was refused.
    Sent { key: u32, outcome: Result<Sent, domain::Error> },
    /// Any other request was served, or refused. `Body::Ok` where there is nothing else to say.
    Answer { key: u32, outcome: Result<Box<Body>, domain::Error> },
}

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
    /// The gateway stops.
    Drain { reconnect_after: Duration },
    /// The gateway stops at once.
    Cut,
}

/// A request under way.
#[derive(Debug)]
struct Pending {
    key: u32,
    id: u64,
    kind: Asked,
}

#[derive(Debug)]
enum Asked {
    Anything,
    /// Nobody waits for the answer.
    Unanswered,
    Send { client_msg_id: Box<str>, conversation: ConversationId, acked: bool },
    Read { conversation: ConversationId, seq: u64 },
}

impl Session {
    /// The session of a new connection.
    #[must_use]
    pub fn new(config: Arc<Config>, now: Instant) -> Self {
        Self {
            config,
            state: State::Fresh,
            since: now,
            last_heard: now,
            stalled: None,
            identity: None,
            out: Outbound::default(),
            calls: VecDeque::new(),
            pending: Vec::new(),
            next_key: 0,
            frames: Bucket::new(now),
            refused: 0,
        }
    }

    // ------------------------------------------------------------ inputs

    /// A frame arrived.
    pub fn handle_frame(&mut self, now: Now, frame: wire::Frame) {
        self.last_heard = now.at;
        match self.state {
            State::Fresh => self.greet(now, frame),
            State::Open | State::Draining => {
                if let Err(wait) = self.frames.take(now.at, self.config.frames) {
                    return self.refuse(now, frame.id, wait);
                }
                self.refused = 0;
                self.serve(now, frame);
            }
            // The driver reads nothing while a token is checked, nor after the end.
            State::Authenticating { .. } | State::Closing(_) | State::Cut(_) | State::Parked | State::Ended => {}
        }
        self.settle(now);
    }

    /// What arrived is no frame.
    pub fn handle_malformed(&mut self, now: Now, error: &frame::Error) {
        let after = self.after_fault();
        self.close(now.at, from_frame(error), after);
    }

    /// A call is done.
    pub fn handle_reply(&mut self, now: Now, reply: Reply) {
        match reply {
            Reply::Authenticated { identity, ticket } => {
                if let State::Authenticating { id } = self.state {
                    self.identity = Some(identity);
                    self.welcome(now, id, ticket, wire::Resumed::New);
                }
            }
            Reply::Refused(error) => self.refuse_login(now, from_domain(&error)),
            Reply::StaleTicket => {
                self.refuse_login(now, coded(Code::StaleTicket, "the ticket cannot be resumed: log in anew"));
            }
            Reply::Sent { key, outcome } => self.finish_send(now, key, outcome),
            Reply::Answer { key, outcome } => self.finish(now, key, outcome),
        }
        self.settle(now);
    }

    /// Something happened that the client should learn. Returns whether the session has something to do now.
    pub fn handle_event(&mut self, now: Instant, event: &Event<'_>) -> bool {
        match self.state {
            State::Ended => return false,
            _ if matches!(event, Event::Cut) => {
                let parked = self.state == State::Parked;
                self.enter(now, if parked { State::Ended } else { State::Cut(After::End) });
                return true;
            }
            State::Open | State::Draining | State::Parked => {}
            State::Fresh | State::Authenticating { .. } => return self.handle_event_before_login(now, event),
            State::Closing(_) | State::Cut(_) => {
                if let Event::Kick { .. } | Event::Replaced | Event::Drain { .. } = event {
                    self.state = match self.state {
                        State::Cut(_) => State::Cut(After::End),
                        _ => State::Closing(After::End),
                    };
                }
                return true;
            }
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
            Event::Drain { reconnect_after } => self.drain(now, *reconnect_after),
            Event::Cut => {}
        }
        true
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match self.state {
            State::Fresh | State::Authenticating { .. } => {
                self.close(now, coded(Code::Timeout, "no login in time"), After::End);
            }
            State::Open | State::Draining if self.is_stalled(now) => self.enter(now, State::Cut(After::Park)),
            State::Open | State::Draining => {
                self.close(now, coded(Code::Timeout, "no heartbeat in time"), After::Park);
            }
            State::Closing(after) => self.enter(now, State::Cut(after)),
            State::Parked => self.enter(now, State::Ended),
            State::Cut(_) | State::Ended => {}
        }
    }

    /// The client has begun not to take what is sent (`Some`), or has taken something (`None`).
    pub fn handle_stall(&mut self, since: Option<Instant>) {
        match since {
            Some(since) => self.stalled = self.stalled.or(Some(since)),
            None => self.stalled = None,
        }
    }

    /// The connection is gone.
    pub fn handle_disconnect(&mut self, now: Instant) {
        self.calls = VecDeque::new();
        self.pending = Vec::new();
        self.stalled = None;
        let resumable = match self.state {
            State::Open | State::Closing(After::Park) | State::Cut(After::Park) => true,
            State::Fresh
            | State::Authenticating { .. }
            | State::Draining
            | State::Closing(After::End)
            | State::Cut(After::End)
            | State::Ended => false,
            State::Parked => return,
        };
        if resumable && !self.config.resume_window.is_zero() {
            self.out.park();
            self.enter(now, State::Parked);
        } else {
            self.out = Outbound::default();
            self.enter(now, State::Ended);
        }
    }

    /// A new connection showed this session's ticket, as request `id`, and takes it over. False if the session is over.
    pub fn handle_resume(&mut self, now: Now, id: u64, ticket: Bytes, received: u64) -> bool {
        self.handle_disconnect(now.at);
        if self.state != State::Parked {
            return false;
        }
        self.last_heard = now.at;
        let resumed = match self.out.resume(received) {
            Continuity::Complete => wire::Resumed::Complete,
            Continuity::Broken => wire::Resumed::Resync,
        };
        // The Welcome goes first: what was queued waits behind it.
        let queued = std::mem::take(&mut self.out);
        self.welcome(now, id, ticket, resumed);
        let welcome = std::mem::replace(&mut self.out, queued);
        self.out.go_first(welcome);
        true
    }

    // ------------------------------------------------------------ outputs

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        match self.state {
            State::Cut(_) | State::Parked | State::Ended => None,
            _ => self.out.next(self.config.resume_buffer.bytes()),
        }
    }

    /// The next call to make.
    pub fn poll_call(&mut self) -> Option<Call> {
        let call = self.calls.pop_front();
        if self.calls.is_empty() && self.calls.capacity() > 0 {
            self.calls = VecDeque::new();
        }
        call
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Fresh | State::Authenticating { .. } => Some(self.since + self.config.login_deadline),
            State::Open | State::Draining => {
                let silence = self.last_heard + 2 * self.config.heartbeat;
                Some(self.stalled.map_or(silence, |since| silence.min(since + self.config.write_deadline)))
            }
            State::Closing(_) => Some(self.since + self.config.linger),
            State::Parked => Some(self.since + self.config.resume_window),
            State::Cut(_) | State::Ended => None,
        }
    }

    /// Whether frames may be handed in: not while a token is checked, too many requests are under way, or too much waits to be sent.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        match self.state {
            State::Fresh => true,
            State::Open | State::Draining => {
                self.pending.len() < self.config.max_in_flight.max(1)
                    && self.out.waiting() <= self.config.outbound_queue.bytes()
            }
            _ => false,
        }
    }

    /// Largest frame that the client may send now, bytes.
    #[must_use]
    pub fn frame_limit(&self) -> usize {
        match self.state {
            State::Fresh | State::Authenticating { .. } => self.config.max_login_frame.bytes(),
            _ => self.config.max_frame.bytes(),
        }
    }

    /// What the driver should do with the connection.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.state {
            State::Fresh | State::Authenticating { .. } | State::Open | State::Draining => Status::Running,
            State::Closing(_) => Status::Closing,
            State::Cut(_) | State::Parked | State::Ended => Status::Gone,
        }
    }

    /// Whether nothing is left of it.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether it waits for its client to come back.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.state == State::Parked
    }

    /// Whether a client is logged in, or may come back.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.identity.is_some() && !matches!(self.state, State::Ended | State::Cut(After::End) | State::Closing(After::End))
    }

    /// Who is at the other end, once that is known.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    // ------------------------------------------------------------ before the login

    /// The first frame: a login or a ticket, nothing else.
    fn greet(&mut self, now: Now, frame: wire::Frame) {
        let id = frame.id;
        match frame.body {
            Some(Body::Hello(hello)) => match check_hello(&hello) {
                Ok(()) => {
                    self.state = State::Authenticating { id };
                    self.calls.push_back(Call::Authenticate(Login {
                        token: hello.token,
                        device_id: hello.device_id.into(),
                        platform: hello.platform,
                        client: hello.client.into(),
                    }));
                }
                Err(error) => {
                    self.state = State::Authenticating { id };
                    self.refuse_login(now, error);
                }
            },
            Some(Body::Resume(resume)) => {
                self.state = State::Authenticating { id };
                self.calls.push_back(Call::Resume { id, ticket: resume.ticket, received: resume.received });
            }
            Some(_) | None => {
                let error = coded(Code::Unauthenticated, "the first frame is Hello or Resume");
                self.answer(id, Body::Error(error));
                self.enter(now.at, State::Closing(After::End));
            }
        }
    }

    fn refuse_login(&mut self, now: Now, error: wire::Error) {
        if let State::Authenticating { id } = self.state {
            self.answer(id, Body::Error(error));
            self.enter(now.at, State::Closing(After::End));
        }
    }

    fn welcome(&mut self, now: Now, id: u64, ticket: Bytes, resumed: wire::Resumed) {
        let Some(identity) = &self.identity else { return };
        let welcome = wire::Welcome {
            user: identity.user.0,
            uid: identity.uid.to_string(),
            session: identity.session.0,
            ticket,
            resume_window_ms: millis(self.config.resume_window),
            heartbeat_ms: millis(self.config.heartbeat),
            server_time: now.unix_ms,
            resumed: resumed.into(),
            max_frame: self.config.max_frame.0,
            capabilities: Vec::new(),
        };
        self.enter(now.at, State::Open);
        self.answer(id, Body::Welcome(welcome));
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

    // ------------------------------------------------------------ requests

    fn serve(&mut self, now: Now, frame: wire::Frame) {
        let id = frame.id;
        let Some(body) = frame.body else {
            return self.answer_error(id, coded(Code::Unsupported, "unknown command"));
        };
        match body {
            Body::Ping(_) => self.answer(id, Body::Pong(wire::Pong { server_time: now.unix_ms })),
            Body::PushAck(ack) => self.out.confirm(ack.received),
            _ if self.state == State::Draining => {
                self.answer_error(id, retry_later(self.config.reconnect_spread));
            }
            body => match Request::parse(body) {
                Ok(request) => self.ask(id, request),
                Err(error) => self.answer_error(id, error),
            },
        }
    }

    fn ask(&mut self, id: u64, request: Request) {
        let kind = match &request {
            Request::Send(message) => Asked::Send {
                client_msg_id: message.client_msg_id.as_str().into(),
                conversation: message.conversation,
                acked: false,
            },
            Request::Read { conversation, seq } => Asked::Read { conversation: *conversation, seq: seq.0 },
            Request::Typing { .. } => Asked::Unanswered,
            _ => Asked::Anything,
        };
        let key = self.next_key;
        self.next_key = self.next_key.wrapping_add(1);
        self.pending.push(Pending { key, id, kind });
        self.calls.push_back(Call::Ask { key, request });
    }

    /// The frame came too early.
    fn refuse(&mut self, now: Now, id: u64, wait: Duration) {
        self.refused += 1;
        if self.refused >= REFUSALS {
            self.close(now.at, retry_later(wait), After::Park);
        } else {
            self.answer_error(id, retry_later(wait));
        }
    }

    fn finish_send(&mut self, now: Now, key: u32, outcome: Result<Sent, domain::Error>) {
        let Some(pending) = self.take_pending(key) else { return };
        let Asked::Send { client_msg_id, acked, .. } = pending.kind else { return };
        match outcome {
            // The ack took the push's place already.
            Ok(_) if acked => {}
            Ok(sent) => {
                let ack = wire::SendAck {
                    client_msg_id: client_msg_id.into(),
                    conversation: Some(sent.conversation.to_wire()),
                    epoch: sent.epoch.0,
                    seq: sent.seq.0,
                    message_id: sent.message_id.0,
                    time: sent.time,
                };
                self.answer(pending.id, Body::SendAck(ack));
            }
            Err(_) if acked => {}
            Err(error) => self.fail(now, pending.id, &error),
        }
    }

    fn finish(&mut self, now: Now, key: u32, outcome: Result<Box<Body>, domain::Error>) {
        let Some(pending) = self.take_pending(key) else { return };
        if matches!(pending.kind, Asked::Unanswered) {
            return;
        }
        match outcome {
            Ok(body) => self.answer(pending.id, *body),
            Err(error) => self.fail(now, pending.id, &error),
        }
    }

    /// A request failed; one that finds the credential void ends the session too.
    fn fail(&mut self, now: Now, id: u64, error: &domain::Error) {
        self.answer_error(id, from_domain(error));
        if matches!(error, domain::Error::Unauthenticated(_)) {
            self.enter(now.at, State::Closing(After::End));
        }
    }

    fn take_pending(&mut self, key: u32) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.key == key)?;
        let pending = self.pending.remove(at);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        Some(pending)
    }

    // ------------------------------------------------------------ events

    /// If this entry is what the client is waiting to have acknowledged, acknowledges it here, in the push's place.
    fn acknowledge(&mut self, appended: &record::Appended) -> bool {
        let Some(entry) = &appended.entry else { return false };
        if self.pending.is_empty() || self.identity.as_ref().is_none_or(|identity| identity.user.0 != entry.sender) {
            return false;
        }
        let place = appended.conversation.as_ref().and_then(ConversationId::from_wire);
        let found = self.pending.iter_mut().find_map(|pending| match &mut pending.kind {
            Asked::Send { client_msg_id, conversation, acked }
                if !*acked && **client_msg_id == *entry.client_msg_id && Some(*conversation) == place =>
            {
                *acked = true;
                Some(pending.id)
            }
            _ => None,
        });
        let Some(id) = found else { return false };
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

    // ------------------------------------------------------------ the rest

    fn answer(&mut self, id: u64, body: Body) {
        let mut frame = wire::Frame { id, body: Some(body) };
        if frame.encoded_len() > self.config.max_frame.bytes() {
            frame.body = Some(Body::Error(invalid("limit", "the answer would exceed the largest frame: ask for less")));
        }
        self.out.answer(frame::encode_to_bytes(&frame));
    }

    fn answer_error(&mut self, id: u64, error: wire::Error) {
        self.answer(id, Body::Error(error));
    }

    fn close(&mut self, now: Instant, error: wire::Error, after: After) {
        if self.status() == Status::Running {
            self.answer_error(0, error);
            self.enter(now, State::Closing(after));
        }
    }

    /// A client that broke the protocol may resume where it had been logged in: the connection is at fault, or a proxy between.
    fn after_fault(&self) -> After {
        if self.identity.is_some() { After::Park } else { After::End }
    }

    fn is_stalled(&self, now: Instant) -> bool {
        self.stalled.is_some_and(|since| now >= since + self.config.write_deadline)
    }

    fn settle(&mut self, now: Now) {
        self.settle_at(now.at);
    }

    /// A draining session closes once nothing is under way.
    fn settle_at(&mut self, now: Instant) {
        if self.state == State::Draining && self.pending.is_empty() {
            self.enter(now, State::Closing(After::End));
        }
    }

    fn enter(&mut self, now: Instant, state: State) {
        self.state = state;
        self.since = now;
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Login").field("platform", &self.platform).field("client", &self.client).finish_non_exhaustive()
    }
}

fn check_hello(hello: &wire::Hello) -> Result<(), wire::Error> {
    if hello.token.is_empty() {
        return Err(coded(Code::Unauthenticated, "the token is missing"));
    }
    if !(1..=64).contains(&hello.device_id.len()) {
        return Err(invalid("device_id", "is 1 to 64 bytes long"));
    }
    if hello.client.len() > 128 {
        return Err(invalid("client", "is at most 128 bytes long"));
    }
    Ok(())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
