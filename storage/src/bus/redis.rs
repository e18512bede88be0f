//! The bus over a Redis Cluster: one sharded channel for each process that listens, and a directory of who joined what.
//!
//! To publish, a process reads in the directory who joined the topics, and sends each of these processes what concerns it,
//! many publications in one message. The cost grows with the processes, never with the members of a group.
//!
//! Redis promises nothing about a message. So each process
//! - numbers what it sends to another, and says in silence how far it is (`streams`, `outbox`);
//! - publishes to itself each second, and synchronises when it does not hear that (`watchdog`);
//! - holds a lease, and begins anew under another name when that has lapsed (`presence`);
//! - notices when the directory had forgotten it (`registry`).
//!
//! Whatever the reason, a subscriber that may have missed something is told so.
//!
//! - `cluster`: which node serves what, and the connections;
//! - `publisher`: the sending side;  `listener`: the receiving side;
//! - `frame`, `names`: what travels, and under which names.

mod cluster;
mod config;
mod frame;
mod listener;
mod names;
mod outbox;
mod presence;
mod publisher;
mod registry;
mod streams;
mod watchdog;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use self::cluster::Cluster;
pub use self::config::RedisBusConfig;
use self::listener::Listener;
use self::names::Boot;
use self::presence::Presence;
use self::publisher::Publisher;
use super::{Hub, Topic};
use crate::redis::RedisConfig;
use crate::redis::fred::Fred;
use crate::redis::node::Connect;

/// The end of the bus that this process holds. Its tasks end when it is dropped.
#[derive(Debug)]
pub(super) struct RedisBus {
    hub: Arc<Hub>,
    cluster: Arc<Cluster>,
    publisher: Arc<Publisher>,
    listener: Arc<Listener>,
    presence: Arc<Presence>,
    flush_timeout: std::time::Duration,
    listens: AtomicBool,
    runtime: Handle,
    routing: AbortHandle,
    listening: Mutex<Vec<AbortHandle>>,
}

impl RedisBus {
    pub(super) fn connect(config: &RedisBusConfig) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if config.namespace.is_empty() || !config.namespace.chars().all(plain) {
            return Err(format!("bus.namespace: `{}` is not made of letters, digits, `-` and `_`", config.namespace));
        }
        let client = RedisConfig {
            url: config.url.clone(),
            ca: config.ca.clone(),
            timeout: config.timeout,
            connect_timeout: config.timeout,
            ..RedisConfig::default()
        };
        let client = Arc::new(Fred::new(&client)?);
        let connect = Arc::clone(&client) as Arc<dyn Connect>;
        let cluster = Arc::new(Cluster::connect(config.url.hosts.clone(), connect, config.timeout));
        let hub = Arc::<Hub>::default();
        let (own, own_now) = watch::channel(Boot::random());
        let publisher = Publisher::new(config, Arc::clone(&cluster), own_now.clone());
        let listener = Listener::new(config, publisher.id, Arc::clone(&cluster), client, Arc::clone(&hub), own_now);
        let presence = Presence::new(config, Arc::clone(&cluster), Arc::clone(&listener), own);
        let runtime = Handle::current();
        let routing = runtime.spawn(Arc::clone(&publisher).route()).abort_handle();
        Ok(Self {
            hub,
            cluster,
            publisher,
            listener,
            presence,
            flush_timeout: config.timeout * 2 + config.retry,
            listens: AtomicBool::new(false),
            runtime,
            routing,
            listening: Mutex::default(),
        })
    }

    pub(super) fn publish(&self, topics: &[Topic], payload: Bytes) {
        self.publisher.publish(topics, payload);
    }

    pub(super) fn join(&self, topic: Topic) {
        self.listen();
        self.presence.join(topic);
    }

    pub(super) fn leave(&self, topic: &Topic) {
        self.presence.leave(topic);
    }

    pub(super) async fn settle(&self) {
        // Ends by itself, but for a process that has not found its cluster yet.
        let _ = tokio::time::timeout(self.flush_timeout, self.presence.settle()).await;
    }

    pub(super) async fn flush(&self) {
        let flushed = async { tokio::join!(self.publisher.flush(), self.presence.settle()) };
        if tokio::time::timeout(self.flush_timeout, flushed).await.is_err() {
            tracing::warn!("bus: gave up waiting until everything was passed on");
        }
    }

    /// The subscriptions of this process, which listens from now on.
    pub(super) fn hub(&self) -> &Hub {
        self.listen();
        &self.hub
    }

    /// Whether others know this process and it hears, or, if it does not want to, whether it can speak.
    pub(super) fn is_ready(&self) -> bool {
        if self.listens.load(Ordering::Acquire) {
            self.listener.hears() && self.presence.is_listed()
        } else {
            self.cluster.is_connected()
        }
    }

    /// Hears no more, and has others know.
    pub(super) async fn close(&self) {
        self.stop_listening();
        if self.listens.load(Ordering::Acquire) {
            self.presence.take_leave().await;
        }
    }

    fn stop_listening(&self) {
        for task in self.listening.lock().drain(..) {
            task.abort();
        }
    }

    /// A process that only publishes is in nobody's list, and has no channel.
    fn listen(&self) {
        if self.listens.swap(true, Ordering::AcqRel) {
            return;
        }
        let started = [
            self.runtime.spawn(Arc::clone(&self.listener).listen()).abort_handle(),
            self.runtime.spawn(Arc::clone(&self.listener).watch()).abort_handle(),
            self.runtime.spawn(Arc::clone(&self.presence).keep_up()).abort_handle(),
        ];
        self.listening.lock().extend(started);
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.stop_listening();
        self.routing.abort();
        self.publisher.stop();
    }
}
