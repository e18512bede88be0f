//! What goes wrong, and how it is put right: a plan that a seed repeats, and the driver that carries it out.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::Duration;

use linnet_sdk::ConversationId;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde::Serialize;
use storage::testing::{RedisCluster, Reply};

use crate::firewall::Firewall;
use crate::harness::cluster::Node;
use crate::ledger::{Ledger, Moment};
use crate::world::{Slots, World, holds_within};

/// How long a cluster may take to choose a new master.
const TAKEOVER: Duration = Duration::from_secs(30);
/// How long it may take, after a fault, until every conversation is acknowledged again.
const RECOVERY: Duration = Duration::from_secs(60);
/// Between the recovery from one fault and the next one, milliseconds.
const CALM_MS: std::ops::Range<u64> = 500..2000;
/// How long a master goes on without replicas, milliseconds.
const STARVATION_MS: std::ops::Range<u64> = 500..1500;
/// How often connections are cut in one such fault.
const CUTS: usize = 5;
/// Shards that a run adds, at most.
const MAX_ADDED_SHARDS: usize = 1;

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// `kill -9` of a master, which comes back as a replica of the one that took over.
    KillMaster,
    /// SIGSTOP of a master until another one took over.
    StopMaster,
    /// A master that clients reach and the other nodes do not, until another one took over.
    PartitionMaster,
    /// The replicas of a master lose their link to it and get it back no more; some time later the master is killed.
    StarveReplicas,
    /// `kill -9` of a gateway.
    KillGateway,
    /// `kill -9` of a REST node.
    KillRest,
    /// SIGTERM and a new start of each gateway and REST node in turn.
    RollingRestart,
    /// The slots of some conversations move to another master.
    MoveSlots,
    /// A new master with replicas joins and takes slots from the others.
    AddShard,
    /// A master cuts every client's connection, several times, whatever is under way.
    CutConnections,
}

impl Fault {
    /// Whether a replica takes over.
    pub(crate) fn is_failover(self) -> bool {
        matches!(self, Self::KillMaster | Self::StopMaster | Self::PartitionMaster | Self::StarveReplicas)
    }
}

/// The faults of a run: so many failovers, and something else before every other one.
pub(crate) fn plan(seed: u64, failovers: usize, may_partition: bool) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kinds = vec![Fault::KillMaster, Fault::StopMaster, Fault::StarveReplicas];
    if may_partition {
        kinds.push(Fault::PartitionMaster);
    }
    let mut others = [
        Fault::MoveSlots,
        Fault::KillGateway,
        Fault::CutConnections,
        Fault::RollingRestart,
        Fault::KillRest,
        Fault::AddShard,
    ];
    let mut plan = Vec::new();
    let mut added = 0;
    for number in 0..failovers {
        if number % kinds.len() == 0 {
            kinds.shuffle(&mut random);
        }
        if number % (2 * others.len()) == 0 {
            others.shuffle(&mut random);
        }
        if number % 2 == 0 {
            let other = others[number / 2 % others.len()];
            added += usize::from(other == Fault::AddShard);
            plan.push(if added > MAX_ADDED_SHARDS && other == Fault::AddShard { Fault::MoveSlots } else { other });
        }
        plan.push(kinds[number % kinds.len()]);
    }
    plan
}

/// A fault that happened.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    pub(crate) fault: Fault,
    pub(crate) at: Moment,
    /// When a replica had become master.
    pub(crate) taken_over: Option<Moment>,
    /// When something that was written after the fault had been acknowledged in every conversation.
    pub(crate) recovered: Moment,
    /// The conversations whose logs are on the shard that failed.
    pub(crate) affected: Vec<ConversationId>,
    /// The conversations that have nothing there, not even one of their users.
    pub(crate) elsewhere: Vec<ConversationId>,
}

/// Carries out a plan.
pub(crate) struct Driver<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) ledger: &'a Ledger,
    /// In which slots each conversation is.
    pub(crate) slots: BTreeMap<ConversationId, Slots>,
    pub(crate) firewall: Option<Firewall>,
    pub(crate) random: StdRng,
}

impl Driver<'_> {
    fn redis(&self) -> &RedisCluster {
        &self.world.cluster.redis
    }

    /// Lets one fault happen, puts it right, and waits until all is well again.
    ///
    /// # Errors
    /// A sentence about what did not recover.
    pub(crate) async fn strike(&mut self, fault: Fault) -> Result<Incident, String> {
        tokio::time::sleep(Duration::from_millis(self.random.random_range(CALM_MS))).await;
        let victim = *self.redis().masters().choose(&mut self.random).ok_or("there is no master")?;
        let at = self.ledger.now();
        let mut incident =
            Incident { fault, at, taken_over: None, recovered: at, affected: Vec::new(), elsewhere: Vec::new() };
        tokio::task::block_in_place(|| match fault {
            Fault::KillMaster | Fault::StopMaster | Fault::PartitionMaster | Fault::StarveReplicas => {
                self.fail_over(victim, &mut incident)
            }
            Fault::KillGateway => {
                let index = self.random.random_range(0..self.world.gateways.len());
                self.world.gateways[index].kill_and_restart();
                Ok(())
            }
            Fault::KillRest => {
                let index = self.random.random_range(0..self.world.rests.len());
                self.world.rests[index].kill_and_restart();
                Ok(())
            }
            Fault::RollingRestart => {
                let World { gateways, rests, .. } = self.world;
                let ended: Vec<ExitStatus> = gateways.iter_mut().chain(rests).map(Node::restart).collect();
                let bad = ended.iter().find(|status| !status.success());
                bad.map_or(Ok(()), |status| Err(format!("a process did not drain and end well: {status}")))
            }
            Fault::MoveSlots => self.move_slots(victim),
            Fault::AddShard => self.add_shard(),
            Fault::CutConnections => self.cut_connections(victim),
        })?;
        tokio::task::block_in_place(|| self.redis().wait_until_healthy())?;
        let conversations: Vec<ConversationId> = self.slots.keys().copied().collect();
        if !holds_within(RECOVERY, || self.ledger.all_acked_since(&conversations, at)).await {
            let stuck =
                conversations.into_iter().filter(|conversation| !self.ledger.all_acked_since(&[*conversation], at));
            return Err(format!("{fault:?}: not acknowledged again: {:?}", stuck.collect::<Vec<_>>()));
        }
        incident.recovered = self.ledger.now();
        let millis = |to: Moment| to.since(at).as_millis();
        println!(
            "{:>8.3} s  {fault:?}{}: all acknowledged again after {} ms",
            at.since(Moment(0)).as_secs_f64(),
            incident.taken_over.map_or_else(String::new, |moment| format!(", taken over after {} ms", millis(moment))),
            millis(incident.recovered)
        );
        Ok(incident)
    }

    fn fail_over(&mut self, master: usize, incident: &mut Incident) -> Result<(), String> {
        let replicas = self.redis().replicas_of(master);
        incident.affected = self.conversations_at(master);
        incident.elsewhere = self.conversations_beside(master);
        incident.at = self.ledger.now();
        match incident.fault {
            Fault::StopMaster => self.redis().pause(master),
            Fault::PartitionMaster => {
                self.firewall.as_ref().ok_or("no partitions here")?.isolate(self.redis(), master)?;
            }
            Fault::StarveReplicas => {
                self.starve_replicas(master)?;
                self.redis().kill(master);
            }
            _ => self.redis().kill(master),
        }
        let deadline = incident.at.plus(TAKEOVER);
        while !replicas.iter().any(|replica| is_master(self.redis(), *replica)) {
            if self.ledger.now() > deadline {
                return Err(format!("no replica of {master} took over: {replicas:?}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        incident.taken_over = Some(self.ledger.now());
        match incident.fault {
            Fault::StopMaster => self.redis().resume(master),
            Fault::PartitionMaster => self.firewall.as_ref().ok_or("no partitions here")?.heal()?,
            _ => self.redis().restart(master)?,
        }
        Ok(())
    }

    /// A master that may go on with clients and is followed by nobody: what it takes from now on is its own alone.
    fn starve_replicas(&mut self, master: usize) -> Result<(), String> {
        self.redis().ask(master, &["ACL", "SETUSER", "default", "-psync", "-sync"])?;
        self.redis().ask(master, &["CLIENT", "KILL", "TYPE", "replica"])?;
        std::thread::sleep(Duration::from_millis(self.random.random_range(STARVATION_MS)));
        Ok(())
    }

    fn conversations_at(&self, master: usize) -> Vec<ConversationId> {
        let there = self.slots.iter().filter(|(_, slots)| self.redis().master_of(slots.log) == master);
        there.map(|(conversation, _)| *conversation).collect()
    }

    fn conversations_beside(&self, master: usize) -> Vec<ConversationId> {
        let is_beside = |slots: &Slots| {
            std::iter::once(&slots.log).chain(&slots.users).all(|slot| self.redis().master_of(*slot) != master)
        };
        let beside = self.slots.iter().filter(|(_, slots)| is_beside(slots));
        beside.map(|(conversation, _)| *conversation).collect()
    }

    /// Moves the slots of half of a master's conversations.
    fn move_slots(&mut self, from: usize) -> Result<(), String> {
        let others: Vec<usize> = self.redis().masters().into_iter().filter(|other| *other != from).collect();
        let conversations = self.conversations_at(from);
        let moving = conversations.choose_multiple(&mut self.random, conversations.len().div_ceil(2));
        for conversation in moving.copied().collect::<Vec<_>>() {
            let to = *others.choose(&mut self.random).ok_or("there is no other master")?;
            self.redis().move_slot(self.slots[&conversation].log, to)?;
        }
        Ok(())
    }

    fn add_shard(&mut self) -> Result<(), String> {
        let before = self.redis().masters();
        let new = self.redis().add_node(None)?;
        self.redis().add_node(Some(new))?;
        self.redis().add_node(Some(new))?;
        for master in before {
            let conversations = self.conversations_at(master);
            for conversation in conversations.iter().take(conversations.len().div_ceil(4)) {
                self.redis().move_slot(self.slots[conversation].log, new)?;
            }
        }
        Ok(())
    }

    /// The server forgets whom it owed answers; what they asked for is done or not.
    fn cut_connections(&mut self, master: usize) -> Result<(), String> {
        for _ in 0..CUTS {
            self.redis().ask(master, &["CLIENT", "KILL", "TYPE", "normal"])?;
            std::thread::sleep(Duration::from_millis(self.random.random_range(20..200)));
        }
        Ok(())
    }
}

fn is_master(cluster: &RedisCluster, node: usize) -> bool {
    match cluster.ask(node, &["ROLE"]) {
        Ok(Reply::List(items)) => items.first() == Some(&Reply::Text(b"master".to_vec())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_repeated_by_its_seed_and_holds_every_fault() {
        let all = plan(7, 40, true);
        assert_eq!(all, plan(7, 40, true));
        assert_ne!(all, plan(8, 40, true));
        assert_eq!(all.iter().filter(|fault| fault.is_failover()).count(), 40);
        let kinds: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(kinds.len(), 10);
        assert_eq!(all.iter().filter(|fault| **fault == Fault::AddShard).count(), MAX_ADDED_SHARDS);
        assert!(!plan(7, 40, false).contains(&Fault::PartitionMaster));
    }
}
