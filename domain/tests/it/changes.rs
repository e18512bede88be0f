//! Adding to texts, withdrawing all that somebody said, and what only the app can say.

use domain::entry::entry::Body;
use domain::entry::{Content, Custom, content};
use domain::messages::{Outgoing, Swept, is_recalled};
use domain::{Config, ConversationId, Denial, Error, Noun, Seq, UserId};

use crate::world::{World, direct, id, outgoing, said, seqs, text};

#[tokio::test]
async fn a_text_grows_by_what_is_put_behind_it() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    world.send(&alice, conversation, "1", "one").await.unwrap();
    let append = async |caller, name: &'static str, more: &'static str| {
        world.domain.messages.append(caller, conversation, Seq(1), name, more).await
    };
    append(&alice, "a", " two").await.unwrap();
    append(&alice, "a", " two").await.unwrap();
    append(&alice, "b", " three").await.unwrap();
    // A late retry of the first changes nothing either.
    append(&alice, "a", " two").await.unwrap();
    append(&alice, "", "!").await.unwrap();
    append(&alice, "", "!").await.unwrap();
    let entries = world.all(&bob, conversation).await;
    assert_eq!((seqs(&entries), said(&entries[0])), (vec![1, 2, 3, 4, 5], Some("one two three!!")));
    // Every device folds edits, so each tells the whole text.
    assert!(matches!(&entries[2].body, Some(Body::Edit(edit)) if edit.content == Some(text("one two three"))));
    assert!(matches!(append(&bob, "c", "x").await, Err(Error::Denied(Denial::NotAuthor))));
    assert!(matches!(append(&alice, "c", "").await, Ok(())));
    world.domain.messages.recall(&alice, conversation, Seq(1)).await.unwrap();
    assert!(matches!(append(&alice, "d", "x").await, Err(Error::NotFound(Noun::Message))));
}

#[tokio::test]
async fn retries_of_an_addition_that_meet_add_once() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    world.send(&alice, conversation, "1", "").await.unwrap();
    let adds = (0..30).map(|number| {
        let name = format!("n{}", number % 3);
        let (world, alice) = (&world, &alice);
        async move { world.domain.messages.append(alice, conversation, Seq(1), &name, "x").await.unwrap() }
    });
    futures_util::future::join_all(adds).await;
    assert_eq!(said(&world.all(&bob, conversation).await[0]), Some("xxx"));
}

#[tokio::test]
async fn only_texts_grow_and_not_without_bounds() {
    let config = Config { content_limit: domain::units::ByteSize(60), ..Config::default() };
    let world = World::with(domain::record::AppSettings::default(), config).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let custom = content::Kind::Custom(Custom { data: "x".into(), ..Custom::default() });
    let message =
        Outgoing { content: Content { kind: Some(custom), ..Content::default() }, ..outgoing(conversation, "1", "") };
    world.domain.messages.send(&alice, message).await.unwrap();
    world.send(&alice, conversation, "2", "short").await.unwrap();
    for (seq, more) in [(1, "x".to_owned()), (2, "x".repeat(60))] {
        let refused = world.domain.messages.append(&alice, conversation, Seq(seq), "a", &more).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "content", .. })));
    }
    let refused = world.domain.messages.append(&alice, conversation, Seq(2), &"n".repeat(65), "x").await;
    assert!(matches!(refused, Err(Error::Invalid { field: "client_msg_id", .. })));
}

#[tokio::test]
async fn a_sweep_takes_back_what_one_user_said() {
    let world =
        World::with(domain::record::AppSettings::default(), Config { sweep_limit: 4, ..Config::default() }).await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let group = world.group(&owner, &[&bob, &eve]).await;
    let conversation = ConversationId::Group(group);
    // The group's first entry tells of its making.
    for number in 0..6 {
        let author = if number % 2 == 0 { &bob } else { &eve };
        world.send(author, conversation, &number.to_string(), "x").await.unwrap();
    }
    world.pass(86_400_000);
    let sweep = async |caller, from| world.domain.messages.sweep(caller, group, id(&bob), Seq(from)).await;
    for caller in [&bob, &eve] {
        assert!(matches!(sweep(caller, 0).await, Err(Error::Denied(Denial::NotAdmin))));
    }
    assert_eq!(sweep(&owner, 0).await.unwrap(), Swept { recalled: 2, next: Some(Seq(3)) });
    assert_eq!(sweep(&world.server, 3).await.unwrap(), Swept { recalled: 1, next: None });
    assert_eq!(sweep(&world.server, 3).await.unwrap(), Swept { recalled: 0, next: None });
    let entries = world.all(&eve, conversation).await;
    let left: Vec<UserId> =
        entries.iter().filter(|entry| said(entry).is_some()).map(|entry| UserId(entry.sender)).collect();
    assert_eq!((left, entries.iter().filter(|entry| is_recalled(entry)).count()), (vec![id(&eve); 3], 3));
}

#[tokio::test]
async fn only_the_app_speaks_as_the_app() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let group = ConversationId::Group(world.group(&alice, &[&bob]).await);
    let claimed = Content { system: true, said_at: 5, ..text("believe me") };
    let message = |conversation| Outgoing { content: claimed.clone(), ..outgoing(conversation, "1", "") };
    world.domain.messages.send(&bob, message(group)).await.unwrap();
    assert!(matches!(world.domain.messages.notify(&bob, message(group)).await, Err(Error::Denied(Denial::Credential))));
    assert!(matches!(bob.as_server(), Err(Error::Denied(Denial::Credential))));
    let muted = domain::groups::GroupChange { muted_until: Some(-1), ..Default::default() };
    let ConversationId::Group(number) = group else { panic!("it is a group") };
    world.domain.groups.update(&alice, number, muted).await.unwrap();
    let notices = ConversationId::Notices(id(&bob));
    for conversation in [group, notices] {
        world.domain.messages.notify(&world.server, message(conversation)).await.unwrap();
    }
    let by_bob = world.domain.tokens.act_as(&world.server, id(&bob)).await.unwrap();
    let again = Outgoing { client_msg_id: "2".into(), ..message(notices) };
    world.domain.messages.notify(&by_bob, again).await.unwrap();
    let said_in = async |conversation| -> Vec<(u64, bool, i64)> {
        let entries = world.all(&bob, conversation).await;
        let messages = entries.into_iter().filter_map(|entry| match entry.body {
            Some(Body::Message(content)) => Some((entry.sender, content.system, content.said_at)),
            _ => None,
        });
        messages.collect()
    };
    assert_eq!(said_in(group).await, [(id(&bob).0, false, 0), (0, true, 0)]);
    assert_eq!(said_in(notices).await, [(0, true, 0), (id(&bob).0, true, 0)]);
}
