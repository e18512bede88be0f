//! Settings of the gateway. Every limit has a key; `config.example.toml` shows them with their defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::units::{ByteSize, duration};
use proto::wire;
use serde::{Deserialize, Serialize};

/// How clients connect, and what one of them may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Plain TCP, for a balancer that ends TLS itself, and for tests.
    pub tcp: Listener,
    /// TLS over TCP.
    pub tls: Listener,
    /// QUIC, over UDP.
    pub quic: Quic,
    /// How long a connection may take from its first byte to a login, handshake included. Default 10 s; then TIMEOUT.
    #[serde(with = "duration")]
    pub login_deadline: Duration,
    /// How often a client must say something. Default 5 min; silence twice as long ends the connection with TIMEOUT.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// How long a session outlives its connection, to be resumed. Default 60 s. A user stays online that long after a drop.
    #[serde(with = "duration")]
    pub resume_window: Duration,
    /// How long a client may take nothing while something waits to be sent. Default 10 s; then it is cut as SLOW_CONSUMER.
    #[serde(with = "duration")]
    pub write_deadline: Duration,
    /// How long a connection that the gateway ends may take to read the last frame. Default 2 s.
    #[serde(with = "duration")]
    pub linger: Duration,
    /// Largest frame before the login. Default 4 KiB.
    pub max_login_frame: ByteSize,
    /// Largest frame after it, in either direction. Default 1 MiB.
    pub max_frame: ByteSize,
    /// Pushes that may wait for a client to read them, bytes. Default 64 KiB; past that it is cut as SLOW_CONSUMER.
    pub outbound_queue: ByteSize,
    /// Pushes kept until the client confirms them, bytes, so that a resumed session misses none. Default 64 KiB.
    pub resume_buffer: ByteSize,
    /// Requests of one connection that may be under way, and not more than `max_frame` bytes of them. Default 64; past that,
    /// nothing more is read from it.
    pub max_in_flight: usize,
    /// Pages (history, lists, comparisons) that are prepared for one connection at once. Default 2; further ones wait.
    ///
    /// Worst case: as many times `max_frame` and what the domain reads for it, for every connection.
    pub max_pages: usize,
    /// Connections that may be in their handshake at once. Default 4096; more are dropped (TLS) or asked to retry (QUIC).
    pub max_handshakes: usize,
    /// Connections in all. Default 0: as many as the process may open.
    pub max_connections: usize,
    /// Devices of one platform that a user may be logged in from. Default 1; the oldest is kicked. 0 for any number.
    pub devices_per_platform: usize,
    /// The same for single platforms, by name: `ios`, `android`, `windows`, `macos`, `web`, `mini_program`, `linux`, `unknown`.
    /// Default none.
    pub devices_by_platform: BTreeMap<Platform, usize>,
    /// Frames per second of one connection. Default 1000, with bursts of 4000; past that, requests are answered RETRY_LATER.
    pub frames: Rate,
    /// Messages per second of one user, over all devices. Default 500, with bursts of 2000; past that, they wait, in order.
    pub sends: Rate,
    /// New connections per second of one address. Default 200, with bursts of 1000; past that, they are dropped.
    pub connects: Rate,
    /// Connections of one address at once. Default 10000 (a mobile carrier's users share few addresses); 0 for any number.
    pub connections_per_address: usize,
    /// Whether `connects` and `connections_per_address` hold for this machine's own addresses too. Default false.
    pub limit_loopback: bool,
    /// Over how long clients spread their return when the gateway stops. Default 10 s.
    #[serde(with = "duration")]
    pub reconnect_spread: Duration,
    /// How often the gateway says that its sessions are alive. Default 10 s; a third of the domain's presence lease.
    #[serde(with = "duration")]
    pub presence_renewal: Duration,
    /// Sessions per second that are told to compare with the store, after events of other processes were lost. Default 2000; 0 for all at once.
    pub resyncs_per_second: u32,
    /// How long nobody is told again, where events go on being lost. Default 2 s.
    #[serde(with = "duration")]
    pub resync_pause: Duration,
    /// Most chat rooms that a session is in at once. Default 10; coming into one more leaves the first.
    pub rooms_per_session: usize,
}

/// Where a transport listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listener {
    /// Whether it listens at all. Default true.
    pub enabled: bool,
    /// Address and port; port 0 takes a free one. Default 127.0.0.1:5100 (TCP), 127.0.0.1:5101 (TLS).
    pub listen: String,
}

/// Where QUIC listens, and what one connection may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quic {
    /// Whether it listens at all. Default true.
    pub enabled: bool,
    /// Address and UDP port; port 0 takes a free one. Default 127.0.0.1:5101.
    pub listen: String,
    /// Bytes that a client may send before they are read. Default 64 KiB.
    pub receive_window: ByteSize,
    /// Bytes sent and not yet acknowledged. Default 256 KiB.
    pub send_window: ByteSize,
    /// Handshakes under way from which on new clients must prove their address (Retry). Default 256.
    pub retry_above: usize,
}

/// So many per second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Sustained, per second. 0 for no limit.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// A `wire.Platform`, named as configuration names it: `ios` for `PLATFORM_IOS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform(pub wire::Platform);

/// What every name of a platform begins with in the wire protocol.
const PLATFORM: &str = "PLATFORM_";

impl TryFrom<String> for Platform {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = wire::Platform::from_str_name(&format!("{PLATFORM}{}", name.to_uppercase()));
        found.map(Self).ok_or_else(|| format!("no platform is called `{name}`"))
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.0.as_str_name().trim_start_matches(PLATFORM).to_lowercase()
    }
}

impl Platform {
    /// From its number; a number from the future is `unknown`.
    #[must_use]
    pub fn from_wire(number: i32) -> Self {
        Self(wire::Platform::try_from(number).unwrap_or_default())
    }
}

impl Config {
    /// How many devices of a platform a user may be logged in from; `None` for any number.
    #[must_use]
    pub fn devices_allowed(&self, platform: Platform) -> Option<usize> {
        let allowed = self.devices_by_platform.get(&platform).copied().unwrap_or(self.devices_per_platform);
        (allowed > 0).then_some(allowed)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tcp: Listener { enabled: true, listen: "127.0.0.1:5100".into() },
            tls: Listener::default(),
            quic: Quic::default(),
            login_deadline: Duration::from_secs(10),
            heartbeat: Duration::from_secs(300),
            resume_window: Duration::from_secs(60),
            write_deadline: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            max_login_frame: ByteSize(4 << 10),
            max_frame: ByteSize(1 << 20),
            outbound_queue: ByteSize(64 << 10),
            resume_buffer: ByteSize(64 << 10),
            max_in_flight: 64,
            max_pages: 2,
            max_handshakes: 4096,
            max_connections: 0,
            devices_per_platform: 1,
            devices_by_platform: BTreeMap::new(),
            frames: Rate { per_second: 1000, burst: 4000 },
            sends: Rate { per_second: 500, burst: 2000 },
            connects: Rate { per_second: 200, burst: 1000 },
            connections_per_address: 10_000,
            limit_loopback: false,
            reconnect_spread: Duration::from_secs(10),
            presence_renewal: Duration::from_secs(10),
            resyncs_per_second: 2000,
            resync_pause: Duration::from_secs(2),
            rooms_per_session: 10,
        }
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self { enabled: true, listen: "127.0.0.1:5101".into() }
    }
}

impl Default for Quic {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: "127.0.0.1:5101".into(),
            receive_window: ByteSize(64 << 10),
            send_window: ByteSize(256 << 10),
            retry_above: 256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_survive_being_written_and_read() {
        let config = Config::default();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("hearbeat = \"5m\"").is_err());
        assert!(toml::from_str::<Config>("[tcp]\nport = 1").is_err());
    }

    #[test]
    fn platforms_have_rules_of_their_own() {
        let config: Config = toml::from_str("[devices_by_platform]\nweb = 3\nlinux = 0").unwrap();
        assert_eq!(config.devices_allowed(Platform(wire::Platform::Web)), Some(3));
        assert_eq!(config.devices_allowed(Platform(wire::Platform::Linux)), None);
        assert_eq!(config.devices_allowed(Platform(wire::Platform::Ios)), Some(1));
    }
}
