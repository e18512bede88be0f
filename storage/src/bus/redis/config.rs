//! The settings of the bus over a Redis Cluster.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::redis::RedisUrl;
use crate::units::{ByteSize, duration};

/// Settings of the bus over a Redis Cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisBusConfig {
    /// Where the cluster is: some of its servers, user and password. Default `redis://127.0.0.1:6379`. `rediss://` is over TLS.
    /// It may be another cluster than the store's, and need not keep anything on disk: joining is quicker then.
    pub url: RedisUrl,
    /// Certificates in PEM that the servers' own must be signed by, for `rediss://`. Default none: those that the system trusts.
    pub ca: PathBuf,
    /// What the names of keys and channels begin with. Default `linnet-bus`.
    /// Processes hear each other if theirs are the same. Letters, digits, `-` and `_`.
    pub namespace: String,
    /// Most publications waiting to be addressed. Default 65536; beyond, they are dropped, and every process is told so.
    pub queue_publications: usize,
    /// Most bytes of publications waiting to be addressed. Default 64 MiB; beyond, as above.
    pub queue_bytes: ByteSize,
    /// Most bytes waiting for one process that is slow to reach. Default 16 MiB; beyond, the oldest are dropped, and that process is told.
    pub process_bytes: ByteSize,
    /// About how many bytes travel in one message. Default 256 KiB; a longer publication travels alone.
    pub batch_bytes: ByteSize,
    /// After how long without a sign of life a process counts as gone. Default 15 s; others may publish to it in vain for twice as long.
    /// A living process gives a sign three times as often. One that was cut off for longer begins anew, and synchronises.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// How often a process publishes to itself. Default 1 s.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// After how long without hearing itself a process subscribes again, and synchronises. Default 2500 ms.
    #[serde(with = "duration")]
    pub silence: Duration,
    /// How often a process that hears nothing synchronises. Default 5 s: what was sent meanwhile arrives that much later.
    #[serde(with = "duration")]
    pub catch_up: Duration,
    /// How long a process stays listed under a topic. Default 1 h; it renews the entry in time.
    /// What a process that died left behind goes after that, or when somebody publishes to the topic.
    #[serde(with = "duration")]
    pub topic_lifetime: Duration,
    /// How long a command may take. Default 1 s; publications of which nobody can say in time whom they concern go to every process.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long a message that does not reach a process is tried again. Default 3 s; then the process is told that it missed something.
    #[serde(with = "duration")]
    pub retry: Duration,
}

impl Default for RedisBusConfig {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".parse().expect("a URL"),
            ca: PathBuf::new(),
            namespace: "linnet-bus".into(),
            queue_publications: 65_536,
            queue_bytes: ByteSize::mib(64),
            process_bytes: ByteSize::mib(16),
            batch_bytes: ByteSize(256 << 10),
            lease: Duration::from_secs(15),
            heartbeat: Duration::from_secs(1),
            silence: Duration::from_millis(2_500),
            catch_up: Duration::from_secs(5),
            topic_lifetime: Duration::from_secs(3_600),
            timeout: Duration::from_secs(1),
            retry: Duration::from_secs(3),
        }
    }
}
