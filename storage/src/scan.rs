//! Which rows of a home to read, and in which direction.

use std::marker::PhantomData;

use bytes::Bytes;

use crate::{Home, Key, Rest, Table};

/// A range of one table's rows in one home.
///
/// `from` is inclusive and `to` exclusive, whatever the direction.
#[derive(Debug)]
pub struct Scan<K> {
    pub(crate) range: Range,
    key: PhantomData<fn() -> K>,
}

/// The untyped part of a [`Scan`].
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) table: Table,
    pub(crate) home: Home,
    pub(crate) from: Bytes,
    pub(crate) to: Option<Bytes>,
    pub(crate) descending: bool,
    pub(crate) limit: usize,
}

impl<K: Key> Scan<K> {
    /// Every row of `K`'s table in `home`, ascending, at most `limit` of them.
    #[must_use]
    pub fn new(home: Home, limit: usize) -> Self {
        let range = Range { table: K::TABLE, home, from: Bytes::new(), to: None, descending: false, limit };
        Self { range, key: PhantomData }
    }

    /// Only rows whose rest is at or after these pieces.
    #[must_use]
    pub fn from(mut self, rest: impl FnOnce(&mut Rest)) -> Self {
        self.range.from = built(rest);
        self
    }

    /// Only rows whose rest is before these pieces.
    #[must_use]
    pub fn to(mut self, rest: impl FnOnce(&mut Rest)) -> Self {
        self.range.to = Some(built(rest));
        self
    }

    /// From the last row to the first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.range.descending = true;
        self
    }
}

impl Range {
    /// What is left of the range once everything up to `last`, `taken` rows of it live, has been read.
    pub(crate) fn after(&self, last: Option<&Bytes>, taken: usize) -> Self {
        let mut rest = self.clone();
        rest.limit = self.limit.saturating_sub(taken);
        match last {
            Some(last) if self.descending => rest.to = Some(last.clone()),
            Some(last) => {
                // The next possible key: the same bytes and a zero.
                let mut from = Vec::with_capacity(last.len() + 1);
                from.extend_from_slice(last);
                from.push(0);
                rest.from = from.into();
            }
            None => {}
        }
        rest
    }
}

fn built(pieces: impl FnOnce(&mut Rest)) -> Bytes {
    let mut rest = Rest::default();
    pieces(&mut rest);
    rest.finish()
}

/// A row that a scan found.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<R> {
    /// Its place within the home.
    pub rest: Bytes,
    /// What it holds.
    pub record: R,
}
