//! An app with two users, the workers beside it, and a provider that is a server of the test's own.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::apps::NewApp;
use domain::entry::content::Kind;
use domain::entry::{Content, Text};
use domain::messages::Outgoing;
use domain::push::{Binding, DeviceRef};
use domain::record::{PushChannel, PushProvider, event};
use domain::tokens::Issue;
use domain::users::NewUser;
use domain::{AppNumber, Audience, Caller, Clock, ConversationId, Deliver, Domain, Outlet, UserId};
use outbound::{Config, Http, Outbound, Share};
use storage::Store;

use crate::fake::{Asked, Fake, Reply};

/// Connects nobody.
struct Nobody;

impl Deliver for Nobody {
    fn deliver(&self, _: AppNumber, _: &Audience, _: &event::Body) {}
    fn missed(&self) {}
}

/// See the module.
pub struct World {
    pub domain: Domain,
    pub store: Store,
    pub fake: Fake,
    pub server: Caller,
    pub alice: Caller,
    pub bob: Caller,
    /// Of this process; none once they are taken.
    pub workers: Option<Outbound>,
}

/// Settings under which nothing takes long.
pub fn config() -> Config {
    Config {
        allow_private: true,
        sweep: Duration::from_millis(200),
        poll: Duration::from_millis(50),
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
        ..Config::default()
    }
}

impl World {
    /// With a channel whose provider answers so, and Bob's phone `phone-token` bound to it.
    pub async fn new(channel: PushChannel, answer: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let fake = Fake::start(answer).await;
        let store = Store::memory(Clock::system());
        let domain = open(&store).await;
        domain.apps.create(NewApp { id: Some("demo".into()), number: Some(7), ..NewApp::default() }).await.unwrap();
        let server = domain.apps.operator(AppNumber(7)).await.unwrap();
        let alice = user(&domain, &server, "alice").await;
        let bob = user(&domain, &server, "bob").await;
        let provider = channel.provider();
        let channel = PushChannel { name: "main".into(), url: fake.url(), ..channel };
        domain.push.set_channel(&server, channel).await.unwrap();
        let workers = Some(start(&domain));
        let world = Self { domain, store, fake, server, alice, bob, workers };
        world.bind(&world.bob, "phone", provider, "abcdef01").await;
        world
    }

    pub async fn bind(&self, user: &Caller, device: &str, provider: PushProvider, token: &str) {
        let binding = Binding { provider, token: token.into(), channel: String::new() };
        self.domain.push.bind(user, DeviceRef::Id(device), binding).await.unwrap();
    }

    /// Lets Alice say something to Bob.
    pub async fn say(&self, text: &str) {
        say(&self.domain, &self.alice, &self.bob, text).await;
    }

    /// What is left to be done about what Alice said.
    pub async fn left(&self) -> usize {
        let here = ConversationId::direct(id(&self.alice), id(&self.bob));
        let work = self.domain.outbox.work(AppNumber(7), here, 100).await.unwrap();
        work.due.len() + usize::from(work.next.is_some())
    }
}

pub async fn open(store: &Store) -> Domain {
    let outlet = Outlet::Here(Arc::new(Nobody));
    Domain::open(store.clone(), Clock::system(), outlet, domain::Config::default()).await.unwrap()
}

pub fn start(domain: &Domain) -> Outbound {
    Outbound::start(domain.clone(), Clock::system(), Http::new(&config()), &config(), Share::Alone)
}

pub async fn user(domain: &Domain, server: &Caller, uid: &str) -> Caller {
    let new = NewUser { uid: Some(uid.into()), ..NewUser::default() };
    let user = domain.users.create(server, new).await.unwrap();
    let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
    let token = domain.tokens.issue(server, UserId(user.id), issue).await.unwrap();
    domain.tokens.authenticate(&token.text).await.unwrap()
}

pub async fn say(domain: &Domain, from: &Caller, to: &Caller, text: &str) {
    try_say(domain, from, to, text).await.unwrap();
}

pub async fn try_say(domain: &Domain, from: &Caller, to: &Caller, text: &str) -> domain::Result<()> {
    let content = Content { kind: Some(Kind::Text(Text { text: text.into() })), ..Content::default() };
    let conversation = ConversationId::direct(id(from), id(to));
    let client_msg_id = text.into();
    let message = Outgoing { conversation, client_msg_id, content, online_only: false };
    domain.messages.send(from, message).await.map(|_| ())
}

pub fn id(caller: &Caller) -> UserId {
    caller.user().unwrap()
}

/// A fresh key as Apple hands it out.
pub fn elliptic_key() -> (String, EcdsaKeyPair) {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    (pem(der.as_ref()), EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap())
}

/// A fresh key as a service account holds it.
pub fn rsa_key() -> (String, rsa::KeyPair) {
    let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    (pem(der.as_ref()), key)
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}
