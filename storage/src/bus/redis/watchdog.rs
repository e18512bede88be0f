//! Whether this process still hears: it publishes to itself, and listens.

use std::time::Duration;

use tokio::time::Instant;

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Due {
    /// Publish to oneself.
    pub(super) beat: bool,
    /// Subscribe again: what there is does not work.
    pub(super) subscribe: bool,
    /// Tell the subscribers that they may have missed something.
    pub(super) lag: bool,
}

/// Says when to publish to oneself, and what to do when nothing is heard of it.
#[derive(Debug)]
pub(super) struct Watchdog {
    heartbeat: Duration,
    silence: Duration,
    catch_up: Duration,
    heard: Instant,
    beat: Instant,
    subscribe: Instant,
    lag: Instant,
    deaf: bool,
    /// The subscription is new: something may have passed before it.
    fresh: bool,
}

impl Watchdog {
    /// Begins deaf: nothing has been heard yet.
    pub(super) fn new(heartbeat: Duration, silence: Duration, catch_up: Duration, now: Instant) -> Self {
        let subscribe = now + silence;
        Self {
            heartbeat,
            silence,
            catch_up,
            heard: now,
            beat: now,
            subscribe,
            lag: now + catch_up,
            deaf: true,
            fresh: true,
        }
    }

    /// Heard oneself. True if that ends a time in which something may have been missed.
    pub(super) fn heard(&mut self, now: Instant) -> bool {
        self.heard = now;
        let (deaf, fresh) = (std::mem::take(&mut self.deaf), std::mem::take(&mut self.fresh));
        deaf || fresh
    }

    /// There is a new subscription, which gets the time that the first one had, and is tried at once.
    pub(super) fn subscribed(&mut self, now: Instant) {
        self.subscribe = now + self.silence;
        self.beat = now;
        self.fresh = true;
    }

    /// What is due by now.
    pub(super) fn poll(&mut self, now: Instant) -> Due {
        let mut due = Due { beat: now >= self.beat, ..Due::default() };
        if due.beat {
            self.beat = now + self.heartbeat;
        }
        if !self.deaf && now >= self.heard + self.silence {
            self.deaf = true;
            self.subscribe = now;
            self.lag = now;
        }
        if self.deaf && now >= self.subscribe {
            due.subscribe = true;
            self.subscribe = now + self.silence;
        }
        if self.deaf && now >= self.lag {
            due.lag = true;
            self.lag = now + self.catch_up;
        }
        due
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Instant {
        let alarm = if self.deaf { self.subscribe.min(self.lag) } else { self.heard + self.silence };
        self.beat.min(alarm)
    }

    /// Whether this process hears.
    pub(super) fn hears(&self) -> bool {
        !self.deaf
    }

    /// How long ago this process heard itself.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now - self.heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs a watchdog from `from` to `to` seconds and returns when it subscribed again and when it told of a lag, in milliseconds.
    fn run(watchdog: &mut Watchdog, start: Instant, from: u64, to: u64, hears: bool) -> (Vec<u128>, Vec<u128>) {
        let (mut subscribed, mut lagged) = (Vec::new(), Vec::new());
        let mut now = start + SECOND * u32::try_from(from).unwrap();
        while now < start + SECOND * u32::try_from(to).unwrap() {
            let due = watchdog.poll(now);
            let at = (now - start).as_millis();
            if due.beat && hears && watchdog.heard(now) {
                lagged.push(at);
            }
            if due.subscribe {
                watchdog.subscribed(now);
                subscribed.push(at);
            }
            if due.lag {
                lagged.push(at);
            }
            // A new subscription is tried at once.
            assert!(watchdog.next() > now || due.subscribe);
            now = watchdog.next();
        }
        (subscribed, lagged)
    }

    fn watchdog(now: Instant) -> Watchdog {
        Watchdog::new(SECOND, SECOND * 5 / 2, 5 * SECOND, now)
    }

    #[test]
    fn who_hears_itself_is_left_alone() {
        let start = Instant::now();
        let mut watchdog = watchdog(start);
        assert!(!watchdog.hears());
        // The first time counts as the end of a silence.
        assert_eq!(run(&mut watchdog, start, 0, 60, true), (vec![], vec![0]));
        assert!(watchdog.hears());
    }

    #[test]
    fn silence_is_noticed_and_told_again_and_again() {
        let start = Instant::now();
        let mut watchdog = watchdog(start);
        run(&mut watchdog, start, 0, 10, true);
        let (subscribed, lagged) = run(&mut watchdog, start, 10, 30, false);
        // The last heartbeat was heard at 9 s.
        assert_eq!(subscribed[..3], [11_500, 14_000, 16_500]);
        assert_eq!(lagged, [11_500, 16_500, 21_500, 26_500]);
        assert!(!watchdog.hears());
        let (_, lagged) = run(&mut watchdog, start, 30, 40, true);
        assert_eq!(lagged.len(), 1);
        assert!(watchdog.hears());
    }

    #[test]
    fn a_new_subscription_may_have_missed_something_before() {
        let start = Instant::now();
        let mut watchdog = watchdog(start);
        run(&mut watchdog, start, 0, 10, true);
        let now = start + 10 * SECOND;
        watchdog.subscribed(now);
        assert!(watchdog.hears() && watchdog.poll(now).beat);
        assert!(watchdog.heard(now));
        assert!(!watchdog.heard(now + SECOND));
    }

    #[test]
    fn who_never_hears_anything_synchronises_all_the_same() {
        let start = Instant::now();
        let (subscribed, lagged) = run(&mut watchdog(start), start, 0, 16, false);
        assert_eq!(subscribed[0], 2_500);
        assert_eq!(lagged, [5_000, 10_000, 15_000]);
    }
}
