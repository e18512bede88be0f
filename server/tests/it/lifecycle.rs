//! Signals, certificates, a second server, a disk that fails: how a process lives and ends.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::device::{Device, TRANSPORTS};
use crate::harness::http::AppServer;
use crate::harness::{Role, Site};
use linnet_sdk::{Network, Trust};
use rustix::process::Signal;

const WAIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_keeps_what_was_acked_and_clients_come_back() {
    let site = Site::new();
    let server = site.start_with(Role::Serve, &["--set", "gateway.reconnect_spread=200ms"]);
    let network = Network::new(&Trust::Authorities(site.certificate())).expect("the server's certificate");
    let mut devices = Vec::new();
    for (uid, transport) in ["ann", "ben", "cleo"].into_iter().zip(TRANSPORTS) {
        site.run(&["user", "create", uid]);
        let token = site.run(&["user", "token", uid]);
        devices.push(Device::connect(server.gateway(), &network, token.trim(), transport).await);
    }
    let sent = devices[0].client.send_text("ben", "before").await.expect("acked");
    let ports = server.same_ports();
    let status = tokio::task::block_in_place(|| server.terminate());
    assert!(status.success(), "{status}");

    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    let server = tokio::task::block_in_place(|| site.start_with(Role::Serve, &ports));
    let again = devices[0].client.send_text("ben", "after").await.expect("acked");
    assert_eq!(again.seq, sent.seq + 1);
    let seen = devices[1].until(sent.conversation, again.seq).await;
    assert_eq!(seen.iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>(), ["before", "after"]);
    for device in &devices {
        device.client.me().await.expect("everybody is back");
        device.client.presence(&[]).await.expect("and is served");
        assert_eq!(device.notebook().violations, Vec::<String>::new());
    }
    assert!(tokio::task::block_in_place(|| server.terminate()).success());
}

#[test]
fn readiness_fails_before_connections_do() {
    let site = Site::new();
    let server = site.start_with(Role::Serve, &["--set", "shutdown.notice=1s"]);
    let app = AppServer::new(server.url(""));
    assert_eq!(app.get("/readyz", &[]).status, 200);
    assert_eq!(app.get("/healthz", &[]).status, 200);
    assert!(app.get("/metrics", &[]).text.contains("linnet_"), "metrics are shown");
    server.signal(Signal::TERM);
    let deadline = Instant::now() + Duration::from_millis(900);
    while app.get("/readyz", &[]).status != 503 {
        assert!(Instant::now() < deadline, "/readyz did not fail while connections were still taken");
    }
    assert_eq!(app.get("/healthz", &[]).status, 200, "the process is alive all the while");
    assert!(server.terminate().success());
}

#[test]
fn a_gateway_alone_shows_its_metrics_where_it_is_told_to() {
    let site = Site::new();
    let server = site.start_with(Role::Gateway, &["--set", "metrics.listen=127.0.0.1:0"]);
    let log = server.log();
    let url =
        log.lines().find_map(|line| line.trim().strip_prefix("metrics  ")).expect("its address is told").to_owned();
    let app = AppServer::new(url.trim_end_matches("/metrics"));
    assert!(app.get("/metrics", &[]).text.contains("linnet_"));
    assert_eq!(app.get("/readyz", &[]).status, 200);
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_shows_the_new_certificate() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    site.run(&["user", "create", "ann"]);
    let token = site.run(&["user", "token", "ann"]);
    let old = site.certificate();
    std::fs::remove_dir_all(site.path().join("data/tls")).expect("the old certificate");
    std::fs::write(
        site.path().join("linnet.toml"),
        "[log]\nfilter = \"debug\"\n[rest]\nmax_headers = 65\n[gateway.sends]\nper_second = 1\nburst = 2\n",
    )
    .expect("a file");
    server.signal(Signal::HUP);
    let deadline = Instant::now() + WAIT;
    while !server.log().contains("are reloaded") {
        assert!(Instant::now() < deadline, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = server.log();
    assert!(log.contains("log.filter"), "{log}");
    assert!(log.contains("need a restart") && log.contains("rest.max_headers"), "{log}");
    let new = site.certificate();
    assert_ne!(old, new, "another certificate was made");
    let network = Network::new(&Trust::Authorities(new)).expect("the new certificate");
    for transport in &TRANSPORTS[1..] {
        let device = Device::connect(server.gateway(), &network, token.trim(), *transport).await;
        device.client.close().await;
    }

    // So are the limits: of four messages at once, two have to wait.
    let device = Device::connect(server.gateway(), &network, token.trim(), TRANSPORTS[0]).await;
    let start = Instant::now();
    for _ in 0..4 {
        device.client.send_text("ann", "again").await.expect("acked in the end");
    }
    assert!(start.elapsed() > Duration::from_millis(900), "four messages took {:?}", start.elapsed());

    // A configuration that is wrong changes nothing.
    std::fs::write(site.path().join("linnet.toml"), "[log]\nfliter = \"debug\"\n").expect("a file");
    server.signal(Signal::HUP);
    while !server.log().contains("is not reloaded") {
        assert!(Instant::now() < deadline, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(tokio::task::block_in_place(|| server.terminate()).success());
}

#[test]
fn the_rest_service_may_be_there_before_the_gateway() {
    let site = Site::new();
    let rest = site.start(Role::Rest);
    let app = AppServer::new(rest.url(""));
    assert_eq!(app.get("/healthz", &[]).status, 200);
    assert_eq!(app.get("/readyz", &[]).status, 503);
    let gateway = site.start(Role::Gateway);
    let deadline = Instant::now() + WAIT;
    while app.get("/readyz", &[]).status != 200 {
        assert!(Instant::now() < deadline, "it did not find the gateway");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(rest.terminate().success() && gateway.terminate().success());
}

#[test]
fn a_second_server_over_the_same_data_is_refused() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let any = "127.0.0.1:0";
    let second = site.output(&["serve", "--tcp", any, "--tls", any, "--quic", any, "--rest", any]);
    let complaint = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && complaint.contains("cannot open the store"), "{complaint}");
    assert!(server.terminate().success());
}

#[test]
fn a_failed_sync_ends_the_process_and_loses_nothing_acked() {
    let site = Site::new();
    site.run(&["app", "create", "--id", "demo"]);
    site.run(&["user", "create", "before"]);
    let any = "127.0.0.1:0";
    let mut strace = std::process::Command::new("strace");
    strace.current_dir(site.path()).args(["-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]);
    strace.args(["-e", "inject=fdatasync:error=EIO:when=30+"]).arg(env!("CARGO_BIN_EXE_linnet"));
    strace.args(["serve", "--tcp", any, "--tls", any, "--quic", any, "--rest", any, "--ready-file", "ready"]);
    let log = std::fs::File::create(site.path().join("strace.log")).expect("a file");
    let mut server = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("strace starts");
    let deadline = Instant::now() + WAIT;
    while !site.path().join("ready").exists() {
        assert!(Instant::now() < deadline && server.try_wait().expect("asked").is_none(), "the server did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut acked = Vec::new();
    let mut refused = 0;
    for number in 0..60 {
        let uid = format!("user-{number}");
        if site.output(&["user", "create", &uid]).status.success() {
            assert_eq!(refused, 0, "nothing is acked after the first failed sync");
            acked.push(uid);
        } else {
            refused += 1;
            break;
        }
    }
    let status = server.wait().expect("it ends by itself");
    assert!(!status.success(), "{status}");
    let log = std::fs::read_to_string(site.path().join("strace.log")).expect("the log");
    assert!(log.contains("the store has failed"), "{log}");
    assert!(refused > 0 && !acked.is_empty(), "{} acked, {refused} refused", acked.len());
    for uid in acked.iter().map(String::as_str).chain(["before"]) {
        site.run(&["user", "token", uid]);
    }
}
