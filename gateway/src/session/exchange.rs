//! Requests and answers: what the session asks to have done, and what it says when that is done.

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::messages::{Chain, Sent};
use domain::{Caller, ConversationId, SessionId, UserId};
use proto::{Message, wire};
use wire::error::Code;
use wire::frame::Body;

use super::order::Turn;
use super::{After, Now, Request, Session, State};
use crate::error::{coded, from_domain, retry_later};

/// Requests refused in a row for their rate before the connection is ended: such a client does not listen.
const REFUSALS: u16 = 256;
/// When a message that came before its turn may be sent again.
const BEHIND: Duration = Duration::from_millis(100);

/// Who is at the other end.
#[derive(Debug)]
pub struct Identity {
    pub caller: Caller,
    pub user: UserId,
    /// What string dialects call the user.
    pub uid: Box<str>,
    /// Of the user's tokens, when this one was checked.
    pub generation: u64,
    pub session: SessionId,
    pub device_id: Box<str>,
    /// `wire.Platform`.
    pub platform: i32,
    /// Name and version of the client, for the record of its devices.
    pub client: Box<str>,
}

/// Something for the driver to do.
#[derive(Debug)]
pub enum Call {
    /// Check a token.
    Authenticate(Login),
    /// Look whether whoever logged in may still be.
    Confirm,
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

impl std::fmt::Debug for Login {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Login")
            .field("platform", &self.platform)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Pending {
    key: u32,
    /// What the answer names; `None` where nobody waits for one.
    pub(super) id: Option<u64>,
    /// Of the request, in memory until it is done.
    bytes: usize,
    pub(super) kind: Asked,
}

#[derive(Debug)]
pub(super) enum Asked {
    Anything,
    /// Something whose answer may be as large as a frame.
    Page,
    Send {
        client_msg_id: Box<str>,
        conversation: ConversationId,
        turn: Turn,
        chain: Chain,
        acked: bool,
    },
    Read {
        conversation: ConversationId,
        seq: u64,
    },
}

impl Session {
    pub(super) fn serve(&mut self, now: Now, frame: wire::Frame) {
        let (bytes, id) = (frame.encoded_len(), answered(&frame));
        let Some(body) = frame.body else {
            return self.answer_error(frame.id, coded(Code::Unsupported, "unknown command"));
        };
        match body {
            Body::Ping(_) => self.answer(frame.id, Body::Pong(wire::Pong { server_time: now.unix_ms })),
            Body::PushAck(ack) => self.out.confirm(ack.received),
            Body::Bye(_) => self.enter(now.at, State::Closing(After::End)),
            _ if self.state == State::Draining => self.deny(id, retry_later(self.config.reconnect_spread)),
            body => match Request::parse(body) {
                Ok(request) => self.ask(now.at, id, bytes, request),
                Err(error) => self.deny(id, error),
            },
        }
    }

    fn ask(&mut self, now: Instant, id: Option<u64>, bytes: usize, mut request: Request) {
        let kind = match &mut request {
            Request::Send(message, chain) => {
                let Some((turn, found)) = self.turn_for(now, message.conversation, &message.client_msg_id) else {
                    return self.deny(id, retry_later(BEHIND));
                };
                *chain = found.clone();
                let (client_msg_id, conversation) = (message.client_msg_id.as_str().into(), message.conversation);
                Asked::Send { client_msg_id, conversation, turn, chain: found, acked: false }
            }
            Request::Read { conversation, seq } => Asked::Read { conversation: *conversation, seq: seq.0 },
            request if request.asks_for_a_page() => Asked::Page,
            _ => Asked::Anything,
        };
        let waits = matches!(kind, Asked::Page);
        // Who types does not wait to hear that it was told.
        let id = id.filter(|_| !matches!(request, Request::Typing { .. }));
        let key = self.next_key;
        self.next_key = self.next_key.wrapping_add(1);
        self.asked_bytes += bytes;
        self.pending.push(Pending { key, id, bytes, kind });
        let queue = if waits { &mut self.pages } else { &mut self.calls };
        queue.push_back(Call::Ask { key, request });
    }

    /// The frame came too early.
    pub(super) fn refuse(&mut self, now: Now, frame: &wire::Frame, wait: Duration) {
        let id = answered(frame);
        if let Some(Body::Send(send)) = &frame.body
            && id.is_some()
            && let Some(conversation) = send.conversation.as_ref().and_then(ConversationId::from_wire)
        {
            self.hold_unread(now.at, conversation, &send.client_msg_id);
        }
        self.refused += 1;
        if self.refused >= REFUSALS {
            self.close(now.at, retry_later(wait), After::Park);
        } else {
            self.deny(id, retry_later(wait));
        }
    }

    pub(super) fn finish_send(&mut self, now: Now, key: u32, outcome: Result<Sent, domain::Error>) {
        let Some(pending) = self.take_pending(key) else { return };
        let Asked::Send { client_msg_id, conversation, turn, acked, .. } = pending.kind else { return };
        match &outcome {
            Err(domain::Error::Limited { .. } | domain::Error::Unavailable(_)) if pending.id.is_some() => {
                self.hold(now.at, conversation, turn, &client_msg_id);
            }
            Ok(_) | Err(_) => self.settle_turn(conversation, &client_msg_id),
        }
        match outcome {
            // The ack took the push's place.
            Ok(_) | Err(_) if acked => {}
            Ok(sent) => {
                let Some(id) = pending.id else { return };
                let ack = wire::SendAck {
                    client_msg_id: client_msg_id.into(),
                    conversation: Some(sent.conversation.to_wire()),
                    epoch: sent.epoch.0,
                    seq: sent.seq.0,
                    message_id: sent.message_id.0,
                    time: sent.time,
                };
                self.answer(id, Body::SendAck(ack));
            }
            Err(error) => self.fail(now, pending.id, &error),
        }
    }

    pub(super) fn finish(&mut self, now: Now, key: u32, outcome: Result<Box<Body>, domain::Error>) {
        let Some(pending) = self.take_pending(key) else { return };
        match (outcome, pending.id) {
            (Ok(body), Some(id)) => self.answer(id, *body),
            (Ok(_), None) => {}
            (Err(error), id) => self.fail(now, id, &error),
        }
    }

    /// A request failed; one that finds the credential void ends the session too.
    fn fail(&mut self, now: Now, id: Option<u64>, error: &domain::Error) {
        self.deny(id, from_domain(error));
        if matches!(error, domain::Error::Unauthenticated(_)) {
            self.enter(now.at, State::Closing(After::End));
        }
    }

    /// Tells whoever waits for an answer that there is none but this.
    fn deny(&mut self, id: Option<u64>, error: wire::Error) {
        if let Some(id) = id {
            self.answer_error(id, error);
        }
    }

    fn take_pending(&mut self, key: u32) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.key == key)?;
        let pending = self.pending.remove(at);
        self.asked_bytes -= pending.bytes;
        if matches!(pending.kind, Asked::Page) {
            self.pages_begun = self.pages_begun.saturating_sub(1);
        }
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        Some(pending)
    }
}

/// What an answer to a frame names; `None` for a message of best effort, which has none, whatever becomes of it.
fn answered(frame: &wire::Frame) -> Option<u64> {
    let is_best_effort = matches!(&frame.body, Some(Body::Send(send)) if frame.id == 0 && send.online_only);
    (!is_best_effort).then_some(frame.id)
}
