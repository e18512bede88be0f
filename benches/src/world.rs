//! A gateway over a store in memory, all on one thread, and phones that speak to it from another: what allocates on the first is the server's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::BytesMut;
use domain::messages::Outgoing;
use domain::record::Role;
use domain::tokens::Issue;
use domain::users::NewUser;
use domain::{AppNumber, Caller, Clock, ConversationId, Domain, GroupId, Outlet, UserId};
use gateway::config::Rate;
use gateway::{Gateway, Hub};
use proto::frame::{self, Decoder};
use proto::wire;
use proto::wire::frame::Body;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::frames;
use crate::services::{CONVERSATIONS, MESSAGES};

/// The rules of pace are not what is measured.
const UNLIMITED: Rate = Rate { per_second: 0, burst: 0 };

/// The server side.
pub struct World {
    /// The one thread.
    pub runtime: Runtime,
    /// Everything that the gateway serves.
    pub domain: Domain,
    /// The app's own id.
    pub app: String,
    server: Caller,
    address: SocketAddr,
    _gateway: Gateway,
}

/// Somebody who can log in.
#[derive(Clone)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// What the user shows.
    pub token: String,
}

impl World {
    /// A gateway that listens on a free port of this machine.
    ///
    /// # Panics
    /// If it cannot.
    #[must_use]
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let mut config = gateway::Config { frames: UNLIMITED, sends: UNLIMITED, ..gateway::Config::default() };
        config.tcp.listen = "127.0.0.1:0".to_owned();
        config.tls.enabled = false;
        config.quic.enabled = false;
        let clock = Clock::system();
        let hub = Hub::new(config);
        let outlet = Outlet::Here(hub.clone());
        let store = storage::Store::memory(clock.clone());
        let (domain, app, server, gateway) = runtime.block_on(async {
            let domain =
                Domain::open(store, clock.clone(), outlet, domain::Config::default()).await.expect("memory opens");
            let app = domain.apps.create(domain::apps::NewApp::default()).await.expect("memory takes an app").app;
            let server = domain.apps.operator(AppNumber(app.number)).await.expect("the app is there");
            let gateway = Gateway::start(domain.clone(), hub, clock, None).await.expect("a port is free");
            (domain, app.id, server, gateway)
        });
        let address = gateway.addresses().tcp.expect("TCP is on");
        Self { runtime, domain, app, server, address, _gateway: gateway }
    }

    /// So many users with a token each.
    ///
    /// # Panics
    /// If the store in memory refuses.
    #[must_use]
    pub fn users(&self, count: usize) -> Vec<User> {
        let mut users = Vec::with_capacity(count);
        for number in 1..=count {
            let new = NewUser { uid: Some(format!("user-{number}")), ..NewUser::default() };
            let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
            users.push(self.runtime.block_on(async {
                let id = UserId(self.domain.users.create(&self.server, new).await.expect("memory takes a user").id);
                let token = self.domain.tokens.issue(&self.server, id, issue).await.expect("memory takes a token").text;
                User { id, token }
            }));
        }
        users
    }

    /// A group of these users.
    ///
    /// # Panics
    /// If the store in memory refuses.
    #[must_use]
    pub fn group(&self, users: &[User]) -> ConversationId {
        let members = users.iter().map(|user| (user.id, Role::Member)).collect();
        let new = domain::groups::NewGroup { name: "group".to_owned(), members, ..Default::default() };
        let made = self.runtime.block_on(self.domain.groups.create(&self.server, new));
        ConversationId::Group(GroupId(made.expect("memory takes a group").id))
    }

    /// The user, as the domain knows callers.
    ///
    /// # Panics
    /// If there is no such user.
    #[must_use]
    pub fn caller(&self, user: &User) -> Caller {
        self.runtime.block_on(self.domain.tokens.act_as(&self.server, user.id)).expect("the user is there")
    }

    /// A user who has something to synchronise.
    #[must_use]
    pub fn well_known(&self) -> Caller {
        let mut users = self.users(1 + CONVERSATIONS);
        let user = users.swap_remove(0);
        for other in &users {
            self.submit(other, &user, MESSAGES);
        }
        self.caller(&user)
    }

    /// Sends `count` messages from one user to another through the domain, one after the other, each waited for.
    ///
    /// # Panics
    /// If one is refused.
    pub fn submit(&self, from: &User, to: &User, count: usize) {
        let caller = self.caller(from);
        self.runtime.block_on(async {
            for number in 0..count {
                let message = Outgoing {
                    conversation: ConversationId::direct(from.id, to.id),
                    client_msg_id: format!("bench-{number}"),
                    content: frames::text(),
                    online_only: false,
                };
                self.domain.messages.send(&caller, message).await.expect("the message is taken");
            }
        });
    }

    /// Lets the server run on this thread until `phones`, which runs on another, is done.
    ///
    /// # Panics
    /// If `phones` does.
    pub fn serve<T: Send + 'static>(&self, phones: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
        let (done, over) = oneshot::channel();
        let address = self.address;
        let thread = std::thread::spawn(move || {
            let outcome = phones(address);
            // Whoever waited is gone only if it panicked.
            let _ = done.send(());
            outcome
        });
        // Without an answer the phones have panicked, which `join` tells.
        let _ = self.runtime.block_on(over);
        thread.join().expect("the phones do what they are to do")
    }
}

/// The client side: a blocking socket.
pub struct Phone {
    stream: TcpStream,
    decoder: Decoder,
    id: u64,
    received: u64,
}

impl Phone {
    /// Connects and logs in.
    ///
    /// # Panics
    /// If the gateway does not let it.
    #[must_use]
    pub fn log_in(address: SocketAddr, user: &User) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream.set_nodelay(true).expect("the socket is open");
        let mut phone = Self { stream, decoder: Decoder::new(1 << 20), id: 0, received: 0 };
        let hello = wire::Hello { token: user.token.clone(), device_id: "phone".to_owned(), ..Default::default() };
        phone.say(Body::Hello(hello));
        phone.until(|body| matches!(body, Body::Welcome(_)));
        phone
    }

    /// Sends a message, and waits for its ack.
    ///
    /// # Panics
    /// If it is refused.
    pub fn send(&mut self, conversation: ConversationId) {
        let send = wire::Send {
            conversation: Some(conversation.to_wire()),
            client_msg_id: format!("bench-{}", self.id),
            content: Some(frames::text()),
            online_only: false,
        };
        self.say(Body::Send(send));
        self.until(|body| matches!(body, Body::SendAck(_)));
    }

    /// Waits for a pushed message, and says that it has come.
    ///
    /// # Panics
    /// If something else comes.
    pub fn hear(&mut self) {
        self.until(|body| matches!(body, Body::Push(_)));
        self.received += 1;
        self.say(Body::PushAck(wire::PushAck { received: self.received }));
    }

    fn say(&mut self, body: Body) {
        self.id += 1;
        let mut bytes = BytesMut::new();
        frame::encode(&wire::Frame { id: self.id, body: Some(body) }, &mut bytes);
        self.stream.write_all(&bytes).expect("the gateway reads");
    }

    fn until(&mut self, wanted: impl Fn(&Body) -> bool) {
        loop {
            let next = self.decoder.next_message::<wire::Frame>().expect("the gateway sends frames");
            match next.and_then(|frame| frame.body) {
                Some(body) if wanted(&body) => return,
                Some(body) => panic!("not what was waited for: {body:?}"),
                None => {}
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).expect("the gateway answers");
            assert!(count > 0, "the gateway ended the connection");
            self.decoder.feed(&buffer[..count]);
        }
    }
}
