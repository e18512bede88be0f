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

/// The first pair of ids of the page that a cursor leads to, for rows that are ordered by two.
///
/// # Errors
/// `Invalid` for bytes that [`cut_by_pair`] never gave.
pub(crate) fn after_pair(cursor: Option<&[u8]>) -> Result<(u64, u64)> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok((0, 0)) };
    let (first, second) = cursor.split_at_checked(8).unwrap_or_default();
    let first = first.try_into().map(u64::from_be_bytes).ok();
    // Read with its own rules, so that nothing after the last id overflows.
    let second = if second.is_empty() { None } else { Some(after(Some(second))?) };
    first
        .zip(second)
        .ok_or_else(|| Error::Invalid { field: "cursor", message: "must be one that a page gave".to_owned() })
}

/// As [`cut`], for rows that are ordered by two ids.
pub(crate) fn cut_by_pair<T>(mut items: Vec<T>, limit: usize, ids: impl Fn(&T) -> (u64, u64)) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let spell = |(first, second): (u64, u64)| Bytes::from([first.to_be_bytes(), second.to_be_bytes()].concat());
    let next = items.last().filter(|_| more).map(|last| spell(ids(last)));
    Page { items, next }
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
    fn a_cursor_of_two_ids_leads_past_the_last_item() {
        let page = cut_by_pair(vec![(3, 5), (3, 9), (4, 1)], 2, |ids| *ids);
        assert_eq!(page.items, [(3, 5), (3, 9)]);
        assert_eq!(after_pair(page.next.as_deref()).unwrap(), (3, 10));
        assert_eq!(cut_by_pair(vec![(3, 5)], 1, |ids| *ids).next, None);
        assert_eq!(after_pair(None).unwrap(), (0, 0));
        for cursor in [&b"x"[..], &[0; 8], &[0; 15], &[0; 17], &[0xff; 16]] {
            assert!(matches!(after_pair(Some(cursor)), Err(Error::Invalid { field: "cursor", .. })), "{cursor:?}");
        }
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
