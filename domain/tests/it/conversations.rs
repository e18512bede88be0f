//! Lists, comparisons, read marks, and one's own view.

use std::collections::HashMap;

use crate::world::{World, direct, id, seqs, text};
use domain::conversations::{Have, Verdict, ViewChange};
use domain::entry::entry::Body;
use domain::entry::tip;
use domain::record::{Mute, event};
use domain::{Caller, Config, ConversationId, Epoch, Error, Noun, Seq, UserId};

#[tokio::test]
async fn lists_put_pinned_first_and_then_the_newest() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let mut others = Vec::new();
    for number in 0..7 {
        world.pass(1_000);
        let other = world.user(&format!("u{number}")).await;
        world.send(&other, direct(&alice, &other), "1", "x").await.unwrap();
        others.push(other);
    }
    let pinned = ViewChange { pinned: Some(true), ..ViewChange::default() };
    world.domain.conversations.update(&alice, direct(&alice, &others[2]), pinned).await.unwrap();
    world.domain.conversations.delete(&alice, direct(&alice, &others[4])).await.unwrap();
    let notices = ConversationId::Notices(id(&alice));
    let of = |number: usize| direct(&alice, &others[number]);
    let expected = [of(2), notices, of(6), of(5), of(3), of(1), of(0)];
    for limit in 1..=8 {
        let mut listed = Vec::new();
        let mut cursor = None;
        loop {
            let page = world.domain.conversations.list(&alice, cursor.as_deref(), limit).await.unwrap();
            assert!(page.items.len() == limit || page.next.is_none());
            listed.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), expected);
        assert!(listed.iter().all(|one| one.last.as_ref().unwrap().seq == one.head.last_seq));
    }
    for limit in [0, 201] {
        let refused = world.domain.conversations.list(&alice, None, limit).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "limit", .. })));
    }
    let refused = world.domain.conversations.list(&alice, Some(b"x"), 1).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "cursor", .. })));
    world.pass(1_000);
    world.send(&others[4], of(4), "2", "x").await.unwrap();
    let listed = world.domain.conversations.list(&alice, None, 200).await.unwrap().items;
    assert_eq!((listed[1].id, listed[1].first_seq), (of(4), Seq(2)));
}

#[tokio::test]
async fn a_comparison_says_what_is_lacking() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut epoch = Epoch(0);
    for number in 0..10 {
        epoch = world.send(&alice, conversation, &number.to_string(), "x").await.unwrap().epoch;
    }
    let compare = async |epoch, seq, entries| {
        let have = HashMap::from([(conversation, Have { epoch, seq: Seq(seq), message_ids: Vec::new() })]);
        let synced = world.sync(&bob, &have, entries).await;
        let synced = synced.into_iter().find(|synced| synced.conversation.id == conversation).unwrap();
        (synced.verdict, seqs(&synced.entries))
    };
    assert_eq!(compare(epoch, 10, 5).await, (Verdict::Complete, vec![]));
    assert_eq!(compare(epoch, 7, 5).await, (Verdict::Complete, vec![8, 9, 10]));
    assert_eq!(compare(epoch, 5, 5).await, (Verdict::Complete, vec![6, 7, 8, 9, 10]));
    assert_eq!(compare(epoch, 4, 5).await, (Verdict::Truncated { from: Seq(6) }, vec![6, 7, 8, 9, 10]));
    assert_eq!(compare(Epoch(epoch.0 ^ 1), 10, 2).await, (Verdict::Reset, vec![9, 10]));
    world.domain.conversations.delete(&bob, conversation).await.unwrap();
    assert_eq!(compare(epoch, 4, 5).await, (Verdict::Complete, vec![]));
    world.send(&alice, conversation, "new", "x").await.unwrap();
    assert_eq!(compare(epoch, 4, 5).await, (Verdict::Complete, vec![11]));
    // Ahead of the log: the store must have lost what this device has seen.
    assert_eq!(compare(epoch, 12, 2).await, (Verdict::Reset, vec![11]));
    assert_eq!(compare(epoch, u64::MAX, 2).await, (Verdict::Reset, vec![11]));
}

#[tokio::test]
async fn pages_of_a_comparison_hold_each_conversation_once() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for number in 0..9 {
        let other = world.user(&format!("u{number}")).await;
        world.send(&other, direct(&alice, &other), "1", "x").await.unwrap();
    }
    world.group(&alice, &[]).await;
    world.send(&world.server, ConversationId::Notices(id(&alice)), "1", "x").await.unwrap();
    for limit in [1, 2, 3, 11, 12] {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let have = HashMap::new();
            let page = world.domain.conversations.sync(&alice, &have, cursor.as_deref(), limit, 1).await.unwrap();
            found.extend(page.items.into_iter().map(|synced| synced.conversation.id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(found.len(), 11);
        assert!(found.is_sorted() && found.windows(2).all(|pair| pair[0] != pair[1]));
    }
    let refused = world.domain.conversations.sync(&alice, &HashMap::new(), None, 1, 201).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "entries", .. })));
}

#[tokio::test]
async fn read_marks_only_rise_and_are_told() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let conversation = direct(&alice, &bob);
    for number in 0..5 {
        world.send(&alice, conversation, &number.to_string(), "x").await.unwrap();
    }
    world.events.take();
    let unread = async |caller| world.domain.conversations.get(caller, conversation).await.unwrap().unread;
    let read = async |caller, seq| world.domain.conversations.read(caller, conversation, Seq(seq)).await;
    assert_eq!(unread(&bob).await, 5);
    for (seq, left) in [(2, 3), (1, 3), (3, 2), (u64::MAX, 0)] {
        read(&bob, seq).await.unwrap();
        assert_eq!(unread(&bob).await, left);
    }
    let moves = world.events.take().into_iter().map(|(audience, body)| match body {
        event::Body::ReadMoved(moved) => (audience.len(), moved.user, moved.seq),
        other => panic!("{other:?}"),
    });
    let bob_id = id(&bob).0;
    assert_eq!(moves.collect::<Vec<_>>(), [(2, bob_id, 2), (2, bob_id, 3), (2, bob_id, 5)]);
    assert_eq!(world.domain.conversations.get(&alice, conversation).await.unwrap().peer_read_seq, Seq(5));
    let receipts = world.domain.conversations.receipts(&alice, conversation, Seq(5)).await.unwrap();
    assert_eq!(receipts.iter().map(|(user, mark)| (user.0, mark.seq)).collect::<Vec<_>>(), [(bob_id, 5)]);
    assert!(world.domain.conversations.receipts(&alice, conversation, Seq(6)).await.unwrap().is_empty());
    assert!(matches!(read(&eve, 1).await, Err(Error::NotFound(Noun::Conversation))));
    let refused = world.domain.conversations.receipts(&eve, conversation, Seq(0)).await;
    assert!(matches!(refused, Err(Error::NotFound(Noun::Conversation))));
}

#[tokio::test]
async fn the_marks_of_former_members_are_not_shown() {
    let world = World::new().await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let group = world.group(&owner, &[&bob, &eve]).await;
    let conversation = ConversationId::Group(group);
    world.send(&owner, conversation, "1", "x").await.unwrap();
    for reader in [&bob, &eve] {
        world.domain.conversations.read(reader, conversation, Seq(u64::MAX)).await.unwrap();
    }
    let readers = async || {
        let receipts = world.domain.conversations.receipts(&owner, conversation, Seq(1)).await.unwrap();
        receipts.into_iter().map(|(user, _)| user).collect::<Vec<_>>()
    };
    assert_eq!(readers().await, [id(&bob), id(&eve)]);
    world.domain.groups.leave(&eve, group).await.unwrap();
    assert_eq!(readers().await, [id(&bob)]);
}

#[tokio::test]
async fn what_counts_as_unread() {
    let world =
        World::with(domain::record::AppSettings::default(), Config { unread_cap: 4, ..Config::default() }).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let unread = async || world.domain.conversations.get(&bob, conversation).await.unwrap().unread;
    world.send(&alice, conversation, "1", "x").await.unwrap();
    world.send(&bob, conversation, "1", "mine").await.unwrap();
    let command = domain::entry::content::Kind::Command(domain::entry::Command { data: "{}".into() });
    let content = domain::entry::Content { kind: Some(command), ..text("") };
    let command = domain::messages::Outgoing { conversation, client_msg_id: "2".into(), content, online_only: false };
    world.domain.messages.send(&alice, command).await.unwrap();
    assert_eq!(unread().await, 1);
    world.domain.messages.edit(&alice, conversation, Seq(1), text("y")).await.unwrap();
    assert_eq!(unread().await, 1);
    world.domain.messages.recall(&alice, conversation, Seq(1)).await.unwrap();
    assert_eq!(unread().await, 0);
    for (name, expected) in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 4)] {
        world.send(&alice, conversation, name, "x").await.unwrap();
        assert_eq!(unread().await, expected);
    }
    for (name, expected) in [("f", 3), ("g", 2), ("h", 1), ("i", 0)] {
        world.send(&bob, conversation, name, "mine").await.unwrap();
        assert_eq!(unread().await, expected, "only the newest entries are looked at, however long the log");
    }
}

#[tokio::test]
async fn changes_of_the_view_are_one_s_own_and_reach_one_s_devices() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let change = ViewChange { mute: Some(Mute::Notifications), remark: Some("Bobby".into()), ..ViewChange::default() };
    let update = async |caller: &Caller| world.domain.conversations.update(caller, conversation, change.clone()).await;
    assert!(matches!(update(&alice).await, Err(Error::NotFound(Noun::Conversation))));
    world.send(&alice, conversation, "1", "x").await.unwrap();
    world.events.take();
    update(&alice).await.unwrap();
    update(&alice).await.unwrap();
    let told = world.events.take_entries();
    assert_eq!((told.len(), &told[0].0, told[0].1), (1, &vec![id(&alice)], ConversationId::Notices(id(&alice))));
    let Some(Body::Tip(tip)) = &told[0].2.body else { panic!("{told:?}") };
    assert_eq!((tip.kind(), &tip.users[..]), (tip::Kind::ConversationChanged, &[id(&bob).0][..]));
    let mine = world.domain.conversations.get(&alice, conversation).await.unwrap().membership;
    assert_eq!((mine.pinned, mine.mute(), &*mine.remark), (false, Mute::Notifications, "Bobby"));
    let theirs = world.domain.conversations.get(&bob, conversation).await.unwrap().membership;
    assert_eq!((theirs.pinned, theirs.mute(), &*theirs.remark), (false, Mute::None, ""));
    let long = ViewChange { remark: Some("x".repeat(257)), ..ViewChange::default() };
    let refused = world.domain.conversations.update(&alice, conversation, long).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "remark", .. })));
}

#[tokio::test]
async fn a_conversation_with_oneself_has_one_member() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let conversation = direct(&alice, &alice);
    world.send(&alice, conversation, "1", "note").await.unwrap();
    assert_eq!(world.events.take_entries()[0].0, [id(&alice)]);
    let listed = world.domain.conversations.list(&alice, None, 10).await.unwrap().items;
    assert_eq!((listed.len(), listed[0].unread), (1, 0));
}

#[tokio::test]
async fn typing_is_told_to_members_as_they_are_now() {
    let world = World::new().await;
    let (owner, bob) = (world.user("owner").await, world.user("bob").await);
    let group = world.group(&owner, &[&bob]).await;
    let conversation = ConversationId::Group(group);
    let typing = async || {
        world.events.take();
        world.domain.conversations.typing(&owner, conversation, true).await.unwrap();
        world.events.take().pop().unwrap().0
    };
    assert_eq!(typing().await, [id(&owner), id(&bob)] as [UserId; 2]);
    world.domain.groups.remove_members(&owner, group, &[id(&bob)]).await.unwrap();
    assert_eq!(typing().await, [id(&owner)]);
}
