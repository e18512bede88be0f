//! Chat rooms: what is said there is heard and not kept.

use domain::entry::entry::Body;
use domain::entry::tip::Kind;
use domain::groups::{Applied, GroupChange, NewGroup};
use domain::record::{GroupKind, event};
use domain::{BootId, Caller, ConversationId, Denial, Error, GroupId, GroupRef, Noun, Result};

use crate::world::{World, id, outgoing};

async fn room(world: &World, owner: &Caller) -> GroupId {
    let new = NewGroup { name: "room".into(), kind: GroupKind::Room, owner_is_member: true, ..NewGroup::default() };
    GroupId(world.domain.groups.create(owner, new).await.unwrap().id)
}

/// What was told to whoever is in rooms: who said it, and what.
fn heard(world: &World) -> Vec<(u64, Option<Body>)> {
    let told = world.events.take().into_iter().filter_map(|(_, body)| match body {
        event::Body::Appended(event) if event.room => {
            assert!(event.online_only);
            event.entry.map(|entry| (entry.sender, entry.body))
        }
        _ => None,
    });
    told.collect()
}

fn denied<T: std::fmt::Debug>(outcome: Result<T>, why: Denial) {
    assert!(matches!(&outcome, Err(Error::Denied(denial)) if *denial == why), "expected {why:?}, not {outcome:?}");
}

#[tokio::test]
async fn what_is_said_in_a_room_is_heard_and_not_kept() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let room = room(&world, &alice).await;
    let conversation = ConversationId::Group(room);
    world.events.take();
    // Anyone may speak, whether or not a session of theirs is there.
    for (speaker, text) in [(&alice, "one"), (&bob, "two"), (&world.server, "three")] {
        let sent = world.domain.messages.send(speaker, outgoing(conversation, text, text)).await.unwrap();
        assert_eq!(sent.seq.0, 0);
        assert_ne!(sent.message_id.0, 0);
    }
    let speakers: Vec<u64> = heard(&world).into_iter().map(|(sender, _)| sender).collect();
    assert_eq!(speakers, [id(&alice).0, id(&bob).0, 0]);
    for user in [&alice, &bob] {
        let gone = world.domain.conversations.get(user, conversation).await;
        assert!(matches!(gone, Err(Error::NotFound(Noun::Conversation))), "{gone:?}");
        assert!(world.domain.conversations.list(user, None, 100).await.unwrap().items.is_empty());
        assert!(world.domain.groups.list(user, None, 100).await.unwrap().items.is_empty());
    }
}

#[tokio::test]
async fn a_room_keeps_no_members() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let room = room(&world, &alice).await;
    let groups = &world.domain.groups;
    let record = groups.find(&bob, &GroupRef::Id(room)).await.unwrap();
    assert_eq!((record.owner, record.members), (id(&alice).0, 0));
    assert_eq!(groups.apply(&bob, room, "").await.unwrap(), Applied::Joined);
    groups.join(&bob, room).await.unwrap();
    assert!(groups.member(&world.server, room, id(&bob)).await.unwrap().is_none());
    let added = groups.add_members(&alice, room, &[(id(&bob), String::new())]).await.unwrap();
    assert!(matches!(&added[0].1, domain::groups::Added::Failed(Error::Denied(Denial::JoinClosed))), "{added:?}");
    let with_members = NewGroup {
        kind: GroupKind::Room,
        members: vec![(id(&bob), domain::record::Role::Member)],
        ..NewGroup::default()
    };
    assert!(matches!(groups.create(&alice, with_members).await, Err(Error::Invalid { field: "members", .. })));
}

#[tokio::test]
async fn coming_and_going_is_told_to_the_users_own_sessions() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let room = room(&world, &alice).await;
    let group = world.group(&alice, &[]).await;
    world.events.take();
    world.domain.groups.enter(&bob, room).await.unwrap();
    world.domain.groups.leave(&bob, room).await.unwrap();
    let moves = world.events.take().into_iter().map(|(users, body)| match body {
        event::Body::RoomMoved(moved) => (users, moved.user, moved.room, moved.entered),
        other => panic!("{other:?}"),
    });
    let own = |entered| (vec![id(&bob)], id(&bob).0, room.0, entered);
    assert_eq!(moves.collect::<Vec<_>>(), [own(true), own(false)]);
    for outcome in [world.domain.groups.enter(&bob, group).await, world.domain.groups.enter(&bob, GroupId(9)).await] {
        assert!(matches!(outcome, Err(Error::NotFound(Noun::Group))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_room_can_be_silenced_changed_and_ended() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let room = room(&world, &alice).await;
    let conversation = ConversationId::Group(room);
    let groups = &world.domain.groups;
    let say = async |user: &Caller| world.domain.messages.send(user, outgoing(conversation, "x", "x")).await;
    world.events.take();
    let silence = GroupChange { muted_until: Some(-1), ..GroupChange::default() };
    denied(groups.update(&bob, room, silence.clone()).await, Denial::NotMember);
    groups.update(&alice, room, silence).await.unwrap();
    denied(say(&bob).await, Denial::Muted);
    say(&alice).await.unwrap();
    groups.update(&alice, room, GroupChange { muted_until: Some(0), ..GroupChange::default() }).await.unwrap();
    groups.block(&alice, room, &[id(&eve)]).await.unwrap();
    denied(say(&eve).await, Denial::Barred);
    denied(groups.enter(&eve, room).await, Denial::Barred);
    groups.announce(&alice, room, "", "hear").await.unwrap();
    assert_eq!(groups.find(&bob, &GroupRef::Id(room)).await.unwrap().announcement, "hear");
    groups.dismiss(&alice, room).await.unwrap();
    assert!(matches!(say(&bob).await, Err(Error::NotFound(Noun::Group))));
    let tips: Vec<Kind> = heard(&world)
        .into_iter()
        .filter_map(|(_, body)| match body {
            Some(Body::Tip(tip)) => Some(tip.kind()),
            _ => None,
        })
        .collect();
    let changed = Kind::GroupChanged;
    assert_eq!(tips, [changed, changed, Kind::MembersBlocked, changed, Kind::GroupDismissed]);
}

#[tokio::test]
async fn gateways_tell_how_many_are_in_a_room() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let room = room(&world, &alice).await;
    let groups = &world.domain.groups;
    assert_eq!(groups.in_room(&alice, room).await.unwrap(), 0);
    groups.report_room(alice.app(), room, BootId(1), 5).await.unwrap();
    groups.report_room(alice.app(), room, BootId(2), 3).await.unwrap();
    assert_eq!(groups.in_room(&alice, room).await.unwrap(), 8);
    groups.report_room(alice.app(), room, BootId(2), 0).await.unwrap();
    assert_eq!(groups.in_room(&alice, room).await.unwrap(), 5);
    world.pass(60_000);
    assert_eq!(groups.in_room(&alice, room).await.unwrap(), 0, "a gateway that says nothing any more counts no more");
}
