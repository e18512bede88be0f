//! Logging in: `Resume` while there is a ticket that may still work, `Hello` otherwise.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::wire::error::Code;
use proto::wire::frame::Body;
use proto::wire::{self, Hello, Resume, Resumed, Welcome};

use super::{Action, LOGIN_TIMEOUT, Session, State};
use crate::error::Error;
use crate::event::Event;

/// What resumes the session after a short drop.
#[derive(Debug)]
pub(super) struct Ticket {
    bytes: Bytes,
    window: Duration,
    /// When the connection was lost; the window counts from here.
    pub(super) dropped_at: Option<Instant>,
}

impl Session {
    /// Says who calls.
    pub(super) fn greet(&mut self, now: Instant) {
        let ticket = self.ticket.as_ref().filter(|ticket| {
            ticket.dropped_at.is_none_or(|dropped| now.saturating_duration_since(dropped) <= ticket.window)
        });
        let (resuming, body) = match ticket {
            Some(ticket) => (true, Body::Resume(Resume { ticket: ticket.bytes.clone(), received: self.received })),
            None => (false, Body::Hello(self.hello())),
        };
        self.state = State::Greeting { by: now + LOGIN_TIMEOUT, resuming };
        self.say(now, body);
    }

    fn hello(&self) -> Hello {
        Hello {
            token: self.config.token.clone(),
            device_id: self.config.device_id.clone(),
            platform: self.config.platform,
            client: self.config.client.clone(),
            capabilities: Vec::new(),
        }
    }

    /// A frame that came before the session was open.
    pub(super) fn handle_greeting(&mut self, now: Instant, body: Body, resuming: bool) {
        match body {
            Body::Welcome(welcome) => self.welcome(now, welcome),
            Body::Kicked(kicked) => self.handle_kicked(kicked),
            Body::Drain(drain) => {
                self.leave_at = Some(now + Duration::from_millis(u64::from(drain.reconnect_after_ms)));
                self.drop_connection(now, "the server is about to stop");
            }
            Body::Error(error) => self.refused(now, error, resuming),
            // Nothing else has a meaning before `Welcome`.
            _ => {}
        }
    }

    fn welcome(&mut self, now: Instant, mut welcome: Welcome) {
        let resumed = welcome.resumed();
        if resumed != Resumed::Complete {
            self.synced = false;
        }
        if resumed == Resumed::New {
            self.received = 0;
        }
        self.acked = self.received;
        let ticket = std::mem::take(&mut welcome.ticket);
        let window = Duration::from_millis(u64::from(welcome.resume_window_ms));
        self.ticket = (!ticket.is_empty()).then_some(Ticket { bytes: ticket, window, dropped_at: None });
        self.state = State::Open { since: now };
        self.leave_at = None;
        self.answer_by = None;
        for call in std::mem::take(&mut self.waiting_for_login) {
            self.replies.push_back((call, Ok(Box::new(Body::Welcome(welcome.clone())))));
        }
        self.events.push_back(Event::Connected { user: welcome.user, resumed: self.synced });
        self.welcome = Some(welcome);
        if !self.synced {
            self.start_sync(now);
        }
    }

    /// The server said no to `Hello` or `Resume`.
    fn refused(&mut self, now: Instant, error: wire::Error, resuming: bool) {
        match error.code() {
            Code::RetryLater | Code::Unavailable | Code::DiskFull | Code::Timeout | Code::SlowConsumer => {
                if error.retry_after_ms > 0 {
                    // A minimum: the own jitter comes on top, to keep a crowd spread.
                    self.leave_at = Some(now + Duration::from_millis(u64::from(error.retry_after_ms)));
                }
                self.drop_connection(now, &error.message);
            }
            _ if resuming => {
                // Whatever was wrong with the ticket, `Hello` settles it, and needs no waiting.
                self.ticket = None;
                self.actions.push_back(Action::Disconnect);
                self.connect();
            }
            _ => self.close(Error::from(error)),
        }
    }

    pub(super) fn handle_kicked(&mut self, kicked: wire::Kicked) {
        let reason = kicked.reason().into();
        self.ticket = None;
        self.close(Error::Kicked { reason, message: kicked.message });
    }
}
