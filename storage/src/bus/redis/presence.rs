//! What others know of this process: that it lives, and which topics it joined.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::cluster::{Cluster, Failure, Query, slot};
use super::config::RedisBusConfig;
use super::listener::Listener;
use super::names::{Boot, GONE, HERE, Names};
use super::registry::{Change, Outcome, Registry};
use crate::bus::Topic;
use crate::metrics;
use crate::redis::node::{Command, Reply};

/// Most changes of the directory that are asked for together.
const ROUND: usize = 1_024;
/// How long to wait before a renewal that failed is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// For how long losses are gathered before they are told, while there are changes left.
const GATHER: Duration = Duration::from_secs(1);

/// Keeps the directory right. One task does.
#[derive(Debug)]
pub(super) struct Presence {
    names: Names,
    lease: Duration,
    topic_lifetime: Duration,
    cluster: Arc<Cluster>,
    listener: Arc<Listener>,
    own: watch::Sender<Boot>,
    registry: Mutex<Registry>,
    joined: Notify,
    progress: Notify,
    listed: AtomicBool,
}

/// How the lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// Nobody knows of this process yet.
    None,
    Held,
}

impl Presence {
    pub(super) fn new(
        config: &RedisBusConfig,
        cluster: Arc<Cluster>,
        listener: Arc<Listener>,
        own: watch::Sender<Boot>,
    ) -> Arc<Self> {
        Arc::new(Self {
            names: Names::new(&config.namespace),
            lease: config.lease,
            topic_lifetime: config.topic_lifetime,
            cluster,
            listener,
            own,
            // Renewed at between a quarter and half of its life.
            registry: Mutex::new(Registry::new(config.topic_lifetime / 2)),
            joined: Notify::new(),
            progress: Notify::new(),
            listed: AtomicBool::new(false),
        })
    }

    /// Whether others know that this process lives.
    pub(super) fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }

    pub(super) fn join(&self, topic: Topic) {
        if self.registry.lock().join(topic) {
            self.joined.notify_one();
        }
    }

    pub(super) fn leave(&self, topic: &Topic) {
        if self.registry.lock().leave(topic) {
            self.joined.notify_one();
        }
    }

    /// Completes once the directory has learnt of what was joined and left before, or could not be told.
    pub(super) async fn settle(&self) {
        let asked = self.registry.lock().asked();
        loop {
            let progress = self.progress.notified();
            if self.registry.lock().has_settled(asked) {
                return;
            }
            progress.await;
        }
    }

    /// Keeps the lease and the directory up, for as long as the process lives.
    pub(super) async fn keep_up(self: Arc<Self>) {
        let mut lease = Lease::None;
        let mut renew = Instant::now();
        // Since when there is something untold that may have been missed.
        let mut missed: Option<Instant> = None;
        loop {
            let joined = self.joined.notified();
            if Instant::now() >= renew {
                match self.renew(lease).await {
                    Ok(Renewal::Held { listed_before }) => {
                        // Whoever published to everybody meanwhile did not publish here.
                        if !listed_before {
                            missed.get_or_insert_with(Instant::now);
                        }
                        lease = Lease::Held;
                        self.listed.store(true, Ordering::Release);
                        renew = Instant::now() + self.lease / 3;
                    }
                    Ok(Renewal::Lapsed) => {
                        self.begin_anew();
                        lease = Lease::None;
                        continue;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "bus: the lease cannot be renewed");
                        renew = Instant::now() + PAUSE;
                    }
                }
            }
            if lease == Lease::Held && self.change_directory().await {
                missed.get_or_insert_with(Instant::now);
            }
            let (idle, next) = {
                let registry = self.registry.lock();
                (registry.is_idle(), registry.next())
            };
            if missed.is_some_and(|since| idle || since.elapsed() >= GATHER) {
                missed = None;
                tracing::info!("bus: while this process was not listed, publications may have passed it by");
                self.listener.lag(0);
            }
            if idle || lease == Lease::None {
                let next = next.filter(|_| lease == Lease::Held).map_or(renew, |next| next.min(renew));
                tokio::select! {
                    () = joined => {}
                    () = tokio::time::sleep_until(next) => {}
                    () = self.cluster.changed().notified() => renew = self.look_again(renew),
                }
            }
        }
    }

    /// Renews the lease, or takes one.
    async fn renew(&self, lease: Lease) -> Result<Renewal, Failure> {
        let boot = *self.own.borrow();
        let (key, everybody) = (self.names.lease(boot), self.names.everybody());
        let set = Command::new("SET").arg(key.clone()).arg(HERE).arg("PX").number(self.lease.as_millis());
        // One that lapsed stays lapsed: others may have noticed, and forgotten this process.
        let set = if lease == Lease::Held { set.arg("XX") } else { set };
        let add = Command::new("SADD").arg(everybody.clone()).arg(boot.to_bytes());
        let mut answers = self.cluster.ask(&[Query::new(&key, set), Query::new(&everybody, add)]).await.into_iter();
        let (set, add) = (answers.next().unwrap_or(Ok(Reply::Nil))?, answers.next().unwrap_or(Ok(Reply::Nil)));
        if set == Reply::Nil {
            return Ok(Renewal::Lapsed);
        }
        Ok(Renewal::Held { listed_before: add? == Reply::Number(0) })
    }

    /// Tells others that nobody listens here any more. Only when nothing renews the lease any more.
    pub(super) async fn take_leave(&self) {
        let boot = *self.own.borrow();
        let (key, everybody) = (self.names.lease(boot), self.names.everybody());
        let leave = Command::new("SET").arg(key.clone()).arg(GONE).arg("PX").number(self.topic_lifetime.as_millis());
        let remove = Command::new("SREM").arg(everybody.clone()).arg(boot.to_bytes());
        let answers = self.cluster.ask(&[Query::new(&key, leave), Query::new(&everybody, remove)]).await;
        if let Some(error) = answers.into_iter().find_map(Result::err) {
            tracing::debug!(%error, "bus: could not take leave");
        }
    }

    /// Takes another name: the one that this process had has been forgotten.
    fn begin_anew(&self) {
        let boot = Boot::random();
        tracing::warn!(%boot, "bus: this process was away for too long and begins anew");
        self.listed.store(false, Ordering::Release);
        self.registry.lock().begin_anew();
        self.own.send_replace(boot);
    }

    /// Tells the directory what is due. True if publications may have passed this process by.
    async fn change_directory(&self) -> bool {
        let changes = self.registry.lock().take(ROUND, Instant::now());
        if changes.is_empty() {
            return false;
        }
        let own = *self.own.borrow();
        let queries: Vec<Query> = changes.iter().flat_map(|change| self.queries(change, own)).collect();
        let mut answers = self.cluster.ask(&queries).await.into_iter();
        let now = Instant::now();
        let mut missed = false;
        let mut registry = self.registry.lock();
        for change in changes {
            let wanted = if matches!(change, Change::List(_)) { 2 } else { 1 };
            let of_change: Result<Vec<Reply>, Failure> = answers.by_ref().take(wanted).collect();
            let outcome = match of_change.as_deref() {
                Ok([Reply::Number(0), ..]) => Outcome::Known,
                Ok(_) => Outcome::New,
                Err(_) => Outcome::Failed,
            };
            missed |= registry.settle(change, outcome, now, rand::random());
        }
        metrics::bus_topics(registry.len());
        drop(registry);
        self.progress.notify_waiters();
        missed
    }

    fn queries(&self, change: &Change, own: Boot) -> Vec<Query> {
        match change {
            Change::List(topic) => {
                let key = self.names.topic(topic);
                let add = Command::new("SADD").arg(key.clone()).arg(own.to_bytes());
                let keep = Command::new("PEXPIRE").arg(key.clone()).number(self.topic_lifetime.as_millis());
                vec![Query::new(&key, add), Query::new(&key, keep)]
            }
            Change::Unlist(topic) => {
                let key = self.names.topic(topic);
                vec![Query::new(&key, Command::new("SREM").arg(key.clone()).arg(own.to_bytes()))]
            }
        }
    }

    /// A node has failed over, was away, or has handed slots on: looks whether the directory still knows this process.
    /// Returns when to renew the lease.
    fn look_again(&self, renew: Instant) -> Instant {
        let slots = self.cluster.take_unsettled();
        if slots.is_empty() {
            return renew;
        }
        self.registry.lock().verify(|topic| slots.contains(slot(&self.names.topic(topic))));
        let keys = [self.names.lease(*self.own.borrow()), self.names.everybody()];
        if keys.iter().any(|key| slots.contains(slot(key))) { Instant::now() } else { renew }
    }
}

/// What became of a renewal.
enum Renewal {
    Held { listed_before: bool },
    Lapsed,
}
