//! What the embedded engine promises beyond the four calls: it keeps what it acked, and says so when it cannot.

#![cfg(feature = "rocksdb")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use storage::{Batch, Clock, Error, Recovery, RocksConfig, Scan, State, Store, Table, restore, units::ByteSize};
use support::{Expiring, NOW, PLAIN, Plain, TABLES, home, one, open, record, small};

async fn count(store: &Store) -> usize {
    store.scan(Scan::<Plain>::new(home(b"h"), usize::MAX)).await.unwrap().len()
}

async fn fill(store: &Store, rows: u32, size: usize) {
    let outcomes: Vec<_> =
        (0..rows).map(|n| store.commit(one(b"h", &n.to_be_bytes(), n.to_string().repeat(size)))).collect();
    for outcome in outcomes {
        outcome.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acked_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 1_000, 10).await;
    drop(store);
    let store = open(directory.path());
    assert_eq!(count(&store).await, 1_000);
    assert_eq!(store.get(&Plain::at(b"h", &7u32.to_be_bytes())).await.unwrap(), Some(record("7".repeat(10))));
}

#[tokio::test]
async fn what_is_queued_is_written_when_the_last_handle_goes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for n in 0..500u32 {
        drop(store.commit(one(b"h", &n.to_be_bytes(), "x")));
    }
    drop(store);
    assert_eq!(count(&open(directory.path())).await, 500);
}

#[tokio::test]
async fn a_directory_belongs_to_one_store_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    let second = Store::open(&small(directory.path()), TABLES, Clock::system());
    assert!(matches!(second, Err(Error::Unavailable(_))), "{second:?}");
    first.commit(one(b"h", b"r", "x")).await.unwrap();
}

#[tokio::test]
async fn tables_of_another_version_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let newer = open(directory.path());
    let mut batch = Batch::new(home(b"h"));
    batch.put(&Expiring::at(b"h", b"r"), &record("newer"));
    newer.commit(batch).await.unwrap();
    drop(newer);

    let older = Store::open(&small(directory.path()), &[PLAIN], Clock::manual(NOW)).unwrap();
    older.commit(one(b"h", b"r", "older")).await.unwrap();
    drop(older);

    let newer = open(directory.path());
    assert_eq!(newer.get(&Expiring::at(b"h", b"r")).await.unwrap(), Some(record("newer")));
    assert_eq!(count(&newer).await, 1);
}

#[tokio::test]
async fn a_table_that_was_not_declared_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let tables: &[Table] = &[PLAIN];
    let store = Store::open(&small(directory.path()), tables, Clock::manual(NOW)).unwrap();
    let mut batch = Batch::new(home(b"h"));
    batch.put(&Plain::at(b"h", b"r"), &record("x")).put(&Expiring::at(b"h", b"r"), &record("x"));
    assert!(matches!(store.commit(batch).await, Err(Error::Unavailable(_))));
    assert!(matches!(store.get(&Expiring::at(b"h", b"r")).await, Err(Error::Unavailable(_))));
    // The other half of the batch did not happen, and the store goes on.
    assert_eq!(count(&store).await, 0);
    store.commit(one(b"h", b"r", "x")).await.unwrap();
}

#[tokio::test]
async fn more_commits_than_the_queue_holds_are_refused_and_not_applied() {
    let directory = tempfile::tempdir().unwrap();
    let config = RocksConfig { queue_commits: 10, ..small(directory.path()) };
    let store = Store::open(&config, TABLES, Clock::manual(NOW)).unwrap();
    let outcomes: Vec<_> = (0..5_000u32).map(|n| store.commit(one(b"h", &n.to_be_bytes(), "x"))).collect();
    let (mut applied, mut refused) = (Vec::new(), 0);
    for (n, outcome) in (0u32..).zip(outcomes) {
        match outcome.await {
            Ok(()) => applied.push(n.to_be_bytes().to_vec()),
            Err(Error::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0, "5000 commits at once fitted into a queue of 10");
    let rows = store.scan(Scan::<Plain>::new(home(b"h"), usize::MAX)).await.unwrap();
    assert_eq!(rows.into_iter().map(|row| row.rest.to_vec()).collect::<Vec<_>>(), applied);
    store.commit(one(b"h", b"later", "x")).await.unwrap();
}

#[tokio::test]
async fn the_queue_is_bounded_in_bytes_but_takes_one_batch_of_any_size() {
    let directory = tempfile::tempdir().unwrap();
    let config = RocksConfig { queue_bytes: ByteSize(100_000), group_bytes: ByteSize(1), ..small(directory.path()) };
    let store = Store::open(&config, TABLES, Clock::manual(NOW)).unwrap();
    store.commit(one(b"h", b"large", "x".repeat(1_000_000))).await.unwrap();
    let outcomes: Vec<_> = (0..100u32).map(|n| store.commit(one(b"h", &n.to_be_bytes(), "x".repeat(50_000)))).collect();
    let mut refused = 0;
    for outcome in outcomes {
        match outcome.await {
            Ok(()) => {}
            Err(Error::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0, "5 MB at once fitted into a queue of 100 kB");
}

#[tokio::test]
async fn expired_rows_leave_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let store = Store::open(&small(directory.path()), TABLES, clock.clone()).unwrap();
    let later = NOW.plus(Duration::from_secs(1));
    let mut batch = Batch::new(home(b"h"));
    for n in 0..100u32 {
        batch.put_expiring(&Expiring::at(b"h", &n.to_be_bytes()), &record("x"), later);
    }
    batch.put(&Expiring::at(b"h", b"lasting"), &record("x"));
    store.commit(batch).await.unwrap();
    clock.set(later);
    store.compact(TABLES).await.unwrap();
    // With the clock turned back, whatever is still on the disk would show.
    clock.set(NOW);
    let rows = store.scan(Scan::<Expiring>::new(home(b"h"), usize::MAX)).await.unwrap();
    assert_eq!(rows.iter().map(|row| &row.rest[..]).collect::<Vec<_>>(), [b"lasting"]);
}

#[tokio::test]
async fn reads_that_memory_cannot_answer_come_from_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 5_000, 200).await;
    store.compact(TABLES).await.unwrap();
    drop(store);
    let config = RocksConfig { cache: ByteSize(64 << 10), read_threads: 2, ..small(directory.path()) };
    let store = Store::open(&config, TABLES, Clock::manual(NOW)).unwrap();
    let readers = (0..8u32).map(|reader| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in (reader..5_000).step_by(97) {
                let found = store.get(&Plain::at(b"h", &n.to_be_bytes())).await.unwrap();
                assert_eq!(found, Some(record(n.to_string().repeat(200))), "row {n}");
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    for scan in [Scan::<Plain>::new(home(b"h"), 4_321), Scan::<Plain>::new(home(b"h"), 4_321).descending()] {
        assert_eq!(store.scan(scan).await.unwrap().len(), 4_321);
    }
    // Expectations are judged from the disk as well.
    let mut batch = Batch::new(home(b"h"));
    batch.expect(&Plain::at(b"h", &17u32.to_be_bytes()), State::Absent);
    assert!(matches!(store.commit(batch).await, Err(Error::Conflict)));
}

#[tokio::test]
async fn too_many_reads_of_the_disk_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 2_000, 200).await;
    store.compact(TABLES).await.unwrap();
    drop(store);
    let config = RocksConfig { cache: ByteSize(1 << 10), read_threads: 1, queue_reads: 2, ..small(directory.path()) };
    let store = Store::open(&config, TABLES, Clock::manual(NOW)).unwrap();
    let keys: Vec<_> = (0..64u32).map(|n| Plain::at(b"h", &(n * 31).to_be_bytes())).collect();
    let found = futures_util::future::join_all(keys.iter().map(|key| store.get(key))).await;
    let refused = found.iter().filter(|found| matches!(found, Err(Error::Overloaded))).count();
    assert!(refused > 0, "64 reads at once fitted into a queue of 2");
    assert!(found.iter().all(|found| matches!(found, Ok(Some(_)) | Err(Error::Overloaded))));
    assert!(store.get(&keys[0]).await.unwrap().is_some());
}

#[tokio::test]
async fn a_checkpoint_is_the_store_at_one_moment() {
    let directory = tempfile::tempdir().unwrap();
    let (data, copy, restored) =
        (directory.path().join("data"), directory.path().join("copy"), directory.path().join("to"));
    let store = open(&data);
    fill(&store, 100, 10).await;
    // Each batch moves one unit from one row to the other, so that a torn copy would not add up.
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..500u32 {
                let mut batch = Batch::new(home(b"sum"));
                batch.put(&Plain::at(b"sum", b"a"), &record(n.to_string()));
                batch.put(&Plain::at(b"sum", b"b"), &record((500 - n).to_string()));
                store.commit(batch).await.unwrap();
            }
        })
    };
    tokio::time::sleep(Duration::from_millis(5)).await;
    store.checkpoint(&copy).await.unwrap();
    writer.await.unwrap();
    assert!(matches!(store.checkpoint(&copy).await, Err(Error::Unavailable(_))), "a checkpoint overwrites nothing");
    fill(&store, 200, 10).await;

    restore(&copy, &restored).unwrap();
    let found = open(&restored);
    assert_eq!(count(&found).await, 100);
    let keys = [Plain::at(b"sum", b"a"), Plain::at(b"sum", b"b")];
    let sum: u32 = found.get_many(&keys).await.unwrap().into_iter().flatten().map(|row| number(&row.value)).sum();
    assert!(sum == 500 || sum == 0, "{sum}");
    drop(found);
    assert!(matches!(restore(&copy, &restored), Err(Error::Unavailable(_))), "a restore overwrites nothing");
    assert!(matches!(
        restore(&directory.path().join("nothing"), &directory.path().join("x")),
        Err(Error::Unavailable(_))
    ));
}

fn number(text: &[u8]) -> u32 {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_damaged_checkpoint_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (copy, restored) = (directory.path().join("copy"), directory.path().join("restored"));
    let store = open(&directory.path().join("data"));
    fill(&store, 500, 50).await;
    store.checkpoint(&copy).await.unwrap();
    let table = sorted_files(&copy).into_iter().next().unwrap();
    flip(&table, fs::metadata(&table).unwrap().len() / 2, 3);
    let outcome = restore(&copy, &restored);
    assert!(matches!(outcome, Err(Error::Corrupt(_))), "{outcome:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "only the store and its copy are there");
}

#[tokio::test]
async fn damage_in_a_sorted_file_is_an_error_and_never_other_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 500, 50).await;
    store.compact(TABLES).await.unwrap();
    drop(store);
    let file = sorted_files(directory.path()).into_iter().max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    let length = fs::metadata(&file).unwrap().len();
    let mut refused = 0;
    for step in 0..40 {
        let (place, bit) = (length * step / 40, u8::try_from(step % 8).unwrap());
        flip(&file, place, bit);
        match Store::open(&small(directory.path()), TABLES, Clock::manual(NOW)) {
            Ok(store) => {
                for n in 0..500u32 {
                    match store.get(&Plain::at(b"h", &n.to_be_bytes())).await {
                        Ok(found) => assert_eq!(found, Some(record(n.to_string().repeat(50))), "byte {place}"),
                        Err(Error::Corrupt(_)) => refused += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Err(Error::Corrupt(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        flip(&file, place, bit);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn salvage_keeps_what_precedes_the_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for n in 0..100u32 {
        store.commit(one(b"h", &n.to_be_bytes(), "x".repeat(100))).await.unwrap();
    }
    drop(store);
    let log = newest_log(directory.path());
    flip(&log, fs::metadata(&log).unwrap().len() / 2, 0);

    let refused = Store::open(&small(directory.path()), TABLES, Clock::manual(NOW));
    assert!(matches!(&refused, Err(Error::Corrupt(why)) if why.contains("salvage")), "{refused:?}");
    let config = RocksConfig { recovery: Recovery::Salvage, ..small(directory.path()) };
    let store = Store::open(&config, TABLES, Clock::manual(NOW)).unwrap();
    let rows = store.scan(Scan::<Plain>::new(home(b"h"), usize::MAX)).await.unwrap();
    assert!((30..70).contains(&rows.len()), "{}", rows.len());
    for (n, row) in (0u32..).zip(&rows) {
        assert_eq!(row.rest[..], n.to_be_bytes());
    }
    store.commit(one(b"h", b"later", "x")).await.unwrap();
    drop(store);
    assert_eq!(count(&open(directory.path())).await, rows.len() + 1);
}

/// How many logs to damage; `LINNET_CRASH_CYCLES` damages more.
fn samples(default: usize) -> usize {
    std::env::var("LINNET_CRASH_CYCLES")
        .ok()
        .and_then(|text| text.parse::<usize>().ok())
        .map_or(default, |n| n.max(default))
}

/// A store with its whole content in the log, and the length of the log after each commit.
async fn logged(directory: &Path, commits: u32) -> Vec<u64> {
    let store = open(directory);
    let mut lengths = Vec::new();
    for n in 0..commits {
        store.commit(one(b"h", &n.to_be_bytes(), n.to_string().repeat(30))).await.unwrap();
        lengths.push(fs::metadata(newest_log(directory)).unwrap().len());
    }
    lengths
}

#[tokio::test]
async fn a_log_cut_at_any_byte_opens_with_every_commit_before_the_cut() {
    let directory = tempfile::tempdir().unwrap();
    let (data, copy) = (directory.path().join("data"), directory.path().join("copy"));
    let lengths = logged(&data, 60).await;
    let end = *lengths.last().unwrap();
    let tail = lengths[lengths.len() - 3];
    // Every byte of the last two records, and a sample of the rest.
    let count_of_rest = samples(60) as u64;
    let cuts = (tail..end).chain((0..count_of_rest).map(|n| n * tail / count_of_rest));
    for cut in cuts {
        clone(&data, &copy);
        fs::File::options().write(true).open(newest_log(&copy)).unwrap().set_len(cut).unwrap();
        let store = open(&copy);
        let expected = lengths.iter().filter(|length| **length <= cut).count();
        assert_eq!(count(&store).await, expected, "cut at byte {cut}");
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_log_refuses_to_open() {
    let directory = tempfile::tempdir().unwrap();
    let (data, copy) = (directory.path().join("data"), directory.path().join("copy"));
    let lengths = logged(&data, 60).await;
    let end = *lengths.last().unwrap();
    let last = lengths[lengths.len() - 2];
    let count_of_rest = samples(400) as u64;
    // Every bit of the last record's header, where damage looks most like the end; and a sample of the rest.
    let header = (last..last + 7).flat_map(|place| (0..8).map(move |bit| (place, bit)));
    let rest = (0..count_of_rest).map(|n| (n * end / count_of_rest, u8::try_from(n % 8).unwrap()));
    for (place, bit) in header.chain(rest) {
        clone(&data, &copy);
        flip(&newest_log(&copy), place, bit);
        let opened = Store::open(&small(&copy), TABLES, Clock::manual(NOW));
        assert!(matches!(opened, Err(Error::Corrupt(_))), "bit {bit} of byte {place}: {opened:?}");
    }
}

#[tokio::test]
async fn a_missing_log_refuses_to_open() {
    let directory = tempfile::tempdir().unwrap();
    // Small enough a limit that the log is changed while rows of the other table keep the old one alive. It is changed between groups,
    // so each row waits for the one before: what is written at once may travel in one group.
    let store = open(directory.path());
    let mut batch = Batch::new(home(b"h"));
    batch.put(&Expiring::at(b"h", b"r"), &record("x"));
    store.commit(batch).await.unwrap();
    for n in (0u32..1_000).take_while(|_| logs(directory.path()).len() == 1) {
        store.commit(one(b"h", &n.to_be_bytes(), "x".repeat(100_000))).await.unwrap();
    }
    drop(store);
    let logs = logs(directory.path());
    assert!(logs.len() > 1, "{logs:?}");
    fs::remove_file(&logs[0]).unwrap();
    let opened = Store::open(&small(directory.path()), TABLES, Clock::manual(NOW));
    assert!(matches!(opened, Err(Error::Corrupt(_))), "{opened:?}");
}

#[test]
fn settings_are_strict_and_complete() {
    let written = toml::to_string(&RocksConfig::default()).unwrap();
    assert_eq!(toml::from_str::<RocksConfig>(&written).unwrap(), RocksConfig::default());
    assert_eq!(toml::from_str::<RocksConfig>("").unwrap(), RocksConfig::default());
    assert!(toml::from_str::<RocksConfig>("cach = \"1MiB\"").is_err());
    assert!(toml::from_str::<RocksConfig>("recovery = \"hope\"").is_err());
}

fn files(directory: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn logs(directory: &Path) -> Vec<std::path::PathBuf> {
    files(directory, "log")
}

fn newest_log(directory: &Path) -> std::path::PathBuf {
    logs(directory).pop().unwrap()
}

fn sorted_files(directory: &Path) -> Vec<std::path::PathBuf> {
    files(directory, "sst")
}

fn flip(file: &Path, place: u64, bit: u8) {
    let mut bytes = fs::read(file).unwrap();
    bytes[usize::try_from(place).unwrap()] ^= 1 << bit;
    fs::write(file, bytes).unwrap();
}

/// Copies a directory, over what is there.
fn clone(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
