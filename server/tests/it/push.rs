//! Pushes, end to end: a command sets a provider, a phone binds its token, and a message reaches it, through crashes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use base64::Engine as _;
use serde_json::json;

use crate::harness::http::AppServer;
use crate::harness::{Role, Site};

/// Requests may go to this machine, and nothing waits long.
const SETTINGS: [&str; 6] =
    ["--set", "outbound.allow_private=true", "--set", "outbound.longest_pause=200ms", "--set", "outbound.sweep=500ms"];

/// Xiaomi, as far as these tests know it.
struct Provider {
    address: SocketAddr,
    asked: Receiver<String>,
    works: Arc<AtomicBool>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, asked) = sync_channel(1_000);
        let works = Arc::new(AtomicBool::new(true));
        let working = Arc::clone(&works);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (sender, working) = (sender.clone(), Arc::clone(&working));
                std::thread::spawn(move || answer(stream, &sender, &working));
            }
        });
        Self { address, asked, works }
    }

    /// The text of the next push that it took.
    fn next(&self) -> String {
        self.asked.recv_timeout(Duration::from_secs(30)).expect("a push")
    }
}

/// Answers the requests of one connection; what was taken is told.
fn answer(stream: TcpStream, taken: &SyncSender<String>, works: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().expect("a length");
                }
                None if line.trim().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let works = works.load(Ordering::SeqCst);
        let (status, answer) = if works { ("200 OK", r#"{"code":0}"#) } else { ("503 Down", "{}") };
        if works {
            let body = String::from_utf8(body).expect("a form");
            let said =
                body.split('&').find_map(|pair| pair.strip_prefix("description=")).unwrap_or_default().to_owned();
            let _ = taken.send(said);
        }
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_message_reaches_a_sleeping_phone_whatever_dies_in_between() {
    let site = Site::new();
    let provider = Provider::start();
    let mut gateway = site.start_with(Role::Gateway, &SETTINGS);
    let rest = site.start(Role::Rest);
    let secret = "0123456789abcdef";
    site.run(&["app", "create", "--id", "shop", "--number", "9", "--secret", secret]);
    let url = format!("http://{}", provider.address);
    let set = ["push", "set", "--app", "shop", "mi", "--provider", "xiaomi", "--app-id", "com.shop", "--url", &url];
    let output = site.command(&set).env("LINNET_PUSH_SECRET", "s").output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = site.run(&["push", "list", "--app", "shop"]);
    assert!(listed.contains("mi") && listed.contains("xiaomi") && listed.contains("com.shop"), "{listed}");

    let server = AppServer::new(rest.url(""));
    let md5 = hex::encode(<md5::Md5 as md5::Digest>::digest(secret));
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("9:{md5}")));
    let basic = [("authorization", basic.as_str())];
    let token = server.post("/auth/grant", &basic, &json!({ "uid": 2 })).text_at("/data/token");
    let bearer = format!("Bearer {token}");
    let bound = server.post("/device/bind", &[("authorization", &bearer)], &json!({ "xm_device_token": "regid" }));
    assert_eq!(bound.json(), json!({ "success": true }));
    let say = |text: &str| {
        let message = json!({ "sender": 1, "receiver": 2, "content": json!({ "text": text }).to_string() });
        assert_eq!(server.post("/messages/peers", &basic, &message).status, 200);
    };

    // The message comes over the REST service, the push goes out from the gateway's process.
    say("hello");
    assert_eq!(provider.next(), "hello");

    // What could not be sent survives the process, and so does what is said while it is not there.
    provider.works.store(false, Ordering::SeqCst);
    say("again");
    gateway.kill_and_restart(&site, &SETTINGS);
    provider.works.store(true, Ordering::SeqCst);
    assert_eq!(provider.next(), "again");
    say("still");
    assert_eq!(provider.next(), "still");
    assert!(rest.terminate().success() && gateway.terminate().success());
}
