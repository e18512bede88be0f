//! Who is connected.

use crate::world::{START, World, id};
use domain::entry::entry::Body;
use domain::entry::tip;
use domain::presence::{Opened, Opening, State};
use domain::record::event;
use domain::{BootId, Caller, ConversationId, Error, Millis, SessionId, UserId};

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

/// The sessions of a user's kicks, and whether their owners are told why.
fn displaced(events: Vec<(Vec<UserId>, event::Body)>) -> Vec<(u64, u64, bool)> {
    let kicks = events.into_iter().filter_map(|(_, body)| match body {
        event::Body::Kick(kick) => Some(kick),
        _ => None,
    });
    kicks.flat_map(|kick| kick.sessions.into_iter().map(move |at| (at.boot, at.session, kick.reason != 0))).collect()
}

#[tokio::test]
async fn the_newest_devices_stay_whichever_gateways_they_are_at() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (other, other_events) = world.another().await;
    for boot in 1..=2 {
        world.domain.presence.renew(BootId(boot)).await.unwrap();
    }
    let two = |boot, session, platform, device| Opening {
        devices_allowed: Some(2),
        ..opening(boot, session, platform, device)
    };
    world.domain.presence.open(&alice, two(1, 1, 2, "a")).await.unwrap();
    other.presence.open(&alice, two(2, 1, 2, "b")).await.unwrap();
    other.presence.open(&alice, two(2, 2, 1, "web")).await.unwrap();
    assert!(displaced(world.events.take()).is_empty() && displaced(other_events.take()).is_empty());
    // Too many of a platform: the oldest goes. The same device again: its older session goes without a word.
    world.domain.presence.open(&alice, two(1, 2, 2, "c")).await.unwrap();
    assert_eq!(displaced(world.events.take()), [(1, 1, true)]);
    world.domain.presence.open(&alice, two(1, 3, 2, "b")).await.unwrap();
    assert_eq!(displaced(world.events.take()), [(2, 1, false)]);
    for (boot, session, open) in [(1, 1, false), (2, 1, false), (2, 2, true), (1, 2, true), (1, 3, true)] {
        let found = world.domain.presence.is_open(&alice, SessionId(session), BootId(boot)).await.unwrap();
        assert_eq!(found, open, "{session} of {boot}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_devices_that_log_in_at_once_as_many_stay_as_may() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let processes = [world.another().await, world.another().await, world.another().await];
    for allowed in 1..=3 {
        let mut tasks = Vec::new();
        for (number, (domain, _)) in processes.iter().enumerate() {
            let boot = allowed * 10 + number as u64;
            domain.presence.renew(BootId(boot)).await.unwrap();
            for session in 0..3 {
                let (domain, alice) = (domain.clone(), alice.clone());
                let device = format!("{boot}/{session}");
                let opening = Opening {
                    devices_allowed: Some(usize::try_from(allowed).unwrap()),
                    ..opening(boot, session, 5, &device)
                };
                tasks.push(tokio::spawn(async move { domain.presence.open(&alice, opening).await.unwrap() }));
            }
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), Opened::Yes);
        }
        let mut open = 0;
        for boot in (0..3).map(|number| allowed * 10 + number) {
            for session in 0..3 {
                let is_open = world.domain.presence.is_open(&alice, SessionId(session), BootId(boot));
                open += u64::from(is_open.await.unwrap());
            }
        }
        assert_eq!(open, allowed);
        // Each that had to go was named once, wherever it is.
        let mut told: Vec<_> = processes.iter().flat_map(|(_, events)| displaced(events.take())).collect();
        told.retain(|(boot, _, _)| boot / 10 == allowed);
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len() as u64, 9 - allowed);
    }
}

#[tokio::test]
async fn a_gateway_that_was_taken_for_dead_does_not_take_places_back() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let presence = &world.domain.presence;
    let again = |device| Opening { again: true, devices_allowed: Some(1), ..opening(1, 1, 2, device) };
    assert!(!presence.renew(BootId(1)).await.unwrap());
    presence.open(&alice, opening(1, 1, 2, "phone")).await.unwrap();
    presence.renew(BootId(2)).await.unwrap();
    assert_eq!(presence.runs().await.unwrap().len(), 2);
    world.pass(31_000);
    presence.renew(BootId(2)).await.unwrap();
    let runs = presence.runs().await.unwrap();
    assert_eq!(runs.into_iter().collect::<Vec<_>>(), [(BootId(2), Millis(START + 61_000))]);
    // Whoever watches the user asks once the run is over.
    let gone = [BootId(1)].into();
    let states = presence.touched_by(alice.app(), &[id(&alice)], &gone).await.unwrap();
    assert_eq!((states.len(), states[0].1.online), (1, false));

    assert!(!presence.renew(BootId(1)).await.unwrap(), "it was over");
    assert_eq!(presence.open(&alice, again("phone")).await.unwrap(), Opened::Yes, "nobody else came");
    world.pass(31_000);
    presence.renew(BootId(2)).await.unwrap();
    presence.open(&alice, opening(2, 1, 2, "phone")).await.unwrap();
    presence.renew(BootId(1)).await.unwrap();
    assert_eq!(presence.open(&alice, again("phone")).await.unwrap(), Opened::Displaced);
    assert!(presence.is_open(&alice, SessionId(1), BootId(2)).await.unwrap());
    assert!(!presence.is_open(&alice, SessionId(1), BootId(1)).await.unwrap());
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
