//! Rules about what is said: words, silence, pace, and an app's server that is asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::messages::Outgoing;
use domain::record::{AppSettings, Silence, Webhook, WordAction};
use domain::rules::SendLimit;
use domain::webhooks::Carry;
use domain::{Caller, Config, ConversationId, Denial, Error, Result, Seq, entry};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::world::{World, direct, id, outgoing, said, text};

struct Room {
    world: World,
    alice: Caller,
    bob: Caller,
    to: ConversationId,
    sent: Mutex<u32>,
}

impl Room {
    async fn new() -> Self {
        Self::over(World::new().await).await
    }

    async fn over(world: World) -> Self {
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        let to = direct(&alice, &bob);
        Self { world, alice, bob, to, sent: Mutex::new(0) }
    }

    async fn say(&self, from: &Caller, words: &str) -> Result<()> {
        let number = {
            let mut sent = self.sent.lock();
            *sent += 1;
            *sent
        };
        self.world.send(from, self.to, &number.to_string(), words).await.map(|_| ())
    }

    /// What the other one reads last.
    async fn last(&self) -> entry::Entry {
        self.world.all(&self.bob, self.to).await.pop().unwrap()
    }

    async fn add(&self, words: &[&str], action: WordAction) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.world.domain.rules.add_words(&self.world.server, &words, action).await.unwrap();
    }
}

fn censored(outcome: &Result<()>) -> bool {
    matches!(outcome, Err(Error::Denied(Denial::Censored)))
}

#[tokio::test]
async fn words_are_refused_masked_or_marked() {
    let room = Room::new().await;
    room.say(&room.alice, "坏词").await.unwrap();
    room.add(&["坏词"], WordAction::Reject).await;
    room.add(&["loud"], WordAction::Mask).await;
    room.add(&["odd"], WordAction::Flag).await;
    assert!(censored(&room.say(&room.alice, "这是坏 词").await));
    room.say(&room.alice, "a LOUD word").await.unwrap();
    assert_eq!(said(&room.last().await), Some("a **** word"));
    room.say(&room.alice, "an odd word").await.unwrap();
    let Some(entry::entry::Body::Message(content)) = room.last().await.body else { panic!("no message") };
    assert!(content.flagged);
    room.say(&room.alice, "a nice word").await.unwrap();
    let Some(entry::entry::Body::Message(content)) = room.last().await.body else { panic!("no message") };
    assert!(!content.flagged);
    // The app's own server says what it likes.
    room.world
        .domain
        .messages
        .send(&room.world.server, outgoing(ConversationId::Notices(id(&room.bob)), "1", "坏词"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_edit_says_no_more_than_a_message() {
    let room = Room::new().await;
    room.add(&["坏词"], WordAction::Reject).await;
    let sent = room.world.send(&room.alice, room.to, "x", "好词").await.unwrap();
    let edited = room.world.domain.messages.edit(&room.alice, room.to, sent.seq, text("坏词")).await;
    assert!(censored(&edited));
    room.world.domain.messages.edit(&room.alice, room.to, sent.seq, text("好")).await.unwrap();
}

#[tokio::test]
async fn what_a_dialect_keeps_beside_shows_no_word_either() {
    let room = Room::new().await;
    room.add(&["loud"], WordAction::Mask).await;
    let inner = entry::Content { raw: r#"{"text":"loud"}"#.into(), ..text("loud") };
    let forward = entry::Forward {
        title: "a loud title".into(),
        items: vec![entry::Forwarded { content: Some(inner), ..Default::default() }],
    };
    let content = entry::Content {
        kind: Some(entry::content::Kind::Forward(forward)),
        raw: "loud".into(),
        origin: "tim".into(),
        extension: "loud".into(),
        ..Default::default()
    };
    let message = Outgoing { content, ..outgoing(room.to, "1", "") };
    room.world.domain.messages.send(&room.alice, message).await.unwrap();
    let Some(entry::entry::Body::Message(content)) = room.last().await.body else { panic!("no message") };
    assert_eq!(
        (content.raw.as_str(), content.extension.as_str()),
        ("", "loud"),
        "the app's own field is shown to nobody"
    );
    let Some(entry::content::Kind::Forward(forward)) = content.kind else { panic!("no forward") };
    assert_eq!(forward.title, "a **** title");
    let inner = forward.items[0].content.clone().unwrap();
    assert_eq!((inner.raw.as_str(), &inner.kind), ("", &text("****").kind));
}

#[tokio::test]
async fn words_are_listed_and_removed() {
    let config = Config { filter_words: 6, ..Config::default() };
    let room = Room::over(World::with(AppSettings::default(), config).await).await;
    let rules = &room.world.domain.rules;
    room.add(&["b", "C", "a"], WordAction::Reject).await;
    room.add(&["c", "d"], WordAction::Mask).await;
    let page = rules.words(&room.world.server, None, 3).await.unwrap();
    let of = |page: &domain::Page<domain::record::FilterWord>| {
        page.items.iter().map(|word| (word.word.clone(), word.action())).collect::<Vec<_>>()
    };
    let (reject, mask) = (WordAction::Reject, WordAction::Mask);
    assert_eq!(of(&page), [("a".into(), reject), ("b".into(), reject), ("c".into(), mask)], "c has another action now");
    let rest = rules.words(&room.world.server, page.next.as_deref(), 3).await.unwrap();
    assert_eq!((of(&rest), rest.next), (vec![("d".to_owned(), mask)], None));

    rules.remove_words(&room.world.server, &["A".into(), "unknown".into()]).await.unwrap();
    let full = (0..4).map(|n| format!("word {n}")).collect::<Vec<_>>();
    let refused = rules.add_words(&room.world.server, &full, reject).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "words", .. })), "three are there, and six may be");
    rules.add_words(&room.world.server, &full[..3], reject).await.unwrap();
    rules.remove_words(&room.world.server, &full[..3]).await.unwrap();
    room.say(&room.alice, "a").await.unwrap();
    assert!(censored(&room.say(&room.alice, "b").await));
    for words in [vec![], vec![" ".to_owned()], vec!["x".repeat(129)], vec!["w".to_owned(); 1_001]] {
        let refused = rules.add_words(&room.world.server, &words, reject).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "words", .. })));
    }
    assert!(matches!(
        rules.add_words(&room.alice, &["x".into()], reject).await,
        Err(Error::Denied(Denial::Credential))
    ));
}

#[tokio::test]
async fn another_process_sees_new_words_within_a_second() {
    let room = Room::new().await;
    let (other, _) = room.world.another().await;
    let say = async |id: &str| other.messages.send(&room.alice, outgoing(room.to, id, "坏词")).await.map(|_| ());
    say("1").await.unwrap();
    room.add(&["坏词"], WordAction::Reject).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(censored(&say("2").await));
}

#[tokio::test]
async fn silence_holds_until_its_time() {
    let room = Room::new().await;
    let group = room.world.group(&room.alice, &[&room.bob]).await;
    let rules = &room.world.domain.rules;
    let now = room.world.clock.now().0;
    let muted = |outcome: &Result<_>| matches!(outcome, Err(Error::Denied(Denial::Muted)));
    let silence = Silence { direct_until: now + 1_000, group_until: -1 };
    rules.set_silence(&room.world.server, Some(id(&room.alice)), silence).await.unwrap();
    assert_eq!(rules.silence(&room.world.server, Some(id(&room.alice))).await.unwrap(), silence);
    assert!(muted(&room.say(&room.alice, "hi").await));
    room.say(&room.bob, "hi").await.unwrap();
    room.world.pass(1_001);
    room.say(&room.alice, "hi").await.unwrap();
    let in_group = room.world.send(&room.alice, ConversationId::Group(group), "g", "hi").await.map(|_| ());
    assert!(muted(&in_group));
    rules.set_silence(&room.world.server, Some(id(&room.alice)), Silence::default()).await.unwrap();
    room.world.send(&room.alice, ConversationId::Group(group), "g", "hi").await.unwrap();

    rules.set_silence(&room.world.server, None, Silence { direct_until: -1, group_until: 0 }).await.unwrap();
    assert!(muted(&room.say(&room.bob, "hi").await));
    room.world.send(&room.bob, ConversationId::Group(group), "g", "hi").await.unwrap();
    let refused = rules.set_silence(&room.bob, None, Silence::default()).await;
    assert!(matches!(refused, Err(Error::Denied(Denial::Credential))));
}

#[tokio::test]
async fn a_pace_is_each_users_own() {
    let room = Room::new().await;
    let limit = SendLimit { messages: 2, span: Duration::from_secs(10) };
    room.world.domain.rules.set_send_limit(&room.world.server, Some(limit)).await.unwrap();
    assert_eq!(room.world.domain.rules.send_limit(&room.world.server).await.unwrap(), Some(limit));
    room.say(&room.alice, "1").await.unwrap();
    room.say(&room.alice, "2").await.unwrap();
    let Err(Error::Limited { retry_after }) = room.say(&room.alice, "3").await else { panic!("passed") };
    assert_eq!(retry_after, Duration::from_secs(5));
    room.say(&room.bob, "1").await.unwrap();
    room.world.pass(5_000);
    room.say(&room.alice, "3").await.unwrap();
    room.world.domain.rules.set_send_limit(&room.world.server, None).await.unwrap();
    room.say(&room.alice, "4").await.unwrap();
}

/// An app's server that says what the test wants.
#[derive(Debug, Default)]
struct Server {
    says: Mutex<Option<&'static str>>,
    asked: Mutex<Vec<serde_json::Value>>,
}

impl Carry for Server {
    fn post<'a>(&'a self, _: &'a Webhook, body: Bytes) -> BoxFuture<'a, std::result::Result<Bytes, String>> {
        self.asked.lock().push(serde_json::from_slice(&body).unwrap());
        let says = *self.says.lock();
        Box::pin(async move { says.map(Bytes::from).ok_or_else(|| "refused".to_owned()) })
    }
}

fn hook(fail_closed: bool) -> Webhook {
    let (url, secret) = ("https://app.example/hook".to_owned(), "0123456789abcdef".to_owned());
    Webhook { url, secret, timeout_ms: 0, fail_closed }
}

#[tokio::test]
async fn the_apps_server_is_asked_before_a_message_is_sent() {
    let room = Room::new().await;
    let server = Arc::new(Server::default());
    room.world.domain.webhooks.install(server.clone());
    room.world.domain.set_webhooks("demo", Some(hook(false)), None).await.unwrap();
    let say = |answer| *server.says.lock() = answer;

    say(Some(r#"{"pass": true}"#));
    room.say(&room.alice, "hi").await.unwrap();
    let asked = server.asked.lock().pop().unwrap();
    assert_eq!(asked["event"], "message.before");
    assert_eq!((&asked["app"], &asked["sender"]["uid"]), (&"demo".into(), &"alice".into()));
    assert_eq!(
        (&asked["conversation"]["type"], &asked["conversation"]["to"]["uid"]),
        (&"direct".into(), &"bob".into())
    );
    assert_eq!((&asked["message"]["type"], &asked["message"]["text"]), (&"text".into(), &"hi".into()));

    say(Some(r#"{"pass": true, "text": "hello"}"#));
    room.say(&room.alice, "hi").await.unwrap();
    assert_eq!(said(&room.last().await), Some("hello"));
    say(Some(r#"{"pass": false}"#));
    assert!(censored(&room.say(&room.alice, "hi").await));

    for silent in [None, Some("not json"), Some("{}")] {
        say(silent);
        room.say(&room.alice, "passes while nobody answers").await.unwrap();
    }
    room.world.domain.set_webhooks("demo", Some(hook(true)), None).await.unwrap();
    say(None);
    assert!(matches!(room.say(&room.alice, "hi").await, Err(Error::Limited { .. })));
    room.world.domain.set_webhooks("demo", None, None).await.unwrap();
    room.say(&room.alice, "hi").await.unwrap();
}

#[tokio::test]
async fn what_was_sent_waits_in_the_outbox_for_the_apps_server() {
    let room = Room::new().await;
    room.say(&room.alice, "before").await.unwrap();
    room.world.domain.set_webhooks("demo", None, Some(hook(false))).await.unwrap();
    room.say(&room.alice, "after").await.unwrap();
    room.world.pass(10);
    let domain = &room.world.domain;
    let work = domain.outbox.work(domain::AppNumber(7), room.to, 10).await.unwrap();
    assert_eq!(work.due.iter().map(|task| task.seq).collect::<Vec<_>>(), [Seq(2)]);
    let entry = domain.outbox.entry(&work.due[0]).await.unwrap().unwrap();
    let (to, body) = domain.webhooks.after(domain::AppNumber(7), room.to, &entry).await.unwrap().unwrap();
    assert_eq!(to, hook(false));
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["event"], &body["message"]["seq"]), (&"message.after".into(), &2.into()));
    assert_eq!(body["message"]["id"], entry.message_id);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_is_refused() {
    let room = Room::new().await;
    for wrong in [
        Webhook { url: "ftp://x".into(), ..hook(false) },
        Webhook { url: "https://".into(), ..hook(false) },
        Webhook { secret: "short".into(), ..hook(false) },
        Webhook { timeout_ms: 60_000, ..hook(false) },
    ] {
        let refused = room.world.domain.set_webhooks("demo", Some(wrong), None).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "webhook", .. })));
    }
}
