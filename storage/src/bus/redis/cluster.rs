//! The cluster: which node serves what, and one connection to each.
//!
//! A node that does not answer is asked nothing more until it has answered a PING, so that it delays nobody but its own slots.

mod node;
mod slots;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::node::Master;
use self::slots::View;
pub(super) use self::slots::{SlotSet, slot};
use crate::redis::node::{Command, Connect, Meaning, Refusal, Reply};
use crate::redis::url::Host;

/// How long to wait before something that was refused for now is asked again.
const PAUSE: Duration = Duration::from_millis(30);
/// For how long it is asked again: the other answers of the same call wait for it.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the cluster is looked at when somebody asks for it.
const SOONEST_LOOK: Duration = Duration::from_millis(100);
/// How often the cluster is looked at when nobody asks for it.
const LATEST_LOOK: Duration = Duration::from_secs(2);
/// How many nodes are asked for their view: the newest counts.
const VIEWS: usize = 3;

/// A command, and a key that says where it goes.
#[derive(Debug, Clone)]
pub(super) struct Query {
    slot: u16,
    command: Command,
}

impl Query {
    pub(super) fn new(key: &Bytes, command: Command) -> Self {
        Self { slot: slot(key), command }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The node said no: the command had no effect.
    #[error("{0}")]
    Refused(Refusal),
    /// Nobody knows whether the command had an effect.
    #[error("{0}")]
    Lost(String),
}

/// A handle to the cluster. Everything ends when it is dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    seeds: Vec<Host>,
    connect: Arc<dyn Connect>,
    timeout: Duration,
    state: Mutex<State>,
    look: Notify,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    view: View,
    masters: HashMap<Arc<Host>, Arc<Master>>,
    /// Slots that got another master, or whose master was away, since somebody looked.
    unsettled: SlotSet,
}

impl Cluster {
    /// Connects in the background. `timeout` is how long a command may take.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(super) fn connect(seeds: Vec<Host>, connect: Arc<dyn Connect>, timeout: Duration) -> Self {
        let (state, look, changed) = (Mutex::default(), Notify::new(), Notify::new());
        let shared = Arc::new(Shared { seeds, connect, timeout, state, look, changed });
        let keeper = tokio::spawn(Arc::clone(&shared).keep_up()).abort_handle();
        Self { shared, keeper }
    }

    /// Whether any node answers.
    pub(super) fn is_connected(&self) -> bool {
        self.shared.state.lock().masters.values().any(|master| master.is_up())
    }

    /// Asks everything at once and waits for all answers, which come in the order of the queries.
    /// What a node refuses for now is asked again, or elsewhere, for a moment.
    pub(super) async fn ask(&self, queries: &[Query]) -> Vec<Result<Reply, Failure>> {
        let start = Instant::now();
        let (deadline, last) = (start + self.shared.timeout, start + PATIENCE.min(self.shared.timeout));
        let mut answers = vec![None; queries.len()];
        let mut pending: Vec<usize> = (0..queries.len()).collect();
        loop {
            for (index, answer) in self.shared.ask_once(queries, &pending, deadline).await {
                answers[index] = Some(answer);
            }
            // What has no answer has no master.
            pending.retain(|index| answers[*index].as_ref().is_none_or(is_for_now));
            if pending.is_empty() || Instant::now() + PAUSE >= last {
                let unserved = || Err(Failure::Lost("nobody serves the slot".into()));
                return answers.into_iter().map(|answer| answer.unwrap_or_else(unserved)).collect();
            }
            self.shared.look.notify_one();
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The node that serves a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<Arc<Host>> {
        self.shared.state.lock().view.slots.owner(slot).cloned()
    }

    /// Has the cluster looked at soon.
    pub(super) fn look(&self) {
        self.shared.look.notify_one();
    }

    /// Told whenever [`Self::take_unsettled`] has something new.
    pub(super) fn changed(&self) -> &Notify {
        &self.shared.changed
    }

    /// The slots that got another master, or whose master was away, since this was called last.
    pub(super) fn take_unsettled(&self) -> SlotSet {
        std::mem::take(&mut self.shared.state.lock().unsettled)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Whether a node refused something that it, or another, will take soon.
fn is_for_now(answer: &Result<Reply, Failure>) -> bool {
    let Err(Failure::Refused(refusal)) = answer else { return false };
    // Where a slot has moved to, the next look at the cluster tells.
    let asked = Host { name: String::new(), port: 0 };
    matches!(refusal.meaning(&asked), Meaning::Moved(..) | Meaning::NotNow)
}

impl Shared {
    /// One attempt at the queries of these indices, all nodes at the same time.
    async fn ask_once(
        &self,
        queries: &[Query],
        indices: &[usize],
        deadline: Instant,
    ) -> Vec<(usize, Result<Reply, Failure>)> {
        let mut by_master: HashMap<Arc<Host>, (Arc<Master>, Vec<usize>)> = HashMap::new();
        {
            let state = self.state.lock();
            for index in indices {
                let owner = state.view.slots.owner(queries[*index].slot);
                if let Some(master) = owner.and_then(|host| state.masters.get(host)) {
                    let group = by_master.entry(Arc::clone(master.host()));
                    group.or_insert_with(|| (Arc::clone(master), Vec::new())).1.push(*index);
                }
            }
        }
        let rounds = by_master.into_values().map(|(master, indices)| async move {
            let commands = indices.iter().map(|index| queries[*index].command.clone()).collect();
            let answers = master.send(commands, deadline).await;
            if answers.iter().any(Result::is_err) {
                self.look.notify_one();
            }
            indices.into_iter().zip(answers).collect::<Vec<_>>()
        });
        join_all(rounds).await.into_iter().flatten().collect()
    }

    /// Looks at the cluster now and then, and whenever something speaks against what is known.
    async fn keep_up(self: Arc<Self>) {
        loop {
            if let Some(view) = self.newest_view().await {
                self.adopt(view);
            }
            tokio::time::sleep(SOONEST_LOOK).await;
            let _ = tokio::time::timeout(LATEST_LOOK, self.look.notified()).await;
        }
    }

    /// The newest of the views of a few nodes.
    async fn newest_view(&self) -> Option<View> {
        let mut masters: Vec<Arc<Master>> =
            self.state.lock().masters.values().filter(|master| master.is_up()).cloned().collect();
        // Others each time, so that none that is cut off misleads for long.
        for index in 0..masters.len().min(VIEWS) {
            let other = rand::random_range(index..masters.len());
            masters.swap(index, other);
        }
        masters.truncate(VIEWS);
        let views = join_all(masters.iter().map(|master| master.view(Instant::now() + self.timeout))).await;
        if let Some(newest) = views.into_iter().flatten().max_by_key(|view| view.epoch) {
            return Some(newest);
        }
        // Nobody that is known answers: as at the start.
        let views = self.seeds.iter().map(|seed| node::view_of(seed, &*self.connect, self.timeout));
        join_all(views).await.into_iter().flatten().max_by_key(|view| view.epoch)
    }

    fn adopt(self: &Arc<Self>, view: View) {
        let mut state = self.state.lock();
        let hosts = view.slots.hosts();
        state.masters.retain(|host, _| hosts.contains(host));
        for host in hosts {
            state.masters.entry(Arc::clone(&host)).or_insert_with(|| {
                let (shared, returned) = (Arc::downgrade(self), Arc::clone(&host));
                let returned = move || {
                    if let Some(shared) = shared.upgrade() {
                        shared.returned(&returned);
                    }
                };
                Arc::new(Master::new(host, Arc::clone(&self.connect), self.timeout, returned))
            });
        }
        let moved = state.view.differences(&view);
        state.view = view;
        if !moved.is_empty() {
            state.unsettled.extend(moved);
            self.changed.notify_one();
        }
    }

    /// A node answers again: what it knew of may be gone.
    fn returned(&self, host: &Host) {
        let mut state = self.state.lock();
        let slots = &state.view.slots;
        let served = SlotSet::of(|slot| slots.owner(slot).is_some_and(|owner| **owner == *host));
        state.unsettled.extend(served);
        self.changed.notify_one();
    }
}
