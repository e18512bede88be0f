//! Where the bytes are, and how the processes that share them hear of each other.

use serde::{Deserialize, Serialize};
use storage::{RedisBusConfig, RedisConfig, RemoteConfig, RocksConfig, StoreServerConfig};

/// Where the bytes are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    /// What keeps them: `rocks` on one machine, `redis` for many. Default `rocks`.
    pub(crate) engine: Engine,
    /// The embedded engine, for `linnet serve` and `linnet gateway`.
    pub(crate) rocks: RocksConfig,
    /// The engine over a Redis Cluster, for any number of processes on any machines.
    pub(crate) redis: RedisConfig,
    /// The socket over which the owner of the embedded engine shares it.
    pub(crate) server: StoreServerConfig,
    /// How others reach that socket: `linnet rest`, and commands beside a server.
    pub(crate) remote: RemoteConfig,
}

/// What keeps the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// RocksDB inside the process that owns the data.
    #[default]
    Rocks,
    /// A Redis Cluster, which every process talks to.
    Redis,
}

/// How processes hear of each other. Where `store.engine` is `rocks`, they do so over the store's socket, and nothing is set here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Bus {
    /// The bus over a Redis Cluster, where `store.engine` is `redis`.
    pub(crate) redis: RedisBusConfig,
}
