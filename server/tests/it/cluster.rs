//! Gateways and REST nodes over a Redis Cluster, as processes of their own: what users, app servers and operators see of it.
//!
//! `LINNET_CLUSTER_MEMBERS` sets the size of the large group (500), `LINNET_CLUSTER_SECONDS` how long there is load between restarts (1).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use linnet_sdk::{Client, ConversationId, Error, Event, KickReason, Network, NewGroup, Target, content};
use serde_json::json;

use crate::harness::cluster::{Cluster, Node};
use crate::harness::device::{self, Device, TRANSPORTS};
use crate::harness::http::{AppServer, SHOP};
use crate::harness::town::Town;
use crate::harness::{Role, Server};

/// How soon a gateway has to know what another one was told.
const SOON: Duration = Duration::from_secs(1);
const WAIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_are_one_service() {
    let cluster = Cluster::start();
    // All at once: the demo app is made by one of them, and once.
    let mut gateways = cluster.nodes(Role::Gateway, 3);
    let mut rests = cluster.nodes(Role::Rest, 2);
    let secrets = gateways.iter().filter(|node| node.server.log().contains("secret   ")).count();
    assert_eq!(secrets, 1, "one process tells the demo app's secret");
    assert_eq!(cluster.desk.run(&["app", "list"]).lines().count(), 2, "a heading and the demo app");
    let create = ["app", "create", "--id", SHOP.id, "--number", SHOP.number, "--key", SHOP.key];
    cluster.desk.run(&[&create[..], &["--secret", SHOP.secret, "--admin", SHOP.admin]].concat());
    let network = cluster.network();

    let town = Town::settle(&network, &servers(&gateways), &servers(&rests)).await;
    town.talk().await;
    town.gather().await;
    town.read_elsewhere();

    typing_and_presence_cross_gateways(&cluster, &gateways, &network).await;
    sessions_end_everywhere_at_once(&cluster, &gateways, &rests, &network).await;
    a_large_group_costs_one_message_for_each_gateway(&cluster, &gateways, &network).await;
    restarts_lose_nothing(&cluster, &mut gateways, &mut rests, &network).await;

    // One more gateway is there for whoever comes, and nobody misses it when it goes.
    let fourth = tokio::task::block_in_place(|| cluster.node(Role::Gateway));
    let late = Person::new(&cluster, &fourth, &network, "late", 0).await;
    let text = "from the newest gateway";
    let sent = late.client.send_text(ConversationId::between(late.id, town.people[0].id), text).await;
    let sent = sent.expect("acked");
    assert_eq!(town.devices[0][1].until(sent.conversation, sent.seq).await.last().expect("it came").text, text);
    late.client.close().await;
    assert!(tokio::task::block_in_place(|| fourth.server.terminate()).success());
    town.talk().await;
    town.finish().await;
    for node in gateways.into_iter().chain(rests) {
        assert!(tokio::task::block_in_place(|| node.server.terminate()).success());
    }
}

fn servers(nodes: &[Node]) -> Vec<&Server> {
    nodes.iter().map(|node| &node.server).collect()
}

/// A user of the shop with one connection.
struct Person {
    uid: String,
    id: u64,
    client: Client,
    events: linnet_sdk::Events,
}

impl Person {
    async fn new(cluster: &Cluster, node: &Node, network: &Network, uid: &str, transport: usize) -> Self {
        let token = tokio::task::block_in_place(|| {
            cluster.desk.run(&["user", "create", "--app", SHOP.id, uid]);
            cluster.desk.run(&["user", "token", "--app", SHOP.id, uid])
        });
        Self::login(node, network, uid, token.trim(), transport).await
    }

    async fn login(node: &Node, network: &Network, uid: &str, token: &str, transport: usize) -> Self {
        let options = device::options(node.server.gateway(), network, token, TRANSPORTS[transport % TRANSPORTS.len()]);
        let client = Client::connect(options).await.unwrap_or_else(|error| panic!("{uid}: {error}"));
        let events = client.events();
        Self { uid: uid.to_owned(), id: client.me().await.expect("logged in").user, client, events }
    }

    /// Waits for an event; answers how long that took.
    async fn hears(&mut self, what: &str, is: impl Fn(&Event) -> bool) -> Duration {
        let start = Instant::now();
        let heard = async { while !is(&self.events.next().await.expect("the client goes on")) {} };
        let in_time = tokio::time::timeout(WAIT, heard).await;
        assert!(in_time.is_ok(), "{} did not hear of {what}", self.uid);
        start.elapsed()
    }
}

async fn typing_and_presence_cross_gateways(cluster: &Cluster, gateways: &[Node], network: &Network) {
    let mut ann = Person::new(cluster, &gateways[0], network, "ann", 0).await;
    let mut ben = Person::new(cluster, &gateways[1], network, "ben", 1).await;
    let conversation = ConversationId::between(ann.id, ben.id);
    ann.client.send_text(conversation, "hello").await.expect("acked");
    let seen = ann.client.subscribe_presence(&[ben.id]).await.expect("answered");
    assert!(seen[0].online, "{seen:?}");

    // At most once is what typing promises, so that it is said again as people do.
    let (id, typist) = (ben.id, ben.client.clone());
    let says = tokio::spawn(async move {
        loop {
            typist.typing(conversation, true).await.expect("the client is open");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    ann.hears("ben's typing", |event| matches!(event, Event::Typing { user, active: true, .. } if *user == id)).await;
    says.abort();

    ben.client.close().await;
    let took = ann.hears("ben's leaving", |event| matches!(event, Event::Presence(at) if at.user == id && !at.online));
    assert!(took.await < SOON * 5);
    let token = tokio::task::block_in_place(|| cluster.desk.run(&["user", "token", "--app", SHOP.id, "ben"]));
    ben = Person::login(&gateways[2], network, "ben", token.trim(), 1).await;
    let took = ann.hears("ben's coming", |event| matches!(event, Event::Presence(at) if at.user == id && at.online));
    assert!(took.await < SOON * 5);
    ann.client.close().await;
    ben.client.close().await;
}

async fn sessions_end_everywhere_at_once(cluster: &Cluster, gateways: &[Node], rests: &[Node], network: &Network) {
    // A device of the same user at each gateway, on platforms of their own.
    let mut devices = vec![Person::new(cluster, &gateways[0], network, "kim", 0).await];
    for (turn, node) in gateways.iter().enumerate().skip(1) {
        let token = tokio::task::block_in_place(|| cluster.desk.run(&["user", "token", "--app", SHOP.id, "kim"]));
        devices.push(Person::login(node, network, "kim", token.trim(), turn).await);
    }
    let start = Instant::now();
    tokio::task::block_in_place(|| cluster.desk.run(&["user", "kick", "--app", SHOP.id, "kim"]));
    let told = start.elapsed();
    for device in &mut devices {
        let kicked = |event: &Event| matches!(event, Event::Closed(Error::Kicked { reason: KickReason::Admin, .. }));
        let took = device.hears("the kick", kicked).await;
        assert!(took < SOON, "the command took {told:?}, and then the kick {took:?}");
    }

    // The same platform at another gateway replaces the first.
    let token = || cluster.desk.run(&["user", "token", "--app", SHOP.id, "kim"]);
    let (first, second) = tokio::task::block_in_place(|| (token(), token()));
    let mut old = Person::login(&gateways[0], network, "kim", first.trim(), 0).await;
    let mut options = device::options(gateways[1].server.gateway(), network, second.trim(), TRANSPORTS[0]);
    options.device_id = "another-phone".into();
    let new = Client::connect(options).await.expect("logged in");
    let replaced =
        |event: &Event| matches!(event, Event::Closed(Error::Kicked { reason: KickReason::OtherDevice, .. }));
    assert!(old.hears("the other device", replaced).await < SOON);
    new.me().await.expect("the newer one stays");
    new.close().await;

    // A password that is changed at one REST node makes the tokens void at every gateway, and ends the sessions that came with them.
    let headers = [("app_id", SHOP.id)];
    let token = tokio::task::block_in_place(|| {
        let server = AppServer::new(rests[0].server.url(""));
        let made = server.post("/user/register/v2", &headers, &json!({"username": "lea", "password": "old-password"}));
        assert_eq!(made.at("/code"), 200, "{}", made.text);
        server.post("/token/user", &headers, &json!({"name": "lea", "password": "old-password"})).text_at("/data/token")
    });
    let mut phone = Person::login(&gateways[2], network, "lea", &token, 1).await;
    tokio::task::block_in_place(|| {
        let headers = [headers[0], ("access-token", token.as_str())];
        let body = json!({"old_password": "old-password", "new_password": "new-password"});
        let done = AppServer::new(rests[1].server.url("")).post("/user/change_password", &headers, &body);
        assert_eq!(done.at("/code"), 200, "{}", done.text);
    });
    let revoked =
        |event: &Event| matches!(event, Event::Closed(Error::Kicked { reason: KickReason::TokenRevoked, .. }));
    let took = phone.hears("the end of the token", revoked).await;
    assert!(took < SOON, "{took:?}");
    let options = device::options(gateways[0].server.gateway(), network, &token, TRANSPORTS[1]);
    assert!(matches!(Client::connect(options).await, Err(Error::Unauthenticated(_))), "the token is no good any more");
}

async fn a_large_group_costs_one_message_for_each_gateway(cluster: &Cluster, gateways: &[Node], network: &Network) {
    let size = number("LINNET_CLUSTER_MEMBERS", 500);
    let file = cluster.desk.path().join("crowd");
    let (count, name) = (size.to_string(), file.to_str().expect("a plain name"));
    let create = ["user", "create", "--app", SHOP.id, "--count", &count, "--prefix", "crowd-", "--credentials", name];
    tokio::task::block_in_place(|| cluster.desk.run(&create));
    let text = std::fs::read_to_string(&file).expect("the credentials");
    let people: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let ids: Vec<u64> = people.iter().map(|person| person[1].parse().expect("an id")).collect();

    // Two members connected at each gateway.
    let mut present = Vec::new();
    for (index, person) in people.iter().take(2 * gateways.len()).enumerate() {
        let node = &gateways[index % gateways.len()];
        present.push(Device::connect(node.server.gateway(), network, person[2], TRANSPORTS[index % 3]).await);
    }
    let owner = &present[0].client;
    let new = NewGroup { name: "Crowd".into(), members: ids[1..ids.len().min(500)].to_vec(), ..NewGroup::default() };
    let group = owner.create_group(new).await.expect("a group");
    for more in ids[1..].chunks(500).skip(1) {
        owner.add_members(group.id, more).await.expect("members");
    }
    let conversation = group.conversation();
    let first = owner.send_text(conversation, "is everybody there?").await.expect("acked");
    for device in &present {
        device.until(conversation, first.seq).await;
    }

    // Of each message, what the sender's gateway passes on is one publication for every gateway, and none for every member.
    let passed_on = || gateways[0].metric("linnet_storage_bus_sent_total");
    let before = passed_on();
    let mut last = first.seq;
    for said in 0..MESSAGES {
        last = owner.send_text(conversation, format!("news {said}")).await.expect("acked").seq;
    }
    for device in &present {
        let seen = device.until(conversation, last).await;
        assert_eq!(seen.len() as u64, last, "{}", device.name);
        assert_eq!(device.notebook().violations, Vec::<String>::new());
    }
    let (passed, messages) = (passed_on() - before, f64::from(MESSAGES));
    let others = (gateways.len() - 1) as f64;
    // Presence and the like may add a few, and a process may hear itself.
    assert!(
        (others * messages..=(others + 1.0) * messages + 20.0).contains(&passed),
        "{passed} for {messages} messages"
    );
    for device in present {
        device.client.close().await;
    }
}

/// Messages that are counted on the bus.
const MESSAGES: u32 = 100;

async fn restarts_lose_nothing(cluster: &Cluster, gateways: &mut [Node], rests: &mut [Node], network: &Network) {
    let load = Duration::from_secs(number("LINNET_CLUSTER_SECONDS", 1) as u64);
    let mut devices = Vec::new();
    for (index, uid) in ["rob", "sue", "tom"].into_iter().enumerate() {
        let token = tokio::task::block_in_place(|| {
            cluster.desk.run(&["user", "create", "--app", SHOP.id, uid]);
            cluster.desk.run(&["user", "token", "--app", SHOP.id, uid])
        });
        let gateway = gateways[index].server.gateway();
        devices.push(Device::connect(gateway, network, token.trim(), TRANSPORTS[index]).await);
    }
    let mut ids = Vec::new();
    for device in &devices {
        ids.push(device.client.me().await.expect("logged in").user);
    }
    let new = NewGroup { name: "Shift".into(), members: ids[1..].to_vec(), ..NewGroup::default() };
    let conversation = devices[0].client.create_group(new).await.expect("a group").conversation();

    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for (writer, device) in devices.iter().enumerate() {
        let (client, stop) = (device.client.clone(), Arc::clone(&stop));
        writers.push(tokio::spawn(async move {
            let mut acked = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let text = format!("{writer}-{}", acked.len());
                let sent = client.send(Target::from(conversation), content::text(text.as_str())).await;
                acked.push((sent.unwrap_or_else(|error| panic!("{text}: {error}")).seq, text));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            acked
        }));
    }
    for node in gateways.iter_mut().chain(rests.iter_mut()) {
        tokio::time::sleep(load).await;
        assert!(tokio::task::block_in_place(|| node.restart()).success(), "it drains and ends well");
    }
    // And without a word, as when a machine is gone.
    for node in [&mut gateways[1], &mut rests[0]] {
        tokio::time::sleep(load).await;
        tokio::task::block_in_place(|| node.kill_and_restart());
    }
    tokio::time::sleep(load).await;
    stop.store(true, Ordering::Relaxed);
    let mut acked = BTreeSet::new();
    for writer in writers {
        acked.extend(writer.await.expect("no writer fails"));
    }
    let log = devices[0].history(conversation).await;
    let there: BTreeSet<(u64, String)> = log.iter().map(|entry| (entry.seq, entry.text.clone())).collect();
    let lost: Vec<_> = acked.difference(&there).collect();
    assert!(lost.is_empty(), "acked and not there: {lost:?}");
    let texts: BTreeSet<&str> = log.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts.len(), log.len(), "a message is there twice");
    for device in &devices {
        device.must_have_seen(conversation, &log).await;
        assert_eq!(device.notebook().violations, Vec::<String>::new(), "{}", device.name);
        device.client.close().await;
    }
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}
