//! The embedded engine: RocksDB in this process, one writing thread, reads where they are asked for.
//!
//! - `config`: the settings;  `open`: the options that follow from them;
//! - `log`: whether what is on the disk is sound enough to be opened;
//! - `layout`: how addresses and values become bytes;
//! - `queue`, `committer`: from a commit to the disk, in groups;
//! - `disk`: reads;  `walk`: all rows, for tools;  `backup`: checkpoints and restoring.
//!
//! A read is tried in memory first, on the caller's own thread. Only what memory does not have goes to one of a few blocking threads.

mod backup;
mod committer;
mod config;
mod disk;
mod layout;
mod log;
mod open;
mod queue;
mod walk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};

pub use self::backup::restore;
use self::committer::Committer;
pub use self::config::{Durability, Recovery, RocksConfig};
use self::disk::{Disk, Found, Tier};
use self::queue::Queue;
use crate::scan::Range;
use crate::{Address, Batch, Clock, Error, Result, Table, metrics};

/// Most rows that a call reads on the caller's own thread, which others wait for. Reading this many takes about a millisecond.
const INLINE_ROWS: usize = 1_000;

/// An open store.
pub(crate) struct Rocks {
    disk: Arc<Disk>,
    queue: Arc<Queue>,
    clock: Clock,
    readers: Arc<Semaphore>,
    reading: AtomicUsize,
    most_reading: usize,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Rocks {
    pub(crate) fn open(config: &RocksConfig, tables: &[Table], clock: Clock) -> Result<Self> {
        let disk = Arc::new(Disk::new(open::open(config, tables, &clock)?));
        let queue = Arc::new(Queue::new(config.queue_commits, config.queue_bytes.bytes()));
        let committer = Committer::new(Arc::clone(&disk), Arc::clone(&queue), clock.clone(), config);
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || committer.run())
            .map_err(|error| Error::Unavailable(format!("no thread for the writer: {error}")))?;
        Ok(Self {
            disk,
            queue,
            clock,
            readers: Arc::new(Semaphore::new(config.read_threads.max(1))),
            reading: AtomicUsize::new(0),
            most_reading: config.queue_reads + config.read_threads,
            writer: Mutex::new(Some(writer)),
        })
    }

    pub(crate) fn commit(&self, batch: Batch) -> Result<oneshot::Receiver<Result<()>>> {
        self.queue.push(batch).inspect_err(|error| metrics::committed(std::iter::once(&Err(error.clone()))))
    }

    /// The value at an address; `None` if only the disk can tell.
    pub(crate) fn get_in_memory(&self, address: &Address) -> Result<Option<Option<Bytes>>> {
        match self.disk.get_one(address, self.clock.now(), Tier::Memory)? {
            Found::Value(value) => Ok(Some(value)),
            Found::NotInMemory => Ok(None),
        }
    }

    pub(crate) async fn get_many(&self, addresses: &[Address]) -> Result<Vec<Option<Bytes>>> {
        let now = self.clock.now();
        let inline = addresses.len().min(INLINE_ROWS);
        let found = self.disk.get(&addresses[..inline], now, Tier::Memory)?;
        let mut values = Vec::with_capacity(addresses.len());
        let mut missing = Vec::new();
        for (index, found) in found.into_iter().enumerate() {
            match found {
                Found::Value(value) => values.push(value),
                Found::NotInMemory => {
                    missing.push(index);
                    values.push(None);
                }
            }
        }
        missing.extend(inline..addresses.len());
        if missing.is_empty() {
            return Ok(values);
        }
        metrics::cache_missed();
        values.resize(addresses.len(), None);
        let sought: Vec<Address> = missing.iter().map(|index| addresses[*index].clone()).collect();
        let found = self.on_disk(move |disk| disk.get(&sought, now, Tier::Disk)).await?;
        for (index, found) in missing.into_iter().zip(found) {
            let Found::Value(value) = found else {
                return Err(Error::Unavailable("a read was not allowed to finish".into()));
            };
            values[index] = value;
        }
        Ok(values)
    }

    pub(crate) async fn scan(&self, range: &Range) -> Result<Vec<(Bytes, Bytes)>> {
        let now = self.clock.now();
        let page = self.disk.scan(range, now, Tier::Memory, INLINE_ROWS)?;
        let mut rows = page.rows;
        if let Some(rest) = page.rest {
            metrics::cache_missed();
            let page = self.on_disk(move |disk| disk.scan(&rest, now, Tier::Disk, usize::MAX)).await?;
            rows.extend(page.rows);
        }
        Ok(rows)
    }

    pub(crate) async fn checkpoint(&self, directory: &Path) -> Result<()> {
        let directory = directory.to_owned();
        self.on_disk(move |disk| backup::checkpoint(disk, &directory)).await
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.disk.failure().is_none()
    }

    pub(crate) fn watch_failure(&self) -> watch::Receiver<Option<String>> {
        self.disk.watch_failure()
    }

    /// Drops what has expired from the files, and brings them into their final order. For tests and tools: takes as long as rewriting everything.
    pub(crate) async fn compact(&self, tables: Vec<Table>) -> Result<()> {
        self.on_disk(move |disk| {
            for table in tables {
                disk.db().compact_range_cf(disk.family(table)?, None::<&[u8]>, None::<&[u8]>);
            }
            Ok(())
        })
        .await
    }

    /// Runs what may block on one of a few threads.
    async fn on_disk<T: Send + 'static>(&self, work: impl FnOnce(&Disk) -> Result<T> + Send + 'static) -> Result<T> {
        let _place = Place::take(&self.reading, self.most_reading)?;
        let permit = Arc::clone(&self.readers).acquire_owned().await.expect("the semaphore is never closed");
        let disk = Arc::clone(&self.disk);
        let task = tokio::task::spawn_blocking(move || {
            let outcome = work(&disk);
            drop(permit);
            outcome
        });
        task.await.map_err(|error| Error::Unavailable(format!("a read was cut off: {error}")))?
    }
}

/// One of the places for reads that wait for a thread.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(reading: &'a AtomicUsize, most: usize) -> Result<Self> {
        let place = Self(reading);
        // Counted first and given back on drop, so that a refusal leaves the count as it was.
        if place.0.fetch_add(1, Ordering::Relaxed) >= most { Err(Error::Overloaded) } else { Ok(place) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Rocks {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Rocks").field("directory", &self.disk.db().path()).finish_non_exhaustive()
    }
}

impl Drop for Rocks {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.lock().take() {
            // What was queued is still written: its callers may be waiting elsewhere.
            let _ = writer.join();
        }
    }
}
