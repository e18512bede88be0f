//! Several gateways over one store and one bus.
//!
//! Each test runs over the bus of a process, which tells everything to everybody. One more runs them all over a Redis Cluster, where a gateway
//! hears only what it has asked for.

use std::time::Duration;

use domain::groups::NewGroup;
use domain::record::{GroupKind, Role};
use domain::{Clock, ConversationId, GroupId};
use proto::wire;
use storage::{Bus, RedisBusConfig, Store};
use tokio::sync::watch;
use wire::error::Code;
use wire::frame::Body;
use wire::kicked::Reason;

use crate::client::{Client, hello};
use crate::world::{User, World, config, direct};

/// Longer than the bus takes.
const SOON: Duration = Duration::from_secs(1);

/// Several gateways, a bus for one more process, and what has to be unlike in each.
struct Cluster {
    gateways: Vec<World>,
    bus: Bus,
    prefix: &'static str,
}

impl Cluster {
    async fn new(prefix: &'static str, store: &Store, bus: impl Fn() -> Bus) -> Self {
        let mut config = config();
        config.presence_renewal = Duration::from_millis(100);
        let buses = vec![bus(), bus(), bus()];
        let gateways = World::cluster(&config, store, buses.clone()).await;
        // As `/readyz` does: before that, what is told arrives, but not soon.
        while !buses.iter().all(Bus::is_ready) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { gateways, bus: bus(), prefix }
    }

    async fn local(prefix: &'static str) -> Self {
        let bus = Bus::local();
        Self::new(prefix, &Store::memory(Clock::system()), || bus.clone()).await
    }

    async fn user(&self, name: &str) -> User {
        self.gateways[0].user(&format!("{}-{name}", self.prefix)).await
    }

    /// A user's device at a gateway.
    async fn device(&self, gateway: usize, user: &User, device: &str) -> Client {
        self.gateways[gateway].device(user, device).await
    }

    async fn group(&self, members: &[&User]) -> GroupId {
        let members = members.iter().map(|member| (member.id, Role::Member)).collect();
        let new = NewGroup { name: "group".into(), members, ..NewGroup::default() };
        GroupId(self.gateways[0].domain.groups.create(&self.gateways[0].server, new).await.unwrap().id)
    }
}

/// What a session is told when it ends; `None` where that is nothing.
async fn last_word(client: &mut Client) -> Option<Reason> {
    let mut kicked = None;
    while let Some(frame) = client.next().await {
        if let Some(Body::Kicked(last)) = frame.body {
            kicked = Some(last.reason());
        }
    }
    kicked
}

/// The next text that is pushed, tips left out.
async fn hears(client: &mut Client) -> (u64, String) {
    loop {
        let (seq, text) = client.heard().await;
        if !text.starts_with("Some(Tip") {
            return (seq, text);
        }
    }
}

async fn messages_pass(cluster: Cluster) {
    let (alice, bob, carol) = (cluster.user("alice").await, cluster.user("bob").await, cluster.user("carol").await);
    let mut hers = cluster.device(0, &alice, "a1").await;
    let mut his = cluster.device(1, &bob, "b1").await;
    let mut web = cluster.gateways[2].connect().await;
    assert!(matches!(web.ask(hello(&bob.token, "b2", wire::Platform::Web)).await, Body::Welcome(_)));
    for number in 1..=5u64 {
        let text = format!("message {number}");
        assert_eq!(hers.say(direct(&alice, &bob), &number.to_string(), &text).await.seq, number);
        assert_eq!(his.heard().await, (number, text.clone()));
        assert_eq!(web.heard().await, (number, text));
    }
    // Typing and receipts go the same ways.
    let conversation = Some(direct(&alice, &bob).to_wire());
    his.send(Body::Typing(wire::Typing { conversation, active: true, ..wire::Typing::default() })).await;
    assert!(matches!(hers.next().await.unwrap().body, Some(Body::Typing(typing)) if typing.user == bob.id.0));
    assert!(matches!(web.ask(Body::Read(wire::Read { conversation, seq: 3 })).await, Body::Ok(_)));
    assert!(matches!(hers.next().await.unwrap().body, Some(Body::Receipt(read)) if read.seq == 3));

    // A gateway whose users were not in the group hears of it, and of what follows at once.
    let group = cluster.group(&[&alice]).await;
    let conversation = ConversationId::Group(group);
    let mut late = cluster.device(2, &carol, "c1").await;
    let server = &cluster.gateways[0].server;
    cluster.gateways[0].domain.groups.add_members(server, group, &[(carol.id, String::new())]).await.unwrap();
    for number in 0..20 {
        hers.say(conversation, &number.to_string(), &number.to_string()).await;
    }
    let mut texts: Vec<(u64, String)> = Vec::new();
    while texts.len() < 20 {
        texts.push(hears(&mut late).await);
        texts.sort();
        // What is read meanwhile and what comes over the bus may be the same.
        texts.dedup();
    }
    assert!(texts.iter().map(|(_, text)| text.parse::<usize>().unwrap()).eq(0..20));
    // A process without sessions is heard everywhere.
    let rest = cluster.gateways[0].rest(cluster.bus.clone()).await;
    rest.messages.send(server, crate::client::outgoing(conversation, "r", "from the app")).await.unwrap();
    for client in [&mut hers, &mut late] {
        while hears(client).await.1 != "from the app" {}
    }
}

async fn users_have_as_many_devices_as_they_may(cluster: Cluster) {
    let bob = cluster.user("bob").await;
    // Another device of the platform, at another gateway.
    let mut first = cluster.device(0, &bob, "b1").await;
    let mut second = cluster.device(1, &bob, "b2").await;
    assert_eq!(last_word(&mut first).await, Some(Reason::OtherDevice));
    // The same device at another gateway: the older session ends without a word.
    let mut third = cluster.device(2, &bob, "b2").await;
    assert_eq!(last_word(&mut second).await, None);
    assert!(matches!(third.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));

    // All at once: one stays.
    let mut clients = Vec::new();
    for round in 0..3 {
        for gateway in 0..3 {
            clients.push((gateway, format!("r{round}g{gateway}")));
        }
    }
    let logins = clients.iter().map(|(gateway, device)| cluster.device(*gateway, &bob, device));
    let mut clients = futures_util::future::join_all(logins).await;
    assert_eq!(last_word(&mut third).await, Some(Reason::OtherDevice));
    tokio::time::sleep(SOON).await;
    let mut open = 0;
    for client in &mut clients {
        // Whoever is out finds the connection ended, behind the last word.
        client.send(Body::Ping(wire::Ping {})).await;
        while let Some(frame) = client.next().await {
            if matches!(frame.body, Some(Body::Pong(_))) {
                open += 1;
                break;
            }
        }
    }
    assert_eq!(open, 1);
    let sessions = || cluster.gateways.iter().map(|gateway| gateway.hub.count()).sum::<usize>();
    cluster.gateways[0].until("the others are gone", async |_| sessions() == 1).await;
}

async fn what_ends_sessions_reaches_all_of_them(cluster: Cluster) {
    let rest = cluster.gateways[0].rest(cluster.bus.clone()).await;
    let server = &cluster.gateways[0].server;
    let (bob, eve) = (cluster.user("bob").await, cluster.user("eve").await);
    let mut phone = cluster.device(1, &bob, "b1").await;
    let mut web = cluster.gateways[2].connect().await;
    assert!(matches!(web.ask(hello(&bob.token, "b2", wire::Platform::Web)).await, Body::Welcome(_)));
    let mut other = cluster.device(0, &eve, "e1").await;
    rest.devices.kick(server, bob.id, Some("b2"), Reason::Admin as u32, "enough").await.unwrap();
    assert_eq!(last_word(&mut web).await, Some(Reason::Admin));
    rest.tokens.revoke_all(server, bob.id).await.unwrap();
    assert_eq!(last_word(&mut phone).await, Some(Reason::TokenRevoked));
    rest.apps.delete(&server.app_record().id).await.unwrap();
    assert_eq!(last_word(&mut other).await, Some(Reason::TokenRevoked));
}

async fn a_session_is_resumed_where_it_was_and_ends_when_its_device_is_elsewhere(cluster: Cluster) {
    let bob = cluster.user("bob").await;
    let mut phone = cluster.gateways[0].connect().await;
    let welcome = phone.log_in(&bob, "b1").await;
    drop(phone);
    cluster.gateways[0].until("the session is parked", async |world| world.gateway.connections() == 0).await;
    let mut elsewhere = cluster.gateways[1].connect().await;
    match elsewhere.resume(&welcome, 0).await {
        Body::Error(error) => assert_eq!(error.code(), Code::StaleTicket),
        other => panic!("{other:?}"),
    }
    let mut elsewhere = cluster.device(1, &bob, "b1").await;
    cluster.gateways[0].until("the parked session ends", async |world| world.hub.count() == 0).await;
    let mut back = cluster.gateways[0].connect().await;
    assert!(matches!(back.resume(&welcome, 0).await, Body::Error(_)));
    assert!(matches!(elsewhere.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
}

async fn presence_is_told_and_also_when_a_gateway_is_gone(mut cluster: Cluster) {
    let (alice, bob) = (cluster.user("alice").await, cluster.user("bob").await);
    let mut hers = cluster.device(0, &alice, "a1").await;
    let watch = Body::PresenceSubscribe(wire::PresenceSubscribe { users: vec![bob.id.0] });
    match hers.ask(watch).await {
        Body::PresenceList(list) => assert!(!list.presences[0].online),
        other => panic!("{other:?}"),
    }
    let mut moved = async || loop {
        match hers.next().await.unwrap().body {
            Some(Body::PresenceList(moved)) => break (moved.presences[0].user == bob.id.0, moved.presences[0].online),
            // A bus may have lost something when the gateway went.
            Some(Body::Resync(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    let mut his = cluster.device(1, &bob, "b1").await;
    assert_eq!(moved().await, (true, true));
    his.send(Body::Bye(wire::Bye {})).await;
    assert_eq!(moved().await, (true, false));
    let _again = cluster.device(1, &bob, "b1").await;
    assert_eq!(moved().await, (true, true));
    // The whole gateway goes, and can say goodbye to nobody.
    let gone = cluster.gateways.remove(1);
    gone.gateway.stop().await;
    assert_eq!(moved().await, (true, false));
}

async fn rooms_reach_over_gateways(cluster: Cluster) {
    let (alice, bob) = (cluster.user("alice").await, cluster.user("bob").await);
    let (first, server) = (&cluster.gateways[0], &cluster.gateways[0].server);
    let new = NewGroup { name: "room".into(), kind: GroupKind::Room, ..NewGroup::default() };
    let room = GroupId(first.domain.groups.create(server, new).await.unwrap().id);
    let mut hers = cluster.device(0, &alice, "a1").await;
    let mut his = cluster.device(1, &bob, "b1").await;
    for client in [&mut hers, &mut his] {
        assert!(matches!(client.ask(Body::JoinGroup(wire::JoinGroup { id: room.0 })).await, Body::Ok(_)));
    }
    let both = async |world: &World| world.domain.groups.in_room(server, room).await.unwrap() == 2;
    first.until("both are in the room", both).await;
    hers.say(ConversationId::Group(room), "1", "hello").await;
    assert_eq!(hears(&mut his).await.1, "hello");
    his.say(ConversationId::Group(room), "2", "hello yourself").await;
    assert_eq!(hears(&mut hers).await.1, "hello yourself");
}

#[tokio::test]
async fn messages_pass_between_gateways() {
    messages_pass(Cluster::local("m").await).await;
}

#[tokio::test]
async fn users_have_as_many_devices_as_they_may_at_all_gateways_together() {
    users_have_as_many_devices_as_they_may(Cluster::local("d").await).await;
}

/// Before that, others would take its sessions for a dead gateway's, and let more devices in than there may be.
#[tokio::test]
async fn nobody_is_logged_in_before_the_store_knows_of_the_gateways_run() {
    let store = Store::memory(Clock::system());
    let (go_on, wait) = watch::channel(false);
    store.hold_reads(move |table| {
        let mut wait = wait.clone();
        Box::pin(async move {
            if table.name == "boot" {
                wait.wait_for(|goes_on| *goes_on).await.unwrap();
            }
            Ok(())
        })
    });
    let bus = Bus::local();
    let cluster = Cluster::new("b", &store, || bus.clone()).await;
    let bob = cluster.user("bob").await;
    let mut early = cluster.gateways[0].connect().await;
    let asked = early.send(hello(&bob.token, "b1", wire::Platform::Linux)).await;
    assert!(tokio::time::timeout(Duration::from_millis(200), early.next()).await.is_err());
    go_on.send(true).unwrap();
    assert!(matches!(early.answer(asked).await, Body::Welcome(_)));
    let _later = cluster.device(1, &bob, "b2").await;
    assert_eq!(last_word(&mut early).await, Some(Reason::OtherDevice));
}

#[tokio::test]
async fn what_ends_sessions_reaches_all_gateways() {
    what_ends_sessions_reaches_all_of_them(Cluster::local("k").await).await;
}

#[tokio::test]
async fn sessions_are_resumed_at_their_own_gateway() {
    a_session_is_resumed_where_it_was_and_ends_when_its_device_is_elsewhere(Cluster::local("r").await).await;
}

#[tokio::test]
async fn watchers_hear_of_users_at_other_gateways() {
    presence_is_told_and_also_when_a_gateway_is_gone(Cluster::local("p").await).await;
}

#[tokio::test]
async fn who_is_in_a_room_hears_it_at_every_gateway() {
    rooms_reach_over_gateways(Cluster::local("o").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it_holds_over_redis_where_gateways_hear_what_they_asked_for() {
    let redis = tokio::task::spawn_blocking(|| storage::testing::RedisCluster::start(3, 0)).await.unwrap();
    let url: String = redis.url();
    let over = |prefix: &'static str| {
        let config =
            RedisBusConfig { url: url.parse().unwrap(), namespace: prefix.into(), ..RedisBusConfig::default() };
        async move { Cluster::new(prefix, &Store::memory(Clock::system()), || Bus::redis(&config).unwrap()).await }
    };
    messages_pass(over("m").await).await;
    users_have_as_many_devices_as_they_may(over("d").await).await;
    what_ends_sessions_reaches_all_of_them(over("k").await).await;
    a_session_is_resumed_where_it_was_and_ends_when_its_device_is_elsewhere(over("r").await).await;
    presence_is_told_and_also_when_a_gateway_is_gone(over("p").await).await;
    rooms_reach_over_gateways(over("o").await).await;
}
