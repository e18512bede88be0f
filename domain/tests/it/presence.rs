//! Who is connected.

use crate::world::{START, World, id};
use domain::entry::entry::Body;
use domain::entry::tip;
use domain::presence::{Opening, State};
use domain::record::event;
use domain::{BootId, Caller, ConversationId, Error, SessionId, UserId};

fn opening(boot: u64, session: u64, platform: u32, device_id: &str) -> Opening {
    Opening {
        boot: BootId(boot),
        session: SessionId(session),
        platform,
        device_id: device_id.to_owned(),
        client: "test/1".to_owned(),
        devices_allowed: None,
        again: false,
    }
}

async fn state(world: &World, user: &Caller) -> State {
    world.domain.presence.query(user, &[id(user)]).await.unwrap().pop().unwrap().1
}

fn moves(world: &World) -> Vec<(u64, bool)> {
    let events = world.events.take().into_iter().filter_map(|(_, body)| match body {
        event::Body::PresenceMoved(moved) => Some((moved.user, moved.online)),
        _ => None,
    });
    events.collect()
}

#[tokio::test]
async fn a_user_is_online_while_a_session_is_open() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let presence = &world.domain.presence;
    assert_eq!(state(&world, &alice).await, State::default());
    presence.renew(BootId(1)).await.unwrap();
    presence.open(&alice, opening(1, 1, 2, "phone")).await.unwrap();
    presence.open(&alice, opening(1, 2, 1, "pad")).await.unwrap();
    presence.open(&alice, opening(1, 3, 2, "phone")).await.unwrap();
    assert_eq!(moves(&world), [(id(&alice).0, true)]);
    assert_eq!(state(&world, &alice).await, State { online: true, platforms: vec![1, 2], last_seen: START });
    world.pass(5_000);
    presence.close(&alice, SessionId(1), BootId(1)).await.unwrap();
    presence.close(&alice, SessionId(2), BootId(1)).await.unwrap();
    assert_eq!(moves(&world), []);
    presence.close(&alice, SessionId(3), BootId(1)).await.unwrap();
    assert_eq!(moves(&world), [(id(&alice).0, false)]);
    world.pass(5_000);
    assert_eq!(state(&world, &alice).await, State { online: false, platforms: vec![], last_seen: START + 5_000 });
}

#[tokio::test]
async fn a_gateway_that_dies_takes_its_sessions_with_it() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let presence = &world.domain.presence;
    presence.renew(BootId(1)).await.unwrap();
    presence.open(&alice, opening(1, 1, 2, "phone")).await.unwrap();
    for _ in 0..10 {
        world.pass(10_000);
        presence.renew(BootId(1)).await.unwrap();
    }
    assert!(state(&world, &alice).await.online);
    world.pass(30_000);
    assert!(!state(&world, &alice).await.online);
    // Another run under the same session number is another session, and the old lease goes.
    presence.renew(BootId(2)).await.unwrap();
    moves(&world);
    presence.open(&alice, opening(2, 1, 2, "phone")).await.unwrap();
    assert_eq!(moves(&world), [(id(&alice).0, true)]);
    presence.renew(BootId(1)).await.unwrap();
    presence.close(&alice, SessionId(1), BootId(2)).await.unwrap();
    assert!(!state(&world, &alice).await.online);
    presence.open(&alice, opening(2, 2, 2, "phone")).await.unwrap();
    presence.end(BootId(2)).await.unwrap();
    assert!(!state(&world, &alice).await.online);
}

#[tokio::test]
async fn a_new_device_is_told_to_the_others_once() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let open = async |session, device: &str| {
        world.events.take();
        world.domain.presence.open(&alice, opening(1, session, 2, device)).await.unwrap();
        world.events.take_entries()
    };
    assert!(open(1, "phone").await.is_empty());
    let told = open(2, "pad").await;
    assert_eq!((told.len(), told[0].1), (1, ConversationId::Notices(id(&alice))));
    let Some(Body::Tip(tip)) = &told[0].2.body else { panic!("{told:?}") };
    assert_eq!((tip.kind(), &*tip.text), (tip::Kind::DeviceLoggedIn, "pad"));
    assert!(open(3, "pad").await.is_empty());
    let devices = world.domain.devices.list(&alice, id(&alice)).await.unwrap();
    assert_eq!(devices.iter().map(|device| &*device.device_id).collect::<Vec<_>>(), ["pad", "phone"]);
}

#[tokio::test]
async fn limits_hold() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for device in [String::new(), "x".repeat(65)] {
        let refused = world.domain.presence.open(&alice, opening(1, 1, 2, &device)).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "device_id", .. })));
    }
    let users: Vec<UserId> = (1..=201).map(UserId).collect();
    assert_eq!(world.domain.presence.query(&alice, &users[..200]).await.unwrap().len(), 200);
    let refused = world.domain.presence.query(&alice, &users).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "users", .. })));
}
