//! A gateway in miniature, inside the test: real sockets, real frames, logs in memory.
//!
//! It keeps the promises that the client relies on (dense seqs, one place per `client_msg_id`, resume by ticket and count) and can
//! be told to misbehave where a network or a crash would.

mod listen;
mod state;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use proto::frame::{Decoder, encode};
use proto::wire::{Drain, Frame, Kicked, frame::Body, kicked};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

pub(crate) use self::state::State;
use self::state::Step;

/// Frames on their way to one client.
const QUEUE: usize = 64;

/// A running fake.
pub(crate) struct Fake {
    pub(crate) state: Arc<State>,
    pub(crate) tcp: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) quic: SocketAddr,
    /// The certificate's authority, as PEM.
    pub(crate) authority: Vec<u8>,
}

impl Fake {
    /// Listens on all three transports, on free ports.
    pub(crate) async fn start() -> Self {
        let state = Arc::new(State::default());
        let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let tls_config = listen::server_config(&certificate);
        let tcp = listen::tcp(Arc::clone(&state)).await;
        let tls = listen::tls(Arc::clone(&state), tls_config.clone()).await;
        let quic = listen::quic(Arc::clone(&state), tls_config);
        Self { state, tcp, tls, quic, authority: certificate.cert.pem().into_bytes() }
    }

    /// Ends every connection, as a crash of the network would.
    pub(crate) fn cut(&self) {
        self.state.cut.notify_waiters();
    }

    /// Tells every client to come back later.
    pub(crate) fn drain(&self, reconnect_after_ms: u32) {
        self.state.tell_all(&Body::Drain(Drain { reconnect_after_ms }));
    }

    /// Ends every session for good.
    pub(crate) fn kick(&self) {
        let reason = kicked::Reason::Admin.into();
        self.state.tell_all(&Body::Kicked(Kicked { reason, message: "out".to_owned() }));
    }

    /// How often a client has logged in or resumed.
    pub(crate) fn logins(&self) -> usize {
        self.state.logins.load(Ordering::SeqCst)
    }
}

/// Serves one connection until it ends.
async fn serve(state: Arc<State>, mut reader: impl AsyncRead + Unpin, mut writer: impl AsyncWrite + Unpin) {
    let (frames, mut outgoing) = mpsc::channel::<Frame>(QUEUE);
    let mut session = None;
    let mut decoder = Decoder::new(1 << 20);
    let mut bytes = vec![0; 4096];
    let cut = state.cut.notified();
    tokio::pin!(cut);
    loop {
        tokio::select! {
            () = &mut cut => break,
            frame = outgoing.recv() => {
                let mut out = BytesMut::new();
                encode(&frame.unwrap(), &mut out);
                while let Ok(frame) = outgoing.try_recv() {
                    encode(&frame, &mut out);
                }
                // A client that does not read holds up only its own connection.
                let wrote = tokio::select! {
                    wrote = writer.write_all(&out) => wrote,
                    () = &mut cut => break,
                };
                if wrote.is_err() {
                    break;
                }
                state.written.fetch_add(out.len(), Ordering::SeqCst);
            }
            read = reader.read(&mut bytes) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    decoder.feed(&bytes[..count]);
                    let mut answers = Vec::new();
                    let mut end = false;
                    while let Some(frame) = decoder.next_message::<Frame>().unwrap() {
                        match state.handle(&mut session, &frames, frame) {
                            Step::Answer(answer) => answers.push(answer),
                            Step::Nothing => {}
                            Step::End(answer) => {
                                answers.extend(answer);
                                end = true;
                            }
                        }
                    }
                    let mut out = BytesMut::new();
                    for answer in answers {
                        encode(&answer, &mut out);
                    }
                    if writer.write_all(&out).await.is_err() || end {
                        let _ = writer.shutdown().await;
                        break;
                    }
                }
            }
        }
    }
    state.park(session);
}
