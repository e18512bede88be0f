//! Moves bytes between a [`Wire`] and a session, and calls between the session and the domain.
//!
//! One loop for every transport. It is polled by hand rather than written with `async`, so that an idle connection is its fields
//! and nothing more: bytes are read through a buffer of the thread, and only an unfinished frame is kept; what is written is
//! shared with the session; what is under way ([`Busy`]) lives in a box that exists only while something is.

mod busy;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Buf, Bytes};
use domain::{Caller, Error};
use proto::frame::Decoder;
use proto::{Message, wire};
use tracing::Instrument;

use self::busy::Busy;
use crate::call::{self, Authenticated, Context as CallContext};
use crate::gateway::{Place, Shared};
use crate::metrics;
use crate::registry::{self, Hold};
use crate::session::{Call, Event, Now, Reply, Request, Status};
use crate::wire::Wire;

/// Bytes read at once.
const READ: usize = 64 << 10;
/// Bytes taken for writing before the wire has taken what was taken before.
const WRITE: usize = 64 << 10;
/// Frames handled, or taken for writing, before others get their turn.
const BATCH: usize = 64;
/// Rounds before the task lets others run.
const ROUNDS: usize = 8;

thread_local! {
    /// What every connection of this thread reads through.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// The connection is over.
struct Over;

/// One connection: a future that ends with it.
pub(crate) struct Connection<W: Wire> {
    shared: Arc<Shared>,
    hold: Hold,
    wire: W,
    decoder: Decoder,
    /// Taken from the session, not yet taken by the wire.
    writing: VecDeque<Bytes>,
    /// Bytes that may still be taken from the session before the wire has taken what was.
    room: usize,
    /// The wire has taken something that it has not sent.
    unflushed: bool,
    /// The session knows that the client does not take what is sent.
    stalled: bool,
    /// It is over, and ends when it has its turn.
    leaving: bool,
    busy: Option<Box<Busy>>,
    _place: Place,
}

enum Done {
    /// With the token, to be looked at again.
    Authenticated(Result<Authenticated, Error>, String),
    Confirmed(Result<(), Error>),
    /// Others have taken the session's place.
    Displaced,
    /// With when it was tried first.
    Sent(Instant, Reply),
    Replied(Reply),
}

impl<W: Wire> Connection<W> {
    /// A connection that was accepted at `since`.
    pub(crate) fn new(shared: Arc<Shared>, place: Place, wire: W, since: Instant) -> Self {
        metrics::connections(W::NAME).increment(1.0);
        let hold = shared.hub.open(since);
        tracing::debug!(session = hold.slot.id.0, transport = W::NAME, "a client connected");
        let decoder = Decoder::new(shared.hub.config.max_login_frame.bytes());
        Self {
            shared,
            hold,
            wire,
            decoder,
            writing: VecDeque::new(),
            room: WRITE,
            unflushed: false,
            stalled: false,
            leaving: false,
            busy: None,
            _place: place,
        }
    }

    /// One turn of everything: what is done, what the session wants, writing, reading. True if another turn may find more to do, which most
    /// often it would not: a push that was written, or an ack, is all that there was.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        self.collect_replies(cx)?;
        let mut calls = Vec::new();
        let (writing, room) = (&mut self.writing, &mut self.room);
        let before = writing.len();
        let taken = self.hold.with_waker(cx.waker(), |session| {
            while writing.len() < BATCH && *room > 0 {
                let Some(frame) = session.poll_transmit() else { break };
                *room = room.saturating_sub(frame.len());
                writing.push_back(frame);
            }
            while let Some(call) = session.poll_call() {
                calls.push(call);
            }
            let caller = (!calls.is_empty()).then(|| session.identity().map(|identity| identity.caller.clone()));
            (session.status(), session.wants_frames(), session.frame_limit(), caller.flatten())
        });
        let Some((status, wants_frames, limit, caller)) = taken else { return Err(Over) };
        let frames = self.writing.len() - before;
        if frames > 0 {
            self.shared.hub.metrics.frames_out.increment(frames as u64);
        }
        // The session may have more than was taken.
        let is_full = self.writing.len() >= BATCH || self.room == 0;
        let mut again = false;
        if !calls.is_empty() {
            for call in calls {
                // A session that was taken over has frames of its own to send.
                again |= matches!(call, Call::Resume { .. });
                self.begin(call, caller.as_ref());
            }
            again |= self.collect_replies(cx)?;
        }
        if status == Status::Gone {
            return Err(Over);
        }
        again |= self.write(cx)? && is_full;
        match status {
            Status::Running if wants_frames => {
                self.decoder.set_limit(limit);
                again |= self.read(cx, limit)?;
            }
            Status::Closing if self.writing.is_empty() && !self.unflushed && !again => {
                return if self.wire.poll_close(cx).is_ready() { Err(Over) } else { Ok(false) };
            }
            _ => {}
        }
        Ok(again)
    }

    // ------------------------------------------------------------ calls

    fn begin(&mut self, call: Call, caller: Option<&Caller>) {
        let slot = Arc::clone(&self.hold.slot);
        match call {
            Call::Authenticate(login) => {
                let domain = self.shared.domain.clone();
                let (hub, token) = (Arc::clone(&self.shared.hub), login.token.clone());
                self.run(async move { Done::Authenticated(call::authenticate(domain, hub, slot, login).await, token) });
            }
            Call::Resume { id, ticket, received } => self.resume(id, ticket, received),
            Call::Confirm => self.confirm(),
            Call::Ask { key, request: Request::Send(message, chain) } => {
                let Some(caller) = caller else { return };
                self.busy().send((key, caller.clone(), message, chain));
            }
            Call::Ask { key, request } => {
                let Some(caller) = caller.cloned() else { return };
                let span = tracing::debug_span!("request", session = slot.id.0, name = request.name());
                let context =
                    CallContext { domain: self.shared.domain.clone(), hub: Arc::clone(&self.shared.hub), slot, caller };
                let asked = async move {
                    let outcome = call::ask(context, request).await;
                    if let Err(error) = &outcome {
                        tracing::debug!(%error, "refused");
                    }
                    Done::Replied(Reply::Answer { key, outcome })
                };
                self.run(asked.instrument(span));
            }
        }
    }

    /// Looks whether the session would still be let in: an event that ended it may have been lost.
    fn confirm(&mut self) {
        let identity = self
            .hold
            .slot
            .with_session(|session| session.identity().map(|identity| (identity.caller.clone(), identity.generation)));
        let Some((caller, generation)) = identity else { return };
        let domain = self.shared.domain.clone();
        self.check_again(async move { domain.tokens.confirm(&caller, generation).await.map(|()| caller) });
    }

    /// Looks whether the credential is still good, and whether others have taken the session's place.
    fn check_again(&mut self, credential: impl Future<Output = Result<Caller, Error>> + Send + 'static) {
        let slot = Arc::clone(&self.hold.slot);
        let (domain, boot) = (self.shared.domain.clone(), self.shared.hub.boot);
        self.run(async move {
            match credential.await {
                Ok(caller) if slot.lease.is_held() => {
                    let is_open = domain.presence.is_open(&caller, slot.id, boot).await;
                    if is_open.is_ok_and(|open| !open) { Done::Displaced } else { Done::Confirmed(Ok(())) }
                }
                outcome => Done::Confirmed(outcome.map(drop)),
            }
        });
    }

    /// Takes over the session of a ticket, and lets go of the one that this connection began with.
    fn resume(&mut self, id: u64, ticket: Bytes, received: u64) {
        let now = self.shared.now();
        match self.shared.hub.resume(now, id, ticket, received) {
            Some(hold) => {
                metrics::login("resumed");
                tracing::debug!(session = hold.slot.id.0, transport = W::NAME, "a session goes on");
                let fresh = std::mem::replace(&mut self.hold, hold);
                self.shared.hub.close(now.at, &fresh);
            }
            None => {
                metrics::login("stale");
                self.hold.with(|session| session.handle_reply(now, Reply::StaleTicket));
            }
        }
    }

    fn busy(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }

    fn run(&mut self, work: impl Future<Output = Done> + Send + 'static) {
        self.busy().run(Box::pin(work));
    }

    /// Hands in what is done, and goes on with what is under way.
    fn collect_replies(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        let mut now = None;
        while let Some(busy) = &mut self.busy {
            match busy.poll(cx, &self.shared) {
                Poll::Ready(Some(done)) => {
                    let now = *now.get_or_insert_with(|| self.shared.now());
                    self.hand_in(now, done)?;
                }
                Poll::Ready(None) => self.busy = None,
                Poll::Pending => break,
            }
        }
        Ok(now.is_some())
    }

    fn hand_in(&mut self, now: Now, done: Done) -> Result<(), Over> {
        match done {
            Done::Authenticated(Ok((identity, arrival)), token) => {
                metrics::login("new");
                tracing::debug!(session = identity.session.0, user = identity.user.0, "a user logged in");
                if self.shared.hub.admit(now, &self.hold, identity)
                    && let Some(arrival) = arrival
                {
                    arrival.finish();
                }
                // Events reach the session from here on. What ended it just before was missed, so that is looked at once more.
                let domain = self.shared.domain.clone();
                self.check_again(async move { domain.tokens.authenticate(&token).await });
            }
            Done::Authenticated(Err(error), _) => {
                metrics::login("refused");
                self.hold.with(|session| session.handle_reply(now, Reply::Refused(error))).ok_or(Over)?;
            }
            Done::Confirmed(Err(Error::Unauthenticated(_) | Error::Denied(_))) => {
                let reason = wire::kicked::Reason::TokenRevoked.into();
                let kick = Event::Kick { reason, message: "the token was revoked" };
                self.hold.with(|session| session.handle_event(now.at, &kick)).ok_or(Over)?;
            }
            Done::Confirmed(_) => {}
            Done::Displaced => {
                self.hold.with(|session| session.handle_event(now.at, &registry::displaced())).ok_or(Over)?;
            }
            Done::Sent(since, reply) => {
                self.shared.hub.metrics.send_seconds.record(now.at.saturating_duration_since(since));
                self.hold.with(|session| session.handle_reply(now, reply)).ok_or(Over)?;
            }
            Done::Replied(reply) => {
                self.hold.with(|session| session.handle_reply(now, reply)).ok_or(Over)?;
            }
        }
        Ok(())
    }

    // ------------------------------------------------------------ bytes

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        let mut moved = false;
        let mut blocked = false;
        while !self.writing.is_empty() {
            let mut slices = [IoSlice::new(&[]); 32];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.writing) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            match self.wire.poll_write(cx, &slices[..count]) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(Over),
                Poll::Ready(Ok(written)) => {
                    self.shared.hub.metrics.bytes_out.increment(written as u64);
                    self.advance(written);
                    self.unflushed = true;
                    moved = true;
                }
                Poll::Pending => {
                    blocked = true;
                    break;
                }
            }
        }
        if self.unflushed {
            match self.wire.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = !self.writing.is_empty(),
                Poll::Ready(Err(_)) => return Err(Over),
                Poll::Pending => blocked = true,
            }
        }
        self.note_stall(blocked, moved);
        Ok(moved)
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.writing.front_mut() {
            if front.len() > written {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.writing.pop_front();
        }
        self.writing = VecDeque::new();
        self.room = WRITE;
    }

    /// Tells the session since when the client takes nothing: it has a deadline for that.
    fn note_stall(&mut self, blocked: bool, moved: bool) {
        if self.stalled && (moved || !blocked) {
            self.stalled = false;
            self.hold.with(|session| session.handle_stall(None));
        }
        if blocked && !self.stalled {
            self.stalled = true;
            self.hold.with(|session| session.handle_stall(Some(Instant::now())));
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, limit: usize) -> Result<bool, Over> {
        let mut moved = false;
        let mut now = None;
        for _ in 0..BATCH {
            let next = self
                .decoder
                .next_frame()
                .and_then(|bytes| bytes.map(|bytes| Ok((bytes.len(), wire::Frame::decode(bytes)?))).transpose());
            let (length, frame) = match next {
                Ok(Some(frame)) => frame,
                Ok(None) if self.fill(cx, limit)? => {
                    moved = true;
                    continue;
                }
                Ok(None) => return Ok(moved),
                Err(error) => {
                    let now = self.shared.now();
                    tracing::debug!(session = self.hold.slot.id.0, %error, "a client sent what is no frame");
                    self.hold.with(|session| session.handle_malformed(now, &error)).ok_or(Over)?;
                    return Ok(true);
                }
            };
            moved = true;
            self.shared.hub.metrics.frames_in.increment(1);
            self.shared.hub.metrics.bytes_in.increment(length as u64);
            let now = *now.get_or_insert_with(|| self.shared.now());
            let more = self.hold.with(|session| {
                session.handle_frame(now, frame);
                session.wants_frames()
            });
            if !more.ok_or(Over)? {
                break;
            }
        }
        Ok(moved)
    }

    /// Reads what is there into the decoder; false if nothing is.
    fn fill(&mut self, cx: &mut Context<'_>, limit: usize) -> Result<bool, Over> {
        SCRATCH.with_borrow_mut(|scratch| {
            // Before the login no more is read than one frame may hold.
            let most = scratch.len().min(limit.saturating_add(16));
            match self.wire.poll_read(cx, &mut scratch[..most]) {
                Poll::Ready(Ok(0) | Err(_)) => Err(Over),
                Poll::Ready(Ok(count)) => {
                    self.decoder.feed(&scratch[..count]);
                    Ok(true)
                }
                Poll::Pending => Ok(false),
            }
        })
    }
}

impl<W: Wire> Future for Connection<W> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.leaving {
            return Poll::Ready(());
        }
        for _ in 0..ROUNDS {
            match this.turn(cx) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(Over) => {
                    // Closing costs more than finding out. Where all are cut at once, whoever stays must not wait for all of it.
                    this.leaving = true;
                    this.shared.hub.leaving.wait(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<W: Wire> Drop for Connection<W> {
    fn drop(&mut self) {
        metrics::connections(W::NAME).decrement(1.0);
        tracing::debug!(session = self.hold.slot.id.0, transport = W::NAME, "a client is gone");
        self.shared.hub.close(Instant::now(), &self.hold);
    }
}

#[cfg(test)]
mod tests;
