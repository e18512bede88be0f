//! Chat rooms: coming in, hearing what is said, and being gone with the session.

use domain::groups::NewGroup;
use domain::record::GroupKind;
use domain::{ConversationId, GroupId};
use proto::wire;
use wire::frame::Body;

use crate::client::Client;
use crate::world::{World, config};

async fn room(world: &World) -> GroupId {
    let new = NewGroup { name: "room".into(), kind: GroupKind::Room, ..NewGroup::default() };
    GroupId(world.domain.groups.create(&world.server, new).await.unwrap().id)
}

async fn enter(client: &mut Client, room: GroupId) {
    assert!(matches!(client.ask(Body::JoinGroup(wire::JoinGroup { id: room.0 })).await, Body::Ok(_)));
}

/// Waits until the store has been told that so many are in a room.
async fn until_in(world: &World, room: GroupId, sessions: u32) {
    world
        .until("the number of a room", async |world| {
            world.domain.groups.in_room(&world.server, room).await.unwrap() == sessions
        })
        .await;
}

#[tokio::test]
async fn who_is_in_a_room_hears_it_and_nobody_else_does() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let room = room(&world).await;
    let conversation = ConversationId::Group(room);
    let mut hers = world.device(&alice, "a1").await;
    let mut his = world.device(&bob, "b1").await;
    let mut outside = world.device(&eve, "e1").await;
    for client in [&mut hers, &mut his] {
        enter(client, room).await;
    }
    until_in(&world, room, 2).await;
    let ack = hers.say(conversation, "1", "one").await;
    assert_eq!(ack.seq, 0);
    assert_eq!(his.heard().await, (0, "one".to_owned()));
    // Who left hears nothing more, and neither does who never came.
    assert!(matches!(his.ask(Body::LeaveGroup(wire::LeaveGroup { id: room.0 })).await, Body::Ok(_)));
    until_in(&world, room, 1).await;
    hers.say(conversation, "2", "two").await;
    let direct = crate::world::direct(&alice, &bob);
    hers.say(direct, "3", "aside").await;
    assert_eq!(his.heard().await, (1, "aside".to_owned()));
    hers.say(crate::world::direct(&alice, &eve), "4", "hello").await;
    assert_eq!(outside.heard().await, (1, "hello".to_owned()));
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_user_is_gone_from_rooms_with_the_session() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let room = room(&world).await;
    let mut hers = world.device(&alice, "a1").await;
    let mut his = world.device(&bob, "b1").await;
    for client in [&mut hers, &mut his] {
        enter(client, room).await;
    }
    until_in(&world, room, 2).await;
    his.send(Body::Bye(wire::Bye {})).await;
    until_in(&world, room, 1).await;
    world.gateway.stop().await;
    assert_eq!(world.domain.groups.in_room(&world.server, room).await.unwrap(), 0, "a gateway that stops says so");
}

#[tokio::test]
async fn a_session_that_comes_into_too_many_rooms_leaves_the_first() {
    let mut config = config();
    config.rooms_per_session = 2;
    let world = World::with(config).await;
    let alice = world.user("alice").await;
    let mut hers = world.device(&alice, "a1").await;
    let rooms = [room(&world).await, room(&world).await, room(&world).await];
    for room in rooms {
        enter(&mut hers, room).await;
    }
    for (room, sessions) in rooms.into_iter().zip([0, 1, 1]) {
        until_in(&world, room, sessions).await;
    }
    world.gateway.stop().await;
}
