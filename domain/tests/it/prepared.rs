//! Messages that are made in one call and sent in another.

use crate::world::{World, direct, outgoing, said};
use domain::{Error, MessageId};

/// A day, which is how long they are kept.
const WINDOW: i64 = 86_400_000;

#[tokio::test]
async fn a_prepared_message_keeps_its_id_and_is_sent_once() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (chat, messages) = (direct(&alice, &bob), &world.domain.messages);

    let id = messages.prepare(&alice, Some(chat), "kept".to_owned()).await.unwrap();
    assert_eq!(messages.prepared(&alice, id).await.unwrap().as_deref(), Some("kept"));
    assert_eq!(messages.prepared(&bob, id).await.unwrap(), None, "it is the author's alone");

    let first = messages.send_prepared(&alice, id, outgoing(chat, "x", "hi")).await.unwrap();
    let again = messages.send_prepared(&alice, id, outgoing(chat, "y", "hi")).await.unwrap();
    assert_eq!((first.message_id, &again), (id, &first));
    let changed = messages.send_prepared(&alice, id, outgoing(chat, "z", "other")).await;
    assert!(matches!(changed, Err(Error::Reused)), "{changed:?}");

    let all = world.all(&bob, chat).await;
    assert_eq!(all.iter().map(said).collect::<Vec<_>>(), [Some("hi")]);
    assert_eq!(messages.position(&bob, chat, id).await.unwrap(), Some(first.seq));
}

#[tokio::test]
async fn an_id_is_good_for_one_conversation_and_one_author() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let messages = &world.domain.messages;
    let id = messages.prepare(&alice, Some(direct(&alice, &bob)), "kept".to_owned()).await.unwrap();

    let elsewhere = messages.send_prepared(&alice, id, outgoing(direct(&alice, &carol), "x", "hi")).await.unwrap();
    let borrowed = messages.send_prepared(&bob, id, outgoing(direct(&alice, &bob), "x", "hi")).await.unwrap();
    let nowhere = messages.prepare(&alice, None, "kept".to_owned()).await.unwrap();
    let unaddressed = messages.send_prepared(&alice, nowhere, outgoing(direct(&alice, &bob), "y", "hi")).await.unwrap();
    let made_up =
        messages.send_prepared(&alice, MessageId(999_999), outgoing(direct(&alice, &bob), "z", "hi")).await.unwrap();
    for sent in [elsewhere, borrowed, unaddressed, made_up] {
        assert!(![id, nowhere, MessageId(999_999)].contains(&sent.message_id), "{sent:?}");
    }
}

#[tokio::test]
async fn it_is_kept_for_a_while() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (chat, messages) = (direct(&alice, &bob), &world.domain.messages);
    let id = messages.prepare(&alice, Some(chat), "kept".to_owned()).await.unwrap();
    world.pass(WINDOW - 1);
    assert!(messages.prepared(&alice, id).await.unwrap().is_some());
    world.pass(1);
    assert_eq!(messages.prepared(&alice, id).await.unwrap(), None);
    let late = messages.send_prepared(&alice, id, outgoing(chat, "x", "hi")).await.unwrap();
    assert_ne!(late.message_id, id);

    let long = messages.prepare(&alice, Some(chat), "x".repeat((64 << 10) + 1)).await;
    assert!(matches!(long, Err(Error::Invalid { field: "content", .. })), "{long:?}");
    let server = messages.prepare(&world.server, None, "kept".to_owned()).await;
    assert!(matches!(server, Err(Error::Denied(_))), "{server:?}");
}
