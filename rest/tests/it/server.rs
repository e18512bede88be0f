//! The server on real sockets: every deadline, every cap, HTTP/2, and the drain.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::world::{SECRET, World, basic};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::units::ByteSize;
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rest::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SHORT: Duration = Duration::from_millis(200);
/// Long enough for anything that happens at once, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);
const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

async fn start(config: Config) -> Running {
    let world = World::with(config).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(world.service.serve(listener, stop.clone()));
    Running { address, stop, serving }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// That others are served as if nothing were the matter.
    async fn serves_others(&self) {
        let mut stream = self.connect().await;
        stream.write_all(HEALTH).await.unwrap();
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    }
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 8192];
    let count = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer comes").unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

/// Waits until the server closes; how long that took. Whatever it says before is dropped.
async fn closed(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let mut buffer = vec![0; 8192];
    let drained = async { while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(PATIENCE, drained).await.expect("the server closes");
    started.elapsed()
}

#[tokio::test]
async fn closes_what_says_nothing() {
    let server = start(Config { first_request_timeout: SHORT, ..Config::default() }).await;
    let mut silent = server.connect().await;
    // Part of what an HTTP/2 connection begins with: telling the protocols apart must not wait for ever either.
    let mut undecided = server.connect().await;
    undecided.write_all(b"PRI * HT").await.unwrap();
    let mut idle_h2 = server.connect().await;
    idle_h2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    server.serves_others().await;
    for stream in [&mut silent, &mut undecided, &mut idle_h2] {
        closed(stream).await;
    }
    server.serves_others().await;
}

#[tokio::test]
async fn closes_what_sends_its_head_slowly() {
    let server = start(Config { head_timeout: SHORT, ..Config::default() }).await;
    let mut slow = server.connect().await;
    let started = Instant::now();
    for byte in HEALTH.iter().cycle() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if slow.write_all(&[*byte]).await.is_err() || started.elapsed() > SHORT * 3 {
            break;
        }
    }
    closed(&mut slow).await;
    assert!(started.elapsed() < PATIENCE);
    server.serves_others().await;
}

#[tokio::test]
async fn keeps_a_connection_for_the_next_request_and_then_closes_it() {
    let server = start(Config { head_timeout: SHORT, ..Config::default() }).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(HEALTH).await.unwrap();
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    }
    let took = closed(&mut stream).await;
    assert!(took >= SHORT / 2, "it idled only {took:?}");
}

#[tokio::test]
async fn refuses_a_head_that_is_too_large() {
    let server = start(Config::default()).await;
    let mut stream = server.connect().await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "x".repeat(64 << 10));
    let _ = stream.write_all(head.as_bytes()).await;
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 431"));
    let mut stream = server.connect().await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(100));
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 431"));
    server.serves_others().await;
}

#[tokio::test]
async fn answers_what_is_not_http_with_a_close() {
    let server = start(Config::default()).await;
    let mut stream = server.connect().await;
    let _ = stream.write_all(&vec![0; 1 << 20]).await;
    closed(&mut stream).await;
    server.serves_others().await;
}

#[tokio::test]
async fn speaks_http2() {
    let server = start(Config::default()).await;
    let io = TokioIo::new(server.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let authorization = format!("Basic {}", basic(7, SECRET));
    let asks = (1..=20).map(|uid| {
        let request = Request::post("http://x/auth/grant").header("authorization", &authorization);
        let request = request.body(Body::from(format!("{{\"uid\":{uid}}}"))).unwrap();
        let mut sender = sender.clone();
        async move { sender.send_request(request).await.unwrap() }
    });
    for response in futures_util::future::join_all(asks).await {
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"{\"meta\":{\"code\":200"), "{body:?}");
    }
}

#[tokio::test]
async fn closes_what_does_not_read() {
    let server = start(Config { write_timeout: SHORT, ..Config::default() }).await;
    let mut stream = server.connect().await;
    let ask = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(400);
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(ask.as_bytes())).await;
    tokio::time::sleep(SHORT * 10).await;
    server.serves_others().await;
    let mut came = 0;
    let mut buffer = vec![0; 1 << 16];
    let drained = async {
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            came += count;
        }
    };
    tokio::time::timeout(PATIENCE, drained).await.expect("the connection was cut");
    let whole = World::new().await.call("GET", "/openapi.json", &[], "").await.text.len() * 400;
    assert!(came < whole, "{came} of {whole} bytes came: nothing was cut");
}

#[tokio::test]
async fn keeps_to_its_number_of_connections() {
    for config in [
        Config { max_connections: 2, ..Config::default() },
        Config { max_connections_per_address: 2, ..Config::default() },
    ] {
        let server = start(config).await;
        let (mut one, mut two) = (server.connect().await, server.connect().await);
        for stream in [&mut one, &mut two] {
            stream.write_all(HEALTH).await.unwrap();
            assert!(read_some(stream).await.starts_with("HTTP/1.1 200"));
        }
        closed(&mut server.connect().await).await;
        drop(one);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut three = server.connect().await;
            let _ = three.write_all(HEALTH).await;
            let mut buffer = [0; 64];
            if matches!(three.read(&mut buffer).await, Ok(1..)) {
                break;
            }
            assert!(Instant::now() < deadline, "a freed place is never given again");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A request whose body is still to come.
async fn begin(server: &Running) -> TcpStream {
    let mut stream = server.connect().await;
    let head = format!(
        "POST /auth/grant HTTP/1.1\r\nhost: x\r\nauthorization: Basic {}\r\ncontent-length: 9\r\n\r\n{{\"ui",
        basic(7, SECRET)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Until the server has taken the head, there is no request that a drain could wait for.
    tokio::time::sleep(SHORT).await;
    stream
}

#[tokio::test]
async fn lets_open_requests_finish_when_it_stops() {
    let server = start(Config::default()).await;
    let mut idle = server.connect().await;
    idle.write_all(HEALTH).await.unwrap();
    read_some(&mut idle).await;
    let mut open = begin(&server).await;
    server.stop.cancel();
    closed(&mut idle).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "a new connection is taken during the drain");
    assert!(!server.serving.is_finished(), "the drain does not wait");
    open.write_all(b"d\":1}").await.unwrap();
    let answer = read_some(&mut open).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("connection: close"), "{answer}");
    tokio::time::timeout(PATIENCE, server.serving).await.expect("it stops").unwrap().unwrap();
}

#[tokio::test]
async fn cuts_what_does_not_finish_in_time() {
    let server = start(Config { drain_timeout: SHORT, ..Config::default() }).await;
    let mut open = begin(&server).await;
    server.stop.cancel();
    tokio::time::timeout(PATIENCE, server.serving).await.expect("it stops").unwrap().unwrap();
    closed(&mut open).await;
}

#[test]
fn every_setting_can_be_written_down_and_read_back() {
    let text = toml::to_string(&Config::default()).unwrap();
    assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::default());
    assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
    assert!(toml::from_str::<Config>("max_boody = '1MiB'").is_err(), "an unknown key is refused");
    let changed = toml::from_str::<Config>("max_body = '2MiB'\nbody_timeout = '3s'").unwrap();
    assert_eq!((changed.max_body, changed.body_timeout), (ByteSize::mib(2), Duration::from_secs(3)));
}
