//! How fast each user writes, in this process.
//!
//! A pace is one number, the time until which a user has used up what is allowed: each message moves it on by its share of the span.
//! Who wrote nothing for a span has used up nothing, and need not be remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use proto::store;
use storage::Millis;

use super::SendLimit;
use crate::error::{Error, Result};
use crate::ids::{AppNumber, UserId};

/// The limit that rules set, if they set one.
pub(super) fn limit_of(rules: &store::Rules) -> Option<SendLimit> {
    let span = u64::try_from(rules.sends_span_ms).ok().filter(|span| *span > 0)?;
    (rules.sends > 0).then_some(SendLimit { messages: rules.sends, span: Duration::from_millis(span) })
}

/// The paces of users who wrote lately.
#[derive(Debug)]
pub(super) struct Paces(moka::sync::Cache<(AppNumber, UserId), Arc<AtomicI64>>);

impl Paces {
    /// Remembers this many users; with more, those who wrote longest ago begin anew.
    pub(super) fn new(users: u64) -> Self {
        Self(moka::sync::Cache::new(users))
    }

    /// Takes one message's share.
    ///
    /// # Errors
    /// `Limited`, and then nothing is taken.
    pub(super) fn take(&self, now: Millis, app: AppNumber, user: UserId, limit: SendLimit) -> Result<()> {
        // In microseconds, or a thousand messages a second could not be told from more.
        let (now, span) = (now.0.saturating_mul(1_000), i64::try_from(limit.span.as_micros()).unwrap_or(i64::MAX));
        let share = (span / i64::from(limit.messages.max(1))).max(1);
        let pace = self.0.get_with((app, user), || Arc::new(AtomicI64::new(0)));
        let moved = pace.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            let next = used.max(now) + share;
            (next - now <= span).then_some(next)
        });
        match moved {
            Ok(_) => Ok(()),
            Err(used) => {
                let wait = u64::try_from(used + share - span - now).unwrap_or_default();
                Err(Error::Limited { retry_after: Duration::from_micros(wait).max(Duration::from_millis(1)) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let paces = Paces::new(10);
        let limit = SendLimit { messages: 5, span: Duration::from_secs(10) };
        let take = |at: i64, user: u64| paces.take(Millis(at), AppNumber(1), UserId(user), limit);
        for _ in 0..5 {
            take(1_000_000, 1).unwrap();
        }
        let Err(Error::Limited { retry_after }) = take(1_000_000, 1) else { panic!("the sixth passed") };
        assert_eq!(retry_after, Duration::from_secs(2));
        take(1_000_000, 2).unwrap();
        take(1_001_999, 1).unwrap_err();
        take(1_002_000, 1).unwrap();
        take(1_002_000, 1).unwrap_err();
        for _ in 0..5 {
            take(1_100_000, 1).unwrap();
        }
        take(1_100_000, 1).unwrap_err();
    }
}
