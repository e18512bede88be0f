//! The one thread that writes: takes what is queued, writes and syncs it as one, answers everybody.
//!
//! A disk syncs one thing at a time, so while one group is being synced the next one gathers in the queue:
//! the slower the disk, the larger the groups. Nobody is answered before the sync, not even with a conflict,
//! since a conflict may rest on a row of the same group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use rocksdb::{ColumnFamily, WriteBatch, WriteOptions};

use super::disk::{Disk, Tier};
use super::queue::{Queue, Ticket};
use super::{Durability, RocksConfig, layout};
use crate::batch::{Put, State};
use crate::{Batch, Clock, Error, Millis, Result, Table, metrics};

/// Everything the thread owns.
pub(crate) struct Committer {
    disk: Arc<Disk>,
    queue: Arc<Queue>,
    clock: Clock,
    options: WriteOptions,
    group_bytes: usize,
    space: Space,
}

impl Committer {
    pub(crate) fn new(disk: Arc<Disk>, queue: Arc<Queue>, clock: Clock, config: &RocksConfig) -> Self {
        let mut options = WriteOptions::default();
        options.set_sync(config.durability == Durability::Fsync);
        Self { disk, queue, clock, options, group_bytes: config.group_bytes.bytes(), space: Space::new(config) }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let disk = Arc::clone(&self.disk);
        let mut families = Families::new(&disk);
        let mut group = Vec::new();
        while self.queue.take(&mut group, self.group_bytes) {
            let commits = group.len();
            let bytes = group.iter().map(|ticket| ticket.bytes).sum();
            let started = Instant::now();
            let outcomes = self.apply(&group, bytes, &mut families);
            metrics::committed(outcomes.iter());
            // The last first: whoever waits for several in their order wakes up once, with all of them answered.
            for (ticket, outcome) in group.drain(..).zip(outcomes).rev() {
                ticket.answer(outcome);
            }
            let queued = self.queue.release(commits, bytes);
            metrics::group_written(commits, bytes, queued, started.elapsed());
        }
    }

    /// The outcome of each ticket of a group of so many bytes, in order. All those that succeed are on the disk when this returns.
    fn apply<'a>(&mut self, group: &'a [Ticket], bytes: usize, families: &'a mut Families<'_>) -> Vec<Result<()>> {
        if let Some(reason) = self.disk.failure() {
            return group.iter().map(|_| Err(Error::Unavailable(reason.clone()))).collect();
        }
        let full = self.space.is_short();
        let mut staged = Staged { families, now: self.clock.now(), rows: BTreeMap::new() };
        let outcomes: Vec<_> = group.iter().map(|ticket| staged.add(&ticket.batch, full)).collect();
        if staged.rows.is_empty() {
            return outcomes;
        }
        match self.disk.db().write_opt(staged.into_writes(bytes), &self.options) {
            Ok(()) => outcomes,
            // The log could not grow, so the group is not in it. What is there of it is cut off on the next start.
            Err(error) if is_out_of_space(error.as_ref()) => group.iter().map(|_| Err(Error::Full)).collect(),
            Err(error) => {
                let reason = format!("a write to the log failed: {error}");
                self.disk.fail(&reason);
                group.iter().map(|_| Err(Error::Unavailable(reason.clone()))).collect()
            }
        }
    }
}

/// Whether an append found no room. A sync that finds none is another matter: then the bytes may or may not be there.
fn is_out_of_space(message: &str) -> bool {
    message.contains("No space left on device") && !message.to_ascii_lowercase().contains("sync")
}

/// The column families of the tables that were written to. RocksDB finds one by comparing names, which costs more than it should for a row.
struct Families<'a> {
    disk: &'a Disk,
    by_code: [Option<&'a ColumnFamily>; 256],
}

impl<'a> Families<'a> {
    fn new(disk: &'a Disk) -> Self {
        Self { disk, by_code: [None; 256] }
    }

    fn get(&mut self, table: Table) -> Result<&'a ColumnFamily> {
        let known = &mut self.by_code[usize::from(table.code)];
        match known {
            Some(family) => Ok(family),
            None => Ok(known.insert(self.disk.family(table)?)),
        }
    }
}

/// A group in the making: what the rows it touches will be, in the order of their keys.
///
/// The order is for speed. RocksDB finds the place of a key that follows the last one without a search, and a row that
/// several commits of the group change, as they do a conversation's head, is written once.
struct Staged<'a, 'f> {
    families: &'a mut Families<'f>,
    now: Millis,
    rows: BTreeMap<(u8, Vec<u8>), Row<'a, 'f>>,
}

/// A row to be written or, without a value, deleted.
struct Row<'a, 'f> {
    table: Table,
    family: &'f ColumnFamily,
    put: Option<&'a Put>,
}

impl<'a, 'f> Staged<'a, 'f> {
    /// Adds a batch if its expectations hold, given everything added before.
    fn add(&mut self, batch: &'a Batch, full: bool) -> Result<()> {
        if full && !batch.puts.is_empty() {
            return Err(Error::Full);
        }
        for expected in &batch.expectations {
            if !self.holds(expected.table, layout::key(&batch.home, &expected.rest), &expected.state)? {
                return Err(Error::Conflict);
            }
        }
        // Looked up before anything is added: a batch goes in whole or not at all.
        for table in batch.puts.iter().map(|put| put.table).chain(batch.deletes.iter().map(|delete| delete.table)) {
            self.families.get(table)?;
        }
        for delete in &batch.deletes {
            self.set(delete.table, layout::key(&batch.home, &delete.rest), None)?;
        }
        for put in &batch.puts {
            self.set(put.table, layout::key(&batch.home, &put.rest), Some(put))?;
        }
        Ok(())
    }

    fn set(&mut self, table: Table, key: Vec<u8>, put: Option<&'a Put>) -> Result<()> {
        let family = self.families.get(table)?;
        self.rows.insert((table.code, key), Row { table, family, put });
        Ok(())
    }

    /// What RocksDB is to write: so many bytes, or less.
    fn into_writes(self, bytes: usize) -> WriteBatch {
        let mut writes = WriteBatch::with_capacity_bytes(bytes);
        let mut stored = Vec::new();
        for ((_, key), Row { table, family, put }) in self.rows {
            match put {
                None => writes.delete_cf(family, &key),
                Some(put) if table.expires => {
                    layout::expiring(&put.value, put.expires, &mut stored);
                    writes.put_cf(family, &key, &stored);
                }
                Some(put) => writes.put_cf(family, &key, &put.value),
            }
        }
        writes
    }

    fn holds(&mut self, table: Table, key: Vec<u8>, state: &State) -> Result<bool> {
        let judge = |value: Option<&[u8]>| match state {
            State::Absent => value.is_none(),
            State::Present => value.is_some(),
            State::Equals(bytes) => value == Some(bytes),
        };
        let place = (table.code, key);
        if let Some(row) = self.rows.get(&place) {
            let live = row.put.filter(|put| put.expires.is_none_or(|at| at > self.now));
            return Ok(judge(live.map(|put| &put.value[..])));
        }
        let family = self.families.get(table)?;
        self.families.disk.with_value((table, family), &place.1, self.now, Tier::Disk, judge)
    }
}

/// Watches the free space, so that puts are refused while there is still room to write deletes.
struct Space {
    config: RocksConfig,
    looked: Option<Instant>,
    short: bool,
}

impl Space {
    fn new(config: &RocksConfig) -> Self {
        Self { config: config.clone(), looked: None, short: false }
    }

    fn is_short(&mut self) -> bool {
        if self.looked.is_none_or(|at| at.elapsed() >= self.config.reserve_interval) {
            self.looked = Some(Instant::now());
            let was = self.short;
            // If the file system cannot tell, its own refusal to grow a file has to do.
            self.short = rustix::fs::statvfs(&self.config.directory)
                .is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) < self.config.reserve.0);
            match (was, self.short) {
                (false, true) => {
                    tracing::error!(reserve = %self.config.reserve, "disk is full: only deletes are accepted")
                }
                (true, false) => tracing::info!("disk has space again"),
                _ => {}
            }
        }
        self.short
    }
}
