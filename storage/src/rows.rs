//! Every row of a store, one after the other, for tools that move stores from one engine to another.
//!
//! A *shelf* is the rows of one table in one home. Shelves come in an order of the engine's own, and so do the rows of a shelf; a [`Cursor`] says
//! how far a walk has come, and stays good across restarts as long as nothing writes. What has expired is not there.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::batch::{Delete, Put};
use crate::store::Engine;
use crate::{Batch, Commit, Error, Home, Millis, Result, Store, Table};

/// The rows of one table in one home.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shelf {
    /// The table.
    pub table: Table,
    /// The home.
    pub home: Home,
}

/// A row as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRow {
    /// Its place on the shelf.
    pub rest: Bytes,
    /// What it holds.
    pub value: Bytes,
    /// When it vanishes, if it does.
    pub expires: Option<Millis>,
}

/// How far a walk through a store has come. Means something to the engine that made it, and is nothing at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor(pub(crate) Bytes);

/// A part of something longer, and from where it goes on, if it does.
#[derive(Debug, Clone)]
pub struct Part<T> {
    /// The part.
    pub items: Vec<T>,
    /// Where the next one begins.
    pub next: Option<Cursor>,
}

/// What happened to a row between two times: what it is now, or that it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub shelf: Shelf,
    /// Which row.
    pub rest: Bytes,
    /// What it is now; `None` if it is gone.
    pub row: Option<RawRow>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes = text.as_bytes().chunks(2).map(|pair| byte(pair).filter(|_| pair.len() == 2));
        let bytes: Option<Vec<u8>> = bytes.collect();
        bytes.map(|bytes| Self(bytes.into())).ok_or_else(|| format!("`{text}` is no cursor"))
    }
}

impl Cursor {
    /// At a shelf, for engines that keep them in order.
    pub(crate) fn at(table: u8, place: &[u8]) -> Self {
        Self([&[table], place].concat().into())
    }

    /// What [`Self::at`] was given; `None` at the start.
    pub(crate) fn place(&self) -> Option<(u8, &[u8])> {
        self.0.split_first().map(|(table, place)| (*table, place))
    }
}

impl Change {
    /// A batch that makes these changes of one home.
    ///
    /// # Panics
    /// If there are none, or they are of several homes.
    #[must_use]
    pub fn batch(changes: Vec<Self>) -> Batch {
        let mut batch = Batch::new(changes.first().expect("there is a change").shelf.home.clone());
        for Self { shelf, rest, row } in changes {
            assert_eq!(shelf.home, batch.home, "a batch changes one home");
            match row {
                None => batch.deletes.push(Delete { table: shelf.table, rest }),
                Some(row) => {
                    batch.puts.push(Put { table: shelf.table, rest, value: row.value, expires: row.expires });
                }
            }
        }
        batch
    }
}

impl Store {
    /// The shelves of these tables from a place on, about `most` of them if there are so many.
    ///
    /// # Errors
    /// [`Error::Unavailable`], also where the engine cannot walk, and where the store has rows of tables that are not among these;
    /// [`Error::Corrupt`].
    pub async fn shelves(&self, tables: &[Table], from: &Cursor, most: usize) -> Result<Part<Shelf>> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.shelves(tables, from, most.max(1))),
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => rocks.shelves(tables, from, most.max(1)).await,
            Engine::Redis(redis) => redis.shelves(tables, from, most.max(1)).await,
            Engine::Remote(_) => Err(unwalkable()),
        }
    }

    /// Some rows of a shelf from a place on, about `most` of them and about `bytes` bytes. On engines that keep no order a row may come twice.
    ///
    /// # Errors
    /// [`Error::Unavailable`], also where the engine cannot walk; [`Error::Corrupt`].
    pub async fn shelf(&self, shelf: &Shelf, from: &Cursor, most: usize, bytes: usize) -> Result<Part<RawRow>> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.shelf(shelf, from, most.max(1))),
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => rocks.shelf(shelf, from, most.max(1), bytes).await,
            Engine::Redis(redis) => redis.shelf(shelf, from, most.max(1)).await,
            Engine::Remote(_) => Err(unwalkable()),
        }
    }

    /// Writes rows onto a shelf, durably; those that are there are written over.
    pub fn put_rows(&self, shelf: &Shelf, rows: Vec<RawRow>) -> Commit {
        let mut batch = Batch::new(shelf.home.clone());
        let put = |row: RawRow| Put { table: shelf.table, rest: row.rest, value: row.value, expires: row.expires };
        batch.puts = rows.into_iter().map(put).collect();
        self.commit(batch)
    }

    /// What changed since another copy of the same store was made: changes in order, of a part that begins at `from`. Looks at about `most` rows.
    ///
    /// # Errors
    /// [`Error::Unavailable`], also where one of them is not in a directory; [`Error::Corrupt`].
    pub async fn changes_since(
        &self,
        old: &Self,
        tables: &[Table],
        from: &Cursor,
        most: usize,
    ) -> Result<Part<Change>> {
        match (&self.0, &old.0) {
            #[cfg(feature = "rocksdb")]
            (Engine::Rocks(new), Engine::Rocks(old)) => new.changes_since(old, tables, from, most.max(1)).await,
            _ => Err(Error::Unavailable("what changed is known between two stores in directories only".into())),
        }
    }

    /// A number that every change to the store raises; `None` where the engine counts none.
    #[must_use]
    pub fn changes(&self) -> Option<u64> {
        match &self.0 {
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => Some(rocks.changes()),
            _ => None,
        }
    }

    /// How much of the store lies before a place, from 0 to 1, given how many rows were seen before it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn share_before(&self, tables: &[Table], at: &Cursor, seen: u64) -> Result<f64> {
        let all = match &self.0 {
            Engine::Memory(memory) => memory.rows().len() as u64,
            #[cfg(feature = "rocksdb")]
            Engine::Rocks(rocks) => rocks.estimate(tables).await?,
            Engine::Redis(_) => return crate::redis::Redis::share_before(at),
            Engine::Remote(_) => return Err(unwalkable()),
        };
        Ok(seen as f64 / all.max(seen).max(1) as f64)
    }
}

fn unwalkable() -> Error {
    Error::Unavailable("this engine cannot be walked through".into())
}

/// The order in which tables are walked through: that of their codes.
pub(crate) fn in_order(tables: &[Table]) -> Vec<Table> {
    let mut tables = tables.to_vec();
    tables.sort_by_key(|table| table.code);
    tables
}
