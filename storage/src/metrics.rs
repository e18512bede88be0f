//! The names of this crate's metrics, and what each means.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::{Error, Result};

/// Commits, by `result`: `ok`, `conflict`, `full`, `overloaded`, `unavailable`, `corrupt`.
const COMMITS: &str = "linnet_storage_commits_total";
/// Commits that went to the disk, or to a shard, together.
const GROUP_SIZE: &str = "linnet_storage_group_commits";
/// Commits waiting to be written, when a group was taken.
const QUEUED_COMMITS: &str = "linnet_storage_queued_commits";
/// Bytes that went to the disk together; only of the engine `rocks`, as the next two.
#[cfg(feature = "rocksdb")]
const GROUP_BYTES: &str = "linnet_storage_group_bytes";
/// Seconds that writing and syncing a group took.
#[cfg(feature = "rocksdb")]
const SYNC_SECONDS: &str = "linnet_storage_sync_seconds";
/// Reads that memory could not answer and that went to the disk's threads.
#[cfg(feature = "rocksdb")]
const CACHE_MISSES: &str = "linnet_storage_cache_misses_total";

/// Seconds from sending calls to a shard until its replicas had them, by `kind`: `commit` or `read`; only of the engine `redis`, as the next four.
const FLIGHT_SECONDS: &str = "linnet_storage_redis_flight_seconds";
/// Calls that a shard refused for now, and that were tried again, by `kind`.
const REFUSED: &str = "linnet_storage_redis_refused_total";
/// Flights after which too few replicas followed, by `kind`.
const WAIT_SHORT: &str = "linnet_storage_redis_wait_short_total";
/// Connections to shards that broke or did not come about, by `kind`.
const DISCONNECTED: &str = "linnet_storage_redis_disconnected_total";
/// Whether every slot is served by somebody.
const CLUSTER_WHOLE: &str = "linnet_storage_redis_cluster_whole";

/// Whether the owner of the store is connected; only of the engine `remote`.
const REMOTE_CONNECTED: &str = "linnet_storage_remote_connected";
/// Calls to the owner of the store that ran out of time or lost their connection.
const REMOTE_FAILURES: &str = "linnet_storage_remote_failures_total";
/// Publications that were dropped because a queue was full or the owner away.
const BUS_DROPPED: &str = "linnet_storage_bus_dropped_total";

/// Publications, once for each process that they were sent to; only of the bus `redis`, as all that follow.
const BUS_SENT: &str = "linnet_storage_bus_sent_total";
/// Publications that did not reach a process, which is told so.
const BUS_LOST: &str = "linnet_storage_bus_lost_total";
/// Publications that travelled together.
const BUS_BATCH: &str = "linnet_storage_bus_batch_publications";
/// Bytes of publications that travelled together.
const BUS_BATCH_BYTES: &str = "linnet_storage_bus_batch_bytes";
/// How often subscribers here were told that they may have missed something.
const BUS_LAGGED: &str = "linnet_storage_bus_lagged_total";
/// Seconds since this process heard itself.
const BUS_HEARTBEAT_AGE: &str = "linnet_storage_bus_heartbeat_age_seconds";
/// Topics that this process joined.
const BUS_TOPICS: &str = "linnet_storage_bus_topics";

pub(crate) fn remote_connected(connected: bool) {
    gauge!(REMOTE_CONNECTED).set(if connected { 1.0 } else { 0.0 });
}

pub(crate) fn remote_failed(calls: usize) {
    counter!(REMOTE_FAILURES).increment(calls as u64);
}

pub(crate) fn publications_dropped(count: usize) {
    counter!(BUS_DROPPED).increment(count as u64);
}

pub(crate) fn batch_sent(publications: usize, bytes: usize) {
    if publications > 0 {
        counter!(BUS_SENT).increment(publications as u64);
        histogram!(BUS_BATCH).record(count(publications));
        histogram!(BUS_BATCH_BYTES).record(count(bytes));
    }
}

pub(crate) fn publications_lost(count: usize) {
    counter!(BUS_LOST).increment(count as u64);
}

pub(crate) fn bus_lagged() {
    counter!(BUS_LAGGED).increment(1);
}

pub(crate) fn heartbeat_age(age: Duration) {
    gauge!(BUS_HEARTBEAT_AGE).set(age.as_secs_f64());
}

pub(crate) fn bus_topics(joined: usize) {
    gauge!(BUS_TOPICS).set(count(joined));
}

#[expect(clippy::cast_precision_loss, reason = "a metric may round above 2^53")]
fn count(value: usize) -> f64 {
    value as f64
}

pub(crate) fn committed<'a>(results: impl Iterator<Item = &'a Result<()>>) {
    let mut counts = [0u64; 6];
    for result in results {
        counts[label(result)] += 1;
    }
    for (name, count) in LABELS.iter().zip(counts) {
        if count > 0 {
            counter!(COMMITS, "result" => *name).increment(count);
        }
    }
}

#[cfg(feature = "rocksdb")]
pub(crate) fn group_written(commits: usize, bytes: usize, queued: usize, took: Duration) {
    histogram!(GROUP_SIZE).record(count(commits));
    histogram!(GROUP_BYTES).record(count(bytes));
    histogram!(SYNC_SECONDS).record(took.as_secs_f64());
    gauge!(QUEUED_COMMITS).set(count(queued));
}

#[cfg(feature = "rocksdb")]
pub(crate) fn cache_missed() {
    counter!(CACHE_MISSES).increment(1);
}

pub(crate) fn flight_landed(kind: &'static str, calls: usize, queued: usize, took: Duration) {
    if kind == "commit" {
        histogram!(GROUP_SIZE).record(count(calls));
        gauge!(QUEUED_COMMITS).set(count(queued));
    }
    histogram!(FLIGHT_SECONDS, "kind" => kind).record(took.as_secs_f64());
}

pub(crate) fn calls_refused(kind: &'static str, calls: usize) {
    if calls > 0 {
        counter!(REFUSED, "kind" => kind).increment(calls as u64);
    }
}

pub(crate) fn wait_short(kind: &'static str) {
    counter!(WAIT_SHORT, "kind" => kind).increment(1);
}

pub(crate) fn redis_disconnected(kind: &'static str) {
    counter!(DISCONNECTED, "kind" => kind).increment(1);
}

pub(crate) fn cluster_whole(whole: bool) {
    gauge!(CLUSTER_WHOLE).set(if whole { 1.0 } else { 0.0 });
}

const LABELS: [&str; 6] = ["ok", "conflict", "full", "overloaded", "unavailable", "corrupt"];

fn label(result: &Result<()>) -> usize {
    match result {
        Ok(()) => 0,
        Err(Error::Conflict) => 1,
        Err(Error::Full) => 2,
        Err(Error::Overloaded) => 3,
        Err(Error::Unavailable(_)) => 4,
        Err(Error::Corrupt(_)) => 5,
    }
}
