//! Pages of rows that are ordered by an id, and the cursors between them.

use bytes::Bytes;

use crate::conversations::Page;
use crate::error::{Error, Result};

/// The first id of the page that a cursor leads to.
///
/// # Errors
/// `Invalid` for bytes that [`cut`] never gave.
pub(crate) fn after(cursor: Option<&[u8]>) -> Result<u64> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(0) };
    let last = cursor.try_into().map(u64::from_be_bytes).ok();
    last.and_then(|last| last.checked_add(1))
        .ok_or_else(|| Error::Invalid { field: "cursor", message: "must be one that a page gave".to_owned() })
}

/// A page of at most `limit` items, out of one more than that if there are more.
pub(crate) fn cut<T>(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> u64) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| Bytes::copy_from_slice(&id(last).to_be_bytes()));
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_past_the_last_item() {
        let page = cut(vec![3, 5, 9], 2, |id| *id);
        assert_eq!(page.items, [3, 5]);
        assert_eq!(after(page.next.as_deref()).unwrap(), 6);
        assert_eq!(cut(vec![3, 5], 2, |id| *id).next, None);
        assert_eq!(cut(Vec::<u64>::new(), 2, |id| *id).next, None);
    }

    #[test]
    fn bytes_that_are_no_cursor_are_refused() {
        assert_eq!(after(None).unwrap(), 0);
        assert_eq!(after(Some(b"")).unwrap(), 0);
        for cursor in [&b"x"[..], &[0; 9], &[0xff; 8]] {
            assert!(matches!(after(Some(cursor)), Err(Error::Invalid { field: "cursor", .. })));
        }
    }
}
