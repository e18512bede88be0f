//! What a newcomer and an operator type, as they type it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::http::AppServer;
use crate::harness::{Role, Site};

#[test]
fn the_first_start_shows_credentials_once_and_lines_that_work() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let first = server.log();
    assert!(first.contains("secret   "), "{first}");
    let lines: Vec<&str> = first.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 5, "one for each dialect");
    for (line, proof) in lines.iter().zip(["\"error\":\"0000\"", "\"token\"", "\"token\"", "\"token\"", "\"user_id\""])
    {
        let output = Command::new("sh").args(["-c", line]).output().expect("a shell");
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && answer.contains(proof), "{line}\n{answer}");
    }
    assert!(server.terminate().success());

    std::fs::remove_file(site.path().join("serve.log")).expect("the first start's log");
    let server = site.start(Role::Serve);
    let second = server.log();
    assert!(second.contains("is ready") && !second.contains("secret"), "{second}");
    assert_eq!(site.run(&["app", "list"]).lines().count(), 2, "a heading and the demo app");
}

#[test]
fn two_terminals_chat() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let listen = |user: &str, to: &[&str], transport: &str| {
        let arguments = [&["chat", "--user", user, "--transport", transport][..], to].concat();
        let mut command = site.command(&arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    };
    let mut bob = listen("bob", &["--to", "alice"], "quic");
    let mut alice = listen("alice", &["--to", "bob"], "auto");
    alice.stdin.take().expect("a pipe").write_all("good morning\nare you there?\n".as_bytes()).expect("alice reads");
    let alice = alice.wait_with_output().expect("alice leaves");
    let said = String::from_utf8_lossy(&alice.stdout);
    assert!(alice.status.success() && said.contains("sent, #2"), "{said}{}", String::from_utf8_lossy(&alice.stderr));

    std::thread::sleep(Duration::from_millis(1_500));
    bob.stdin.take().expect("a pipe").write_all(b"yes\n").expect("bob reads");
    let bob = bob.wait_with_output().expect("bob leaves");
    let heard = String::from_utf8_lossy(&bob.stdout);
    for expected in ["alice: good morning", "alice: are you there?", "sent, #3"] {
        assert!(heard.contains(expected), "no {expected:?} in:\n{heard}");
    }

    // The history is there on start, over any transport; a group is made by being named.
    for transport in ["tcp", "tls"] {
        let output = site.run(&["chat", "--user", "alice", "--to", "bob", "--transport", transport]);
        assert!(output.contains("bob: yes"), "{output}");
    }
    let output = site.run(&["chat", "--user", "alice", "--group", "team"]);
    assert!(output.contains("team"), "{output}");
    assert!(server.terminate().success());

    let output = site.output(&["chat", "--user", "alice"]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && complaint.contains("no server runs here"), "{complaint}");
}

#[test]
fn apps_and_users_are_managed_beside_a_server_and_without() {
    let site = Site::new();
    let created = site.run(&["app", "create", "--id", "shop", "--number", "7", "--admin", "boss", "chef"]);
    assert!(created.contains("secret") && created.contains("boss, chef"), "{created}");
    let again = site.output(&["app", "create", "--id", "shop"]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("app exists already"));

    let server = site.start(Role::Serve);
    assert!(site.run(&["app", "show", "shop"]).contains("number        7"));
    let file = site.path().join("tokens");
    let arguments = ["user", "create", "--app", "shop", "--count", "300", "--prefix", "load-", "--credentials"];
    site.run(&[&arguments[..], &[file.to_str().expect("a plain name")]].concat());
    let text = std::fs::read_to_string(&file).expect("the credentials");
    assert_eq!(text.lines().count(), 300);
    assert!(text.starts_with("load-1\t"), "{text}");
    assert!(text.lines().all(|line| line.split('\t').count() == 3));

    assert!(site.run(&["user", "create", "--app", "shop", "carol", "--name", "Carol"]).contains("uid  carol"));
    assert!(site.run(&["user", "token", "--app", "shop", "carol", "--lifetime", "1h"]).trim().len() >= 30);
    site.run(&["user", "kick", "--app", "shop", "carol"]);
    site.run(&["user", "disable", "--app", "shop", "carol"]);
    site.run(&["user", "enable", "--app", "shop", "carol"]);
    let refused = site.output(&["user", "delete", "--app", "shop", "carol"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("--yes"), "{refused:?}");
    assert!(site.run(&["user", "delete", "--app", "shop", "carol", "--yes"]).contains("`carol` is deleted"));
    let gone = site.output(&["user", "token", "--app", "shop", "carol"]);
    assert!(String::from_utf8_lossy(&gone.stderr).contains("user `carol`"), "{gone:?}");
    assert!(site.run(&["user", "create", "--app", "shop", "carol"]).contains("uid  carol"), "the uid is free again");
    let unknown = site.output(&["user", "token", "--app", "shop", "nobody"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("user `nobody`"));

    let rotated = site.run(&["app", "rotate", "shop"]);
    let secret = |text: &str| text.lines().find_map(|line| line.strip_prefix("secret ")).map(str::to_owned);
    assert!(secret(&rotated).is_some() && secret(&rotated) != secret(&created));
    assert!(!site.output(&["app", "delete", "shop"]).status.success(), "a script has to say --yes");
    site.run(&["app", "delete", "shop", "--yes"]);
    assert!(!site.output(&["app", "show", "shop"]).status.success());
    assert!(server.terminate().success());
}

#[test]
fn an_app_may_keep_people_from_registering_themselves() {
    let site = Site::new();
    let closed = ["app", "create", "--id", "shop", "--secret", "shop-secret-of-some-length", "--registration-closed"];
    site.run(&closed);
    let server = site.start(Role::Serve);
    let app = AppServer::new(server.url(""));
    let tim = || {
        let new = json!({"username": "timo", "password": "timo-password", "email": "timo@example.com"});
        app.post("/register", &[("app_id", "shop")], &new).text
    };
    let maxim = || {
        let new = json!({"username": "mara", "password": "mara-password"});
        app.post("/user/register/v2", &[("app_id", "shop")], &new).text
    };
    for (refusal, granted) in [(tim(), "\"token\""), (maxim(), "\"user_id\"")] {
        assert!(!refusal.contains(granted), "{refusal}");
    }
    assert!(!site.output(&["user", "token", "--app", "shop", "timo"]).status.success(), "nobody was made");

    // The app's own server may: it shows the secret.
    let new = json!({"secret": "shop-secret-of-some-length", "platform": 1, "uid": "olga", "name": "Olga"});
    assert_eq!(app.post("/auth/user_register", &[], &new).at("/errCode"), 0);

    site.run(&["app", "set", "shop", "--registration-open", "true"]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !maxim().contains("\"user_id\"") {
        assert!(Instant::now() < deadline, "the server did not follow: {}", maxim());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(tim().contains("\"token\""));
    assert!(server.terminate().success());
}

#[test]
fn a_backup_brings_back_what_was_there() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    site.run(&["user", "create", "before"]);
    site.run(&["backup", "copy"]);
    site.run(&["user", "create", "after"]);
    let refused = site.output(&["restore", "copy", "--replace"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("a server runs"), "{refused:?}");
    assert!(!site.output(&["backup", "copy"]).status.success(), "a backup overwrites nothing");
    assert!(server.terminate().success());

    let refused = site.output(&["restore", "copy"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--replace"), "{refused:?}");
    site.run(&["restore", "copy", "--replace"]);
    site.run(&["user", "token", "before"]);
    assert!(!site.output(&["user", "token", "after"]).status.success());
    // Without a server, a backup is made of the files themselves.
    site.run(&["backup", "copy-2"]);
}

#[test]
fn settings_come_from_file_environment_and_flags() {
    let site = Site::new();
    std::fs::write(site.path().join("linnet.toml"), "[log]\nfilter = \"warn\"\n[rest]\ndefault_app = \"shop\"\n")
        .expect("a file");
    let mut command = site.command(&["config", "print", "--set", "shutdown.deadline=7s"]);
    let output = command.env("LINNET__LOG__FILTER", "debug").output().expect("the binary starts");
    let printed = String::from_utf8(output.stdout).expect("text");
    for line in ["filter = \"debug\"", "default_app = \"shop\"", "deadline = \"7s\"", "listen = \"127.0.0.1:5100\""] {
        assert!(printed.contains(line), "no {line} in:\n{printed}");
    }
    // What is printed is a configuration.
    std::fs::write(site.path().join("printed.toml"), &printed).expect("a file");
    assert_eq!(site.run(&["config", "print", "--config", "printed.toml"]), printed);

    std::fs::write(site.path().join("linnet.toml"), "[gateway.tpc]\nlisten = \"127.0.0.1:1\"\n").expect("a file");
    let refused = site.output(&["config", "check"]);
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "an unknown key is refused");
    assert!(
        complaint.contains("unknown key `gateway.tpc`") && complaint.contains("did you mean `gateway.tcp`?"),
        "{complaint}"
    );
    std::fs::remove_file(site.path().join("linnet.toml")).expect("it is there");
    let refused = site.output(&["config", "check", "--set", "store.redis.url=redis://elsewhere:6379"]);
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && complaint.contains("set the engine to `redis`"), "{complaint}");
}

#[test]
fn the_doctor_finds_a_taken_port() {
    let site = Site::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("rest.listen={}", taken.local_addr().expect("an address"));
    let free = ["gateway.tcp.listen=127.0.0.1:0", "gateway.tls.listen=127.0.0.1:0", "gateway.quic.listen=127.0.0.1:0"];
    let mut arguments: Vec<&str> = free.iter().flat_map(|set| ["--set", *set]).collect();
    arguments.insert(0, "doctor");
    let well = site.output(&[&arguments[..], &["--set", "rest.listen=127.0.0.1:0"]].concat());
    assert!(well.status.success(), "{}", String::from_utf8_lossy(&well.stdout));
    let ill = site.output(&[&arguments[..], &["--set", &listen]].concat());
    let text = String::from_utf8_lossy(&ill.stdout);
    assert!(!ill.status.success() && text.contains("BAD  rest"), "{text}");
}
