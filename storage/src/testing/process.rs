//! One server process, and who sees to it that none is left behind.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{ClusterOptions, resp};

pub(super) const HOST: &str = "127.0.0.1";
/// How long a server may take to answer its first PING, reading its data included.
const START: Duration = Duration::from_secs(30);

/// A server, running or not, with the ports and the directory that stay its own.
#[derive(Debug)]
pub(super) struct Process {
    directory: PathBuf,
    /// Where its connections to other servers come from: by that a firewall tells them from clients.
    source: Ipv4Addr,
    port: u16,
    bus: u16,
    child: Option<Child>,
}

impl Process {
    /// A new server in a new directory below `parent`.
    pub(super) fn start(
        options: &ClusterOptions,
        parent: &Path,
        number: usize,
        undertaker: &Undertaker,
    ) -> Result<Self, String> {
        let directory = parent.join(number.to_string());
        let [_, _, high, low] = u32::try_from(number + 1).map_err(|_| "too many servers")?.to_be_bytes();
        let source = Ipv4Addr::new(127, 1, high, low);
        std::fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        // Somebody else may take a port between the look and the start; then others are tried.
        let mut outcome = Err(String::new());
        for _ in 0..5 {
            let (port, bus) = (free_port()?, free_port()?);
            let mut process = Self { directory: directory.clone(), source, port, bus, child: None };
            outcome = process.spawn(options, undertaker).map(|()| process);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Starts the server on the data that it has, and waits until it answers.
    pub(super) fn spawn(&mut self, options: &ClusterOptions, undertaker: &Undertaker) -> Result<(), String> {
        let timeout = options.node_timeout.as_millis().to_string();
        let (port, bus) = (self.port.to_string(), self.bus.to_string());
        let directory = self.directory.to_string_lossy().into_owned();
        let source = self.source.to_string();
        let mut settings = vec![
            ("port", port.as_str()),
            ("bind", HOST),
            ("bind-source-addr", &source),
            // Takes every other loopback address than 127.0.0.1 for a stranger's.
            ("protected-mode", "no"),
            ("cluster-announce-ip", HOST),
            ("dir", &directory),
            ("logfile", "log"),
            ("save", ""),
            ("cluster-enabled", "yes"),
            ("cluster-port", &bus),
            ("cluster-node-timeout", &timeout),
            ("cluster-allow-replica-migration", "no"),
            // The other shards go on while one is down.
            ("cluster-require-full-coverage", "no"),
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("maxmemory-policy", "noeviction"),
            // A test does not wait for more replicas to join a transfer.
            ("repl-diskless-sync-delay", "0"),
            ("repl-ping-replica-period", "1"),
        ];
        settings.extend(options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut command = Command::new(&options.server);
        for (name, value) in settings {
            command.arg(format!("--{name}")).arg(value);
        }
        // A group of its own, so that an interrupt at the terminal reaches the test alone.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| {
            format!("cannot start {}: {error}; `scripts/setup.sh test` installs it", options.server.display())
        })?;
        undertaker.watch(child.id());
        self.child = Some(child);
        let deadline = Instant::now() + START;
        while resp::ask(&self.address(), &["PING"]).is_err() {
            if !self.is_up() || Instant::now() > deadline {
                self.kill();
                let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                let last = log.lines().next_back().unwrap_or("no log");
                return Err(format!("the server on port {} did not come up: {last}", self.port));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(super) fn address(&self) -> String {
        format!("{HOST}:{}", self.port)
    }

    /// For clients, and for the other nodes.
    pub(super) fn ports(&self) -> (u16, u16) {
        (self.port, self.bus)
    }

    pub(super) fn source(&self) -> Ipv4Addr {
        self.source
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    pub(super) fn is_up(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(super) fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            let _ = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A shell that outlives the test, however that ends, and kills the servers that it left.
///
/// It knows them by their working directory, since a number may be another's by then.
#[derive(Debug)]
pub(super) struct Undertaker {
    pids: Mutex<ChildStdin>,
}

const UNDERTAKER: &str = r#"
    trap '' INT TERM HUP
    pids=
    while read -r pid; do pids="$pids $pid"; done
    for pid in $pids; do
        case "$(readlink "/proc/$pid/cwd")" in "$1"/*) kill -9 "$pid" ;; esac
    done
    rm -rf "$1"
"#;

impl Undertaker {
    pub(super) fn start(directory: &Path) -> Result<Self, String> {
        let mut child = Command::new("sh")
            .args(["-c", UNDERTAKER, "sh"])
            .arg(directory)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("no shell: {error}"))?;
        let pids = child.stdin.take().ok_or("a shell without an input")?;
        Ok(Self { pids: Mutex::new(pids) })
    }

    fn watch(&self, pid: u32) {
        let _ = writeln!(self.pids.lock(), "{pid}");
    }
}

/// A port that nobody listens on.
///
/// Below those that the system gives to outgoing connections, or one of these could take a killed server's port before it is started again.
fn free_port() -> Result<u16, String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_240;
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let end = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768).max(FIRST + 1_024);
    // Processes that run side by side begin in different places.
    let start = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(end - FIRST)).unwrap_or(0);
    for _ in FIRST..end {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (end - FIRST);
        let port = FIRST + offset;
        if TcpListener::bind((HOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".into())
}
