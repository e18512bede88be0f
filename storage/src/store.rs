//! The four calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use prost::Message;

use crate::memory::Memory;
use crate::scan::{Range, Row, Scan};
use crate::{Address, Batch, Clock, Error, Key, Result};

/// A handle to wherever the bytes are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store(Engine);

#[derive(Debug, Clone)]
enum Engine {
    Memory(Arc<Memory>),
}

impl Store {
    /// A store that forgets everything when the last handle goes.
    #[must_use]
    pub fn memory(clock: Clock) -> Self {
        Self(Engine::Memory(Arc::new(Memory::new(clock))))
    }

    /// The record at `key`, if there is one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn get<K: Key>(&self, key: &K) -> Result<Option<K::Record>> {
        let found = self.get_raw(&[key.address()]).await?;
        found.into_iter().next().flatten().map(decode::<K>).transpose()
    }

    /// The records at `keys`, in their order. The keys may be of different homes.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn get_many<K: Key>(&self, keys: &[K]) -> Result<Vec<Option<K::Record>>> {
        let addresses: Vec<Address> = keys.iter().map(Key::address).collect();
        let found = self.get_raw(&addresses).await?;
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
        }
    }

    async fn get_raw(&self, addresses: &[Address]) -> Result<Vec<Option<Bytes>>> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.get_many(addresses)),
        }
    }

    async fn scan_raw(&self, range: &Range) -> Result<Vec<(Bytes, Bytes)>> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.scan(range)),
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
}

impl Future for Commit {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Outcome::Ready(result) => Poll::Ready(result.take().expect("polled once more after it was ready")),
        }
    }
}
