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
        if Arc::ptr_eq(&state.slots, slots) {
            return;
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A call of a lane, with a number; odd and even ones do not travel together.
    #[derive(Debug, PartialEq, Eq)]
    struct Numbered(&'static str, u32, Instant);

    impl Call for Numbered {
        type Lane = &'static str;

        fn lane(&self) -> &'static str {
            self.0
        }

        fn slot(&self) -> u16 {
            u16::from(self.0.as_bytes()[0])
        }

        fn bytes(&self) -> usize {
            10
        }

        fn deadline(&self) -> Instant {
            self.2
        }

        fn joins(&self, next: &Self) -> bool {
            self.1 % 2 == next.1 % 2
        }
    }

    const MANY: usize = 1_000;

    fn host(name: &str) -> Host {
        name.parse().unwrap()
    }

    /// All lanes used here are served by this host.
    fn served_by(name: &str) -> Arc<Slots> {
        let mut slots = Slots::default();
        for slot in 0..256 {
            slots.set(slot, host(name));
        }
        Arc::new(slots)
    }

    fn lanes(most_calls: usize, most_bytes: usize) -> Lanes<Numbered> {
        let lanes = Lanes::new(most_calls, most_bytes);
        lanes.route(&served_by("one"));
        lanes
    }

    fn push(lanes: &Lanes<Numbered>, lane: &'static str, numbers: &[u32]) {
        for number in numbers {
            lanes.push(Numbered(lane, *number, Instant::now() + Duration::from_secs(60))).unwrap();
        }
    }

    fn numbers(groups: &[Group<Numbered>]) -> Vec<(&'static str, Vec<u32>)> {
        groups.iter().map(|group| (group[0].0, group.iter().map(|call| call.1).collect())).collect()
    }

    fn take(lanes: &Lanes<Numbered>, name: &str) -> Vec<Group<Numbered>> {
        lanes.take(&host(name), MANY, MANY)
    }

    #[test]
    fn a_lane_goes_in_order_and_one_part_at_a_time() {
        let lanes = lanes(MANY, MANY);
        push(&lanes, "a", &[0, 2, 3, 4]);
        push(&lanes, "b", &[7]);
        assert_eq!(numbers(&take(&lanes, "one")), [("a", vec![0, 2]), ("b", vec![7])]);
        push(&lanes, "b", &[9]);
        assert_eq!(numbers(&take(&lanes, "one")), [], "both are under way");
        lanes.landed(&"a", 2, 20);
        assert_eq!(numbers(&take(&lanes, "one")), [("a", vec![3])]);
        lanes.landed(&"a", 1, 10);
        lanes.landed(&"b", 1, 10);
        assert_eq!(numbers(&take(&lanes, "one")), [("a", vec![4]), ("b", vec![9])]);
    }

    #[test]
    fn what_is_refused_comes_again_before_what_follows_wherever_that_is_now() {
        let lanes = lanes(MANY, MANY);
        push(&lanes, "a", &[0, 2]);
        let group = take(&lanes, "one").pop().unwrap();
        push(&lanes, "a", &[4]);
        lanes.put_back(&"a", group);
        assert_eq!(numbers(&take(&lanes, "one")), [], "it rests");
        lanes.route(&served_by("two"));
        lanes.wake(vec!["a"]);
        assert_eq!(numbers(&take(&lanes, "one")), []);
        assert_eq!(numbers(&take(&lanes, "two")), [("a", vec![0, 2, 4])]);
    }

    #[test]
    fn lanes_wait_until_somebody_serves_them() {
        let lanes = Lanes::new(MANY, MANY);
        push(&lanes, "a", &[0]);
        lanes.route(&served_by("one"));
        push(&lanes, "b", &[1]);
        lanes.route(&served_by("two"));
        assert_eq!(numbers(&take(&lanes, "two")).len(), 2);
        assert_eq!(numbers(&take(&lanes, "one")), []);
    }

    #[test]
    fn flights_and_queues_are_bounded_and_the_largest_call_still_passes() {
        let lanes = lanes(3, 25);
        push(&lanes, "a", &[0, 2]);
        let full = lanes.push(Numbered("b", 1, Instant::now()));
        assert!(matches!(full, Err(Error::Overloaded)), "by bytes");
        assert_eq!(numbers(&lanes.take(&host("one"), MANY, 5)), [("a", vec![0])]);
        lanes.landed(&"a", 1, 10);
        assert_eq!(numbers(&lanes.take(&host("one"), 1, MANY)), [("a", vec![2])]);
        lanes.landed(&"a", 1, 10);
        assert_eq!(lanes.waiting(), 0);
        push(&lanes, "c", &[0]);
        assert!(lanes.state.lock().lanes.len() == 1, "lanes that are empty are gone");
    }

    #[test]
    fn what_nobody_waits_for_is_taken_out_unless_it_is_under_way() {
        let lanes = lanes(MANY, MANY);
        let now = Instant::now();
        for lane in ["a", "b"] {
            lanes.push(Numbered(lane, 0, now)).unwrap();
        }
        assert_eq!(lanes.take(&host("one"), 1, MANY).len(), 1);
        lanes.push(Numbered("a", 2, now)).unwrap();
        assert_eq!(lanes.expire(now), [Numbered("b", 0, now)]);
        lanes.landed(&"a", 1, 10);
        assert_eq!(lanes.expire(now), [Numbered("a", 2, now)]);
        assert_eq!((lanes.waiting(), lanes.state.lock().lanes.len()), (0, 0));
    }

    #[tokio::test]
    async fn workers_are_woken_for_work_and_for_the_end() {
        let lanes = Arc::new(lanes(MANY, MANY));
        let waiting = |name: &'static str| {
            let lanes = Arc::clone(&lanes);
            tokio::spawn(async move { lanes.wait(&host(name)).await })
        };
        assert!(!waiting("unknown").await.unwrap());
        let worker = waiting("one");
        tokio::task::yield_now().await;
        push(&lanes, "a", &[0]);
        assert!(worker.await.unwrap());
        assert_eq!(take(&lanes, "one").len(), 1);
        let worker = waiting("one");
        tokio::task::yield_now().await;
        lanes.close();
        assert!(lanes.push(Numbered("b", 1, Instant::now())).is_err());
        lanes.landed(&"a", 1, 10);
        assert!(!worker.await.unwrap());
        assert!(lanes.is_done());
    }
}
