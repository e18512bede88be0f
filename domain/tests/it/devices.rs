//! Devices: listing, and ending sessions.

use crate::world::{World, id};
use domain::presence::Opening;
use domain::record::event;
use domain::{BootId, Caller, Denial, Error, Noun, SessionId, UserId};

async fn log_in(world: &World, user: &Caller, session: u64, device_id: &str) {
    let opening = Opening {
        boot: BootId(1),
        session: SessionId(session),
        platform: 2,
        device_id: device_id.to_owned(),
        client: "test/1".to_owned(),
        devices_allowed: None,
        again: false,
    };
    world.domain.presence.renew(BootId(1)).await.unwrap();
    world.domain.presence.open(user, opening).await.unwrap();
}

#[tokio::test]
async fn devices_are_listed_for_their_user_and_the_app() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    log_in(&world, &alice, 1, "phone").await;
    log_in(&world, &alice, 2, "tablet").await;
    log_in(&world, &alice, 3, "phone").await;
    for caller in [&alice, &world.server] {
        let devices = world.domain.devices.list(caller, id(&alice)).await.unwrap();
        let ids: Vec<&str> = devices.iter().map(|device| device.device_id.as_str()).collect();
        assert_eq!(ids, ["phone", "tablet"]);
        assert_eq!(devices[0].client, "test/1");
    }
    assert!(world.domain.devices.list(&bob, id(&bob)).await.unwrap().is_empty());
    let denied = world.domain.devices.list(&bob, id(&alice)).await;
    assert!(matches!(denied, Err(Error::Denied(Denial::Credential))));
    let absent = world.domain.devices.list(&world.server, UserId(42)).await;
    assert!(matches!(absent, Err(Error::NotFound(Noun::User))));
}

#[tokio::test]
async fn a_kick_reaches_the_sessions_that_it_names() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    log_in(&world, &alice, 1, "phone").await;
    world.events.take();
    let devices = &world.domain.devices;
    devices.kick(&world.server, id(&alice), None, 2, "bye").await.unwrap();
    devices.kick(&alice, id(&alice), Some("phone"), 1, "").await.unwrap();
    let told: Vec<_> = world.events.take();
    let kicks: Vec<(Vec<UserId>, &str, u32, &str)> = told
        .iter()
        .map(|(users, body)| match body {
            event::Body::Kick(kick) => (users.clone(), kick.device_id.as_str(), kick.reason, kick.message.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kicks, [(vec![id(&alice)], "", 2, "bye"), (vec![id(&alice)], "phone", 1, "")]);

    let unknown = devices.kick(&alice, id(&alice), Some("toaster"), 1, "").await;
    assert!(matches!(unknown, Err(Error::NotFound(Noun::Device))));
    let denied = devices.kick(&bob, id(&alice), None, 1, "").await;
    assert!(matches!(denied, Err(Error::Denied(Denial::Credential))));
    let absent = devices.kick(&world.server, UserId(42), None, 1, "").await;
    assert!(matches!(absent, Err(Error::NotFound(Noun::User))));
    assert!(world.events.take().is_empty());
}
