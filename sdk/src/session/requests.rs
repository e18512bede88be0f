//! What was asked and not answered yet.
//!
//! A request waits in line until the session is open and the window has room, is in flight until its answer comes, and goes back
//! in line when the connection is lost and asking again does no harm. Requests keep the order in which they were made; messages
//! keep it also when one was refused for now: those after it in its conversation wait until it has been sent again. Those that were
//! under way behind it will be refused as well, so new ones wait for these too, though their answers may be long in coming.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proto::wire::frame::Body;

use crate::conversations::ConversationId;

/// Names a call of the app's; chosen by the driver.
pub(crate) type CallId = u64;

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The app.
    App(CallId),
    /// The session, to synchronise.
    Sync,
    /// The session, to fill a gap.
    Gap(ConversationId),
}

/// What asking twice does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// The server recognises it by its `client_msg_id`. It is asked until there is an answer.
    Send,
    /// Nothing more than asking once.
    Harmless,
    /// Something else.
    Harmful,
}

impl Repetition {
    pub(crate) fn of(body: &Body) -> Self {
        match body {
            Body::Send(_) => Self::Send,
            Body::History(_)
            | Body::Sync(_)
            | Body::ListConversations(_)
            | Body::Read(_)
            | Body::UpdateConversation(_)
            | Body::Receipts(_)
            | Body::PresenceQuery(_)
            | Body::PresenceSubscribe(_)
            | Body::FindUsers(_)
            | Body::UpdateProfile(_)
            | Body::SearchUsers(_)
            | Body::GetProfile(_)
            | Body::GetSettings(_)
            | Body::UpdateSettings(_)
            | Body::ListDevices(_)
            | Body::ListRoster(_)
            | Body::Block(_)
            | Body::UpdateContact(_)
            | Body::ListFriendRequests(_)
            | Body::ListFriendGroups(_)
            | Body::AddFriendGroups(_)
            | Body::DeleteFriendGroups(_)
            | Body::GetConversation(_)
            | Body::CountUnread(_)
            | Body::GetGroup(_)
            | Body::ListMembers(_)
            | Body::FindMembers(_)
            | Body::ListGroups(_)
            | Body::SearchGroups(_)
            | Body::UpgradeGroup(_)
            | Body::BlockMembers(_)
            | Body::ListBlocked(_)
            | Body::CountRoom(_)
            | Body::ListApplications(_)
            | Body::ListInvitations(_)
            | Body::GetJoinCode(_)
            | Body::JoinByCode(_)
            | Body::ListAnnouncements(_)
            | Body::ListSharedFiles(_)
            | Body::GetUpload(_)
            | Body::GetFileLink(_)
            | Body::ForwardFile(_)
            | Body::BindPush(_)
            | Body::SetBadge(_)
            | Body::ListPushTags(_)
            | Body::AddPushTags(_)
            | Body::RemovePushTags(_)
            | Body::SetPushAlias(_) => Self::Harmless,
            _ => Self::Harmful,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    InFlight,
    /// Refused for now, and to be queued again when its timer fires.
    Waiting,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) origin: Origin,
    /// Kept for repeating, and for the entry that an acked message becomes. Bodies are as large as the largest kind, so they are passed
    /// about in a box, and what holds several of them, or held one once, stays small.
    pub(crate) body: Box<Body>,
    pub(crate) repetition: Repetition,
    /// How often it was refused for now.
    pub(crate) attempts: u32,
    deadline: Option<Instant>,
    timer: Option<Instant>,
    state: State,
}

/// Why a request's timer fired.
#[derive(Debug)]
pub(crate) enum Due {
    /// Its time is up; it is forgotten.
    Expired(Origin),
    /// It is in line again.
    Requeued,
}

/// All requests.
#[derive(Debug)]
pub(crate) struct Requests {
    next_id: u64,
    all: BTreeMap<u64, Request>,
    queue: BTreeSet<u64>,
    /// Messages that have to be sent again: those in [`State::Waiting`], and those in flight behind one of them.
    waiting: BTreeSet<u64>,
    timers: BTreeSet<(Instant, u64)>,
    in_flight: usize,
    max_in_flight: usize,
    /// After this long without an answer a message is sent again, on the same connection.
    resend_after: Duration,
}

impl Requests {
    pub(crate) fn new(max_in_flight: usize, resend_after: Duration) -> Self {
        Self {
            next_id: 1,
            all: BTreeMap::new(),
            queue: BTreeSet::new(),
            waiting: BTreeSet::new(),
            timers: BTreeSet::new(),
            in_flight: 0,
            max_in_flight,
            resend_after,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Puts a request in line.
    pub(crate) fn add(&mut self, origin: Origin, body: Box<Body>, deadline: Option<Instant>) {
        let id = self.next_id;
        self.next_id += 1;
        let repetition = Repetition::of(&body);
        let request =
            Request { origin, body, repetition, attempts: 0, deadline, timer: deadline, state: State::Queued };
        if let Some(at) = deadline {
            self.timers.insert((at, id));
        }
        self.all.insert(id, request);
        self.queue.insert(id);
    }

    /// The next request to transmit, now in flight; `None` when the line is empty or the window full.
    pub(crate) fn next_to_transmit(&mut self, now: Instant) -> Option<(u64, &mut Request)> {
        if self.in_flight >= self.max_in_flight {
            return None;
        }
        let id = self.queue.iter().copied().find(|&id| !self.is_behind(id))?;
        self.queue.remove(&id);
        let request = self.all.get_mut(&id)?;
        request.state = State::InFlight;
        self.in_flight += 1;
        if request.repetition == Repetition::Send {
            let at = now + self.resend_after;
            set_timer(&mut self.timers, id, request, Some(request.deadline.map_or(at, |deadline| deadline.min(at))));
        }
        Some((id, request))
    }

    /// Whether this is a message, and an earlier one into the same conversation waits to be sent again.
    fn is_behind(&self, id: u64) -> bool {
        // Nearly always, nothing waits.
        let mut earlier = self.waiting.range(..id).peekable();
        if earlier.peek().is_none() {
            return false;
        }
        let Some(own) = self.conversation(id) else { return false };
        earlier.any(|&other| self.conversation(other) == Some(own))
    }

    /// Where a message goes.
    fn conversation(&self, id: u64) -> Option<&proto::entry::ConversationId> {
        match &*self.all.get(&id)?.body {
            Body::Send(send) => send.conversation.as_ref(),
            _ => None,
        }
    }

    /// Takes out the request that an answer belongs to.
    pub(crate) fn answered(&mut self, id: u64) -> Option<Request> {
        let mut request = self.all.remove(&id)?;
        if request.state == State::InFlight {
            self.in_flight -= 1;
        }
        self.queue.remove(&id);
        self.waiting.remove(&id);
        set_timer(&mut self.timers, id, &mut request, None);
        Some(request)
    }

    /// What is in flight under this id.
    pub(crate) fn get(&self, id: u64) -> Option<&Request> {
        self.all.get(&id)
    }

    /// Asks again at the given time.
    pub(crate) fn retry(&mut self, id: u64, at: Instant) {
        let Some(request) = self.all.get_mut(&id) else { return };
        if request.state == State::InFlight {
            self.in_flight -= 1;
        }
        self.queue.remove(&id);
        request.state = State::Waiting;
        request.attempts += 1;
        set_timer(&mut self.timers, id, request, Some(request.deadline.map_or(at, |deadline| deadline.min(at))));
        if self.waiting.insert(id) {
            self.expect_refusals_behind(id);
        }
    }

    /// Notes that the server refuses what is in flight behind a message that it refused.
    fn expect_refusals_behind(&mut self, id: u64) {
        let Some(own) = self.conversation(id) else { return };
        let behind = self.all.range(id + 1..).filter(|(_, request)| request.state == State::InFlight);
        let refused: Vec<u64> = behind.map(|(&id, _)| id).filter(|&id| self.conversation(id) == Some(own)).collect();
        self.waiting.extend(refused);
    }

    /// The connection is gone: what may be repeated is put back in line, the rest is returned.
    pub(crate) fn lost(&mut self) -> Vec<Request> {
        let in_flight: Vec<u64> =
            self.all.iter().filter(|(_, request)| request.state == State::InFlight).map(|(&id, _)| id).collect();
        let mut failed = Vec::new();
        for id in in_flight {
            let repeat = self.all.get(&id).is_some_and(|request| {
                request.repetition != Repetition::Harmful && matches!(request.origin, Origin::App(_))
            });
            if !repeat {
                failed.extend(self.answered(id));
            } else if let Some(request) = self.all.get_mut(&id) {
                request.state = State::Queued;
                self.in_flight -= 1;
                self.waiting.remove(&id);
                self.queue.insert(id);
                let deadline = request.deadline;
                set_timer(&mut self.timers, id, request, deadline);
            }
        }
        // What the session asked for itself is decided anew once there is a session again.
        let own: Vec<u64> =
            self.all.iter().filter(|(_, r)| !matches!(r.origin, Origin::App(_))).map(|(&id, _)| id).collect();
        for id in own {
            self.answered(id);
        }
        failed
    }

    /// One request whose timer has fired, until there are none.
    pub(crate) fn poll_due(&mut self, now: Instant) -> Option<Due> {
        let &(at, id) = self.timers.first()?;
        if at > now {
            return None;
        }
        let request = self.all.get_mut(&id)?;
        if request.deadline.is_some_and(|deadline| deadline <= now) {
            return self.answered(id).map(|request| Due::Expired(request.origin));
        }
        if request.state == State::InFlight {
            self.in_flight -= 1;
        }
        request.state = State::Queued;
        self.waiting.remove(&id);
        let deadline = request.deadline;
        set_timer(&mut self.timers, id, request, deadline);
        self.queue.insert(id);
        Some(Due::Requeued)
    }

    /// When the next timer fires.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Empties everything.
    pub(crate) fn drain(&mut self) -> Vec<Request> {
        self.queue.clear();
        self.waiting.clear();
        self.timers.clear();
        self.in_flight = 0;
        std::mem::take(&mut self.all).into_values().collect()
    }
}

/// Invariant: `timers` holds `(at, id)` exactly when the request's `timer` is `Some(at)`.
fn set_timer(timers: &mut BTreeSet<(Instant, u64)>, id: u64, request: &mut Request, at: Option<Instant>) {
    if request.timer == at {
        return;
    }
    if let Some(old) = request.timer {
        timers.remove(&(old, id));
    }
    if let Some(new) = at {
        timers.insert((new, id));
    }
    request.timer = at;
}
