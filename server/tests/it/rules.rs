//! Rules and files, end to end, with the gateway and the REST service as two processes: an app's own server is asked by one and told by
//! the other, and what is uploaded lies in the data folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::http::{AppServer, SHOP};
use crate::harness::{Role, Site};

/// Requests may go to this machine.
const SETTINGS: [&str; 2] = ["--set", "outbound.allow_private=true"];

/// The app's own server: it lets everything pass that does not say "no".
struct Own {
    address: SocketAddr,
    asked: Receiver<Value>,
}

impl Own {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, asked) = sync_channel(1_000);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || serve(stream, &sender));
            }
        });
        Self { address, asked }
    }

    fn next(&self) -> Value {
        self.asked.recv_timeout(Duration::from_secs(30)).expect("a request")
    }
}

/// Answers the requests of one connection.
fn serve(stream: TcpStream, asked: &SyncSender<Value>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    while let Some((signed, body)) = read(&mut reader) {
        assert!(signed, "a request without a signature");
        let pass = body["message"]["text"] != "no";
        let _ = asked.send(body);
        let answer = json!({ "pass": pass }).to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}

/// One request: whether it is signed, and its body.
fn read(reader: &mut BufReader<TcpStream>) -> Option<(bool, Value)> {
    let (mut length, mut signed) = (0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim().split_once(':') else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().expect("a length"),
            "linnet-signature" => signed = value.contains("v1="),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((signed, serde_json::from_slice(&body).expect("JSON")))
}

#[test]
fn an_apps_own_server_rules_and_files_are_kept() {
    let site = Site::new();
    let create = ["app", "create", "--id", SHOP.id, "--number", SHOP.number, "--key", SHOP.key];
    site.run(&[&create[..], &["--secret", SHOP.secret]].concat());
    let gateway = site.start_with(Role::Gateway, &SETTINGS);
    let rest = site.start_with(Role::Rest, &SETTINGS);
    let server = AppServer::new(rest.url(""));
    let basic = SHOP.basic();
    let token = |uid: u64| {
        let granted = server.post("/auth/grant", &[("authorization", &basic)], &json!({ "uid": uid }));
        granted.text_at("/data/token")
    };
    let (one, _) = (token(1), token(2));
    let say = |text: &str| {
        let headers = [("app_id", SHOP.id), ("access-token", one.as_str())];
        let body = json!({ "type": 1, "targets": [2], "content": text });
        server.post("/message/send", &headers, &body).at("/code")
    };
    assert_eq!(say("before"), 200);

    let own = Own::start();
    let url = format!("http://{}/im", own.address);
    let shown = site.run(&["app", "webhook", SHOP.id, "--before", &url, "--after", &url, "--fail-closed"]);
    assert!(shown.contains(&url) && shown.contains("secret"), "{shown}");
    // Both processes see the change within a second.
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(say("no"), 10010);
    assert_eq!(own.next()["event"], "message.before");
    assert_eq!(say("yes"), 200);
    let events = [own.next(), own.next()];
    assert_eq!(
        events.each_ref().map(|event| event["event"].as_str().expect("a name")),
        ["message.before", "message.after"]
    );
    assert_eq!((&events[1]["message"]["text"], &events[1]["sender"]["uid"]), (&json!("yes"), &json!("1")));
    site.run(&["app", "webhook", SHOP.id, "--remove"]);

    let shown = site.run(&["app", "limit", SHOP.id, "--messages", "2", "--per", "1h"]);
    assert_eq!(shown.trim(), "each user may send 2 messages in 1h");
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!([say("1"), say("2"), say("3")], [json!(200), json!(200), json!(10028)]);
    assert_eq!(site.run(&["app", "limit", SHOP.id, "--none"]).trim(), "no limit");

    let bearer = format!("Bearer {one}");
    let uploaded = server.post("/files", &[("authorization", &bearer)], &json!({ "kept": true }));
    let source = uploaded.text_at("/src");
    assert_eq!(uploaded.text_at("/src_url"), rest.url(&source));
    assert_eq!(server.get(&source, &[]).json(), json!({ "kept": true }));
    assert!(site.path().join("data/files/7").is_dir(), "files lie in the data folder");
    assert!(rest.terminate().success());
    assert!(gateway.terminate().success());
}
