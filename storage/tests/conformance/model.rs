//! Random operations against a naive map: whatever an engine answers, the map answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use proto::store as pb;
use storage::testing::RedisCluster;
use storage::{Batch, Error, Millis, Scan, State};

use crate::support::{Bench, ENGINES, Expiring, Logged, NOW, Plain, home, record};

/// One step of a random history. Names and rests are few and short, so that steps meet.
#[derive(Debug, Clone)]
enum Step {
    Commit {
        home: usize,
        expectations: Vec<(Place, Expected)>,
        puts: Vec<(Place, u8, Option<u8>)>,
        deletes: Vec<Place>,
    },
    Get(usize, Place),
    Scan {
        home: usize,
        table: Where,
        from: Option<Vec<u8>>,
        to: Option<Vec<u8>>,
        descending: bool,
        limit: usize,
    },
    Wait(u8),
}

/// The row's table and its rest.
type Place = (Where, Vec<u8>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Where {
    Plain,
    Expiring,
    Log,
}

#[derive(Debug, Clone)]
enum Expected {
    Absent,
    Present,
    Equals(u8),
}

const HOMES: [&[u8]; 3] = [b"a", b"aa", b"\xff"];

fn rest() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, b'a', 255]), 0..3)
}

/// Keys on both sides of where an engine might cut a log, and both ends.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let keys = vec![0u64, 1, 2, 62, 63, 64, 65, 127, 128, 1_000, u64::MAX - 1, u64::MAX];
    prop::sample::select(keys).prop_map(|key| key.to_be_bytes().to_vec())
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        rest().prop_map(|rest| (Where::Plain, rest)),
        rest().prop_map(|rest| (Where::Expiring, rest)),
        key().prop_map(|key| (Where::Log, key)),
    ]
}

/// Bounds need not be keys.
fn bounds() -> impl Strategy<Value = (Where, Option<Vec<u8>>, Option<Vec<u8>>)> {
    let bound = || prop_oneof![rest(), key(), (key(), rest()).prop_map(|(key, rest)| [key, rest].concat())];
    let table = prop::sample::select(vec![Where::Plain, Where::Expiring, Where::Log]);
    (table, prop::option::of(bound()), prop::option::of(bound()))
}

fn step() -> impl Strategy<Value = Step> {
    let value = 0u8..3;
    let expected =
        prop_oneof![Just(Expected::Absent), Just(Expected::Present), value.clone().prop_map(Expected::Equals)];
    let commit = (
        0..HOMES.len(),
        prop::collection::vec((place(), expected), 0..2),
        prop::collection::vec((place(), value, prop::option::of(0u8..20)), 0..4),
        prop::collection::vec(place(), 0..2),
    )
        .prop_map(|(home, expectations, puts, deletes)| Step::Commit { home, expectations, puts, deletes });
    let scan = (0..HOMES.len(), bounds(), any::<bool>(), 0usize..9).prop_map(
        |(home, (table, from, to), descending, limit)| Step::Scan { home, table, from, to, descending, limit },
    );
    prop_oneof![
        6 => commit,
        2 => (0..HOMES.len(), place()).prop_map(|(home, place)| Step::Get(home, place)),
        3 => scan,
        1 => (0u8..10).prop_map(Step::Wait),
    ]
}

/// The table, the home and the rest of a row.
type Row = (Where, usize, Vec<u8>);

/// The naive map.
#[derive(Default)]
struct Model {
    rows: BTreeMap<Row, (u8, Option<i64>)>,
    now: i64,
}

impl Model {
    fn get(&self, home: usize, (table, rest): &Place) -> Option<u8> {
        let (value, expires) = self.rows.get(&(*table, home, rest.clone()))?;
        expires.is_none_or(|at| at > self.now).then_some(*value)
    }

    fn commit(&mut self, step: &Step) -> bool {
        let Step::Commit { home, expectations, puts, deletes } = step else { unreachable!() };
        let holds = |(place, expected): &(Place, Expected)| match (self.get(*home, place), expected) {
            (found, Expected::Absent) => found.is_none(),
            (found, Expected::Present) => found.is_some(),
            (found, Expected::Equals(value)) => found == Some(*value),
        };
        if !expectations.iter().all(holds) {
            return false;
        }
        for (table, rest) in deletes {
            self.rows.remove(&(*table, *home, rest.clone()));
        }
        for ((table, rest), value, after) in puts {
            let expires = after.filter(|_| *table != Where::Plain).map(|after| self.now + i64::from(after));
            self.rows.insert((*table, *home, rest.clone()), (*value, expires));
        }
        true
    }

    fn scan(&self, step: &Step) -> Vec<(Vec<u8>, u8)> {
        let Step::Scan { home, table: wanted, from, to, descending, limit } = step else { unreachable!() };
        let mut rows: Vec<_> = self
            .rows
            .keys()
            .filter(|(table, at, rest)| {
                table == wanted
                    && at == home
                    && from.as_ref().is_none_or(|from| rest >= from)
                    && to.as_ref().is_none_or(|to| rest < to)
            })
            .filter_map(|(table, at, rest)| Some((rest.clone(), self.get(*at, &(*table, rest.clone()))?)))
            .collect();
        if *descending {
            rows.reverse();
        }
        rows.truncate(*limit);
        rows
    }
}

fn batch(step: &Step, now: i64) -> Batch {
    let Step::Commit { home: at, expectations, puts, deletes } = step else { unreachable!() };
    let name = HOMES[*at];
    let mut batch = Batch::new(home(name));
    for ((table, rest), expected) in expectations {
        let state = match expected {
            Expected::Absent => State::Absent,
            Expected::Present => State::Present,
            Expected::Equals(value) => State::Equals(prost::Message::encode_to_vec(&record([*value])).into()),
        };
        match table {
            Where::Plain => batch.expect(&Plain::at(name, rest), state),
            Where::Expiring => batch.expect(&Expiring::at(name, rest), state),
            Where::Log => batch.expect(&Logged::at(name, rest), state),
        };
    }
    for ((table, rest), value, after) in puts {
        let record = record([*value]);
        let expires = after.map(|after| Millis(now + i64::from(after)));
        match (table, expires) {
            (Where::Plain, _) => batch.put(&Plain::at(name, rest), &record),
            (Where::Expiring, None) => batch.put(&Expiring::at(name, rest), &record),
            (Where::Expiring, Some(at)) => batch.put_expiring(&Expiring::at(name, rest), &record, at),
            (Where::Log, None) => batch.put(&Logged::at(name, rest), &record),
            (Where::Log, Some(at)) => batch.put_expiring(&Logged::at(name, rest), &record, at),
        };
    }
    for (table, rest) in deletes {
        match table {
            Where::Plain => batch.delete(&Plain::at(name, rest)),
            Where::Expiring => batch.delete(&Expiring::at(name, rest)),
            Where::Log => batch.delete(&Logged::at(name, rest)),
        };
    }
    batch
}

async fn scan(bench: &Bench, step: &Step) -> Vec<(Vec<u8>, u8)> {
    async fn run<K: storage::Key<Record = pb::Value>>(bench: &Bench, step: &Step) -> Vec<(Vec<u8>, u8)> {
        let Step::Scan { home: at, from, to, descending, limit, .. } = step else { unreachable!() };
        let mut scan = Scan::<K>::new(home(HOMES[*at]), *limit);
        if let Some(from) = from {
            scan = scan.from(|out| {
                out.bytes(from);
            });
        }
        if let Some(to) = to {
            scan = scan.to(|out| {
                out.bytes(to);
            });
        }
        if *descending {
            scan = scan.descending();
        }
        let rows = bench.store.scan(scan).await.unwrap();
        rows.into_iter().map(|row| (row.rest.to_vec(), only(&row.record.value))).collect()
    }
    let Step::Scan { table, .. } = step else { unreachable!() };
    match table {
        Where::Plain => run::<Plain>(bench, step).await,
        Where::Expiring => run::<Expiring>(bench, step).await,
        Where::Log => run::<Logged>(bench, step).await,
    }
}

fn only(value: &Bytes) -> u8 {
    value[0]
}

async fn get(bench: &Bench, at: usize, (table, rest): &Place) -> Option<u8> {
    let found = match table {
        Where::Plain => bench.store.get(&Plain::at(HOMES[at], rest)).await.unwrap(),
        Where::Expiring => bench.store.get(&Expiring::at(HOMES[at], rest)).await.unwrap(),
        Where::Log => bench.store.get(&Logged::at(HOMES[at], rest)).await.unwrap(),
    };
    found.map(|found| only(&found.value))
}

/// Plays the history; commits are left unawaited up to the next step of another kind, so that they meet in groups.
async fn play(bench: &Bench, steps: &[Step]) {
    let mut model = Model { now: NOW.0, ..Model::default() };
    let mut outcomes: Vec<(bool, storage::Commit)> = Vec::new();
    for step in steps {
        if matches!(step, Step::Commit { .. }) {
            let outcome = bench.store.commit(batch(step, model.now));
            outcomes.push((model.commit(step), outcome));
            continue;
        }
        settle(&mut outcomes).await;
        match step {
            Step::Commit { .. } => unreachable!(),
            Step::Get(at, place) => assert_eq!(get(bench, *at, place).await, model.get(*at, place), "{step:?}"),
            Step::Scan { .. } => assert_eq!(scan(bench, step).await, model.scan(step), "{step:?}"),
            Step::Wait(span) => {
                model.now += i64::from(*span);
                bench.clock.set(Millis(model.now));
            }
        }
    }
    settle(&mut outcomes).await;
}

async fn settle(outcomes: &mut Vec<(bool, storage::Commit)>) {
    for (expected, outcome) in outcomes.drain(..) {
        match outcome.await {
            Ok(()) => assert!(expected, "a commit applied that should not have"),
            Err(Error::Conflict) => assert!(!expected, "a commit conflicted that should have applied"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// How many histories; `LINNET_MODEL_CASES` runs more.
fn cases() -> u32 {
    std::env::var("LINNET_MODEL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(24)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() }
}

fn histories() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..120)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_engine_answers_as_a_map_does(steps in histories()) {
        runtime().block_on(async {
            for engine in ENGINES {
                play(&Bench::new(engine), &steps).await;
            }
        });
    }
}

/// Over one cluster, since a start takes seconds.
#[test]
fn redis_answers_as_a_map_does() {
    let cluster = RedisCluster::start(3, 1);
    let runtime = runtime();
    let outcome = TestRunner::new(config()).run(&histories(), |steps| {
        runtime.block_on(async { play(&Bench::over(&cluster), &steps).await });
        Ok(())
    });
    outcome.unwrap();
}
