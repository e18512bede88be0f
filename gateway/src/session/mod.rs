//! One client's session, as a state machine: no socket, no task, no clock, no `async`.
//!
//! Inputs are frames, replies of the domain, events, and time; outputs are frames to send ([`Session::poll_transmit`]), calls to
//! make ([`Session::poll_call`]) and when to wake it ([`Session::poll_timeout`]). `drive.rs` moves the bytes, `call.rs` makes the
//! calls, `registry.rs` brings the events and `registry/sweep.rs` the time.
//!
//! A session outlives its connection: when that drops, the session is *parked*, goes on collecting pushes within a bound,
//! and is taken up again by whoever shows its ticket within the resume window.
//!
//! # How a sending device learns of its own messages
//! Every device of a conversation gets its entries as pushes, in seq order. The session that sent one gets the `SendAck` *in the
//! push's place*: at the very point of its outgoing order where the push would stand. So a client that counts an ack as the entry
//! it acknowledges sees every seq once and in order. Acks are not kept for a resumed session: there, the client sends again what was
//! not acknowledged, under the same `client_msg_id`, and is told the seq that the message has; or it gets the entry as an ordinary
//! push, if that became durable while the client was away.

mod event;
mod exchange;
mod order;
mod outbound;
mod request;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::{Message, frame, wire};
use wire::error::Code;
use wire::frame::Body;

use crate::config::Config;
use crate::error::{coded, from_domain, from_frame, invalid};
use crate::limit::Bucket;
pub use event::Event;
use exchange::Pending;
pub use exchange::{Call, Identity, Login, Reply};
use order::{Holds, Turn};
use outbound::{Continuity, Outbound};
pub use request::{
    BoardRequest, FileRequest, GroupRequest, JoinRequest, Members, PageOf, PushRequest, Request, RosterRequest,
    UploadFor, UserRequest,
};

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
    /// Calls whose answers may be large: few are under way at once, so that one client cannot have much prepared for it.
    pages: VecDeque<Call>,
    pages_begun: u16,
    pending: Vec<Pending>,
    /// Bytes of the requests in `pending`.
    asked_bytes: usize,
    /// Messages that were refused for now, and that others must not overtake.
    held: Option<Box<Holds>>,
    latest_turn: Turn,
    next_key: u32,
    frames: Bucket,
    refused: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Connected; nothing was said yet.
    Fresh,
    /// The token is being checked, or the ticket looked up. `id` is the request's.
    Authenticating {
        id: u64,
    },
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
            pages: VecDeque::new(),
            pages_begun: 0,
            pending: Vec::new(),
            asked_bytes: 0,
            held: None,
            latest_turn: Turn::default(),
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
                    return self.refuse(now, &frame, wait);
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
        self.pages = VecDeque::new();
        self.pages_begun = 0;
        self.pending = Vec::new();
        self.asked_bytes = 0;
        // On its next connection, the client sends everything again that was not acknowledged, in order.
        self.held = None;
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
        if let Some(call) = pop(&mut self.calls) {
            return Some(call);
        }
        let room = usize::from(self.pages_begun) < self.config.max_pages.max(1) && self.is_readable();
        if !room {
            return None;
        }
        let call = pop(&mut self.pages)?;
        self.pages_begun += 1;
        Some(call)
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
                    && self.asked_bytes <= self.config.max_frame.bytes()
                    && self.is_readable()
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
        self.identity.is_some()
            && !matches!(self.state, State::Ended | State::Cut(After::End) | State::Closing(After::End))
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

    // ------------------------------------------------------------ what all of it uses

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

    /// Whether the client reads what it is sent, so that more of it makes sense.
    fn is_readable(&self) -> bool {
        self.out.waiting() <= self.config.outbound_queue.bytes()
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

/// Takes the first of a queue, and gives the queue's memory back with the last.
fn pop<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if queue.is_empty() && queue.capacity() > 0 {
        *queue = VecDeque::new();
    }
    first
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
