//! Many at once: one conversation, many tasks, and more than one process.

use std::collections::HashMap;

use crate::world::{World, id, outgoing, said};
use domain::messages::{Chain, Sent};
use domain::{Caller, ConversationId, Domain, Error};
use storage::Bus;

const SENDERS: usize = 16;
const MESSAGES: usize = 200;

async fn members(world: &World) -> (Vec<Caller>, ConversationId) {
    let mut users = Vec::new();
    for number in 0..SENDERS {
        users.push(world.user(&format!("u{number}")).await);
    }
    let others: Vec<&Caller> = users[1..].iter().collect();
    let group = world.group(&users[0], &others).await;
    world.events.take();
    (users, ConversationId::Group(group))
}

/// Sends without waiting for one message before the next, as a connection does, and waits at the end.
async fn pipeline(domain: Domain, caller: Caller, to: ConversationId, name: String) -> Vec<Sent> {
    let mut submitted = Vec::new();
    for number in 0..MESSAGES {
        let message = outgoing(to, &format!("{name}-{number}"), &format!("{name} {number}"));
        submitted.push(domain.messages.submit(&caller, message).await.unwrap());
        if number % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut sent = Vec::new();
    for submitted in submitted {
        sent.push(submitted.durable().await.unwrap());
    }
    sent
}

/// Every message once, without gaps, and each sender's in the order of sending.
async fn check(world: &World, reader: &Caller, conversation: ConversationId, names: usize, acks: &[Vec<Sent>]) {
    let entries = world.all(reader, conversation).await;
    let first = entries[0].seq;
    let mut next: HashMap<&str, usize> = HashMap::new();
    let mut messages = 0;
    for (offset, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, first + offset as u64);
        assert!(offset == 0 || entry.time > entries[offset - 1].time);
        if let Some(text) = said(entry) {
            let (name, number) = text.split_once(' ').unwrap();
            let next = next.entry(name).or_default();
            assert_eq!(number.parse(), Ok(*next), "of {name}");
            *next += 1;
            messages += 1;
        }
    }
    assert_eq!((messages, next.len()), (names * MESSAGES, names));
    for acks in acks {
        assert!(acks.is_sorted_by_key(|sent| sent.seq));
        for sent in acks {
            let entry = &entries[usize::try_from(sent.seq.0 - first).unwrap()];
            assert_eq!((entry.message_id, entry.time), (sent.message_id.0, sent.time));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_share_one_order() {
    let world = World::new().await;
    let (users, conversation) = members(&world).await;
    let sending = users.iter().enumerate().map(|(number, user)| {
        tokio::spawn(pipeline(world.domain.clone(), user.clone(), conversation, format!("s{number}")))
    });
    let sending: Vec<_> = sending.collect();
    let mut acks = Vec::new();
    for task in sending {
        acks.push(task.await.unwrap());
    }
    check(&world, &users[3], conversation, SENDERS, &acks).await;
    let told = world.events.take_entries();
    assert_eq!(told.len(), SENDERS * MESSAGES);
    assert!(told.windows(2).all(|pair| pair[0].2.seq + 1 == pair[1].2.seq), "delivery follows the order");
    assert!(told.iter().all(|(audience, _, _)| audience.len() == SENDERS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_write_to_one_conversation_do_not_disturb_its_order() {
    let world = World::new().await;
    let (users, conversation) = members(&world).await;
    let (other, other_events) = world.another().await;
    let sending = users.iter().take(4).enumerate().map(|(number, user)| {
        let domain = if number % 2 == 0 { world.domain.clone() } else { other.clone() };
        tokio::spawn(pipeline(domain, user.clone(), conversation, format!("s{number}")))
    });
    let sending: Vec<_> = sending.collect();
    let mut acks = Vec::new();
    for task in sending {
        acks.push(task.await.unwrap());
    }
    check(&world, &users[3], conversation, 4, &acks).await;
    let (here, there) = (world.events.take_entries(), other_events.take_entries());
    assert_eq!(here.len() + there.len(), 4 * MESSAGES);
    for told in [here, there] {
        assert!(told.is_sorted_by_key(|(_, _, entry)| entry.seq));
    }
}

/// As [`pipeline`], and what is refused for now is sent again with all that follows it, as clients do.
async fn insist(domain: Domain, caller: Caller, to: ConversationId, name: String) -> Vec<Sent> {
    let mut sent: Vec<Sent> = Vec::new();
    while sent.len() < MESSAGES {
        let chain = Chain::default();
        let mut submitted = Vec::new();
        for number in sent.len()..(sent.len() + 40).min(MESSAGES) {
            let message = outgoing(to, &format!("{name}-{number}"), &format!("{name} {number}"));
            submitted.push(domain.messages.submit_in(&caller, message, &chain).await);
            tokio::task::yield_now().await;
        }
        for submitted in submitted {
            match async { submitted?.durable().await }.await {
                Ok(message) => sent.push(message),
                Err(Error::Limited { .. }) => break,
                Err(other) => panic!("{other}"),
            }
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_contend_for_one_conversation_lose_double_and_reorder_nothing() {
    let world = World::new().await;
    let (users, conversation) = members(&world).await;
    let bus = Bus::local();
    let mut gateways = [world.process(&bus).await, world.process(&bus).await, world.process(&bus).await];
    let sending = users.iter().take(6).enumerate().map(|(number, user)| {
        let domain = gateways[number % 3].domain.clone();
        tokio::spawn(insist(domain, user.clone(), conversation, format!("s{number}")))
    });
    let sending: Vec<_> = sending.collect();
    let mut acks = Vec::new();
    for task in sending {
        acks.push(task.await.unwrap());
    }
    check(&world, &users[3], conversation, 6, &acks).await;
    for gateway in &mut gateways {
        gateway.hear().await;
        let mut told: Vec<u64> = gateway.events.take_entries().iter().map(|(_, _, entry)| entry.seq).collect();
        told.sort_unstable();
        let first = told[0];
        assert!(told.iter().copied().eq(first..first + 6 * MESSAGES as u64), "every gateway hears of each once");
    }
}

#[tokio::test]
async fn a_message_is_delivered_though_nobody_waits_for_it() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = ConversationId::direct(id(&alice), id(&bob));
    drop(world.domain.messages.submit(&alice, outgoing(conversation, "1", "one")).await.unwrap());
    let second = world.domain.messages.submit(&alice, outgoing(conversation, "2", "two")).await.unwrap();
    second.durable().await.unwrap();
    let told = world.events.take_entries();
    assert_eq!(told.iter().map(|(_, _, entry)| said(entry).unwrap()).collect::<Vec<_>>(), ["one", "two"]);
}

#[tokio::test]
async fn more_conversations_than_are_kept_at_hand_are_served_all_the_same() {
    let config = domain::Config { active_conversations: 1, ..domain::Config::default() };
    let world = World::with(domain::record::AppSettings::default(), config).await;
    let (users, _) = members(&world).await;
    for round in 1..=5 {
        let everybody = users.iter().flat_map(|one| users.iter().map(move |other| (one, other)));
        let sends = everybody.filter(|(one, other)| id(one) < id(other)).map(async |(one, other)| {
            let to = ConversationId::direct(id(one), id(other));
            world.send(one, to, &round.to_string(), "x").await.unwrap().seq.0
        });
        let seqs = futures_util::future::join_all(sends).await;
        assert!(seqs.iter().all(|seq| *seq == round));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_stored_is_not_stored_again() {
    let world = World::new().await;
    let (users, conversation) = members(&world).await;
    let (other, _) = world.another().await;
    let first = pipeline(world.domain.clone(), users[0].clone(), conversation, "s0".to_owned()).await;
    // The other process has never heard of these, and places new ones between them.
    let again = tokio::spawn(pipeline(other.clone(), users[0].clone(), conversation, "s0".to_owned()));
    let new = tokio::spawn(pipeline(other.clone(), users[1].clone(), conversation, "s1".to_owned()));
    let (again, new) = (again.await.unwrap(), new.await.unwrap());
    assert_eq!(again, first);
    check(&world, &users[3], conversation, 2, &[first, new]).await;
    let changed = other.messages.submit(&users[0], outgoing(conversation, "s0-0", "another text")).await;
    let changed = match changed {
        Ok(submitted) => submitted.durable().await,
        Err(error) => Err(error),
    };
    assert!(matches!(changed, Err(domain::Error::Reused)), "{changed:?}");
}
