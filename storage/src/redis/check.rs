//! Whether a cluster keeps what an ack promises: what `linnet doctor` shows, and what stops a start.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::cluster::field;
use super::config::RedisConfig;
use super::fred::Fred;
use super::node::{Answer, Command, Connect, Lost, Refusal, Reply};
use super::url::Host;
use crate::Clock;

/// The oldest Redis that has Functions.
const VERSION: (u32, u32) = (7, 0);
/// Milliseconds of silence after which a master should count as dead: longer ones are outages.
const NODE_TIMEOUT: u64 = 5_000;
/// Milliseconds that a server's clock may differ from ours.
const CLOCK: u64 = 60_000;
/// Masters that can outvote one of them that is cut off.
const MASTERS: usize = 3;

/// What was found out about a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisCheck {
    /// What is not as it should be, server by server; empty if all is well.
    pub findings: Vec<Finding>,
    /// Every server that was looked at, as `host:port (Redis 7.0.15, master)`.
    pub servers: Vec<String>,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub point: Point,
    /// What follows.
    pub severity: Severity,
    /// The server's `host:port`, unless it is about the whole cluster.
    pub node: Option<String>,
    /// What is wrong, and what that can lead to.
    pub reason: String,
    /// What to do about it.
    pub fix: String,
}

/// What follows from a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, and could be better.
    Warning,
    /// What an ack means cannot be kept: no start, unless the point is accepted by name.
    Refusal,
}

/// What is looked at. The names are those of `store.redis.accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// All servers answer.
    Reachable,
    /// They are new enough.
    Version,
    /// They are a cluster, and it is whole.
    Cluster,
    /// Each master has as many replicas as an ack waits for, and one to spare.
    Replicas,
    /// Commits are written to disks.
    Appendonly,
    /// They are on the disks before they are answered.
    Appendfsync,
    /// Nothing is thrown away for want of memory.
    MaxmemoryPolicy,
    /// A dead master is soon replaced.
    NodeTimeout,
    /// Functions can be used.
    Functions,
    /// The servers' clocks agree with ours.
    Clock,
    /// The servers' settings can be read.
    Config,
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(out)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(out, "{node}: ")?;
        }
        write!(out, "{} ({}); {}", self.reason, self.point, self.fix)
    }
}

impl RedisCheck {
    /// Looks at every server of the cluster. Changes nothing.
    pub async fn run(config: &RedisConfig, clock: &Clock) -> Self {
        let mut check = Self { findings: Vec::new(), servers: Vec::new() };
        match Fred::new(config) {
            Ok(connect) => check.look(config, clock, &connect).await,
            Err(why) => check.refuse(Point::Reachable, None, why, "set `store.redis.ca` to a readable PEM file"),
        }
        check
    }

    /// What stops a start: refusals whose point is not accepted.
    pub fn refusals(&self, accepted: &[Point]) -> impl Iterator<Item = &Finding> {
        let stops = move |f: &&Finding| f.severity == Severity::Refusal && !accepted.contains(&f.point);
        self.findings.iter().filter(stops)
    }

    async fn look(&mut self, config: &RedisConfig, clock: &Clock, connect: &dyn Connect) {
        let Some(members) = self.members(config, connect).await else { return };
        for host in &members {
            let server = Server { config, clock, host };
            match server.ask(connect).await {
                Ok(facts) => self.judge(&server, &facts),
                // A replica or master that is down is what the cluster is there for; but it counts.
                Err(Lost(why)) => {
                    let reason = format!("the server does not answer: {why}");
                    self.warn(Point::Reachable, Some(host), reason, "start it, or take it out with CLUSTER FORGET");
                }
            }
        }
    }

    /// All servers of the cluster.
    async fn members(&mut self, config: &RedisConfig, connect: &dyn Connect) -> Option<BTreeSet<Host>> {
        let mut last = Lost("the URL names no server".into());
        for seed in &config.url.hosts {
            let asked = async {
                let node = connect.connect(seed).await?;
                let commands = vec![Command::new("CLUSTER").arg("INFO"), Command::new("CLUSTER").arg("NODES")];
                node.run(commands, config.timeout).await
            };
            let mut answers = match asked.await {
                Ok(answers) => answers.into_iter(),
                Err(lost) => {
                    last = lost;
                    continue;
                }
            };
            let mut text = || text(answers.next());
            let (info, nodes) = match (text(), text()) {
                (Ok(info), Ok(nodes)) => (info, nodes),
                (Err(why), _) | (_, Err(why)) => {
                    let fix = "set `cluster-enabled yes` and form a cluster: `redis-cli --cluster create`";
                    self.refuse(Point::Cluster, Some(seed), format!("this is no cluster: {why}"), fix);
                    return None;
                }
            };
            self.judge_cluster(seed, &info);
            return Some(nodes.lines().filter_map(|line| member(line, seed)).collect());
        }
        let reason = format!("no server of the URL answers: {last}");
        self.refuse(
            Point::Reachable,
            None,
            reason,
            "check `store.redis.url`, user and password, and that the servers run",
        );
        None
    }

    fn judge_cluster(&mut self, asked: &Host, info: &str) {
        if field(info, "cluster_state") != Some("ok") {
            let reason = "the cluster is not whole: some slots are served by nobody".to_owned();
            self.refuse(Point::Cluster, Some(asked), reason, "see `redis-cli --cluster check`, then `--cluster fix`");
        }
        let masters = field(info, "cluster_size").and_then(|size| size.parse().ok()).unwrap_or(0);
        if masters < MASTERS {
            let reason = format!("with {masters} masters nobody can be outvoted, so a dead one is not replaced");
            self.warn(Point::Cluster, None, reason, "use three masters or more");
        }
    }

    fn judge(&mut self, server: &Server<'_>, facts: &Facts) {
        let host = Some(server.host);
        self.servers.push(format!("{} ({}, {})", server.host, facts.version(), facts.role()));
        if !facts.is_new_enough() {
            let (major, minor) = VERSION;
            let reason = format!("{} has no Functions", facts.version());
            self.refuse(Point::Version, host, reason, &format!("use Redis {major}.{minor} or newer, or Valkey"));
        }
        if facts.role() == "master" && facts.is_serving {
            self.judge_replicas(server, facts);
        }
        if let Err(Refusal(why)) = &facts.functions {
            let reason = format!("functions cannot be listed: {why}");
            self.refuse(Point::Functions, host, reason, "allow the user @scripting, and FUNCTION above all");
        }
        let now = u64::try_from(server.clock.now().0).unwrap_or(0);
        if let Some(theirs) = facts.time.filter(|theirs| theirs.abs_diff(now) > CLOCK) {
            let reason = format!("its clock is {} s away from this machine's", theirs.abs_diff(now) / 1_000);
            self.warn(Point::Clock, host, reason, "keep both right, with NTP");
        }
        self.judge_settings(server, facts);
    }

    fn judge_replicas(&mut self, server: &Server<'_>, facts: &Facts) {
        let needed = server.config.ack_replicas as usize;
        let online = facts.replication.matches("state=online").count();
        let host = Some(server.host);
        if needed == 0 {
            let reason = "`store.redis.ack_replicas` is 0: a failover loses what was acked last".to_owned();
            self.refuse(Point::Replicas, host, reason, "set it to 1 or more");
        } else if facts.replicas < needed {
            let reason = format!("{online} replicas follow, and an ack waits for {needed}: nothing can be acked");
            self.refuse(Point::Replicas, host, reason, "add replicas: `redis-cli --cluster add-node --cluster-slave`");
        } else if online < needed {
            // That passes, and the other shards have no need to wait for it.
            let there = facts.replicas;
            let reason = format!(
                "{online} of {there} replicas follow, and an ack waits for {needed}: nothing can be acked here"
            );
            self.warn(Point::Replicas, host, reason, "start the others again");
        } else if online == needed {
            let reason =
                format!("{online} replicas follow, all of which an ack waits for: one that fails stops the shard");
            self.warn(Point::Replicas, host, reason, "add one more replica to each master");
        }
    }

    fn judge_settings(&mut self, server: &Server<'_>, facts: &Facts) {
        let host = Some(server.host);
        let settings = match &facts.settings {
            Ok(settings) => settings,
            Err(Refusal(why)) => {
                let reason = format!("its settings cannot be read: {why}");
                let fix = "make sure of appendonly yes, appendfsync always, maxmemory-policy noeviction yourself";
                self.warn(Point::Config, host, reason, fix);
                return;
            }
        };
        let wrong = |name: &str, right: &str| settings.get(name).filter(|value| *value != right);
        if wrong("appendonly", "yes").is_some() {
            let reason = "appendonly is off: what was acked is in memory only".to_owned();
            self.refuse(Point::Appendonly, host, reason, "set `appendonly yes`");
        } else if let Some(value) = wrong("appendfsync", "always") {
            let reason = format!(
                "appendfsync is {value}: a master that restarts before it is replaced has lost what was acked last"
            );
            self.refuse(Point::Appendfsync, host, reason, "set `appendfsync always`");
        }
        if let Some(value) = wrong("maxmemory-policy", "noeviction") {
            let reason = format!("maxmemory-policy is {value}: messages would be thrown away when memory is full");
            self.refuse(Point::MaxmemoryPolicy, host, reason, "set `maxmemory-policy noeviction`");
        }
        let timeout = settings.get("cluster-node-timeout").and_then(|value| value.parse::<u64>().ok());
        if let Some(timeout) = timeout.filter(|timeout| *timeout > NODE_TIMEOUT) {
            let reason =
                format!("cluster-node-timeout is {timeout} ms: a shard whose master dies is away for longer than that");
            self.warn(Point::NodeTimeout, host, reason, &format!("set `cluster-node-timeout {NODE_TIMEOUT}`"));
        }
    }

    fn refuse(&mut self, point: Point, host: Option<&Host>, reason: String, fix: &str) {
        self.note(Severity::Refusal, point, host, reason, fix);
    }

    fn warn(&mut self, point: Point, host: Option<&Host>, reason: String, fix: &str) {
        self.note(Severity::Warning, point, host, reason, fix);
    }

    fn note(&mut self, severity: Severity, point: Point, host: Option<&Host>, reason: String, fix: &str) {
        let node = host.map(Host::to_string);
        self.findings.push(Finding { point, severity, node, reason, fix: fix.to_owned() });
    }
}

/// A server to look at.
struct Server<'a> {
    config: &'a RedisConfig,
    clock: &'a Clock,
    host: &'a Host,
}

/// What a server says of itself.
struct Facts {
    server: String,
    replication: String,
    is_serving: bool,
    /// Replicas that it has, whether they follow at the moment or not.
    replicas: usize,
    functions: Answer,
    time: Option<u64>,
    settings: Result<Settings, Refusal>,
}

type Settings = std::collections::BTreeMap<&'static str, String>;

const SETTINGS: [&str; 4] = ["appendonly", "appendfsync", "maxmemory-policy", "cluster-node-timeout"];

impl Server<'_> {
    async fn ask(&self, connect: &dyn Connect) -> Result<Facts, Lost> {
        let node = connect.connect(self.host).await?;
        let mut commands = vec![
            Command::new("INFO").arg("server"),
            Command::new("INFO").arg("replication"),
            Command::new("CLUSTER").arg("NODES"),
            Command::new("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(super::functions::NAME),
            Command::new("TIME"),
        ];
        commands.extend(SETTINGS.map(|name| Command::new("CONFIG").arg("GET").arg(name)));
        let answers = node.run(commands, self.config.timeout).await?;
        let mut answers = answers.into_iter();
        let server = text(answers.next()).map_err(Lost)?;
        let replication = text(answers.next()).map_err(Lost)?;
        let nodes = text(answers.next()).map_err(Lost)?;
        // The ninth word of the line about itself is the first range of slots.
        let own = nodes.lines().find(|line| line.contains("myself"));
        let is_serving = own.is_some_and(|line| line.split(' ').nth(8).is_some());
        let id = own.and_then(|line| line.split(' ').next());
        let replicas = nodes.lines().filter(|line| id.is_some() && line.split(' ').nth(3) == id).count();
        let functions = answers.next().unwrap_or_else(|| Err(Refusal("no answer".into())));
        let time = answers.next().and_then(Result::ok).and_then(milliseconds);
        let settings = SETTINGS.iter().zip(answers).map(|(name, answer)| {
            let value = answer?.into_list().and_then(|pair| pair.into_iter().nth(1)).and_then(Reply::into_text);
            Ok((*name, value))
        });
        let settings = settings.filter_map(|pair: Result<_, Refusal>| match pair {
            // A server that does not know a setting leaves it out.
            Ok((name, value)) => value.map(|value| Ok((name, value))),
            Err(refusal) => Some(Err(refusal)),
        });
        Ok(Facts { server, replication, is_serving, replicas, functions, time, settings: settings.collect() })
    }
}

impl Facts {
    fn role(&self) -> &str {
        field(&self.replication, "role").map_or("unknown", |role| if role == "slave" { "replica" } else { role })
    }

    fn version(&self) -> String {
        // Valkey tells the version of Redis that it began as, beside its own.
        match (field(&self.server, "valkey_version"), field(&self.server, "redis_version")) {
            (Some(version), _) => format!("Valkey {version}"),
            (None, Some(version)) => format!("Redis {version}"),
            (None, None) => "unknown version".into(),
        }
    }

    fn is_new_enough(&self) -> bool {
        if field(&self.server, "valkey_version").is_some() {
            return true;
        }
        let version = field(&self.server, "redis_version").unwrap_or_default();
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= VERSION
    }
}

/// The host of a line of `CLUSTER NODES`, unless it is on its way in or out.
fn member(line: &str, asked: &Host) -> Option<Host> {
    let mut words = line.split(' ');
    let (address, flags) = (words.nth(1)?, words.next()?);
    if flags.split(',').any(|flag| flag == "handshake" || flag == "noaddr") {
        return None;
    }
    let address = address.split(['@', ',']).next()?;
    let (name, port) = address.rsplit_once(':')?;
    let name = if name.is_empty() { asked.name.clone() } else { name.to_owned() };
    Some(Host { name, port: port.parse().ok()? })
}

fn text(answer: Option<Answer>) -> Result<String, String> {
    match answer {
        Some(Ok(reply)) => reply.into_text().ok_or_else(|| "no text".to_owned()),
        Some(Err(Refusal(why))) => Err(why),
        None => Err("no answer".into()),
    }
}

/// The answer to `TIME`: seconds, microseconds.
fn milliseconds(reply: Reply) -> Option<u64> {
    let mut parts = reply.into_list()?.into_iter().map(|part| part.into_text()?.parse::<u64>().ok());
    let (seconds, micros) = (parts.next()??, parts.next()??);
    Some(seconds * 1_000 + micros / 1_000)
}
