//! Work of the gateway's session: from a frame that arrived to the frame that answers it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use domain::messages::Sent;
use domain::{ConversationId, Epoch, MessageId, Seq, SessionId, UserId};
use gateway::config::Rate;
use gateway::session::{Call, Identity, Now, Reply, Session};

use crate::frames;

/// The rules of pace are not what is measured.
const UNLIMITED: Rate = Rate { per_second: u32::MAX, burst: u32::MAX };

/// A session that is logged in, and whose store answers at once.
pub struct Stepper {
    session: Session,
    now: Now,
    next: u64,
}

impl Stepper {
    /// Logs in.
    ///
    /// # Panics
    /// If the session does not ask for the token to be checked.
    #[must_use]
    pub fn new(caller: domain::Caller) -> Self {
        let at = Instant::now();
        let now = Now { at, unix_ms: 1_800_000_000_000 };
        let config = gateway::Config { frames: UNLIMITED, sends: UNLIMITED, ..gateway::Config::default() };
        let mut session = Session::new(Arc::new(config), at);
        let hello = proto::wire::Hello { token: "t".into(), device_id: "bench".into(), ..Default::default() };
        session.handle_frame(now, proto::wire::Frame { id: 1, body: Some(proto::wire::frame::Body::Hello(hello)) });
        assert!(matches!(session.poll_call(), Some(Call::Authenticate(_))), "the token is checked first");
        let identity = Box::new(Identity {
            caller,
            user: UserId(1),
            generation: 0,
            uid: "bench".into(),
            session: SessionId(1),
            device_id: "bench".into(),
            platform: 0,
            client: "bench".into(),
        });
        session.handle_reply(now, Reply::Authenticated { identity, ticket: Bytes::from_static(b"ticket") });
        while session.poll_transmit().is_some() {}
        Self { session, now, next: 1 }
    }

    /// One message: the frame in, the call out, the store's answer in, the ack out. Bytes of the ack.
    ///
    /// # Panics
    /// If the session does not hand the message on, or does not ack it.
    pub fn send(&mut self) -> usize {
        self.next += 1;
        self.session.handle_frame(self.now, frames::send(self.next));
        let Some(Call::Ask { key, .. }) = self.session.poll_call() else { panic!("the message is handed on") };
        let sent = Sent {
            conversation: ConversationId::direct(UserId(1), UserId(2)),
            epoch: Epoch(1),
            seq: Seq(self.next),
            message_id: MessageId(self.next),
            time: self.now.unix_ms,
        };
        self.session.handle_reply(self.now, Reply::Sent { key, outcome: Ok(sent) });
        self.session.poll_transmit().expect("the message is acked").len()
    }
}

/// A caller to log in with, from a store that keeps nothing.
///
/// # Panics
/// If the store in memory refuses.
pub async fn caller() -> domain::Caller {
    let clock = domain::Clock::system();
    let store = storage::Store::memory(clock.clone());
    let outlet = domain::Outlet::Bus(storage::Bus::local());
    let domain = domain::Domain::open(store, clock, outlet, domain::Config::default()).await.expect("memory opens");
    let app = domain.apps.create(domain::apps::NewApp::default()).await.expect("memory takes an app").app;
    domain.apps.operator(domain::AppNumber(app.number)).await.expect("the app is there")
}
