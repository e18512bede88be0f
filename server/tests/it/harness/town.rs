//! A town: users registered through each of the five dialects, with devices at every gateway, and the app servers that speak for them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use linnet_sdk::{ConversationId, Network, NewGroup};
use serde_json::json;

use super::Server;
use super::device::{Device, Seen, TRANSPORTS};
use super::http::{AppServer, Club, DIALECTS, Dialect, Person, SHOP};

const WAIT: Duration = Duration::from_secs(30);

/// Five users with three devices each, and their app servers.
pub(crate) struct Town {
    pub(crate) people: Vec<Person>,
    pub(crate) devices: Vec<Vec<Device>>,
    /// One for each REST service; they take turns.
    servers: Vec<AppServer>,
    admin: String,
    /// What was said, by conversation: who said what, in the order of the acks.
    said: Mutex<BTreeMap<ConversationId, Vec<(u64, String)>>>,
}

impl Town {
    /// Registers everybody, and logs each in at every one of the gateways in turn.
    pub(crate) async fn settle(network: &Network, gateways: &[&Server], rests: &[&Server]) -> Self {
        let servers: Vec<AppServer> = rests.iter().map(|rest| AppServer::new(rest.url(""))).collect();
        let admin = SHOP.admin_token(&servers[0]);
        let register = |(index, dialect)| SHOP.register(&servers[index % servers.len()], dialect);
        let mut people: Vec<Person> = DIALECTS.into_iter().enumerate().map(register).collect();
        let mut devices = Vec::new();
        for (index, person) in people.iter_mut().enumerate() {
            let mut own = Vec::new();
            for (turn, transport) in TRANSPORTS.into_iter().enumerate() {
                let gateway = gateways[(index + turn) % gateways.len()].gateway();
                own.push(Device::connect(gateway, network, &person.token, transport).await);
            }
            let me = own[0].client.me().await.expect("logged in");
            assert!(me.uid == person.uid || me.user.to_string() == person.uid, "{me:?} is {person:?}");
            person.id = me.user;
            devices.push(own);
        }
        Self { people, devices, servers, admin, said: Mutex::default() }
    }

    /// Every pair, in both directions, oneself included, from the app server and from a phone.
    pub(crate) async fn talk(&self) {
        for from in 0..self.people.len() {
            for to in 0..self.people.len() {
                self.send_from_server(from, to, &format!("REST {from} to {to}")).await;
                self.send_from_phone(from, to, &format!("phone {from} to {to}")).await;
            }
        }
        self.compare().await;
    }

    pub(crate) async fn send_from_server(&self, from: usize, to: usize, text: &str) {
        let (sender, receiver) = (&self.people[from], &self.people[to]);
        tokio::task::block_in_place(|| SHOP.send(self.server(from + to), &self.admin, sender, receiver, text));
        self.note(self.conversation(from, to), from, text);
    }

    pub(crate) async fn send_from_phone(&self, from: usize, to: usize, text: &str) {
        // A different transport for each, so that all take turns.
        let device = &self.devices[from][(from + to) % TRANSPORTS.len()];
        let sent = device.client.send_text(self.conversation(from, to), text).await;
        let sent = sent.unwrap_or_else(|error| panic!("{} to {to}: {error}", device.name));
        let due = self.note(self.conversation(from, to), from, text);
        assert_eq!(sent.seq, due, "the ack tells the message's place");
    }

    fn conversation(&self, one: usize, other: usize) -> ConversationId {
        ConversationId::between(self.people[one].id, self.people[other].id)
    }

    fn server(&self, turn: usize) -> &AppServer {
        &self.servers[turn % self.servers.len()]
    }

    /// A group of everybody, in which everybody says something from an app server and from a phone.
    pub(crate) async fn gather(&self) {
        let owner = &self.devices[0][0].client;
        let members = self.people[1..].iter().map(|person| person.id).collect();
        let new = NewGroup { name: "Club".into(), gid: "club".into(), members, ..NewGroup::default() };
        let group = owner.create_group(new).await.expect("a group");
        let conversation = group.conversation();
        let club = Club { gid: group.gid.clone(), id: group.id };
        // What the group says of its own making comes first.
        let tips = self.devices[0][0].history(conversation).await;
        let tips = tips.iter().map(|entry| (entry.sender, plain(entry))).collect();
        self.said.lock().expect("nobody panics with it").insert(conversation, tips);
        for (from, person) in self.people.iter().enumerate() {
            let text = format!("REST {from} to all");
            let send = || SHOP.send_to_group(self.server(from), &self.admin, person, &club, &text);
            tokio::task::block_in_place(send);
            self.note(conversation, from, &text);
            let text = format!("phone {from} to all");
            let device = &self.devices[from][from % TRANSPORTS.len()];
            let sent = device.client.send_text(conversation, text.as_str()).await;
            let due = self.note(conversation, from, &text);
            assert_eq!(sent.unwrap_or_else(|error| panic!("{}: {error}", device.name)).seq, due);
        }
        self.compare().await;
    }

    /// Writes down what was said; answers its place.
    fn note(&self, conversation: ConversationId, from: usize, text: &str) -> u64 {
        let mut said = self.said.lock().expect("nobody panics with it");
        let all = said.entry(conversation).or_default();
        all.push((self.people[from].id, text.to_owned()));
        all.len() as u64
    }

    /// Every device of both users has seen exactly what was said, with the same seqs.
    pub(crate) async fn compare(&self) {
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
    pub(crate) fn read_elsewhere(&self) {
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
            let sent = self.servers[0].post("/manager/send_msg", &headers, &body(to, text));
            assert_eq!(sent.at("/errCode"), 0, "{}", sent.text);
            self.note(ConversationId::between(olga.id, to.id), self.index(olga), text);
        }
        let bearer = format!("Bearer {}", gob.token);
        let history = self.servers[0].get("/messages", &[("authorization", &bearer)]);
        let found = history.at("/data").as_array().expect("a list").iter().any(|message| {
            message["sender"] == olga.id
                && message["content"].as_str().is_some_and(|text| text.contains("for gobelieve"))
        });
        assert!(found, "{}", history.text);
        let path = format!("/message/conversation?opposite_id={}&type=1", olga.id);
        let headers = [("app_id", SHOP.id), ("access-token", mara.token.as_str())];
        let history = self.servers[0].get(&path, &headers);
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
    pub(crate) fn server_answers(&self, path: &str, status: u16) {
        let deadline = Instant::now() + WAIT;
        loop {
            let answer = self.servers[0].try_get(path, &[]);
            if answer.as_ref().is_ok_and(|answer| answer.status == status) {
                return;
            }
            assert!(Instant::now() < deadline, "{path} is not answered with {status}: {answer:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) async fn finish(&self) {
        self.compare().await;
        for device in self.devices.iter().flatten() {
            device.client.close().await;
        }
    }
}

fn is_member(conversation: ConversationId, user: u64) -> bool {
    match conversation {
        ConversationId::Direct { low, high } => low == user || high == user,
        // Everybody is in the one group that there is.
        _ => true,
    }
}

/// The words of a message. gobelieve's are whatever its app puts into a string; here that is JSON with a text.
fn plain(seen: &Seen) -> String {
    let inner = serde_json::from_str::<serde_json::Value>(&seen.text).ok();
    inner.and_then(|value| Some(value.get("text")?.as_str()?.to_owned())).unwrap_or_else(|| seen.text.clone())
}
