//! The open database: reads from it, and whether it may still be written.

use bytes::Bytes;
use rocksdb::{ColumnFamily, DB, DBPinnableSlice, DBRawIterator, ErrorKind, ReadOptions, ReadTier};
use tokio::sync::watch;

use super::layout;
use crate::scan::Range;
use crate::{Address, Error, Millis, Result, Table};

/// How far a read may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// Memory only; whatever is not there is left out.
    Memory,
    /// To the disk, if need be.
    Disk,
}

/// The database and the state of its log.
pub(crate) struct Disk {
    db: DB,
    /// Of point reads; made once, for making them costs as much as a read in memory.
    in_memory: ReadOptions,
    anywhere: ReadOptions,
    failure: watch::Sender<Option<String>>,
}

/// What a scan found, and the range that is still to be read when it had to stop.
pub(crate) struct Page {
    pub(crate) rows: Vec<(Bytes, Bytes)>,
    pub(crate) rest: Option<Range>,
}

impl Disk {
    pub(crate) fn new(db: DB) -> Self {
        let (in_memory, anywhere) = (read_options(Tier::Memory), read_options(Tier::Disk));
        Self { db, in_memory, anywhere, failure: watch::Sender::new(None) }
    }

    pub(crate) fn db(&self) -> &DB {
        &self.db
    }

    /// Why nothing is written any more, if that is so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    pub(crate) fn watch_failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.subscribe()
    }

    /// Stops all writing for good.
    ///
    /// A sync that failed is never tried again: the kernel may have dropped the pages that it could not write,
    /// and a second sync would then succeed without them.
    pub(crate) fn fail(&self, reason: &str) {
        tracing::error!(reason, "store stops: nothing is acked until it is opened anew");
        self.failure.send_replace(Some(reason.to_owned()));
    }

    /// The column family of a table.
    pub(crate) fn family(&self, table: Table) -> Result<&ColumnFamily> {
        let undeclared =
            || Error::Unavailable(format!("table {} was not declared when the store was opened", table.name));
        self.db.cf_handle(table.name).ok_or_else(undeclared)
    }

    /// The values at some addresses.
    pub(crate) fn get(&self, addresses: &[Address], now: Millis, tier: Tier) -> Result<Vec<Found>> {
        addresses.iter().map(|address| self.get_one(address, now, tier)).collect()
    }

    /// The value at an address.
    pub(crate) fn get_one(&self, at: &Address, now: Millis, tier: Tier) -> Result<Found> {
        let key = layout::key(&at.home, &at.rest);
        let copy = |value: Option<&[u8]>| value.map(Bytes::copy_from_slice);
        match self.db.get_pinned_cf_opt(self.family(at.table)?, &key, self.point_reads(tier)) {
            Ok(stored) => Ok(Found::Value(copy(live(at.table, stored.as_ref(), now)?))),
            Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Found::NotInMemory),
            Err(error) => Err(failed(&error)),
        }
    }

    /// What `judge` says of the value at a key.
    pub(crate) fn with_value<T>(
        &self,
        (table, family): (Table, &ColumnFamily),
        key: &[u8],
        now: Millis,
        tier: Tier,
        judge: impl FnOnce(Option<&[u8]>) -> T,
    ) -> Result<T> {
        let stored = self.db.get_pinned_cf_opt(family, key, self.point_reads(tier));
        let stored = stored.map_err(|error| failed(&error))?;
        Ok(judge(live(table, stored.as_ref(), now)?))
    }

    fn point_reads(&self, tier: Tier) -> &ReadOptions {
        match tier {
            Tier::Memory => &self.in_memory,
            Tier::Disk => &self.anywhere,
        }
    }

    /// The live rows of a range, looking at `most` rows at most.
    pub(crate) fn scan(&self, range: &Range, now: Millis, tier: Tier, most: usize) -> Result<Page> {
        let (from, to) = layout::bounds(range);
        if range.limit == 0 || to.as_ref().is_some_and(|to| *to <= from) {
            return Ok(Page { rows: Vec::new(), rest: None });
        }
        let home = layout::prefix(&from).to_vec();
        let mut options = read_options(tier);
        if let Some(to) = to {
            options.set_iterate_upper_bound(to);
        }
        options.set_iterate_lower_bound(from.clone());
        // Backwards, the first key sought is already in another home, whose filter would say nothing about ours.
        options.set_total_order_seek(range.descending);
        let mut iterator = self.db.raw_iterator_cf_opt(self.family(range.table)?, options);
        if range.descending {
            iterator.seek_to_last();
        } else {
            iterator.seek(&from);
        }
        collect(&mut iterator, range, &home, now, most)
    }
}

/// What a read in memory came to.
#[derive(Debug)]
pub(crate) enum Found {
    Value(Option<Bytes>),
    NotInMemory,
}

fn collect(iterator: &mut DBRawIterator<'_>, range: &Range, home: &[u8], now: Millis, most: usize) -> Result<Page> {
    let mut rows = Vec::new();
    let mut last: Option<Bytes> = None;
    let mut seen = 0;
    while let Some((key, stored)) = iterator.item() {
        if !key.starts_with(home) {
            return Ok(Page { rows, rest: None });
        }
        if seen == most {
            let rest = Some(range.after(last.as_ref(), rows.len()));
            return Ok(Page { rows, rest });
        }
        seen += 1;
        if let Some(value) = layout::live(range.table, stored, now)? {
            let (rest, value) = layout::row(key, value);
            last = Some(rest.clone());
            rows.push((rest, value));
            if rows.len() == range.limit {
                return Ok(Page { rows, rest: None });
            }
        } else {
            last = Some(layout::row(key, &[]).0);
        }
        if range.descending { iterator.prev() } else { iterator.next() }
    }
    match iterator.status() {
        Ok(()) => Ok(Page { rows, rest: None }),
        Err(error) if error.kind() == ErrorKind::Incomplete => {
            let rest = Some(range.after(last.as_ref(), rows.len()));
            Ok(Page { rows, rest })
        }
        Err(error) => Err(failed(&error)),
    }
}

fn live<'a>(table: Table, stored: Option<&'a DBPinnableSlice<'_>>, now: Millis) -> Result<Option<&'a [u8]>> {
    stored.map_or(Ok(None), |stored| layout::live(table, stored, now))
}

fn read_options(tier: Tier) -> ReadOptions {
    let mut options = ReadOptions::default();
    if tier == Tier::Memory {
        options.set_read_tier(ReadTier::BlockCache);
    }
    options
}

/// What a failure of the database means to a caller.
pub(crate) fn failed(error: &rocksdb::Error) -> Error {
    match error.kind() {
        ErrorKind::Corruption => Error::Corrupt(error.to_string()),
        _ => Error::Unavailable(error.to_string()),
    }
}
