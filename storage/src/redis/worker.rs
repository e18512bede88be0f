//! From a line to its shard: one connection, one flight of calls after the other.
//!
//! A flight is all that has gathered while the last one was under way, then a `WAIT`: nothing is answered before as many
//! replicas as configured have everything that the calls did and saw. Of each call, one of three things is then known:
//! it happened and is safe; it did not happen, and may be tried again; or neither, and its kind decides.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cluster::Cluster;
use super::lanes::{Call, Group, Lanes};
use super::node::{Answer, Command, Meaning, Node, Refusal, Reply};
use super::url::Host;
use crate::{Error, metrics};

/// How long a call rests that was refused for now.
const REST: Duration = Duration::from_millis(20);
/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_millis(200);

/// A kind of call that travels in flights.
pub(super) trait Flies: Call + Sized {
    /// For metrics.
    const KIND: &'static str;

    /// The command for calls of one lane.
    fn command(cluster: &Cluster, group: &Group<Self>) -> Command;

    /// What has to stand before a `WAIT` so that it covers calls like this one, in the call's own slot.
    fn mark(&self, cluster: &Cluster) -> Option<Command>;

    /// Tells the callers what the server said, now that it is safe.
    fn answer(group: Group<Self>, reply: Reply);

    /// Tells the callers that it failed.
    fn fail(group: Group<Self>, error: &Error);

    /// Whether a call may be repeated if it is not known whether it happened.
    const REPEATABLE: bool;

    /// Has a chunk brought back that calls want to change, so that they can be tried again. False if nobody can.
    fn unseal(cluster: &Cluster, group: &Group<Self>, code: u8, number: u64) -> bool;

    /// Whether a flight ends with a `WAIT`.
    fn waits(cluster: &Cluster) -> bool;
}

/// Serves one shard's line until that is gone.
pub(super) async fn run<C: Flies>(cluster: Arc<Cluster>, lanes: Arc<Lanes<C>>, host: Arc<Host>) {
    let mut node: Option<Box<dyn Node>> = None;
    while lanes.wait(&host).await {
        let open = match node.take().filter(|node| node.is_open()) {
            Some(open) => open,
            None => match cluster.open(&host).await {
                Ok(open) => open,
                Err(lost) => {
                    tracing::warn!(kind = C::KIND, %lost, "cannot connect to a shard");
                    metrics::redis_disconnected(C::KIND);
                    cluster.suspect();
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let config = &cluster.config;
        let groups = lanes.take(&host, config.flight_calls, config.flight_bytes.bytes());
        if groups.is_empty() {
            node = Some(open);
            continue;
        }
        let flight = Flight { cluster: &cluster, lanes: &lanes, host: &host };
        if flight.fly(open.as_ref(), groups).await {
            node = Some(open);
        } else {
            cluster.suspect();
        }
    }
}

struct Flight<'a, C: Call> {
    cluster: &'a Arc<Cluster>,
    lanes: &'a Arc<Lanes<C>>,
    host: &'a Host,
}

impl<C: Flies> Flight<'_, C> {
    /// Sends the groups and settles each. False if the connection is not to be used any more.
    async fn fly(&self, node: &dyn Node, groups: Vec<Group<C>>) -> bool {
        let started = Instant::now();
        let mut commands: Vec<Command> = groups.iter().map(|group| C::command(self.cluster, group)).collect();
        let config = &self.cluster.config;
        let replicas = if C::waits(self.cluster) { config.ack_replicas } else { 0 };
        let mut marks = 0;
        if replicas > 0 {
            let before = commands.len();
            commands.extend(self.marks(&groups));
            marks = commands.len() - before;
            // Shorter than our own patience, so that a count that is short is heard as such.
            let patience = config.timeout * 3 / 4;
            commands.push(Command::new("WAIT").number(replicas).number(patience.as_millis()));
        }
        let calls = groups.iter().map(Vec::len).sum();
        let answers = node.run(commands, config.timeout).await;
        metrics::flight_landed(C::KIND, calls, self.lanes.waiting(), started.elapsed());
        let mut answers = match answers {
            Ok(answers) => answers,
            Err(lost) => {
                tracing::warn!(kind = C::KIND, host = %self.host, %lost, calls, "a shard did not answer");
                metrics::redis_disconnected(C::KIND);
                self.unknown(groups, &format!("{}: {lost}", self.host));
                return false;
            }
        };
        let safe = if replicas > 0 {
            let waited = answers.pop();
            let marked = answers.split_off(answers.len().saturating_sub(marks));
            self.judge(&marked, waited, replicas)
        } else {
            Ok(())
        };
        self.settle(groups, answers, safe)
    }

    /// Marks for a flight. One is enough, but a slot that is just being moved takes none.
    fn marks(&self, groups: &[Group<C>]) -> Vec<Command> {
        let ends = [groups.first(), groups.last()].map(|group| group.and_then(|group| group.first()));
        let [Some(first), Some(last)] = ends else { return Vec::new() };
        let second = (first.slot() != last.slot()).then_some(last);
        [Some(first), second].into_iter().flatten().filter_map(|call| call.mark(self.cluster)).collect()
    }

    /// Whether the answer to `WAIT` counts enough replicas, and covers the flight.
    fn judge(&self, marked: &[Answer], waited: Option<Answer>, replicas: u32) -> Result<(), String> {
        if !marked.is_empty() && marked.iter().all(Result::is_err) {
            return Err(format!("{}: the shard's replicas cannot be waited for just now", self.host));
        }
        let reason = match waited {
            Some(Ok(Reply::Number(count))) if count >= i64::from(replicas) => return Ok(()),
            Some(Ok(Reply::Number(count))) => format!("{count} of {replicas} replicas have it"),
            Some(Err(Refusal(why))) => why,
            _ => "no count of replicas".into(),
        };
        metrics::wait_short(C::KIND);
        tracing::warn!(kind = C::KIND, host = %self.host, reason, "a shard's replicas do not follow");
        Err(format!("{}: {reason}", self.host))
    }

    fn settle(&self, groups: Vec<Group<C>>, answers: Vec<Answer>, safe: Result<(), String>) -> bool {
        let mut usable = true;
        let (mut refused, mut sealed) = (Vec::new(), Vec::new());
        let mut unknown = Vec::new();
        for (group, answer) in groups.into_iter().zip(answers) {
            match answer {
                Ok(reply) if safe.is_ok() => self.land(group, |group| C::answer(group, reply)),
                Ok(_) => unknown.push(group),
                Err(refusal) => match refusal.meaning(self.host) {
                    Meaning::Moved(slot, host) => {
                        self.cluster.moved(slot, host);
                        refused.push(group);
                    }
                    Meaning::NotNow => refused.push(group),
                    Meaning::Sealed(code, number) => {
                        if C::unseal(self.cluster, &group, code, number) {
                            sealed.push(group);
                        } else {
                            self.land(group, |group| C::fail(group, &super::seal::unconfigured()));
                        }
                    }
                    Meaning::NoFunction => {
                        // Connecting anew loads them.
                        usable = false;
                        refused.push(group);
                    }
                    Meaning::Full => self.land(group, |group| C::fail(group, &Error::Full)),
                    Meaning::Other => {
                        tracing::error!(kind = C::KIND, host = %self.host, %refusal, "a shard refused a call");
                        let error = Error::Unavailable(format!("{}: {refusal}", self.host));
                        self.land(group, |group| C::fail(group, &error));
                    }
                },
            }
        }
        if let Err(reason) = &safe {
            self.unknown(unknown, reason);
        }
        metrics::calls_refused(C::KIND, refused.iter().map(Vec::len).sum());
        if !refused.is_empty() {
            self.cluster.suspect();
        }
        self.rest(refused);
        self.rest(sealed);
        usable
    }

    /// What happened to these is not known.
    fn unknown(&self, groups: Vec<Group<C>>, reason: &str) {
        if C::REPEATABLE {
            self.rest(groups);
            return;
        }
        let error = Error::Unavailable(reason.to_owned());
        for group in groups {
            self.land(group, |group| C::fail(group, &error));
        }
    }

    fn land(&self, group: Group<C>, tell: impl FnOnce(Group<C>)) {
        let Some(name) = group.first().map(Call::lane) else { return };
        let (calls, bytes) = (group.len(), group.iter().map(Call::bytes).sum());
        // The lane first: whoever hears the answer may have the next call ready.
        self.lanes.landed(&name, calls, bytes);
        tell(group);
    }

    /// Tries these again, soon.
    fn rest(&self, groups: Vec<Group<C>>) {
        let names: Vec<C::Lane> = groups.iter().filter_map(|group| group.first().map(Call::lane)).collect();
        if names.is_empty() {
            return;
        }
        for (name, group) in names.iter().zip(groups) {
            self.lanes.put_back(name, group);
        }
        let (cluster, lanes) = (Arc::clone(self.cluster), Arc::clone(self.lanes));
        tokio::spawn(async move {
            tokio::time::sleep(REST).await;
            // Redirections are known by now.
            lanes.route(&cluster.slots());
            lanes.wake(names);
        });
    }
}

/// Fails, now and then, whatever has waited too long for its turn.
pub(super) async fn expire<C: Flies>(lanes: Arc<Lanes<C>>) {
    const TICK: Duration = Duration::from_millis(50);
    while !lanes.is_done() {
        tokio::time::sleep(TICK).await;
        let expired = lanes.expire(Instant::now());
        if !expired.is_empty() {
            let error = Error::Unavailable("no shard took the call in time; nothing was done".into());
            C::fail(expired, &error);
        }
    }
}
