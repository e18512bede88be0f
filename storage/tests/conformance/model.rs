//! Random operations against a naive map: whatever an engine answers, the map answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use proto::store as pb;
use storage::{Batch, Error, Millis, Scan, State};

use crate::support::{Bench, ENGINES, Expiring, NOW, Plain, home, record};

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
        expiring: bool,
        from: Option<Vec<u8>>,
        to: Option<Vec<u8>>,
        descending: bool,
        limit: usize,
    },
    Wait(u8),
}

/// Whether the row is in the table with expiry, and its rest.
type Place = (bool, Vec<u8>);

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

fn place() -> impl Strategy<Value = Place> {
    (any::<bool>(), rest())
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
    let scan =
        (0..HOMES.len(), any::<bool>(), prop::option::of(rest()), prop::option::of(rest()), any::<bool>(), 0usize..9)
            .prop_map(|(home, expiring, from, to, descending, limit)| Step::Scan {
                home,
                expiring,
                from,
                to,
                descending,
                limit,
            });
    prop_oneof![
        6 => commit,
        2 => (0..HOMES.len(), place()).prop_map(|(home, place)| Step::Get(home, place)),
        3 => scan,
        1 => (0u8..10).prop_map(Step::Wait),
    ]
}

/// The table (true for the one with expiry), the home and the rest of a row.
type Row = (bool, usize, Vec<u8>);

/// The naive map.
#[derive(Default)]
struct Model {
    rows: BTreeMap<Row, (u8, Option<i64>)>,
    now: i64,
}

impl Model {
    fn get(&self, home: usize, (expiring, rest): &Place) -> Option<u8> {
        let (value, expires) = self.rows.get(&(*expiring, home, rest.clone()))?;
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
        for (expiring, rest) in deletes {
            self.rows.remove(&(*expiring, *home, rest.clone()));
        }
        for ((expiring, rest), value, after) in puts {
            let expires = after.filter(|_| *expiring).map(|after| self.now + i64::from(after));
            self.rows.insert((*expiring, *home, rest.clone()), (*value, expires));
        }
        true
    }

    fn scan(&self, step: &Step) -> Vec<(Vec<u8>, u8)> {
        let Step::Scan { home, expiring, from, to, descending, limit } = step else { unreachable!() };
        let mut rows: Vec<_> = self
            .rows
            .keys()
            .filter(|(table, at, rest)| {
                table == expiring
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
    for ((expiring, rest), expected) in expectations {
        let state = match expected {
            Expected::Absent => State::Absent,
            Expected::Present => State::Present,
            Expected::Equals(value) => State::Equals(prost::Message::encode_to_vec(&record([*value])).into()),
        };
        if *expiring {
            batch.expect(&Expiring::at(name, rest), state)
        } else {
            batch.expect(&Plain::at(name, rest), state)
        };
    }
    for ((expiring, rest), value, after) in puts {
        let record = record([*value]);
        match (expiring, after) {
            (false, _) => batch.put(&Plain::at(name, rest), &record),
            (true, None) => batch.put(&Expiring::at(name, rest), &record),
            (true, Some(after)) => {
                batch.put_expiring(&Expiring::at(name, rest), &record, Millis(now + i64::from(*after)))
            }
        };
    }
    for (expiring, rest) in deletes {
        if *expiring {
            batch.delete(&Expiring::at(name, rest))
        } else {
            batch.delete(&Plain::at(name, rest))
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
    match step {
        Step::Scan { expiring: true, .. } => run::<Expiring>(bench, step).await,
        _ => run::<Plain>(bench, step).await,
    }
}

fn only(value: &Bytes) -> u8 {
    value[0]
}

async fn get(bench: &Bench, at: usize, (expiring, rest): &Place) -> Option<u8> {
    let found = if *expiring {
        bench.store.get(&Expiring::at(HOMES[at], rest)).await.unwrap()
    } else {
        bench.store.get(&Plain::at(HOMES[at], rest)).await.unwrap()
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

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_engine_answers_as_a_map_does(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            for engine in ENGINES {
                play(&Bench::new(engine), &steps).await;
            }
        });
    }
}
