//! Cuts a master off from the other nodes, while clients go on reaching it.
//!
//! Packets are dropped by the kernel, in a network namespace of the run's own: `make chaos` makes one. Nodes connect to each other from
//! addresses of their own, clients from 127.0.0.1; that tells them apart.

use std::io::Write;
use std::process::{Command, Stdio};

use storage::testing::RedisCluster;

/// Set where this process has a network namespace to itself.
const OWN_NAMESPACE: &str = "LINNET_CHAOS_NETNS";

/// The right to drop packets.
#[derive(Debug)]
pub(crate) struct Firewall(());

impl Firewall {
    /// `None`, with a line that says so, where packets of others would be dropped too, or the kernel refuses.
    pub(crate) fn find() -> Option<Self> {
        if std::env::var_os(OWN_NAMESPACE).is_none() {
            println!("no partitions: they need a network namespace, which `make chaos` makes where the system permits");
            return None;
        }
        match nft("table inet linnet_chaos {}") {
            Ok(()) => Some(Self(())),
            Err(error) => {
                println!("no partitions: {error}");
                None
            }
        }
    }

    /// Drops everything between this node and the others, both ways.
    pub(crate) fn isolate(&self, cluster: &RedisCluster, node: usize) -> Result<(), String> {
        let own = cluster.source(node);
        let others: Vec<String> = (0..cluster.nodes())
            .filter(|other| *other != node)
            .map(|other| cluster.source(other).to_string())
            .collect();
        let (port, bus) = cluster.ports(node);
        let (others, ports) = (others.join(", "), format!("{port}, {bus}"));
        nft(&format!(
            "table inet linnet_chaos {{ chain isolation {{
                type filter hook output priority 0
                ip saddr {own} drop
                ip daddr {own} drop
                ip saddr {{ {others} }} tcp dport {{ {ports} }} drop
                ip daddr {{ {others} }} tcp sport {{ {ports} }} drop
            }}
            }}"
        ))
    }

    pub(crate) fn heal(&self) -> Result<(), String> {
        nft("delete chain inet linnet_chaos isolation")
    }
}

fn nft(script: &str) -> Result<(), String> {
    let run = || -> std::io::Result<std::process::Output> {
        let mut child = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().expect("it is piped").write_all(script.as_bytes())?;
        child.wait_with_output()
    };
    let output = run().map_err(|error| format!("nft: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("nft: {}", said.trim())) }
}
