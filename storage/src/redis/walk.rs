//! Every row, slot by slot, for tools that move stores.
//!
//! Slots have no order within, and a hash tells a row twice if it is being resized. Slots must not move on the way.

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::layout::{self, KeyName};
use super::node::{Command, Reply};
use super::{Redis, odd};
use crate::rows::{Cursor, Part, RawRow, Shelf};
use crate::{Error, Kind, Millis, Result, Table};

/// Slots that are asked for at once.
const AT_ONCE: u16 = 16;
/// More keys than any slot has.
const ALL_KEYS: u32 = 1 << 30;

impl Redis {
    pub(crate) async fn shelves(&self, tables: &[Table], from: &Cursor, most: usize) -> Result<Part<Shelf>> {
        let mut slot = slot_of(from)?;
        let mut items = Vec::new();
        while slot < layout::SLOTS {
            if items.len() >= most {
                return Ok(Part { items, next: Some(Cursor(Bytes::copy_from_slice(&slot.to_be_bytes()))) });
            }
            let end = layout::SLOTS.min(slot + AT_ONCE);
            let found = try_join_all((slot..end).map(|slot| self.shelves_of(tables, slot))).await?;
            items.extend(found.into_iter().flatten());
            slot = end;
        }
        Ok(Part { items, next: None })
    }

    pub(crate) async fn shelf(&self, shelf: &Shelf, from: &Cursor, most: usize) -> Result<Part<RawRow>> {
        let now = self.cluster.clock.now();
        match shelf.table.kind {
            Kind::Map | Kind::Sorted => self.some_of_hash(shelf, from, most, now).await,
            Kind::Log => self.some_of_log(shelf, from, most, now).await,
        }
    }

    /// How much of the slots lies before a place.
    pub(crate) fn share_before(at: &Cursor) -> Result<f64> {
        Ok(f64::from(slot_of(at)?) / f64::from(layout::SLOTS))
    }

    async fn shelves_of(&self, tables: &[Table], slot: u16) -> Result<Vec<Shelf>> {
        let owner = || self.cluster.slots().owner(slot).cloned();
        let before = owner();
        let command = Command::new("CLUSTER").arg("GETKEYSINSLOT").number(slot).number(ALL_KEYS);
        let keys = self.ask_slot(slot, command).await?.into_list().ok_or_else(odd)?;
        if before.is_none() || owner() != before {
            return Err(Error::Unavailable(format!("slot {slot} has moved to another server meanwhile")));
        }
        let mut shelves = Vec::new();
        for key in keys {
            let key = key.into_bytes().ok_or_else(odd)?;
            let Some(KeyName { home, code }) = self.cluster.names.shelf_of(&key) else { continue };
            let table = tables.iter().find(|table| table.code == code).copied();
            let strange = || Error::Unavailable(format!("table {code} is of a newer version, which must do this"));
            shelves.push(Shelf { table: table.ok_or_else(strange)?, home });
        }
        Ok(shelves)
    }

    async fn some_of_hash(&self, shelf: &Shelf, from: &Cursor, most: usize, now: Millis) -> Result<Part<RawRow>> {
        let at = if from.0.is_empty() { Bytes::from_static(b"0") } else { from.0.clone() };
        let key = self.cluster.names.values(&shelf.home, shelf.table);
        let command = Command::new("HSCAN").arg(key).arg(at).arg("COUNT").number(most);
        let mut answer = self.ask(&shelf.home, command).await?.into_list().ok_or_else(odd)?.into_iter();
        let next = answer.next().and_then(Reply::into_bytes).ok_or_else(odd)?;
        let mut pairs = answer.next().and_then(Reply::into_list).ok_or_else(odd)?.into_iter();
        let mut items = Vec::with_capacity(pairs.len() / 2);
        while let Some(rest) = pairs.next() {
            let rest = rest.into_bytes().ok_or_else(odd)?;
            let value = pairs.next().and_then(Reply::into_bytes).ok_or_else(odd)?;
            items.extend(row(shelf.table, rest, value, now)?);
        }
        Ok(Part { items, next: (next != "0").then_some(Cursor(next)) })
    }

    async fn some_of_log(&self, shelf: &Shelf, from: &Cursor, most: usize, now: Millis) -> Result<Part<RawRow>> {
        let (names, Shelf { table, home }) = (&self.cluster.names, shelf);
        let chunks = (most as u64).div_ceil(layout::CHUNK);
        let after = if from.0.is_empty() { Bytes::from_static(b"-") } else { [b"(", &from.0[..]].concat().into() };
        let range = Command::new("ZRANGE").arg(names.index(home, *table)).arg(after).arg("+").arg("BYLEX");
        let found = self.ask(home, range.arg("LIMIT").number(0).number(chunks)).await?.into_list().ok_or_else(odd)?;
        let members: Option<Vec<Bytes>> = found.into_iter().map(Reply::into_bytes).collect();
        let members = members.ok_or_else(odd)?;
        let texts = members.iter().map(async |member| {
            let number = member.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| odd())?;
            let text = self.ask(home, Command::new("GET").arg(names.chunk(home, *table, number))).await?;
            let text = text.into_bytes().unwrap_or_default();
            let rows = match layout::sealed(&text) {
                Some(name) => self.sealed_rows(&name).await?,
                None => layout::rows_of_chunk(&text)
                    .ok_or_else(|| Error::Corrupt(format!("table {}: a chunk of a log is none", table.name)))?,
            };
            Ok::<_, Error>((number, rows))
        });
        let mut items = Vec::new();
        for (number, rows) in try_join_all(texts).await? {
            for (offset, value) in rows {
                let key = number * layout::CHUNK + u64::from(offset);
                items.extend(row(*table, Bytes::copy_from_slice(&key.to_be_bytes()), value, now)?);
            }
        }
        let next = members.last().filter(|_| members.len() as u64 == chunks).cloned();
        Ok(Part { items, next: next.map(Cursor) })
    }
}

fn row(table: Table, rest: Bytes, stored: Bytes, now: Millis) -> Result<Option<RawRow>> {
    let kept = layout::kept(table, stored, now).map_err(Error::Corrupt)?;
    Ok(kept.map(|(value, expires)| RawRow { rest, value, expires }))
}

fn slot_of(cursor: &Cursor) -> Result<u16> {
    match cursor.0.as_ref() {
        [] => Ok(0),
        [high, low] => Ok(u16::from_be_bytes([*high, *low])),
        _ => Err(Error::Unavailable("a place in another engine was asked for".into())),
    }
}
