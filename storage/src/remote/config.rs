//! The settings of both ends of the store's socket.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, duration};

/// Settings of a process that asks the owner of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteConfig {
    /// The owner's socket. Default `data/store.sock`.
    pub socket: PathBuf,
    /// How long a call may take, reconnecting included. Default 5 s.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long a checkpoint may take. Default 10 minutes.
    #[serde(with = "duration")]
    pub checkpoint_timeout: Duration,
    /// Longest pause between two attempts to connect. Default 1 s; the first is 10 ms, and each next one doubles.
    #[serde(with = "duration")]
    pub reconnect_pause: Duration,
    /// Most calls waiting for an answer. Default 65536; the next one is refused as overloaded.
    pub queue_calls: usize,
    /// Most bytes of calls waiting. Default 64 MiB; a call that would exceed it is refused as overloaded.
    pub queue_bytes: ByteSize,
    /// Longest frame in either direction. Default 64 MiB; both ends should agree.
    pub frame_limit: ByteSize,
}

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            socket: PathBuf::from("data/store.sock"),
            timeout: Duration::from_secs(5),
            checkpoint_timeout: Duration::from_secs(600),
            reconnect_pause: Duration::from_secs(1),
            queue_calls: 65_536,
            queue_bytes: ByteSize::mib(64),
            frame_limit: ByteSize::mib(64),
        }
    }
}

/// Settings of the process that owns the store and answers for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreServerConfig {
    /// The socket. Default `data/store.sock`. Only the user who runs the process may connect.
    pub socket: PathBuf,
    /// Longest frame in either direction. Default 64 MiB; a client that sends a longer one is cut off.
    pub frame_limit: ByteSize,
    /// About how many bytes of rows one answer carries. Default 1 MiB; the client asks for the rest by itself.
    pub page_bytes: ByteSize,
    /// Most calls of one connection under way. Default 16384; more are left in the socket.
    pub connection_calls: usize,
    /// Most connections. Default 64; one more is closed at once.
    pub connections: usize,
    /// Publications kept for a connection that is slow to read them. Default 16384; older ones are dropped, and it is told.
    pub bus_capacity: usize,
    /// How long calls under way may take to finish when the server stops. Default 5 s.
    #[serde(with = "duration")]
    pub drain: Duration,
}

impl Default for StoreServerConfig {
    fn default() -> Self {
        Self {
            socket: PathBuf::from("data/store.sock"),
            frame_limit: ByteSize::mib(64),
            page_bytes: ByteSize::mib(1),
            connection_calls: 16_384,
            connections: 64,
            bus_capacity: 16_384,
            drain: Duration::from_secs(5),
        }
    }
}
