//! How much shows as unread when the app or the user says so, and what is muted.

use std::collections::HashMap;

use domain::conversations::ViewChange;
use domain::record::Mute;
use domain::{Caller, ConversationId, Denial, Error, Noun, Seq, UserId};

use crate::world::{World, direct, id};

async fn unread(world: &World, caller: &Caller, conversation: ConversationId) -> u64 {
    world.domain.conversations.get(caller, conversation).await.unwrap().unread
}

#[tokio::test]
async fn the_app_says_how_much_is_unread_until_the_user_reads() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    for number in 0..6 {
        // Own messages do not count, wherever the count begins.
        let author = if number == 4 { &bob } else { &alice };
        world.send(author, conversation, &number.to_string(), "x").await.unwrap();
    }
    world.domain.conversations.read(&bob, conversation, Seq(6)).await.unwrap();
    let set = async |caller: &Caller, count| {
        world.domain.conversations.set_unread(caller, id(&bob), conversation, count).await
    };
    for (count, shown) in [(2, 2), (0, 0), (3, 3), (5, 5), (6, 5), (u64::MAX, 5), (1, 1)] {
        set(&world.server, count).await.unwrap();
        assert_eq!(unread(&world, &bob, conversation).await, shown, "{count}");
    }
    // Nobody is told that less was read.
    assert_eq!(world.domain.conversations.get(&alice, conversation).await.unwrap().peer_read_seq, Seq(6));
    world.send(&alice, conversation, "new", "x").await.unwrap();
    assert_eq!(unread(&world, &bob, conversation).await, 2);
    assert_eq!(world.domain.conversations.unread_total(&bob).await.unwrap(), 2);
    // Reading again what was read ends it, though the mark does not move.
    world.domain.conversations.read(&bob, conversation, Seq(6)).await.unwrap();
    assert_eq!(unread(&world, &bob, conversation).await, 1);
    let mark_unread = ViewChange { unread: Some(4), ..ViewChange::default() };
    world.domain.conversations.update(&bob, conversation, mark_unread).await.unwrap();
    assert_eq!(unread(&world, &bob, conversation).await, 4);
    set(&bob, 3).await.unwrap();
    assert_eq!(unread(&world, &bob, conversation).await, 3);
    world.domain.conversations.read(&bob, conversation, Seq(7)).await.unwrap();
    assert_eq!(unread(&world, &bob, conversation).await, 0);
    assert!(matches!(set(&alice, 1).await, Err(Error::Denied(Denial::Credential))));
    let nobody = world.domain.conversations.set_unread(&world.server, UserId(99), conversation, 1).await;
    assert!(matches!(nobody, Err(Error::NotFound(Noun::Conversation))));
}

#[tokio::test]
async fn a_conversation_that_is_muted_wholly_has_nothing_unread() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    world.send(&alice, conversation, "1", "x").await.unwrap();
    for (mute, shown) in [(Mute::Notifications, 1), (Mute::Messages, 0), (Mute::None, 1)] {
        let change = ViewChange { mute: Some(mute), ..ViewChange::default() };
        world.domain.conversations.update(&bob, conversation, change).await.unwrap();
        assert_eq!(unread(&world, &bob, conversation).await, shown);
        assert_eq!(world.domain.conversations.unread_total(&bob).await.unwrap(), shown);
    }
    // It can be read back all the same.
    assert_eq!(world.sync(&bob, &HashMap::new(), 20).await[0].entries.len(), 1);
}

#[tokio::test]
async fn all_conversations_count_together() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for number in 0..5 {
        let other = world.user(&format!("u{number}")).await;
        for message in 0..=number {
            world.send(&other, direct(&alice, &other), &message.to_string(), "x").await.unwrap();
        }
    }
    assert_eq!(world.domain.conversations.unread_total(&alice).await.unwrap(), 15);
    assert!(matches!(
        world.domain.conversations.unread_total(&world.server).await,
        Err(Error::Denied(Denial::Credential))
    ));
}
