//! Where the tasks of a run count and time, and from where each second's [`Tick`] is taken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::latency::Recorder;
use super::tick::Tick;

/// Errors told apart; further ones count as "other errors".
const MAX_ERRORS: usize = 20;

/// Everything that is measured in one process, by the names in [`names`](super::names). Handles are asked for once and kept.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    timings: Mutex<BTreeMap<String, Arc<Recorder>>>,
    counts: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicI64>>>,
    errors: Mutex<BTreeMap<String, u64>>,
    figures: Mutex<BTreeMap<String, f64>>,
}

impl Meters {
    pub(crate) fn timing(&self, name: &str) -> Arc<Recorder> {
        Arc::clone(self.timings.lock().entry(name.to_owned()).or_default())
    }

    pub(crate) fn count(&self, name: &str) -> Arc<AtomicU64> {
        Arc::clone(self.counts.lock().entry(name.to_owned()).or_default())
    }

    pub(crate) fn gauge(&self, name: &str) -> Arc<AtomicI64> {
        Arc::clone(self.gauges.lock().entry(name.to_owned()).or_default())
    }

    /// Enters an error, in words for people.
    pub(crate) fn error(&self, error: &impl ToString) {
        let mut errors = self.errors.lock();
        let text = error.to_string();
        let text = if errors.len() < MAX_ERRORS || errors.contains_key(&text) { text } else { "other errors".into() };
        *errors.entry(text).or_default() += 1;
    }

    /// Enters a number that only this scenario has. Those of several processes are added up.
    pub(crate) fn figure(&self, name: &str, value: f64) {
        self.figures.lock().insert(name.to_owned(), value);
    }

    /// What happened since the last tick.
    pub(crate) fn tick(&self, second: u32) -> Tick {
        let counts = self.counts.lock();
        Tick {
            second,
            span: 1,
            counts: counts.iter().map(|(name, count)| (name.clone(), count.swap(0, Ordering::Relaxed))).collect(),
            gauges: (self.gauges.lock().iter())
                .map(|(name, level)| (name.clone(), level.load(Ordering::Relaxed)))
                .collect(),
            timings: self.timings.lock().iter().map(|(name, times)| (name.clone(), times.take())).collect(),
            generator: super::process::own(),
            servers: Vec::new(),
            metrics: BTreeMap::new(),
        }
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().clone()
    }

    pub(crate) fn figures(&self) -> BTreeMap<String, f64> {
        self.figures.lock().clone()
    }
}
