//! The system under test: gateways and REST nodes, each a process of its own, and the people who use them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use linnet_sdk::{Client, ConversationId, Network, NewGroup, Options, Platform};
use storage::testing::RedisCluster;
use tokio::task::JoinHandle;

use crate::checker::{self, Findings, View};
use crate::harness::Role;
use crate::harness::cluster::{Cluster, Node};
use crate::harness::device::{self, TRANSPORTS};
use crate::harness::http::{AppServer, SHOP};
use crate::ledger::{Ledger, Moment, Name, Notebook, Shown};
use crate::load::{Office, Writer, write};
use crate::phone::{Phone, read_log};

/// Users, each with one device: three for each group at each of three gateways.
const USERS: usize = 27;
const GROUPS: usize = 3;
/// Members of each group that write.
const GROUP_WRITERS: usize = 3;
/// App servers that write.
const OFFICES: usize = 3;
/// How long the last answers, and the last deliveries, may take.
const SETTLE: Duration = Duration::from_secs(90);
/// How often a device looks into a conversation's newest history.
const GLIMPSE: Duration = Duration::from_millis(500);

/// The processes, and the Redis Cluster that they share.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) gateways: Vec<Node>,
    pub(crate) rests: Vec<Node>,
}

impl World {
    /// Starts so many processes of each role. `settings` are lines of `[store.redis]`.
    pub(crate) fn start(redis: RedisCluster, settings: &str, gateways: usize, rests: usize) -> Self {
        let cluster = Cluster::over(redis, settings);
        let gateways = cluster.nodes(Role::Gateway, gateways);
        let rests = cluster.nodes(Role::Rest, rests);
        Self { cluster, gateways, rests }
    }

    /// Options of a user's device at one of the gateways.
    fn options(&self, network: &Network, token: &str, index: usize) -> Options {
        let gateway = self.gateways[index % self.gateways.len()].server.gateway();
        let transport = TRANSPORTS[(index + index / self.gateways.len()) % TRANSPORTS.len()];
        device::options(gateway, network, token, transport)
    }

    /// In which slots each conversation is: that of its log, and those of its users where they are asked before every message.
    pub(crate) fn slots(&self, conversations: &[ConversationId]) -> BTreeMap<ConversationId, Slots> {
        let redis = &self.cluster.redis;
        let keys_of = |master| redis.ask(master, &["KEYS", "*"]).expect("the keys of a master").into_items();
        let keys: Vec<Vec<u8>> = redis.masters().into_iter().flat_map(keys_of).collect();
        let slot_of = |home: Vec<u8>| {
            let key = keys.iter().find(|key| key.windows(home.len()).any(|window| window == home));
            redis.slot_of(key.unwrap_or_else(|| panic!("no key of {home:?}"))).expect("a slot")
        };
        let slots = |conversation: &ConversationId| {
            let users = match conversation {
                ConversationId::Direct { low, high } => {
                    vec![slot_of(home(USER, &[*low])), slot_of(home(USER, &[*high]))]
                }
                _ => Vec::new(),
            };
            Slots { log: slot_of(home_of(*conversation)), users }
        };
        conversations.iter().map(|conversation| (*conversation, slots(conversation))).collect()
    }

    /// Logs of all processes, for whoever looks for the cause of a fault.
    pub(crate) fn keep_logs(&self, folder: &Path) {
        std::fs::create_dir_all(folder).expect("a folder for logs");
        for (name, nodes) in [("gateway", &self.gateways), ("rest", &self.rests)] {
            for (index, node) in nodes.iter().enumerate() {
                std::fs::write(folder.join(format!("{name}-{index}.log")), node.server.log()).expect("a log is kept");
            }
        }
    }
}

/// Where a conversation is.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    pub(crate) log: u16,
    pub(crate) users: Vec<u16>,
}

// Kinds of homes: the domain's golden file has them.
const USER: u8 = 4;
const DIRECT: u8 = 5;
const GROUP: u8 = 6;
const NOTICES: u8 = 7;

/// What the keys of a home have in them and no others: its kind, and its ids.
fn home(kind: u8, ids: &[u64]) -> Vec<u8> {
    let ids = ids.iter().flat_map(|id| id.to_be_bytes());
    std::iter::once(kind).chain(ids).collect()
}

fn home_of(conversation: ConversationId) -> Vec<u8> {
    match conversation {
        ConversationId::Direct { low, high } => home(DIRECT, &[low, high]),
        ConversationId::Group(group) => home(GROUP, &[group]),
        ConversationId::Notices(user) => home(NOTICES, &[user]),
    }
}

/// Who is who: users by id and token.
struct People {
    ids: Vec<u64>,
    tokens: Vec<String>,
}

impl People {
    fn register(world: &World) -> Self {
        let create = ["app", "create", "--id", SHOP.id, "--number", SHOP.number, "--key", SHOP.key];
        let desk = &world.cluster.desk;
        desk.run(&[&create[..], &["--secret", SHOP.secret, "--admin", SHOP.admin]].concat());
        let file = desk.path().join("credentials");
        let name = file.to_str().expect("a plain name");
        let count = USERS.to_string();
        desk.run(&["user", "create", "--app", SHOP.id, "--count", &count, "--prefix", "u", "--credentials", name]);
        let text = std::fs::read_to_string(&file).expect("credentials");
        let fields = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let (ids, tokens) = fields.map(|line| (line[1].parse::<u64>().expect("an id"), line[2].to_owned())).unzip();
        Self { ids, tokens }
    }
}

/// People who write to each other without pause, and what they were told.
pub(crate) struct Crowd {
    pub(crate) ledger: Arc<Ledger>,
    phones: Arc<Vec<Phone>>,
    /// Which devices are shown each conversation.
    members: Vec<(ConversationId, Vec<usize>)>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
    reader: JoinHandle<()>,
    repeats: Arc<AtomicUsize>,
    tokens: Vec<String>,
}

/// What a crowd tells when it has stopped.
pub(crate) struct Account {
    pub(crate) findings: Findings,
    /// Connections that were made after the first one of each device, and how many of them went on with the session before.
    pub(crate) reconnects: u64,
    pub(crate) resumed: u64,
    /// Requests of app servers that were sent again because nothing told what became of them.
    pub(crate) repeats: usize,
    /// The longest time from an acknowledgement until a device was shown the message.
    pub(crate) slowest_delivery: Duration,
}

impl Crowd {
    /// Everybody logs in and begins: each phone writes to the next, some to their group, app servers to the one after next.
    pub(crate) async fn start(world: &World, rate: u32) -> Self {
        let people = tokio::task::block_in_place(|| People::register(world));
        let network = world.cluster.network();
        let groups = make_groups(world, &network, &people).await;
        let direct =
            |from: usize, to: usize| ConversationId::between(people.ids[from], people.ids[(from + to) % USERS]);
        let mut members: Vec<(ConversationId, Vec<usize>)> = Vec::new();
        members.extend((0..USERS).map(|user| (direct(user, 1), vec![user, (user + 1) % USERS])));
        members.extend((0..OFFICES).map(|user| (direct(user, 2), vec![user, user + 2])));
        members.extend(groups.iter().enumerate().map(|(index, group)| (*group, group_members(index).collect())));
        let ledger = Arc::new(Ledger::new(members.iter().map(|(conversation, _)| *conversation)));
        let mut phones = Vec::new();
        for (index, token) in people.tokens.iter().enumerate() {
            let options = world.options(&network, token, index);
            phones.push(
                Phone::connect(format!("u{index} over {:?}", options.transport), options, Arc::clone(&ledger)).await,
            );
        }
        let phones = Arc::new(phones);
        let mut by_phone: Vec<(usize, ConversationId)> = (0..USERS).map(|user| (user, direct(user, 1))).collect();
        for (index, group) in groups.iter().enumerate() {
            by_phone.extend(group_members(index).step_by(2).take(GROUP_WRITERS).map(|user| (user, *group)));
        }
        let total = u32::try_from(by_phone.len() + OFFICES).expect("a few writers");
        let pace = Duration::from_secs(1) * total / rate.max(1);
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = Vec::new();
        for (number, (user, conversation)) in (1..).zip(by_phone) {
            let writer = Writer { number, conversation, pace };
            writers.push(tokio::spawn(write(
                writer,
                phones[user].client.clone(),
                Arc::clone(&ledger),
                Arc::clone(&stop),
            )));
        }
        let repeats = Arc::new(AtomicUsize::new(0));
        for (number, user) in (total..).zip(0..OFFICES) {
            let nodes = world.rests.iter().map(|node| AppServer::new(node.server.url("")));
            let office = Office {
                writer: Writer { number, conversation: direct(user, 2), pace },
                nodes: nodes.collect(),
                app: SHOP.id,
                token: people.tokens[user].clone(),
                receiver: people.ids[user + 2],
                repeats: Arc::clone(&repeats),
            };
            let (ledger, stop) = (Arc::clone(&ledger), Arc::clone(&stop));
            writers.push(tokio::task::spawn_blocking(move || office.run(&ledger, &stop)));
        }
        let reader = tokio::spawn(look_around(Arc::clone(&phones), members.clone()));
        Self { ledger, phones, members, stop, writers, reader, repeats, tokens: people.tokens }
    }

    /// Every conversation that is written to.
    pub(crate) fn conversations(&self) -> Vec<ConversationId> {
        self.ledger.conversations().collect()
    }

    /// Lets the writers finish and the devices catch up, reads everything back through a process that had no part in it, and checks.
    pub(crate) async fn stop(mut self, world: &World) -> Account {
        self.stop.store(true, Ordering::Relaxed);
        for writer in std::mem::take(&mut self.writers) {
            tokio::time::timeout(SETTLE, writer)
                .await
                .expect("every message is answered in the end")
                .expect("no writer fails");
        }
        self.reader.abort();
        let fresh = tokio::task::block_in_place(|| world.cluster.node(Role::Gateway));
        let network = world.cluster.network();
        let mut logs = Vec::new();
        for (conversation, members) in &self.members {
            // As another installation of the user, so that the device itself goes on listening.
            let options = device::options(fresh.server.gateway(), &network, &self.tokens[members[0]], TRANSPORTS[1]);
            let options = Options { device_id: "the-auditor".to_owned(), platform: Platform::Web, ..options };
            let client = Client::connect(options).await.expect("a fresh process is there");
            client.ignore_events().await.expect("the client is open");
            logs.push(read_log(&client, *conversation).await);
            client.close().await;
        }
        self.catch_up(&logs).await;
        let notebooks: Vec<Notebook> = self.phones.iter().map(Phone::notebook).collect();
        let mut findings = Findings::default();
        for ((conversation, members), log) in self.members.iter().zip(&logs) {
            let none = Vec::new();
            let views: Vec<View<'_>> = members
                .iter()
                .map(|index| View {
                    device: &self.phones[*index].name,
                    stream: notebooks[*index].streams.get(conversation).unwrap_or(&none),
                    glimpses: notebooks[*index].glimpses.get(conversation).map_or(&[], Vec::as_slice),
                })
                .collect();
            findings.add(checker::check(
                &conversation.to_string(),
                log,
                &self.ledger.operations(*conversation),
                &views,
            ));
        }
        for (phone, notebook) in self.phones.iter().zip(&notebooks) {
            assert_eq!(notebook.closed, None, "{} is still there", phone.name);
        }
        Account {
            findings,
            reconnects: notebooks.iter().map(|notebook| notebook.connections.saturating_sub(1)).sum(),
            resumed: notebooks.iter().map(|notebook| notebook.resumed).sum(),
            repeats: self.repeats.load(Ordering::Relaxed),
            slowest_delivery: self.slowest_delivery(&notebooks),
        }
    }

    fn slowest_delivery(&self, notebooks: &[Notebook]) -> Duration {
        let operations = self.ledger.conversations().flat_map(|conversation| self.ledger.operations(conversation));
        let answered: HashMap<Name, Moment> =
            operations.map(|operation| (operation.name, operation.answered)).collect();
        let shown = notebooks.iter().flat_map(|notebook| notebook.streams.values().flatten());
        let late = shown.filter_map(|shown| match shown {
            Shown::Entry { name: Some(name), at, .. } => Some(at.since(*answered.get(name)?)),
            _ => None,
        });
        late.max().unwrap_or_default()
    }

    /// Waits until every device was shown the ends of its conversations, or has had its time.
    async fn catch_up(&self, logs: &[Vec<checker::Stored>]) {
        let there = || {
            self.members.iter().zip(logs).all(|((conversation, members), log)| {
                members.iter().all(|index| self.phones[*index].reached(*conversation) >= log.len() as u64)
            })
        };
        let deadline = tokio::time::Instant::now() + SETTLE;
        while !there() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The members of a group, by number: as many from each gateway.
fn group_members(group: usize) -> impl Iterator<Item = usize> {
    (0..USERS).filter(move |user| user / GROUPS % GROUPS == group)
}

async fn make_groups(world: &World, network: &Network, people: &People) -> Vec<ConversationId> {
    let mut groups = Vec::new();
    for index in 0..GROUPS {
        let mut members = group_members(index);
        let owner = members.next().expect("a group has members");
        let client = Client::connect(world.options(network, &people.tokens[owner], owner)).await.expect("a login");
        let members = members.map(|member| people.ids[member]).collect();
        let group = client.create_group(NewGroup { name: format!("group {index}"), members, ..Default::default() });
        groups.push(group.await.expect("a group").conversation());
        client.close().await;
    }
    groups
}

/// Looks into the newest history of one conversation after the other: what is read back must be durable too.
async fn look_around(phones: Arc<Vec<Phone>>, members: Vec<(ConversationId, Vec<usize>)>) {
    for (round, (conversation, members)) in members.iter().cycle().enumerate() {
        phones[members[round % members.len()]].glimpse(*conversation).await;
        tokio::time::sleep(GLIMPSE).await;
    }
}

/// Whether something holds within `patience`, looked at again and again.
pub(crate) async fn holds_within(patience: Duration, holds: impl Fn() -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + patience;
    while !holds() {
        if tokio::time::Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}
