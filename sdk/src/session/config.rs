//! The session's limits and delays, as the options give them.

use std::time::Duration;

/// See [`Options`](crate::Options) for what each one means to an app.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) token: String,
    pub(crate) device_id: String,
    pub(crate) platform: i32,
    pub(crate) client: String,
    pub(crate) request_timeout: Duration,
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) silence_timeout: Duration,
    pub(crate) max_pending: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) sync_entries: u32,
    pub(crate) gap_wait: Duration,
    pub(crate) max_gap: u64,
    pub(crate) max_held: usize,
    pub(crate) ack_every: u64,
    pub(crate) ack_after: Duration,
    pub(crate) backoff_base: Duration,
    pub(crate) backoff_cap: Duration,
    pub(crate) seed: u64,
}
