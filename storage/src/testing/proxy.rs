//! Proxies between a cluster and its clients, which lose what is published, or cut connections, when they are told to.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{RedisCluster, Reply, process};

/// Stands in front of one server. Speaks RESP2, and none of what replicas say.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: String,
    loses_messages: AtomicBool,
    closed: AtomicBool,
    lost: AtomicU64,
    /// Every how manieth reply is swallowed together with its connection; 0 for none.
    cuts_every: AtomicU64,
    replies: AtomicU64,
    cuts: AtomicU64,
    /// Both ends of every connection, by its number.
    streams: Mutex<HashMap<u64, [TcpStream; 2]>>,
    connections: AtomicU64,
}

impl Proxy {
    /// A proxy on a port of its own.
    ///
    /// # Errors
    /// If there is no port.
    pub fn start(target: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((process::HOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            loses_messages: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            cuts_every: AtomicU64::new(0),
            replies: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            streams: Mutex::default(),
            connections: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.closed.load(Ordering::Acquire) {
                    return;
                }
                // A server that is away is one that hangs up.
                let _ = accepting.connect(client);
            }
        });
        Ok(Self { address, shared })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, no message that is published reaches a client; or all do again. Everything else passes.
    pub fn lose_messages(&self, lose: bool) {
        self.shared.loses_messages.store(lose, Ordering::Release);
    }

    /// How many messages were lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Acquire)
    }

    /// From now on, cuts a connection instead of passing on its reply, at every so manieth one: what was asked for is done, and who asked
    /// does not know. 0 for never.
    pub fn cut_every(&self, replies: u64) {
        self.shared.cuts_every.store(replies, Ordering::Release);
    }

    /// How many replies were swallowed so.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Acquire)
    }

    /// Cuts all connections. New ones may be made.
    pub fn cut(&self) {
        self.shared.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(&self.target)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        self.streams.lock().insert(number, [client.try_clone()?, server.try_clone()?]);
        let (mut to_server, mut from_client) = (server.try_clone()?, client.try_clone()?);
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let _ = io::copy(&mut from_client, &mut to_server);
            shared.close(number);
        });
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let _ = shared.relay(server, client);
            shared.close(number);
        });
        Ok(())
    }

    /// Passes on what the server says, one reply after the other.
    fn relay(&self, server: TcpStream, mut client: TcpStream) -> io::Result<()> {
        let mut server = BufReader::new(server);
        let mut reply = Vec::new();
        loop {
            reply.clear();
            read_reply(&mut server, &mut reply)?;
            let every = self.cuts_every.load(Ordering::Acquire);
            if every > 0 && self.replies.fetch_add(1, Ordering::AcqRel) % every == every - 1 {
                self.cuts.fetch_add(1, Ordering::AcqRel);
                return Ok(());
            }
            let is_message = [&b"*3\r\n$8\r\nsmessage\r\n"[..], b">3\r\n$8\r\nsmessage\r\n"];
            let is_message = is_message.iter().any(|start| reply.starts_with(start));
            if is_message && self.loses_messages.load(Ordering::Acquire) {
                self.lost.fetch_add(1, Ordering::AcqRel);
            } else {
                client.write_all(&reply)?;
            }
        }
    }

    fn close(&self, connection: u64) {
        let streams = self.streams.lock().remove(&connection);
        for stream in streams.iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn cut(&self) {
        let connections: Vec<u64> = self.streams.lock().keys().copied().collect();
        for connection in connections {
            self.close(connection);
        }
    }
}

/// Appends one whole reply, as it came.
fn read_reply(input: &mut BufReader<TcpStream>, out: &mut Vec<u8>) -> io::Result<()> {
    let mut left = 1u64;
    while left > 0 {
        left -= 1;
        let start = out.len();
        if input.read_until(b'\n', out)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&out[start..]).into_owned();
        let length = line.get(1..).and_then(|length| length.trim_end().parse::<i64>().ok()).unwrap_or(-1);
        let Ok(length) = u64::try_from(length) else { continue };
        match line.as_bytes().first() {
            Some(b'*' | b'>' | b'~') => left += length,
            Some(b'$') => {
                input.by_ref().take(length + 2).read_to_end(out)?;
            }
            _ => {}
        }
    }
    Ok(())
}

impl RedisCluster {
    /// Puts a proxy in front of every node, and has the nodes tell clients to go there. For clusters without replicas.
    /// From then on, nodes cannot be found by their slots or masters any more.
    ///
    /// # Errors
    /// A sentence that says what went wrong.
    pub fn behind_proxies(&self) -> Result<Vec<Proxy>, String> {
        let proxies: Vec<Proxy> = (0..self.nodes())
            .map(|node| Proxy::start(&self.address(node)).map_err(|error| format!("no proxy: {error}")))
            .collect::<Result<_, _>>()?;
        for (node, proxy) in proxies.iter().enumerate() {
            let port = proxy.address().port().to_string();
            self.ask(node, &["CONFIG", "SET", "cluster-announce-port", &port])?;
        }
        let ports: Vec<String> = proxies.iter().map(|proxy| format!(":{}@", proxy.address().port())).collect();
        self.wait_until("all nodes know of the proxies", || {
            (0..self.nodes()).all(|node| {
                let nodes = self.ask(node, &["CLUSTER", "NODES"]).ok().and_then(Reply::into_text).unwrap_or_default();
                ports.iter().all(|port| nodes.contains(port))
            })
        })?;
        Ok(proxies)
    }
}
