//! Token buckets: for a connection's frames, a user's messages, an address's connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config::{Config, Rate};

/// A token bucket in 16 bytes: the time at which it is full again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket(Instant);

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Self {
        Self(now)
    }

    /// Takes one token; or says how long to wait for one.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> Result<(), Duration> {
        if rate.per_second == 0 {
            return Ok(());
        }
        let one = Duration::from_secs(1) / rate.per_second;
        let depth = one * rate.burst.max(1);
        let full_at = self.0.max(now) + one;
        let ahead = full_at.saturating_duration_since(now);
        if ahead > depth {
            return Err(ahead - depth);
        }
        self.0 = full_at;
        Ok(())
    }

    /// Whether nothing has been taken for long enough that the bucket is as good as new.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.0 <= now
    }
}

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The address connects too often.
    TooOften,
    /// The address has too many connections.
    TooMany,
}

impl Refusal {
    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooOften => "address_rate",
            Self::TooMany => "address_count",
        }
    }
}

/// Connections by address.
#[derive(Debug)]
pub(crate) struct Addresses {
    shards: Box<[Mutex<HashMap<IpAddr, Address>>]>,
    limit_loopback: bool,
}

#[derive(Debug)]
struct Address {
    bucket: Bucket,
    open: usize,
}

const SHARDS: usize = 16;

impl Addresses {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
            limit_loopback: config.limit_loopback,
        }
    }

    /// Counts a new connection in, within the limits now in force; [`Self::leave`] must follow when it ends.
    pub(crate) fn enter(&self, address: IpAddr, now: Instant, limits: &Config) -> Result<(), Refusal> {
        let Some(key) = self.key(address) else { return Ok(()) };
        let mut shard = self.shard(&key).lock();
        let entry = shard.entry(key).or_insert_with(|| Address { bucket: Bucket::new(now), open: 0 });
        let most = limits.connections_per_address;
        if most > 0 && entry.open >= most {
            return Err(Refusal::TooMany);
        }
        entry.bucket.take(now, limits.connects).map_err(|_| Refusal::TooOften)?;
        entry.open += 1;
        Ok(())
    }

    /// Counts a connection out.
    pub(crate) fn leave(&self, address: IpAddr) {
        let Some(key) = self.key(address) else { return };
        if let Some(entry) = self.shard(&key).lock().get_mut(&key) {
            entry.open = entry.open.saturating_sub(1);
        }
    }

    /// Forgets addresses that nothing is known against.
    pub(crate) fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            if !shard.is_empty() {
                shard.retain(|_, address| address.open > 0 || !address.bucket.is_full(now));
            }
        }
    }

    /// What counts as one address: an IPv4 address, or the /64 that one IPv6 customer has to itself. `None` where no limit holds.
    fn key(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        if address.is_loopback() && !self.limit_loopback {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
        })
    }

    fn shard(&self, key: &IpAddr) -> &Mutex<HashMap<IpAddr, Address>> {
        let last = match key {
            IpAddr::V4(v4) => usize::from(v4.octets()[3]),
            IpAddr::V6(v6) => usize::from(v6.octets()[7]),
        };
        &self.shards[last % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        for _ in 0..3 {
            assert_eq!(bucket.take(start, RATE), Ok(()));
        }
        assert_eq!(bucket.take(start, RATE), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(start + Duration::from_millis(100), RATE), Ok(()));
        assert!(bucket.take(start + Duration::from_millis(100), RATE).is_err());
        assert!(!bucket.is_full(start + Duration::from_millis(100)));
        assert!(bucket.is_full(start + Duration::from_millis(400)));
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        for _ in 0..10_000 {
            assert_eq!(bucket.take(start, Rate { per_second: 0, burst: 0 }), Ok(()));
        }
    }

    #[test]
    fn addresses_are_counted_and_forgotten() {
        let config = Config { connects: RATE, connections_per_address: 2, ..Config::default() };
        let addresses = Addresses::new(&config);
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let start = Instant::now();
        assert_eq!(addresses.enter(one, start, &config), Ok(()));
        assert_eq!(addresses.enter(one, start, &config), Ok(()));
        assert_eq!(addresses.enter(one, start, &config), Err(Refusal::TooMany));
        addresses.leave(one);
        assert_eq!(addresses.enter(one, start, &config), Ok(()));
        addresses.leave(one);
        assert_eq!(addresses.enter(one, start, &config), Err(Refusal::TooOften));
        addresses.leave(one);
        addresses.leave(one);
        addresses.sweep(start + Duration::from_secs(1));
        assert!(addresses.shards.iter().all(|shard| shard.lock().is_empty()));
    }

    #[test]
    fn one_ipv6_customer_is_one_address_and_loopback_is_none() {
        let config = Config { connections_per_address: 1, ..Config::default() };
        let addresses = Addresses::new(&config);
        let now = Instant::now();
        assert_eq!(addresses.enter("2001:db8::1".parse().unwrap(), now, &config), Ok(()));
        assert_eq!(addresses.enter("2001:db8::2".parse().unwrap(), now, &config), Err(Refusal::TooMany));
        assert_eq!(addresses.enter("2001:db8:0:1::2".parse().unwrap(), now, &config), Ok(()));
        for _ in 0..5 {
            assert_eq!(addresses.enter("127.0.0.1".parse().unwrap(), now, &config), Ok(()));
            assert_eq!(addresses.enter("::ffff:127.0.0.1".parse().unwrap(), now, &config), Ok(()));
        }
    }
}
