//! What only some transports can do: move to another address, shake hands quickly.

use std::sync::Arc;

use proto::wire;
use rustls::HandshakeKind;
use wire::frame::Body;

use crate::client::{Client, client_config};
use crate::world::{World, direct};

#[tokio::test]
async fn a_quic_connection_survives_a_change_of_address() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut sender = world.device(&alice, "a1").await;
    let mut phone = Client::quic(world.gateway.addresses().quic.unwrap()).await;
    let session = phone.log_in(&bob, "b1").await.session;
    sender.say(conversation, "1", "at home").await;
    assert_eq!(phone.heard().await, (1, "at home".to_owned()));

    let mut addresses = Vec::new();
    for seq in [2, 4] {
        addresses.push(phone.rebind());
        // From here the gateway learns the new address; then both directions work.
        assert!(matches!(phone.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
        sender.say(conversation, &seq.to_string(), "on the way").await;
        assert_eq!(phone.heard().await, (seq, "on the way".to_owned()));
        assert_eq!(phone.say(conversation, &seq.to_string(), "here too").await.seq, seq + 1);
        assert_eq!(sender.heard().await.0, seq + 1);
    }
    assert_ne!(addresses[0], addresses[1]);
    assert_eq!(world.gateway.connections(), 2, "it is the same connection still");
    let found = world.domain.devices.list(&world.server, bob.id).await.unwrap();
    assert_eq!(found.len(), 1, "and the same session {session}");
}

#[tokio::test]
async fn a_second_tls_handshake_is_resumed() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    let address = world.gateway.addresses().tls.unwrap();
    let config = Arc::new(client_config());
    let (mut first, kind) = Client::tls_with(Arc::clone(&config), address).await;
    assert_eq!(kind, HandshakeKind::Full);
    // The ticket comes behind the handshake, with whatever is read first.
    first.log_in(&bob, "b1").await;
    for _ in 0..2 {
        let (mut again, kind) = Client::tls_with(Arc::clone(&config), address).await;
        assert_eq!(kind, HandshakeKind::Resumed);
        again.log_in(&bob, "b1").await;
    }
    let (_stranger, kind) = Client::tls_with(Arc::new(client_config()), address).await;
    assert_eq!(kind, HandshakeKind::Full);
}
