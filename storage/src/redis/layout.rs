//! How addresses and values become keys and bytes.
//!
//! Every key of a home begins with `<namespace>{h<home>}`, the braces making it the home's hash tag: all of them are in
//! one slot. The home's bytes are taken as they are, since names are a large part of what small homes take; the `h`
//! keeps the tag from being empty whatever the home begins with. Behind it, a table's code and what the key is:
//!
//! | Key | Type | Holds | Of tables |
//! |---|---|---|---|
//! | `<namespace>{<number>}m` | none | nothing either: what a `WAIT` behind reads needs, a key in a given slot | |
//! | `…g` | none | nothing, ever: the home's *guard* | |
//! | `…<table>v` | hash | rest → value | `Map`, `Sorted` |
//! | `…<table>o` | sorted set, score 0 | every rest, in the order of its bytes | `Sorted` |
//! | `…<table>i` | sorted set, score 0 | the number of every chunk, eight bytes, big-endian | `Log` |
//! | `…<table>c<number, hex>` | string | a chunk: the rows of 64 keys in a row | `Log` |
//! | `…<table>x` | sorted set, score = expiry | rests, or numbers of chunks, that will expire | those with expiry |
//!
//! A value of a table with expiry has six bytes in front: when it expires, in milliseconds, 0 for never.
//! What has expired is not there, says whoever reads, by the clock of the engine. Redis drops it later: a few rows of
//! the expiry set with every commit to the table, and the keys of a home whose rows all expire as a whole, an hour late.
//!
//! A row of a log is its value, its length in four bytes and its key's place in the chunk in one, so that a chunk is
//! read from its end, where most readers begin, and appended to without being read.
//! Where its rows lie in an object store, it has one row, whose place is none, and whose value is the object's name.
//! That is five bytes a row beside the value, and some two for a chunk's key. A stream would take ten and more, keeps
//! room of 4 KiB in each conversation however short, and keeps deleted words in memory until all their neighbours are
//! deleted too. A hash would take eighty. A chunk is written anew by a commit that does something else than append, so
//! nothing of what was recalled is left.
//!
//! Redis wants all keys of a call declared, and refuses a call whose keys are partly elsewhere. The guard, which is in
//! every call and nowhere stored, makes it refuse all calls to a slot that is being moved, before they have begun.

use std::sync::LazyLock;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Home, Kind, Millis, Table};

/// Keys of a log in one chunk. A chunk is copied once when it is full, and read by whoever wants a row of it.
pub(super) const CHUNK: u64 = 64;
/// Slots of a cluster.
pub(crate) const SLOTS: u16 = 16_384;
/// Bytes of an expiry in front of a value.
const EXPIRY: usize = 6;
/// Bytes behind a row of a chunk: its length in four, its place in one.
const FOOTER: usize = 5;
/// The place of the one row of a chunk whose rows lie in an object store.
pub(super) const SEALED: u8 = 255;
/// The last time that an expiry can name; later ones are as good.
const END: i64 = (1 << (8 * EXPIRY)) - 1;

/// For each slot, a number that as a tag lies in it. A home's tag begins with a letter.
static TAGS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut tags = vec![None; usize::from(SLOTS)];
    let mut missing = tags.len();
    for number in 0.. {
        let slot = crc16(number.to_string().as_bytes()) % SLOTS;
        if tags[usize::from(slot)].replace(number).is_none() {
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
    }
    tags.into_iter().flatten().collect()
});

/// Names of the keys of one namespace.
#[derive(Debug, Clone)]
pub(super) struct Names(String);

/// What a key says of the rows behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyName {
    pub(super) home: Home,
    /// Of the table.
    pub(super) code: u8,
}

/// One chunk of one log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ChunkPlace {
    pub(super) home: Home,
    /// Of the table.
    pub(super) code: u8,
    pub(super) number: u64,
}

/// Where in a home a row is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A table of rows by their rest.
    Rows(Table),
    /// A chunk of a log, by its number.
    Chunk(Table, u64),
}

impl Names {
    pub(super) fn new(namespace: &str) -> Self {
        Self(namespace.to_owned())
    }

    /// What every key of a home begins with.
    fn home(&self, home: &Home, room: usize) -> BytesMut {
        let mut key = BytesMut::with_capacity(self.0.len() + 3 + home.as_bytes().len() + room);
        key.put_slice(self.0.as_bytes());
        key.put_slice(b"{h");
        key.put_slice(home.as_bytes());
        key.put_u8(b'}');
        key
    }

    fn of_table(&self, home: &Home, table: Table, what: &str) -> Bytes {
        let mut key = self.home(home, 24);
        key.put_slice(table.code.to_string().as_bytes());
        key.put_slice(what.as_bytes());
        key.freeze()
    }

    pub(super) fn guard(&self, home: &Home) -> Bytes {
        let mut key = self.home(home, 1);
        key.put_u8(b'g');
        key.freeze()
    }

    /// A key in a slot that belongs to no home, and under which nothing is ever stored either.
    pub(super) fn mark(&self, slot: u16) -> Bytes {
        format!("{}{{{}}}m", self.0, TAGS[usize::from(slot)]).into()
    }

    pub(super) fn values(&self, home: &Home, table: Table) -> Bytes {
        self.of_table(home, table, "v")
    }

    pub(super) fn order(&self, home: &Home, table: Table) -> Bytes {
        self.of_table(home, table, "o")
    }

    pub(super) fn index(&self, home: &Home, table: Table) -> Bytes {
        self.index_of(home, table.code)
    }

    pub(super) fn index_of(&self, home: &Home, code: u8) -> Bytes {
        let mut key = self.home(home, 24);
        key.put_slice(format!("{code}i").as_bytes());
        key.freeze()
    }

    /// What the keys of all chunks of a log begin with.
    pub(super) fn chunks(&self, home: &Home, table: Table) -> Bytes {
        self.of_table(home, table, "c")
    }

    pub(super) fn chunk(&self, home: &Home, table: Table, number: u64) -> Bytes {
        self.of_table(home, table, &format!("c{number:016x}"))
    }

    pub(super) fn chunk_of(&self, ChunkPlace { home, code, number }: &ChunkPlace) -> Bytes {
        let mut key = self.home(home, 24);
        key.put_slice(format!("{code}c{number:016x}").as_bytes());
        key.freeze()
    }

    fn expiries(&self, home: &Home, table: Table) -> Bytes {
        self.of_table(home, table, "x")
    }

    /// The home and the table of a key that every table with rows in a home has exactly one of: the values, or the index of a log.
    pub(super) fn shelf_of(&self, key: &[u8]) -> Option<KeyName> {
        // Read from its end: a home may have any bytes, braces too.
        let (b'v' | b'i', named) = key.split_last().map(|(last, rest)| (*last, rest))? else { return None };
        let digits = named.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (tagged, code) = named.split_at(named.len() - digits);
        let home = tagged.strip_prefix(self.0.as_bytes())?.strip_prefix(b"{h")?.strip_suffix(b"}")?;
        let code = std::str::from_utf8(code).ok()?.parse().ok()?;
        (1..=255).contains(&home.len()).then(|| KeyName { home: Home::new(Bytes::copy_from_slice(home)), code })
    }

    /// Appends the keys of a place, in the order in which the functions take them.
    pub(super) fn keys_of(&self, home: &Home, place: &Place, out: &mut Vec<Bytes>) {
        let table = place.table();
        match place {
            Place::Rows(_) => {
                out.push(self.values(home, table));
                if table.kind == Kind::Sorted {
                    out.push(self.order(home, table));
                }
            }
            Place::Chunk(_, number) => {
                out.push(self.chunk(home, table, *number));
                out.push(self.index(home, table));
            }
        }
        if table.expires {
            out.push(self.expiries(home, table));
        }
    }

    /// The slot of a home.
    pub(super) fn slot(&self, home: &Home) -> u16 {
        // The tag ends at the first brace, which may be one of the home's own bytes: all its keys still share it.
        let mut tag = Vec::with_capacity(1 + home.as_bytes().len());
        tag.push(b'h');
        tag.extend(home.as_bytes().iter().take_while(|byte| **byte != b'}'));
        crc16(&tag) % SLOTS
    }
}

impl Place {
    /// The place of a row and its name there.
    ///
    /// # Errors
    /// A sentence, if the rest is no key of a log.
    pub(super) fn of(table: Table, rest: &Bytes) -> Result<(Self, Bytes), String> {
        if table.kind != Kind::Log {
            return Ok((Self::Rows(table), rest.clone()));
        }
        let Ok(key) = <[u8; 8]>::try_from(rest.as_ref()) else {
            return Err(format!("a key of the log `{}` has eight bytes, not {}", table.name, rest.len()));
        };
        let key = u64::from_be_bytes(key);
        Ok((Self::Chunk(table, key / CHUNK), Bytes::copy_from_slice(&[offset(key)])))
    }

    pub(super) fn table(&self) -> Table {
        match self {
            Self::Rows(table) | Self::Chunk(table, _) => *table,
        }
    }

    /// What the functions are told about it.
    pub(super) fn description(&self) -> Bytes {
        let table = self.table();
        let kind = match table.kind {
            Kind::Map => b'm',
            Kind::Sorted => b's',
            Kind::Log => b'l',
        };
        let mut text = vec![kind, if table.expires { b'x' } else { b'-' }];
        if let Self::Chunk(_, number) = self {
            text.extend_from_slice(&number.to_be_bytes());
        }
        text.into()
    }
}

/// The place of a log's key in its chunk.
pub(super) fn offset(key: u64) -> u8 {
    u8::try_from(key % CHUNK).expect("a chunk has fewer than 256 rows")
}

/// The key of a row of a log, from its chunk's number and its place there.
pub(super) fn log_key(name: &[u8]) -> Option<u64> {
    let (number, offset) = name.split_first_chunk::<8>()?;
    let [offset] = offset else { return None };
    u64::from_be_bytes(*number).checked_mul(CHUNK)?.checked_add(u64::from(*offset))
}

/// The first key of a log that is not below `bound`, if there is one.
pub(super) fn first_key(bound: &[u8]) -> Option<u64> {
    let mut key = [0; 8];
    let length = bound.len().min(8);
    key[..length].copy_from_slice(&bound[..length]);
    // Whatever follows the eighth byte comes after the key that these are.
    u64::from_be_bytes(key).checked_add(u64::from(bound.len() > 8))
}

/// A value as it is stored.
pub(super) fn stored(table: Table, value: &Bytes, expires: Option<Millis>) -> Bytes {
    if !table.expires {
        return value.clone();
    }
    let mut bytes = BytesMut::with_capacity(EXPIRY + value.len());
    let at = expires.map_or(0, |at| at.0.clamp(1, END));
    bytes.put_uint(u64::try_from(at).unwrap_or(0), EXPIRY);
    bytes.put_slice(value);
    bytes.freeze()
}

/// What a stored value holds now.
///
/// # Errors
/// A sentence, if it is not one.
pub(super) fn live(table: Table, value: Bytes, now: Millis) -> Result<Option<Bytes>, String> {
    Ok(kept(table, value, now)?.map(|(value, _)| value))
}

/// What a stored value holds now, and when it expires.
///
/// # Errors
/// A sentence, if it is not one.
pub(super) fn kept(table: Table, value: Bytes, now: Millis) -> Result<Option<(Bytes, Option<Millis>)>, String> {
    if !table.expires {
        return Ok(Some((value, None)));
    }
    let Some((expiry, _)) = value.split_at_checked(EXPIRY) else {
        return Err(format!("table {}: a value without its expiry", table.name));
    };
    let at = expiry.iter().fold(0, |at, byte| at << 8 | i64::from(*byte));
    Ok((at == 0 || at > time(now)).then(|| (value.slice(EXPIRY..), (at != 0).then_some(Millis(at)))))
}

/// The name of the object that a chunk's bytes stand for, if they do.
pub(super) fn sealed(text: &Bytes) -> Option<Bytes> {
    let name = text.len().checked_sub(FOOTER)?;
    (text.last() == Some(&SEALED)).then(|| text.slice(..name))
}

/// The rows of a chunk, as they are stored, in order; each with its place. `None` if it is no chunk.
pub(super) fn rows_of_chunk(text: &Bytes) -> Option<Vec<(u8, Bytes)>> {
    let mut rows = Vec::new();
    let mut rest = text.len();
    while rest > 0 {
        let footer = rest.checked_sub(FOOTER)?;
        let length = u32::from_be_bytes(*text.get(footer..)?.first_chunk()?);
        let start = footer.checked_sub(usize::try_from(length).ok()?)?;
        rows.push((text[rest - 1], text.slice(start..footer)));
        rest = start;
    }
    rows.reverse();
    Some(rows)
}

/// A time as stored expiries are compared with it.
pub(super) fn time(now: Millis) -> i64 {
    now.0.clamp(0, END)
}

/// The checksum that a cluster distributes keys by: CRC-16/XMODEM.
pub(crate) fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Table = Table { code: 21, name: "log", kind: Kind::Log, expires: true };

    #[test]
    fn slots_are_those_of_the_cluster() {
        // The check value of CRC-16/XMODEM, and one of the cluster specification's own.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        let names = Names::new("linnet");
        assert_eq!(names.slot(&Home::new("ello")), crc16(b"hello") % SLOTS);
        assert_eq!(names.slot(&Home::new("a}b")), names.slot(&Home::new("a}c")));
        assert_eq!(names.slot(&Home::new("}")), crc16(b"h") % SLOTS);
    }

    #[test]
    fn every_slot_has_a_key_for_marks() {
        assert_eq!(TAGS.len(), usize::from(SLOTS));
        for (slot, tag) in TAGS.iter().enumerate() {
            assert_eq!(usize::from(crc16(tag.to_string().as_bytes()) % SLOTS), slot);
        }
    }

    #[test]
    fn keys_of_a_log_find_their_chunk_and_back() {
        for key in [0, 1, 63, 64, 1_000, u64::MAX] {
            let (place, name) = Place::of(LOG, &Bytes::copy_from_slice(&key.to_be_bytes())).unwrap();
            let Place::Chunk(_, number) = place else { panic!("{place:?}") };
            assert_eq!(log_key(&[&number.to_be_bytes()[..], &name].concat()), Some(key));
        }
        assert!(Place::of(LOG, &Bytes::from_static(b"short")).is_err());
    }

    #[test]
    fn the_keys_that_name_a_shelf_tell_its_home_and_table() {
        let names = Names::new("linnet");
        let sorted = Table { code: 7, name: "sorted", kind: Kind::Sorted, expires: true };
        for bytes in [&b"h"[..], b"a}b", b"}", b"{}7v", b"\xff\x00"] {
            let home = Home::new(Bytes::copy_from_slice(bytes));
            let named = |code| Some(KeyName { home: home.clone(), code });
            assert_eq!(names.shelf_of(&names.values(&home, sorted)), named(7));
            assert_eq!(names.shelf_of(&names.index(&home, LOG)), named(21));
            let others = [names.guard(&home), names.order(&home, sorted), names.chunk(&home, LOG, 7)];
            assert!(others.iter().chain([&names.expiries(&home, LOG)]).all(|key| names.shelf_of(key).is_none()));
        }
        for strange in [&b"other{hh}7v"[..], b"linnet{h}7v", b"linnet{hh}v", b"linnet{hh}999v", b"v", b""] {
            assert_eq!(names.shelf_of(strange), None);
        }
    }

    #[test]
    fn a_chunk_is_read_from_its_end() {
        let text = Bytes::from_static(b"ab\0\0\0\x02\x00\0\0\0\0\x05c\0\0\0\x01\x3f");
        let row = |place, value: &'static [u8]| (place, Bytes::from_static(value));
        assert_eq!(rows_of_chunk(&text), Some(vec![row(0, b"ab"), row(5, b""), row(63, b"c")]));
        assert_eq!(rows_of_chunk(&Bytes::new()), Some(vec![]));
        for cut in 1..7 {
            assert_eq!(rows_of_chunk(&text.slice(cut..7)), None, "{cut} bytes are missing");
        }
    }

    #[test]
    fn bounds_of_any_length_stand_between_the_right_keys() {
        assert_eq!(first_key(b""), Some(0));
        assert_eq!(first_key(&[1]), Some(1 << 56));
        assert_eq!(first_key(&7u64.to_be_bytes()), Some(7));
        assert_eq!(first_key(&[0, 0, 0, 0, 0, 0, 0, 7, 0]), Some(8));
        assert_eq!(first_key(&[255; 9]), None);
    }

    #[test]
    fn a_value_is_there_until_it_expires() {
        let value = Bytes::from_static(b"value");
        let at = |expires| stored(LOG, &value, expires);
        assert_eq!(live(LOG, at(None), Millis(i64::MAX)), Ok(Some(value.clone())));
        assert_eq!(live(LOG, at(Some(Millis(7))), Millis(6)), Ok(Some(value.clone())));
        assert_eq!(live(LOG, at(Some(Millis(7))), Millis(7)), Ok(None));
        assert_eq!(live(LOG, at(Some(Millis(0))), Millis(1)), Ok(None));
        assert_eq!(live(LOG, at(Some(Millis(i64::MAX))), Millis(i64::MAX - 1)), Ok(None));
        assert!(live(LOG, value.slice(..5), Millis(0)).is_err());
    }
}
