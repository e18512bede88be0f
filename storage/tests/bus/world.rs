//! Buses of every kind, and ears to hear with.

use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::testing::RedisCluster;
use storage::{
    Bus, Clock, Lagged, RedisBusConfig, RemoteConfig, Store, StoreServer, StoreServerConfig, Subscription, Topic,
};
use tempfile::TempDir;

/// Where processes meet.
pub(crate) enum World {
    Local(Bus),
    /// With the directory of the socket, which lives as long.
    Remote(RemoteConfig, #[expect(dead_code, reason = "kept for its drop")] TempDir),
    Redis(RedisBusConfig),
}

impl World {
    pub(crate) fn local() -> Self {
        Self::Local(Bus::local())
    }

    pub(crate) fn remote() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("store.sock");
        let config = StoreServerConfig { socket: socket.clone(), ..StoreServerConfig::default() };
        let server = StoreServer::bind(&config).unwrap();
        let store = Store::memory(Clock::manual(storage::Millis(0)));
        tokio::spawn(server.serve(store, Bus::local(), &[], std::future::pending()));
        Self::Remote(RemoteConfig { socket, ..RemoteConfig::default() }, directory)
    }

    pub(crate) fn redis(cluster: &RedisCluster, namespace: &str) -> Self {
        Self::Redis(config(cluster, namespace))
    }

    /// The bus of another process.
    pub(crate) fn process(&self) -> Bus {
        match self {
            Self::Local(bus) => bus.clone(),
            Self::Remote(config, _) => Bus::connect(config),
            Self::Redis(config) => Bus::redis(config).unwrap(),
        }
    }

    /// Whether a process hears only what it joined.
    pub(crate) fn selects(&self) -> bool {
        matches!(self, Self::Redis(_))
    }
}

/// Settings with which a test does not take long.
pub(crate) fn config(cluster: &RedisCluster, namespace: &str) -> RedisBusConfig {
    RedisBusConfig {
        url: cluster.url().parse().unwrap(),
        namespace: namespace.into(),
        lease: Duration::from_secs(6),
        catch_up: Duration::from_secs(3),
        ..RedisBusConfig::default()
    }
}

pub(crate) fn topic(name: &str) -> Topic {
    Topic::new(name.as_bytes().to_vec())
}

/// A process that listens, with what it has heard.
pub(crate) struct Ear {
    pub(crate) bus: Bus,
    subscription: Subscription,
}

impl Ear {
    /// Listens on a bus, joined to these topics, from now on and without a lag left to tell.
    pub(crate) async fn on(bus: Bus, topics: &[&str]) -> Self {
        let subscription = bus.subscribe(100_000);
        for name in topics {
            bus.join(topic(name));
        }
        let mut ear = Self { bus, subscription };
        ear.until_ready().await;
        ear.bus.flush().await;
        ear.rest(Duration::from_millis(300)).await;
        ear
    }

    pub(crate) async fn until_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.bus.is_ready() {
            assert!(Instant::now() < deadline, "the bus does not become ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What comes next, which has to come within 10 s.
    pub(crate) async fn next(&mut self) -> Result<Bytes, Lagged> {
        tokio::time::timeout(Duration::from_secs(10), self.subscription.recv())
            .await
            .expect("nothing was heard for 10 s")
    }

    /// What comes next, if anything comes in time.
    pub(crate) async fn within(&mut self, time: Duration) -> Option<Result<Bytes, Lagged>> {
        tokio::time::timeout(time, self.subscription.recv()).await.ok()
    }

    /// Waits for this, and returns after how long it came.
    pub(crate) async fn hears(&mut self, payload: &Bytes, patience: Duration) -> Option<Duration> {
        let start = Instant::now();
        while let Some(heard) = self.within(patience.saturating_sub(start.elapsed())).await {
            if heard.as_ref() == Ok(payload) {
                return Some(start.elapsed());
            }
        }
        None
    }

    /// Everything until nothing has come for a while.
    pub(crate) async fn rest(&mut self, silence: Duration) -> Vec<Result<Bytes, Lagged>> {
        let mut heard = Vec::new();
        while let Some(next) = self.within(silence).await {
            heard.push(next);
        }
        heard
    }

    /// Waits until it is told that it may have missed something, and returns after how long.
    pub(crate) async fn lagged(&mut self, patience: Duration) -> Duration {
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(Err(Lagged { .. })) = self.within(patience - start.elapsed().min(patience)).await {
                return start.elapsed();
            }
        }
        panic!("nobody told of a lag within {patience:?}");
    }

    /// Publishes with `from` until this ear hears one of them, which shows that the way is open again. Returns after how long.
    pub(crate) async fn hears_again(&mut self, from: &Bus, name: &str, patience: Duration) -> Duration {
        let start = Instant::now();
        let mut number = 0u32;
        while start.elapsed() < patience {
            number += 1;
            let payload = Bytes::from(format!("again {number}"));
            from.publish(&[topic(name)], payload.clone());
            let until = Instant::now() + Duration::from_millis(200);
            while let Some(heard) = self.within(until.saturating_duration_since(Instant::now())).await {
                if heard == Ok(payload.clone()) {
                    return start.elapsed();
                }
            }
        }
        panic!("nothing was heard within {patience:?}");
    }
}
