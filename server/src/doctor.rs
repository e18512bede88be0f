//! `linnet doctor`: whether this machine and this configuration will do.
//!
//! Each check says what it found, and what to do where that is not good enough.

mod cluster;

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};

use crate::admin::is_running;
use crate::config::{Config, Engine};
use crate::running::Running;

/// Below this many descriptors, a gateway runs out before its memory does.
const FEW_DESCRIPTORS: u64 = 65_536;
/// Fewer would not even carry the server itself with a load test beside it.
const TOO_FEW_DESCRIPTORS: u64 = 1_024;
/// A sync slower than this is felt by everybody who sends.
const SLOW_SYNC: Duration = Duration::from_millis(10);
const SYNCS: usize = 100;
/// Free space below which a server had better not be started.
const LITTLE_SPACE: u64 = 2 << 30;
/// 2026-01-01: a clock before this was never set.
const EARLIEST: i64 = 1_767_225_600_000;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Doubtful,
    Bad,
}

#[derive(Debug)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    text: String,
}

/// Runs every check and prints what it found. True if nothing is bad.
pub(crate) fn run(config: &Config) -> bool {
    let running = is_running(config);
    let mut findings = vec![descriptors(), clock(), server(config, running)];
    match config.store.engine {
        Engine::Rocks => findings.extend(disk(config)),
        Engine::Redis => findings.extend(cluster::look(config)),
    }
    findings.push(certificate(config));
    if !running {
        findings.extend(ports(config));
    }
    for Finding { what, verdict, text } in &findings {
        let mark = match verdict {
            Verdict::Good => "ok  ",
            Verdict::Doubtful => "hmm ",
            Verdict::Bad => "BAD ",
        };
        println!("{mark} {what:<12} {text}");
    }
    findings.iter().all(|finding| finding.verdict != Verdict::Bad)
}

fn descriptors() -> Finding {
    let limit = getrlimit(Resource::Nofile);
    // The server raises the soft limit by itself; the hard one is the machine's.
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let (verdict, advice) = match hard {
        ..TOO_FEW_DESCRIPTORS => (Verdict::Bad, "; raise it: LimitNOFILE= in systemd, or /etc/security/limits.conf"),
        TOO_FEW_DESCRIPTORS..FEW_DESCRIPTORS => {
            (Verdict::Doubtful, "; each TCP and TLS client takes one: raise it for more of them")
        }
        _ => (Verdict::Good, ""),
    };
    Finding { what: "descriptors", verdict, text: format!("up to {hard} open files{advice}") }
}

fn clock() -> Finding {
    let now = storage::Clock::system().now().0;
    let (verdict, advice) = if now < EARLIEST {
        (Verdict::Bad, ": the clock is not set; tokens and retention depend on it")
    } else {
        (Verdict::Good, "")
    };
    Finding { what: "clock", verdict, text: format!("{}{advice}", crate::time::format(now)) }
}

fn server(config: &Config, running: bool) -> Finding {
    let text = match (running, Running::read(config)) {
        (true, Some(known)) => format!("runs as process {}", known.pid),
        (true, None) => format!("answers on {}", config.store.remote.socket.display()),
        (false, _) => format!("does not run over {}; its ports are checked below", config.data_dir.display()),
    };
    Finding { what: "server", verdict: Verdict::Good, text }
}

/// The data folder, or the nearest folder above it that exists: what is measured there holds below.
fn probe_folder(config: &Config) -> Result<PathBuf, Finding> {
    let wanted = std::path::absolute(&config.store.rocks.directory).unwrap_or_else(|_| config.data_dir.clone());
    let found = wanted.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned);
    found.ok_or_else(|| bad("disk", format!("no folder above {} exists", wanted.display())))
}

fn disk(config: &Config) -> Vec<Finding> {
    match probe_folder(config) {
        Ok(folder) => vec![space(&folder), sync_speed(&folder)],
        Err(finding) => vec![finding],
    }
}

fn space(folder: &Path) -> Finding {
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let (verdict, advice) = if free < LITTLE_SPACE {
                (Verdict::Bad, format!("; at least {} GiB should be", LITTLE_SPACE >> 30))
            } else {
                (Verdict::Good, String::new())
            };
            let text = format!("{:.1} GiB free at {}{advice}", free as f64 / f64::from(1 << 30), folder.display());
            Finding { what: "disk", verdict, text }
        }
        Err(error) => bad("disk", format!("cannot look at {}: {error}", folder.display())),
    }
}

fn sync_speed(folder: &Path) -> Finding {
    let path = folder.join(format!(".linnet-doctor-{}", std::process::id()));
    let measured = measure_sync(&path);
    let _ = std::fs::remove_file(&path);
    match measured {
        Ok((median, worst)) => {
            let (verdict, advice) = if median > SLOW_SYNC {
                (Verdict::Doubtful, ": every message waits for one; a faster disk helps most")
            } else {
                (Verdict::Good, "")
            };
            Finding {
                what: "fsync",
                verdict,
                text: format!("median {median:.2?}, worst of {SYNCS} {worst:.2?}{advice}"),
            }
        }
        Err(error) => bad("fsync", format!("cannot write in {}: {error}", folder.display())),
    }
}

fn measure_sync(path: &Path) -> std::io::Result<(Duration, Duration)> {
    let mut file = File::create(path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[0; 512])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok((times[SYNCS / 2], times[SYNCS - 1]))
}

fn certificate(config: &Config) -> Finding {
    if config.tls.certificate.as_os_str().is_empty() {
        let text =
            "none is configured: a self-signed one is used, which phones refuse; set tls.certificate and tls.key";
        return Finding { what: "certificate", verdict: Verdict::Doubtful, text: text.to_owned() };
    }
    match crate::tls::load(config) {
        Ok(identity) => Finding {
            what: "certificate",
            verdict: Verdict::Good,
            text: format!("{}, a chain of {}", config.tls.certificate.display(), identity.chain.len()),
        },
        Err(error) => bad("certificate", format!("{error:#}")),
    }
}

fn ports(config: &Config) -> Vec<Finding> {
    let gateway = &config.gateway;
    let tcp = |address: SocketAddr| TcpListener::bind(address).map(drop);
    let udp = |address: SocketAddr| UdpSocket::bind(address).map(drop);
    vec![
        port("tcp", gateway.tcp.enabled, &gateway.tcp.listen, tcp),
        port("tls", gateway.tls.enabled, &gateway.tls.listen, tcp),
        port("quic", gateway.quic.enabled, &gateway.quic.listen, udp),
        port("rest", true, &config.rest.listen, tcp),
    ]
}

fn port(what: &'static str, enabled: bool, listen: &str, bind: impl Fn(SocketAddr) -> std::io::Result<()>) -> Finding {
    if !enabled {
        return Finding { what, verdict: Verdict::Good, text: "switched off".to_owned() };
    }
    match listen.parse::<SocketAddr>().map_err(std::io::Error::other).and_then(bind) {
        Ok(()) => Finding { what, verdict: Verdict::Good, text: format!("{listen} is free") },
        Err(error) => bad(what, format!("{listen}: {error}")),
    }
}

fn bad(what: &'static str, text: String) -> Finding {
    Finding { what, verdict: Verdict::Bad, text }
}
