//! How addresses and values become RocksDB's bytes.
//!
//! A table is a column family. A key is the home's length in one byte, the home, and the rest:
//! the length keeps one home from being a prefix of another, so a home's rows are one range that holds nobody else's.
//! A value in a table with expiry begins with the time of its expiry, Unix milliseconds, big-endian.

use bytes::Bytes;

use crate::scan::Range;
use crate::{Error, Home, Millis, Result, Table};

/// The expiry of a row that has none.
const NEVER: Millis = Millis(i64::MAX);
const EXPIRY: usize = size_of::<i64>();

/// The key of one row.
pub(crate) fn key(home: &Home, rest: &[u8]) -> Vec<u8> {
    let home = home.as_bytes();
    let mut key = Vec::with_capacity(1 + home.len() + rest.len());
    key.push(u8::try_from(home.len()).expect("a home's name is at most 255 bytes"));
    key.extend_from_slice(home);
    key.extend_from_slice(rest);
    key
}

/// The part of a key that names the home; all of it when it is none of ours.
pub(crate) fn prefix(key: &[u8]) -> &[u8] {
    key.get(..prefix_length(key)).unwrap_or(key)
}

/// How long that part is.
pub(crate) fn prefix_length(key: &[u8]) -> usize {
    1 + key.first().map_or(0, |length| usize::from(*length))
}

/// The first key after all that begin with `prefix`.
///
/// There always is one: a prefix begins with the home's length, which `home` cannot push past 255 unless it is 255 bytes of 255.
pub(crate) fn after(mut prefix: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            return Some(prefix);
        }
    }
    None
}

/// The keys that a range covers: the first, and the one after the last.
pub(crate) fn bounds(range: &Range) -> (Vec<u8>, Option<Vec<u8>>) {
    let from = key(&range.home, &range.from);
    let to = match &range.to {
        Some(to) => Some(key(&range.home, to)),
        None => after(key(&range.home, &[])),
    };
    (from, to)
}

/// The stored form of a value of a table with expiry, in `out`.
pub(crate) fn expiring(value: &[u8], expires: Option<Millis>, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&expires.unwrap_or(NEVER).0.to_be_bytes());
    out.extend_from_slice(value);
}

/// What was stored, unless it has expired.
pub(crate) fn live(table: Table, stored: &[u8], now: Millis) -> Result<Option<&[u8]>> {
    Ok(kept(table, stored, now)?.map(|(value, _)| value))
}

/// What was stored and when it expires, unless it has.
pub(crate) fn kept(table: Table, stored: &[u8], now: Millis) -> Result<Option<(&[u8], Option<Millis>)>> {
    if !table.expires {
        return Ok(Some((stored, None)));
    }
    let Some((expiry, value)) = stored.split_first_chunk::<EXPIRY>() else {
        return Err(Error::Corrupt(format!("table {}: a value is shorter than its expiry", table.name)));
    };
    let at = Millis(i64::from_be_bytes(*expiry));
    Ok((at > now).then_some((value, Some(at).filter(|at| *at != NEVER))))
}

/// Whether a stored value of a table with expiry can go. What cannot be read stays, to be reported by a reader.
pub(crate) fn is_expired(stored: &[u8], now: Millis) -> bool {
    stored.split_first_chunk::<EXPIRY>().is_some_and(|(expiry, _)| i64::from_be_bytes(*expiry) <= now.0)
}

/// A row's rest and value, as bytes of their own.
pub(crate) fn row(key: &[u8], value: &[u8]) -> (Bytes, Bytes) {
    let rest = key.get(prefix_length(key)..).unwrap_or_default();
    (Bytes::copy_from_slice(rest), Bytes::copy_from_slice(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    const PLAIN: Table = Table { code: 1, name: "plain", kind: Kind::Sorted, expires: false };

    fn range(home: &'static [u8], from: &'static [u8], to: Option<&'static [u8]>) -> Range {
        Range {
            table: PLAIN,
            home: Home::new(home),
            from: Bytes::from_static(from),
            to: to.map(Bytes::from_static),
            descending: false,
            limit: 1,
        }
    }

    #[test]
    fn a_home_is_one_range_without_another_homes_rows() {
        let homes: [&[u8]; 6] = [b"a", b"aa", b"a\x00", b"a\xff", b"\xff", b"\xff\xff"];
        for mine in homes {
            let (from, to) = bounds(&range(mine, b"", None));
            for other in homes {
                for rest in [&b""[..], b"\x00", b"\xff\xff\xff"] {
                    let key = key(&Home::new(other), rest);
                    let inside = key >= from && to.as_ref().is_none_or(|to| key < *to);
                    assert_eq!(inside, mine == other, "{key:?} in the range of {mine:?}");
                }
            }
        }
    }

    #[test]
    fn the_last_home_of_all_has_no_key_after_it() {
        let home: &'static [u8] = &[255; 255];
        assert_eq!(bounds(&range(home, b"", None)).1, None);
    }

    #[test]
    fn bounds_are_those_asked_for() {
        let (from, to) = bounds(&range(b"h", b"b", Some(b"d")));
        assert_eq!((from, to), (b"\x01hb".to_vec(), Some(b"\x01hd".to_vec())));
        assert_eq!(prefix(b"\x01hb"), b"\x01h");
        assert_eq!(prefix(b""), b"");
    }
}
