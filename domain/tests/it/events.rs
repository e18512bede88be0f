//! What one process does reaches the sessions of another, over the bus.

use crate::world::{World, direct, id, outgoing, said};
use domain::record::Event;
use domain::{Config, ConversationId, Domain, Outlet, UserId};
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
