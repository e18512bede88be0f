//! Stores that move from engine to engine, are cut off on the way, and are compared.

#![cfg(feature = "rocksdb")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use storage::migrate::{self, Compared, Difference, Kind, Progress, Watch};
use storage::{Batch, Clock, Cursor, Error, Kind as TableKind, Millis, RawRow, Shelf, Store, Table};
use support::{EXPIRING, NOW, PLAIN, Plain, home, record, small};
use tempfile::TempDir;

const LOG: Table = Table { code: 3, name: "log", kind: TableKind::Log, expires: true };
const TABLES: &[Table] = &[LOG, PLAIN, EXPIRING];

type Rows = BTreeMap<(u8, Vec<u8>, Bytes), (Bytes, Option<Millis>)>;

fn memory() -> Store {
    Store::memory(Clock::manual(NOW))
}

fn rocks(directory: &TempDir, name: &str) -> Store {
    Store::open(&small(&directory.path().join(name)), TABLES, Clock::manual(NOW)).unwrap()
}

/// Numbers that look random, the same in every run.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Rows of all tables in many homes: long and short shelves, empty values, rows that never expire, will, and have.
async fn fill(store: &Store, homes: u64, seed: u64) {
    let mut number = numbers(seed);
    for n in 0..homes {
        let table = TABLES[usize::try_from(number(3)).unwrap()];
        let home = home(&[&n.to_be_bytes()[..], &vec![255; usize::try_from(n % 5).unwrap()]].concat());
        let count = if number(100) == 0 { 700 } else { 1 + number(3) };
        let mut row = |n: u64| {
            let expires = [None, Some(NOW.0 + 86_400_000), Some(NOW.0)][usize::try_from(number(3)).unwrap()];
            let expires = expires.filter(|_| table.expires).map(Millis);
            let value = vec![b'v'; usize::try_from(number(300)).unwrap()];
            RawRow { rest: Bytes::copy_from_slice(&(n * 3).to_be_bytes()), value: value.into(), expires }
        };
        let rows = (0..count).map(&mut row).collect();
        store.put_rows(&Shelf { table, home }, rows).await.unwrap();
    }
}

/// All that is in a store, by its own walk.
async fn rows(store: &Store) -> Rows {
    let mut all = Rows::new();
    let mut at = Cursor::default();
    loop {
        let page = store.shelves(TABLES, &at, 50).await.unwrap();
        for shelf in page.items {
            let mut from = Cursor::default();
            loop {
                let part = store.shelf(&shelf, &from, 100, 10_000).await.unwrap();
                for row in part.items {
                    let place = (shelf.table.code, shelf.home.as_bytes().to_vec(), row.rest);
                    assert_eq!(all.insert(place, (row.value, row.expires)), None, "it came twice");
                }
                let Some(next) = part.next else { break };
                from = next;
            }
        }
        let Some(next) = page.next else { return all };
        // Across restarts, a place is a text.
        at = next.to_string().parse().unwrap();
    }
}

/// Notes everything, and breaks off after so many notes.
#[derive(Default)]
struct Notes {
    last: Progress,
    left: Option<u32>,
    differences: Vec<Difference>,
}

impl Watch for Notes {
    fn noted(&mut self, progress: &Progress) -> storage::Result<()> {
        self.last = progress.clone();
        match &mut self.left {
            Some(0) => Err(Error::Unavailable("cut off".into())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn differs(&mut self, difference: &Difference) {
        self.differences.push(difference.clone());
    }
}

async fn copy(from: &Store, to: &Store) -> Progress {
    migrate::copy(from, to, TABLES, Progress::default(), &mut Notes::default()).await.unwrap()
}

async fn compare(here: &Store, there: &Store) -> (BTreeMap<&'static str, Compared>, Vec<Difference>) {
    let mut notes = Notes::default();
    let all = migrate::verify(here, there, TABLES, || NOW, &mut notes).await.unwrap();
    (all, notes.differences)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_the_same_in_every_engine() {
    let directory = tempfile::tempdir().unwrap();
    let first = memory();
    fill(&first, 1_200, 1).await;
    let live = rows(&first).await;
    let second = rocks(&directory, "second");
    let done = copy(&first, &second).await;
    assert_eq!(done.rows, live.len() as u64);
    let third = rocks(&directory, "third");
    copy(&second, &third).await;
    let fourth = memory();
    copy(&third, &fourth).await;
    for store in [&second, &third, &fourth] {
        assert!(rows(store).await == live);
        let (tables, differences) = compare(&first, store).await;
        assert_eq!(differences, []);
        assert!(tables.values().all(|table| table.here == table.there && table.here.rows > 100), "{tables:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_cut_off_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let from = rocks(&directory, "from");
    fill(&from, 2_500, 2).await;
    let to = rocks(&directory, "to");
    let mut notes = Notes { left: Some(0), ..Notes::default() };
    let mut cuts = 0;
    while migrate::copy(&from, &to, TABLES, notes.last.clone(), &mut notes).await.is_err() {
        cuts += 1;
        assert!(notes.last.shelves < 2_500, "what was noted is not done again");
        notes.left = Some(0);
        if cuts == 2 {
            notes.left = None;
        }
    }
    assert_eq!(cuts, 2);
    let all = rows(&from).await;
    assert_eq!(notes.last.rows, all.len() as u64);
    assert!(rows(&to).await == all);
    // And once more over what is there.
    copy(&from, &to).await;
    assert!(rows(&to).await == all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_catches_up_with_what_changed_since() {
    let directory = tempfile::tempdir().unwrap();
    let from = rocks(&directory, "from");
    fill(&from, 1_000, 3).await;
    from.checkpoint(&directory.path().join("then")).await.unwrap();
    let then = rocks(&directory, "then");
    let to = memory();
    let all = copy(&then, &to).await.rows;
    // New rows, others in the place of old ones, deletions, and a home that goes as a whole.
    fill(&from, 200, 4).await;
    let mut gone = BTreeSet::new();
    for (code, home, rest) in rows(&from).await.into_keys().filter(|(code, ..)| *code == PLAIN.code).take(150) {
        let mut batch = Batch::new(support::home(&home));
        batch.delete(&Plain::at(&home, &rest));
        from.commit(batch).await.unwrap();
        gone.insert((code, home, rest));
    }
    let changed = migrate::catch_up((&from, &then), &to, TABLES, &mut Notes::default()).await.unwrap();
    assert!((200..all / 2).contains(&changed.rows), "{changed:?} of {all}");
    let now = rows(&to).await;
    assert!(rows(&from).await == now);
    assert!(gone.iter().all(|place| !now.contains_key(place)));
    let none = migrate::catch_up((&from, &from), &to, TABLES, &mut Notes::default()).await.unwrap();
    assert_eq!((none.rows, none.shelves), (0, 0));
}

#[cfg(feature = "testing")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_moves_to_a_cluster_and_back() {
    let cluster = storage::testing::RedisCluster::start(3, 0);
    let config = storage::RedisConfig { url: cluster.url().parse().unwrap(), ack_replicas: 0, ..Default::default() };
    let redis = Store::redis(&config, Clock::manual(NOW)).unwrap();
    while !redis.is_ready() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let from = rocks(&directory, "from");
    fill(&from, 1_200, 6).await;
    let mut notes = Notes { left: Some(0), ..Notes::default() };
    migrate::copy(&from, &redis, TABLES, Progress::default(), &mut notes).await.unwrap_err();
    notes.left = None;
    migrate::copy(&from, &redis, TABLES, notes.last.clone(), &mut notes).await.unwrap();
    let all = rows(&from).await;
    assert!(rows(&redis).await == all);
    let back = memory();
    let mut notes = Notes { left: Some(0), ..Notes::default() };
    migrate::copy(&redis, &back, TABLES, Progress::default(), &mut notes).await.unwrap_err();
    notes.left = None;
    let done = migrate::copy(&redis, &back, TABLES, notes.last.clone(), &mut notes).await.unwrap();
    assert_eq!((done.rows, rows(&back).await == all), (all.len() as u64, true));

    for (here, there) in [(&from, &redis), (&redis, &back)] {
        let (tables, differences) = compare(here, there).await;
        assert_eq!(differences, []);
        assert!(tables.values().all(|table| table.here == table.there && table.here.rows > 100), "{tables:?}");
    }
    redis.commit(support::one(b"extra", b"r", "x")).await.unwrap();
    let (_, differences) = compare(&from, &redis).await;
    assert_eq!(differences.iter().map(|one| one.kind).collect::<Vec<_>>(), [Kind::Extra]);
}

#[tokio::test]
async fn every_difference_is_found_and_named() {
    let (here, there) = (memory(), memory());
    fill(&here, 300, 5).await;
    copy(&here, &there).await;
    let shelf = |table, name: &[u8]| Shelf { table, home: home(name) };
    let row = |rest: &'static [u8], value: &'static [u8], expires: Option<i64>| RawRow {
        rest: Bytes::from_static(rest),
        value: Bytes::from_static(value),
        expires: expires.map(|after| Millis(NOW.0 + after)),
    };
    let (day, soon) = (86_400_000, 1_000);
    here.put_rows(&shelf(PLAIN, b"a"), vec![row(b"1", b"x", None), row(b"2", b"x", None)]).await.unwrap();
    there.put_rows(&shelf(PLAIN, b"a"), vec![row(b"2", b"y", None)]).await.unwrap();
    there.put_rows(&shelf(PLAIN, b"b"), vec![row(b"3", b"x", None)]).await.unwrap();
    here.put_rows(&shelf(EXPIRING, b"c"), vec![row(b"4", b"x", Some(day)), row(b"5", b"x", Some(soon))]).await.unwrap();
    there.put_rows(&shelf(EXPIRING, b"c"), vec![row(b"4", b"x", Some(day + 1))]).await.unwrap();
    let (tables, mut found) = compare(&here, &there).await;
    found.sort_by(|a, b| a.rest.cmp(&b.rest));
    let named = |table, name: &[u8], rest: &'static [u8], kind| Difference {
        shelf: shelf(table, name),
        rest: Bytes::from_static(rest),
        kind,
    };
    let expected = [
        named(PLAIN, b"a", b"1", Kind::Missing),
        named(PLAIN, b"a", b"2", Kind::Different),
        named(PLAIN, b"b", b"3", Kind::Extra),
        named(EXPIRING, b"c", b"4", Kind::Different),
    ];
    assert_eq!(found, expected);
    assert_ne!(tables["plain"].here.sum, tables["plain"].there.sum);
    assert_eq!(tables["expiring"].here.rows, tables["expiring"].there.rows, "what is about to go does not count");
    assert_eq!(tables["log"].here, tables["log"].there);
}

#[tokio::test]
async fn rows_of_a_newer_version_are_not_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let store = rocks(&directory, "store");
    store.commit(support::one(b"h", b"r", "x")).await.unwrap();
    let refused = store.shelves(&[LOG, EXPIRING], &Cursor::default(), 10).await.unwrap_err();
    assert!(refused.to_string().contains("`plain` is of a newer version"), "{refused}");
    assert_eq!(store.get(&Plain::at(b"h", b"r")).await.unwrap(), Some(record("x")));
}
