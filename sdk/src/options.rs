//! How to connect, as whom, and within which limits.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::event::Cursor;
use crate::network::{Network, Trust};
use crate::presence::Platform;
use crate::session;

/// What a client needs to know. Everything but the address and the token has a default.
///
/// ```
/// use linnet_sdk::{Options, Transport, Trust};
///
/// let options = Options {
///     transport: Transport::Auto,
///     trust: Trust::DangerAcceptAnyCertificate, // Only for a development server's self-signed certificate.
///     device_id: "kitchen-tablet".to_owned(),
///     ..Options::new("127.0.0.1:5101", "the user's token")
/// };
/// ```
#[derive(Clone)]
pub struct Options {
    /// `host:port` of the gateway's listener for the transport chosen.
    pub address: String,
    /// `host:port` for QUIC with [`Transport::Auto`], where it differs from `address`. Default: the same.
    pub quic_address: Option<String>,
    /// How to connect. Default: [`Transport::Auto`].
    pub transport: Transport,
    /// Which servers to trust. Default: those that the public certificate authorities vouch for. Unused when `network` is given.
    pub trust: Trust,
    /// Address of the REST service, `http://host:port` or `https://host`, where the bytes of files go. Default: none, and no files.
    pub files: Option<String>,
    /// Shared between clients of one process, to save sockets and memory. Default: one of the client's own.
    pub network: Option<Network>,
    /// The user's token, as the app's server got it.
    pub token: String,
    /// Names this installation, at most 64 bytes; the same one after a restart of the app. Default: random.
    pub device_id: String,
    /// What kind of device this is. Default: unknown.
    pub platform: Platform,
    /// Name and version of the app, for the server's logs. Default: the SDK's own.
    pub client: String,
    /// How far this device has got, from [`Client::cursors`](crate::Client::cursors) of an earlier run. Default: nothing is held.
    pub cursors: Vec<Cursor>,
    /// How long [`Client::connect`](crate::Client::connect) waits for the first login. Default: 15 s.
    pub login_timeout: Duration,
    /// How long a request other than sending may take, waiting for a connection included. Default: 10 s.
    pub request_timeout: Duration,
    /// How long a message is tried, waiting for a connection included. Default: without end, until the client is closed.
    pub send_timeout: Option<Duration>,
    /// Bounds of memory and patience.
    pub limits: Limits,
}

/// How to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Plain TCP. For tests and trusted networks only.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// QUIC.
    Quic,
    /// QUIC raced against TLS, whichever is up first; the winner gets a head start the next time.
    #[default]
    Auto,
}

/// Bounds of a client's memory and patience. The defaults suit an app; a load generator wants others.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Events that wait for the app. When it falls this far behind, the client stops reading from the server until it catches up;
    /// answers then wait too, so take events in another task than one that waits for answers, or
    /// [ignore](crate::Client::ignore_events) them. Default: 256.
    pub event_queue: usize,
    /// Requests that are queued or unanswered. Further ones wait in the caller. Default: 1024.
    pub max_pending: usize,
    /// Requests unanswered at the same time. Default: 128.
    pub max_in_flight: usize,
    /// Entries per conversation that synchronisation fetches; of more, only the newest come, after a gap event. Default: 100.
    pub sync_entries: u32,
    /// How long a gap may close by itself before history is asked for. Default: 50 ms.
    pub gap_wait: Duration,
    /// Longest gap that is fetched; a longer one is announced and skipped. Default: 1000 entries.
    pub max_gap: u64,
    /// Entries held over all conversations because others are missing before them. Default: 1000.
    pub max_held: usize,
    /// Pushes that are acknowledged together at the latest. Default: 16.
    pub ack_every: u64,
    /// How long a push waits to be acknowledged. Default: 1 s.
    pub ack_after: Duration,
    /// How long the server may stay silent when it owes an answer. Default: 10 s.
    pub silence_timeout: Duration,
    /// Bound of the first delay before connecting again; it doubles with every failure. Default: 500 ms.
    pub backoff_base: Duration,
    /// Largest bound of that delay. Default: 30 s.
    pub backoff_cap: Duration,
    /// Seeds the delays, so that a run can be repeated. Default: random.
    pub seed: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_queue: 256,
            max_pending: 1024,
            max_in_flight: 128,
            sync_entries: 100,
            gap_wait: Duration::from_millis(50),
            max_gap: 1000,
            max_held: 1000,
            ack_every: 16,
            ack_after: Duration::from_secs(1),
            silence_timeout: Duration::from_secs(10),
            backoff_base: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(30),
            seed: None,
        }
    }
}

impl Options {
    /// Options with every default.
    pub fn new(address: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            quic_address: None,
            transport: Transport::default(),
            trust: Trust::default(),
            files: None,
            network: None,
            token: token.into(),
            device_id: format!("{:016x}", rand::random::<u64>()),
            platform: Platform::default(),
            client: concat!("linnet-sdk/", env!("CARGO_PKG_VERSION")).to_owned(),
            cursors: Vec::new(),
            login_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(10),
            send_timeout: None,
            limits: Limits::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Options(what.to_owned()));
        if self.token.is_empty() {
            return wrong("the token is empty");
        }
        if self.device_id.is_empty() || self.device_id.len() > 64 {
            return wrong("device_id takes 1 to 64 bytes");
        }
        if let Some(files) = &self.files {
            crate::http::Service::parse(files)?;
        }
        let Limits { event_queue, max_pending, max_in_flight, ack_every, .. } = self.limits;
        if event_queue == 0 || max_pending == 0 || max_in_flight == 0 || ack_every == 0 {
            return wrong("event_queue, max_pending, max_in_flight and ack_every start at 1");
        }
        Ok(())
    }

    pub(crate) fn session(&self) -> session::Config {
        let limits = &self.limits;
        session::Config {
            token: self.token.clone(),
            device_id: self.device_id.clone(),
            platform: self.platform.into(),
            client: self.client.clone(),
            request_timeout: self.request_timeout,
            send_timeout: self.send_timeout,
            silence_timeout: limits.silence_timeout,
            max_pending: limits.max_pending,
            max_in_flight: limits.max_in_flight,
            sync_entries: limits.sync_entries,
            gap_wait: limits.gap_wait,
            max_gap: limits.max_gap,
            max_held: limits.max_held,
            ack_every: limits.ack_every,
            ack_after: limits.ack_after,
            backoff_base: limits.backoff_base,
            backoff_cap: limits.backoff_cap,
            seed: limits.seed.unwrap_or_else(rand::random),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out of logs.
        out.debug_struct("Options")
            .field("address", &self.address)
            .field("transport", &self.transport)
            .field("device_id", &self.device_id)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
