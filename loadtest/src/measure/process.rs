//! What a process costs, from `/proc`.

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Ticks of processor time a second. Linux tells user space 100, whatever the kernel uses itself.
const TICKS: u64 = 100;

/// Bytes a page, as `statm` and `sockstat` count.
pub(crate) fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// A process, or several added up, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Resident memory, bytes.
    pub rss: u64,
    /// Processor time so far, user and system, microseconds.
    pub cpu_us: u64,
    /// Threads.
    pub threads: u32,
    /// Open files, sockets among them; 0 where that may not be seen.
    pub files: u32,
}

impl Sample {
    /// Adds another process.
    pub fn add(&mut self, other: Self) {
        let Self { rss, cpu_us, threads, files } = other;
        self.rss = self.rss.saturating_add(rss);
        self.cpu_us = self.cpu_us.saturating_add(cpu_us);
        self.threads = self.threads.saturating_add(threads);
        self.files = self.files.saturating_add(files);
    }
}

impl std::iter::Sum for Sample {
    fn sum<I: Iterator<Item = Self>>(samples: I) -> Self {
        samples.fold(Self::default(), |mut sum, next| {
            sum.add(next);
            sum
        })
    }
}

/// Looks at this process.
pub(crate) fn own() -> Sample {
    sample(std::process::id()).unwrap_or_default()
}

/// Looks at a process. Fails when there is none of this id.
pub(crate) fn sample(pid: u32) -> anyhow::Result<Sample> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    let statm = read("statm")?;
    let pages: u64 = statm.split_whitespace().nth(1).context("statm is short")?.parse()?;
    let stat = read("stat")?;
    // The command's name, in parentheses, may hold anything; the fields after it are numbers.
    let fields: Vec<&str> = stat.rsplit_once(')').context("stat is short")?.1.split_whitespace().collect();
    let number = |at: usize| -> anyhow::Result<u64> { Ok(fields.get(at).context("stat is short")?.parse()?) };
    let cpu_us = (number(11)? + number(12)?) * 1_000_000 / TICKS;
    let threads = u32::try_from(number(17)?).unwrap_or(u32::MAX);
    Ok(Sample { rss: pages * page_size(), cpu_us, threads, files: files(pid) })
}

/// Since Linux 6.2 the size of the directory is their number; listing tens of thousands each second would be felt.
fn files(pid: u32) -> u32 {
    let known = std::fs::metadata(format!("/proc/{pid}/fd")).map_or(0, |directory| directory.len());
    u32::try_from(known).unwrap_or(u32::MAX)
}

/// Files that this process may have open. None when there is no limit.
pub(crate) fn file_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Lets this process open as many files as the system allows it.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // A refusal shows later, as connections that cannot be made.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_has_worked() {
        let before = sample(std::process::id()).unwrap();
        let ballast = vec![1u8; 32 << 20];
        let mut sum = 0u64;
        loop {
            sum += ballast.iter().map(|&byte| u64::from(byte)).sum::<u64>();
            if sample(std::process::id()).unwrap().cpu_us >= before.cpu_us + 20_000 {
                break;
            }
        }
        assert!(sum >= ballast.len() as u64);
        let after = sample(std::process::id()).unwrap();
        assert!(after.rss > before.rss + (16 << 20));
        assert!(after.threads >= 1);
        assert!(sample(u32::MAX).is_err());
    }
}
