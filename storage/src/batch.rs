//! A commit as data: what must hold, and what then changes, in one home.

use bytes::Bytes;
use prost::Message;

use crate::{Home, Key, Millis, Rest, Table};

/// Changes to one home that happen together or not at all.
///
/// One home by construction: a batch across homes cannot be written.
#[derive(Debug, Clone)]
pub struct Batch {
    pub(crate) home: Home,
    pub(crate) expectations: Vec<Expectation>,
    pub(crate) puts: Vec<Put>,
    pub(crate) deletes: Vec<Delete>,
}

/// What a row must be for a batch to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is no such row.
    Absent,
    /// There is one.
    Present,
    /// There is one, and it holds exactly these bytes.
    Equals(Bytes),
}

impl State {
    fn size(&self) -> usize {
        match self {
            Self::Absent | Self::Present => 0,
            Self::Equals(bytes) => bytes.len(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    pub(crate) table: Table,
    pub(crate) rest: Bytes,
    pub(crate) state: State,
}

#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub(crate) table: Table,
    pub(crate) rest: Bytes,
    pub(crate) value: Bytes,
    pub(crate) expires: Option<Millis>,
}

#[derive(Debug, Clone)]
pub(crate) struct Delete {
    pub(crate) table: Table,
    pub(crate) rest: Bytes,
}

impl Batch {
    /// An empty batch for one home.
    #[must_use]
    pub fn new(home: Home) -> Self {
        Self { home, expectations: Vec::new(), puts: Vec::new(), deletes: Vec::new() }
    }

    /// Requires a row's state; if it differs, nothing of the batch happens.
    pub fn expect<K: Key>(&mut self, key: &K, state: State) -> &mut Self {
        let rest = self.rest_of(key);
        self.expectations.push(Expectation { table: K::TABLE, rest, state });
        self
    }

    /// Requires that a row still holds the record that was read, or that there is still none.
    pub fn expect_unchanged<K: Key>(&mut self, key: &K, read: Option<&K::Record>) -> &mut Self {
        let state = read.map_or(State::Absent, |record| State::Equals(record.encode_to_vec().into()));
        self.expect(key, state)
    }

    /// Writes a row, whether or not there was one.
    pub fn put<K: Key>(&mut self, key: &K, record: &K::Record) -> &mut Self {
        self.put_bytes(key, record.encode_to_vec().into(), None)
    }

    /// Writes a row that vanishes at `expires`.
    ///
    /// # Panics
    /// If the key's table was declared without expiry.
    pub fn put_expiring<K: Key>(&mut self, key: &K, record: &K::Record, expires: Millis) -> &mut Self {
        assert!(K::TABLE.expires, "table {} has no expiry", K::TABLE.name);
        self.put_bytes(key, record.encode_to_vec().into(), Some(expires))
    }

    /// Removes a row, if there is one.
    pub fn delete<K: Key>(&mut self, key: &K) -> &mut Self {
        let rest = self.rest_of(key);
        self.deletes.push(Delete { table: K::TABLE, rest });
        self
    }

    /// Whether the batch would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }

    /// The home that the batch changes.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// About how many bytes the batch holds in memory, which is what limits are set in.
    pub(crate) fn size(&self) -> usize {
        const ROW: usize = 64;
        let rows = self.expectations.len() + self.puts.len() + self.deletes.len();
        let expected: usize = self.expectations.iter().map(|e| e.rest.len() + e.state.size()).sum();
        let put: usize = self.puts.iter().map(|p| p.rest.len() + p.value.len()).sum();
        let deleted: usize = self.deletes.iter().map(|d| d.rest.len()).sum();
        self.home.as_bytes().len() + rows * ROW + expected + put + deleted
    }

    fn put_bytes<K: Key>(&mut self, key: &K, value: Bytes, expires: Option<Millis>) -> &mut Self {
        let rest = self.rest_of(key);
        self.puts.push(Put { table: K::TABLE, rest, value, expires });
        self
    }

    fn rest_of<K: Key>(&self, key: &K) -> Bytes {
        debug_assert_eq!(key.home(), self.home, "a batch changes one home");
        let mut rest = Rest::default();
        key.rest(&mut rest);
        rest.finish()
    }
}
