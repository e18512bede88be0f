//! Bringing in what was said elsewhere.

use std::collections::HashMap;

use domain::messages::{Imported, said_at};
use domain::record::AppSettings;
use domain::{AppNumber, Config, ConversationId, Denial, Error, GroupId, Noun, UserId};

use crate::world::{START, World, direct, id, said, seqs, text};

fn old(sender: UserId, name: &str, said_at: i64) -> Imported {
    Imported { sender, client_msg_id: name.to_owned(), content: text(name), said_at }
}

#[tokio::test]
async fn old_messages_keep_their_times_and_are_not_news() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let messages =
        vec![old(id(&bob), "second", 2_000), old(id(&alice), "third", 3_000), old(id(&alice), "first", 1_000)];
    let sent = world.domain.messages.import(&world.server, conversation, messages.clone()).await.unwrap();
    // Answered in the order given, placed by their times.
    assert_eq!(sent.iter().map(|sent| sent.seq.0).collect::<Vec<_>>(), [2, 3, 1]);
    let entries = world.all(&bob, conversation).await;
    assert_eq!(entries.iter().map(|entry| said(entry).unwrap()).collect::<Vec<_>>(), ["first", "second", "third"]);
    assert_eq!(entries.iter().map(|entry| entry.time).collect::<Vec<_>>(), [1_000, 2_000, 3_000]);
    assert_eq!(world.domain.conversations.get(&bob, conversation).await.unwrap().unread, 0);
    assert_eq!(world.domain.conversations.unread_total(&bob).await.unwrap(), 0);
    // Every device gets them, as it gets everything.
    assert_eq!(seqs(&world.sync(&bob, &HashMap::new(), 20).await[0].entries), [1, 2, 3]);
    assert_eq!(world.domain.messages.import(&world.server, conversation, messages).await.unwrap(), sent);
    world.send(&alice, conversation, "now", "now").await.unwrap();
    assert_eq!(world.domain.conversations.get(&bob, conversation).await.unwrap().unread, 1);
}

#[tokio::test]
async fn what_comes_late_comes_last_but_says_when_it_was_said() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    world.send(&alice, conversation, "1", "now").await.unwrap();
    world.domain.messages.import(&world.server, conversation, vec![old(id(&bob), "old", 7)]).await.unwrap();
    let entries = world.all(&alice, conversation).await;
    assert_eq!((entries[0].time, entries[1].time), (START, START + 1));
    assert_eq!((said_at(&entries[0]), said_at(&entries[1])), (START, 7));
    // What is withdrawn or edited later stays old.
    world.domain.messages.edit(&bob, conversation, domain::Seq(2), text("older")).await.unwrap();
    assert_eq!(said_at(&world.all(&alice, conversation).await[1]), 7);
    assert_eq!(world.domain.conversations.get(&alice, conversation).await.unwrap().unread, 0);
}

#[tokio::test]
async fn imports_are_the_apps_and_checked_before_any_is_written() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let conversation = direct(&alice, &bob);
    let import = async |caller, conversation, messages| {
        world.domain.messages.import(caller, conversation, messages).await.map(|sent| sent.len())
    };
    let good = old(id(&alice), "1", 1);
    let refused = import(&alice, conversation, vec![good.clone()]).await;
    assert!(matches!(refused, Err(Error::Denied(Denial::Credential))));
    for (bad, field) in [
        (old(id(&alice), "", 1), "client_msg_id"),
        (old(id(&alice), "2", 0), "time"),
        (old(id(&alice), "2", START + 1), "time"),
    ] {
        let refused = import(&world.server, conversation, vec![good.clone(), bad]).await;
        assert!(matches!(refused, Err(Error::Invalid { field: at, .. }) if at == field));
    }
    let refused = import(&world.server, conversation, vec![]).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "messages", .. })));
    let refused = import(&world.server, conversation, vec![good.clone(), old(id(&eve), "2", 1)]).await;
    assert!(matches!(refused, Err(Error::NotFound(Noun::Conversation))));
    let nobody = ConversationId::direct(id(&alice), UserId(99));
    assert!(matches!(import(&world.server, nobody, vec![good.clone()]).await, Err(Error::NotFound(Noun::User))));
    let no_group = ConversationId::Group(GroupId(99));
    assert!(matches!(import(&world.server, no_group, vec![good.clone()]).await, Err(Error::NotFound(Noun::Group))));
    assert!(world.sync(&alice, &HashMap::new(), 20).await.is_empty());

    // In a group, whoever exists may have said it: its members may have left.
    let group = ConversationId::Group(world.group(&alice, &[]).await);
    assert_eq!(import(&world.server, group, vec![good, old(id(&eve), "2", 1)]).await.unwrap(), 2);
}

#[tokio::test]
async fn nobody_is_notified_of_old_messages() {
    let settings = AppSettings { push: true, webhook_after: true, ..AppSettings::default() };
    let world = World::with(settings, Config::default()).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    world.domain.messages.import(&world.server, conversation, vec![old(id(&bob), "old", 1_000)]).await.unwrap();
    assert!(world.domain.outbox.work(AppNumber(7), conversation, 10).await.unwrap().due.is_empty());
    world.send(&alice, conversation, "new", "new").await.unwrap();
    assert_eq!(world.domain.outbox.work(AppNumber(7), conversation, 10).await.unwrap().due.len(), 2);
}
