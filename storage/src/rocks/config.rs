//! The settings of the engine `rocks`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, duration};

/// Settings of the embedded engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RocksConfig {
    /// Where the data is. Default `data/store`. Created if missing; one process at a time.
    pub directory: PathBuf,
    /// What an ack means. Default `fsync`.
    pub durability: Durability,
    /// What to do about damage found on start. Default `strict`.
    pub recovery: Recovery,
    /// Memory for blocks read from disk, indexes and filters included. Default 256 MiB, which is also the worst case.
    pub cache: ByteSize,
    /// Memory for rows not yet in sorted files. Default 128 MiB; briefly up to twice that while the disk lags.
    pub write_buffer: ByteSize,
    /// How much log a start may have to read. Default 128 MiB, which takes about a second.
    pub log: ByteSize,
    /// Most commits waiting. Default 65536; the next one is refused as overloaded.
    pub queue_commits: usize,
    /// Most bytes of commits waiting. Default 64 MiB; a commit that would exceed it is refused as overloaded.
    pub queue_bytes: ByteSize,
    /// Most bytes written with one sync. Default 4 MiB: a larger group saves nothing more and makes each waiter wait longer.
    pub group_bytes: ByteSize,
    /// Threads for reads that memory cannot answer. Default 4.
    pub read_threads: usize,
    /// Most reads waiting for these threads. Default 16384; the next one is refused as overloaded.
    pub queue_reads: usize,
    /// Threads for flushes and compactions. Default 2.
    pub background_threads: usize,
    /// Free space below which only deletes are accepted. Default 128 MiB, so that deletes always have room to be written.
    pub reserve: ByteSize,
    /// How often free space is looked at. Default 100 ms.
    #[serde(with = "duration")]
    pub reserve_interval: Duration,
}

/// What an ack of a commit means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The disk has it: it survives the loss of power.
    Fsync,
    /// The operating system has it: it survives the death of the process, and not the loss of power.
    Os,
}

/// What to do about damage in the log, found on start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// An unfinished last write is dropped, as it was never acked; anything else refuses to start.
    Strict,
    /// Everything from the first damage on is dropped, acked or not. For an operator without a backup.
    Salvage,
}

impl Default for RocksConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("data/store"),
            durability: Durability::Fsync,
            recovery: Recovery::Strict,
            cache: ByteSize::mib(256),
            write_buffer: ByteSize::mib(128),
            log: ByteSize::mib(128),
            queue_commits: 65_536,
            queue_bytes: ByteSize::mib(64),
            group_bytes: ByteSize::mib(4),
            read_threads: 4,
            queue_reads: 16_384,
            background_threads: 2,
            reserve: ByteSize::mib(128),
            reserve_interval: Duration::from_millis(100),
        }
    }
}
