//! Every row, in the order of the files: table by table, home by home.

use bytes::Bytes;
use rocksdb::{DB, DBRawIterator, Options, ReadOptions};

use super::disk::{Disk, failed};
use super::{Rocks, layout};
use crate::rows::{Change, Cursor, Part, RawRow, Shelf, in_order};
use crate::{Error, Home, Millis, Result, Table};

/// Changes that are held in memory at a time.
const MOST_CHANGES: usize = 1_000;

impl Rocks {
    pub(crate) async fn shelves(&self, tables: &[Table], from: &Cursor, most: usize) -> Result<Part<Shelf>> {
        let (tables, from, now) = (in_order(tables), from.clone(), self.clock.now());
        self.on_disk(move |disk| {
            if from == Cursor::default() {
                refuse_strangers(disk.db(), &tables)?;
            }
            let mut items: Vec<Shelf> = Vec::new();
            for walk in from_here(disk, &tables, &from) {
                let (table, mut iterator) = walk?;
                while let Some((key, stored)) = iterator.item() {
                    if items.len() >= most {
                        return Ok(Part { items, next: Some(Cursor::at(table.code, layout::prefix(key))) });
                    }
                    if layout::live(table, stored, now)?.is_none() {
                        iterator.next();
                        continue;
                    }
                    let home = home_of(key)?;
                    iterator.seek_past(layout::prefix(key).to_vec());
                    items.push(Shelf { table, home });
                }
                iterator.end()?;
            }
            Ok(Part { items, next: None })
        })
        .await
    }

    pub(crate) async fn shelf(&self, shelf: &Shelf, from: &Cursor, most: usize, bytes: usize) -> Result<Part<RawRow>> {
        let (shelf, from, now) = (shelf.clone(), from.clone(), self.clock.now());
        self.on_disk(move |disk| {
            let prefix = layout::key(&shelf.home, &[]);
            let mut iterator = Walk::new(disk, shelf.table)?;
            iterator.0.seek(layout::key(&shelf.home, &from.0));
            let (mut items, mut size) = (Vec::new(), 0);
            while let Some((key, stored)) = iterator.item().filter(|(key, _)| key.starts_with(&prefix)) {
                let rest = &key[prefix.len()..];
                if items.len() >= most || size >= bytes {
                    return Ok(Part { items, next: Some(Cursor(Bytes::copy_from_slice(rest))) });
                }
                if let Some((value, expires)) = layout::kept(shelf.table, stored, now)? {
                    size += rest.len() + value.len();
                    items.push(RawRow {
                        rest: Bytes::copy_from_slice(rest),
                        value: Bytes::copy_from_slice(value),
                        expires,
                    });
                }
                iterator.next();
            }
            iterator.end()?;
            Ok(Part { items, next: None })
        })
        .await
    }

    pub(crate) fn changes(&self) -> u64 {
        self.disk.db().latest_sequence_number()
    }

    /// About how many rows there are, expired ones included.
    pub(crate) async fn estimate(&self, tables: &[Table]) -> Result<u64> {
        let tables = tables.to_vec();
        self.on_disk(move |disk| {
            let mut all = 0;
            for table in tables {
                let family = disk.family(table)?;
                let rows = disk.db().property_int_value_cf(family, "rocksdb.estimate-num-keys");
                all += rows.map_err(|error| failed(&error))?.unwrap_or(0);
            }
            Ok(all)
        })
        .await
    }

    /// Both are read side by side, and what is alike is passed over.
    pub(crate) async fn changes_since(
        &self,
        old: &Self,
        tables: &[Table],
        from: &Cursor,
        most: usize,
    ) -> Result<Part<Change>> {
        let (tables, from, now) = (in_order(tables), from.clone(), self.clock.now());
        let old = std::sync::Arc::clone(&old.disk);
        self.on_disk(move |disk| {
            if from == Cursor::default() {
                refuse_strangers(disk.db(), &tables)?;
            }
            let (mut items, mut seen) = (Vec::new(), 0);
            for (new, old) in from_here(disk, &tables, &from).zip(from_here(&old, &tables, &from)) {
                let ((table, mut new), (_, mut old)) = (new?, old?);
                loop {
                    let (is_new, is_old) = match (new.item(), old.item()) {
                        (None, None) => break,
                        (Some(_), None) => (true, false),
                        (None, Some(_)) => (false, true),
                        (Some((new, _)), Some((old, _))) => (new <= old, old <= new),
                    };
                    let (key, now_stored, was_stored) = match (new.item(), old.item()) {
                        (Some((key, now)), Some((_, was))) if is_new && is_old => (key, Some(now), Some(was)),
                        (Some((key, now)), _) if is_new => (key, Some(now), None),
                        (_, Some((key, was))) => (key, None, Some(was)),
                        _ => break,
                    };
                    if items.len() >= MOST_CHANGES || seen >= most {
                        return Ok(Part { items, next: Some(Cursor::at(table.code, key)) });
                    }
                    seen += 1;
                    if now_stored != was_stored {
                        items.push(change(table, key, now_stored, now)?);
                    }
                    if is_new {
                        new.next();
                    }
                    if is_old {
                        old.next();
                    }
                }
                new.end()?;
                old.end()?;
            }
            Ok(Part { items, next: None })
        })
        .await
    }
}

fn change(table: Table, key: &[u8], stored: Option<&[u8]>, now: Millis) -> Result<Change> {
    let shelf = Shelf { table, home: home_of(key)? };
    let (rest, _) = layout::row(key, &[]);
    let kept = stored.map_or(Ok(None), |stored| layout::kept(table, stored, now))?;
    let row = kept.map(|(value, expires)| RawRow { rest: rest.clone(), value: Bytes::copy_from_slice(value), expires });
    Ok(Change { shelf, rest, row })
}

/// A walk along one table, from key to key.
struct Walk<'a>(DBRawIterator<'a>);

impl<'a> Walk<'a> {
    fn new(disk: &'a Disk, table: Table) -> Result<Self> {
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        options.fill_cache(false);
        Ok(Self(disk.db().raw_iterator_cf_opt(disk.family(table)?, options)))
    }

    fn item(&self) -> Option<(&[u8], &[u8])> {
        self.0.item()
    }

    fn next(&mut self) {
        self.0.next();
    }

    /// To the next home.
    fn seek_past(&mut self, prefix: Vec<u8>) {
        match layout::after(prefix) {
            Some(key) => self.0.seek(key),
            None => {
                self.0.seek_to_last();
                self.0.next();
            }
        }
    }

    /// Whether the walk ended because there was no more.
    fn end(&self) -> Result<()> {
        self.0.status().map_err(|error| failed(&error))
    }
}

/// Walks along the tables from a place on, each at its first key.
fn from_here<'a>(
    disk: &'a Disk,
    tables: &'a [Table],
    from: &'a Cursor,
) -> impl Iterator<Item = Result<(Table, Walk<'a>)>> + 'a {
    let begun = from.place();
    let rest = tables.iter().filter(move |table| begun.is_none_or(|(code, _)| table.code >= code));
    rest.map(move |&table| {
        let mut walk = Walk::new(disk, table)?;
        match begun.filter(|(code, _)| *code == table.code) {
            Some((_, key)) => walk.0.seek(key),
            None => walk.0.seek_to_first(),
        }
        Ok((table, walk))
    })
}

fn home_of(key: &[u8]) -> Result<Home> {
    let prefix = layout::prefix(key);
    let home = prefix.get(1..).filter(|home| !home.is_empty() && prefix.len() == layout::prefix_length(key));
    let damaged = || Error::Corrupt(format!("a key names no home: {key:02x?}"));
    Ok(Home::new(Bytes::copy_from_slice(home.ok_or_else(damaged)?)))
}

/// Refuses a store with rows in tables that nobody asked for: a newer version wrote them, and they would be left behind.
fn refuse_strangers(db: &DB, tables: &[Table]) -> Result<()> {
    let names = DB::list_cf(&Options::default(), db.path()).map_err(|error| failed(&error))?;
    for name in names.iter().filter(|name| tables.iter().all(|table| table.name != name.as_str())) {
        let Some(family) = db.cf_handle(name) else { continue };
        let mut first = db.raw_iterator_cf(family);
        first.seek_to_first();
        if first.valid() {
            return Err(Error::Unavailable(format!("table `{name}` is of a newer version, which must do this")));
        }
    }
    Ok(())
}
