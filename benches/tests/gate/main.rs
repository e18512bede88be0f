//! The gate against creeping costs: what each hot path takes, in instructions and allocations, against `limits.toml`.
//!
//! Neither depends on how fast or how busy the machine is, so that a path that became dearer fails here, with the name of what grew.
//! The numbers are those of the development build, which is what tests are built as: they are for comparing with themselves only.

mod limits;
mod measure;

use limits::Limits;

/// What is guarded; what each does, `src/bin/counted.rs` says.
const PATHS: [&str; 9] = ["decode", "encode", "session", "submit", "sync", "request", "message", "fanout", "login"];

fn check(path: &str) {
    let limits = Limits::read();
    let limit = limits.of(path).unwrap_or_else(|| panic!("`limits.toml` says nothing of `{path}`"));
    let exceeded = limit.exceeded_by(&measure::cost(path));
    assert!(
        exceeded.is_empty(),
        "`{path}` has become dearer:\n{}\nIf that is worth it, `make bench-limits` writes the new limits; say why in the commit.",
        exceeded.join("\n")
    );
}

#[test]
fn decoding_a_frame() {
    check("decode");
}

#[test]
fn encoding_a_frame() {
    check("encode");
}

#[test]
fn a_message_through_the_session() {
    check("session");
}

#[test]
fn a_message_through_the_domain() {
    check("submit");
}

#[test]
fn a_synchronisation() {
    check("sync");
}

#[test]
fn a_read_over_http() {
    check("request");
}

#[test]
fn a_message_from_phone_to_phone() {
    check("message");
}

#[test]
fn a_message_to_a_hundred_sessions() {
    check("fanout");
}

#[test]
fn a_login_and_the_idle_session_after_it() {
    check("login");
}

#[test]
fn every_limit_is_of_a_path_that_is_measured() {
    let limits = Limits::read();
    assert!(limits.paths().eq(PATHS.iter().copied().collect::<std::collections::BTreeSet<_>>()));
}

#[test]
#[ignore = "writes `limits.toml` anew: `make bench-limits`"]
fn write_limits() {
    let measured = PATHS.map(|path| (path.to_owned(), measure::cost(path)));
    for (path, cost) in &measured {
        println!("{path}: {cost:?}");
    }
    Limits::write(measured);
}
