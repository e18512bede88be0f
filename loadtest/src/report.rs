//! What a run tells, as text or as JSON.

use serde::Serialize;

use crate::process::Sample;

/// How a report is told.
pub(crate) trait Report: Serialize + std::fmt::Display {
    /// As one JSON object, or as text.
    fn render(&self, json: bool) -> anyhow::Result<String> {
        Ok(if json { serde_json::to_string(self)? } else { self.to_string() })
    }
}

/// What a stretch of work cost a process.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Cost {
    /// Resident memory before, bytes.
    pub(crate) rss_before: u64,
    /// Resident memory after, bytes.
    pub(crate) rss_after: u64,
    /// Processor time, microseconds.
    pub(crate) cpu_us: u64,
}

impl Cost {
    pub(crate) fn between(before: Sample, after: Sample) -> Self {
        let cpu_us = u64::try_from(after.cpu.saturating_sub(before.cpu).as_micros()).unwrap_or(u64::MAX);
        Self { rss_before: before.rss, rss_after: after.rss, cpu_us }
    }

    /// Memory added, bytes, shared among `count`.
    pub(crate) fn bytes_per(&self, count: usize) -> f64 {
        (self.rss_after as f64 - self.rss_before as f64) / count.max(1) as f64
    }

    /// Processor time, microseconds, shared among `count`.
    pub(crate) fn cpu_us_per(&self, count: u64) -> f64 {
        self.cpu_us as f64 / count.max(1) as f64
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        write!(
            out,
            "memory {:.1} -> {:.1} MiB, processor {:.2} s",
            mib(self.rss_before),
            mib(self.rss_after),
            self.cpu_us as f64 / 1e6
        )
    }
}
