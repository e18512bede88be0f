//! Clients that are broken, rude or gone: each is told why, and nobody else notices.

use std::time::{Duration, Instant};

use domain::units::ByteSize;
use gateway::config::Rate;
use proto::frame::encode_to_bytes;
use proto::wire;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::error::Code;
use wire::frame::Body;

use crate::client::{Client, hello, said};
use crate::world::{World, config, direct};

/// Two users talk: whatever happened before, the gateway serves others.
async fn serves_others(world: &World) {
    let (carol, dave) = (world.user("carol").await, world.user("dave").await);
    let mut one = world.device(&carol, "c1").await;
    let mut other = world.device(&dave, "d1").await;
    one.say(direct(&carol, &dave), "1", "all is well").await;
    assert_eq!(other.heard().await, (1, "all is well".to_owned()));
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let world = World::new().await;
    for token in ["wrong", "", "\u{0}", &"x".repeat(3000)] {
        let mut client = world.connect().await;
        client.send(hello(token, "d", wire::Platform::Linux)).await;
        client.expect_error(Code::Unauthenticated).await;
        client.expect_end().await;
    }
    serves_others(&world).await;
}

#[tokio::test]
async fn a_login_without_a_device_is_refused() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    for device in ["", &"x".repeat(65)] {
        let mut client = world.connect().await;
        client.send(hello(&bob.token, device, wire::Platform::Linux)).await;
        assert_eq!(client.expect_error(Code::Invalid).await.field, "device_id");
        client.expect_end().await;
    }
}

#[tokio::test]
async fn who_does_not_begin_with_a_login_is_refused() {
    let world = World::new().await;
    for body in [Body::Ping(wire::Ping {}), Body::ListGroups(wire::ListGroups::default())] {
        let mut client = world.connect().await;
        client.send(body).await;
        client.expect_error(Code::Unauthenticated).await;
        client.expect_end().await;
    }
    serves_others(&world).await;
}

#[tokio::test]
async fn an_oversize_frame_is_refused_before_it_arrives() {
    let world = World::new().await;
    let mut client = world.connect().await;
    // 5000 bytes announced, above the limit before the login, and not one of them sent.
    client.send_raw(&[0x88, 0x27]).await;
    client.expect_error(Code::TooLarge).await;
    client.expect_end().await;

    let bob = world.user("bob").await;
    let mut client = world.device(&bob, "b1").await;
    // A frame of that size is fine after the login,
    let find = wire::FindUsers { ids: vec![], uids: vec!["x".repeat(5000)] };
    assert!(!matches!(client.ask(Body::FindUsers(find)).await, Body::Error(error) if error.code() == Code::TooLarge));
    // and one above the large limit is not.
    client.send_raw(&[0x81, 0x80, 0x40]).await;
    client.expect_error(Code::TooLarge).await;
    client.expect_end().await;
    serves_others(&world).await;
}

#[tokio::test]
async fn bytes_that_are_no_frame_end_the_connection() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    // A truncated message, a wire type that does not exist, an endless length, and invalid UTF-8 in a string.
    let utf8 = [5, 0x12, 3, 0x0a, 1, 0xff];
    for bytes in [&[3, 0x12, 0x0a, 0x01][..], &[2, 0x0f, 0x01], &[0xff, 0xff, 0xff, 0xff], &utf8] {
        let mut client = world.connect().await;
        client.send_raw(bytes).await;
        client.expect_error(Code::Malformed).await;
        client.expect_end().await;
        let mut client = world.device(&bob, "b1").await;
        client.send_raw(bytes).await;
        client.expect_error(Code::Malformed).await;
        client.expect_end().await;
    }
    serves_others(&world).await;
}

#[tokio::test]
async fn an_unknown_command_is_answered_and_the_connection_goes_on() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    let mut client = world.device(&bob, "b1").await;
    // id 7, and field 1000 with an empty message.
    client.send_raw(&[5, 0x08, 0x07, 0xc2, 0x3e, 0x00]).await;
    let frame = client.next().await.unwrap();
    assert_eq!(frame.id, 7);
    assert!(matches!(frame.body, Some(Body::Error(error)) if error.code() == Code::Unsupported));
    assert!(matches!(client.ask(Body::Ok(wire::Ok {})).await, Body::Error(error) if error.code() == Code::Unsupported));
    assert!(matches!(client.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
}

#[tokio::test]
async fn a_mebibyte_of_zeros_gets_one_error() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.send_raw(&vec![0; 1 << 20]).await;
    client.expect_error(Code::Unauthenticated).await;
    client.expect_end().await;

    // After a login, each zero is an empty frame: answered, throttled, and ended.
    let bob = world.user("bob").await;
    let mut client = world.device(&bob, "b1").await;
    client.send_raw(&vec![0; 100_000]).await;
    let mut codes = Vec::new();
    while let Some(frame) = client.next().await {
        let Some(Body::Error(error)) = frame.body else { panic!("{frame:?}") };
        codes.push(error.code());
    }
    assert!(codes.len() < 10_000);
    assert_eq!((codes[0], codes.last()), (Code::Unsupported, Some(&Code::RetryLater)));
    serves_others(&world).await;
}

#[tokio::test]
async fn silent_connections_are_ended() {
    let mut config = config();
    config.login_deadline = Duration::from_millis(200);
    let world = World::with(config).await;
    let mut silent = world.connect().await;
    let address = world.gateway.addresses().tls.unwrap();
    let mut no_handshake = TcpStream::connect(address).await.unwrap();
    let mut half_a_frame = world.connect().await;
    half_a_frame.send_raw(&[100, 0x12]).await;
    silent.expect_error(Code::Timeout).await;
    silent.expect_end().await;
    half_a_frame.expect_error(Code::Timeout).await;
    assert_eq!(no_handshake.read(&mut [0; 16]).await.unwrap(), 0);
    world.until("all gone", async |world| world.gateway.connections() == 0 && world.hub.count() <= 1).await;
}

#[tokio::test]
async fn a_client_without_a_heartbeat_is_ended_and_one_with_it_is_not() {
    let mut config = config();
    config.heartbeat = Duration::from_millis(200);
    let world = World::with(config).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut silent = world.device(&alice, "a1").await;
    let mut alive = world.device(&bob, "b1").await;
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(900) {
        assert!(matches!(alive.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    silent.expect_error(Code::Timeout).await;
    silent.expect_end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_its_peer_is_not_slowed() {
    let mut config = config();
    config.write_deadline = Duration::from_millis(500);
    config.linger = Duration::from_millis(200);
    let world = World::with(config).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut deaf = world.connect().await;
    deaf.log_in(&bob, "b1").await;
    let mut sender = world.device(&alice, "a1").await;
    let text = "x".repeat(50_000);
    // Sockets take megabytes before they are full.
    for number in 0..1000 {
        sender.say(conversation, &number.to_string(), &text).await;
    }
    world.until("the deaf one is cut", async |world| world.gateway.connections() == 1).await;
    serves_others(&world).await;
}

#[tokio::test]
async fn a_flood_of_requests_without_reading_is_held_back() {
    let mut config = config();
    config.write_deadline = Duration::from_millis(500);
    let world = World::with(config).await;
    let bob = world.user("bob").await;
    let mut stream = TcpStream::connect(world.gateway.addresses().tcp.unwrap()).await.unwrap();
    let login = wire::Frame { id: 1, body: Some(hello(&bob.token, "b1", wire::Platform::Linux)) };
    stream.write_all(&encode_to_bytes(&login)).await.unwrap();
    let ping = encode_to_bytes(&wire::Frame { id: 2, body: Some(Body::Ping(wire::Ping {})) });
    let flood: Vec<u8> = ping.iter().copied().cycle().take(ping.len() * 100_000).collect();
    // The gateway stops reading or ends the connection; it does not queue without bound.
    let _ =
        tokio::time::timeout(Duration::from_secs(5), async { while stream.write_all(&flood).await.is_ok() {} }).await;
    serves_others(&world).await;
}

#[tokio::test]
async fn rates_are_kept_per_connection_per_user_and_per_address() {
    let mut config = config();
    config.sends = Rate { per_second: 1, burst: 3 };
    config.frames = Rate { per_second: 1, burst: 10 };
    config.connections_per_address = 3;
    config.limit_loopback = true;
    let world = World::with(config).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut client = world.device(&alice, "a1").await;
    // Past their pace, messages wait and keep their order, while other requests are served.
    let begun = Instant::now();
    for number in 1..=5 {
        client.send(said(direct(&alice, &bob), &number.to_string(), "hello")).await;
    }
    assert!(matches!(client.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
    assert!(client.set_aside() < 5, "a heartbeat does not wait behind messages");
    for number in 1..=5 {
        let Some(Body::SendAck(ack)) = client.next().await.and_then(|frame| frame.body) else { panic!("no ack") };
        assert_eq!((ack.seq, ack.client_msg_id), (number, number.to_string()));
    }
    assert!(begun.elapsed() >= Duration::from_millis(1900), "two came at one a second");
    // Other requests past theirs are refused.
    let mut pongs = 0;
    let refusal = loop {
        match client.ask(Body::Ping(wire::Ping {})).await {
            Body::Pong(_) => pongs += 1,
            other => break other,
        }
        assert!(pongs < 100, "the rate of frames is not kept");
    };
    assert!(matches!(refusal, Body::Error(error) if error.code() == Code::RetryLater && error.retry_after_ms > 0));

    let (_second, _third) = (world.connect().await, world.connect().await);
    world.until("three are in", async |world| world.gateway.connections() == 3).await;
    let mut fourth = world.connect().await;
    fourth.expect_error(Code::RetryLater).await;
    fourth.expect_end().await;
}

#[tokio::test]
async fn a_client_that_speaks_another_protocol_is_let_go() {
    let mut config = config();
    config.login_deadline = Duration::from_millis(500);
    let world = World::with(config).await;
    let addresses = world.gateway.addresses();
    for address in [addresses.tcp.unwrap(), addresses.tls.unwrap()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok());
    }
    serves_others(&world).await;
}

#[tokio::test]
async fn quic_clients_under_pressure_prove_their_address() {
    let mut config = config();
    config.quic.retry_above = 0;
    config.max_frame = ByteSize(1 << 20);
    let world = World::with(config).await;
    let bob = world.user("bob").await;
    let mut client = Client::quic(world.gateway.addresses().quic.unwrap()).await;
    client.log_in(&bob, "b1").await;
}
