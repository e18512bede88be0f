//! The topics that this process joined, and which of them the directory knows of.
//!
//! The directory may lose an entry: in a failover, or since it came too late to renew it. An entry that turns out to be missing
//! when it is renewed was missing for an unknown time, so its publications were, too.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::bus::Topic;

/// How long to wait before a change that failed is tried again, at least; at most twice as long.
const RETRY: Duration = Duration::from_millis(200);

/// A change that the directory has to learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Lists this process under the topic, or renews that.
    List(Topic),
    /// Takes it from the topic.
    Unlist(Topic),
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The directory knew it already.
    Known,
    /// The directory did not know it yet.
    New,
    /// Nobody can say: to be tried again, soon.
    Failed,
}

/// What this process wants to be listed under.
#[derive(Debug)]
pub(super) struct Registry {
    topics: HashMap<Topic, Entry>,
    /// Topics to look at as soon as possible, each at most once, numbered as they came.
    queue: VecDeque<(u64, Topic)>,
    numbered: u64,
    /// Changes that were taken and not settled, and the number of the first.
    under_way: usize,
    first_under_way: u64,
    renewals: BinaryHeap<Reverse<(Instant, Topic)>>,
    renewal: Duration,
}

#[derive(Debug, Default)]
struct Entry {
    wanted: bool,
    /// The directory has confirmed it, and not been told otherwise.
    listed: bool,
    queued: bool,
    /// The first attempt failed, so that publications may have passed meanwhile.
    late: bool,
    renew: Option<Instant>,
}

impl Registry {
    /// Entries are renewed about each `renewal`.
    pub(super) fn new(renewal: Duration) -> Self {
        Self {
            topics: HashMap::new(),
            queue: VecDeque::new(),
            numbered: 0,
            under_way: 0,
            first_under_way: 0,
            renewals: BinaryHeap::new(),
            renewal,
        }
    }

    /// Returns whether there is something to do that was not there before.
    pub(super) fn join(&mut self, topic: Topic) -> bool {
        let entry = self.topics.entry(topic.clone()).or_default();
        let was_wanted = std::mem::replace(&mut entry.wanted, true);
        // What is wanted and not listed is queued or under way already.
        !was_wanted && self.enqueue(&topic)
    }

    /// Returns whether there is something to do that was not there before.
    pub(super) fn leave(&mut self, topic: &Topic) -> bool {
        let Some(entry) = self.topics.get_mut(topic) else { return false };
        let was_wanted = std::mem::replace(&mut entry.wanted, false);
        was_wanted && self.enqueue(topic)
    }

    /// Takes changes that are due, `limit` at most. Each has to come back by [`Self::settle`].
    pub(super) fn take(&mut self, limit: usize, now: Instant) -> Vec<Change> {
        while let Some(Reverse((due, _))) = self.renewals.peek()
            && *due <= now
        {
            let Some(Reverse((due, topic))) = self.renewals.pop() else { break };
            if self.topics.get(&topic).is_some_and(|entry| entry.renew == Some(due)) {
                self.enqueue(&topic);
            }
        }
        self.first_under_way = self.queue.front().map_or(self.numbered, |(number, _)| *number);
        let mut changes = Vec::new();
        while changes.len() < limit
            && let Some((_, topic)) = self.queue.pop_front()
        {
            let Some(entry) = self.topics.get_mut(&topic) else { continue };
            entry.queued = false;
            entry.renew = None;
            changes.push(if entry.wanted { Change::List(topic) } else { Change::Unlist(topic) });
        }
        self.under_way += changes.len();
        changes
    }

    /// Says what became of a change. True if publications may have passed this process by.
    ///
    /// `spread` is between 0 and 1 and moves the renewal, so that not all come at once.
    pub(super) fn settle(&mut self, change: Change, outcome: Outcome, now: Instant, spread: f64) -> bool {
        self.under_way -= 1;
        let (topic, listing) = match change {
            Change::List(topic) => (topic, true),
            Change::Unlist(topic) => (topic, false),
        };
        let Some(entry) = self.topics.get_mut(&topic) else { return false };
        if outcome == Outcome::Failed {
            entry.late |= listing;
            // Behind whatever is new.
            let again = now + RETRY.mul_f64(1.0 + spread);
            entry.renew = Some(again);
            self.renewals.push(Reverse((again, topic)));
            return false;
        }
        let was_listed = std::mem::replace(&mut entry.listed, listing);
        let was_late = std::mem::replace(&mut entry.late, false);
        let missed = listing && outcome == Outcome::New && (was_listed || was_late);
        if entry.wanted != listing {
            self.enqueue(&topic);
        } else if entry.wanted {
            let renew = now + self.renewal.mul_f64(0.5 + spread / 2.0);
            entry.renew = Some(renew);
            self.renewals.push(Reverse((renew, topic)));
        } else if !entry.queued {
            self.topics.remove(&topic);
        }
        missed
    }

    /// Looks again whether the directory still knows what it has confirmed, of the topics that `concerned` picks.
    pub(super) fn verify(&mut self, concerned: impl Fn(&Topic) -> bool) {
        let picked: Vec<Topic> = self
            .topics
            .iter()
            .filter(|(topic, entry)| entry.listed && concerned(topic))
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in picked {
            self.enqueue(&topic);
        }
    }

    /// The directory knows nothing of this process any more, which has taken another name, and has missed something meanwhile.
    pub(super) fn begin_anew(&mut self) {
        let topics: Vec<Topic> = self.topics.keys().cloned().collect();
        for topic in topics {
            if let Some(entry) = self.topics.get_mut(&topic) {
                entry.listed = false;
                if entry.wanted {
                    entry.late = true;
                    self.enqueue(&topic);
                }
            }
        }
    }

    /// How many changes were asked for so far, for [`Self::has_settled`].
    pub(super) fn asked(&self) -> u64 {
        self.numbered
    }

    /// Whether the directory has learnt of the first `asked` changes, or could not be told.
    pub(super) fn has_settled(&self, asked: u64) -> bool {
        let queued = self.queue.front().is_none_or(|(number, _)| *number >= asked);
        queued && (self.under_way == 0 || self.first_under_way >= asked)
    }

    /// Whether [`Self::take`] has something that does not only renew.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// When the next renewal is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.renewals.peek().map(|Reverse((due, _))| *due)
    }

    /// How many topics are joined.
    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }

    fn enqueue(&mut self, topic: &Topic) -> bool {
        let Some(entry) = self.topics.get_mut(topic) else { return false };
        if std::mem::replace(&mut entry.queued, true) {
            return false;
        }
        self.queue.push_back((self.numbered, topic.clone()));
        self.numbered += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn topic(name: &'static str) -> Topic {
        Topic::new(name)
    }

    fn list(name: &'static str) -> Change {
        Change::List(topic(name))
    }

    fn unlist(name: &'static str) -> Change {
        Change::Unlist(topic(name))
    }

    #[test]
    fn joining_and_leaving_is_told_once() {
        let (mut registry, now) = (Registry::new(HOUR), Instant::now());
        assert!(registry.join(topic("a")));
        assert!(!registry.join(topic("a")));
        assert!(!registry.leave(&topic("never joined")));
        let asked = registry.asked();
        assert!(!registry.has_settled(asked));
        assert_eq!(registry.take(10, now), [list("a")]);
        assert!(!registry.has_settled(asked) && registry.is_idle());
        assert!(!registry.settle(list("a"), Outcome::New, now, 0.0));
        assert!(registry.has_settled(asked));
        assert!(!registry.join(topic("a")));
        assert!(registry.leave(&topic("a")));
        assert_eq!(registry.take(10, now), [unlist("a")]);
        assert!(!registry.settle(unlist("a"), Outcome::Known, now, 0.0));
        assert_eq!(registry.len(), 0);
    }

    #[test]
    fn what_changes_while_it_is_told_is_told_again() {
        let (mut registry, now) = (Registry::new(HOUR), Instant::now());
        registry.join(topic("a"));
        assert_eq!(registry.take(10, now), [list("a")]);
        registry.leave(&topic("a"));
        registry.settle(list("a"), Outcome::New, now, 0.0);
        assert_eq!(registry.take(10, now), [unlist("a")]);
        registry.join(topic("a"));
        let asked = registry.asked();
        registry.settle(unlist("a"), Outcome::Known, now, 0.0);
        assert!(!registry.has_settled(asked));
        assert_eq!(registry.take(10, now), [list("a")]);
        assert!(!registry.settle(list("a"), Outcome::New, now, 0.0));
        // What is left before it was told need not be told at all, but it may be.
        registry.join(topic("b"));
        registry.leave(&topic("b"));
        assert_eq!(registry.take(10, now), [unlist("b")]);
        registry.settle(unlist("b"), Outcome::Known, now, 0.0);
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn entries_are_renewed_in_time_and_one_that_was_gone_is_noticed() {
        let (mut registry, start) = (Registry::new(HOUR), Instant::now());
        for (name, spread) in [("a", 0.0), ("b", 0.5), ("c", 1.0)] {
            registry.join(topic(name));
            registry.take(1, start);
            registry.settle(list(name), Outcome::New, start, spread);
        }
        assert_eq!(registry.next(), Some(start + HOUR / 2));
        assert_eq!(registry.take(10, start + HOUR / 2), [list("a")]);
        assert!(!registry.settle(list("a"), Outcome::Known, start + HOUR / 2, 1.0));
        assert_eq!(registry.take(10, start + HOUR), [list("b"), list("c")]);
        assert!(registry.settle(list("b"), Outcome::New, start + HOUR, 1.0));
        assert!(!registry.settle(list("c"), Outcome::Known, start + HOUR, 1.0));
        // One that was left in between is not renewed.
        registry.leave(&topic("a"));
        registry.take(10, start + HOUR);
        registry.settle(unlist("a"), Outcome::Known, start + HOUR, 0.0);
        assert_eq!(registry.take(10, start + HOUR * 3 / 2), []);
    }

    #[test]
    fn a_join_that_comes_late_may_have_missed_something() {
        let (mut registry, now) = (Registry::new(HOUR), Instant::now());
        registry.join(topic("a"));
        let asked = registry.asked();
        assert!(!registry.has_settled(asked));
        for round in 0..3 {
            let now = now + RETRY * round;
            assert_eq!(registry.take(10, now), [list("a")]);
            assert!(!registry.settle(list("a"), Outcome::Failed, now, 0.0));
            assert_eq!(registry.next(), Some(now + RETRY));
            // Nobody waits any longer, but it will be told.
            assert!(registry.has_settled(asked));
        }
        let now = now + RETRY * 3;
        assert_eq!(registry.take(10, now), [list("a")]);
        assert!(registry.settle(list("a"), Outcome::New, now, 0.0));
        assert!(registry.has_settled(asked));
    }

    #[test]
    fn after_a_failover_entries_are_verified() {
        let (mut registry, now) = (Registry::new(HOUR), Instant::now());
        for name in ["a", "b"] {
            registry.join(topic(name));
            registry.take(1, now);
            registry.settle(list(name), Outcome::New, now, 0.0);
        }
        registry.verify(|topic| topic.as_bytes() == b"a");
        assert_eq!(registry.take(10, now), [list("a")]);
        assert!(registry.settle(list("a"), Outcome::New, now, 0.0));
    }

    #[test]
    fn under_another_name_everything_is_told_again() {
        let (mut registry, now) = (Registry::new(HOUR), Instant::now());
        for name in ["a", "b"] {
            registry.join(topic(name));
            registry.take(1, now);
            registry.settle(list(name), Outcome::New, now, 0.0);
        }
        registry.leave(&topic("b"));
        registry.begin_anew();
        let mut changes = registry.take(10, now);
        changes.sort_by_key(|change| format!("{change:?}"));
        assert_eq!(changes, [list("a"), unlist("b")]);
        assert!(registry.settle(list("a"), Outcome::New, now, 0.0));
        assert!(!registry.settle(unlist("b"), Outcome::Known, now, 0.0));
        assert_eq!(registry.len(), 1);
    }
}
