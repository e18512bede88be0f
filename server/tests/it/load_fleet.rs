//! The load tester over several processes, and over an agent, against a real server. What it says and how it ends is what people see.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::harness::{Role, Server, Site};

/// The load tester's binary: built beside the server's.
fn binary() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_linnet")).with_file_name("linnet-loadtest");
    assert!(binary.exists(), "{} is missing: cargo build --package linnet-loadtest", binary.display());
    binary
}

fn loadtest(site: &Site, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(site.path()).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Arguments for a run between 8 users of this server.
fn peer(site: &Site, server: &Server) -> Vec<String> {
    site.run(&["user", "create", "--count", "8", "--credentials", "load.tsv"]);
    let address = server.gateway().tcp.to_string();
    ["--json", "peer", "--pairs", "4", "--credentials", "load.tsv", "--address", &address].map(str::to_owned).into()
}

fn outcome(output: &Output) -> serde_json::Value {
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said()))
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// Everything sent has arrived, and everybody took part.
fn check(outcome: &serde_json::Value, members: &[&str]) {
    assert_eq!(outcome["passed"], true, "{outcome}");
    let names: Vec<&str> =
        outcome["fleet"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, members);
    assert_eq!(outcome["counts"]["connected"], 8);
    let books = &outcome["ledger"];
    assert!(books["sent"].as_u64().unwrap() > 0);
    assert_eq!((&books["acked"], &books["received"]), (&books["sent"], &books["sent"]));
    let in_ticks: u64 =
        outcome["timeline"].as_array().unwrap().iter().filter_map(|row| row["counts"]["sent"].as_u64()).sum();
    assert_eq!(books["sent"], in_ticks, "every second of every worker is in the timeline");
}

/// Ids of processes that this one has started.
fn children(parent: u32) -> Vec<Pid> {
    let path = format!("/proc/{parent}/task");
    let tasks = std::fs::read_dir(path).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let ids: Vec<i32> =
        lists.flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()).collect();
    ids.into_iter().filter_map(Pid::from_raw).collect()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

/// Waits until the server has seen so many logins in all.
fn until_logged_in(server: &Server, logins: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let metrics = || ureq::get(server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    let seen = |text: &str| -> f64 {
        let lines = text.lines().filter(|line| line.starts_with("linnet_gateway_logins_total"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    while seen(&metrics()) < logins as f64 {
        assert!(Instant::now() < deadline, "{}", metrics());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn two_processes_share_a_run() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let mut arguments = peer(&site, &server);
    arguments.extend(["--workers", "2", "--rate", "200", "--duration", "2s"].map(str::to_owned));
    let output = loadtest(&site, &strs(&arguments)).output().unwrap();
    check(&outcome(&output), &["process 1", "process 2"]);
    assert!(output.status.success());
    assert!(server.terminate().success());
}

#[test]
fn a_worker_that_is_killed_fails_the_run_and_ends_the_other() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let mut arguments = peer(&site, &server);
    arguments.extend(["--workers", "2", "--rate", "10", "--duration", "10m"].map(str::to_owned));
    let mut run = loadtest(&site, &strs(&arguments)).spawn().unwrap();
    until_logged_in(&server, 8);
    let workers = children(run.id());
    assert_eq!(workers.len(), 2);
    kill_process(workers[1], Signal::KILL).unwrap();
    let status = run.wait().unwrap();
    let mut said = String::new();
    run.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("process 2: killed (signal 9)"), "{said}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while rustix::process::test_kill_process(workers[0]).is_ok() {
        assert!(Instant::now() < deadline, "the other is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(server.terminate().success());
}

#[test]
fn ctrl_c_gives_a_report_from_all() {
    use std::os::unix::process::CommandExt as _;
    let site = Site::new();
    let server = site.start(Role::Serve);
    let mut arguments = peer(&site, &server);
    arguments.extend(["--workers", "2", "--rate", "50", "--duration", "10m"].map(str::to_owned));
    let run = loadtest(&site, &strs(&arguments)).process_group(0).spawn().unwrap();
    until_logged_in(&server, 8);
    // As a terminal does it: to everybody in the foreground.
    kill_process_group(pid(&run), Signal::INT).unwrap();
    let output = run.wait_with_output().unwrap();
    let outcome = outcome(&output);
    assert_eq!(outcome["stopped"], true);
    assert_eq!(outcome["counts"]["connected"], 8, "both have reported: {outcome}");
    assert_eq!(outcome["ledger"]["lost"], 0);
    assert!(server.terminate().success());
}

#[test]
fn an_agent_generates_load_for_who_knows_its_secret() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    std::fs::write(site.path().join("secret"), "something that nobody guesses\n").unwrap();
    std::fs::write(site.path().join("wrong"), "something that anybody guesses\n").unwrap();
    let mut agent = loadtest(&site, &["agent", "--listen", "127.0.0.1:0", "--token-file", "secret"]);
    let mut agent = Killed(agent.stderr(Stdio::null()).spawn().unwrap());
    let mut said = String::new();
    BufReader::new(agent.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let address = said.trim().rsplit(' ').next().unwrap().to_owned();

    let mut arguments = peer(&site, &server);
    arguments.extend(["--rate", "200", "--agents", &address].map(str::to_owned));
    let with = |more: &[&str]| {
        let mut all = strs(&arguments);
        all.extend(["--duration", "2s"]);
        all.extend(more);
        loadtest(&site, &all).output().unwrap()
    };
    let refused = with(&["--agent-token-file", "wrong"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains(&format!("agent {address}: refused: wrong secret")), "{said}");

    let output = with(&["--agent-token-file", "secret", "--workers", "2"]);
    let members = [1, 2].map(|number| format!("agent {address} process {number}"));
    check(&outcome(&output), &[&members[0], &members[1]]);

    let mut agents_end = loadtest(&site, &strs(&arguments));
    let run = agents_end.args(["--agent-token-file", "secret", "--duration", "10m"]).spawn();
    let run = run.unwrap();
    until_logged_in(&server, 16);
    drop(agent);
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("process 1: the connection was lost"), "{said}");
    assert!(server.terminate().success());
}

/// Killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
