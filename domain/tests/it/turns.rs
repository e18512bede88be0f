//! A connection's messages that are looked at at the same time, and placed in their order.

use std::sync::Arc;
use std::time::Duration;

use crate::world::{World, direct, outgoing, said};
use domain::messages::{Chain, Sent};
use domain::rules::SendLimit;
use domain::{Caller, ConversationId, Denial, Error, Result};
use futures_util::future::join_all;
use futures_util::poll;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Reads of contacts, one for each message to another user: answered when the test says.
#[derive(Clone, Default)]
struct Reads(Arc<Mutex<Vec<Option<Answer>>>>);

type Answer = oneshot::Sender<storage::Result<()>>;

impl Reads {
    fn held(world: &World) -> Self {
        let reads = Self::default();
        let held = reads.clone();
        world.store.hold_reads(move |table| {
            if table.name != "contact" {
                return Box::pin(async { Ok(()) });
            }
            let (answer, answered) = oneshot::channel();
            held.0.lock().push(Some(answer));
            Box::pin(async { answered.await.unwrap() })
        });
        reads
    }

    fn count(&self) -> usize {
        self.0.lock().len()
    }

    fn answer(&self, read: usize) {
        self.end(read, Ok(()));
    }

    fn fail(&self, read: usize) {
        self.end(read, Err(storage::Error::Unavailable("the shard is down".to_owned())));
    }

    fn end(&self, read: usize, outcome: storage::Result<()>) {
        self.0.lock()[read].take().unwrap().send(outcome).unwrap();
    }
}

/// Submits messages as a connection does: all at once, each with its turn once the one before has its answer.
async fn submit(world: &World, caller: &Caller, messages: &[(ConversationId, &str, &Chain)]) -> Vec<Result<Sent>> {
    let (first, mut turn) = oneshot::channel();
    first.send(()).unwrap();
    let all = messages.iter().map(|(to, name, chain)| {
        let (next, following) = oneshot::channel();
        let mine = std::mem::replace(&mut turn, following);
        let message = outgoing(*to, name, name);
        async move {
            let turn = async { mine.await.unwrap() };
            let submitted = world.domain.messages.submit_in_turn(caller, Box::new(message), chain, turn).await;
            // Behind the last there is nobody.
            let _ = next.send(());
            submitted?.durable().await
        }
    });
    join_all(all).await
}

/// Begins a conversation: its head is known, so that a place is an entry on its way.
async fn begin(world: &World, caller: &Caller, to: ConversationId) {
    world.send(caller, to, "hello", "hello").await.unwrap();
    world.events.take();
}

/// What was said in a conversation, oldest first.
async fn words(world: &World, caller: &Caller, conversation: ConversationId) -> Vec<String> {
    world.all(caller, conversation).await.iter().filter_map(said).map(str::to_owned).collect()
}

#[tokio::test]
async fn messages_keep_their_order_in_whatever_order_the_store_answers() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (to, chain) = (direct(&alice, &bob), Chain::default());
    let reads = Reads::held(&world);
    let messages = ["a", "b", "c", "d"].map(|name| (to, name, &chain));
    let mut sending = Box::pin(submit(&world, &alice, &messages));
    assert!(poll!(&mut sending).is_pending());
    assert_eq!(reads.count(), 4, "all are looked at together");
    for read in [3, 1, 2] {
        reads.answer(read);
        assert!(poll!(&mut sending).is_pending());
        assert!(world.events.take_entries().is_empty(), "the first has no place yet");
    }
    reads.answer(0);
    let seqs: Vec<u64> = sending.await.into_iter().map(|sent| sent.unwrap().seq.0).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
    assert_eq!(words(&world, &bob, to).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn one_that_is_refused_for_now_concerns_those_behind_it_in_its_chain_and_no_others() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let (to_bob, to_carol) = (direct(&alice, &bob), direct(&alice, &carol));
    begin(&world, &alice, to_bob).await;
    begin(&world, &alice, to_carol).await;
    let (with_bob, with_carol) = (Chain::default(), Chain::default());
    let reads = Reads::held(&world);
    let messages = [
        (to_bob, "b1", &with_bob),
        (to_carol, "c1", &with_carol),
        (to_bob, "b2", &with_bob),
        (to_bob, "b3", &with_bob),
        (to_carol, "c2", &with_carol),
    ];
    let mut sending = Box::pin(submit(&world, &alice, &messages));
    assert!(poll!(&mut sending).is_pending());
    // Known before the first is placed, which it must not keep from its place.
    reads.fail(2);
    assert!(poll!(&mut sending).is_pending());
    for read in [4, 3, 1, 0] {
        reads.answer(read);
    }
    let outcomes = sending.await;
    assert!(matches!(outcomes[2], Err(Error::Unavailable(_))), "{outcomes:?}");
    assert!(matches!(outcomes[3], Err(Error::Limited { .. })), "{outcomes:?}");
    assert_eq!([0, 1, 4].map(|of| outcomes[of].as_ref().unwrap().seq.0), [2, 2, 3]);
    assert_eq!(words(&world, &bob, to_bob).await, ["hello", "b1"]);
    assert_eq!(words(&world, &carol, to_carol).await, ["hello", "c1", "c2"]);
}

#[tokio::test]
async fn a_pace_counts_messages_in_their_order() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let (to_bob, to_carol) = (direct(&alice, &bob), direct(&alice, &carol));
    begin(&world, &alice, to_bob).await;
    begin(&world, &alice, to_carol).await;
    let limit = SendLimit { messages: 2, span: Duration::from_secs(10) };
    world.domain.rules.set_send_limit(&world.server, Some(limit)).await.unwrap();
    let (with_bob, with_carol) = (Chain::default(), Chain::default());
    let reads = Reads::held(&world);
    let messages = [
        (to_carol, "1", &with_carol),
        (to_bob, "2", &with_bob),
        (to_bob, "3", &with_bob),
        (to_carol, "4", &with_carol),
    ];
    let mut sending = Box::pin(submit(&world, &alice, &messages));
    for read in [3, 2, 1, 0] {
        assert!(poll!(&mut sending).is_pending());
        reads.answer(read);
    }
    let outcomes = sending.await;
    assert_eq!([0, 1].map(|of| outcomes[of].as_ref().unwrap().seq.0), [2, 2]);
    for of in [2, 3] {
        assert!(matches!(outcomes[of], Err(Error::Limited { .. })), "{outcomes:?}");
    }
}

#[tokio::test]
async fn what_was_found_long_before_a_turn_is_looked_at_again() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (to, chain) = (direct(&alice, &bob), Chain::default());
    for (name, waits, passes) in [("soon", 999, true), ("late", 1_000, false)] {
        let (give, turn) = oneshot::channel();
        let turn = async { turn.await.unwrap() };
        let message = outgoing(to, name, name);
        let mut submitting = Box::pin(world.domain.messages.submit_in_turn(&alice, Box::new(message), &chain, turn));
        assert!(poll!(&mut submitting).is_pending());
        world.domain.roster.block(&bob, alice.user().unwrap()).await.unwrap();
        world.pass(waits);
        give.send(()).unwrap();
        match submitting.await {
            Ok(submitted) if passes => drop(submitted.durable().await.unwrap()),
            Err(Error::Denied(Denial::Blocked)) if !passes => {}
            other => panic!("{name}: {other:?}"),
        }
        world.domain.roster.unblock(&bob, alice.user().unwrap()).await.unwrap();
    }
}
