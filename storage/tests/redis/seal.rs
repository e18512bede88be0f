//! Old parts of logs in an object store: read as if they were there, changed, and looked after, whoever dies and when.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::migrate::{self, Difference, Progress, Watch};
use storage::testing::RedisCluster;
use storage::{Batch, Clock, Error, Millis, RedisConfig, Row, Scan, SealConfig, State, Store};
use tempfile::TempDir;

use crate::support::{LOG, Logged, NOW, home, record};

const LONG: &[u8] = b"l}ng\x00";
/// Rows of a log in one chunk.
const CHUNK: u64 = 64;
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    cluster: RedisCluster,
    folder: TempDir,
    clock: Clock,
    /// What must be read, from a store that seals nothing.
    model: Store,
}

impl World {
    fn new() -> Self {
        let clock = Clock::manual(NOW);
        let model = Store::memory(clock.clone());
        Self { cluster: RedisCluster::start(3, 0), folder: tempfile::tempdir().unwrap(), clock, model }
    }

    async fn open(&self, change: impl FnOnce(&mut SealConfig)) -> Store {
        let mut seal = SealConfig {
            location: self.folder.path().display().to_string(),
            keep_chunks: 2,
            grace: Duration::from_millis(300),
            sweep: Duration::from_secs(3_600),
            ..SealConfig::default()
        };
        change(&mut seal);
        let url = self.cluster.url().parse().unwrap();
        let config = RedisConfig { url, ack_replicas: 0, seal, ..RedisConfig::default() };
        let store = Store::redis(&config, self.clock.clone()).unwrap();
        while !store.is_ready() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        store
    }

    /// Writes rows of the log, some of which expire, to a store and to the model.
    async fn write(&self, store: &Store, seqs: std::ops::Range<u64>) {
        for from in seqs.clone().step_by(16) {
            let mut batch = Batch::new(home(LONG));
            for seq in from..(from + 16).min(seqs.end) {
                let value = record(format!("{seq} ").repeat(usize::try_from(seq % 40).unwrap()));
                match seq % 10 {
                    3 => batch.put_expiring(&key(seq), &value, Millis(NOW.0 + 1_000)),
                    7 => batch.put_expiring(&key(seq), &value, Millis(NOW.0 + 86_400_000)),
                    _ => batch.put(&key(seq), &value),
                };
            }
            self.model.commit(batch.clone()).await.unwrap();
            store.commit(batch).await.unwrap();
        }
    }

    /// Waits until the chunks in the object store are these, and no others; but for those that were changed.
    async fn sealed(&self, chunks: std::ops::Range<u64>, changed: std::ops::Range<u64>) {
        let wanted: Vec<u64> = chunks.collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let objects = objects(self.folder.path());
            let found = objects.into_keys().map(|(chunk, _)| chunk).filter(|chunk| !changed.contains(chunk));
            let found: Vec<u64> = found.collect();
            if found == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{found:?} are sealed, and not {wanted:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads in every way, and compares.
    async fn compare(&self, store: &Store, end: u64) {
        let keys: Vec<Logged> = (0..end + 70).rev().map(key).collect();
        assert_eq!(store.get_many(&keys).await.unwrap(), self.model.get_many(&keys).await.unwrap());
        for (from, to) in [(0, end), (0, u64::MAX), (1, 63), (63, 65), (100, 300), (end - 70, end), (77, 78)] {
            for limit in [1, 10, 64, 65, 200, usize::MAX] {
                for descending in [false, true] {
                    let found = scan(store, (from, to), limit, descending).await;
                    let wanted = scan(&self.model, (from, to), limit, descending).await;
                    assert_eq!(found, wanted, "{from}..{to}, {limit}, {descending}");
                }
            }
        }
    }
}

fn key(seq: u64) -> Logged {
    Logged::at(LONG, &seq.to_be_bytes())
}

async fn scan(store: &Store, (from, to): (u64, u64), limit: usize, descending: bool) -> Vec<Row<proto::store::Value>> {
    let scan = Scan::<Logged>::new(home(LONG), limit).from(|rest| {
        rest.u64(from);
    });
    let scan = scan.to(|rest| {
        rest.u64(to);
    });
    store.scan(if descending { scan.descending() } else { scan }).await.unwrap()
}

/// The objects of a folder by chunk and name.
fn objects(folder: &Path) -> BTreeMap<(u64, String), PathBuf> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(objects(&entry.path()));
        } else {
            let name = entry.file_name().into_string().unwrap();
            // A file that is being written has another kind of name.
            if let Some((chunk, rest)) = name.split_once('-').filter(|_| !name.contains('#')) {
                found.insert((u64::from_str_radix(chunk, 16).unwrap(), rest.to_owned()), entry.path());
            }
        }
    }
    found
}

/// The rest of a name, with another nonce at its end.
fn other_nonce(name: &str) -> String {
    let (kept, last) = name.split_at(name.len() - 1);
    format!("{kept}{}", if last == "0" { "1" } else { "0" })
}

struct Silent;

impl Watch for Silent {
    fn noted(&mut self, _: &Progress) -> storage::Result<()> {
        Ok(())
    }

    fn differs(&mut self, difference: &Difference) {
        panic!("{difference:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_parts_of_a_log_are_read_as_if_they_were_there() {
    let world = World::new();
    let store = world.open(|_| ()).await;
    let end = 8 * CHUNK + 10;
    world.write(&store, 0..end).await;
    world.sealed(0..6, 0..0).await;
    world.compare(&store, end).await;
    // Another process, whose memory holds nothing of it; later, when some rows have expired.
    let other = world.open(|seal| seal.cache = storage::units::ByteSize(0)).await;
    world.compare(&other, end).await;
    world.clock.set(Millis(NOW.0 + 1_000));
    world.compare(&other, end).await;

    let copy = Store::memory(world.clock.clone());
    let tables = &[LOG];
    let copied = migrate::copy(&other, &copy, tables, Progress::default(), &mut Silent).await.unwrap();
    assert!(copied.rows > 400, "{copied:?}");
    migrate::verify(&world.model, &copy, tables, || world.clock.now(), &mut Silent).await.unwrap();

    // Who does not know where they are, says so.
    let blind = world.open(|seal| seal.location = String::new()).await;
    let refused = blind.get(&key(5)).await.unwrap_err();
    assert!(refused.to_string().contains("store.redis.seal.location"), "{refused}");
    let mut batch = Batch::new(home(LONG));
    batch.delete(&key(5));
    let refused = blind.commit(batch).await.unwrap_err();
    assert!(refused.to_string().contains("store.redis.seal.location"), "{refused}");
    assert_eq!(blind.get(&key(end - 1)).await.unwrap(), world.model.get(&key(end - 1)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withdrawn_is_gone_from_the_objects_too() {
    let world = World::new();
    let store = world.open(|_| ()).await;
    let end = 6 * CHUNK + 1;
    world.write(&store, 0..end).await;
    let secret = record("withdrawn");
    for seq in [70, 130] {
        let mut batch = Batch::new(home(LONG));
        batch.put(&key(seq), &secret);
        world.model.commit(batch.clone()).await.unwrap();
        store.commit(batch).await.unwrap();
    }
    world.sealed(0..4, 0..0).await;

    let mut withdrawn = Batch::new(home(LONG));
    withdrawn.expect_unchanged(&key(70), Some(&secret)).delete(&key(70)).put(&key(130), &record("kept"));
    let mut lost = Batch::new(home(LONG));
    lost.expect(&key(5), State::Absent).delete(&key(6));
    for batch in [withdrawn, lost] {
        let (wanted, found) = (world.model.commit(batch.clone()).await, store.commit(batch).await);
        assert_eq!(format!("{wanted:?}"), format!("{found:?}"));
    }
    world.compare(&store, end).await;

    // They are sealed again, without the words.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = objects(world.folder.path());
        let texts: Vec<Vec<u8>> =
            all.values().filter_map(|path| zstd::decode_all(fs::File::open(path).ok()?).ok()).collect();
        let told = texts.iter().any(|text| text.windows(9).any(|word| word == b"withdrawn"));
        if !told && all.len() == 4 && texts.len() == 4 {
            break;
        }
        assert!(Instant::now() < deadline, "the words are still there: {all:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.compare(&store, end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_nothing_names_are_removed_and_others_stay() {
    let world = World::new();
    let store = world.open(|_| ()).await;
    let end = 5 * CHUNK + 1;
    world.write(&store, 0..end).await;
    world.sealed(0..3, 0..0).await;
    // What a crash leaves before the name is in its place, or after it has left: an object beside.
    let ((_, name), path) = objects(world.folder.path()).pop_first().unwrap();
    let left = path.with_file_name(format!("{:016x}-{}", 0, other_nonce(&name)));
    fs::copy(&path, &left).unwrap();
    let sweeper = world.open(|seal| seal.sweep = Duration::from_millis(200)).await;
    let deadline = Instant::now() + PATIENCE;
    while left.exists() {
        assert!(Instant::now() < deadline, "{} is still there", left.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.sealed(0..3, 0..0).await;
    world.compare(&sweeper, end).await;

    // A log that has gone takes its objects with it.
    for node in 0..world.cluster.nodes() {
        world.cluster.ask(node, &["FLUSHALL"]).unwrap();
    }
    world.sealed(0..0, 0..0).await;
}

#[test]
fn a_process_that_dies_anywhere_leaves_a_log_that_can_be_read() {
    let world = World::new();
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut end = 0;
    for life in 0..12u64 {
        let process = runtime();
        process.block_on(async {
            let store = world.open(|_| ()).await;
            // A change of old rows every other time, so that death also comes while something is brought back.
            if life % 2 == 1 {
                let mut batch = Batch::new(home(LONG));
                batch.put(&key(life * 9), &record(format!("life {life}")));
                world.model.commit(batch.clone()).await.unwrap();
                store.commit(batch).await.unwrap();
            }
            world.write(&store, end..end + CHUNK + 1).await;
            end += CHUNK + 1;
            tokio::time::sleep(Duration::from_millis(life * 7)).await;
        });
        process.shutdown_background();
    }
    let process = runtime();
    process.block_on(async {
        let store = world.open(|seal| seal.sweep = Duration::from_millis(200)).await;
        world.compare(&store, end).await;
        // What was missed is caught up with; what was brought back when its process died may stay where it is.
        world.write(&store, end..end + CHUNK).await;
        end += CHUNK;
        world.sealed(2..end.div_ceil(CHUNK) - 3, 0..2).await;
        world.compare(&store, end).await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_store_that_is_away_costs_the_old_parts_only() {
    let world = World::new();
    let store = world.open(|_| ()).await;
    let end = 5 * CHUNK + 1;
    world.write(&store, 0..end).await;
    world.sealed(0..3, 0..0).await;
    let other = world.open(|seal| seal.cache = storage::units::ByteSize(0)).await;
    let away = world.folder.path().with_extension("away");
    fs::rename(world.folder.path(), &away).unwrap();
    let refused = other.get(&key(5)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert_eq!(scan(&other, (4 * CHUNK, end), 10, true).await.len(), 10);
    let mut batch = Batch::new(home(LONG));
    batch.put(&key(end), &record(Bytes::from_static(b"goes on")));
    other.commit(batch).await.unwrap();
    fs::rename(&away, world.folder.path()).unwrap();
    assert_eq!(other.get(&key(5)).await.unwrap(), world.model.get(&key(5)).await.unwrap());
}
