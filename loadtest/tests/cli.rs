//! The load tester's binary, where it needs no server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, Output, Stdio};

fn loadtest(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linnet-loadtest"));
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn refused(arguments: &[&str], because: &str) {
    let output = loadtest(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(because), "{said}");
}

#[test]
fn an_agent_for_everybody_needs_a_secret() {
    refused(&["agent", "--listen", "0.0.0.0:0"], "--token-file");
}

#[test]
fn a_worker_is_nothing_for_people() {
    refused(&["worker"], "only a coordinator starts workers");
    assert!(!String::from_utf8_lossy(&loadtest(&["--help"]).stdout).contains("worker "), "and not offered to them");
}

#[test]
fn more_connections_than_ports_allow_are_refused_beforehand() {
    refused(&["connect", "--credentials", "none", "--connections", "1000000"], "source addresses");
}

#[test]
fn more_connections_than_files_allow_are_refused_beforehand() {
    let limited = "ulimit -n 1000; exec \"$0\" connect --credentials none --connections 5000 --workers 1";
    let mut shell = Command::new("sh");
    shell.args(["-c", limited, env!("CARGO_BIN_EXE_linnet-loadtest")]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--workers 8"), "700 each: {said}");
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let peer = ["peer", "--credentials", "none", "--agents", &nobody];
    refused(&peer, &format!("agent {nobody}: cannot be reached"));
}
