//! A test of the books themselves: a proxy between the generator and a gateway that breaks promises on purpose.
//!
//! It speaks the session protocol over plain TCP and changes what passes: now and then a message is taken away, doubled, swapped,
//! invented, acknowledged without being passed on, or refused although it was. A run through it must fail, and say why;
//! without a fault it must pass. What is changed, and how, is in `fault/tamper.rs`; this file only moves bytes.

mod tamper;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::BytesMut;
use clap::{Args, ValueEnum};
use proto::frame::{self, Decoder};
use proto::wire::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use tamper::{Counter, Passed, Tamper};

/// Longest frame that either side may send, bytes.
const MAX_FRAME: usize = 16 << 20;
/// Bytes read at once.
const READ: usize = 16 << 10;
/// How long a message is held back that waits for the next one to change places with.
const HELD: Duration = Duration::from_millis(300);

/// Options of the proxy.
#[derive(Debug, Clone, Args)]
pub struct Faulty {
    /// Where to listen, over plain TCP.
    #[arg(long, default_value = "127.0.0.1:5105")]
    pub listen: SocketAddr,
    /// The gateway's plain TCP listener.
    #[arg(long, default_value = "127.0.0.1:5100")]
    pub upstream: SocketAddr,
    /// What to do to messages.
    #[arg(long)]
    pub fault: Fault,
    /// Does it to one message of so many.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub every: u64,
}

/// A promise to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// None: for comparison.
    None,
    /// A push is kept back. No breach: the client notices the hole and asks for what is missing.
    Hole,
    /// A message arrives without its content: lost.
    Drop,
    /// A message arrives with the content of the one before it: that one twice, and it itself lost.
    Duplicate,
    /// Two messages change places.
    Reorder,
    /// A message is acknowledged and never passed on, as by a server that acknowledges before it commits, and dies.
    AckBeforeCommit,
    /// A message is passed on, and its sender told that it was refused.
    Ghost,
    /// A message is acknowledged for another place than its own.
    Misplace,
    /// A message arrives that nobody sent.
    Invent,
}

/// Relays every connection, until dropped. Fails when it cannot listen.
pub async fn run(faulty: Faulty) -> anyhow::Result<()> {
    let listener =
        TcpListener::bind(faulty.listen).await.with_context(|| format!("cannot listen on {}", faulty.listen))?;
    relay(listener, faulty.upstream, faulty.fault, faulty.every).await
}

/// Relays every connection that the listener takes.
pub async fn relay(listener: TcpListener, upstream: SocketAddr, fault: Fault, every: u64) -> anyhow::Result<()> {
    let counter = Arc::new(Counter::new(every));
    loop {
        let (client, _) = listener.accept().await?;
        let counter = Arc::clone(&counter);
        tokio::spawn(async move {
            // A connection that fails is the client's to make anew.
            if let Ok(server) = TcpStream::connect(upstream).await {
                connection(client, server, Tamper::new(fault, counter)).await;
            }
        });
    }
}

/// Moves frames both ways until either side ends.
async fn connection(client: TcpStream, server: TcpStream, tamper: Tamper) {
    // Small frames must not wait for each other. Without it everything works, only later.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let tamper = Mutex::new(tamper);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (to_client, to_server) = (Mutex::new(to_client), Mutex::new(to_server));
    let up = async {
        let mut reader = Reader::new(from_client);
        while let Some(frames) = reader.read(None).await {
            let (mut onward, mut back) = (BytesMut::new(), BytesMut::new());
            let mut tamper = tamper.lock().await;
            for frame in frames {
                match tamper.up(frame) {
                    Passed::Onward(frame) => frame::encode(&frame, &mut onward),
                    Passed::Back(answer) => frame::encode(&answer, &mut back),
                }
            }
            drop(tamper);
            if write(&to_server, &onward).await.is_err() || write(&to_client, &back).await.is_err() {
                break;
            }
        }
    };
    let down = async {
        let mut reader = Reader::new(from_server);
        loop {
            let held = tamper.lock().await.holds().then_some(HELD);
            let Some(frames) = reader.read(held).await else { break };
            let mut onward = BytesMut::new();
            let mut tamper = tamper.lock().await;
            if frames.is_empty() {
                // Nobody came to change places with.
                tamper.release().iter().for_each(|frame| frame::encode(frame, &mut onward));
            }
            for frame in frames.into_iter().flat_map(|frame| tamper.down(frame)) {
                frame::encode(&frame, &mut onward);
            }
            drop(tamper);
            if write(&to_client, &onward).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

/// Cuts what one side says into frames.
struct Reader {
    bytes: OwnedReadHalf,
    buffer: Vec<u8>,
    decoder: Decoder,
}

impl Reader {
    fn new(bytes: OwnedReadHalf) -> Self {
        Self { bytes, buffer: vec![0; READ], decoder: Decoder::new(MAX_FRAME) }
    }

    /// The next frames, at least one; none when nothing comes in time; `None` at the end, or when it is no frame.
    async fn read(&mut self, time: Option<Duration>) -> Option<Vec<Frame>> {
        let deadline = time.map(|time| tokio::time::Instant::now() + time);
        loop {
            let mut frames = Vec::new();
            while let Some(frame) = self.decoder.next_message().ok()? {
                frames.push(frame);
            }
            if !frames.is_empty() {
                return Some(frames);
            }
            let read = self.bytes.read(&mut self.buffer);
            let read = match deadline {
                Some(deadline) => match tokio::time::timeout_at(deadline, read).await {
                    Ok(read) => read,
                    Err(_) => return Some(Vec::new()),
                },
                None => read.await,
            };
            match read {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.decoder.feed(&self.buffer[..read]),
            }
        }
    }
}

async fn write(to: &Mutex<OwnedWriteHalf>, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() { Ok(()) } else { to.lock().await.write_all(bytes).await }
}
