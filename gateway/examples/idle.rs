//! Measures what an idle, logged-in connection costs the gateway in memory, per transport.
//!
//! `cargo run --release -p linnet-gateway --example idle -- 3000 tcp tls quic`
//!
//! The gateway runs in this process and the clients in another, a copy of this program, so that the memory seen is the gateway's.

#![expect(clippy::unwrap_used, reason = "a measuring tool: what fails ends it")]

#[path = "../tests/sockets/client.rs"]
#[expect(dead_code, reason = "the tests' client, of which this needs the login")]
mod client;

mod world {
    //! What the tests' client needs to know of users.

    /// A user who can log in.
    pub(crate) struct User {
        pub(crate) token: String,
    }
}

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use domain::apps::NewApp;
use domain::presence::Opening;
use domain::tokens::Issue;
use domain::users::NewUser;
use domain::{AppNumber, BootId, Clock, Domain, Outlet, SessionId, UserId};
use gateway::config::Rate;
use gateway::{Certs, Config, Gateway, Hub};

use client::Client;
use world::User;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match &arguments[..] {
        [role, transport, address] if role == "clients" => {
            runtime.block_on(clients(transport, address.parse().unwrap()));
        }
        [count, transports @ ..] => {
            let count = count.parse().unwrap();
            for transport in transports {
                runtime.block_on(measure(count, transport));
            }
        }
        [] => println!("how many connections, and which transports? e.g. 3000 tcp tls quic"),
    }
}

async fn measure(count: usize, transport: &str) {
    let mut config = Config::default();
    config.tcp.listen = "127.0.0.1:0".into();
    config.tls.listen = "127.0.0.1:0".into();
    config.quic.listen = "127.0.0.1:0".into();
    config.frames = Rate { per_second: 0, burst: 0 };
    let hub = Hub::new(config);
    let clock = Clock::system();
    let store = storage::Store::memory(clock.clone());
    let outlet = Outlet::Here(hub.clone());
    let domain = Domain::open(store, clock.clone(), outlet, domain::Config::default()).await.unwrap();
    let app = domain.apps.create(NewApp::default()).await.unwrap().app;
    let server = domain.apps.operator(AppNumber(app.number)).await.unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certs = Certs::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let gateway = Gateway::start(domain.clone(), hub.clone(), clock, Some(certs)).await.unwrap();
    let address = match transport {
        "tcp" => gateway.addresses().tcp,
        "tls" => gateway.addresses().tls,
        _ => gateway.addresses().quic,
    };
    let rows = store_rows(&domain, &server, count).await;
    let mut tokens = Vec::new();
    for number in 0..count + 100 {
        let new = NewUser { uid: Some(format!("user{number}")), ..NewUser::default() };
        let user = domain.users.create(&server, new).await.unwrap();
        let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
        tokens.push(domain.tokens.issue(&server, UserId(user.id), issue).await.unwrap().text);
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["clients", transport, &address.unwrap().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    // A few first, so that what is made once is not counted.
    let mut login = |tokens: &[String]| {
        for token in tokens {
            writeln!(input, "{token}").unwrap();
            output.next().unwrap().unwrap();
        }
    };
    tokio::task::block_in_place(|| login(&tokens[..100]));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = resident();
    tokio::task::block_in_place(|| login(&tokens[100..]));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let used = resident() - before;
    let each = used / count;
    println!(
        "{transport}: {count} connections, {each} bytes each, of which about {rows} are rows of the store in memory"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    gateway.stop().await;
}

/// What the rows that a login writes cost here, where the store is in memory too.
async fn store_rows(domain: &Domain, server: &domain::Caller, count: usize) -> usize {
    let mut callers = Vec::new();
    for number in 0..count {
        let new = NewUser { uid: Some(format!("other{number}")), ..NewUser::default() };
        let user = domain.users.create(server, new).await.unwrap();
        callers.push(domain.tokens.act_as(server, UserId(user.id)).await.unwrap());
    }
    let before = resident();
    for (caller, number) in callers.iter().zip(1..) {
        let opening = Opening {
            boot: BootId(1),
            session: SessionId(number),
            platform: 7,
            device_id: "device".to_owned(),
            client: "test/1".to_owned(),
            devices_allowed: None,
            again: false,
        };
        domain.presence.open(caller, opening).await.unwrap();
    }
    (resident() - before) / count
}

/// Logs in with each token that comes, and holds the connection.
async fn clients(transport: &str, address: SocketAddr) {
    let mut held = Vec::new();
    let mut lines = BufReader::new(std::io::stdin()).lines();
    while let Some(Ok(token)) = tokio::task::block_in_place(|| lines.next()) {
        let mut client = match transport {
            "tcp" => Client::tcp(address).await,
            "tls" => Client::tls(address).await,
            _ => Client::quic(address).await,
        };
        client.log_in(&User { token }, "device").await;
        held.push(client);
        println!("in");
    }
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
