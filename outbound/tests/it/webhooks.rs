//! Apps' servers that are asked before a message is sent, and told after.

use std::sync::Arc;

use domain::record::Webhook;
use domain::{AppNumber, Clock, ConversationId, Denial, Domain, Error, Millis};
use outbound::{Config, Http, Webhooks};
use serde_json::json;
use storage::Store;

use crate::fake::{Asked, Fake, Reply};
use crate::world::{config, id, open, start, try_say, user};

const SECRET: &str = "0123456789abcdef";

struct Room {
    domain: Domain,
    fake: Fake,
    alice: domain::Caller,
    bob: domain::Caller,
}

impl Room {
    async fn new(config: &Config, answer: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let fake = Fake::start(answer).await;
        let domain = open(&Store::memory(Clock::system())).await;
        let new = domain::apps::NewApp { id: Some("demo".into()), number: Some(7), ..Default::default() };
        domain.apps.create(new).await.unwrap();
        domain.webhooks.install(Arc::new(Webhooks::new(Http::new(config), Clock::manual(Millis(1_700_000_000_000)))));
        let server = domain.apps.operator(AppNumber(7)).await.unwrap();
        let (alice, bob) = (user(&domain, &server, "alice").await, user(&domain, &server, "bob").await);
        Self { domain, fake, alice, bob }
    }

    fn hook(&self, fail_closed: bool) -> Webhook {
        Webhook { url: self.fake.url() + "/hook", secret: SECRET.into(), timeout_ms: 1_000, fail_closed }
    }

    async fn say(&self, text: &str) -> domain::Result<()> {
        try_say(&self.domain, &self.alice, &self.bob, text).await
    }
}

#[tokio::test]
async fn a_server_is_asked_and_what_it_says_counts() {
    let room = Room::new(&config(), |_| (200, json!({ "pass": false }))).await;
    room.domain.set_webhooks("demo", Some(room.hook(false)), None).await.unwrap();
    assert!(matches!(room.say("hi").await, Err(Error::Denied(Denial::Censored))));
    let asked = room.fake.next().await;
    assert_eq!((asked.path.as_str(), asked.header("content-type")), ("/hook", "application/json"));
    assert_eq!((&asked.json()["event"], &asked.json()["message"]["text"]), (&json!("message.before"), &json!("hi")));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let shown = asked.header("linnet-signature").strip_prefix("t=1700000000,v1=").unwrap();
    let signed = format!("1700000000.{}", asked.body);
    aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &hex::decode(shown).unwrap()).unwrap();

    room.fake.answers(|_| (200, json!({ "pass": true })));
    room.say("hi").await.unwrap();
}

#[tokio::test]
async fn a_server_that_fails_lets_pass_or_not_as_it_is_set() {
    let room = Room::new(&config(), |_| (500, json!({ "pass": false }))).await;
    room.domain.set_webhooks("demo", Some(room.hook(false)), None).await.unwrap();
    room.say("one").await.unwrap();
    room.domain.set_webhooks("demo", Some(room.hook(true)), None).await.unwrap();
    assert!(matches!(room.say("two").await, Err(Error::Limited { .. })));
}

#[tokio::test]
async fn a_private_address_is_not_asked_unless_that_is_allowed() {
    let closed = Config { allow_private: false, ..config() };
    let room = Room::new(&closed, |_| (200, json!({ "pass": true }))).await;
    room.domain.set_webhooks("demo", Some(room.hook(true)), None).await.unwrap();
    assert!(matches!(room.say("hi").await, Err(Error::Limited { .. })));
    room.fake.silence().await;
}

#[tokio::test]
async fn a_server_is_told_of_every_message_until_it_takes_it() {
    let mut failures = [(503, json!({})), (404, json!({}))].into_iter();
    let room = Room::new(&config(), move |_| failures.next().unwrap_or((200, json!({})))).await;
    room.domain.set_webhooks("demo", None, Some(room.hook(false))).await.unwrap();
    let workers = start(&room.domain);
    room.say("one").await.unwrap();
    for _ in 0..3 {
        let told = room.fake.next().await.json();
        assert_eq!((&told["event"], &told["message"]["text"]), (&json!("message.after"), &json!("one")));
        assert_eq!((&told["message"]["seq"], &told["sender"]["uid"]), (&json!(1), &json!("alice")));
    }
    room.say("two").await.unwrap();
    assert_eq!(room.fake.next().await.json()["message"]["text"], "two");
    room.fake.silence().await;
    workers.stop().await;
    let here = ConversationId::direct(id(&room.alice), id(&room.bob));
    let left = room.domain.outbox.work(AppNumber(7), here, 10).await.unwrap();
    assert!(left.due.is_empty() && left.next.is_none());
}
