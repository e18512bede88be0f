//! The sending side: finds out which processes a publication concerns, and hands it to what waits for each of them.

mod target;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use self::target::Target;
use super::cluster::{Cluster, Failure, Query};
use super::config::RedisBusConfig;
use super::names::{Boot, Names};
use crate::bus::Topic;
use crate::metrics;
use crate::redis::node::{Command, Reply};

/// Most publications that are addressed together.
const ROUND: usize = 4_096;
/// How long to wait before processes are told once more of publications that could not be addressed.
const PAUSE: Duration = Duration::from_millis(250);
/// How many processes that are gone are remembered. One that was forgotten is found to be gone once more.
const GONE: usize = 4_096;

/// Publishes. One task addresses, and one for each process sends.
#[derive(Debug)]
pub(super) struct Publisher {
    /// By this, receivers tell publishers apart.
    pub(super) id: Boot,
    pub(super) config: RedisBusConfig,
    pub(super) names: Names,
    pub(super) cluster: Arc<Cluster>,
    /// The name under which this process listens: it does not publish to itself.
    own: watch::Receiver<Boot>,
    queue: Mutex<Queue>,
    queued: Notify,
    progress: Notify,
    targets: Mutex<HashMap<Boot, Arc<Target>>>,
    gone: Mutex<HashSet<Boot>>,
    streams: Mutex<u64>,
}

/// Publications that nobody has looked at.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Publication>,
    bytes: usize,
    /// Dropped since the queue was full. Nobody knows whom they concerned.
    dropped: u64,
    /// How many were queued or dropped, how many were taken from the queue, and up to which all were handed on.
    asked: u64,
    taken: u64,
    routed: u64,
}

/// What is addressed together.
#[derive(Debug, Default)]
struct Round {
    publications: Vec<Publication>,
    dropped: u64,
    /// Up to which publication all have been addressed after this.
    done: u64,
}

#[derive(Debug)]
struct Publication {
    topics: Vec<Topic>,
    payload: Bytes,
}

/// What the addressing task remembers from round to round.
#[derive(Debug, Default)]
struct Router {
    /// All processes, as they were listed last.
    everybody: Vec<Boot>,
    /// Publications of which nobody could say whom they concerned: to be counted as lost for everybody.
    unaddressed: u64,
    /// Entries of processes that are gone.
    ghosts: Vec<(Bytes, Boot)>,
}

impl Publisher {
    pub(super) fn new(config: &RedisBusConfig, cluster: Arc<Cluster>, own: watch::Receiver<Boot>) -> Arc<Self> {
        Arc::new(Self {
            id: Boot::random(),
            config: config.clone(),
            names: Names::new(&config.namespace),
            cluster,
            own,
            queue: Mutex::default(),
            queued: Notify::new(),
            progress: Notify::new(),
            targets: Mutex::default(),
            gone: Mutex::default(),
            streams: Mutex::default(),
        })
    }

    pub(super) fn publish(&self, topics: &[Topic], payload: Bytes) {
        let mut queue = self.queue.lock();
        queue.asked += 1;
        let bytes = queue.bytes + payload.len();
        let full = queue.waiting.len() >= self.config.queue_publications
            || (bytes > self.config.queue_bytes.bytes() && !queue.waiting.is_empty());
        if full {
            queue.dropped += 1;
            metrics::publications_dropped(1);
        } else {
            queue.bytes = bytes;
            queue.waiting.push_back(Publication { topics: topics.to_vec(), payload });
        }
        drop(queue);
        self.queued.notify_one();
    }

    /// Completes once what was published before has been sent or is counted as lost.
    pub(super) async fn flush(&self) {
        let asked = self.queue.lock().asked;
        self.until(|| self.queue.lock().routed >= asked).await;
        let ends: Vec<_> = self.targets.lock().values().map(|target| (Arc::clone(target), target.end())).collect();
        for (target, end) in ends {
            self.until(|| target.is_settled(end)).await;
        }
    }

    async fn until(&self, holds: impl Fn() -> bool) {
        loop {
            let progress = self.progress.notified();
            if holds() {
                return;
            }
            progress.await;
        }
    }

    /// Ends all tasks that send.
    pub(super) fn stop(&self) {
        for (_, target) in self.targets.lock().drain() {
            target.stop();
        }
    }

    /// Addresses what is published, for as long as the process lives.
    pub(super) async fn route(self: Arc<Self>) {
        let mut router = Router::default();
        loop {
            let round = self.next_round(router.unaddressed > 0).await;
            router.unaddressed += round.dropped;
            self.address(&mut router, round.publications).await;
            self.queue.lock().handed_on(round.done);
            self.progress.notify_waiters();
        }
    }

    /// Waits for something to address. With `owing`, no longer than it takes to try again.
    async fn next_round(&self, owing: bool) -> Round {
        loop {
            let queued = self.queued.notified();
            if let Some(round) = self.queue.lock().take() {
                return round;
            }
            if owing {
                let _ = tokio::time::timeout(PAUSE, queued).await;
                return self.queue.lock().take().unwrap_or_default();
            }
            queued.await;
        }
    }

    /// Looks up the topics of a round and hands each publication, once, to every process that it concerns.
    async fn address(self: &Arc<Self>, router: &mut Router, round: Vec<Publication>) {
        let mut keys: Vec<Bytes> = Vec::new();
        let mut index: HashMap<&Topic, usize> = HashMap::new();
        for topic in round.iter().flat_map(|publication| &publication.topics) {
            index.entry(topic).or_insert_with(|| {
                keys.push(self.names.topic(topic));
                keys.len() - 1
            });
        }
        let everybody_is_meant = round.iter().any(|publication| publication.topics.is_empty());
        let mut everybody = None;
        if everybody_is_meant || router.unaddressed > 0 {
            keys.push(self.names.everybody());
        }
        let mut lists = self.look_up(router, &keys).await;
        if everybody_is_meant || router.unaddressed > 0 {
            everybody = lists.pop().flatten();
        }
        if everybody.is_none() && lists.iter().any(Option::is_none) {
            everybody = self.look_up(router, &[self.names.everybody()]).await.pop().flatten();
        }
        let everybody_is_known = everybody.is_some();
        if let Some(everybody) = everybody {
            router.everybody = everybody;
        }
        let now = Instant::now();
        let mut touched: HashMap<Boot, Arc<Target>> = HashMap::new();
        for Publication { topics, payload } in &round {
            let mut addressees: Vec<Boot> = Vec::new();
            let mut unknown = topics.is_empty();
            for topic in topics {
                match &lists[index[topic]] {
                    Some(boots) => addressees.extend(boots),
                    None => unknown = true,
                }
            }
            if unknown {
                // More work for everybody, and nothing lost: whoever listens looks at what it hears.
                addressees.clone_from(&router.everybody);
                router.unaddressed += u64::from(!everybody_is_known);
            }
            addressees.sort_unstable();
            addressees.dedup();
            for boot in addressees {
                let target = touched.entry(boot).or_insert_with(|| self.target(boot));
                target.push(payload.clone(), now);
            }
        }
        if everybody_is_known && router.unaddressed > 0 {
            let lost = std::mem::take(&mut router.unaddressed);
            tracing::warn!(lost, "bus: publications could not be addressed: every process is told");
            for boot in &router.everybody {
                touched.entry(*boot).or_insert_with(|| self.target(*boot)).skip(lost, now);
            }
        }
        for target in touched.values() {
            target.wake();
        }
    }

    /// The members of these sets, but for this process and those that are gone; none where nobody can say.
    async fn look_up(&self, router: &mut Router, keys: &[Bytes]) -> Vec<Option<Vec<Boot>>> {
        let ghosts = std::mem::take(&mut router.ghosts);
        let mut queries: Vec<Query> = ghosts.iter().map(|(key, boot)| remove(key, *boot)).collect();
        queries.extend(keys.iter().map(|key| Query::new(key, Command::new("SMEMBERS").arg(key.clone()))));
        let mut answers = self.cluster.ask(&queries).await.split_off(ghosts.len());
        let own = *self.own.borrow();
        let gone = self.gone.lock();
        let members = |(key, answer): (&Bytes, Result<Reply, Failure>)| {
            let boots = boots(answer.ok()?)?;
            let (dead, alive): (Vec<Boot>, Vec<Boot>) = boots.into_iter().partition(|boot| gone.contains(boot));
            router.ghosts.extend(dead.into_iter().map(|boot| (key.clone(), boot)));
            Some(alive.into_iter().filter(|boot| *boot != own).collect())
        };
        keys.iter().zip(answers.drain(..)).map(members).collect()
    }

    fn target(self: &Arc<Self>, boot: Boot) -> Arc<Target> {
        let mut targets = self.targets.lock();
        let target = targets.entry(boot).or_insert_with(|| {
            let mut streams = self.streams.lock();
            *streams += 1;
            Target::start(Arc::clone(self), boot, *streams)
        });
        Arc::clone(target)
    }

    /// A process is gone for good.
    async fn bury(&self, boot: Boot) {
        tracing::info!(%boot, "bus: a process is gone");
        {
            let mut gone = self.gone.lock();
            if gone.len() >= GONE {
                gone.clear();
            }
            gone.insert(boot);
        }
        if let Some(target) = self.targets.lock().remove(&boot) {
            target.retire();
        }
        self.progress.notify_waiters();
        // What is left of it elsewhere goes when somebody comes across it.
        self.cluster.ask(&[remove(&self.names.everybody(), boot)]).await;
    }
}

impl Queue {
    /// Takes what comes next, if there is anything.
    fn take(&mut self) -> Option<Round> {
        if self.waiting.is_empty() && self.dropped == 0 {
            return None;
        }
        let count = self.waiting.len().min(ROUND);
        let publications: Vec<Publication> = self.waiting.drain(..count).collect();
        self.bytes -= publications.iter().map(|publication| publication.payload.len()).sum::<usize>();
        let dropped = std::mem::take(&mut self.dropped);
        // Those that were dropped came after those that wait, as far as this goes.
        let done = if self.waiting.is_empty() { self.asked } else { self.taken + count as u64 };
        self.taken += count as u64 + dropped;
        Some(Round { publications, dropped, done })
    }

    fn handed_on(&mut self, done: u64) {
        self.routed = self.routed.max(done);
    }
}

fn remove(key: &Bytes, boot: Boot) -> Query {
    Query::new(key, Command::new("SREM").arg(key.clone()).arg(boot.to_bytes()))
}

fn boots(reply: Reply) -> Option<Vec<Boot>> {
    let Reply::List(members) = reply else { return None };
    let boot = |member| if let Reply::Text(bytes) = member { Boot::from_bytes(&bytes) } else { None };
    Some(members.into_iter().filter_map(boot).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(waiting: usize, asked: u64, dropped: u64) -> Queue {
        let publication = || Publication { topics: Vec::new(), payload: Bytes::from_static(b"12345") };
        let waiting: VecDeque<Publication> = std::iter::repeat_with(publication).take(waiting).collect();
        Queue { bytes: 5 * waiting.len(), waiting, asked, dropped, ..Queue::default() }
    }

    #[test]
    fn whoever_flushes_waits_for_what_came_before_and_for_no_more() {
        assert!(queue(0, 0, 0).take().is_none());
        // More than one round, and some for which there was no room behind.
        let count = ROUND + 10;
        let mut queue = queue(count, count as u64 + 3, 3);
        let round = queue.take().unwrap();
        assert_eq!((round.publications.len(), round.dropped, round.done), (ROUND, 3, ROUND as u64));
        queue.handed_on(round.done);
        let round = queue.take().unwrap();
        assert_eq!((round.publications.len(), round.dropped, round.done), (10, 0, count as u64 + 3));
        queue.handed_on(round.done);
        assert_eq!((queue.routed, queue.bytes), (queue.asked, 0));
        assert!(queue.take().is_none());
    }
}
