//! How many workers a run has, where, and who does what.
//!
//! A process may open only so many files, and a source address has only so many ports. A plan that needs more of either than there
//! are does not begin: it would measure its own limits.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use super::child;
use super::crew::Worker;
use super::remote::{self, Agent};
use super::secret::Secret;
use crate::measure::process;
use crate::plan::{self, Plan};

/// Files that a worker needs besides its connections.
const SPARE_FILES: u64 = 300;
/// Ports of a source address where the system does not say: Linux' default.
const PORTS: usize = 28_232;
/// Most workers in one place.
const MOST: usize = 256;

/// Who generates the load.
#[derive(Debug, Clone, Default, Args)]
pub struct Fleet {
    /// Processes that generate load, on this machine or on each agent's; 0 means as many as their limits of open files call for.
    #[arg(long, global = true, default_value_t = 0)]
    pub workers: usize,
    /// Agents that generate the load instead of this machine: `host:port`, started there with `linnet-loadtest agent`.
    #[arg(long, global = true, value_delimiter = ',')]
    pub agents: Vec<String>,
    /// File with the secret that the agents were started with.
    #[arg(long, global = true)]
    pub agent_token_file: Option<PathBuf>,
}

impl Fleet {
    /// Starts or calls the workers that the plan needs. Those of this machine get so many threads each; 0 means their share of the cores.
    ///
    /// Fails when the limits do not suffice, or an agent does not take part.
    pub async fn gather(&self, plan: &Plan, threads: usize) -> anyhow::Result<Vec<Worker>> {
        let sockets = plan.target.transport.sockets(plan.scenario.connections());
        if self.agents.is_empty() {
            return self.local(plan, sockets, threads);
        }
        let secret = self.agent_token_file.as_deref().map(Secret::read).transpose()?.unwrap_or_default();
        let run = remote::run_number()?;
        let mut workers = Vec::new();
        for (index, address) in self.agents.iter().enumerate() {
            let call = Agent { address, secret: &secret, run };
            let (first, welcome) = call.hire(1).await.with_context(|| format!("agent {address}"))?;
            let share = plan::share(sockets, index, self.agents.len());
            let count = count(self.workers, share, welcome.files).with_context(|| format!("agent {address}"))?;
            workers.push(first);
            for number in 2..=count {
                workers.push(call.hire(number).await.with_context(|| format!("agent {address}"))?.0);
            }
        }
        Ok(workers)
    }

    fn local(&self, plan: &Plan, sockets: usize, threads: usize) -> anyhow::Result<Vec<Worker>> {
        let sources = plan.target.sources()?.len();
        enough_ports(sockets, sources, plan.target.address.len(), ports())?;
        let count = count(self.workers, sockets, process::file_limit())?;
        if count == 1 {
            return Ok(vec![Worker::local()]);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads > 0 { threads } else { (cores / count).max(1) };
        (1..=count).map(|number| child::worker(format!("process {number}"), child::command(threads))).collect()
    }
}

/// How many workers it takes for so many sockets, when each may open so many files (none: any number). Fails when fewer are asked for.
fn count(wanted: usize, sockets: usize, files: Option<u64>) -> anyhow::Result<usize> {
    let each = files.map_or(u64::MAX, |files| files.saturating_sub(SPARE_FILES));
    let each = usize::try_from(each).unwrap_or(usize::MAX);
    if each == 0 {
        bail!(
            "a process may open {} files, which is too few for any work: raise `ulimit -n`",
            files.unwrap_or_default()
        );
    }
    let needed = sockets.div_ceil(each).max(1);
    if wanted > 0 && wanted < needed {
        bail!(
            "{sockets} connections need {needed} processes, for each may hold {each} (`ulimit -n`): --workers {needed}"
        );
    }
    let count = if wanted > 0 { wanted } else { needed };
    if count > MOST {
        bail!("{count} processes are more than one machine can be asked for ({MOST})");
    }
    Ok(count)
}

/// A connection from a given address takes one of its ports, whatever it leads to; one from any address a port for each server.
fn enough_ports(sockets: usize, sources: usize, addresses: usize, ports: usize) -> anyhow::Result<()> {
    let (from, room) = if sources > 0 { (sources, "source addresses") } else { (addresses, "server addresses") };
    if sockets > from.saturating_mul(ports) {
        let needed = sockets.div_ceil(ports);
        bail!(
            "{sockets} connections need {needed} source addresses, for each has {ports} ports, and {from} {room} do not make \
             enough: --source 127.0.0.1-{needed} on this machine, or addresses of yours"
        );
    }
    Ok(())
}

/// Ports that the system gives to whom asks for any.
fn ports() -> usize {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range.split_whitespace().filter_map(|end| end.parse::<usize>().ok());
    ends.next().zip(ends.next()).map_or(PORTS, |(first, last)| (last + 1).saturating_sub(first))
}

/// Everybody's share of a plan. Where there are enough source addresses, no two workers share one: they would look for free ports in
/// each other's way.
pub(crate) fn parts(plan: &Plan, workers: &[Worker]) -> anyhow::Result<Vec<Plan>> {
    let sources: Vec<String> = plan.target.sources()?.iter().map(ToString::to_string).collect();
    let mut parts = plan.split(workers.len());
    for (index, (part, worker)) in parts.iter_mut().zip(workers).enumerate() {
        part.target.source = if !worker.sources.is_empty() {
            worker.sources.clone()
        } else if sources.len() >= workers.len() {
            sources.iter().skip(index).step_by(workers.len()).cloned().collect()
        } else {
            sources.clone()
        };
        // Only the coordinator looks at the server.
        part.target.server_pid.clear();
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_workers_as_files_call_for() {
        assert_eq!(count(0, 19_700, Some(20_000)).unwrap(), 1);
        assert_eq!(count(0, 19_701, Some(20_000)).unwrap(), 2);
        assert_eq!(count(0, 100_000, None).unwrap(), 1);
        assert_eq!(count(5, 0, Some(20_000)).unwrap(), 5);
        let refused = count(2, 100_000, Some(20_000)).unwrap_err().to_string();
        assert!(refused.contains("--workers 6"), "{refused}");
        assert!(count(0, 1, Some(200)).unwrap_err().to_string().contains("ulimit"));
        assert!(count(0, 6_000_000, Some(20_000)).is_err());
    }

    #[test]
    fn there_must_be_ports_for_all() {
        enough_ports(28_000, 0, 1, 28_232).unwrap();
        enough_ports(56_000, 0, 2, 28_232).unwrap();
        enough_ports(56_000, 2, 1, 28_232).unwrap();
        let refused = enough_ports(100_000, 0, 1, 28_232).unwrap_err().to_string();
        assert!(refused.contains("--source 127.0.0.1-4"), "{refused}");
        assert!(enough_ports(100_000, 3, 9, 28_232).is_err(), "with a source, the servers do not count");
        assert!(ports() > 0);
    }

    #[tokio::test]
    async fn sources_are_shared_out() {
        let plan = |source: &str| {
            let text =
                format!("[target]\ncredentials = \"x\"\nsource = [{source}]\nserver_pid = [1]\n[scenario.connect]");
            Plan::parse(&text).unwrap()
        };
        let mut workers: Vec<Worker> = (0..3).map(|_| Worker::imagined("one").0).collect();
        let shared = |plan: &Plan, workers: &[Worker]| -> Vec<String> {
            parts(plan, workers).unwrap().into_iter().map(|part| part.target.source.join(" ")).collect()
        };
        assert_eq!(shared(&plan("\"127.0.0.1-4\""), &workers), ["127.0.0.1 127.0.0.4", "127.0.0.2", "127.0.0.3"]);
        assert_eq!(shared(&plan("\"127.0.0.1-2\""), &workers), ["127.0.0.1 127.0.0.2"; 3]);
        workers[1].sources = vec!["10.0.0.1-9".into()];
        assert_eq!(shared(&plan(""), &workers), ["", "10.0.0.1-9", ""]);
        assert!(parts(&plan(""), &workers).unwrap().iter().all(|part| part.target.server_pid.is_empty()));
    }
}
