//! The client's side of a session, as a state machine.
//!
//! It decides what to say, when to connect, what to tell the app and when to wake up next; it has no socket, no task and no clock.
//! The driver feeds it with `handle_*` and carries out what `poll_*` returns. The parts: [`requests`] (what was asked),
//! [`logs`] (each conversation's order), [`gaps`] and [`sync`] (getting what is missing), [`greet`] (logging in and resuming),
//! [`open`] (frames of an open session).

mod backoff;
mod config;
mod gaps;
mod greet;
mod logs;
mod open;
mod requests;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use proto::wire::frame::Body;
use proto::wire::{Frame, Welcome};

use self::backoff::Backoff;
pub(crate) use self::config::Config;
use self::gaps::Gap;
use self::greet::Ticket;
use self::logs::Logs;
pub(crate) use self::requests::CallId;
use self::requests::{Due, Origin, Repetition, Requests};
use crate::conversations::ConversationId;
use crate::error::{Error, Result};
use crate::event::{Cursor, Event};

/// How long a login may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A session that was open this long counts as a success, after which waiting starts over.
const STABLE_AFTER: Duration = Duration::from_secs(2);
/// Largest frame before the server has said its own limit, bytes.
const DEFAULT_MAX_FRAME: usize = 1024 * 1024;
/// What a frame needs besides its body, bytes.
const FRAME_OVERHEAD: usize = 32;

/// What the driver has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Make a connection.
    Connect,
    /// Close the connection, or stop making one.
    Disconnect,
    /// Tell the server that the client leaves, then close the connection.
    Leave,
    /// The session is over.
    Finish,
}

#[derive(Debug)]
enum State {
    /// Not connected until then.
    Waiting {
        until: Instant,
    },
    Connecting,
    /// Connected; `Hello` or `Resume` was said.
    Greeting {
        by: Instant,
        resuming: bool,
    },
    Open {
        since: Instant,
    },
    Closed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    config: Config,
    state: State,
    backoff: Backoff,
    welcome: Option<Welcome>,
    ticket: Option<Ticket>,
    /// Pushes of this session that arrived, and how many of them were acknowledged.
    received: u64,
    acked: u64,
    ack_at: Option<Instant>,
    /// Whether this session has been synchronised since it was new.
    synced: bool,
    sync_retry: Option<Instant>,
    sync_attempts: u32,
    /// When the server asked to be left.
    leave_at: Option<Instant>,
    last_sent: Instant,
    /// By when something has to arrive, because something was asked.
    answer_by: Option<Instant>,
    /// Whether the driver reads. While it does not, silence says nothing about the server.
    reading: bool,
    requests: Requests,
    logs: Logs,
    gaps: BTreeMap<ConversationId, Gap>,
    /// Calls that wait for the session to open.
    waiting_for_login: Vec<CallId>,
    frames: VecDeque<Box<Frame>>,
    events: VecDeque<Event>,
    replies: VecDeque<(CallId, Result<Box<Body>>)>,
    actions: VecDeque<Action>,
}

impl Session {
    /// A session that wants to connect at once.
    pub(crate) fn new(now: Instant, config: Config, cursors: &[Cursor]) -> Self {
        Self {
            state: State::Connecting,
            backoff: Backoff::new(config.backoff_base, config.backoff_cap, config.seed),
            welcome: None,
            ticket: None,
            received: 0,
            acked: 0,
            ack_at: None,
            synced: false,
            sync_retry: None,
            sync_attempts: 0,
            leave_at: None,
            last_sent: now,
            answer_by: None,
            reading: true,
            requests: Requests::new(config.max_in_flight, config.request_timeout),
            logs: Logs::new(cursors, config.max_held),
            gaps: BTreeMap::new(),
            waiting_for_login: Vec::new(),
            frames: VecDeque::new(),
            events: VecDeque::new(),
            replies: VecDeque::new(),
            actions: VecDeque::from([Action::Connect]),
            config,
        }
    }

    // --- inputs ---

    /// A connection is up.
    pub(crate) fn handle_connected(&mut self, now: Instant) {
        if matches!(self.state, State::Connecting) {
            self.greet(now);
        }
    }

    /// The connection ended, or none could be made.
    pub(crate) fn handle_disconnected(&mut self, now: Instant, reason: &str) {
        let stable = match self.state {
            State::Waiting { .. } | State::Closed => return,
            State::Open { since } => now.saturating_duration_since(since) >= STABLE_AFTER,
            State::Connecting | State::Greeting { .. } => false,
        };
        if stable {
            self.backoff.reset();
        }
        // A server that drains has said when to come back, and has spread its clients already.
        // Only a session that hardly lasted waits on top, lest a server that drains at once is asked again and again.
        let until = match self.leave_at.take() {
            Some(at) if stable => at.max(now),
            at => at.unwrap_or(now).max(now) + self.backoff.next_delay(),
        };
        self.wait(now, until, reason);
    }

    /// A frame arrived.
    pub(crate) fn handle_frame(&mut self, now: Instant, frame: Frame) {
        let Some(body) = frame.body else {
            return; // A frame of a kind that this version does not know.
        };
        match self.state {
            State::Greeting { resuming, .. } => self.handle_greeting(now, body, resuming),
            State::Open { .. } => {
                self.handle_open(now, frame.id, body);
                self.expect_answer(now);
            }
            State::Waiting { .. } | State::Connecting | State::Closed => {}
        }
    }

    /// The app asks something.
    pub(crate) fn handle_request(&mut self, now: Instant, call: CallId, body: Box<Body>) {
        if matches!(self.state, State::Closed) {
            self.replies.push_back((call, Err(Error::Closed)));
            return;
        }
        // Refused here, because the server would end the connection over it.
        let (size, limit) = (body.encoded_len() + FRAME_OVERHEAD, self.max_frame());
        if size > limit {
            self.replies.push_back((call, Err(Error::TooLarge { size, limit })));
            return;
        }
        let timeout = match Repetition::of(&body) {
            Repetition::Send => self.config.send_timeout,
            Repetition::Harmless | Repetition::Harmful => Some(self.config.request_timeout),
        };
        self.requests.add(Origin::App(call), body, timeout.map(|timeout| now + timeout));
    }

    /// The app says something that needs no answer and is worth nothing later.
    pub(crate) fn handle_notice(&mut self, now: Instant, body: Body) {
        if matches!(self.state, State::Open { .. }) {
            self.say(now, body);
        }
    }

    /// The app waits until the session is open; it is answered with `Welcome`.
    pub(crate) fn handle_login_wait(&mut self, call: CallId) {
        match (&self.state, &self.welcome) {
            (State::Closed, _) => self.replies.push_back((call, Err(Error::Closed))),
            (State::Open { .. }, Some(welcome)) => {
                self.replies.push_back((call, Ok(Box::new(Body::Welcome(welcome.clone())))));
            }
            _ => self.waiting_for_login.push(call),
        }
    }

    /// The network changed: tries at once instead of waiting, and finds out whether the connection still works.
    pub(crate) fn handle_wake(&mut self, now: Instant) {
        match self.state {
            State::Waiting { .. } => self.connect(),
            State::Open { .. } => {
                self.say(now, Body::Ping(proto::wire::Ping {}));
                self.answer_by.get_or_insert(now + self.config.silence_timeout);
            }
            _ => {}
        }
    }

    /// The app is done.
    pub(crate) fn handle_close(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.actions.push_back(Action::Leave);
        }
        self.close(Error::Closed);
    }

    /// The driver stopped or started reading, as the app keeps up with the events or does not.
    pub(crate) fn handle_reading(&mut self, now: Instant, reading: bool) {
        if reading && !self.reading && self.answer_by.is_some() {
            self.answer_by = Some(now + self.config.silence_timeout);
        }
        self.reading = reading;
    }

    /// The time that [`Self::poll_timeout`] named has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Waiting { until } if until <= now => self.connect(),
            State::Greeting { by, .. } if by <= now => self.drop_connection(now, "no answer to the login"),
            State::Open { .. } => self.handle_open_timeout(now),
            _ => {}
        }
        while let Some(due) = self.requests.poll_due(now) {
            if let Due::Expired(origin) = due {
                self.fail(now, origin, Error::TimedOut);
            }
        }
    }

    // --- outputs ---

    /// Appends the next frame to `out`; false when there is nothing to say.
    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut) -> bool {
        if let Some(frame) = self.frames.pop_front() {
            proto::frame::encode(&*frame, out);
            return true;
        }
        if !matches!(self.state, State::Open { .. }) {
            return false;
        }
        let Some((id, request)) = self.requests.next_to_transmit(now) else { return false };
        // The body is lent to the frame rather than copied into it.
        let body = std::mem::replace(&mut *request.body, Body::Ping(proto::wire::Ping {}));
        let mut frame = Frame { id, body: Some(body) };
        proto::frame::encode(&frame, out);
        if let Some(body) = frame.body.take() {
            *request.body = body;
        }
        self.last_sent = now;
        self.answer_by.get_or_insert(now + self.config.silence_timeout);
        true
    }

    /// The next thing to tell the app.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether there is something to tell the app.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next answer to a call.
    pub(crate) fn poll_reply(&mut self) -> Option<(CallId, Result<Box<Body>>)> {
        self.replies.pop_front()
    }

    /// The next thing to do.
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let own = match self.state {
            State::Waiting { until } => Some(until),
            State::Greeting { by, .. } => Some(by),
            State::Open { .. } => self.open_timeout(),
            State::Connecting | State::Closed => None,
        };
        own.into_iter().chain(self.requests.next_timer()).min()
    }

    /// Whether another call can be taken. While it cannot, calls wait in their callers.
    pub(crate) fn has_room(&self) -> bool {
        self.requests.len() < self.config.max_pending
    }

    // --- between states ---

    fn connect(&mut self) {
        self.state = State::Connecting;
        self.actions.push_back(Action::Connect);
    }

    /// Gives the connection up and waits for the next attempt.
    fn drop_connection(&mut self, now: Instant, reason: &str) {
        self.actions.push_back(Action::Disconnect);
        self.handle_disconnected(now, reason);
    }

    /// Settles what the lost connection leaves behind, and waits.
    fn wait(&mut self, now: Instant, until: Instant, reason: &str) {
        if matches!(self.state, State::Open { .. })
            && let Some(ticket) = &mut self.ticket
        {
            ticket.dropped_at = Some(now);
        }
        self.state = State::Waiting { until };
        self.frames.clear();
        self.answer_by = None;
        self.ack_at = None;
        if self.sync_retry.take().is_some() {
            // It still is to be done, even if the session goes on.
            self.synced = false;
        }
        for gap in self.gaps.values_mut() {
            gap.lost(now);
        }
        for request in self.requests.lost() {
            if let Origin::App(call) = request.origin {
                self.replies.push_back((call, Err(Error::Disconnected)));
            }
        }
        let retry_in = until.saturating_duration_since(now);
        self.events.push_back(Event::Disconnected { reason: reason.to_owned(), retry_in });
    }

    /// Ends the session for good.
    fn close(&mut self, error: Error) {
        if matches!(self.state, State::Closed) {
            return;
        }
        self.state = State::Closed;
        self.frames.clear();
        self.gaps.clear();
        for request in self.requests.drain() {
            if let Origin::App(call) = request.origin {
                self.replies.push_back((call, Err(error.clone())));
            }
        }
        for call in std::mem::take(&mut self.waiting_for_login) {
            self.replies.push_back((call, Err(error.clone())));
        }
        self.events.push_back(Event::Closed(error));
        self.actions.push_back(Action::Disconnect);
        self.actions.push_back(Action::Finish);
    }

    // --- for the parts ---

    /// Says something that is not a request.
    fn say(&mut self, now: Instant, body: Body) {
        self.frames.push_back(Box::new(Frame { id: 0, body: Some(body) }));
        self.last_sent = now;
    }

    pub(crate) fn max_frame(&self) -> usize {
        let announced = self.welcome.as_ref().map_or(0, |welcome| usize::try_from(welcome.max_frame).unwrap_or(0));
        if announced == 0 { DEFAULT_MAX_FRAME } else { announced }
    }

    /// Sets by when the server has to be heard again.
    fn expect_answer(&mut self, now: Instant) {
        self.answer_by = (self.requests.in_flight() > 0).then(|| now + self.config.silence_timeout);
    }

    /// Tells whoever asked that there is no answer.
    fn fail(&mut self, now: Instant, origin: Origin, error: Error) {
        match origin {
            Origin::App(call) => self.replies.push_back((call, Err(error))),
            Origin::Sync => self.sync_failed(now, &error),
            Origin::Gap(id) => self.gap_failed(now, id, &error),
        }
    }
}
