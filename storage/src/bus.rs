//! The wake-up bus: tells the other processes that something changed. The store remains the truth.
//!
//! A publication is a hint, addressed to topics. It reaches, once each, at least the processes that joined one of them,
//! in the order of publishing as far as one publisher goes; or it is lost, and then the subscriber is told so.
//! A process may hear more than it joined, and its own publications too: who listens has to look at what it hears.
//! Nobody waits for a slow subscriber: its oldest publications are dropped instead.
//!
//! - `local`: within one process, and the subscriptions of every process;
//! - `remote`: the bus of the process that owns the store, over its socket;
//! - `redis`: of any number of processes, over a Redis Cluster.

mod local;
mod redis;
mod remote;

use std::sync::Arc;

use bytes::Bytes;

pub(crate) use self::local::Hub;
use self::local::Keep;
pub use self::local::{Lagged, Subscription};
use self::redis::RedisBus;
pub use self::redis::RedisBusConfig;
use self::remote::RemoteBus;
use crate::remote::RemoteConfig;

/// What a publication is addressed to: a user, a group, ... The name's bytes are the caller's own; 1 to 64 of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Bytes);

impl Topic {
    /// A topic named by these bytes.
    ///
    /// # Panics
    /// If `bytes` is empty or longer than 64: a topic's shape is the program's own, never a caller's text.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        assert!((1..=64).contains(&bytes.len()), "a topic's name is 1 to 64 bytes");
        Self(bytes)
    }

    /// The name's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A handle to the bus. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Local(Arc<Hub>),
    Remote(Arc<RemoteBus>),
    Redis(Arc<RedisBus>),
}

impl Bus {
    /// A bus within this process. Tells everything to every subscription, whatever was joined.
    #[must_use]
    pub fn local() -> Self {
        Self(Inner::Local(Arc::default()))
    }

    /// The bus of the process that owns the store. Connects in the background, again and again if need be.
    /// Tells everything to every subscription, whatever was joined.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn connect(config: &RemoteConfig) -> Self {
        Self(Inner::Remote(Arc::new(RemoteBus::connect(config))))
    }

    /// The bus of all processes that use the same Redis Cluster and namespace. Connects in the background, again and again if need be.
    /// A process that neither joins nor subscribes is not heard of by others, and costs them nothing.
    ///
    /// # Errors
    /// A sentence, if the namespace is none or the certificates cannot be read.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn redis(config: &RedisBusConfig) -> Result<Self, String> {
        Ok(Self(Inner::Redis(Arc::new(RedisBus::connect(config)?))))
    }

    /// Tells whoever joined one of the topics; an empty list means everybody.
    /// Never waits; what cannot be sent is dropped and counted, and whoever misses it is told.
    pub fn publish(&self, topics: &[Topic], payload: Bytes) {
        match &self.0 {
            // Whoever listens is told, whatever it joined.
            Inner::Local(hub) => hub.publish(&payload),
            Inner::Remote(remote) => remote.publish(payload),
            Inner::Redis(redis) => redis.publish(topics, payload),
        }
    }

    /// From now on, publications to this topic come here. Idempotent. Takes effect soon, not at once: [`Self::settle`] tells.
    pub fn join(&self, topic: Topic) {
        match &self.0 {
            // Everything comes here anyhow.
            Inner::Local(_) | Inner::Remote(_) => {}
            Inner::Redis(redis) => redis.join(topic),
        }
    }

    /// Publications to this topic need not come here any more. Idempotent.
    pub fn leave(&self, topic: &Topic) {
        match &self.0 {
            Inner::Local(_) | Inner::Remote(_) => {}
            Inner::Redis(redis) => redis.leave(topic),
        }
    }

    /// Completes once what was joined through this handle and its clones so far comes here. What cannot be arranged for now
    /// is not waited for: when it is, every subscriber is told that it may have missed something.
    pub async fn settle(&self) {
        match &self.0 {
            Inner::Local(_) | Inner::Remote(_) => {}
            Inner::Redis(redis) => redis.settle().await,
        }
    }

    /// Completes once what was published, joined and left through this handle and its clones so far has been passed on,
    /// or is known to be lost. Waits no longer than the timeout of the bus's calls.
    pub async fn flush(&self) {
        match &self.0 {
            Inner::Local(_) => {}
            Inner::Remote(remote) => remote.flush().await,
            Inner::Redis(redis) => redis.flush().await,
        }
    }

    /// Passes on what was published and takes leave of the other processes, which publish here no more. Nothing is heard after that.
    /// A process that ends without it costs the others something until its lease has lapsed.
    pub async fn close(&self) {
        self.flush().await;
        if let Inner::Redis(redis) = &self.0 {
            redis.close().await;
        }
    }

    /// Hears everything that comes here from now on, holding `capacity` publications at most (and one at least).
    #[must_use]
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        match &self.0 {
            Inner::Local(hub) => hub.subscribe(capacity, Arc::new(())),
            // The handle goes along: the connection lives as long as somebody listens.
            Inner::Remote(remote) => remote.hub().subscribe(capacity, Arc::clone(remote) as Keep),
            Inner::Redis(redis) => redis.hub().subscribe(capacity, Arc::clone(redis) as Keep),
        }
    }

    /// Whether publications reach the other processes, and theirs this one.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match &self.0 {
            Inner::Local(_) => true,
            Inner::Remote(remote) => remote.is_connected(),
            Inner::Redis(redis) => redis.is_ready(),
        }
    }
}
