//! Sending, reading back, withdrawing, editing.

use std::collections::HashMap;
use std::time::Duration;

use crate::world::{self, World, direct, id, outgoing, said, seqs, text};
use domain::conversations::Verdict;
use domain::entry::Content;
use domain::entry::entry::Body;
use domain::messages::{HistoryRange, Outgoing, is_recalled};
use domain::record::AppSettings;
use domain::roster::Ask;
use domain::units::ByteSize;
use domain::{Config, ConversationId, Denial, Error, GroupId, MessageId, Noun, Seq, UserId};

#[tokio::test]
async fn the_first_message_begins_a_conversation_for_both() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let sent = world.send(&alice, conversation, "1", "hello").await.unwrap();
    assert_eq!((sent.seq, sent.time), (Seq(1), world::START));
    let told = world.events.take_entries();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].0.len(), said(&told[0].2)), (2, Some("hello")));
    for caller in [&alice, &bob] {
        let synced = world.sync(caller, &HashMap::new(), 20).await;
        assert_eq!(synced.len(), 1);
        assert_eq!((synced[0].conversation.id, synced[0].verdict), (conversation, Verdict::Complete));
        assert_eq!(seqs(&synced[0].entries), [1]);
    }
    assert_eq!(world.domain.conversations.get(&bob, conversation).await.unwrap().unread, 1);
    assert_eq!(world.domain.conversations.get(&alice, conversation).await.unwrap().unread, 0);
}

#[tokio::test]
async fn times_rise_even_when_the_clock_does_not() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut times = Vec::new();
    for (step, name) in [(0, "1"), (0, "2"), (-5_000, "3"), (10_000, "4")] {
        world.pass(step);
        times.push(world.send(&alice, direct(&alice, &bob), name, "x").await.unwrap().time - world::START);
    }
    assert_eq!(times, [0, 1, 2, 5_000]);
}

#[tokio::test]
async fn a_retry_changes_nothing() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let first = world.send(&alice, conversation, "same", "hello").await.unwrap();
    world.pass(60_000);
    assert_eq!(world.send(&alice, conversation, "same", "hello").await.unwrap(), first);
    assert!(matches!(world.send(&alice, conversation, "same", "other").await, Err(Error::Reused)));
    // The id is the sender's own.
    assert_eq!(world.send(&bob, conversation, "same", "other").await.unwrap().seq, Seq(2));
    assert_eq!(world.all(&alice, conversation).await.len(), 2);
    // After an edit, a late retry of the original is still the same message.
    world.domain.messages.edit(&alice, conversation, Seq(1), text("better")).await.unwrap();
    assert_eq!(world.send(&alice, conversation, "same", "hello").await.unwrap(), first);
    world.pass(8 * 86_400_000);
    assert_eq!(world.send(&alice, conversation, "same", "hello").await.unwrap().seq, Seq(4));
}

#[tokio::test]
async fn retries_that_meet_their_original_under_way_find_its_place() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let sends = (0..30).map(|number| {
        let name = format!("{}", number % 3);
        let (world, alice) = (&world, &alice);
        async move { (number % 3, world.send(alice, conversation, &name, &name).await.unwrap()) }
    });
    let outcomes = futures_util::future::join_all(sends).await;
    for (number, sent) in &outcomes {
        assert!(outcomes.iter().filter(|(other, _)| other == number).all(|(_, other)| other == sent));
    }
    assert_eq!(seqs(&world.all(&alice, conversation).await), [1, 2, 3]);
    assert_eq!(world.events.take_entries().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let config = Config { content_limit: ByteSize(100), mention_limit: 2, ..Config::default() };
    let world = World::with(AppSettings::default(), config).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let field = |error: Error| match error {
        Error::Invalid { field, .. } => field,
        other => panic!("{other}"),
    };
    let refused = async |name: &str, content: Content| {
        let message = Outgoing { conversation, client_msg_id: name.to_owned(), content, online_only: false };
        field(world.domain.messages.send(&alice, message).await.unwrap_err())
    };
    assert_eq!(refused("", text("x")).await, "client_msg_id");
    assert_eq!(refused(&"x".repeat(65), text("x")).await, "client_msg_id");
    assert_eq!(refused("1", Content::default()).await, "content");
    assert_eq!(refused("1", text(&"x".repeat(100))).await, "content");
    assert_eq!(refused("1", Content { mentions: vec![1, 2, 3], ..text("x") }).await, "mentions");
    assert!(world.events.take().is_empty());
    assert!(world.sync(&bob, &HashMap::new(), 1).await.is_empty());
}

#[tokio::test]
async fn only_who_may_write_does() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let conversation = direct(&alice, &bob);
    let send = async |caller, conversation| world.send(caller, conversation, "1", "x").await.map(|sent| sent.seq);
    let nobody = ConversationId::direct(id(&alice), UserId(99));
    assert!(matches!(send(&alice, nobody).await, Err(Error::NotFound(Noun::User))));
    assert!(matches!(send(&eve, conversation).await, Err(Error::NotFound(Noun::Conversation))));
    assert!(matches!(send(&world.server, conversation).await, Err(Error::Denied(Denial::Credential))));
    assert!(matches!(send(&alice, ConversationId::Group(GroupId(99))).await, Err(Error::NotFound(Noun::Group))));
    let notices = ConversationId::Notices(id(&bob));
    assert!(matches!(send(&bob, notices).await, Err(Error::Denied(Denial::Credential))));
    assert_eq!(send(&world.server, notices).await.unwrap(), Seq(1));

    world.domain.roster.block(&bob, id(&alice)).await.unwrap();
    assert!(matches!(send(&alice, conversation).await, Err(Error::Denied(Denial::Blocked))));
    let typing = world.domain.conversations.typing(&alice, conversation, true).await;
    assert!(matches!(typing, Err(Error::Denied(Denial::Blocked))));
    world.domain.roster.unblock(&bob, id(&alice)).await.unwrap();
    assert_eq!(send(&alice, conversation).await.unwrap(), Seq(1));

    let group = world.group(&alice, &[&bob]).await;
    let conversation = ConversationId::Group(group);
    assert!(matches!(send(&eve, conversation).await, Err(Error::Denied(Denial::NotMember))));
    assert!(send(&bob, conversation).await.is_ok());
    assert!(send(&world.server, conversation).await.is_ok());
    world.domain.groups.remove_members(&alice, group, &[id(&bob)]).await.unwrap();
    assert!(matches!(send(&bob, conversation).await, Err(Error::Denied(Denial::NotMember))));
    let range = HistoryRange { from: Seq(0), ascending: true, limit: 10 };
    let history = world.domain.messages.history(&bob, conversation, range).await;
    assert!(matches!(history, Err(Error::NotFound(Noun::Conversation))));
}

#[tokio::test]
async fn where_friends_only_talk_others_do_not() {
    let world = World::with(AppSettings { friends_only: true, ..AppSettings::default() }, Config::default()).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let refused = world.send(&alice, conversation, "1", "x").await;
    assert!(matches!(refused, Err(Error::Denied(Denial::NotFriends))));
    world.domain.roster.request(&alice, id(&bob), Ask::because("")).await.unwrap();
    // The policy of a new user is to be everyone's friend.
    assert_eq!(world.send(&alice, conversation, "1", "x").await.unwrap().seq, Seq(1));
}

#[tokio::test]
async fn history_reads_in_both_directions() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    for number in 1..=10 {
        world.send(&alice, conversation, &number.to_string(), "x").await.unwrap();
    }
    let read = async |from, ascending, limit| {
        let range = HistoryRange { from: Seq(from), ascending, limit };
        let page = world.domain.messages.history(&bob, conversation, range).await.unwrap();
        assert_eq!((page.first_seq, page.last_seq), (1, 10));
        (seqs(&page.entries), page.complete)
    };
    assert_eq!(read(0, true, 4).await, (vec![1, 2, 3, 4], false));
    assert_eq!(read(5, true, 4).await, (vec![5, 6, 7, 8], false));
    assert_eq!(read(7, true, 4).await, (vec![7, 8, 9, 10], true));
    assert_eq!(read(11, true, 4).await, (vec![], true));
    assert_eq!(read(u64::MAX, true, 4).await, (vec![], true));
    assert_eq!(read(0, false, 3).await, (vec![10, 9, 8], false));
    assert_eq!(read(3, false, 3).await, (vec![3, 2, 1], true));
    assert_eq!(read(u64::MAX, false, 1).await, (vec![10], false));
    for limit in [0, 201, usize::MAX] {
        let range = HistoryRange { from: Seq(0), ascending: true, limit };
        let refused = world.domain.messages.history(&bob, conversation, range).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "limit", .. })));
    }
}

#[tokio::test]
async fn a_recall_leaves_the_place_and_nothing_in_it() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    world.send(&alice, conversation, "1", "secret").await.unwrap();
    let recall = async |caller, seq| world.domain.messages.recall(caller, conversation, Seq(seq)).await;
    assert!(matches!(recall(&bob, 1).await, Err(Error::Denied(Denial::NotAuthor))));
    for seq in [0, 2, u64::MAX] {
        assert!(matches!(recall(&alice, seq).await, Err(Error::NotFound(Noun::Message))));
    }
    world.pass(120_000);
    recall(&alice, 1).await.unwrap();
    recall(&alice, 1).await.unwrap();
    let entries = world.all(&bob, conversation).await;
    assert_eq!(seqs(&entries), [1, 2]);
    assert!(is_recalled(&entries[0]) && entries[0].client_msg_id == "1");
    assert!(matches!(&entries[1].body, Some(Body::Recall(recall)) if recall.seq == 1));
    assert!(matches!(recall(&alice, 2).await, Err(Error::NotFound(Noun::Message))));
    let edit = world.domain.messages.edit(&alice, conversation, Seq(1), text("again")).await;
    assert!(matches!(edit, Err(Error::NotFound(Noun::Message))));
    assert_eq!(world.domain.conversations.get(&bob, conversation).await.unwrap().unread, 0);

    let late = world.send(&alice, conversation, "2", "late").await.unwrap().seq;
    world.pass(120_002);
    assert!(matches!(recall(&alice, late.0).await, Err(Error::Denied(Denial::TooLate))));
    recall(&world.server, late.0).await.unwrap();
}

#[tokio::test]
async fn whoever_leads_a_group_withdraws_anything_at_any_time() {
    let world = World::new().await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let conversation = ConversationId::Group(world.group(&owner, &[&bob, &eve]).await);
    let sent = world.send(&bob, conversation, "1", "x").await.unwrap();
    world.pass(86_400_000);
    let recall = async |caller| world.domain.messages.recall(caller, conversation, sent.seq).await;
    assert!(matches!(recall(&eve).await, Err(Error::Denied(Denial::NotAuthor))));
    assert!(matches!(recall(&bob).await, Err(Error::Denied(Denial::TooLate))));
    recall(&owner).await.unwrap();
    let entries = world.all(&eve, conversation).await;
    assert!(entries.iter().any(is_recalled));
}

#[tokio::test]
async fn an_edit_shows_in_the_message_and_as_an_entry() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    world.send(&alice, conversation, "1", "helo").await.unwrap();
    let edit = async |caller, said| world.domain.messages.edit(caller, conversation, Seq(1), text(said)).await;
    assert!(matches!(edit(&bob, "x").await, Err(Error::Denied(Denial::NotAuthor))));
    edit(&alice, "hello").await.unwrap();
    let entries = world.all(&bob, conversation).await;
    assert_eq!((said(&entries[0]), entries[0].seq, entries[0].time), (Some("hello"), 1, world::START));
    assert!(matches!(&entries[1].body, Some(Body::Edit(edit)) if edit.seq == 1 && edit.content == Some(text("hello"))));
    world.domain.roster.block(&bob, id(&alice)).await.unwrap();
    assert!(matches!(edit(&alice, "rude").await, Err(Error::Denied(Denial::Blocked))));
}

#[tokio::test]
async fn an_online_only_message_is_told_and_not_kept() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let message = Outgoing { online_only: true, ..outgoing(conversation, "1", "now") };
    let sent = world.domain.messages.send(&alice, message).await.unwrap();
    assert_eq!(sent.seq, Seq(0));
    let told = world.events.take_entries();
    assert_eq!((told.len(), said(&told[0].2), told[0].2.seq), (1, Some("now"), 0));
    assert!(world.sync(&bob, &HashMap::new(), 1).await.is_empty());
}

#[tokio::test]
async fn the_newest_messages_come_from_every_conversation() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let mut expected = Vec::new();
    for number in 0..20 {
        world.pass(1_000);
        let other = if number % 3 == 0 { &bob } else { &eve };
        let name = number.to_string();
        let sent = world.send(other, direct(&alice, other), &name, &name).await.unwrap();
        expected.push((sent.conversation, name));
        if number % 4 == 0 {
            world.domain.messages.recall(other, sent.conversation, sent.seq).await.unwrap();
            expected.pop();
        }
    }
    for limit in [1, 2, 5, 15, 20] {
        let recent = world.domain.messages.recent(&alice, limit).await.unwrap();
        let recent: Vec<_> = recent.iter().map(|(id, entry)| (*id, said(entry).unwrap().to_owned())).collect();
        assert_eq!(recent, expected[expected.len().saturating_sub(limit)..]);
    }
}

#[tokio::test]
async fn a_message_id_has_a_position_for_those_who_may_see_it() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let conversation = direct(&alice, &bob);
    world.send(&alice, conversation, "1", "x").await.unwrap();
    let sent = world.send(&alice, conversation, "2", "x").await.unwrap();
    let position = async |caller, message| world.domain.messages.position(caller, conversation, message).await;
    assert_eq!(position(&bob, sent.message_id).await.unwrap(), Some(Seq(2)));
    assert_eq!(position(&bob, MessageId(sent.message_id.0 + 1)).await.unwrap(), None);
    assert!(matches!(position(&eve, sent.message_id).await, Err(Error::NotFound(Noun::Conversation))));
    world.domain.conversations.delete(&bob, conversation).await.unwrap();
    assert_eq!(position(&bob, sent.message_id).await.unwrap(), None);
}

#[tokio::test]
async fn what_retention_takes_is_said_to_be_gone() {
    let day = Duration::from_secs(86_400);
    let retention_ms = i64::try_from(day.as_millis()).unwrap();
    let world = World::with(AppSettings { retention_ms, ..AppSettings::default() }, Config::default()).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    for number in 0..3 {
        world.send(&alice, conversation, &number.to_string(), "old").await.unwrap();
    }
    // A change of an old message does not prolong its life.
    world.pass(100_000);
    world.domain.messages.edit(&alice, conversation, Seq(2), text("newer")).await.unwrap();
    world.pass(retention_ms - 50_000);
    world.send(&alice, conversation, "new", "new").await.unwrap();
    assert_eq!(seqs(&world.all(&bob, conversation).await), [4, 5]);
    let synced = &world.sync(&bob, &HashMap::new(), 20).await[0];
    assert_eq!((synced.conversation.first_seq, synced.verdict), (Seq(4), Verdict::Truncated { from: Seq(4) }));
    assert_eq!((seqs(&synced.entries), synced.conversation.unread), (vec![4, 5], 1));
    world.pass(2 * retention_ms);
    let synced = &world.sync(&bob, &HashMap::new(), 20).await[0];
    assert_eq!((synced.conversation.first_seq, synced.verdict), (Seq(6), Verdict::Truncated { from: Seq(6) }));
    assert!(world.domain.conversations.list(&bob, None, 10).await.unwrap().items.is_empty());
    assert_eq!(world.send(&alice, conversation, "again", "new").await.unwrap().seq, Seq(6));
}
