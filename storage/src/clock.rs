//! Time, as an input.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Unix time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// This time, that much later; stays at the end of time rather than wrapping.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// The one place that time comes from, so that tests can turn it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until it is set.
    #[must_use]
    pub fn manual(now: Millis) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.0))))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Millis {
        match &self.0 {
            Some(time) => Millis(time.load(Ordering::Relaxed)),
            None => {
                #[expect(clippy::disallowed_methods, reason = "this is the clock")]
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Sets a manual clock; the machine's own cannot be set.
    pub fn set(&self, now: Millis) {
        if let Some(time) = &self.0 {
            time.store(now.0, Ordering::Relaxed);
        }
    }
}
