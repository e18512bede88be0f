//! Starts the real binary over a folder of its own, waits until it listens, and ends it gently or not.

pub(crate) mod cluster;
pub(crate) mod device;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod town;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;

/// Long enough for a busy two-core machine.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(35);

/// A data folder, and what runs over it.
pub(crate) struct Site {
    folder: TempDir,
}

/// What a process of the binary does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Serve,
    Gateway,
    Rest,
}

/// Where a server listens, as its ready file tells.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ready {
    pub(crate) gateway: Option<Gateway>,
    pub(crate) rest: Option<SocketAddr>,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) pid: u32,
}

/// Where the gateway listens.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Gateway {
    pub(crate) tcp: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) quic: SocketAddr,
}

/// A running process; killed when dropped.
pub(crate) struct Server {
    role: Role,
    child: Child,
    pub(crate) ready: Ready,
    log: PathBuf,
}

/// The binary under test; `LINNET` names another, such as one that stays while this one is built anew.
pub(crate) fn linnet() -> PathBuf {
    std::env::var_os("LINNET").map_or_else(|| env!("CARGO_BIN_EXE_linnet").into(), PathBuf::from)
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("linnet-e2e-").tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate that the gateway made for itself.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        std::fs::read(self.path().join("data/tls/certificate.pem")).expect("the self-signed certificate")
    }

    /// A command over this folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.complete(Command::new(linnet()), arguments)
    }

    fn complete(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.current_dir(self.path()).args(arguments).env_remove("LINNET_TOKEN").stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LINNET__")) {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command to its end; it has to succeed. Answers what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "linnet {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is text")
    }

    /// Runs a command to its end, however it ends.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// Starts a server on ports that are free, and waits until all listen.
    pub(crate) fn start(&self, role: Role) -> Server {
        self.start_with(role, &[])
    }

    /// As [`Self::start`], with further arguments.
    pub(crate) fn start_with(&self, role: Role, arguments: &[&str]) -> Server {
        self.start_by(Command::new(linnet()), role, arguments)
    }

    /// Starts a server for both roles whose system calls strace meddles with. See [`can_trace`].
    pub(crate) fn start_traced(&self, inject: &str, arguments: &[&str]) -> Server {
        let mut strace = Command::new("strace");
        // As a daemon, strace leaves its child's place to the server, whom signals are for.
        strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", "trace=fdatasync", "-e", inject]);
        strace.arg(linnet());
        self.start_by(strace, Role::Serve, arguments)
    }

    fn start_by(&self, command: Command, role: Role, arguments: &[&str]) -> Server {
        let any: &[(&str, &str)] = match role {
            Role::Serve => &[("--tcp", ANY), ("--tls", ANY), ("--quic", ANY), ("--rest", ANY)],
            Role::Gateway => &[("--tcp", ANY), ("--tls", ANY), ("--quic", ANY)],
            Role::Rest => &[("--rest", ANY)],
        };
        let free = any.iter().filter(|(flag, _)| !arguments.contains(flag));
        let mut all: Vec<&str> = vec![role.name()];
        all.extend(free.flat_map(|(flag, address)| [*flag, *address]));
        all.extend(arguments);
        let ready_file = self.path().join(format!("{}.ready", role.name()));
        let _ = std::fs::remove_file(&ready_file);
        let log = self.path().join(format!("{}.log", role.name()));
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let mut command = self.complete(command, &all);
        command.arg("--ready-file").arg(&ready_file);
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        let mut child = command.spawn().expect("the binary starts");
        let ready = wait_until_ready(&mut child, &ready_file, &log);
        assert_eq!(ready.pid, child.id());
        Server { role, child, ready, log }
    }
}

const ANY: &str = "127.0.0.1:0";

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Gateway => "gateway",
            Self::Rest => "rest",
        }
    }
}

impl Server {
    /// Where the gateway listens.
    pub(crate) fn gateway(&self) -> &Gateway {
        self.ready.gateway.as_ref().expect("this process has a gateway")
    }

    /// A URL of the REST service.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ready.rest.expect("this process has a REST service"))
    }

    /// Arguments that start the same server on the same ports again.
    pub(crate) fn same_ports(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(gateway) = &self.ready.gateway {
            for (flag, address) in [("--tcp", gateway.tcp), ("--tls", gateway.tls), ("--quic", gateway.quic)] {
                arguments.extend([flag.to_owned(), address.to_string()]);
            }
        }
        if let Some(rest) = self.ready.rest {
            arguments.extend(["--rest".to_owned(), rest.to_string()]);
        }
        arguments
    }

    /// Ends it as a loss of power would end it for the process: at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("the process ends");
    }

    /// Waits until somebody else has killed it.
    pub(crate) fn wait_until_dead(&mut self) {
        self.child.wait().expect("the process ends");
    }

    /// Kills it and starts it again on the same ports, with these arguments besides.
    pub(crate) fn kill_and_restart(&mut self, site: &Site, arguments: &[&str]) {
        self.kill();
        self.restart(site, arguments);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id")).expect("a process id");
        kill_process(pid, signal).expect("the process is there");
    }

    /// Asks it to stop, waits until it has, and starts it again on the same ports, with these arguments besides.
    pub(crate) fn terminate_and_restart(&mut self, site: &Site, arguments: &[&str]) -> ExitStatus {
        let status = self.end();
        self.restart(site, arguments);
        status
    }

    fn restart(&mut self, site: &Site, arguments: &[&str]) {
        let ports = self.same_ports();
        let all: Vec<&str> = ports.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        *self = site.start_with(self.role, &all);
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.end()
    }

    fn end(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + STOP;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running long after SIGTERM:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything it printed, over all its starts.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of `linnet {}` ---\n{}", self.role.name(), tail(&self.log()));
        }
    }
}

/// Whether processes can be traced here; says so if not.
pub(crate) fn can_trace(test: &str) -> bool {
    let traced = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).stderr(Stdio::null()).status();
    let can = traced.is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIPPED {test}: strace is missing or not permitted");
    }
    can
}

fn wait_until_ready(child: &mut Child, ready_file: &Path, log: &Path) -> Ready {
    let deadline = Instant::now() + START;
    loop {
        if let Ok(text) = std::fs::read_to_string(ready_file) {
            return serde_json::from_str(&text).expect("the ready file is written in one piece");
        }
        let ended = child.try_wait().expect("the process can be asked");
        if ended.is_some() || Instant::now() > deadline {
            let _ = child.kill();
            panic!("the server did not get ready ({ended:?}):\n{}", std::fs::read_to_string(log).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}
