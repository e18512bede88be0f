//! Lists that come page by page.

use bytes::Bytes;

/// One page, and where the next one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Cursor of the next page, opaque; `None` on the last page.
    pub next: Option<Vec<u8>>,
}

impl<T> Page<T> {
    pub(crate) fn new(items: impl Iterator<Item = T>, next: Bytes) -> Self {
        Self { items: items.collect(), next: (!next.is_empty()).then(|| next.to_vec()) }
    }
}

/// A cursor as the wire wants it.
pub(crate) fn cursor(cursor: Option<&[u8]>) -> Bytes {
    cursor.map_or_else(Bytes::new, Bytes::copy_from_slice)
}
