//! Rows that are written over and over are replaced in memory, where the engine `rocks` otherwise keeps every version. Nobody may notice.

#![cfg(feature = "rocksdb")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use proptest::prelude::*;
use proto::store as pb;
use storage::{Batch, Clock, Error, Home, Key, Kind, Rest, State, Store, Table};
use support::{NOW, home, record, small};

const REPLACED: Table = Table { code: 9, name: "replaced", kind: Kind::Map, expires: false };

/// A row that is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row(u8);

impl Key for Row {
    const TABLE: Table = REPLACED;
    type Record = pb::Value;

    fn home(&self) -> Home {
        home(b"h")
    }

    fn rest(&self, out: &mut Rest) {
        out.u8(self.0);
    }
}

fn open(directory: &Path) -> Store {
    Store::open(&small(directory), &[REPLACED], Clock::manual(NOW)).unwrap()
}

fn batch() -> Batch {
    Batch::new(home(b"h"))
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, Vec<u8>),
    /// Put if the row is as the model knows it, which it has to be.
    Replace(u8, Vec<u8>),
    Delete(u8),
    /// What memory held is read from the log again.
    Reopen,
    /// What memory held is written to files.
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    let value = || prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        8 => (0..6u8, value()).prop_map(|(row, value)| Step::Put(row, value)),
        4 => (0..6u8, value()).prop_map(|(row, value)| Step::Replace(row, value)),
        2 => (0..6u8).prop_map(Step::Delete),
        1 => Just(Step::Reopen),
        1 => Just(Step::Compact),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn rows_are_what_was_written_last(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let mut store = open(directory.path());
            let mut model: HashMap<u8, Vec<u8>> = HashMap::new();
            for step in steps {
                match step {
                    Step::Put(row, value) => {
                        let mut batch = batch();
                        batch.put(&Row(row), &record(&value));
                        store.commit(batch).await.unwrap();
                        model.insert(row, value);
                    }
                    Step::Replace(row, value) => {
                        let before = model.get(&row).map(record);
                        let mut batch = batch();
                        batch.expect_unchanged(&Row(row), before.as_ref()).put(&Row(row), &record(&value));
                        store.commit(batch).await.unwrap();
                        model.insert(row, value);
                    }
                    Step::Delete(row) => {
                        let mut batch = batch();
                        batch.delete(&Row(row));
                        store.commit(batch).await.unwrap();
                        model.remove(&row);
                    }
                    Step::Reopen => {
                        drop(store);
                        store = open(directory.path());
                    }
                    Step::Compact => store.compact(&[REPLACED]).await.unwrap(),
                }
                let rows: Vec<Row> = (0..6).map(Row).collect();
                let found = store.get_many(&rows).await.unwrap();
                for (row, found) in rows.iter().zip(found) {
                    assert_eq!(found, model.get(&row.0).map(record));
                    assert_eq!(store.get(row).await.unwrap(), model.get(&row.0).map(record));
                }
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_a_row_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let value = |round: u32| Bytes::from(vec![u8::try_from(round % 251).unwrap(); 2_000]);
    store
        .commit({
            let mut batch = batch();
            batch.put(&Row(1), &record(value(0)));
            batch
        })
        .await
        .unwrap();
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, done) = (store.clone(), done.clone());
        tokio::spawn(async move {
            let mut reads = 0u32;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let found = store.get(&Row(1)).await.unwrap().unwrap().value;
                assert!(found.iter().all(|byte| *byte == found[0]), "half of one value and half of another");
                reads += 1;
                if reads.is_multiple_of(64) {
                    tokio::task::yield_now().await;
                }
            }
        })
    };
    for round in 1..300 {
        let mut batch = batch();
        batch.put(&Row(1), &record(value(round)));
        store.commit(batch).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    assert_eq!(store.get(&Row(1)).await.unwrap(), Some(record(value(299))));
    // What a commit expects is what was written last, too.
    let mut late = batch();
    late.expect(&Row(1), State::Equals(Bytes::new())).put(&Row(1), &record("late"));
    assert!(matches!(store.commit(late).await, Err(Error::Conflict)));
}
