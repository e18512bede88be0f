//! The library of functions, and the calls of them.

use bytes::Bytes;

use super::layout::{ChunkPlace, Names, Place, offset, stored, time};
use super::node::{Command, Lost, Node, Refusal, Reply};
use crate::batch::State;
use crate::{Address, Batch, Error, Home, Millis, Result, Table};

/// The code. Its version is part of its name and of its functions' names: those that run may keep theirs.
pub(super) const LIBRARY: &str = include_str!("linnet.lua");
/// The library's name.
pub(super) const NAME: &str = "linnet1";

const COMMIT: &str = "linnet1_commit";
const SHRINK: &str = "linnet1_shrink";
const MARK: &str = "linnet1_mark";
const GET_LOG: &str = "linnet1_get_log";
const SCAN: &str = "linnet1_scan";
const SCAN_LOG: &str = "linnet1_scan_log";
const SEAL: &str = "linnet1_seal";
const UNSEAL: &str = "linnet1_unseal";

/// Sees to it that a server has the library. Another version's stays beside it.
pub(super) async fn load(node: &dyn Node, within: std::time::Duration) -> std::result::Result<(), Lost> {
    let list = Command::new("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(NAME);
    let ask = async |command| node.run(vec![command], within).await?.pop().ok_or_else(|| Lost("no answer".into()));
    match ask(list).await? {
        Ok(Reply::List(found)) if !found.is_empty() => return Ok(()),
        Ok(_) => {}
        Err(Refusal(why)) => return Err(Lost(format!("FUNCTION LIST: {why}"))),
    }
    match ask(Command::new("FUNCTION").arg("LOAD").arg(LIBRARY)).await? {
        Ok(_) => Ok(()),
        // Somebody else was faster.
        Err(Refusal(why)) if why.contains("already exists") => Ok(()),
        Err(Refusal(why)) => Err(Lost(format!("FUNCTION LOAD: {why}"))),
    }
}

/// Whether the batch can be written down as a call.
pub(super) fn check(batch: &Batch) -> Result<()> {
    let rows = batch.expectations.iter().map(|e| (e.table, &e.rest));
    let rows = rows.chain(batch.deletes.iter().map(|d| (d.table, &d.rest)));
    let mut rows = rows.chain(batch.puts.iter().map(|p| (p.table, &p.rest)));
    rows.try_for_each(|(table, rest)| Place::of(table, rest).map(drop)).map_err(Error::Corrupt)
}

/// The log in which a batch begins a new chunk, if it does.
pub(super) fn opened(batch: &Batch) -> Option<Table> {
    let first = |put: &&crate::batch::Put| matches!(Place::of(put.table, &put.rest), Ok((Place::Chunk(..), name)) if name.as_ref() == [0]);
    batch.puts.iter().find(first).map(|put| put.table)
}

/// One call for batches of one home, in their order.
///
/// Only for batches that [`check`] lets pass.
pub(super) fn commit<'a>(names: &Names, batches: impl ExactSizeIterator<Item = &'a Batch>, now: Millis) -> Command {
    let mut places: Vec<Place> = Vec::new();
    let mut words: Vec<Bytes> = vec![number(batches.len())];
    let mut home = None;
    let mut only_deletes = true;
    for batch in batches {
        home = Some(&batch.home);
        only_deletes &= batch.puts.is_empty();
        let mut at = |table: Table, rest: &Bytes, words: &mut Vec<Bytes>| {
            let Ok((place, name)) = Place::of(table, rest) else { return };
            let index = places.iter().position(|known| *known == place).unwrap_or_else(|| {
                places.push(place);
                places.len() - 1
            });
            words.push(number(index + 1));
            words.push(name);
        };
        words.push(number(batch.expectations.len()));
        for expected in &batch.expectations {
            at(expected.table, &expected.rest, &mut words);
            words.push(match &expected.state {
                State::Absent => Bytes::from_static(b"a"),
                State::Present => Bytes::from_static(b"p"),
                State::Equals(bytes) => [b"e", bytes.as_ref()].concat().into(),
            });
        }
        words.push(number(batch.deletes.len()));
        for delete in &batch.deletes {
            at(delete.table, &delete.rest, &mut words);
        }
        words.push(number(batch.puts.len()));
        for put in &batch.puts {
            at(put.table, &put.rest, &mut words);
            words.push(stored(put.table, &put.value, put.expires));
        }
    }
    let mut keys = Vec::with_capacity(1 + 3 * places.len());
    if let Some(home) = home {
        keys.push(names.guard(home));
        for place in &places {
            names.keys_of(home, place, &mut keys);
        }
    }
    call("FCALL", if only_deletes { SHRINK } else { COMMIT }, keys)
        .number(time(now))
        .number(places.len())
        .args(places.iter().map(Place::description))
        .args(words)
}

/// What each batch of a [`commit`] came to.
pub(super) fn committed(reply: Reply, batches: usize) -> Option<Vec<Result<()>>> {
    let results = reply.into_list()?;
    let results = results.iter().map(|result| match result {
        Reply::Number(1) => Some(Ok(())),
        Reply::Number(0) => Some(Err(Error::Conflict)),
        _ => None,
    });
    results.collect::<Option<Vec<_>>>().filter(|results| results.len() == batches)
}

/// What lets a `WAIT` behind reads wait for all that they saw.
///
/// Servers remember, for each connection, how far their stream had come when it last wrote; some, when it last did anything.
pub(super) fn mark(names: &Names, slot: u16) -> Command {
    call("FCALL", MARK, vec![names.mark(slot)])
}

/// One call for rows of one log of one home.
pub(super) fn get_log(names: &Names, home: &Home, table: Table, keys: &[u64], now: Millis) -> Command {
    let chunk = |key: &u64| names.chunk(home, table, key / super::layout::CHUNK);
    let all = std::iter::once(names.guard(home)).chain(keys.iter().map(chunk)).collect();
    call("FCALL_RO", GET_LOG, all)
        .number(time(now))
        .arg(expiry_flag(table))
        .args(keys.iter().map(|key| Bytes::copy_from_slice(&[offset(*key)])))
}

/// The object `name` in the place of the chunk that has this SHA-1, until then.
pub(super) fn seal(names: &Names, chunk: &ChunkPlace, sha1: String, name: &Bytes, until: Millis) -> Command {
    let keys = vec![names.guard(&chunk.home), names.chunk_of(chunk)];
    call("FCALL", SEAL, keys).arg(sha1).arg(name.clone()).number(time(until))
}

/// A chunk's bytes in the place of the object that holds them.
pub(super) fn unseal(names: &Names, chunk: &ChunkPlace, name: &Bytes, text: Bytes) -> Command {
    let keys = vec![names.guard(&chunk.home), names.chunk_of(chunk)];
    call("FCALL", UNSEAL, keys).arg(name.clone()).arg(text)
}

/// One page of a scan.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<(Bytes, Bytes)>,
    /// The last row that was looked at, if there may be more.
    pub(super) reached: Option<Bytes>,
}

/// How a page is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

impl Bounds {
    fn apply(self, command: Command) -> Command {
        // What a double can hold; nobody asks for more rows.
        command.number(self.rows.min(1 << 30)).number(self.bytes)
    }
}

/// A page of a `Sorted` table.
pub(super) fn scan(names: &Names, range: &crate::scan::Range, bounds: Bounds, now: Millis) -> Command {
    let (home, table) = (&range.home, range.table);
    let keys = vec![names.guard(home), names.values(home, table), names.order(home, table)];
    let from = Bytes::from([b"[", range.from.as_ref()].concat());
    let to = range.to.as_ref().map_or(Bytes::from_static(b"+"), |to| [b"(", to.as_ref()].concat().into());
    let (first, last) = if range.descending { (to, from) } else { (from, to) };
    let command = call("FCALL_RO", SCAN, keys).number(time(now)).arg(expiry_flag(table)).arg(first).arg(last);
    bounds.apply(command.arg(direction(range.descending)))
}

/// A page of a log, from one key to another, both inclusive.
pub(super) fn scan_log(
    names: &Names,
    range: &crate::scan::Range,
    (first, last): (u64, u64),
    bounds: Bounds,
    now: Millis,
) -> Command {
    let (home, table) = (&range.home, range.table);
    let mut command = call("FCALL_RO", SCAN_LOG, vec![names.guard(home), names.index(home, table)])
        .number(time(now))
        .arg(expiry_flag(table))
        .arg(names.chunks(home, table));
    for key in [first, last] {
        let number = (key / super::layout::CHUNK).to_be_bytes();
        command = command.arg(number.to_vec()).arg(vec![offset(key)]);
    }
    bounds.apply(command.arg(direction(range.descending)))
}

/// About how many bytes the answer to a read has, before it is there: a guess at a row for each word, and a page for what may answer with one.
pub(super) fn answer_size(command: &Command) -> usize {
    const ROW: usize = 256;
    const PAGE: usize = 64 << 10;
    let function = command.arguments.first().map_or(&b""[..], |function| function);
    let pages =
        matches!(command.name, "HGETALL" | "HSCAN") || [SCAN, SCAN_LOG].iter().any(|s| s.as_bytes() == function);
    if pages { PAGE } else { ROW * command.arguments.len() }
}

/// Reads the answer to a scan.
pub(super) fn page(reply: Reply) -> Option<Page> {
    let mut items = reply.into_list()?.into_iter();
    let reached = match items.next()? {
        Reply::Nil => None,
        reached => Some(reached.into_bytes()?),
    };
    let mut rows = Vec::with_capacity(items.len() / 2);
    while let Some(rest) = items.next() {
        rows.push((rest.into_bytes()?, items.next()?.into_bytes()?));
    }
    Some(Page { rows, reached })
}

/// The single key of an address in a log.
pub(super) fn key_of(address: &Address) -> Result<u64> {
    let bytes = <[u8; 8]>::try_from(address.rest.as_ref());
    let bytes = bytes.map_err(|_| Error::Corrupt(format!("a key of the log `{}` has eight bytes", address.table.name)));
    Ok(u64::from_be_bytes(bytes?))
}

fn call(how: &'static str, function: &'static str, keys: Vec<Bytes>) -> Command {
    Command::new(how).arg(function).number(keys.len()).args(keys)
}

fn expiry_flag(table: Table) -> &'static str {
    if table.expires { "x" } else { "-" }
}

fn direction(descending: bool) -> &'static str {
    if descending { "REV" } else { "" }
}

fn number(value: usize) -> Bytes {
    const SMALL: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    SMALL.get(value).map_or_else(|| value.to_string().into(), |text| Bytes::from_static(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_the_one_of_its_version() {
        // Servers keep what they have loaded under a name. If this fails, the code changed: once it has been released,
        // raise the version in every name in `linnet.lua` and here.
        assert!(LIBRARY.starts_with(&format!("#!lua name={NAME}\n")));
        for function in [COMMIT, SHRINK, MARK, GET_LOG, SCAN, SCAN_LOG, SEAL, UNSEAL] {
            assert!(function.starts_with(NAME) && LIBRARY.contains(&format!("'{function}'")), "{function}");
        }
        assert_eq!(super::super::layout::crc16(LIBRARY.as_bytes()), 0x825f, "the checksum of the code");
    }
}
