//! Calls that wait for a shard: in lanes, which keep their order, and lanes in lines, one for each shard.
//!
//! A lane holds the calls that must not overtake each other: the commits of a home, or a single read.
//! At most one part of a lane is under way at a time, wherever that is. So a call that was refused goes back to the
//! front of its lane, and nothing has passed it, even if its slot has a new master by now.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::slots::Slots;
use super::url::Host;
use crate::{Error, Result};

/// What waits in a lane.
pub(super) trait Call: Send + 'static {
    /// What names the lane.
    type Lane: Clone + Eq + Hash + Send + Sync;

    fn lane(&self) -> Self::Lane;
    fn slot(&self) -> u16;
    fn bytes(&self) -> usize;
    /// When nobody waits for it any more.
    fn deadline(&self) -> Instant;
    /// Whether the server can be asked for this and the next call of the lane in one.
    fn joins(&self, next: &Self) -> bool;
}

/// Calls of one lane that travel together.
pub(super) type Group<C> = Vec<C>;

/// All lanes of one kind of call.
pub(super) struct Lanes<C: Call> {
    state: Mutex<State<C>>,
    most_calls: usize,
    most_bytes: usize,
}

struct State<C: Call> {
    slots: Arc<Slots>,
    lanes: HashMap<C::Lane, Lane<C>>,
    lines: HashMap<Arc<Host>, Line<C>>,
    /// Lanes of slots that nobody is known to serve.
    lost: VecDeque<C::Lane>,
    // Of all that is not answered yet: this is what memory has to hold.
    calls: usize,
    bytes: usize,
    closed: bool,
}

struct Lane<C> {
    calls: VecDeque<C>,
    slot: u16,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the line of its shard.
    Line,
    /// A part of it is on the way.
    Flight,
    /// Was refused, and waits a moment.
    Rest,
}

/// Lanes that wait for one shard.
struct Line<C: Call> {
    ready: VecDeque<C::Lane>,
    filled: Arc<Notify>,
}

impl<C: Call> Lanes<C> {
    pub(super) fn new(most_calls: usize, most_bytes: usize) -> Self {
        let state = State {
            slots: Arc::default(),
            lanes: HashMap::new(),
            lines: HashMap::new(),
            lost: VecDeque::new(),
            calls: 0,
            bytes: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), most_calls, most_bytes }
    }

    /// Takes a call in, or refuses it.
    pub(super) fn push(&self, call: C) -> Result<()> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::Unavailable("the store is closed".into()));
        }
        // A call larger than the whole limit still passes when it is alone, or it could never be sent.
        if state.calls >= self.most_calls || (state.calls > 0 && state.bytes + call.bytes() > self.most_bytes) {
            return Err(Error::Overloaded);
        }
        state.calls += 1;
        state.bytes += call.bytes();
        let name = call.lane();
        if let Some(lane) = state.lanes.get_mut(&name) {
            lane.calls.push_back(call);
        } else {
            let slot = call.slot();
            state.lanes.insert(name.clone(), Lane { calls: [call].into(), slot, at: At::Line });
            state.line_up(name, slot);
        }
        Ok(())
    }

    /// Waits until something is in a shard's line. False once the shard has no line any more.
    pub(super) async fn wait(&self, host: &Host) -> bool {
        loop {
            let filled = {
                let state = self.state.lock();
                let Some(line) = state.lines.get(host) else { return false };
                if !line.ready.is_empty() {
                    return true;
                }
                if state.closed && state.calls == 0 {
                    return false;
                }
                Arc::clone(&line.filled)
            };
            // A notification that nobody waits for yet is kept, so none is missed in between.
            filled.notified().await;
        }
    }

    /// Takes what may travel to a shard now, from each lane as much as fits.
    pub(super) fn take(&self, host: &Host, most_calls: usize, most_bytes: usize) -> Vec<Group<C>> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let mut groups = Vec::new();
        let (mut calls, mut bytes) = (0, 0);
        let Some(line) = state.lines.get_mut(host) else { return groups };
        while let Some(name) = line.ready.pop_front() {
            // A name may stand here from an earlier stay of the lane.
            let Some(lane) = state.lanes.get_mut(&name).filter(|lane| lane.at == At::Line) else { continue };
            let mut group: Group<C> = Vec::new();
            while let Some(next) = lane.calls.front()
                && group.last().is_none_or(|last| last.joins(next))
                && (calls == 0 || (calls < most_calls && bytes + next.bytes() <= most_bytes))
            {
                calls += 1;
                bytes += next.bytes();
                group.extend(lane.calls.pop_front());
            }
            if group.is_empty() {
                line.ready.push_front(name);
                break;
            }
            lane.at = At::Flight;
            groups.push(group);
        }
        groups
    }

    /// The part of a lane that was under way is there or lost; the rest of it may follow. Makes room for what was answered.
    pub(super) fn landed(&self, name: &C::Lane, calls: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.release(calls, bytes);
        let Some(lane) = state.lanes.get_mut(name) else { return };
        if lane.calls.is_empty() {
            state.lanes.remove(name);
        } else {
            lane.at = At::Line;
            let slot = lane.slot;
            state.line_up(name.clone(), slot);
        }
    }

    /// Puts calls back to the front of their lane, which rests until it is [woken](Self::wake).
    pub(super) fn put_back(&self, name: &C::Lane, group: Group<C>) {
        let mut state = self.state.lock();
        if let Some(lane) = state.lanes.get_mut(name) {
            for call in group.into_iter().rev() {
                lane.calls.push_front(call);
            }
            lane.at = At::Rest;
        }
    }

    /// Ends the rest of lanes.
    pub(super) fn wake(&self, names: Vec<C::Lane>) {
        let mut state = self.state.lock();
        for name in names {
            let Some(lane) = state.lanes.get_mut(&name).filter(|lane| lane.at == At::Rest) else { continue };
            lane.at = At::Line;
            let slot = lane.slot;
            state.line_up(name, slot);
        }
    }

    /// Takes out, from the front of each lane, whatever nobody waits for any more, and is not under way.
    pub(super) fn expire(&self, now: Instant) -> Vec<C> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let mut expired = Vec::new();
        state.lanes.retain(|_, lane| {
            if lane.at != At::Flight {
                while let Some(call) = lane.calls.pop_front_if(|call| call.deadline() <= now) {
                    expired.push(call);
                }
            }
            // A lane under way may be empty for now.
            lane.at == At::Flight || !lane.calls.is_empty()
        });
        let bytes = expired.iter().map(Call::bytes).sum();
        state.release(expired.len(), bytes);
        expired
    }

    /// Lets every waiting lane go to whoever serves it now. Shards that serve nothing lose their line.
    pub(super) fn route(&self, slots: &Arc<Slots>) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.slots = Arc::clone(slots);
        let mut waiting = std::mem::take(&mut state.lost);
        for (_, line) in state.lines.iter_mut() {
            waiting.append(&mut line.ready);
        }
        let hosts = slots.hosts();
        state.lines.retain(|host, line| {
            let stays = hosts.contains(host);
            if !stays {
                line.filled.notify_one();
            }
            stays
        });
        for host in hosts {
            state.lines.entry(host).or_insert_with(|| Line { ready: VecDeque::new(), filled: Arc::default() });
        }
        for name in waiting {
            if let Some(lane) = state.lanes.get(&name) {
                let slot = lane.slot;
                state.line_up(name, slot);
            }
        }
    }

    /// Refuses new calls. Those that wait still go their way.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.wake_lines();
    }

    /// Whether it was closed and nothing waits any more.
    pub(super) fn is_done(&self) -> bool {
        let state = self.state.lock();
        state.closed && state.calls == 0
    }

    /// How many calls are not answered yet.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().calls
    }
}

impl<C: Call> std::fmt::Debug for Lanes<C> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Lanes").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl<C: Call> State<C> {
    fn line_up(&mut self, name: C::Lane, slot: u16) {
        let line = self.slots.owner(slot).and_then(|host| self.lines.get_mut(host));
        match line {
            Some(line) => {
                line.ready.push_back(name);
                line.filled.notify_one();
            }
            None => self.lost.push_back(name),
        }
    }

    fn release(&mut self, calls: usize, bytes: usize) {
        self.calls -= calls;
        self.bytes -= bytes;
        if self.closed && self.calls == 0 {
            self.wake_lines();
        }
    }

    fn wake_lines(&self) {
        for line in self.lines.values() {
            line.filled.notify_one();
        }
    }
}
