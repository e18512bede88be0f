//! The cases.

use std::time::Duration;

use bytes::Bytes;
use proto::store as pb;
use storage::{Batch, Error, Key, Millis, Scan, State, Store};

use crate::support::{Bench, Expiring, NOW, Plain, home, one, record};

async fn text(store: &Store, key: &Plain) -> Option<String> {
    let found = store.get(key).await.unwrap()?;
    Some(String::from_utf8(found.value.to_vec()).unwrap())
}

async fn rests<K: Key<Record = pb::Value>>(store: &Store, scan: Scan<K>) -> Vec<Vec<u8>> {
    store.scan(scan).await.unwrap().into_iter().map(|row| row.rest.to_vec()).collect()
}

pub(crate) async fn a_row_is_there_from_put_to_delete(bench: &Bench) {
    let (store, key) = (&bench.store, Plain::at(b"h", b"r"));
    assert_eq!(text(store, &key).await, None);
    store.commit(one(b"h", b"r", "first")).await.unwrap();
    assert_eq!(text(store, &key).await.as_deref(), Some("first"));
    store.commit(one(b"h", b"r", "second")).await.unwrap();
    assert_eq!(text(store, &key).await.as_deref(), Some("second"));
    let mut batch = Batch::new(home(b"h"));
    batch.delete(&key);
    store.commit(batch).await.unwrap();
    assert_eq!(text(store, &key).await, None);
}

pub(crate) async fn many_rows_come_in_the_order_asked(bench: &Bench) {
    let store = &bench.store;
    assert_eq!(store.get_many::<Plain>(&[]).await.unwrap(), vec![]);
    for name in ["a", "b", "c"] {
        store.commit(one(name.as_bytes(), b"r", name)).await.unwrap();
    }
    let names = ["c", "missing", "a", "c", "b"];
    let keys: Vec<Plain> = names.iter().map(|name| Plain::at(name.as_bytes(), b"r")).collect();
    let found = store.get_many(&keys).await.unwrap();
    let expected = [Some("c"), None, Some("a"), Some("c"), Some("b")];
    assert_eq!(found, expected.map(|text| text.map(record)));

    // More than any engine asks for at once.
    let keys: Vec<Plain> = (0..5_000).map(|n| Plain::at(names[n % 5].as_bytes(), b"r")).collect();
    let found = store.get_many(&keys).await.unwrap();
    for (n, found) in found.into_iter().enumerate() {
        assert_eq!(found, expected[n % 5].map(record), "key {n}");
    }
}

pub(crate) async fn a_scan_keeps_to_its_range(bench: &Bench) {
    let store = &bench.store;
    let mut batch = Batch::new(home(b"h"));
    for rest in [&b""[..], b"a", b"a\x00", b"b", b"c", b"\xff", b"\xff\xff"] {
        batch.put(&Plain::at(b"h", rest), &record(rest));
    }
    store.commit(batch).await.unwrap();
    let all = || Scan::<Plain>::new(home(b"h"), 100);
    let expected: [&[u8]; 7] = [b"", b"a", b"a\x00", b"b", b"c", b"\xff", b"\xff\xff"];
    assert_eq!(rests(store, all()).await, expected);
    let backwards: Vec<_> = expected.iter().rev().copied().collect();
    assert_eq!(rests(store, all().descending()).await, backwards);

    let from = |scan: Scan<Plain>, rest: &'static [u8]| {
        scan.from(move |out| {
            out.bytes(rest);
        })
    };
    let to = |scan: Scan<Plain>, rest: &'static [u8]| {
        scan.to(move |out| {
            out.bytes(rest);
        })
    };
    assert_eq!(rests(store, from(all(), b"a\x00")).await, expected[2..]);
    assert_eq!(rests(store, to(all(), b"b")).await, expected[..3]);
    assert_eq!(rests(store, to(from(all(), b"a"), b"c")).await, expected[1..4]);
    assert_eq!(rests(store, to(from(all(), b"a"), b"c").descending()).await, backwards[3..6]);
    assert_eq!(rests(store, to(all(), b"")).await, Vec::<Vec<u8>>::new());
    assert_eq!(rests(store, to(from(all(), b"c"), b"a")).await, Vec::<Vec<u8>>::new());
    assert_eq!(rests(store, to(from(all(), b"c"), b"a").descending()).await, Vec::<Vec<u8>>::new());

    for limit in 0..8 {
        let scan = || Scan::<Plain>::new(home(b"h"), limit);
        let count = limit.min(7);
        assert_eq!(rests(store, scan()).await, expected[..count]);
        assert_eq!(rests(store, scan().descending()).await, backwards[..count]);
    }
}

pub(crate) async fn a_scan_keeps_to_its_home(bench: &Bench) {
    let store = &bench.store;
    let homes: [&[u8]; 7] = [b"h", b"hh", b"h\x00", b"h\xff", b"\xff", b"\xff\xff", &[255; 255]];
    for name in homes {
        let mut batch = Batch::new(home(name));
        for rest in [&b""[..], b"h", b"\xff"] {
            batch.put(&Plain::at(name, rest), &record(name));
            batch.put(&Expiring::at(name, rest), &record("another table"));
        }
        store.commit(batch).await.unwrap();
    }
    for name in homes {
        for descending in [false, true] {
            let scan = Scan::<Plain>::new(home(name), 100);
            let rows = store.scan(if descending { scan.descending() } else { scan }).await.unwrap();
            assert_eq!(rows.len(), 3, "{name:?}");
            assert!(rows.iter().all(|row| row.record == record(name)), "{name:?}");
        }
    }
    assert_eq!(rests(store, Scan::<Plain>::new(home(b"nobody"), 100)).await, Vec::<Vec<u8>>::new());
}

pub(crate) async fn a_long_scan_is_whole(bench: &Bench) {
    const ROWS: u32 = 5_000;
    let store = &bench.store;
    for chunk in (0..ROWS).collect::<Vec<_>>().chunks(500) {
        let mut batch = Batch::new(home(b"h"));
        for n in chunk {
            batch.put(&Plain::at(b"h", &n.to_be_bytes()), &record(n.to_string().repeat(20)));
        }
        store.commit(batch).await.unwrap();
    }
    let number = |rest: &[u8]| u32::from_be_bytes(rest.try_into().unwrap());
    for limit in [ROWS as usize + 1, 4_999, 4_097, 1_001, 17] {
        let scan = || Scan::<Plain>::new(home(b"h"), limit);
        let count = u32::try_from(limit).unwrap().min(ROWS);
        let up: Vec<u32> = rests(store, scan()).await.iter().map(|rest| number(rest)).collect();
        assert_eq!(up, (0..count).collect::<Vec<_>>());
        let down: Vec<u32> = rests(store, scan().descending()).await.iter().map(|rest| number(rest)).collect();
        assert_eq!(down, (ROWS - count..ROWS).rev().collect::<Vec<_>>());
    }
}

pub(crate) async fn an_expectation_that_fails_changes_nothing(bench: &Bench) {
    let store = &bench.store;
    store.commit(one(b"h", b"kept", "kept")).await.unwrap();
    let mut batch = Batch::new(home(b"h"));
    batch.expect(&Plain::at(b"h", b"kept"), State::Present);
    batch.expect(&Plain::at(b"h", b"other"), State::Present);
    batch.put(&Plain::at(b"h", b"new"), &record("new"));
    batch.delete(&Plain::at(b"h", b"kept"));
    assert!(matches!(store.commit(batch).await, Err(Error::Conflict)));
    assert_eq!(rests(store, Scan::<Plain>::new(home(b"h"), 10)).await, [b"kept"]);
}

pub(crate) async fn expectations_see_the_row_and_nothing_else(bench: &Bench) {
    let store = &bench.store;
    store.commit(one(b"h", b"r", "value")).await.unwrap();
    let judge = async |rest: &[u8], state: State| {
        let mut batch = Batch::new(home(b"h"));
        batch.expect(&Plain::at(b"h", rest), state);
        batch.put(&Plain::at(b"h", b"judged"), &record("x"));
        match store.commit(batch).await {
            Ok(()) => true,
            Err(Error::Conflict) => false,
            Err(error) => panic!("{error}"),
        }
    };
    let bytes = |text: &str| State::Equals(prost::Message::encode_to_vec(&record(text)).into());
    assert!(judge(b"r", State::Present).await);
    assert!(!judge(b"r", State::Absent).await);
    assert!(judge(b"r", bytes("value")).await);
    assert!(!judge(b"r", bytes("valu")).await);
    assert!(!judge(b"r", State::Equals(Bytes::new())).await);
    assert!(!judge(b"r2", State::Present).await);
    assert!(judge(b"r2", State::Absent).await);
    assert!(!judge(b"r2", State::Equals(Bytes::new())).await);
    assert!(judge(b"", State::Absent).await);
}

pub(crate) async fn deletes_apply_before_puts(bench: &Bench) {
    let (store, key) = (&bench.store, Plain::at(b"h", b"r"));
    let mut batch = Batch::new(home(b"h"));
    batch.put(&key, &record("stays")).delete(&key);
    store.commit(batch).await.unwrap();
    assert_eq!(text(store, &key).await.as_deref(), Some("stays"));
}

pub(crate) async fn an_expired_row_is_gone_in_every_respect(bench: &Bench) {
    let store = &bench.store;
    let key = |rest: &[u8]| Expiring::at(b"h", rest);
    let later = NOW.plus(Duration::from_secs(1));
    let mut batch = Batch::new(home(b"h"));
    for rest in [b"a", b"c"] {
        batch.put_expiring(&key(rest), &record("short"), later);
    }
    batch.put(&key(b"b"), &record("lasting"));
    batch.put_expiring(&key(b"d"), &record("longer"), later.plus(Duration::from_secs(1)));
    batch.put_expiring(&key(b"e"), &record("never seen"), Millis(0));
    store.commit(batch).await.unwrap();
    let rows = async |limit: usize| rests(store, Scan::<Expiring>::new(home(b"h"), limit)).await;
    assert_eq!(rows(10).await, [b"a", b"b", b"c", b"d"]);

    bench.clock.set(Millis(later.0 - 1));
    assert!(store.get(&key(b"a")).await.unwrap().is_some());
    bench.clock.set(later);
    assert_eq!(store.get(&key(b"a")).await.unwrap(), None);
    assert_eq!(rows(10).await, [b"b", b"d"]);
    // A limit counts rows that are there.
    assert_eq!(rows(2).await, [b"b", b"d"]);
    assert_eq!(store.get_many(&[key(b"a"), key(b"b")]).await.unwrap(), [None, Some(record("lasting"))]);

    // What has expired is absent to a commit as well, and can be written anew.
    let mut batch = Batch::new(home(b"h"));
    batch.expect(&key(b"a"), State::Absent).put(&key(b"a"), &record("again"));
    store.commit(batch).await.unwrap();
    assert_eq!(store.get(&key(b"a")).await.unwrap(), Some(record("again")));
    let mut batch = Batch::new(home(b"h"));
    batch.expect_unchanged(&key(b"d"), Some(&record("longer"))).put(&key(b"d"), &record("lasting now"));
    store.commit(batch).await.unwrap();
    bench.clock.set(Millis(i64::MAX - 1));
    assert_eq!(rows(10).await, [b"a", b"b", b"d"]);
}

pub(crate) async fn commits_apply_in_the_order_of_the_calls(bench: &Bench) {
    let store = &bench.store;
    let key = Plain::at(b"h", b"r");
    let mut last: Option<pb::Value> = None;
    let mut outcomes = Vec::new();
    for n in 0..1_000 {
        let next = record(n.to_string());
        let mut batch = Batch::new(home(b"h"));
        batch.expect_unchanged(&key, last.as_ref()).put(&key, &next);
        outcomes.push(store.commit(batch));
        last = Some(next);
    }
    for (n, outcome) in outcomes.into_iter().enumerate() {
        assert!(outcome.await.is_ok(), "commit {n}");
    }
    assert_eq!(text(store, &key).await.as_deref(), Some("999"));
}

pub(crate) async fn a_commit_whose_future_is_dropped_applies(bench: &Bench) {
    let store = &bench.store;
    drop(store.commit(one(b"h", b"dropped", "x")));
    store.commit(one(b"h", b"awaited", "x")).await.unwrap();
    assert!(store.get(&Plain::at(b"h", b"dropped")).await.unwrap().is_some());
}

pub(crate) async fn of_rival_commits_one_wins(bench: &Bench) {
    const RIVALS: u64 = 8;
    const ROUNDS: u64 = 25;
    let key = Plain::at(b"h", b"counter");
    let rivals = (0..RIVALS).map(|_| {
        let (store, key) = (bench.store.clone(), key.clone());
        tokio::spawn(async move {
            for _ in 0..ROUNDS {
                loop {
                    let read = store.get(&key).await.unwrap();
                    let count = read.as_ref().map_or(0, |found| String::from_utf8_lossy(&found.value).parse().unwrap());
                    let mut batch = Batch::new(key.home());
                    batch.expect_unchanged(&key, read.as_ref()).put(&key, &record((count + 1u64).to_string()));
                    match store.commit(batch).await {
                        Ok(()) => break,
                        Err(Error::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        })
    });
    for rival in rivals.collect::<Vec<_>>() {
        rival.await.unwrap();
    }
    assert_eq!(text(&bench.store, &key).await, Some((RIVALS * ROUNDS).to_string()));
}

pub(crate) async fn a_batch_without_changes_only_judges(bench: &Bench) {
    let store = &bench.store;
    store.commit(Batch::new(home(b"h"))).await.unwrap();
    let mut batch = Batch::new(home(b"h"));
    batch.expect(&Plain::at(b"h", b"r"), State::Absent);
    store.commit(batch.clone()).await.unwrap();
    store.commit(one(b"h", b"r", "x")).await.unwrap();
    assert!(matches!(store.commit(batch).await, Err(Error::Conflict)));
}

pub(crate) async fn values_may_be_large_or_empty(bench: &Bench) {
    let store = &bench.store;
    let large = "x".repeat(3 << 20);
    store.commit(one(b"h", b"large", &large)).await.unwrap();
    store.commit(one(b"h", b"larger", large.repeat(2))).await.unwrap();
    let mut batch = Batch::new(home(b"h"));
    batch.put(&Plain::at(b"h", b"empty"), &pb::Value::default());
    store.commit(batch).await.unwrap();
    let keys = [b"large".as_slice(), b"empty", b"larger"].map(|rest| Plain::at(b"h", rest));
    let found = store.get_many(&keys).await.unwrap();
    let lengths: Vec<_> = found.iter().map(|found| found.as_ref().map(|found| found.value.len())).collect();
    assert_eq!(lengths, [Some(3 << 20), Some(0), Some(6 << 20)]);
    assert_eq!(rests(store, Scan::<Plain>::new(home(b"h"), 10)).await, [&b"empty"[..], b"large", b"larger"]);
}
