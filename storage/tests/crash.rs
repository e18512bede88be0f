//! Processes that die, disks that fail, disks that fill up: what was acked is there afterwards, and nothing is half there.
//!
//! The writer is this test binary once more, as a child. It prints what was acked; what it printed is the ledger that the store is held against.
//! `LINNET_CRASH_CYCLES` sets how often the child is killed.

#![cfg(feature = "rocksdb")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use proto::store as pb;
use storage::{Batch, Clock, Error, RocksConfig, Scan, Store, units::ByteSize};
use support::{NOW, Plain, TABLES, home, one, open, record, small};

const WRITERS: u8 = 8;
/// What the child exits with when its store has failed, and when it could not be opened.
const FAILED: i32 = 70;
const UNOPENED: i32 = 71;

fn cycles(default: u64) -> u64 {
    std::env::var("LINNET_CRASH_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

// ---------------------------------------------------------------- the child

/// Not a test: the child's `main`.
#[test]
#[ignore = "run by the other tests, as a child"]
fn child() {
    let Ok(directory) = std::env::var("LINNET_CHILD_DIRECTORY") else { return };
    let mode = std::env::var("LINNET_CHILD_MODE").unwrap();
    // Ends the line on which the test harness has announced this "test": the first ack must stand on its own.
    say("");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // Small files and a short log, so that flushes and changes of the log are among what is interrupted.
        let config =
            RocksConfig { write_buffer: ByteSize(256 << 10), log: ByteSize(128 << 10), ..small(Path::new(&directory)) };
        let Ok(store) = Store::open(&config, TABLES, Clock::manual(NOW)) else { std::process::exit(UNOPENED) };
        match mode.as_str() {
            "write" => write_for_ever(&store).await,
            "burst" => burst(&store).await,
            _ => unreachable!(),
        }
    });
}

/// Each writer counts up in a home of its own; a commit adds the row of its number and moves the last number on.
async fn write_for_ever(store: &Store) {
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let name = [writer];
            let last = Plain::at(&name, b"last");
            let mut read = store.get(&last).await.unwrap();
            for n in number(read.as_ref()) + 1..=u64::MAX {
                let next = record(n.to_string());
                let mut batch = Batch::new(home(&name));
                batch.expect_unchanged(&last, read.as_ref()).put(&last, &next);
                batch.put(&Plain::at(&name, &row(n)), &record(body(n)));
                match store.commit(batch).await {
                    Ok(()) => say(&format!("ack {writer} {n}")),
                    Err(Error::Unavailable(_)) => {
                        say("failed");
                        break;
                    }
                    Err(error) => panic!("{error}"),
                }
                read = Some(next);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    // Only a store that has failed comes here. From now on it must not ack anything.
    for n in 0..20u8 {
        if store.commit(one(b"after", &[n], "x")).await.is_ok() {
            say("ack after the failure");
        }
    }
    let reason = tokio::time::timeout(Duration::from_secs(5), store.failure()).await;
    std::process::exit(if reason.is_ok() && !store.is_ready() { FAILED } else { 1 });
}

/// Many commits at once.
async fn burst(store: &Store) {
    let outcomes: Vec<_> = (0..2_000u32).map(|n| store.commit(one(b"h", &n.to_be_bytes(), "x"))).collect();
    for outcome in outcomes {
        outcome.await.unwrap();
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn row(n: u64) -> Vec<u8> {
    [b"row".as_slice(), &n.to_be_bytes()].concat()
}

/// Of very different lengths, so that records end everywhere in a block of the log.
fn body(n: u64) -> String {
    n.to_string().repeat(1 + usize::try_from(n * 7 % 400).unwrap())
}

fn number(record: Option<&pb::Value>) -> u64 {
    record.map_or(0, |record| std::str::from_utf8(&record.value).unwrap().parse().unwrap())
}

// ---------------------------------------------------------------- the parent

/// The child as a command, under another program if there is one.
fn child_command(directory: &Path, mode: &str, under: &[String]) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = match under.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
        None => Command::new(this),
    };
    command
        .args(["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("LINNET_CHILD_DIRECTORY", directory)
        .env("LINNET_CHILD_MODE", mode)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// What children have printed: the last number acked, by writer.
#[derive(Debug, Default)]
struct Ledger {
    acked: HashMap<u8, u64>,
    count: u64,
    after_failure: bool,
}

impl Ledger {
    /// Reads the child's lines to their end, killing it after `lifetime` from its first ack on.
    fn follow(&mut self, mut child: Child, lifetime: Option<Duration>) -> ExitStatus {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut kill_at = None;
        for line in lines.map_while(Result::ok) {
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("ack"), Some("after"), _) => self.after_failure = true,
                (Some("ack"), Some(writer), Some(n)) => {
                    self.acked.insert(writer.parse().unwrap(), n.parse().unwrap());
                    self.count += 1;
                    if let Some(lifetime) = lifetime {
                        let at = *kill_at.get_or_insert_with(|| Instant::now() + lifetime);
                        if Instant::now() >= at {
                            child.kill().unwrap();
                        }
                    }
                }
                _ => {}
            }
        }
        child.wait().unwrap()
    }

    /// Holds the store against what was acked. One commit per writer may be there unacked: the one under way.
    fn check(&self, directory: &Path) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = open(directory);
            for writer in 0..WRITERS {
                let name = [writer];
                let last = number(store.get(&Plain::at(&name, b"last")).await.unwrap().as_ref());
                let scan = Scan::<Plain>::new(home(&name), usize::MAX).from(|rest| {
                    rest.bytes(b"row");
                });
                let rows = store.scan(scan).await.unwrap();
                for (n, found) in (1..).zip(&rows) {
                    assert_eq!(found.rest, row(n), "writer {writer}: a hole");
                    assert_eq!(found.record, record(body(n)), "writer {writer}: other bytes");
                }
                assert_eq!(rows.len() as u64, last, "writer {writer}: half a commit");
                let acked = self.acked.get(&writer).copied().unwrap_or(0);
                assert!(last >= acked, "writer {writer}: {acked} was acked, {last} is the last");
                assert!(last <= acked + 1, "writer {writer}: {last} is there, {acked} was the last acked");
            }
        });
    }

    /// What was not acked but is there counts as there from now on.
    fn adopt(&mut self, directory: &Path) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = open(directory);
            for writer in 0..WRITERS {
                let last = store.get(&Plain::at(&[writer], b"last")).await.unwrap();
                self.acked.insert(writer, number(last.as_ref()));
            }
        });
    }
}

/// Whether processes can be traced here; says so if not.
fn can_trace(test: &str) -> bool {
    let traced = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).stderr(Stdio::null()).status();
    let can = traced.is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIPPED {test}: strace is missing or not permitted");
    }
    can
}

fn strace(arguments: &[&str]) -> Vec<String> {
    let fixed = ["strace", "-f", "-qq", "-e", "signal=none"];
    fixed.iter().chain(arguments).map(|text| (*text).to_owned()).collect()
}

#[test]
fn killed_at_any_time_nothing_acked_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    let cycles = cycles(12);
    for cycle in 0..cycles {
        let child = child_command(directory.path(), "write", &[]).spawn().unwrap();
        ledger.follow(child, Some(Duration::from_millis(cycle * 37 % 150)));
        ledger.check(directory.path());
        ledger.adopt(directory.path());
    }
    assert!(ledger.count > cycles, "{ledger:?}");
    println!("{cycles} kills, {} acked, 0 lost, 0 torn", ledger.count);
}

#[test]
fn killed_at_each_sync_nothing_acked_is_lost() {
    if !can_trace("killed_at_each_sync_nothing_acked_is_lost") {
        return;
    }
    let mut acked = 0;
    let calls = cycles(24);
    for call in 1..=calls {
        let directory = tempfile::tempdir().unwrap();
        let inject = format!("inject=fdatasync:signal=SIGKILL:when={call}");
        let under = strace(&["-e", "trace=fdatasync", "-e", &inject, "-o", "/dev/null"]);
        let mut ledger = Ledger::default();
        let child = child_command(directory.path(), "write", &under).spawn().unwrap();
        ledger.follow(child, None);
        ledger.check(directory.path());
        acked += ledger.count;
    }
    assert!(acked > 0);
    println!("killed at each of the first {calls} syncs, {acked} acked, 0 lost, 0 torn");
}

#[test]
fn after_a_failed_sync_nothing_is_acked() {
    if !can_trace("after_a_failed_sync_nothing_is_acked") {
        return;
    }
    let mut failed = 0;
    let runs = cycles(8);
    for run in 0..runs {
        let directory = tempfile::tempdir().unwrap();
        // One call fails and all others succeed: a store that tried again would go on.
        let inject = format!("inject=fdatasync:error=EIO:when={}", 3 + run * 5);
        let under = strace(&["-e", "trace=fdatasync", "-e", &inject, "-o", "/dev/null"]);
        let mut ledger = Ledger::default();
        let child = child_command(directory.path(), "write", &under).spawn().unwrap();
        // A failure that hits a file in the background may pass by itself, with nothing lost; so the child has an end.
        let status = ledger.follow(child, Some(Duration::from_secs(3)));
        assert!(!ledger.after_failure, "acked after a failed sync, at run {run}");
        assert!(matches!(status.code(), Some(FAILED | UNOPENED) | None), "{status}");
        failed += u64::from(status.code() == Some(FAILED));
        ledger.check(directory.path());
    }
    assert!(failed * 2 >= runs, "only {failed} of {runs} runs met a failed sync");
}

#[test]
fn many_commits_share_a_sync() {
    if !can_trace("many_commits_share_a_sync") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let calls = directory.path().join("calls");
    let under = strace(&["-e", "trace=fdatasync", "-o", calls.to_str().unwrap()]);
    let status = child_command(&directory.path().join("data"), "burst", &under).status().unwrap();
    assert!(status.success());
    let syncs = std::fs::read_to_string(&calls).unwrap().lines().filter(|line| line.contains("fdatasync(")).count();
    assert!((1..200).contains(&syncs), "2000 commits took {syncs} syncs");
}

// ---------------------------------------------------------------- a full disk

/// A small file system in memory, unmounted on drop.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(test: &str, size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(directory));
        }
        eprintln!("SKIPPED {test}: a file system cannot be mounted here");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the space there is.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("ballast")).unwrap();
        let block = vec![1; 64 << 10];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn below_the_reserve_reads_and_deletes_go_on() {
    let Some(disk) = SmallDisk::new("below_the_reserve_reads_and_deletes_go_on", "64m") else { return };
    let config = RocksConfig {
        reserve: ByteSize::mib(16),
        reserve_interval: Duration::ZERO,
        ..small(&disk.path().join("data"))
    };
    let store = Store::open(&config, TABLES, Clock::manual(NOW)).unwrap();
    store.commit(one(b"h", b"kept", "x")).await.unwrap();
    store.commit(one(b"h", b"deleted", "x")).await.unwrap();
    let ballast = std::fs::File::create(disk.path().join("ballast")).unwrap();
    rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), 0, 52 << 20).unwrap();

    assert!(matches!(store.commit(one(b"h", b"refused", "x")).await, Err(Error::Full)));
    assert!(store.get(&Plain::at(b"h", b"kept")).await.unwrap().is_some());
    let mut batch = Batch::new(home(b"h"));
    batch.delete(&Plain::at(b"h", b"deleted"));
    store.commit(batch).await.unwrap();
    assert!(store.get(&Plain::at(b"h", b"refused")).await.unwrap().is_none());
    assert!(store.is_ready(), "a full disk is no failure");

    drop(ballast);
    disk.empty();
    store.commit(one(b"h", b"again", "x")).await.unwrap();
    let rows = store.scan(Scan::<Plain>::new(home(b"h"), 10)).await.unwrap();
    assert_eq!(rows.iter().map(|row| &row.rest[..]).collect::<Vec<_>>(), [&b"again"[..], b"kept"]);
}

/// Bytes that do not compress.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(seed), next).skip(1).map(|state| state.to_be_bytes()[0]).take(length).collect()
}

/// With the reserve used up by others, RocksDB itself meets the full disk.
#[tokio::test]
async fn a_full_disk_loses_nothing_and_passes() {
    let Some(disk) = SmallDisk::new("a_full_disk_loses_nothing_and_passes", "64m") else { return };
    let config = RocksConfig { reserve: ByteSize(0), ..small(&disk.path().join("data")) };
    let store = Store::open(&config, TABLES, Clock::manual(NOW)).unwrap();
    let mut acked = Vec::new();
    let mut refused = Vec::new();
    let put = |n: u32| store.commit(one(b"h", &n.to_be_bytes(), noise(n, 10_000)));
    for n in 0..10 {
        put(n).await.unwrap();
        acked.push(n);
    }
    disk.fill();
    let mut next = 10;
    while refused.len() < 20 {
        match put(next).await {
            Ok(()) => acked.push(next),
            Err(Error::Full) => refused.push(next),
            Err(error) => panic!("{error}"),
        }
        next += 1;
        assert!(next < 5_000, "a full disk takes everything");
    }
    assert!(store.get(&Plain::at(b"h", &0u32.to_be_bytes())).await.unwrap().is_some(), "reads go on");
    disk.empty();
    let started = Instant::now();
    loop {
        match put(next).await {
            Ok(()) => break,
            Err(Error::Full) => refused.push(next),
            Err(error) => panic!("{error}"),
        }
        next += 1;
        assert!(started.elapsed() < Duration::from_secs(10), "no recovery within 10 s of space");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    acked.push(next);
    println!("recovered {} ms after space returned", started.elapsed().as_millis());

    let there = async |store: &Store| -> Vec<u32> {
        let rows = store.scan(Scan::<Plain>::new(home(b"h"), usize::MAX)).await.unwrap();
        rows.iter().map(|row| u32::from_be_bytes(row.rest[..].try_into().unwrap())).collect()
    };
    assert_eq!(there(&store).await, acked);
    drop(store);
    // A commit that was refused must not appear later either.
    let store = Store::open(&config, TABLES, Clock::manual(NOW)).unwrap();
    assert_eq!(there(&store).await, acked);
}
