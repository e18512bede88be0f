//! The session in virtual time, against a server that says exactly what the test tells it to.

mod order;
mod reconnect;
mod requests;
mod sync;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use proto::entry::Entry;
use proto::frame::Decoder;
use proto::wire::frame::Body;
use proto::wire::{self, Delivery, Frame, HistoryPage, Push, Resumed, SyncPage, Welcome};

use super::{Action, Config, Session};
use crate::content;
use crate::conversations::ConversationId;
use crate::error::Result;
use crate::event::{Cursor, Event};

/// The conversation most tests talk in.
const C: ConversationId = ConversationId::Group(7);
const ME: u64 = 42;
const EPOCH: u64 = 9;
const HEARTBEAT: Duration = Duration::from_secs(30);
const RESUME_WINDOW: Duration = Duration::from_secs(60);

fn config() -> Config {
    Config {
        token: "secret".to_owned(),
        device_id: "device".to_owned(),
        platform: 0,
        client: "test".to_owned(),
        request_timeout: Duration::from_secs(5),
        send_timeout: None,
        silence_timeout: Duration::from_secs(10),
        max_pending: 100,
        max_in_flight: 4,
        sync_entries: 20,
        gap_wait: Duration::from_millis(50),
        max_gap: 50,
        max_held: 20,
        ack_every: 4,
        ack_after: Duration::from_secs(1),
        backoff_base: Duration::from_millis(500),
        backoff_cap: Duration::from_secs(8),
        seed: 1,
    }
}

/// A session, its clock, and the other end of its connection.
struct Bench {
    session: Session,
    now: Instant,
    welcome: Welcome,
}

impl Bench {
    fn new(cursors: &[Cursor]) -> Self {
        Self::with(config(), cursors)
    }

    fn with(config: Config, cursors: &[Cursor]) -> Self {
        // An arbitrary origin; from here on time is virtual.
        let now = Instant::now();
        let welcome = Welcome {
            user: ME,
            uid: "me".to_owned(),
            session: 1,
            ticket: Bytes::from_static(b"ticket"),
            resume_window_ms: RESUME_WINDOW.as_millis() as u32,
            heartbeat_ms: HEARTBEAT.as_millis() as u32,
            max_frame: 64 * 1024,
            ..Welcome::default()
        };
        Self { session: Session::new(now, config, cursors), now, welcome }
    }

    /// Connects, logs in and finds nothing to synchronise.
    fn open(cursors: &[Cursor]) -> Self {
        let mut bench = Self::new(cursors);
        bench.log_in();
        bench.answer_sync(SyncPage::default());
        bench.events();
        bench
    }

    /// Connects and logs in; synchronisation has been asked for.
    fn log_in(&mut self) {
        assert_eq!(self.actions(), [Action::Connect]);
        self.session.handle_connected(self.now);
        assert!(matches!(self.sent()[..], [Frame { body: Some(Body::Hello(_)), .. }]));
        self.welcome(Resumed::New);
    }

    fn welcome(&mut self, resumed: Resumed) {
        let welcome = Welcome { resumed: resumed.into(), ..self.welcome.clone() };
        self.receive(0, Body::Welcome(welcome));
    }

    /// Answers the one outstanding sync request.
    fn answer_sync(&mut self, page: SyncPage) -> wire::Sync {
        let mut frames = self.sent();
        frames.retain(|frame| !matches!(frame.body, Some(Body::PushAck(_))));
        let (id, sync) = match &frames[..] {
            [Frame { id, body: Some(Body::Sync(sync)) }] => (*id, sync.clone()),
            other => panic!("expected a sync request, got {other:?}"),
        };
        self.receive(id, Body::SyncPage(page));
        sync
    }

    /// Answers the one outstanding history request with these seqs.
    fn answer_history(&mut self, seqs: impl IntoIterator<Item = u64>, first_seq: u64, last_seq: u64) -> wire::History {
        let mut frames = self.sent();
        frames.retain(|frame| !matches!(frame.body, Some(Body::PushAck(_))));
        let (id, history) = match &frames[..] {
            [Frame { id, body: Some(Body::History(history)) }] => (*id, *history),
            other => panic!("expected a history request, got {other:?}"),
        };
        let entries = seqs.into_iter().map(entry).collect();
        let page = HistoryPage { epoch: EPOCH, entries, complete: true, first_seq, last_seq, ..HistoryPage::default() };
        self.receive(id, Body::HistoryPage(page));
        history
    }

    fn receive(&mut self, id: u64, body: Body) {
        self.session.handle_frame(self.now, Frame { id, body: Some(body) });
    }

    /// One push of these seqs.
    fn push(&mut self, seqs: impl IntoIterator<Item = u64>) {
        self.push_in(EPOCH, seqs);
    }

    fn push_in(&mut self, epoch: u64, seqs: impl IntoIterator<Item = u64>) {
        let delivery =
            |seq| Delivery { conversation: Some(C.to_wire()), epoch, entry: Some(entry(seq)), online_only: false };
        self.receive(0, Body::Push(Push { deliveries: seqs.into_iter().map(delivery).collect() }));
    }

    /// Lets time pass, waking the session whenever it asks to be.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.session.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Everything that the session says.
    fn sent(&mut self) -> Vec<Frame> {
        let mut bytes = BytesMut::new();
        while self.session.poll_transmit(self.now, &mut bytes) {}
        let mut decoder = Decoder::new(1 << 20);
        decoder.feed(&bytes);
        std::iter::from_fn(|| decoder.next_message().unwrap()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// The seqs delivered, when nothing else happened.
    fn delivered(&mut self) -> Vec<u64> {
        self.events()
            .into_iter()
            .map(|event| match event {
                Event::Entry(delivered) => delivered.entry.seq,
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    fn replies(&mut self) -> Vec<(u64, Result<Body>)> {
        std::iter::from_fn(|| self.session.poll_reply()).map(|(call, reply)| (call, reply.map(|body| *body))).collect()
    }

    fn send(&mut self, call: u64, client_msg_id: &str) {
        let send = wire::Send {
            conversation: Some(C.to_wire()),
            client_msg_id: client_msg_id.to_owned(),
            content: Some(content::text("hello")),
            online_only: false,
        };
        self.session.handle_request(self.now, call, Box::new(Body::Send(send)));
    }

    fn ack(&mut self, id: u64, client_msg_id: &str, seq: u64) {
        let ack = wire::SendAck {
            client_msg_id: client_msg_id.to_owned(),
            conversation: Some(C.to_wire()),
            epoch: EPOCH,
            seq,
            message_id: 1000 + seq,
            time: 1,
        };
        self.receive(id, Body::SendAck(ack));
    }

    /// Loses the connection and waits until the next one is wanted; returns how long that took.
    fn drop_and_wait(&mut self) -> Duration {
        let start = self.now;
        self.session.handle_disconnected(self.now, "lost");
        while self.actions() != [Action::Connect] {
            self.pass(Duration::from_millis(1));
        }
        self.now - start
    }
}

fn entry(seq: u64) -> Entry {
    Entry { seq, message_id: 1000 + seq, sender: 1, ..Entry::default() }
}

fn cursor(seq: u64) -> Cursor {
    Cursor { conversation: C, epoch: EPOCH, seq, message_id: 0 }
}

fn error(code: wire::error::Code, retry_after_ms: u32) -> Body {
    Body::Error(wire::Error { code: code.into(), retry_after_ms, ..wire::Error::default() })
}

/// The ids of the sends among these frames, with what they were sent under.
fn sends(frames: &[Frame]) -> Vec<(u64, &str)> {
    frames
        .iter()
        .filter_map(|frame| match &frame.body {
            Some(Body::Send(send)) => Some((frame.id, send.client_msg_id.as_str())),
            _ => None,
        })
        .collect()
}
