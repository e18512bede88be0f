//! The receiving side: the subscription to this process's own channel, and the watch over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::cluster::{Cluster, Query, slot};
use super::config::RedisBusConfig;
use super::frame;
use super::names::{Boot, Names};
use super::outbox::Batch;
use super::streams::Incoming;
use super::watchdog::Watchdog;
use crate::bus::Hub;
use crate::metrics;
use crate::redis::channel::{Channel, Heard, Listen};
use crate::redis::node::{Command, Lost, Reply};

/// How long to wait before subscribing once more.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens. One task hears, and one watches whether it does.
#[derive(Debug)]
pub(super) struct Listener {
    publisher: Boot,
    names: Names,
    timeout: Duration,
    cluster: Arc<Cluster>,
    client: Arc<dyn Listen>,
    hub: Arc<Hub>,
    own: watch::Receiver<Boot>,
    watchdog: Mutex<Watchdog>,
    again: Notify,
    rewatch: Notify,
    /// Counts subscriptions: odd while there is one.
    subscription: AtomicU64,
    streams: Mutex<Incoming>,
}

impl Listener {
    /// `publisher` is who this process is as a publisher: to be known when it hears itself.
    pub(super) fn new(
        config: &RedisBusConfig,
        publisher: Boot,
        cluster: Arc<Cluster>,
        client: Arc<dyn Listen>,
        hub: Arc<Hub>,
        own: watch::Receiver<Boot>,
    ) -> Arc<Self> {
        let watchdog = Watchdog::new(config.heartbeat, config.silence, config.catch_up, Instant::now());
        Arc::new(Self {
            publisher,
            names: Names::new(&config.namespace),
            timeout: config.timeout,
            cluster,
            client,
            hub,
            own,
            watchdog: Mutex::new(watchdog),
            again: Notify::new(),
            rewatch: Notify::new(),
            subscription: AtomicU64::new(0),
            streams: Mutex::default(),
        })
    }

    /// Whether this process hears.
    pub(super) fn hears(&self) -> bool {
        self.watchdog.lock().hears()
    }

    /// Tells every subscriber that it may have missed something.
    pub(super) fn lag(&self, missed: u64) {
        metrics::bus_lagged();
        self.hub.lose(missed);
    }

    /// Hears, for as long as the process lives.
    pub(super) async fn listen(self: Arc<Self>) {
        let mut own = self.own.clone();
        loop {
            let boot = *own.borrow_and_update();
            match self.subscribe(boot).await {
                Ok(mut channel) => {
                    self.watchdog.lock().subscribed(Instant::now());
                    self.rewatch.notify_one();
                    self.subscription.fetch_add(1, Ordering::AcqRel);
                    tracing::debug!(%boot, "bus: subscribed");
                    loop {
                        tokio::select! {
                            heard = channel.next() => match heard {
                                Heard::Message(message) => self.take(message),
                                Heard::Missed(missed) => self.lag(missed),
                                Heard::Over => break tracing::warn!("bus: lost the connection of the subscription"),
                            },
                            () = self.again.notified() => break tracing::warn!("bus: the subscription is silent"),
                            _ = own.changed() => break,
                        }
                    }
                    self.subscription.fetch_add(1, Ordering::AcqRel);
                }
                Err(Lost(reason)) => tracing::debug!(reason, "bus: cannot subscribe"),
            }
            self.cluster.look();
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn subscribe(&self, boot: Boot) -> Result<Box<dyn Channel>, Lost> {
        let channel = self.names.channel(boot);
        let Some(owner) = self.cluster.owner(slot(&channel)) else {
            return Err(Lost("nobody serves the slot of its channel".into()));
        };
        let subscribed = tokio::time::timeout(self.timeout, self.client.listen(&owner, &channel)).await;
        subscribed.unwrap_or_else(|_| Err(Lost(format!("{owner} did not answer in time"))))
    }

    fn take(&self, message: Bytes) {
        let Some((header, payloads)) = frame::decode(message) else {
            return tracing::warn!("bus: a message on this process's channel is none of ours");
        };
        if header.publisher == self.publisher {
            if self.watchdog.lock().heard(Instant::now()) {
                self.lag(0);
            }
            return;
        }
        let arrival = self.streams.lock().take(header, payloads.len());
        if let Some(missed) = arrival.missed {
            self.lag(missed);
        }
        for payload in &payloads[arrival.repeated..] {
            self.hub.publish(payload);
        }
    }

    /// Publishes to itself and does what is due, for as long as the process lives.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            let next = self.watchdog.lock().next();
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.rewatch.notified() => {}
            }
            let now = Instant::now();
            let (due, age) = {
                let mut watchdog = self.watchdog.lock();
                (watchdog.poll(now), watchdog.age(now))
            };
            metrics::heartbeat_age(age);
            if due.beat {
                // Not waited for: one that does not arrive must not delay what is due next.
                tokio::spawn(Arc::clone(&self).beat());
            }
            if due.subscribe {
                self.again.notify_one();
            }
            if due.lag {
                self.lag(0);
            }
        }
    }

    async fn beat(self: Arc<Self>) {
        let subscription = self.subscription.load(Ordering::Acquire);
        let channel = self.names.channel(*self.own.borrow());
        let message = frame::encode(self.publisher, 0, &Batch { before: 0, payloads: Vec::new() });
        let query = Query::new(&channel, Command::new("SPUBLISH").arg(channel.clone()).arg(message));
        let answer = self.cluster.ask(&[query]).await.pop();
        let nobody_hears = matches!(answer, Some(Ok(Reply::Number(0))));
        // The slot has another master, and with it no subscription.
        if nobody_hears && subscription % 2 == 1 && subscription == self.subscription.load(Ordering::Acquire) {
            self.again.notify_one();
        }
    }
}
