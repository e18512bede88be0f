//! The rules of a connection, in virtual time.

mod anything;
mod every;
mod lifecycle;
mod logins;
mod order;
mod requests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::messages::Sent;
use domain::units::ByteSize;
use domain::{Caller, Clock, ConversationId, Domain, Epoch, MessageId, Outlet, Seq, SessionId, UserId, record};
use proto::{Message, entry, wire};
use wire::error::Code;
use wire::frame::Body;

use super::*;
use crate::config::Rate;
use crate::encode;
use crate::registry::Hub;
use every::{every_request, typing};

const USER: UserId = UserId(7);
const PEER: UserId = UserId(9);

/// A session and a clock that stands where it is put.
struct Bench {
    session: Session,
    start: Instant,
    passed: Duration,
}

impl Bench {
    fn new(config: Config) -> Self {
        let start = Instant::now();
        Self { session: Session::new(Arc::new(config), start), start, passed: Duration::ZERO }
    }

    /// A session that is logged in.
    fn open(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.hear(1, hello());
        assert!(matches!(bench.session.poll_call(), Some(Call::Authenticate(login)) if login.token == "secret"));
        bench.session.handle_reply(bench.now(), authenticated());
        assert!(matches!(bench.said()[..], [(1, Body::Welcome(_))]));
        bench
    }

    fn now(&self) -> Now {
        Now { at: self.start + self.passed, unix_ms: 1_000_000 }
    }

    fn pass(&mut self, span: Duration) {
        self.passed += span;
        let now = self.now().at;
        self.session.handle_timeout(now);
    }

    fn hear(&mut self, id: u64, body: Body) {
        let now = self.now();
        self.session.handle_frame(now, wire::Frame { id, body: Some(body) });
    }

    fn event(&mut self, event: &Event<'_>) {
        let now = self.now().at;
        self.session.handle_event(now, event);
    }

    fn disconnect(&mut self) {
        let now = self.now().at;
        self.session.handle_disconnect(now);
    }

    /// Everything that it has to say.
    fn said(&mut self) -> Vec<(u64, Body)> {
        std::iter::from_fn(|| self.session.poll_transmit())
            .map(|bytes| {
                let frame = wire::Frame::decode_length_delimited(bytes).unwrap();
                (frame.id, frame.body.unwrap())
            })
            .collect()
    }

    /// The one thing that it says must be an error.
    fn error(&mut self) -> wire::Error {
        match &self.said()[..] {
            [(_, Body::Error(error))] => error.clone(),
            other => panic!("no error but {other:?}"),
        }
    }

    fn call(&mut self) -> (u32, Request) {
        match self.session.poll_call() {
            Some(Call::Ask { key, request }) => (key, request),
            other => panic!("no request but {other:?}"),
        }
    }

    fn push(&mut self, seq: u64) {
        self.push_from(PEER, seq, "");
    }

    fn push_from(&mut self, sender: UserId, seq: u64, client_msg_id: &str) {
        let appended = appended(sender, seq, client_msg_id);
        self.event(&Event::Appended { appended: &appended, frame: encode::push(&appended) });
    }

    /// Seqs of what it pushes and acknowledges, in order.
    fn seqs(&mut self) -> Vec<u64> {
        self.said()
            .into_iter()
            .filter_map(|(_, body)| match body {
                Body::Push(push) => Some(push.deliveries[0].entry.as_ref().unwrap().seq),
                Body::SendAck(ack) => Some(ack.seq),
                _ => None,
            })
            .collect()
    }

    fn resume(&mut self, received: u64) -> wire::Resumed {
        let now = self.now();
        assert!(self.session.handle_resume(now, 1, ticket(), received));
        let first = self.session.poll_transmit().unwrap();
        match wire::Frame::decode_length_delimited(first).unwrap().body {
            Some(Body::Welcome(welcome)) => welcome.resumed(),
            other => panic!("no welcome but {other:?}"),
        }
    }
}

/// A caller, as only authentication makes one.
fn caller() -> Caller {
    static CALLER: std::sync::OnceLock<Caller> = std::sync::OnceLock::new();
    let make = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = Clock::system();
            let outlet = Outlet::Here(Hub::new(Config::default()));
            let store = storage::Store::memory(clock.clone());
            let domain = Domain::open(store, clock, outlet, domain::Config::default()).await.unwrap();
            let app = domain.apps.create(domain::apps::NewApp::default()).await.unwrap().app;
            domain.apps.operator(domain::AppNumber(app.number)).await.unwrap()
        })
    };
    CALLER.get_or_init(make).clone()
}

fn hello() -> Body {
    let hello = wire::Hello { token: "secret".into(), device_id: "phone".into(), ..wire::Hello::default() };
    Body::Hello(hello)
}

fn ticket() -> Bytes {
    Bytes::from_static(b"ticket")
}

fn authenticated() -> Reply {
    let identity = Identity {
        caller: caller(),
        user: USER,
        uid: "seven".into(),
        generation: 0,
        session: SessionId(1),
        device_id: "phone".into(),
        platform: 0,
        client: "".into(),
    };
    Reply::Authenticated { identity: Box::new(identity), ticket: ticket() }
}

fn conversation() -> ConversationId {
    ConversationId::direct(USER, PEER)
}

fn content() -> entry::Content {
    let kind = entry::content::Kind::Text(entry::Text { text: "hello".into() });
    entry::Content { kind: Some(kind), ..entry::Content::default() }
}

fn send(client_msg_id: &str) -> Body {
    Body::Send(wire::Send {
        conversation: Some(conversation().to_wire()),
        client_msg_id: client_msg_id.into(),
        content: Some(content()),
        online_only: false,
    })
}

fn sent(seq: u64) -> Sent {
    Sent { conversation: conversation(), epoch: Epoch(1), seq: Seq(seq), message_id: MessageId(seq), time: 1 }
}

fn appended(sender: UserId, seq: u64, client_msg_id: &str) -> record::Appended {
    let entry = entry::Entry { seq, sender: sender.0, client_msg_id: client_msg_id.into(), ..entry::Entry::default() };
    record::Appended {
        conversation: Some(conversation().to_wire()),
        epoch: 1,
        members_version: 0,
        entry: Some(entry),
        online_only: false,
        room: false,
        outbox: false,
    }
}

fn ping() -> Body {
    Body::Ping(wire::Ping {})
}

fn history() -> Body {
    Body::History(wire::History { conversation: Some(conversation().to_wire()), ..wire::History::default() })
}
