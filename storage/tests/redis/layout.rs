//! What is left in the servers, and what is not.

use std::time::Duration;

use storage::testing::{RedisCluster, Reply};
use storage::{Batch, Clock, Millis, RedisConfig, Store};

use crate::support::{Expiring, Logged, NOW, home, record};

fn keys(cluster: &RedisCluster) -> Vec<String> {
    let mut keys = Vec::new();
    for master in cluster.masters() {
        let found = cluster.ask(master, &["KEYS", "*"]).unwrap().into_items();
        keys.extend(found.into_iter().map(|key| String::from_utf8(key).unwrap()));
    }
    keys.sort();
    keys
}

fn number(cluster: &RedisCluster, command: &[&str]) -> i64 {
    match cluster.ask(0, command).unwrap() {
        Reply::Number(number) => number,
        other => panic!("{other:?}"),
    }
}

struct Layout {
    cluster: RedisCluster,
    clock: Clock,
    store: Store,
}

impl Layout {
    fn new() -> Self {
        let cluster = RedisCluster::start(1, 1);
        let clock = Clock::manual(NOW);
        let config = RedisConfig { url: cluster.url().parse().unwrap(), ..RedisConfig::default() };
        let store = Store::redis(&config, clock.clone()).unwrap();
        Self { cluster, clock, store }
    }

    async fn commit(&self, fill: impl FnOnce(&mut Batch)) {
        let mut batch = Batch::new(home(b"h"));
        fill(&mut batch);
        self.store.commit(batch).await.unwrap();
    }
}

fn at(number: u64) -> Logged {
    Logged::at(b"h", &number.to_be_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_is_packed_when_full_and_forgets_what_was_overwritten() {
    let it = Layout::new();
    let text = "word".repeat(50);
    for number in 0..128 {
        it.commit(|batch| {
            batch.put(&at(number), &record(&text));
        })
        .await;
    }
    let chunk = |number: u64| format!("linnet{{hh}}3c{number:016x}");
    assert_eq!(keys(&it.cluster), [chunk(0), chunk(1), "linnet{hh}3i".to_owned()]);
    // Without the copy, a string that grew takes up to twice its length.
    let length = number(&it.cluster, &["STRLEN", &chunk(0)]);
    let taken = number(&it.cluster, &["MEMORY", "USAGE", &chunk(0)]);
    assert!(taken < length + length / 4 + 128, "{taken} bytes for {length}");

    it.commit(|batch| {
        batch.put(&at(5), &record("recalled"));
    })
    .await;
    let bytes = it.cluster.ask(0, &["GET", &chunk(0)]).unwrap();
    let Reply::Text(bytes) = bytes else { panic!("{bytes:?}") };
    let words = |text: &[u8]| bytes.windows(text.len()).filter(|part| part == &text).count();
    assert_eq!((words(text.as_bytes()), words(b"recalled")), (63, 1));

    it.commit(|batch| {
        for number in 0..128 {
            batch.delete(&at(number));
        }
    })
    .await;
    assert_eq!(keys(&it.cluster), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_rows_go_and_homes_of_them_vanish() {
    let it = Layout::new();
    let day = NOW.plus(Duration::from_secs(86_400));
    let values = "linnet{hh}2v";
    it.commit(|batch| {
        for n in 0..10u8 {
            batch.put_expiring(&Expiring::at(b"h", &[b'0' + n]), &record("short"), NOW.plus(Duration::from_secs(1)));
        }
        batch.put_expiring(&at(7), &record("short"), day);
    })
    .await;
    // An hour longer than their last row, by the server's own clock.
    let left = |key: &str| number(&it.cluster, &["PTTL", key]);
    let hour = 3_600_000;
    for key in [values, "linnet{hh}2x"] {
        assert!((hour - 60_000..=hour + 1_000).contains(&left(key)), "{key}: {}", left(key));
    }
    for key in ["linnet{hh}3i", "linnet{hh}3x", "linnet{hh}3c0000000000000000"] {
        let day = hour * 25;
        assert!((day - 60_000..=day).contains(&left(key)), "{key}: {}", left(key));
    }

    // What has expired is dropped by the next commit to the table, and what stays keeps the key.
    it.clock.set(Millis(NOW.0 + 2_000));
    it.commit(|batch| {
        batch.put(&Expiring::at(b"h", b"stays"), &record("stays"));
        batch.put(&at(8), &record("stays"));
    })
    .await;
    assert_eq!(number(&it.cluster, &["HLEN", values]), 1);
    assert_eq!(number(&it.cluster, &["EXISTS", "linnet{hh}2x"]), 0);
    for key in [values, "linnet{hh}3i", "linnet{hh}3c0000000000000000"] {
        assert_eq!(left(key), -1, "{key}");
    }
    assert_eq!(number(&it.cluster, &["EXISTS", "linnet{hh}3x"]), 0);

    // A whole chunk that has expired leaves the index.
    it.commit(|batch| {
        batch.put_expiring(&at(64), &record("short"), day);
    })
    .await;
    it.clock.set(day);
    it.commit(|batch| {
        batch.put(&at(128), &record("stays"));
    })
    .await;
    assert_eq!(number(&it.cluster, &["ZCARD", "linnet{hh}3i"]), 2);
    // Its bytes may still be there; a row that is written to it again finds none of them.
    it.commit(|batch| {
        batch.put(&at(65), &record("anew"));
    })
    .await;
    assert_eq!(it.store.get(&at(64)).await.unwrap(), None);
    assert_eq!(it.store.get(&at(65)).await.unwrap(), Some(record("anew")));
    assert_eq!(left("linnet{hh}3c0000000000000001"), -1);
}
