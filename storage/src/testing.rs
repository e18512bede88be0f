//! A Redis Cluster of a test's own: real servers on loopback, in a temporary directory, gone when the test is. And reads that can be held.
//!
//! Everything blocks: a test calls this between its steps, from a runtime of several threads or from none.

pub(crate) mod hold;
mod process;
mod proxy;
mod resp;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::TempDir;

use self::process::{Process, Undertaker};
pub use self::proxy::Proxy;
pub use self::resp::Reply;

/// The environment variable that names another server binary than the `redis-server` of the path: Valkey, a newer Redis.
pub const SERVER: &str = "LINNET_REDIS_SERVER";

const SLOTS: u16 = 16_384;
/// How long forming, healing and starting may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Masters, each with an equal share of the slots.
    pub masters: usize,
    /// Replicas of each master.
    pub replicas: usize,
    /// After how long of silence a node counts as dead. A failover takes about twice as long.
    pub node_timeout: Duration,
    /// The server binary.
    pub server: PathBuf,
    /// More settings, as name and value, that go over ours.
    pub settings: Vec<(String, String)>,
}

impl ClusterOptions {
    /// So many masters with so many replicas each, of the binary that [`SERVER`] names or the path has.
    #[must_use]
    pub fn new(masters: usize, replicas: usize) -> Self {
        let server = std::env::var_os(SERVER).map_or_else(|| PathBuf::from("redis-server"), PathBuf::from);
        Self { masters, replicas, node_timeout: Duration::from_secs(2), server, settings: Vec::new() }
    }

    /// With this setting instead of ours or the server's default.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running cluster. Nodes are known by their number: first the masters as they were at the start, then their replicas.
#[derive(Debug)]
pub struct RedisCluster {
    options: ClusterOptions,
    nodes: Mutex<Vec<Process>>,
    undertaker: Undertaker,
    directory: TempDir,
}

/// What one node says of another: `CLUSTER NODES`, a line of it.
#[derive(Debug, Clone)]
struct Member {
    node: usize,
    master: Option<String>,
    failed: bool,
    slots: Vec<(u16, u16)>,
}

impl RedisCluster {
    /// Starts a cluster and waits until all of it is up.
    ///
    /// # Panics
    /// With the reason if it does not come up: no server installed, most of all.
    #[must_use]
    pub fn start(masters: usize, replicas: usize) -> Self {
        Self::start_with(ClusterOptions::new(masters, replicas)).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts a cluster and waits until all of it is up.
    ///
    /// # Errors
    /// A sentence that says why it does not come up.
    pub fn start_with(options: ClusterOptions) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let undertaker = Undertaker::start(directory.path())?;
        let cluster = Self { options, nodes: Mutex::default(), undertaker, directory };
        let (masters, replicas) = (cluster.options.masters, cluster.options.replicas);
        for _ in 0..masters * (1 + replicas) {
            cluster.spawn_node()?;
        }
        for node in 0..masters {
            let from = usize::from(SLOTS) * node / masters;
            let to = usize::from(SLOTS) * (node + 1) / masters - 1;
            cluster.ask(node, &["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()])?;
        }
        for node in 0..masters * (1 + replicas) {
            cluster.ask(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(node + 1).to_string()])?;
        }
        for node in 1..masters * (1 + replicas) {
            cluster.meet(node)?;
        }
        cluster.wait_until("all nodes know each other", || cluster.know_each_other())?;
        for replica in masters..masters * (1 + replicas) {
            cluster.replicate(replica, (replica - masters) % masters)?;
        }
        cluster.wait_until("all nodes know the replicas", || cluster.agree_on_replicas(masters * replicas))?;
        cluster.wait_until_healthy()?;
        Ok(cluster)
    }

    /// Where clients begin: all nodes, in one URL.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.lock().iter().map(Process::address).collect();
        format!("redis://{}", hosts.join(","))
    }

    /// How many nodes there are, running or not.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.lock().len()
    }

    /// A node's `host:port`.
    #[must_use]
    pub fn address(&self, node: usize) -> String {
        self.nodes.lock()[node].address()
    }

    /// A node's ports: for clients and replicas, and for the other nodes.
    #[must_use]
    pub fn ports(&self, node: usize) -> (u16, u16) {
        self.nodes.lock()[node].ports()
    }

    /// Where a node's connections to other nodes come from. No client's do.
    #[must_use]
    pub fn source(&self, node: usize) -> Ipv4Addr {
        self.nodes.lock()[node].source()
    }

    /// The id of a node's process, for strace, nft and the like.
    #[must_use]
    pub fn pid(&self, node: usize) -> u32 {
        self.nodes.lock()[node].pid()
    }

    /// The node that serves a slot, as most of those that are running see it.
    ///
    /// # Panics
    /// If none does.
    #[must_use]
    pub fn master_of(&self, slot: u16) -> usize {
        self.find_master(slot).unwrap_or_else(|| panic!("nobody serves slot {slot}"))
    }

    /// The slot of a key.
    ///
    /// # Errors
    /// If no node answers.
    pub fn slot_of(&self, key: &[u8]) -> Result<u16, String> {
        let node = (0..self.nodes()).find(|node| self.is_up(*node)).ok_or("no node runs")?;
        match resp::ask_bytes(&self.address(node), &[b"CLUSTER", b"KEYSLOT", key])? {
            Reply::Number(slot) => u16::try_from(slot).map_err(|error| error.to_string()),
            other => Err(format!("no slot: {other:?}")),
        }
    }

    /// All nodes that serve slots now.
    #[must_use]
    pub fn masters(&self) -> Vec<usize> {
        let members = self.members();
        members.values().filter(|member| member.serves()).map(|member| member.node).collect()
    }

    /// The nodes that replicate `master` now and are not seen as failed.
    #[must_use]
    pub fn replicas_of(&self, master: usize) -> Vec<usize> {
        let members = self.members();
        let id = members.iter().find(|(_, member)| member.node == master).map(|(id, _)| id.clone());
        let of_it = |member: &&Member| id.is_some() && member.master == id && !member.failed;
        members.values().filter(of_it).map(|member| member.node).collect()
    }

    /// `kill -9`. Does nothing to a node that is gone already.
    pub fn kill(&self, node: usize) {
        self.nodes.lock()[node].kill();
    }

    /// `SIGSTOP`: the node is there and silent.
    pub fn pause(&self, node: usize) {
        self.nodes.lock()[node].signal("STOP");
    }

    /// `SIGCONT`.
    pub fn resume(&self, node: usize) {
        self.nodes.lock()[node].signal("CONT");
    }

    /// Starts a node again with the data that it has, after [`Self::kill`] or in place of the running one.
    ///
    /// # Errors
    /// A sentence that says why it does not come up.
    pub fn restart(&self, node: usize) -> Result<(), String> {
        let mut nodes = self.nodes.lock();
        nodes[node].kill();
        nodes[node].spawn(&self.options, &self.undertaker)
    }

    /// Starts one more node, as a master without slots or as a replica of `master`, and returns its number.
    ///
    /// # Errors
    /// A sentence that says why it does not come up.
    pub fn add_node(&self, master: Option<usize>) -> Result<usize, String> {
        let node = self.spawn_node()?;
        self.ask(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(node + 1).to_string()])?;
        self.meet(node)?;
        self.wait_until("all nodes know each other", || self.know_each_other())?;
        if let Some(master) = master {
            self.replicate(node, master)?;
        }
        self.wait_until_healthy()?;
        Ok(node)
    }

    /// Moves `count` of the slots of one master, rows and all, to another, while both serve.
    ///
    /// # Errors
    /// What a node refused.
    pub fn move_slots(&self, from: usize, to: usize, count: usize) -> Result<(), String> {
        let (source, target) = (self.id(from)?, self.id(to)?);
        let members = self.members();
        let held = members.get(&source).ok_or("the master is not in the cluster")?;
        let slots: Vec<u16> = held.slots.iter().flat_map(|(first, last)| *first..=*last).take(count).collect();
        for slot in slots {
            self.carry(slot, (from, &source), (to, &target))?;
        }
        self.wait_until("all nodes know where the slots are", || self.agree())
    }

    /// Moves one slot, rows and all, to another master, while both serve.
    ///
    /// # Errors
    /// What a node refused.
    pub fn move_slot(&self, slot: u16, to: usize) -> Result<(), String> {
        let from = self.find_master(slot).ok_or("nobody serves the slot")?;
        self.carry(slot, (from, &self.id(from)?), (to, &self.id(to)?))?;
        self.wait_until("all nodes know where the slot is", || self.agree())
    }

    /// Sends one command to one node.
    ///
    /// # Errors
    /// The server's own, or that of the connection.
    pub fn ask(&self, node: usize, command: &[&str]) -> Result<Reply, String> {
        let address = self.address(node);
        resp::ask(&address, command).map_err(|error| format!("node {node} at {address}: {}: {error}", command[0]))
    }

    /// Waits until all running nodes see the same whole cluster, and every replica follows its master.
    ///
    /// # Errors
    /// What is still wrong when patience ends.
    pub fn wait_until_healthy(&self) -> Result<(), String> {
        self.wait_until("the cluster is whole", || {
            self.agree() && (0..self.nodes()).all(|node| !self.is_up(node) || self.is_well(node))
        })
    }

    fn is_up(&self, node: usize) -> bool {
        self.nodes.lock()[node].is_up()
    }

    fn is_well(&self, node: usize) -> bool {
        let text = |command: &[&str]| self.ask(node, command).ok().and_then(Reply::into_text).unwrap_or_default();
        if !text(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
            return false;
        }
        let info = text(&["INFO", "replication"]);
        if info.contains("role:slave") {
            return info.contains("master_link_status:up");
        }
        // A replica that its master does not count yet is no help to WAIT.
        let online = info.matches("state=online").count();
        let expected = self.replicas_of(node).into_iter().filter(|replica| self.is_up(*replica)).count();
        online >= expected
    }

    fn spawn_node(&self) -> Result<usize, String> {
        let mut nodes = self.nodes.lock();
        let number = nodes.len();
        nodes.push(Process::start(&self.options, self.directory.path(), number, &self.undertaker)?);
        Ok(number)
    }

    /// Introduces a node to the first other one that runs.
    fn meet(&self, node: usize) -> Result<(), String> {
        let known = (0..self.nodes()).find(|other| *other != node && self.is_up(*other));
        let Some(known) = known else { return Ok(()) };
        let (port, bus) = self.nodes.lock()[known].ports();
        self.ask(node, &["CLUSTER", "MEET", process::HOST, &port.to_string(), &bus.to_string()]).map(drop)
    }

    fn know_each_other(&self) -> bool {
        let running: Vec<usize> = (0..self.nodes()).filter(|node| self.is_up(*node)).collect();
        running.iter().all(|node| {
            let members = self.members_of(*node).unwrap_or_default();
            running.iter().all(|other| members.values().any(|member| member.node == *other))
        })
    }

    fn agree_on_replicas(&self, count: usize) -> bool {
        (0..self.nodes()).all(|node| {
            let members = self.members_of(node).unwrap_or_default();
            members.values().filter(|member| member.master.is_some()).count() == count
        })
    }

    fn replicate(&self, replica: usize, master: usize) -> Result<(), String> {
        let id = self.id(master)?;
        self.ask(replica, &["CLUSTER", "REPLICATE", &id]).map(drop)
    }

    fn id(&self, node: usize) -> Result<String, String> {
        self.ask(node, &["CLUSTER", "MYID"])?.into_text().ok_or_else(|| "a node without an id".to_owned())
    }

    fn carry(&self, slot: u16, (from, source): (usize, &str), (to, target): (usize, &str)) -> Result<(), String> {
        let number = slot.to_string();
        self.ask(to, &["CLUSTER", "SETSLOT", &number, "IMPORTING", source])?;
        self.ask(from, &["CLUSTER", "SETSLOT", &number, "MIGRATING", target])?;
        let (port, _) = self.nodes.lock()[to].ports();
        let port = port.to_string();
        loop {
            let keys = self.ask(from, &["CLUSTER", "GETKEYSINSLOT", &number, "100"])?.into_items();
            if keys.is_empty() {
                break;
            }
            let mut command =
                [&b"MIGRATE"[..], process::HOST.as_bytes(), port.as_bytes(), b"", b"0", b"5000", b"KEYS"].to_vec();
            command.extend(keys.iter().map(Vec::as_slice));
            resp::ask_bytes(&self.address(from), &command)?;
        }
        // The target first: from then on it serves the slot whatever happens to the source.
        self.ask(to, &["CLUSTER", "SETSLOT", &number, "NODE", target])?;
        self.ask(from, &["CLUSTER", "SETSLOT", &number, "NODE", target]).map(drop)
    }

    /// Whether all running nodes say the same of each other. Gossip takes its time.
    fn agree(&self) -> bool {
        let running: Vec<usize> = (0..self.nodes()).filter(|node| self.is_up(*node)).collect();
        let mut views = running.iter().map(|node| {
            let members = self.members_of(*node)?.into_iter();
            let members = members.filter(|(_, member)| running.contains(&member.node));
            Some(members.map(|(id, member)| (id, (member.master, member.slots))).collect::<BTreeMap<_, _>>())
        });
        let first = views.next().flatten();
        first.is_some() && views.all(|view| view == first)
    }

    fn find_master(&self, slot: u16) -> Option<usize> {
        let serving = |member: &&Member| member.serves() && member.holds(slot);
        self.members().values().find(serving).map(|member| member.node)
    }

    /// The cluster as the first running node sees it that is part of a whole one.
    fn members(&self) -> BTreeMap<String, Member> {
        let mut views = (0..self.nodes()).filter(|node| self.is_up(*node)).filter_map(|node| {
            let members = self.members_of(node)?;
            let info = self.ask(node, &["CLUSTER", "INFO"]).ok()?.into_text()?;
            Some((info.contains("cluster_state:ok"), members))
        });
        let first = views.next();
        match first {
            Some((true, members)) => members,
            Some((false, members)) => views.find(|(whole, _)| *whole).map_or(members, |(_, members)| members),
            None => BTreeMap::new(),
        }
    }

    fn members_of(&self, node: usize) -> Option<BTreeMap<String, Member>> {
        let text = self.ask(node, &["CLUSTER", "NODES"]).ok()?.into_text()?;
        let ports: Vec<u16> = self.nodes.lock().iter().map(|node| node.ports().0).collect();
        Some(text.lines().filter_map(|line| Member::parse(line, &ports)).collect())
    }

    fn wait_until(&self, what: &str, holds: impl Fn() -> bool) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            if Instant::now() > deadline {
                return Err(format!(
                    "waited in vain until {what}; the servers' logs are in {:?}",
                    self.directory.path()
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Member {
    /// A line is `id address flags master ping pong epoch link slots…`.
    fn parse(line: &str, ports: &[u16]) -> Option<(String, Self)> {
        let fields: Vec<&str> = line.split(' ').collect();
        let [id, address, flags, master, _, _, _, _, slots @ ..] = fields.as_slice() else { return None };
        let port: u16 = address.split('@').next()?.rsplit(':').next()?.parse().ok()?;
        let node = ports.iter().position(|other| *other == port)?;
        let flags: Vec<&str> = flags.split(',').collect();
        if flags.contains(&"handshake") {
            return None;
        }
        let master = flags.contains(&"slave").then(|| (*master).to_owned());
        // What is in brackets is under way to or from elsewhere.
        let slots = slots.iter().filter(|range| !range.starts_with('['));
        let slots = slots.filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        let slots = slots.collect();
        Some(((*id).to_owned(), Self { node, master, failed: flags.contains(&"fail"), slots }))
    }

    fn serves(&self) -> bool {
        self.master.is_none() && !self.failed && !self.slots.is_empty()
    }

    fn holds(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }
}
