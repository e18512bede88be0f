//! From one store into another, whatever their engines: copying, catching up, and comparing.
//!
//! Nobody else may write to the source meanwhile. Every step can be done again: rows are written over by themselves. What a copy has done is told
//! by a [`Cursor`], and a copy that was cut off goes on from there. A few megabytes are held in memory, however large the stores are.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::rows::{Change, Cursor, RawRow, Shelf};
use crate::{Error, Millis, Result, Store, Table};

/// Shelves that are read ahead; after each page of them, a copy can go on from there.
const SHELVES: usize = 1_000;
/// Shelves that are worked on at once.
const AT_ONCE: usize = 256;
/// Rows, and bytes, that are read and written at once.
const ROWS: usize = 250;
const BYTES: usize = 128 << 10;
/// Rows that are compared at a time when a store is caught up with.
const COMPARED: usize = 200_000;
/// How often a call is tried that the store did not answer, or was too busy for; a copy can be started again after that.
const TRIES: u32 = 8;
/// Differences that are named on one shelf.
const NAMED: usize = 20;

/// How far a move has come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Where it goes on.
    pub cursor: Cursor,
    /// Shelves that are done.
    pub shelves: u64,
    /// Rows that are done.
    pub rows: u64,
    /// Bytes of them: rests and values.
    pub bytes: u64,
    /// About how much of all that is, from 0 to 1, where it can be told.
    pub share: Option<f64>,
}

/// A table's rows on both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many there are, and their checksum, in one store.
    pub here: Digest,
    /// And in the other.
    pub there: Digest,
}

/// What tells sets of rows apart, in whatever order they come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest {
    /// How many.
    pub rows: u64,
    /// The sum of the rows' own checksums.
    pub sum: u64,
}

/// A row that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub shelf: Shelf,
    /// Which row.
    pub rest: Bytes,
    /// In what way.
    pub kind: Kind,
}

/// In what way a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is in the first store only.
    Missing,
    /// It is in the second store only.
    Extra,
    /// It holds something else, or expires at another time.
    Different,
}

/// Takes notice of how a move goes on.
pub trait Watch: Send {
    /// So much is done, and is durable.
    ///
    /// # Errors
    /// What ends the move; it can go on from the last progress that was noted.
    fn noted(&mut self, progress: &Progress) -> Result<()>;

    /// This is not the same on both sides.
    fn differs(&mut self, difference: &Difference);
}

/// Copies every row that has not expired, from where `done` says on.
///
/// # Errors
/// What either store says, after a few tries.
pub async fn copy(
    from: &Store,
    to: &Store,
    tables: &[Table],
    done: Progress,
    watch: &mut dyn Watch,
) -> Result<Progress> {
    let mut done = done;
    loop {
        let page = again(|| from.shelves(tables, &done.cursor, SHELVES)).await?;
        let shelves = page.items.len() as u64;
        let copied: (u64, u64) = stream::iter(page.items)
            .map(|shelf| async move { copy_shelf(from, to, &shelf).await })
            .buffer_unordered(AT_ONCE)
            .try_fold((0, 0), |all, one| async move { Ok((all.0 + one.0, all.1 + one.1)) })
            .await?;
        done.shelves += shelves;
        done.rows += copied.0;
        done.bytes += copied.1;
        let Some(next) = page.next else {
            done.share = Some(1.0);
            watch.noted(&done)?;
            return Ok(done);
        };
        done.share = Some(from.share_before(tables, &next, done.rows).await?);
        done.cursor = next;
        watch.noted(&done)?;
    }
}

/// Brings a copy of `old`, which was made of `new` earlier, to where `new` is now: writes what changed, and deletes what went.
///
/// # Errors
/// What the stores say, after a few tries.
pub async fn catch_up(
    (new, old): (&Store, &Store),
    to: &Store,
    tables: &[Table],
    watch: &mut dyn Watch,
) -> Result<Progress> {
    let mut done = Progress::default();
    loop {
        let page = new.changes_since(old, tables, &done.cursor, COMPARED).await?;
        done.rows += page.items.len() as u64;
        let mut homes: Vec<Vec<Change>> = Vec::new();
        for change in page.items {
            match homes.last_mut() {
                Some(last) if last[0].shelf == change.shelf && last.len() < ROWS => last.push(change),
                _ => homes.push(vec![change]),
            }
        }
        done.shelves += homes.len() as u64;
        // The pieces of one shelf never name the same row, so their order does not matter.
        stream::iter(homes)
            .map(|changes| async move { again(|| to.commit(Change::batch(changes.clone()))).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        let Some(next) = page.next else {
            watch.noted(&done)?;
            return Ok(done);
        };
        done.cursor = next;
        watch.noted(&done)?;
    }
}

/// Compares two stores, row by row where a home's rows of a table do not add up to the same. What expires within a minute is left out.
///
/// # Errors
/// What either store says, after a few tries.
pub async fn verify(
    here: &Store,
    there: &Store,
    tables: &[Table],
    now: impl Fn() -> Millis + Sync,
    watch: &mut dyn Watch,
) -> Result<BTreeMap<&'static str, Compared>> {
    let mut all: BTreeMap<&'static str, Compared> = BTreeMap::new();
    let mut done = Progress::default();
    // Once along each side: what is on both is compared on the way along the first.
    for (walked, other) in [(here, there), (there, here)] {
        let is_second = std::ptr::eq(walked, there);
        done.cursor = Cursor::default();
        loop {
            let page = again(|| walked.shelves(tables, &done.cursor, SHELVES)).await?;
            done.shelves += page.items.len() as u64;
            let now = &now;
            let compared: Vec<(Shelf, Compared, Vec<Difference>)> = stream::iter(page.items)
                .map(|shelf| async move {
                    let until = now().plus(Duration::from_secs(60));
                    if is_second && !is_empty(other, &shelf, until).await? {
                        return Ok((shelf, Compared::default(), Vec::new()));
                    }
                    compare((here, there), shelf, until).await
                })
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            for (shelf, one, differences) in compared {
                let table = all.entry(shelf.table.name).or_default();
                table.here.add(one.here);
                table.there.add(one.there);
                done.rows += one.here.rows;
                differences.iter().for_each(|difference| watch.differs(difference));
            }
            let Some(next) = page.next else { break };
            // The second time, only what the first side has not is looked at closely; that is quick, and how quick nobody knows.
            done.share = if is_second { None } else { Some(here.share_before(tables, &next, done.rows).await?) };
            done.cursor = next;
            watch.noted(&done)?;
        }
    }
    watch.noted(&done)?;
    Ok(all)
}

impl Digest {
    fn of(row: &RawRow) -> Self {
        // Its keys are fixed, and it is never written down.
        let mut hash = DefaultHasher::new();
        (&row.rest, &row.value, row.expires).hash(&mut hash);
        Self { rows: 1, sum: hash.finish() }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

async fn copy_shelf(from: &Store, to: &Store, shelf: &Shelf) -> Result<(u64, u64)> {
    let (mut at, mut rows, mut bytes) = (Cursor::default(), 0, 0);
    loop {
        let part = again(|| from.shelf(shelf, &at, ROWS, BYTES)).await?;
        rows += part.items.len() as u64;
        bytes += part.items.iter().map(|row| (row.rest.len() + row.value.len()) as u64).sum::<u64>();
        if !part.items.is_empty() {
            again(|| to.put_rows(shelf, part.items.clone())).await?;
        }
        match part.next {
            Some(next) => at = next,
            None => return Ok((rows, bytes)),
        }
    }
}

async fn compare(sides: (&Store, &Store), shelf: Shelf, until: Millis) -> Result<(Shelf, Compared, Vec<Difference>)> {
    let here = digest(sides.0, &shelf, until).await?;
    let there = digest(sides.1, &shelf, until).await?;
    if here == there {
        return Ok((shelf, Compared { here, there }, Vec::new()));
    }
    // Row by row. What seemed to differ because an engine told a row twice is settled here too.
    let (ours, theirs) = (rows_of(sides.0, &shelf, until).await?, rows_of(sides.1, &shelf, until).await?);
    let sum = |rows: &BTreeMap<Bytes, RawRow>| {
        let mut all = Digest::default();
        rows.values().for_each(|row| all.add(Digest::of(row)));
        all
    };
    let compared = Compared { here: sum(&ours), there: sum(&theirs) };
    let of_ours = ours.iter().filter_map(|(rest, row)| match theirs.get(rest) {
        None => Some((rest, Kind::Missing)),
        Some(other) => (other != row).then_some((rest, Kind::Different)),
    });
    let extra = theirs.keys().filter(|rest| !ours.contains_key(*rest)).map(|rest| (rest, Kind::Extra));
    let found = of_ours.chain(extra).take(NAMED);
    let named = found.map(|(rest, kind)| Difference { shelf: shelf.clone(), rest: rest.clone(), kind }).collect();
    Ok((shelf, compared, named))
}

async fn digest(store: &Store, shelf: &Shelf, until: Millis) -> Result<Digest> {
    let mut all = Digest::default();
    each_row(store, shelf, until, |row| all.add(Digest::of(&row))).await?;
    Ok(all)
}

async fn rows_of(store: &Store, shelf: &Shelf, until: Millis) -> Result<BTreeMap<Bytes, RawRow>> {
    let mut all = BTreeMap::new();
    each_row(store, shelf, until, |row| {
        all.insert(row.rest.clone(), row);
    })
    .await?;
    Ok(all)
}

async fn each_row(store: &Store, shelf: &Shelf, until: Millis, mut note: impl FnMut(RawRow)) -> Result<()> {
    let mut at = Cursor::default();
    loop {
        let part = again(|| store.shelf(shelf, &at, ROWS, BYTES)).await?;
        part.items.into_iter().filter(|row| row.expires.is_none_or(|at| at > until)).for_each(&mut note);
        match part.next {
            Some(next) => at = next,
            None => return Ok(()),
        }
    }
}

async fn is_empty(store: &Store, shelf: &Shelf, until: Millis) -> Result<bool> {
    let mut at = Cursor::default();
    loop {
        let part = again(|| store.shelf(shelf, &at, ROWS, BYTES)).await?;
        if part.items.iter().any(|row| row.expires.is_none_or(|at| at > until)) {
            return Ok(false);
        }
        match part.next {
            Some(next) => at = next,
            None => return Ok(true),
        }
    }
}

/// Calls until there is an answer, for a while.
async fn again<T, F: Future<Output = Result<T>>>(call: impl Fn() -> F) -> Result<T> {
    let mut pause = Duration::from_millis(50);
    for _ in 1..TRIES {
        match call().await {
            Err(Error::Unavailable(_) | Error::Overloaded) => tokio::time::sleep(pause).await,
            outcome => return outcome,
        }
        pause *= 2;
    }
    call().await
}
