//! Work of the store: rows shaped like a conversation's log.

use bytes::Bytes;
use proto::store as record;
use storage::{Batch, Clock, Home, Key, Kind, Rest, RocksConfig, Scan, Store, Table};

use crate::TEXT_BYTES;

const LOG: Table = Table { code: 1, name: "log", kind: Kind::Log, expires: false };
const TABLES: &[Table] = &[LOG];

/// One row of a log.
struct Row {
    log: u64,
    seq: u64,
}

impl Key for Row {
    const TABLE: Table = LOG;
    type Record = record::Value;

    fn home(&self) -> Home {
        home(self.log)
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.seq);
    }
}

fn home(log: u64) -> Home {
    Home::new(Bytes::copy_from_slice(&log.to_be_bytes()))
}

/// A store on disk, in a directory that goes when this is dropped.
pub struct Disk {
    /// The store.
    pub store: Store,
    _directory: tempfile::TempDir,
}

impl Disk {
    /// An empty store with the default settings.
    ///
    /// # Panics
    /// If there is no room for it.
    #[must_use]
    pub fn open() -> Self {
        let directory = tempfile::tempdir().expect("there is a directory for temporary files");
        let config = RocksConfig { directory: directory.path().join("store"), ..RocksConfig::default() };
        let store = Store::open(&config, TABLES, Clock::system()).expect("an empty store opens");
        Self { store, _directory: directory }
    }
}

/// The commit that appends one message-sized row to a log.
#[must_use]
pub fn append(log: u64, seq: u64) -> Batch {
    let mut batch = Batch::new(home(log));
    let value = record::Value { present: true, value: vec![b'x'; TEXT_BYTES].into() };
    batch.put(&Row { log, seq }, &value);
    batch
}

/// Appends `count` rows to as many logs at once, and waits until all are durable.
///
/// # Panics
/// If the store refuses.
pub async fn append_all(store: &Store, seq: u64, count: u64) {
    let commits: Vec<_> = (0..count).map(|log| store.commit(append(log, seq))).collect();
    for commit in commits {
        commit.await.expect("the store takes commits");
    }
}

/// Reads the newest `limit` rows of a log; how many there were.
///
/// # Panics
/// If the store refuses.
pub async fn newest(store: &Store, log: u64, limit: usize) -> usize {
    let scan = Scan::<Row>::new(home(log), limit).descending();
    store.scan(scan).await.expect("the store answers").len()
}
