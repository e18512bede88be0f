//! Settings of the requests that Linnet makes.

use std::time::Duration;

use domain::units::{ByteSize, duration};
use serde::{Deserialize, Serialize};

/// Every setting of this crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether requests may go to this machine and to private networks. Default false: an app's settings must not reach what is behind the firewall.
    pub allow_private: bool,
    /// How long a connection may take, handshake included. Default 5s.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How long a request may take. Default 10s.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
    /// Largest answer that is read. Default 64KiB; a longer one counts as none.
    pub answer_limit: ByteSize,
    /// Most requests to providers under way. Default 64.
    pub requests: usize,
    /// Conversations whose pushes and webhooks are worked on at once. Default 32.
    pub conversations: usize,
    /// How often it is looked for what was left undone. Default 1m.
    #[serde(with = "duration")]
    pub sweep: Duration,
    /// Where several processes work: how long one's word holds that it does something, and how long the others wait after its death. Default 30s;
    /// longer than `request_timeout`.
    #[serde(with = "duration")]
    pub claim: Duration,
    /// How often it is looked for notices to many whose time has come. Default 1s.
    #[serde(with = "duration")]
    pub poll: Duration,
    /// How long to wait after a first failure. Default 1s; each further one doubles it.
    #[serde(with = "duration")]
    pub first_pause: Duration,
    /// Longest wait between two attempts. Default 10m.
    #[serde(with = "duration")]
    pub longest_pause: Duration,
    /// How long something is tried. Default 1d; what is older is dropped, and counted.
    #[serde(with = "duration")]
    pub give_up: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_private: false,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            answer_limit: ByteSize(64 << 10),
            requests: 64,
            conversations: 32,
            sweep: Duration::from_secs(60),
            claim: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(600),
            give_up: Duration::from_secs(86_400),
        }
    }
}

impl Config {
    /// How long to wait after so many failures, from 0.
    #[must_use]
    pub fn pause(&self, attempts: u32) -> Duration {
        self.first_pause.saturating_mul(1 << attempts.min(20)).min(self.longest_pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let config = Config::default();
        assert_eq!([0, 1, 5].map(|attempts| config.pause(attempts).as_secs()), [1, 2, 32]);
        assert_eq!([10, 31, u32::MAX].map(|attempts| config.pause(attempts).as_secs()), [600; 3]);
    }
}
