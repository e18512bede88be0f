//! The settings of the engine `redis`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Point;
use super::seal::SealConfig;
use super::url::RedisUrl;
use crate::units::{ByteSize, duration};

/// Settings of the store over a Redis Cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// Where the cluster is: some of its servers, user and password. Default `redis://127.0.0.1:6379`. `rediss://` is over TLS.
    pub url: RedisUrl,
    /// Certificates in PEM that the servers' own must be signed by, for `rediss://`. Default none: those that the system trusts.
    pub ca: PathBuf,
    /// What every key begins with, so that several installations can share a cluster. Default `linnet`; letters, digits, `-` and `_`.
    pub namespace: String,
    /// How many replicas of a shard must have a commit before it is acked. Default 1. With 0, a failover loses what was acked last.
    pub ack_replicas: u32,
    /// Whether a read, too, waits until so many replicas have what it saw. Default true: nothing is shown that a failover could take back.
    /// While a shard has fewer replicas than `ack_replicas`, it then cannot be read either.
    pub durable_reads: bool,
    /// How long a call waits for its turn, and then for its answer. Default 3 s; the worst case is twice that.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long connecting to a server may take. Default 1 s.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How often the cluster is asked who serves what, beside when something went wrong. Default 2 s.
    #[serde(with = "duration")]
    pub refresh: Duration,
    /// Most commits waiting. Default 65536; the next one is refused as overloaded.
    pub queue_commits: usize,
    /// Most bytes of commits waiting. Default 64 MiB; a commit that would exceed it is refused as overloaded.
    pub queue_bytes: ByteSize,
    /// Most reads waiting. Default 65536; the next one is refused as overloaded.
    pub queue_reads: usize,
    /// Most commits, and most reads, sent to a shard at once. Default 512: more only make each wait longer.
    pub flight_calls: usize,
    /// Most bytes of commits sent to a shard at once. Default 1 MiB; a larger commit travels alone.
    pub flight_bytes: ByteSize,
    /// Findings of the check on start that are accepted, by name: the process starts in spite of them. Default none.
    pub accept: Vec<Point>,
    /// Old parts of long conversations in an object store instead of in memory.
    pub seal: SealConfig,
}

impl RedisConfig {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// A sentence that names the one that does not.
    pub(super) fn validate(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.namespace.is_empty() || !self.namespace.chars().all(plain) {
            return Err(format!("store.redis.namespace: `{}` is not made of letters, digits, - and _", self.namespace));
        }
        Ok(())
    }
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".parse().expect("a URL"),
            ca: PathBuf::new(),
            namespace: "linnet".into(),
            ack_replicas: 1,
            durable_reads: true,
            timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(1),
            refresh: Duration::from_secs(2),
            queue_commits: 65_536,
            queue_bytes: ByteSize::mib(64),
            queue_reads: 65_536,
            flight_calls: 512,
            flight_bytes: ByteSize::mib(1),
            accept: Vec::new(),
            seal: SealConfig::default(),
        }
    }
}
