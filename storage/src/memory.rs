//! The engine that keeps nothing: for tests, and as the plainest statement of what an engine does.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;

use bytes::Bytes;

use crate::batch::{Batch, State};
use crate::rows::{Cursor, Part, RawRow, Shelf};
use crate::scan::Range;
use crate::{Address, Clock, Error, Home, Millis, Result, Table};

type Place = (u8, Home, Bytes);

/// Rows in a sorted map behind one lock.
#[derive(Debug)]
pub(crate) struct Memory {
    rows: Mutex<BTreeMap<Place, (Bytes, Option<Millis>)>>,
    clock: Clock,
    #[cfg(feature = "testing")]
    pub(crate) hold: std::sync::OnceLock<crate::testing::hold::Hold>,
}

impl Memory {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            rows: Mutex::default(),
            clock,
            #[cfg(feature = "testing")]
            hold: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn get_many(&self, addresses: &[Address]) -> Vec<Option<Bytes>> {
        let rows = self.lock();
        let now = self.clock.now();
        addresses.iter().map(|at| live(rows.get(&place(at.table.code, &at.home, &at.rest)), now)).collect()
    }

    pub(crate) fn scan(&self, range: &Range) -> Vec<(Bytes, Bytes)> {
        let rows = self.lock();
        let now = self.clock.now();
        let code = range.table.code;
        let from = Bound::Included(place(code, &range.home, &range.from));
        let in_home = |at: &Place| at.0 == code && at.1 == range.home;
        let before_end = |at: &Place| range.to.as_ref().is_none_or(|to| at.2 < *to);
        let found = |(at, row): (&Place, &(Bytes, Option<Millis>))| Some((at.2.clone(), live(Some(row), now)?));
        let within = rows.range((from, Bound::Unbounded)).take_while(|(at, _)| in_home(at) && before_end(at));
        if range.descending {
            let all: Vec<_> = within.collect();
            all.into_iter().rev().filter_map(found).take(range.limit).collect()
        } else {
            within.filter_map(found).take(range.limit).collect()
        }
    }

    pub(crate) fn commit(&self, batch: Batch) -> Result<()> {
        let mut rows = self.lock();
        let now = self.clock.now();
        for expected in &batch.expectations {
            let row = live(rows.get(&place(expected.table.code, &batch.home, &expected.rest)), now);
            let holds = match &expected.state {
                State::Absent => row.is_none(),
                State::Present => row.is_some(),
                State::Equals(bytes) => row.as_ref() == Some(bytes),
            };
            if !holds {
                return Err(Error::Conflict);
            }
        }
        for delete in batch.deletes {
            rows.remove(&place(delete.table.code, &batch.home, &delete.rest));
        }
        for put in batch.puts {
            rows.insert(place(put.table.code, &batch.home, &put.rest), (put.value, put.expires));
        }
        Ok(())
    }

    pub(crate) fn rows(&self) -> Vec<(u8, Home, Bytes, Bytes)> {
        self.lock()
            .iter()
            .map(|((table, home, rest), (value, _))| (*table, home.clone(), rest.clone(), value.clone()))
            .collect()
    }

    pub(crate) fn shelves(&self, tables: &[Table], from: &Cursor, most: usize) -> Part<Shelf> {
        let rows = self.lock();
        let now = self.clock.now();
        let mut items: Vec<Shelf> = Vec::new();
        for ((code, home, _), row) in rows.iter() {
            let Some(table) = tables.iter().find(|table| table.code == *code) else { continue };
            let is_new = items.last().is_none_or(|last| last.table.code != *code || last.home != *home);
            let is_after = from.place().is_none_or(|place| place < (*code, home.as_bytes()));
            if is_new && is_after && live(Some(row), now).is_some() {
                if items.len() == most {
                    let next = items.last().map(|last| Cursor::at(last.table.code, last.home.as_bytes()));
                    return Part { items, next };
                }
                items.push(Shelf { table: *table, home: home.clone() });
            }
        }
        Part { items, next: None }
    }

    pub(crate) fn shelf(&self, shelf: &Shelf, from: &Cursor, most: usize) -> Part<RawRow> {
        let rows = self.lock();
        let now = self.clock.now();
        let start = Bound::Included(place(shelf.table.code, &shelf.home, &from.0));
        let within = rows.range((start, Bound::Unbounded));
        let within = within.take_while(|(at, _)| at.0 == shelf.table.code && at.1 == shelf.home);
        let mut found = within
            .filter_map(|(at, row)| Some(RawRow { rest: at.2.clone(), value: live(Some(row), now)?, expires: row.1 }));
        let items: Vec<RawRow> = found.by_ref().take(most).collect();
        Part { items, next: found.next().map(|row| Cursor(row.rest)) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Place, (Bytes, Option<Millis>)>> {
        // A panic elsewhere cannot leave a map half changed: every change below the lock is one insert or remove.
        self.rows.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn place(table: u8, home: &Home, rest: &Bytes) -> Place {
    (table, home.clone(), rest.clone())
}

fn live(row: Option<&(Bytes, Option<Millis>)>, now: Millis) -> Option<Bytes> {
    row.filter(|(_, expires)| expires.is_none_or(|at| at > now)).map(|(value, _)| value.clone())
}
