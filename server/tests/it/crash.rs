//! `kill -9` under load, again and again, against a ledger that the server never sees.
//!
//! What was acked must be there exactly once, at the place that the ack named, in the order of sending, and every device must have been told
//! of it exactly once, in order. `LINNET_CRASH_CYCLES` sets how often (`make crash`: 100), `LINNET_CRASH_SEED` repeats a run's timing.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::device::{Device, Seen, TRANSPORTS};
use crate::harness::http::{AppServer, SHOP};
use crate::harness::{Role, Server, Site};
use linnet_sdk::{Client, ConversationId, Network, Outgoing, Trust, content};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tokio::task::JoinHandle;

/// Users, each with one device that writes to the next user.
const SENDERS: usize = 9;
/// Messages that a sender leaves unacknowledged at a time.
const WINDOW: usize = 16;
/// How long the servers run between two kills.
const LIFE: std::ops::Range<u64> = 20..600;
/// How long the last acks may take.
const SETTLE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_is_killed_under_load() {
    let (cycles, mut random) = campaign(5);
    let site = site();
    let mut server = site.start(Role::Serve);
    let load = Load::start(&site, &server).await;
    for _ in 0..cycles {
        live(&mut random).await;
        tokio::task::block_in_place(|| server.kill_and_restart(&site, &[]));
    }
    let phones = load.stop().await;
    println!("{cycles} kills: {phones} messages acked; 0 lost, 0 duplicated, 0 out of order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_are_killed_in_turn_under_load() {
    let (cycles, mut random) = campaign(4);
    let site = site();
    let mut gateway = site.start(Role::Gateway);
    let mut rest = site.start(Role::Rest);
    let load = Load::start(&site, &gateway).await;
    let office = Office::start(&rest, &load);
    for cycle in 0..cycles {
        live(&mut random).await;
        let victim = if cycle % 2 == 0 { &mut gateway } else { &mut rest };
        tokio::task::block_in_place(|| victim.kill_and_restart(&site, &[]));
    }
    let servers = office.stop(&load).await;
    let phones = load.stop().await;
    println!(
        "{cycles} kills: {phones} messages acked to phones and {servers} to app servers; 0 lost, 0 duplicated, 0 out of order"
    );
}

fn campaign(default_cycles: u32) -> (u32, StdRng) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let cycles = number("LINNET_CRASH_CYCLES").map_or(default_cycles, |cycles| u32::try_from(cycles).expect("a count"));
    let seed = number("LINNET_CRASH_SEED").unwrap_or_else(rand::random);
    println!("LINNET_CRASH_SEED={seed} LINNET_CRASH_CYCLES={cycles}");
    (cycles, StdRng::seed_from_u64(seed))
}

fn site() -> Site {
    let site = Site::new();
    let create = ["app", "create", "--id", SHOP.id, "--number", SHOP.number, "--key", SHOP.key];
    site.run(&[&create[..], &["--secret", SHOP.secret, "--admin", SHOP.admin]].concat());
    site
}

async fn live(random: &mut StdRng) {
    tokio::time::sleep(Duration::from_millis(random.random_range(LIFE))).await;
}

/// Acked messages of one sender: the number in its text, and where the ack said that it is.
type Acked = Arc<Mutex<BTreeMap<u64, Place>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    epoch: u64,
    seq: u64,
}

/// Phones that write to each other without pause.
struct Load {
    devices: Vec<Device>,
    ids: Vec<u64>,
    acked: Vec<Acked>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    async fn start(site: &Site, server: &Server) -> Self {
        let credentials = site.path().join("credentials");
        let count = SENDERS.to_string();
        let file = credentials.to_str().expect("a plain name");
        site.run(&["user", "create", "--app", SHOP.id, "--count", &count, "--prefix", "u", "--credentials", file]);
        let text = std::fs::read_to_string(&credentials).expect("credentials");
        let network = Network::new(&Trust::Authorities(site.certificate())).expect("the server's certificate");
        let (mut devices, mut ids) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [_, id, token] = fields[..] else { panic!("not uid, id and token: {line}") };
            ids.push(id.parse().expect("an id"));
            devices
                .push(Device::connect(server.gateway(), &network, token, TRANSPORTS[index % TRANSPORTS.len()]).await);
        }
        assert_eq!(devices.len(), SENDERS);
        let stop = Arc::new(AtomicBool::new(false));
        let acked: Vec<Acked> = (0..SENDERS).map(|_| Acked::default()).collect();
        let writers = (0..SENDERS).map(|index| {
            let conversation = ConversationId::between(ids[index], ids[(index + 1) % SENDERS]);
            let (client, acked, stop) = (devices[index].client.clone(), Arc::clone(&acked[index]), Arc::clone(&stop));
            tokio::spawn(write(client, conversation, index, acked, stop))
        });
        let writers = writers.collect();
        Self { devices, ids, acked, stop, writers }
    }

    /// Lets the senders finish, and checks every ack. Answers how many there were.
    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            tokio::time::timeout(SETTLE, writer)
                .await
                .expect("every message is acked in the end")
                .expect("no writer fails");
        }
        let mut total = 0;
        for index in 0..SENDERS {
            let next = (index + 1) % SENDERS;
            let conversation = ConversationId::between(self.ids[index], self.ids[next]);
            let log = self.devices[index].history(conversation).await;
            check_log(conversation, &log);
            total += check_acks(&self.acked[index].lock().expect("no writer panicked"), &log, index, self.ids[index]);
            for device in [&self.devices[index], &self.devices[next]] {
                device.must_have_seen(conversation, &log).await;
            }
        }
        for device in &self.devices {
            assert_eq!(device.notebook().violations, Vec::<String>::new(), "{}", device.name);
        }
        assert!(total > 0, "there was a load");
        total
    }
}

/// Sends numbered messages, several at a time, until told to stop; then waits for the last acks.
async fn write(client: Client, conversation: ConversationId, sender: usize, acked: Acked, stop: Arc<AtomicBool>) {
    let mut unacked = std::collections::VecDeque::new();
    let mut number = 0;
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        if stopping && unacked.is_empty() {
            return;
        }
        if !stopping && unacked.len() < WINDOW {
            number += 1;
            let client_msg_id = format!("s{sender}-{number}");
            let content = content::text(client_msg_id.clone());
            let outgoing = Outgoing { conversation, content, client_msg_id, online_only: false };
            unacked.push_back((number, client.submit(outgoing).await.expect("the client is open")));
            continue;
        }
        let Some((number, pending)) = unacked.pop_front() else { continue };
        match pending.acknowledged().await {
            Ok(sent) => {
                let place = Place { epoch: sent.epoch, seq: sent.seq };
                acked.lock().expect("nobody panics with it").insert(number, place);
            }
            Err(error) => panic!("message {number} of sender {sender}: {error}"),
        }
    }
}

/// Seqs are 1, 2, 3, ...; no client_msg_id is there twice.
fn check_log(conversation: ConversationId, log: &[Seen]) {
    let mut used = HashMap::new();
    for (index, entry) in log.iter().enumerate() {
        assert_eq!(entry.seq, index as u64 + 1, "{conversation} has a hole or a repetition");
        if let Some(before) = used.insert((entry.sender, entry.client_msg_id.clone()), entry.seq) {
            panic!("{conversation}: {} is there twice, #{before} and #{}", entry.client_msg_id, entry.seq);
        }
    }
}

/// Every ack is kept, at its place, and what one sender wrote is in the order of writing.
fn check_acks(acked: &BTreeMap<u64, Place>, log: &[Seen], sender: usize, id: u64) -> usize {
    let own: Vec<&Seen> = log.iter().filter(|entry| entry.sender == id).collect();
    let prefix = format!("s{sender}-");
    let numbers: Vec<u64> =
        own.iter().filter_map(|entry| entry.client_msg_id.strip_prefix(&prefix)?.parse().ok()).collect();
    let disorder = numbers.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(disorder, None, "sender {sender}: out of order");
    let epochs: std::collections::BTreeSet<u64> = acked.values().map(|place| place.epoch).collect();
    assert!(epochs.len() <= 1, "sender {sender}: the epoch changed: {epochs:?}");
    for (number, place) in acked {
        let name = format!("{prefix}{number}");
        let there = log
            .get(place.seq as usize - 1)
            .map(|entry| (entry.sender, entry.client_msg_id.as_str(), entry.text.as_str()));
        assert_eq!(there, Some((id, name.as_str(), name.as_str())), "sender {sender}: acked #{} is lost", place.seq);
    }
    acked.len()
}

/// An app server that writes without pause, and never tries again: what is not answered may or may not be there.
struct Office {
    stop: Arc<AtomicBool>,
    clerk: JoinHandle<Ledger>,
    conversation: ConversationId,
}

#[derive(Debug, Default)]
struct Ledger {
    acked: Vec<u64>,
    /// Refused with an answer: never there.
    refused: Vec<u64>,
    /// No answer, or one that says that the outcome is unknown: there at most once.
    unknown: Vec<u64>,
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

impl Office {
    /// Writes from the last user to the third, whose conversation nobody else uses.
    fn start(rest: &Server, load: &Load) -> Self {
        let (sender, receiver) = (load.ids[SENDERS - 1], load.ids[2]);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let base = rest.url("");
        let clerk = tokio::task::spawn_blocking(move || {
            let server = AppServer::new(base);
            let basic = SHOP.basic();
            let mut ledger = Ledger::default();
            while !stopped.load(Ordering::Relaxed) {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let body = json!({"sender": sender, "receiver": receiver, "content": format!("letter-{number}")});
                match server.try_post("/messages/peers", &[("authorization", &basic)], &body) {
                    Ok(answer) if answer.status == 200 => ledger.acked.push(number),
                    Ok(answer) if answer.status == 503 || answer.status == 500 => ledger.unknown.push(number),
                    Ok(answer) => {
                        ledger.refused.push(number);
                        assert_eq!(answer.status, 429, "{}", answer.text);
                    }
                    Err(_) => {
                        ledger.unknown.push(number);
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
            ledger
        });
        Self { stop, clerk, conversation: ConversationId::between(sender, receiver) }
    }

    /// Checks every answer. Answers how many messages were acked.
    async fn stop(self, load: &Load) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let ledger = self.clerk.await.expect("the app server never fails");
        let log = load.devices[2].history(self.conversation).await;
        check_log(self.conversation, &log);
        let mut times: HashMap<u64, u32> = HashMap::new();
        let numbers: Vec<u64> =
            log.iter().filter_map(|entry| entry.text.split("letter-").nth(1)?.trim_matches('"').parse().ok()).collect();
        assert_eq!(numbers.len(), log.len(), "only letters are there");
        for number in &numbers {
            *times.entry(*number).or_default() += 1;
        }
        for number in &ledger.acked {
            assert_eq!(times.get(number), Some(&1), "acked letter {number} is there once");
        }
        for number in &ledger.unknown {
            assert!(times.get(number).is_none_or(|times| *times == 1), "letter {number} is there twice");
        }
        for number in &ledger.refused {
            assert_eq!(times.get(number), None, "refused letter {number} is there");
        }
        let acked: Vec<u64> = numbers.iter().copied().filter(|number| ledger.acked.contains(number)).collect();
        assert!(acked.is_sorted(), "one letter was answered before the next was written");
        assert!(!ledger.acked.is_empty(), "there was a load");
        load.devices[2].must_have_seen(self.conversation, &log).await;
        ledger.acked.len()
    }
}
