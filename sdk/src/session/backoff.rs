//! How long to wait before trying again: exponential, with full jitter.
//!
//! Full jitter (anything between nothing and the bound) spreads a crowd that lost its server at the same moment.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Delays between attempts. Seeded, so that a test sees the same ones each time.
#[derive(Debug)]
pub(crate) struct Backoff {
    rng: SmallRng,
    attempt: u32,
    base: Duration,
    cap: Duration,
}

impl Backoff {
    pub(crate) fn new(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { rng: SmallRng::seed_from_u64(seed), attempt: 0, base, cap }
    }

    /// The next delay, at most `min(cap, base × 2^attempts)`.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let bound = self.bound(self.attempt);
        self.attempt = self.attempt.saturating_add(1);
        self.rng.random_range(Duration::ZERO..=bound)
    }

    /// A delay for an attempt counted elsewhere, such as that of one request.
    pub(crate) fn delay_for(&mut self, attempt: u32) -> Duration {
        let bound = self.bound(attempt);
        self.rng.random_range(Duration::ZERO..=bound)
    }

    /// Starts over after a success.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }

    fn bound(&self, attempt: u32) -> Duration {
        self.base.saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_are_spread() {
        let (base, cap) = (Duration::from_millis(100), Duration::from_secs(5));
        let delays = |seed| {
            let mut backoff = Backoff::new(base, cap, seed);
            (0..40).map(|_| backoff.next_delay()).collect::<Vec<_>>()
        };
        assert_eq!(delays(7), delays(7), "the same seed gives the same delays");
        assert_ne!(delays(7), delays(8));
        for (attempt, delay) in delays(7).into_iter().enumerate() {
            let bound = base.saturating_mul(1u32.checked_shl(attempt as u32).unwrap_or(u32::MAX)).min(cap);
            assert!(delay <= bound, "attempt {attempt}: {delay:?} > {bound:?}");
        }
        assert!(delays(7).into_iter().max().is_some_and(|longest| longest > cap / 2));
    }

    #[test]
    fn reset_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60), 1);
        for _ in 0..12 {
            backoff.next_delay();
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(100));
    }
}
