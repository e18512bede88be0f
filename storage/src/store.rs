//! The four calls.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use prost::Message;
use tokio::sync::oneshot;

use crate::memory::Memory;
use crate::redis::{Redis, RedisConfig};
use crate::remote::{self, Remote, RemoteConfig};
#[cfg(feature = "rocksdb")]
use crate::rocks::{Rocks, RocksConfig};
use crate::scan::{Range, Row, Scan};
use crate::{Address, Batch, Clock, Error, Home, Key, Result};

/// A handle to wherever the bytes are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store(pub(crate) Engine);

#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Memory(Arc<Memory>),
    #[cfg(feature = "rocksdb")]
    Rocks(Arc<Rocks>),
    Remote(Arc<Remote>),
    Redis(Arc<Redis>),
}

impl Store {
    /// A store that forgets everything when the last handle goes.
    #[must_use]
    pub fn memory(clock: Clock) -> Self {
        Self(Engine::Memory(Arc::new(Memory::new(clock))))
    }

    /// The store in a directory of this machine, which this process then owns.
    ///
    /// Dropping the last handle writes what is queued and closes it. Calls need a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if what is on the disk is damaged; [`Error::Unavailable`] if another process has it open, or for the file system's own reasons.
    #[cfg(feature = "rocksdb")]
    pub fn open(config: &RocksConfig, tables: &[crate::Table], clock: Clock) -> Result<Self> {
        Rocks::open(config, tables, clock).map(|rocks| Self(Engine::Rocks(Arc::new(rocks))))
    }

    /// The store of another process of this machine, asked over its socket ([`crate::StoreServer`]).
    ///
    /// Connects in the background, again and again if need be; [`Self::is_ready`] tells whether it has.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn connect(config: &RemoteConfig) -> Self {
        Self(Engine::Remote(Arc::new(Remote::connect(config))))
    }

    /// The store in a Redis Cluster, which any number of processes share.
    ///
    /// Connects in the background, again and again if need be; [`Self::is_ready`] tells whether it has.
    /// Whether the cluster keeps what an ack promises, [`crate::RedisCheck`] tells.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the certificates cannot be read.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn redis(config: &RedisConfig, clock: Clock) -> Result<Self> {
        Redis::connect(config, clock).map(|redis| Self(Engine::Redis(Arc::new(redis))))
    }

    /// Whether commits can be expected to succeed: the store is open and has not failed, or its owner is connected.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match &self.0 {
            Engine::Memory(_) => true,
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => rocks.is_ready(),
            Engine::Remote(remote) => remote.is_connected(),
            Engine::Redis(redis) => redis.is_ready(),
        }
    }

    /// Completes, with the reason, once the store has failed for good: nothing is acked any more until it is opened anew.
    ///
    /// A process that owns the store should then exit and be started again. Engines that recover by themselves never complete this.
    pub fn failure(&self) -> impl Future<Output = String> + Send + 'static {
        let failed = match &self.0 {
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => Some(rocks.watch_failure()),
            _ => None::<tokio::sync::watch::Receiver<Option<String>>>,
        };
        async move {
            if let Some(mut failed) = failed
                && let Ok(reason) = failed.wait_for(Option::is_some).await
            {
                return reason.clone().unwrap_or_default();
            }
            // A store that is closed has not failed.
            std::future::pending().await
        }
    }

    /// Writes a copy of the store, as it is at one moment, into a new directory on the owner's machine.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the engine keeps nothing, the directory exists, or for the file system's own reasons.
    pub async fn checkpoint(&self, directory: &Path) -> Result<()> {
        match &self.0 {
            Engine::Memory(_) => Err(Error::Unavailable("the engine `memory` keeps nothing to copy".into())),
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => rocks.checkpoint(directory).await,
            Engine::Remote(remote) => remote.checkpoint(directory).await,
            Engine::Redis(_) => Err(Error::Unavailable("a cluster is copied by its own means (BGSAVE)".into())),
        }
    }

    /// Drops expired rows from the disk now rather than in due course, which rewrites the tables. Other engines have nothing to do.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    #[cfg(feature = "rocksdb")]
    pub async fn compact(&self, tables: &[crate::Table]) -> Result<()> {
        match &self.0 {
            Engine::Rocks(rocks) => rocks.compact(tables.to_vec()).await,
            Engine::Memory(_) | Engine::Remote(_) | Engine::Redis(_) => Ok(()),
        }
    }

    /// Everything in the engine `memory`, as table, home, rest and value, for tests that compare; nothing of other engines.
    #[must_use]
    pub fn rows(&self) -> Vec<(u8, Home, Bytes, Bytes)> {
        match &self.0 {
            Engine::Memory(memory) => memory.rows(),
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(_) => Vec::new(),
            Engine::Remote(_) | Engine::Redis(_) => Vec::new(),
        }
    }

    /// The record at `key`, if there is one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn get<K: Key>(&self, key: &K) -> Result<Option<K::Record>> {
        let address = key.address();
        #[cfg(feature = "rocksdb")]
        if let Engine::Rocks(rocks) = &self.0
            && let Some(found) = rocks.get_in_memory(&address)?
        {
            return found.map(decode::<K>).transpose();
        }
        // Boxed: callers that read now and then should not be as large as the slowest of the engines all the time.
        let found = Box::pin(self.get_raw(std::slice::from_ref(&address))).await?;
        found.into_iter().next().flatten().map(decode::<K>).transpose()
    }

    /// The records at `keys`, in their order. The keys may be of different homes.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn get_many<K: Key>(&self, keys: &[K]) -> Result<Vec<Option<K::Record>>> {
        let addresses: Vec<Address> = keys.iter().map(Key::address).collect();
        let found = Box::pin(self.get_raw(&addresses)).await?;
        found.into_iter().map(|value| value.map(decode::<K>).transpose()).collect()
    }

    /// The rows of a range, in its direction.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn scan<K: Key>(&self, scan: Scan<K>) -> Result<Vec<Row<K::Record>>> {
        let rows = self.scan_raw(&scan.range).await?;
        rows.into_iter().map(|(rest, value)| Ok(Row { rest, record: decode::<K>(value)? })).collect()
    }

    /// Applies a batch: all of it, durably, or nothing.
    ///
    /// The batch takes its place in the queue during this call, before the future is polled:
    /// of two commits by one caller, the first call applies first, and the second sees its effect.
    /// Dropping the future does not withdraw the batch.
    ///
    /// # Errors
    /// The future yields [`Error::Conflict`], [`Error::Full`] or [`Error::Overloaded`] when nothing changed,
    /// and [`Error::Unavailable`] when the outcome is unknown.
    pub fn commit(&self, batch: Batch) -> Commit {
        match &self.0 {
            Engine::Memory(memory) => Commit(Outcome::Ready(Some(memory.commit(batch)))),
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => Commit(rocks.commit(batch).map_or_else(Outcome::refused, Outcome::Waiting)),
            Engine::Remote(remote) => Commit(remote.commit(batch).map_or_else(Outcome::refused, Outcome::Asked)),
            Engine::Redis(redis) => Commit(redis.commit(batch).map_or_else(Outcome::refused, Outcome::Waiting)),
        }
    }

    pub(crate) async fn get_raw(&self, addresses: &[Address]) -> Result<Vec<Option<Bytes>>> {
        match &self.0 {
            Engine::Memory(memory) => {
                #[cfg(feature = "testing")]
                if let (Some(hold), Some(first)) = (memory.hold.get(), addresses.first()) {
                    hold.pass(first.table).await?;
                }
                Ok(memory.get_many(addresses))
            }
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => rocks.get_many(addresses).await,
            Engine::Remote(remote) => remote.get_many(addresses).await,
            Engine::Redis(redis) => redis.get_many(addresses).await,
        }
    }

    pub(crate) async fn scan_raw(&self, range: &Range) -> Result<Vec<(Bytes, Bytes)>> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.scan(range)),
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => rocks.scan(range).await,
            Engine::Remote(remote) => remote.scan(range).await,
            Engine::Redis(redis) => redis.scan(range).await,
        }
    }
}

fn decode<K: Key>(value: Bytes) -> Result<K::Record> {
    K::Record::decode(value).map_err(|error| Error::Corrupt(format!("table {}: {error}", K::TABLE.name)))
}

/// The outcome of a commit, to be awaited.
#[derive(Debug)]
#[must_use = "a commit is known to be durable only once this has been awaited"]
pub struct Commit(Outcome);

#[derive(Debug)]
enum Outcome {
    Ready(Option<Result<()>>),
    Waiting(oneshot::Receiver<Result<()>>),
    Asked(oneshot::Receiver<Result<remote::Answer>>),
}

impl Outcome {
    fn refused(error: Error) -> Self {
        Self::Ready(Some(Err(error)))
    }
}

impl Future for Commit {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Outcome::Ready(result) => Poll::Ready(result.take().expect("polled once more after it was ready")),
            Outcome::Waiting(outcome) => Pin::new(outcome).poll(context).map(|outcome| {
                outcome
                    .unwrap_or_else(|_| Err(Error::Unavailable("the store was closed before it had answered".into())))
            }),
            Outcome::Asked(answer) => Pin::new(answer).poll(context).map(remote::done),
        }
    }
}
