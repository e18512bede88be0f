//! One app, five dialects: users registered through each talk to each other from REST and from phones,
//! in one process and in two.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::device::{Device, Seen, TRANSPORTS};
use crate::harness::http::{AppServer, DIALECTS, Dialect, Person, SHOP};
use crate::harness::{Role, Server, Site};
use linnet_sdk::{ConversationId, Network, Trust};
use serde_json::json;

const WAIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_dialects_talk_in_one_process() {
    let site = site();
    let server = site.start(Role::Serve);
    let town = Town::settle(&site, &server, &server).await;
    town.talk().await;
    town.read_elsewhere();
    town.finish().await;
    assert!(server.terminate().success(), "a server that is told to stop ends well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_dialects_talk_in_two_processes_and_either_may_restart() {
    let site = site();
    let mut gateway = site.start(Role::Gateway);
    let mut rest = site.start(Role::Rest);
    let mut town = Town::settle(&site, &gateway, &rest).await;
    town.talk().await;
    town.read_elsewhere();

    // Without the REST service, phones go on.
    rest.kill();
    town.send_from_phone(0, 1, "while REST is away").await;
    let ports = rest.same_ports();
    rest = site.start_with(Role::Rest, &ports.iter().map(String::as_str).collect::<Vec<_>>());
    town.send_from_server(0, 1, "REST is back").await;

    // Without the gateway, there is no store: the REST service says so, and recovers by itself.
    gateway.kill();
    town.server_answers("/readyz", 503);
    let ports = gateway.same_ports();
    gateway = site.start_with(Role::Gateway, &ports.iter().map(String::as_str).collect::<Vec<_>>());
    town.server_answers("/readyz", 200);
    town.send_from_server(1, 2, "the gateway is back").await;
    town.send_from_phone(2, 1, "and so are the phones").await;

    town.finish().await;
    assert!(rest.terminate().success());
    assert!(gateway.terminate().success());
}

fn site() -> Site {
    let site = Site::new();
    let create = ["app", "create", "--id", SHOP.id, "--number", SHOP.number, "--key", SHOP.key];
    site.run(&[&create[..], &["--secret", SHOP.secret, "--admin", SHOP.admin]].concat());
    site
}

/// Five users with three devices each, and their app server.
struct Town {
    people: Vec<Person>,
    devices: Vec<Vec<Device>>,
    server: AppServer,
    admin: String,
    /// What was said, by conversation: who said what, in the order of the acks.
    said: std::sync::Mutex<BTreeMap<ConversationId, Vec<(u64, String)>>>,
}

impl Town {
    async fn settle(site: &Site, gateway: &Server, rest: &Server) -> Self {
        let server = AppServer::new(rest.url(""));
        let admin = SHOP.admin_token(&server);
        let mut people: Vec<Person> = DIALECTS.into_iter().map(|dialect| SHOP.register(&server, dialect)).collect();
        let network = Network::new(&Trust::Authorities(site.certificate())).expect("the server's certificate");
        let mut devices = Vec::new();
        for person in &mut people {
            let mut own = Vec::new();
            for transport in TRANSPORTS {
                own.push(Device::connect(gateway.gateway(), &network, &person.token, transport).await);
            }
            let me = own[0].client.me().await.expect("logged in");
            assert!(me.uid == person.uid || me.user.to_string() == person.uid, "{me:?} is {person:?}");
            person.id = me.user;
            devices.push(own);
        }
        Self { people, devices, server, admin, said: std::sync::Mutex::default() }
    }

    /// Every pair, in both directions, oneself included, from the app server and from a phone.
    async fn talk(&self) {
        for from in 0..self.people.len() {
            for to in 0..self.people.len() {
                self.send_from_server(from, to, &format!("REST {from} to {to}")).await;
                self.send_from_phone(from, to, &format!("phone {from} to {to}")).await;
            }
        }
        self.compare().await;
    }

    async fn send_from_server(&self, from: usize, to: usize, text: &str) {
        let (sender, receiver) = (&self.people[from], &self.people[to]);
        tokio::task::block_in_place(|| SHOP.send(&self.server, &self.admin, sender, receiver, text));
        self.note(from, to, text);
    }

    async fn send_from_phone(&self, from: usize, to: usize, text: &str) {
        // A different transport for each, so that all take turns.
        let device = &self.devices[from][(from + to) % TRANSPORTS.len()];
        let sent = device.client.send_text(self.conversation(from, to), text).await;
        let sent = sent.unwrap_or_else(|error| panic!("{} to {to}: {error}", device.name));
        let due = self.note(from, to, text);
        assert_eq!(sent.seq, due, "the ack tells the message's place");
    }

    fn conversation(&self, one: usize, other: usize) -> ConversationId {
        ConversationId::between(self.people[one].id, self.people[other].id)
    }

    /// Writes down what was said; answers its place.
    fn note(&self, from: usize, to: usize, text: &str) -> u64 {
        let mut said = self.said.lock().expect("nobody panics with it");
        let all = said.entry(self.conversation(from, to)).or_default();
        all.push((self.people[from].id, text.to_owned()));
        all.len() as u64
    }

    /// Every device of both users has seen exactly what was said, with the same seqs.
    async fn compare(&self) {
        let said = self.said.lock().expect("nobody panics with it").clone();
        for (conversation, said) in said {
            let members = self.people.iter().zip(&self.devices);
            let devices =
                members.filter(|(person, _)| is_member(conversation, person.id)).flat_map(|(_, devices)| devices);
            for device in devices {
                let seen = device.until(conversation, said.len() as u64).await;
                let seqs: Vec<u64> = seen.iter().map(|entry| entry.seq).collect();
                assert_eq!(seqs, (1..=said.len() as u64).collect::<Vec<_>>(), "{}", device.name);
                let heard: Vec<(u64, String)> = seen.iter().map(|entry| (entry.sender, plain(entry))).collect();
                assert_eq!(heard, said, "{}", device.name);
                assert_eq!(device.history(conversation).await, seen, "{}", device.name);
            }
        }
        for device in self.devices.iter().flatten() {
            assert_eq!(device.notebook().violations, Vec::<String>::new(), "{}", device.name);
        }
    }

    /// What openim's app server sent is in gobelieve's and in maxim's history.
    fn read_elsewhere(&self) {
        let person = |dialect| self.people.iter().find(|person| person.dialect == dialect).expect("one of each");
        let (olga, gob, mara) = (person(Dialect::Openim), person(Dialect::Gobelieve), person(Dialect::Maxim));
        let body = |to: &Person, text: &str| {
            json!({
                "operationID": "op", "sendID": olga.uid, "recvID": to.uid, "content": {"text": text},
                "contentType": 101, "sessionType": 1,
            })
        };
        let headers = [("token", self.admin.as_str())];
        for (to, text) in [(gob, "for gobelieve"), (mara, "for maxim")] {
            let sent = self.server.post("/manager/send_msg", &headers, &body(to, text));
            assert_eq!(sent.at("/errCode"), 0, "{}", sent.text);
            self.note(self.index(olga), self.index(to), text);
        }
        let bearer = format!("Bearer {}", gob.token);
        let history = self.server.get("/messages", &[("authorization", &bearer)]);
        let found = history.at("/data").as_array().expect("a list").iter().any(|message| {
            message["sender"] == olga.id
                && message["content"].as_str().is_some_and(|text| text.contains("for gobelieve"))
        });
        assert!(found, "{}", history.text);
        let path = format!("/message/conversation?opposite_id={}&type=1", olga.id);
        let headers = [("app_id", SHOP.id), ("access-token", mara.token.as_str())];
        let history = self.server.get(&path, &headers);
        let newest = history.at("/data/messages/0");
        assert_eq!(
            (&newest["content"], &newest["from_xid"]["uid"]),
            (&json!("for maxim"), &json!(olga.id)),
            "{}",
            history.text
        );
    }

    fn index(&self, person: &Person) -> usize {
        self.people.iter().position(|other| other.id == person.id).expect("one of us")
    }

    /// Waits until the app server is answered with a status.
    fn server_answers(&mut self, path: &str, status: u16) {
        let deadline = Instant::now() + WAIT;
        loop {
            let answer = self.server.try_get(path, &[]);
            if answer.as_ref().is_ok_and(|answer| answer.status == status) {
                return;
            }
            assert!(Instant::now() < deadline, "{path} is not answered with {status}: {answer:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    async fn finish(&self) {
        self.compare().await;
        for device in self.devices.iter().flatten() {
            device.client.close().await;
        }
    }
}

fn is_member(conversation: ConversationId, user: u64) -> bool {
    matches!(conversation, ConversationId::Direct { low, high } if low == user || high == user)
}

/// The words of a message. gobelieve's are whatever its app puts into a string; here that is JSON with a text.
fn plain(seen: &Seen) -> String {
    let inner = serde_json::from_str::<serde_json::Value>(&seen.text).ok();
    inner.and_then(|value| Some(value.get("text")?.as_str()?.to_owned())).unwrap_or_else(|| seen.text.clone())
}
