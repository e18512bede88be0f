//! Where a run took place. Numbers mean little without.

use serde::{Deserialize, Serialize};

/// The option whose value no report may hold.
const SECRET: &str = "--app-secret";

/// The generator's machine, which on one machine is the server's too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Threads that the generator works with, at most one per core.
    pub generator_cores: usize,
    /// Memory of the machine, bytes.
    pub memory: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// Name of the system.
    pub system: String,
    /// Commit of the server or of both, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The command line.
    pub command: Vec<String>,
}

impl Environment {
    /// This machine, now. Within a runtime it knows how many threads that has.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // The clock of the open model has a thread of its own.
        let threads =
            tokio::runtime::Handle::try_current().map_or(cores, |runtime| runtime.metrics().num_workers() + 1);
        let system = read("/etc/os-release");
        let cpuinfo = read("/proc/cpuinfo");
        Self {
            cpu: field(&cpuinfo, "model name", ':').unwrap_or(std::env::consts::ARCH).to_owned(),
            cores,
            generator_cores: threads.min(cores),
            memory: meminfo("MemTotal").unwrap_or_default(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            system: field(&system, "PRETTY_NAME", '=').unwrap_or(std::env::consts::OS).trim_matches('"').to_owned(),
            commit: None,
            command: command(std::env::args().collect()),
        }
    }
}

/// The command line; the program by its name alone, for where it lies tells nobody anything, and without the secret.
fn command(mut words: Vec<String>) -> Vec<String> {
    if let Some(program) = words.first_mut() {
        *program = program.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let mut follows = false;
    for word in &mut words {
        if std::mem::replace(&mut follows, word == SECRET) {
            "…".clone_into(word);
        } else if word.strip_prefix(SECRET).is_some_and(|rest| rest.starts_with('=')) {
            *word = format!("{SECRET}=…");
        }
    }
    words
}

/// A line of `/proc/meminfo`, in bytes.
pub(crate) fn meminfo(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes: u64 = field(&text, name, ':')?.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The first line of this name, without it.
fn field<'a>(text: &'a str, name: &str, between: char) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(between)?;
        (key.trim() == name).then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_described() {
        let here = Environment::here();
        assert!(here.cores >= 1 && here.generator_cores >= 1 && here.generator_cores <= here.cores);
        assert!(here.memory > 1 << 20 && !here.kernel.is_empty() && !here.cpu.is_empty());
    }

    #[test]
    fn a_command_is_told_without_its_secret() {
        let told = |line: &str| command(line.split(' ').map(str::to_owned).collect()).join(" ");
        assert_eq!(told("/usr/bin/lt rest --app-secret s3cret --app x"), "lt rest --app-secret … --app x");
        assert_eq!(told("lt rest --app-secret=s3cret"), "lt rest --app-secret=…");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(field("model\t: 17\nmodel name\t: Fast One\n", "model name", ':'), Some("Fast One"));
        assert_eq!(field("ID=x\n", "NAME", '='), None);
    }
}
