//! How sessions begin, go on and end.

use std::time::Duration;

use proto::wire;
use wire::error::Code;
use wire::frame::Body;
use wire::kicked::Reason;

use gateway::Config;

use crate::client::{Client, hello, outgoing, said};
use crate::world::{World, certs, config, direct};

#[tokio::test]
async fn a_dropped_session_goes_on_and_misses_nothing() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut sender = world.device(&alice, "a1").await;
    let mut receiver = world.connect().await;
    let welcome = receiver.log_in(&bob, "b1").await;
    sender.say(conversation, "1", "one").await;
    assert_eq!(receiver.heard().await.0, 1);
    drop(receiver);
    for number in 2..=4 {
        sender.say(conversation, &number.to_string(), "while away").await;
    }
    // The client is not sure about the first one either.
    for received in [0, 1] {
        let mut again = world.connect().await;
        match again.resume(&welcome, received).await {
            Body::Welcome(again) => {
                assert_eq!(again.resumed(), wire::Resumed::Complete);
                assert_eq!(again.session, welcome.session);
            }
            other => panic!("{other:?}"),
        }
        for expected in received + 1..=4 {
            assert_eq!(again.heard().await.0, expected);
        }
        // This one still holds the session when the next takes it over.
        std::mem::forget(again);
    }
}

#[tokio::test]
async fn who_takes_a_session_over_gets_it_alone() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut old = world.connect().await;
    let welcome = old.log_in(&bob, "b1").await;
    let mut new = Client::tls(world.gateway.addresses().tls.unwrap()).await;
    assert!(matches!(new.resume(&welcome, 0).await, Body::Welcome(_)));
    old.expect_end().await;
    let mut sender = world.device(&alice, "a1").await;
    sender.say(direct(&alice, &bob), "1", "hello").await;
    assert_eq!(new.heard().await.0, 1);
}

#[tokio::test]
async fn a_session_that_missed_too_much_is_told_to_sync() {
    let mut config = config();
    config.resume_buffer = domain::units::ByteSize(2000);
    let world = World::with(config).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut sender = world.device(&alice, "a1").await;
    let mut receiver = world.connect().await;
    let welcome = receiver.log_in(&bob, "b1").await;
    drop(receiver);
    world.until("the session is parked", async |world| world.gateway.connections() == 1).await;
    for number in 0..50 {
        sender.say(direct(&alice, &bob), &number.to_string(), &"x".repeat(100)).await;
    }
    let mut again = world.connect().await;
    match again.resume(&welcome, 0).await {
        Body::Welcome(again) => assert_eq!(again.resumed(), wire::Resumed::Resync),
        other => panic!("{other:?}"),
    }
    sender.say(direct(&alice, &bob), "last", "and on it goes").await;
    assert_eq!(again.heard().await, (51, "and on it goes".to_owned()));
}

#[tokio::test]
async fn a_ticket_that_is_forged_or_too_old_resumes_nothing() {
    let mut config = config();
    config.resume_window = Duration::from_millis(100);
    let world = World::with(config).await;
    let bob = world.user("bob").await;
    let mut client = world.connect().await;
    let mut welcome = client.log_in(&bob, "b1").await;
    drop(client);
    world.until("the session is forgotten", async |world| world.hub.count() == 0).await;
    for _ in 0..2 {
        let mut late = world.connect().await;
        match late.resume(&welcome, 0).await {
            Body::Error(error) => assert_eq!(error.code(), Code::StaleTicket),
            other => panic!("{other:?}"),
        }
        late.expect_end().await;
        welcome.ticket = b"forged".as_slice().into();
    }
}

#[tokio::test]
async fn a_second_device_of_a_platform_ends_the_first_and_the_same_device_replaces_itself() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    let mut first = world.device(&bob, "b1").await;
    let mut again = world.device(&bob, "b1").await;
    first.expect_end().await;
    let mut web = world.connect().await;
    assert!(matches!(web.ask(hello(&bob.token, "b2", wire::Platform::Web)).await, Body::Welcome(_)));
    let mut other = world.device(&bob, "b3").await;
    match again.next().await.unwrap().body.unwrap() {
        Body::Kicked(kicked) => assert_eq!(kicked.reason(), Reason::OtherDevice),
        body => panic!("{body:?}"),
    }
    again.expect_end().await;
    for client in [&mut web, &mut other] {
        assert!(matches!(client.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
    }
}

#[tokio::test]
async fn kicks_and_revoked_tokens_end_sessions_for_good() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    let mut client = world.connect().await;
    let welcome = client.log_in(&bob, "b1").await;
    let mut other = world.connect().await;
    assert!(matches!(other.ask(hello(&bob.token, "b2", wire::Platform::Web)).await, Body::Welcome(_)));
    let both = async |world: &World| world.domain.devices.list(&world.server, bob.id).await.unwrap().len() == 2;
    world.until("both devices are known", async |world| both(world).await).await;
    let reason = Reason::Admin as u32;
    world.domain.devices.kick(&world.server, bob.id, Some("b1"), reason, "go away").await.unwrap();
    match client.next().await.unwrap().body.unwrap() {
        Body::Kicked(kicked) => assert_eq!((kicked.reason(), kicked.message.as_str()), (Reason::Admin, "go away")),
        body => panic!("{body:?}"),
    }
    client.expect_end().await;
    assert!(matches!(other.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
    let mut again = world.connect().await;
    assert!(matches!(again.resume(&welcome, 0).await, Body::Error(error) if error.code() == Code::StaleTicket));

    let mut client = world.connect().await;
    let welcome = client.log_in(&bob, "b1").await;
    drop(client);
    world.domain.tokens.revoke_all(&world.server, bob.id).await.unwrap();
    let mut again = world.connect().await;
    assert!(matches!(again.resume(&welcome, 0).await, Body::Error(error) if error.code() == Code::StaleTicket));
    let mut again = world.connect().await;
    let body = again.ask(hello(&bob.token, "b1", wire::Platform::Linux)).await;
    assert!(matches!(body, Body::Error(error) if error.code() == Code::Unauthenticated));
    again.expect_end().await;
}

#[tokio::test]
async fn presence_follows_sessions_through_drops_to_their_end() {
    let mut config = config();
    config.resume_window = Duration::from_millis(300);
    let world = World::with(config).await;
    let bob = world.user("bob").await;
    let online = async |world: &World| world.domain.presence.query(&world.server, &[bob.id]).await.unwrap()[0].1.online;
    let mut client = world.connect().await;
    let welcome = client.log_in(&bob, "b1").await;
    world.until("online", async |world| online(world).await).await;
    drop(client);
    let mut client = world.connect().await;
    assert!(matches!(client.resume(&welcome, 0).await, Body::Welcome(_)));
    assert!(online(&world).await);
    drop(client);
    world.until("offline", async |world| !online(world).await).await;
    assert_eq!(world.hub.count(), 0);
}

#[tokio::test]
async fn who_says_goodbye_is_gone_at_once() {
    let mut config = config();
    config.resume_window = Duration::from_secs(3600);
    let world = World::with(config).await;
    let bob = world.user("bob").await;
    let online = async |world: &World| world.domain.presence.query(&world.server, &[bob.id]).await.unwrap()[0].1.online;
    let mut client = world.device(&bob, "b1").await;
    world.until("online", async |world| online(world).await).await;
    client.send(Body::Bye(wire::Bye {})).await;
    client.expect_end().await;
    world.until("offline", async |world| !online(world).await).await;
    assert_eq!(world.hub.count(), 0, "nothing is kept for a resume");
}

#[tokio::test]
async fn a_drain_tells_everyone_and_loses_nothing_that_was_sent() {
    let mut config = config();
    config.reconnect_spread = Duration::from_secs(1000);
    let world = World::with(config).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut clients = vec![world.device(&alice, "a1").await];
    clients.push(Client::tls(world.gateway.addresses().tls.unwrap()).await);
    clients[1].log_in(&bob, "b1").await;
    clients.push(Client::quic(world.gateway.addresses().quic.unwrap()).await);
    assert!(matches!(clients[2].ask(hello(&bob.token, "b2", wire::Platform::Ios)).await, Body::Welcome(_)));
    for number in 0..20 {
        clients[0].send(said(conversation, &number.to_string(), "on the way")).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let addresses = world.gateway.addresses();
    let drained = tokio::spawn(world.gateway.drain(Duration::from_secs(5)));
    let mut delays = Vec::new();
    let mut acked = 0;
    for client in &mut clients {
        while let Some(frame) = client.next().await {
            match frame.body.unwrap() {
                Body::Drain(drain) => delays.push(drain.reconnect_after_ms),
                Body::SendAck(_) => acked += 1,
                Body::Push(_) => {}
                body => panic!("{body:?}"),
            }
        }
    }
    drained.await.unwrap();
    assert_eq!(acked, 20);
    assert_eq!(delays.len(), 3);
    delays.dedup();
    assert!(delays.len() > 1, "everyone comes back at once: {delays:?}");
    assert!(tokio::net::TcpStream::connect(addresses.tcp.unwrap()).await.is_err());
    let state = &world.domain.presence.query(&world.server, &[alice.id, bob.id]).await.unwrap();
    assert!(state.iter().all(|(_, state)| !state.online));
}

#[tokio::test]
async fn certificates_are_exchanged_while_connections_stay() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    let address = world.gateway.addresses().tls.unwrap();
    let mut before = Client::tls(address).await;
    before.log_in(&bob, "b1").await;
    world.gateway.reload(certs());
    let mut after = Client::tls(address).await;
    assert!(matches!(after.ask(hello(&bob.token, "b2", wire::Platform::Web)).await, Body::Welcome(_)));
    assert!(matches!(before.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
}

#[tokio::test]
async fn lost_events_make_clients_compare_and_end_what_has_been_revoked() {
    let world = World::with(Config { resyncs_per_second: 0, ..config() }).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (mut stays, mut goes) = (world.device(&alice, "a1").await, world.device(&bob, "b1").await);
    let mut parked = world.connect().await;
    let welcome = parked.log_in(&world.user("carol").await, "c1").await;
    drop(parked);
    world.until("the third is parked", async |world| world.gateway.connections() == 2).await;

    // Another process revokes a token and says something; nothing of it is heard here.
    let elsewhere = world.another().await;
    elsewhere.tokens.revoke_all(&world.server, bob.id).await.unwrap();
    let caller = elsewhere.tokens.authenticate(&alice.token).await.unwrap();
    elsewhere.messages.send(&caller, outgoing(direct(&alice, &bob), "1", "unheard")).await.unwrap();
    world.domain.miss();

    match goes.next().await.and_then(|frame| frame.body) {
        Some(Body::Resync(_)) => {}
        other => panic!("{other:?}"),
    }
    match goes.next().await.and_then(|frame| frame.body) {
        Some(Body::Kicked(kicked)) => assert_eq!(kicked.reason(), Reason::TokenRevoked),
        other => panic!("{other:?}"),
    }
    match stays.next().await.and_then(|frame| frame.body) {
        Some(Body::Resync(resync)) => assert_eq!(resync.after_ms, 0),
        other => panic!("{other:?}"),
    }
    match stays.ask(Body::Sync(wire::Sync { entries: 10, ..wire::Sync::default() })).await {
        Body::SyncPage(page) => assert!(page.conversations.iter().any(|synced| synced.entries.len() == 1)),
        other => panic!("{other:?}"),
    }
    let mut again = world.connect().await;
    assert!(matches!(again.resume(&welcome, 0).await, Body::Error(error) if error.code() == Code::StaleTicket));
}

#[tokio::test]
async fn sessions_of_a_deleted_app_end() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    let mut client = world.device(&bob, "b1").await;
    let app = world.server.app_record().id.clone();
    world.domain.apps.delete(&app).await.unwrap();
    match client.next().await.and_then(|frame| frame.body) {
        Some(Body::Kicked(kicked)) => assert_eq!(kicked.reason(), Reason::TokenRevoked),
        other => panic!("{other:?}"),
    }
    client.expect_end().await;
}
