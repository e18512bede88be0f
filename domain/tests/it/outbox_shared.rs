//! Several processes at one outbox: everything is done, hardly anything twice, whoever dies and when.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use domain::outbox::{Duty, Task};
use domain::record::AppSettings;
use domain::{AppNumber, BootId, Caller, Config, ConversationId, Domain};
use proptest::prelude::*;

use crate::world::{World, direct};

const APP: AppNumber = AppNumber(7);
/// How long a claim holds, milliseconds.
const TERM: i64 = 30_000;

async fn world() -> World {
    World::with(AppSettings { push: true, ..AppSettings::default() }, Config::default()).await
}

/// Another process over the same store, which works beside others.
async fn process(world: &World, boot: u64) -> Domain {
    let (domain, _) = world.another().await;
    let term = Duration::from_millis(TERM.unsigned_abs());
    domain.outbox.set_duty(Duty::Shared { me: BootId(boot), term });
    domain
}

async fn say(process: &Domain, from: &Caller, to: ConversationId, id: &str) {
    process.messages.send(from, crate::world::outgoing(to, id, "hi")).await.unwrap();
}

async fn work(process: &Domain, here: ConversationId) -> Vec<Task> {
    process.outbox.work(APP, here, 100).await.unwrap().due
}

/// Hints that wait, without waiting for one.
async fn hints(process: &Domain) -> Vec<ConversationId> {
    let nothing = async {
        tokio::task::yield_now().await;
        Vec::new()
    };
    let hints = tokio::select! { biased; hints = process.outbox.hinted() => hints, none = nothing => none };
    hints.into_iter().map(|(_, conversation)| conversation).collect()
}

#[tokio::test]
async fn what_a_process_said_is_its_own_until_its_time_is_over() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let here = direct(&alice, &bob);
    let (one, two) = (process(&world, 1).await, process(&world, 2).await);
    say(&one, &alice, here, "1").await;
    assert_eq!((hints(&one).await, hints(&two).await), (vec![here], vec![]), "each hears of its own");

    let stored = world.store.rows();
    assert_eq!(work(&one, here).await.len(), 1);
    assert_eq!(world.store.rows(), stored, "what is its own already needs no commit");
    let others = two.outbox.work(APP, here, 100).await.unwrap();
    let until = world.clock.now().0 + TERM;
    assert_eq!((others.due, others.next.map(|next| next.0)), (vec![], Some(until)), "it looks again then");

    world.pass(TERM);
    let taken = work(&two, here).await;
    assert_eq!(taken.len(), 1);
    assert!(work(&one, here).await.is_empty(), "it is too late");
    two.outbox.done(&taken[0]).await.unwrap();
    assert!(work(&two, here).await.is_empty());
}

#[tokio::test]
async fn a_task_that_takes_long_is_held_and_one_that_was_lost_is_left_alone() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let here = direct(&alice, &bob);
    let (one, two) = (process(&world, 1).await, process(&world, 2).await);
    say(&one, &alice, here, "1").await;
    let mut task = work(&one, here).await.remove(0);
    for _ in 0..5 {
        world.pass(TERM * 2 / 3);
        assert!(one.outbox.hold(&mut task).await.unwrap());
        assert!(work(&two, here).await.is_empty(), "it goes on");
    }
    world.pass(TERM);
    let taken = work(&two, here).await.remove(0);
    assert!(!one.outbox.hold(&mut task).await.unwrap(), "another has it");
    // Neither brings back what the other has settled.
    two.outbox.done(&taken).await.unwrap();
    let later = domain::Millis(world.clock.now().0 + 1);
    one.outbox.failed(&task, later).await.unwrap();
    world.pass(10 * TERM);
    assert!(work(&one, here).await.is_empty());
}

#[tokio::test]
async fn what_failed_is_anyones() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let here = direct(&alice, &bob);
    let (one, two) = (process(&world, 1).await, process(&world, 2).await);
    say(&one, &alice, here, "1").await;
    let task = work(&one, here).await.remove(0);
    let later = domain::Millis(world.clock.now().0 + 1_000);
    one.outbox.failed(&task, later).await.unwrap();
    world.pass(1_000);
    let (ours, theirs) = tokio::join!(work(&two, here), work(&one, here));
    assert_eq!(ours.len() + theirs.len(), 1, "whoever comes first");
}

#[tokio::test]
async fn one_process_looks_through_the_journals() {
    let world = world().await;
    let (one, two) = (process(&world, 1).await, process(&world, 2).await);
    assert!(one.outbox.leads().await.unwrap());
    for _ in 0..5 {
        world.pass(TERM * 2 / 3);
        assert!(one.outbox.leads().await.unwrap(), "it renews in time");
        assert!(!two.outbox.leads().await.unwrap());
    }
    world.pass(TERM);
    assert!(two.outbox.leads().await.unwrap(), "the first is gone, it seems");
    assert!(!one.outbox.leads().await.unwrap(), "and finds that it is another's now");
    one.outbox.resign().await.unwrap();
    assert!(!one.outbox.leads().await.unwrap(), "nobody gives back what is another's");
    two.outbox.resign().await.unwrap();
    assert!(one.outbox.leads().await.unwrap(), "what is given back need not end");
}

#[tokio::test]
async fn a_process_that_works_alone_takes_nothing_and_needs_no_lease() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let here = direct(&alice, &bob);
    world.send(&alice, here, "1", "hi").await.unwrap();
    let stored = world.store.rows();
    let tasks = work(&world.domain, here).await;
    assert_eq!((tasks.len(), tasks[0].state.claimed_by), (1, 0));
    assert!(world.domain.outbox.leads().await.unwrap());
    assert_eq!(world.store.rows(), stored);
    // What a store that was moved here still holds of other processes binds it to nothing.
    say(&process(&world, 1).await, &alice, here, "2").await;
    assert_eq!(work(&world.domain, here).await.len(), 2);
}

/// A worker between two calls of the store, which is where it may die.
struct Worker {
    domain: Domain,
    line: VecDeque<ConversationId>,
    doing: VecDeque<Task>,
    /// Sent, and not noted yet; since when.
    sent: Option<(Task, i64)>,
}

impl Worker {
    async fn new(world: &World, boot: u64) -> Self {
        let domain = process(world, boot).await;
        Self { domain, line: VecDeque::new(), doing: VecDeque::new(), sent: None }
    }

    /// One step of what `outbound` does. Counts what is sent; says whether a task was sent so long ago that another may have taken it up.
    async fn step(&mut self, now: i64, sent: &mut BTreeMap<(ConversationId, u64), u32>) -> bool {
        if let Some((task, at)) = self.sent.take() {
            self.domain.outbox.done(&task).await.unwrap();
            return now - at >= TERM / 2;
        }
        if let Some(mut task) = self.doing.pop_front() {
            if self.domain.outbox.hold(&mut task).await.unwrap() {
                *sent.entry((task.conversation, task.seq.0)).or_default() += 1;
                self.sent = Some((task, now));
            }
        } else if let Some(here) = self.line.pop_front() {
            self.doing.extend(self.domain.outbox.work(APP, here, 3).await.unwrap().due);
            if !self.doing.is_empty() {
                self.line.push_back(here);
            }
        } else {
            self.line.extend(hints(&self.domain).await);
            if self.line.is_empty() && self.domain.outbox.leads().await.unwrap() {
                self.domain.outbox.sweep().await.unwrap();
                self.line.extend(hints(&self.domain).await);
            }
        }
        false
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Say(usize, usize),
    Step(usize),
    Kill(usize),
    Pass(i64),
}

const WORKERS: usize = 3;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..WORKERS, 0..2_usize).prop_map(|(worker, to)| Op::Say(worker, to)),
        12 => (0..WORKERS).prop_map(Op::Step),
        1 => (0..WORKERS).prop_map(Op::Kill),
        2 => (0..TERM).prop_map(Op::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_done_and_only_a_death_or_a_stall_does_it_twice(ops in prop::collection::vec(op(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(ops));
    }
}

async fn run(ops: Vec<Op>) {
    let world = world().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let places = [direct(&alice, &bob), direct(&alice, &carol)];
    let mut workers = Vec::new();
    for boot in 0..WORKERS {
        workers.push(Worker::new(&world, boot as u64 + 1).await);
    }
    let mut sent = BTreeMap::new();
    let (mut said, mut excuses, mut boots) = (0, 0, WORKERS as u64);
    for op in ops {
        match op {
            Op::Say(worker, to) => {
                said += 1;
                say(&workers[worker].domain, &alice, places[to], &said.to_string()).await;
            }
            Op::Step(worker) => excuses += u32::from(workers[worker].step(world.clock.now().0, &mut sent).await),
            Op::Kill(worker) => {
                boots += 1;
                excuses += u32::from(workers[worker].sent.is_some());
                workers[worker] = Worker::new(&world, boots).await;
            }
            Op::Pass(millis) => world.pass(millis),
        }
    }
    for _ in 0..20 {
        for worker in &mut workers {
            for _ in 0..40 {
                excuses += u32::from(worker.step(world.clock.now().0, &mut sent).await);
            }
        }
        world.pass(TERM / 3);
    }
    for place in places {
        let left = world.domain.outbox.work(APP, place, 100).await.unwrap();
        assert!(left.due.is_empty() && left.next.is_none(), "something is undone: {left:?}");
    }
    assert_eq!(sent.len(), said, "a message was passed over");
    let doubles: u32 = sent.values().map(|times| times - 1).sum();
    assert!(doubles <= excuses, "{doubles} were done twice, with {excuses} deaths and stalls to excuse it");
}
