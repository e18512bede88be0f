//! A gateway over a domain over memory, with users to log in.

use std::sync::Arc;
use std::time::Duration;

use domain::apps::NewApp;
use domain::tokens::Issue;
use domain::users::NewUser;
use domain::{Caller, Clock, ConversationId, Domain, Outlet, UserId};
use gateway::{Certs, Config, Gateway, Hub};
use storage::{Bus, Store, Subscription};
use tokio::task::JoinHandle;

use crate::client::Client;

pub(crate) struct World {
    pub(crate) domain: Domain,
    pub(crate) hub: Arc<Hub>,
    pub(crate) gateway: Gateway,
    pub(crate) server: Caller,
    store: Store,
    clock: Clock,
    _listening: Option<Listening>,
}

/// Takes to the domain what other gateways tell, as long as it lives.
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A user who can log in.
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) token: String,
}

/// Ports of its own, and no patience beyond what the test needs.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.tcp.listen = "127.0.0.1:0".into();
    config.tls.listen = "127.0.0.1:0".into();
    config.quic.listen = "127.0.0.1:0".into();
    config
}

/// A certificate for `localhost`.
pub(crate) fn certs() -> Certs {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Certs::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let clock = Clock::system();
        let hub = Hub::new(config);
        let store = Store::memory(clock.clone());
        let outlet = Outlet::Here(hub.clone());
        let domain = Domain::open(store.clone(), clock.clone(), outlet, domain::Config::default()).await.unwrap();
        let app = domain.apps.create(NewApp::default()).await.unwrap();
        let server = domain.apps.operator(domain::AppNumber(app.app.number)).await.unwrap();
        let gateway = Gateway::start(domain.clone(), hub.clone(), clock.clone(), Some(certs())).await.unwrap();
        Self { domain, hub, gateway, server, store, clock, _listening: None }
    }

    /// Gateways that share a store, and hear each other over these buses; one on each.
    pub(crate) async fn cluster(config: &Config, store: &Store, buses: Vec<Bus>) -> Vec<Self> {
        let clock = Clock::system();
        let mut gateways: Vec<Self> = Vec::new();
        for bus in buses {
            let hub = Hub::new(config.clone());
            let heard = bus.subscribe(100_000);
            let outlet = Outlet::Both(hub.clone(), bus);
            let limits = domain::Config::default();
            let domain = Domain::open(store.clone(), clock.clone(), outlet, limits).await.unwrap();
            let listening = Listening(tokio::spawn(pass_on(heard, domain.clone())));
            let server = match gateways.first() {
                Some(first) => first.server.clone(),
                None => {
                    let app = domain.apps.create(NewApp::default()).await.unwrap();
                    domain.apps.operator(domain::AppNumber(app.app.number)).await.unwrap()
                }
            };
            let gateway = Gateway::start(domain.clone(), hub.clone(), clock.clone(), Some(certs())).await.unwrap();
            gateways.push(Self {
                domain,
                hub,
                gateway,
                server,
                store: store.clone(),
                clock: clock.clone(),
                _listening: Some(listening),
            });
        }
        gateways
    }

    /// The domain of a process without sessions, that tells the others over a bus.
    pub(crate) async fn rest(&self, bus: Bus) -> Domain {
        let outlet = Outlet::Bus(bus);
        Domain::open(self.store.clone(), self.clock.clone(), outlet, domain::Config::default()).await.unwrap()
    }

    /// The domain of another process, whose events nobody hears.
    pub(crate) async fn another(&self) -> Domain {
        let outlet = Outlet::Bus(storage::Bus::local());
        Domain::open(self.store.clone(), self.clock.clone(), outlet, domain::Config::default()).await.unwrap()
    }

    pub(crate) async fn user(&self, uid: &str) -> User {
        let new = NewUser { uid: Some(uid.to_owned()), ..NewUser::default() };
        let user = self.domain.users.create(&self.server, new).await.unwrap();
        let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
        let token = self.domain.tokens.issue(&self.server, UserId(user.id), issue).await.unwrap().text;
        User { id: UserId(user.id), token }
    }

    /// A connection over plain TCP, before any login.
    pub(crate) async fn connect(&self) -> Client {
        Client::tcp(self.gateway.addresses().tcp.unwrap()).await
    }

    /// A user's device, logged in over plain TCP.
    pub(crate) async fn device(&self, user: &User, device: &str) -> Client {
        let mut client = self.connect().await;
        client.log_in(user, device).await;
        client
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..500 {
            if holds(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("in vain: {what}");
    }
}

async fn pass_on(mut heard: Subscription, domain: Domain) {
    loop {
        match heard.recv().await {
            Ok(payload) => domain.receive(proto::Message::decode(payload).unwrap()).await,
            Err(_) => domain.miss(),
        }
    }
}

pub(crate) fn direct(one: &User, other: &User) -> ConversationId {
    ConversationId::direct(one.id, other.id)
}
