//! What one process does reaches the sessions of another, over the bus.

use crate::world::{World, direct, id, outgoing, said};
use domain::record::Event;
use domain::{Config, ConversationId, Denial, Domain, Error, Outlet, UserId};
use storage::{Bus, Subscription};

/// Takes from the bus what is there by now.
async fn pump(bus: &mut Subscription, to: &Domain) {
    while let Ok(payload) = tokio::time::timeout(std::time::Duration::from_millis(50), bus.recv()).await {
        let event: Event = proto::Message::decode(payload.unwrap()).unwrap();
        to.receive(event).await;
    }
}

#[tokio::test]
async fn a_process_without_sessions_publishes_and_another_delivers() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let bus = Bus::local();
    let mut subscription = bus.subscribe(100);
    let outlet = Outlet::Bus(bus);
    let rest = Domain::open(world.store.clone(), world.clock.clone(), outlet, Config::default()).await.unwrap();

    rest.messages.send(&alice, outgoing(direct(&alice, &bob), "1", "hello")).await.unwrap();
    assert!(world.events.take().is_empty());
    pump(&mut subscription, &world.domain).await;
    let told = world.events.take_entries();
    assert_eq!((told.len(), said(&told[0].2)), (1, Some("hello")));
    assert_eq!(told[0].0, [id(&alice), id(&bob)]);

    // The process that delivers knows the members already when another process changes them.
    let group = world.group(&alice, &[&bob, &eve]).await;
    let conversation = ConversationId::Group(group);
    world.send(&alice, conversation, "1", "all").await.unwrap();
    world.events.take();
    rest.groups.remove_members(&alice, group, &[id(&eve)]).await.unwrap();
    rest.messages.send(&alice, outgoing(conversation, "2", "two of us")).await.unwrap();
    pump(&mut subscription, &world.domain).await;
    let told = world.events.take_entries();
    let of_group: Vec<&Vec<UserId>> = told.iter().filter(|told| told.1 == conversation).map(|told| &told.0).collect();
    assert_eq!(of_group, [&[id(&alice), id(&bob)], &[id(&alice), id(&bob)]]);
    assert!(told.iter().any(|told| told.1 == ConversationId::Notices(id(&eve)) && told.0 == [id(&eve)]));

    // An event of a later version, or of none, does no harm.
    world.domain.receive(Event { app: 7, ..Event::default() }).await;
    assert!(world.events.take().is_empty());
}

#[tokio::test]
async fn gateways_tell_their_own_sessions_at_once_and_each_other_once() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let bus = Bus::local();
    let mut gateways = [world.process(&bus).await, world.process(&bus).await, world.process(&bus).await];
    gateways[0].domain.messages.send(&alice, outgoing(direct(&alice, &bob), "1", "hello")).await.unwrap();
    let at_once: Vec<usize> = gateways.iter().map(|gateway| gateway.events.take_entries().len()).collect();
    assert_eq!(at_once, [1, 0, 0]);
    for gateway in &mut gateways {
        gateway.hear().await;
    }
    let over_the_bus: Vec<usize> = gateways.iter().map(|gateway| gateway.events.take_entries().len()).collect();
    assert_eq!(over_the_bus, [0, 1, 1]);
}

#[tokio::test]
async fn what_an_app_changes_holds_for_users_who_are_logged_in_already() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    world.send(&alice, direct(&alice, &bob), "1", "hello").await.unwrap();
    world.domain.apps.set("demo", |settings| settings.friends_only = true).await.unwrap();
    let refused = world.send(&alice, direct(&alice, &bob), "2", "hello?").await;
    assert!(matches!(refused, Err(Error::Denied(Denial::NotFriends))), "{refused:?}");
}
