//! Writers that keep a ledger of what was acked, and what has to be true of the store in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::store as pb;
use storage::testing::RedisCluster;
use storage::{Batch, Clock, Error, Key, RedisConfig, Scan, Store};
use tokio::task::JoinHandle;

use crate::support::{Logged, Plain, home, record};

/// A store over a cluster, with a clock that runs.
pub(crate) fn store(cluster: &RedisCluster) -> Store {
    store_with(cluster, RedisConfig::default())
}

pub(crate) fn store_with(cluster: &RedisCluster, config: RedisConfig) -> Store {
    let config = RedisConfig { url: cluster.url().parse().unwrap(), ..config };
    Store::redis(&config, Clock::system()).unwrap()
}

/// The slot of a home: what CLUSTER KEYSLOT says of its keys, without asking.
pub(crate) fn slot(home: &str) -> u16 {
    let mut crc = 0u16;
    for byte in std::iter::once(b'h').chain(home.bytes()) {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc % 16_384
}

/// A home that a node serves.
pub(crate) fn home_at(cluster: &RedisCluster, node: usize) -> String {
    (0..).map(|n| format!("at-{n}")).find(|home| cluster.master_of(slot(home)) == node).unwrap()
}

/// One writer for each of many homes.
pub(crate) struct Load {
    store: Store,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Ledger>>,
    acks: Arc<AtomicU64>,
}

/// What one writer knows of its home.
#[derive(Debug)]
pub(crate) struct Ledger {
    home: String,
    /// The text of each row that was acked, by its number.
    acked: Vec<Option<String>>,
    /// The longest time between two acks.
    pub(crate) longest_gap: Duration,
    /// How often the outcome was unknown.
    pub(crate) unknown: usize,
}

/// Where a home's last number is.
const HEAD: &[u8] = b"head";

impl Load {
    /// Writers to these homes, each of which writes the next row once it knows what became of the last.
    pub(crate) fn start(store: &Store, homes: impl IntoIterator<Item = String>) -> Self {
        let (stop, acks) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let writers = homes.into_iter().map(|home| {
            let writer = Writer { store: store.clone(), stop: Arc::clone(&stop), acks: Arc::clone(&acks) };
            tokio::spawn(writer.write(home))
        });
        let writers = writers.collect();
        Self { store: store.clone(), stop, writers, acks }
    }

    pub(crate) fn acks(&self) -> u64 {
        self.acks.load(Ordering::Relaxed)
    }

    /// Waits until so many more rows were acked.
    pub(crate) async fn advance(&self, rows: u64) {
        let (until, deadline) = (self.acks() + rows, Instant::now() + Duration::from_secs(60));
        while self.acks() < until {
            assert!(Instant::now() < deadline, "nothing is acked any more");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops, and checks that what was acked is there: once, in order, without gaps, and whole.
    pub(crate) async fn finish(self) -> Vec<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        let mut ledgers = Vec::new();
        for writer in self.writers {
            let ledger = writer.await.unwrap();
            ledger.check(&self.store).await;
            ledgers.push(ledger);
        }
        assert!(self.acks.load(Ordering::Relaxed) > 0);
        ledgers
    }
}

struct Writer {
    store: Store,
    stop: Arc<AtomicBool>,
    acks: Arc<AtomicU64>,
}

impl Writer {
    async fn write(self, home: String) -> Ledger {
        let mut ledger = Ledger { home, acked: Vec::new(), longest_gap: Duration::ZERO, unknown: 0 };
        let mut attempt = 0u64;
        let mut last_ack = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            attempt += 1;
            let number = ledger.acked.len() as u64;
            let text = format!("{} {number} attempt {attempt}", ledger.home);
            match self.store.commit(ledger.batch(number, &text)).await {
                Ok(()) => {
                    ledger.acked.push(Some(text));
                    self.acks.fetch_add(1, Ordering::Relaxed);
                }
                // An earlier attempt whose outcome was unknown has happened after all.
                Err(Error::Conflict) => ledger.acked.push(None),
                Err(Error::Unavailable(_)) => {
                    ledger.unknown += 1;
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
            ledger.longest_gap = ledger.longest_gap.max(last_ack.elapsed());
            last_ack = Instant::now();
        }
        ledger
    }
}

impl Ledger {
    /// Row number `number`, if the last one is there and it is not.
    fn batch(&self, number: u64, text: &str) -> Batch {
        let mut batch = Batch::new(home(self.home.as_bytes()));
        let at = self.home.as_bytes();
        let head = |number: u64| record(number.to_string());
        let before = number.checked_sub(1).map(head);
        batch
            .expect_unchanged(&Plain::at(at, HEAD), before.as_ref())
            .put(&Plain::at(at, HEAD), &head(number))
            .put(&Plain::at(at, &number.to_be_bytes()), &record(text))
            .put(&Logged::at(at, &number.to_be_bytes()), &record(text));
        batch
    }

    async fn check(&self, store: &Store) {
        let at = home(self.home.as_bytes());
        let (mut log, mut plain) = (Vec::new(), Vec::new());
        // The last attempt may have happened without anybody knowing.
        for (number, row) in read(store, Scan::<Logged>::new(at.clone(), usize::MAX)).await.into_iter().enumerate() {
            assert_eq!(row.0, (number as u64).to_be_bytes(), "{}: a gap or a double", self.home);
            log.push(row.1);
        }
        for row in read(store, Scan::<Plain>::new(at, usize::MAX)).await {
            if row.0 != HEAD {
                plain.push(row.1);
            }
        }
        assert_eq!(log, plain, "{}: a torn commit", self.home);
        assert!((self.acked.len()..=self.acked.len() + 1).contains(&log.len()), "{}: {}", self.home, log.len());
        for (number, acked) in self.acked.iter().enumerate() {
            if let Some(acked) = acked {
                assert_eq!(&log[number], acked, "{}: an acked row was lost", self.home);
            }
        }
    }
}

/// Reads, again and again if need be: after a failover, not everything is there at once.
async fn read<K: Key<Record = pb::Value>>(store: &Store, scan: Scan<K>) -> Vec<(Vec<u8>, String)> {
    let rows = store.scan(scan).await.unwrap();
    rows.into_iter().map(|row| (row.rest.to_vec(), String::from_utf8(row.record.value.to_vec()).unwrap())).collect()
}
