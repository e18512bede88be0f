//! Addresses: *(table, home, rest)*.
//!
//! A **home** is the unit of atomicity, of placement and of scanning: one user, one conversation, one unique name.
//! Within a home, rows of one table are ordered by their **rest**, byte by byte; integers are written big-endian, so that bytes order as numbers do.

use bytes::Bytes;
use smallvec::SmallVec;

/// How a table's rows are used, from which an engine picks its representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Append-only rows under one u64.
    Log,
    /// Rows that are scanned in order.
    Sorted,
    /// Rows that are only read one at a time.
    Map,
}

/// A kind of row. Declared once, in the code that owns the data; a code is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Table {
    /// What the engines know the table by. Stable for ever.
    pub code: u8,
    /// Stable name, for column families, logs and tools: lower case, `[a-z_]`.
    pub name: &'static str,
    /// How its rows are used.
    pub kind: Kind,
    /// Whether rows may carry an expiry. Costs eight bytes a row.
    pub expires: bool,
}

/// The bytes that name a home; 1 to 255 of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Home(Bytes);

impl Home {
    /// A home named by these bytes.
    ///
    /// # Panics
    /// If `bytes` is empty or longer than 255: a home's shape is the program's own, never a caller's text.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        assert!((1..=255).contains(&bytes.len()), "a home's name is 1 to 255 bytes");
        Self(bytes)
    }

    /// The name's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name's bytes, shared.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }
}

/// Bytes of a rest that are built without an allocation: two numbers and the id that a client gave.
const USUAL_REST: usize = 80;

/// Builds the rest of an address, piece by piece, so that its bytes order as its pieces do.
#[derive(Debug, Default)]
pub struct Rest(SmallVec<[u8; USUAL_REST]>);

impl Rest {
    /// Appends a number, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a number, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// Appends bytes as they are. Only the last piece may vary in length.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    /// The bytes built.
    #[must_use]
    pub fn finish(self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

/// A typed address: where one kind of record lives.
pub trait Key {
    /// The table its rows are in.
    const TABLE: Table;
    /// What a row holds.
    type Record: prost::Message + Default;

    /// The home that the row belongs to.
    fn home(&self) -> Home;

    /// Appends the row's place within its home.
    fn rest(&self, out: &mut Rest);

    /// The untyped address.
    fn address(&self) -> Address {
        let mut rest = Rest::default();
        self.rest(&mut rest);
        Address { table: Self::TABLE, home: self.home(), rest: rest.finish() }
    }
}

/// Where one row lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Its table.
    pub table: Table,
    /// Its home.
    pub home: Home,
    /// Its place within the home.
    pub rest: Bytes,
}
