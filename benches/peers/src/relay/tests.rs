use std::path::Path;

use tokio::io::AsyncWriteExt;

use super::*;

/// A client as plain as can be.
struct Client {
    socket: TcpStream,
    arrived: BytesMut,
}

/// What a client hears, told apart from the bytes that it came in.
#[derive(Debug, PartialEq)]
enum Heard {
    Ready,
    Delivered(Vec<u8>),
    Acked(u64),
    End,
}

impl Client {
    async fn connect(address: std::net::SocketAddr) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap(), arrived: BytesMut::new() }
    }

    async fn listening(address: std::net::SocketAddr, topic: &[u8]) -> Self {
        let mut client = Self::connect(address).await;
        client.say(&[Frame::Subscribe { topic }]).await;
        assert_eq!(client.hear().await, Heard::Ready);
        client
    }

    async fn say(&mut self, frames: &[Frame<'_>]) {
        let mut out = BytesMut::new();
        for frame in frames {
            frame.put(&mut out);
        }
        self.socket.write_all(&out).await.unwrap();
    }

    async fn hear(&mut self) -> Heard {
        loop {
            if let Some(length) = frame::length(&self.arrived).unwrap() {
                let whole = self.arrived.split_to(length);
                return match Frame::parse(&whole).unwrap() {
                    Frame::Ready => Heard::Ready,
                    Frame::Delivered { payload } => Heard::Delivered(payload.to_vec()),
                    Frame::Acked { number } => Heard::Acked(number),
                    other => panic!("{other:?}"),
                };
            }
            if !matches!(self.socket.read_buf(&mut self.arrived).await, Ok(1..)) {
                return Heard::End;
            }
        }
    }
}

/// A relay on a port of the system's.
async fn relay(promise: Promise) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, promise));
    address
}

/// Has four senders publish to two topics at once, and two listeners at each; what everyone hears is what it should.
async fn exchange(address: std::net::SocketAddr, file: Option<&Path>) {
    const SENDERS: u8 = 4;
    const MESSAGES: u64 = 200;
    let payload = |sender: u8, number: u64| format!("<{sender}:{number}>").into_bytes();
    let topic = |number: u8| -> &[u8] { if number.is_multiple_of(2) { b"even" } else { b"odd" } };
    let mut listeners = Vec::new();
    for number in 0..4 {
        listeners.push((number, Client::listening(address, topic(number)).await));
    }
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let file = file.map(Path::to_owned);
        senders.spawn(async move {
            let mut client = Client::connect(address).await;
            for number in 0..MESSAGES {
                let payload = payload(sender, number);
                client.say(&[Frame::Publish { topic: topic(sender), number: Some(number), payload: &payload }]).await;
                // Some wait for their ack, so that there are groups of one and of many.
                if sender == 0 {
                    assert_eq!(client.hear().await, Heard::Acked(number));
                    let Some(file) = &file else { continue };
                    let stored = std::fs::read(file).unwrap();
                    assert!(stored.windows(payload.len()).any(|found| found == payload), "acked before it was stored");
                }
            }
            for number in 0..if sender == 0 { 0 } else { MESSAGES } {
                assert_eq!(client.hear().await, Heard::Acked(number));
            }
        });
    }
    for (listener, client) in &mut listeners {
        let mut next = [0; SENDERS as usize];
        for _ in 0..2 * MESSAGES {
            let heard = client.hear().await;
            let sender = (0..SENDERS).find(|sender| {
                topic(*sender) == topic(*listener)
                    && heard == Heard::Delivered(payload(*sender, next[usize::from(*sender)]))
            });
            next[usize::from(sender.unwrap_or_else(|| panic!("{heard:?} after {next:?}")))] += 1;
        }
    }
    senders.join_all().await;
    for (_, client) in &mut listeners {
        client.say(&[Frame::Ready]).await;
        assert_eq!(client.hear().await, Heard::Ready, "nothing comes twice");
    }
    let Some(file) = file else { return };
    let stored = std::fs::read(file).unwrap();
    assert_eq!(frame::all(&stored).count() as u64, u64::from(SENDERS) * MESSAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_once_and_in_order() {
    exchange(relay(Promise::Delivered).await, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_stored_before_they_are_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    exchange(relay(Promise::Synced(folder.path().to_owned())).await, Some(&folder.path().join(log::FILE))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_cut_and_others_are_not() {
    // More than the limit and what both sockets hold.
    const MESSAGES: u64 = 3 * (connection::LIMIT as u64) / PAYLOAD as u64;
    const PAYLOAD: usize = 60 << 10;
    let address = relay(Promise::Delivered).await;
    let mut slow = Client::listening(address, b"topic").await;
    let mut quick = Client::listening(address, b"topic").await;
    let mut sender = Client::connect(address).await;
    let payload = vec![b'x'; PAYLOAD];
    for number in 0..MESSAGES {
        sender.say(&[Frame::Publish { topic: b"topic", number: Some(number), payload: &payload }]).await;
        assert_eq!(sender.hear().await, Heard::Acked(number));
        assert!(matches!(quick.hear().await, Heard::Delivered(_)));
    }
    let mut heard = 0;
    while slow.hear().await != Heard::End {
        heard += 1;
    }
    assert!(heard < MESSAGES);
}
