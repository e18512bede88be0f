//! APNs: Apple's provider API over HTTP/2, with a token that is signed here.

use std::time::Duration;

use domain::Millis;
use domain::push::Delivery;
use domain::record::{PushChannel, PushKind, PushNotice};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::http::{Answer, Request};
use crate::jwt::Key;
use crate::provider::{self, Pass, Provider, Tools, Verdict};

const PRODUCTION: &str = "https://api.push.apple.com";
const DEVELOPMENT: &str = "https://api.sandbox.push.apple.com";
/// Apple takes a token for an hour, and wants no new one within twenty minutes.
const SIGNED_FOR: Duration = Duration::from_secs(50 * 60);
/// Longest collapse id, in bytes.
const COLLAPSE_LIMIT: usize = 64;

/// The channel's `app_id` is the topic, `app_key` the key's id, `app_secret` the team's id, and `certificate` the key.
#[derive(Debug)]
pub(crate) struct Apns {
    base: String,
    topic: String,
    key_id: String,
    team: String,
    key: Key,
    pass: Pass,
}

impl Apns {
    pub(crate) fn new(channel: &PushChannel) -> Result<Self, String> {
        Ok(Self {
            base: provider::base(channel, if channel.development { DEVELOPMENT } else { PRODUCTION }),
            topic: channel.app_id.clone(),
            key_id: channel.app_key.clone(),
            team: channel.app_secret.clone(),
            key: Key::es256(&channel.certificate)?,
            pass: Pass::default(),
        })
    }

    async fn pass(&self, now: Millis) -> Result<String, Verdict> {
        let sign = || async {
            let claims = json!({ "iss": self.team, "iat": now.0 / 1_000 });
            let token = self.key.sign(&self.key_id, &claims).map_err(Verdict::Refused)?;
            Ok((token, SIGNED_FOR))
        };
        self.pass.get(now, sign).await
    }

    async fn attempt(&self, tools: &Tools, delivery: &Delivery) -> Result<Verdict, Verdict> {
        // The token becomes a part of the path, and Apple's are hex.
        if delivery.token.is_empty() || !delivery.token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Verdict::Gone);
        }
        let now = tools.clock.now();
        let pass = self.pass(now).await?;
        let answer = tools.ask(self.request(delivery, &pass, now)).await?;
        let verdict = verdict(&answer);
        if verdict.is_none() {
            self.pass.forget(&pass).await;
        }
        Ok(verdict.unwrap_or_else(|| Verdict::later("the signed token had expired")))
    }

    fn request(&self, delivery: &Delivery, pass: &str, now: Millis) -> Request {
        let notice = &*delivery.notice;
        let ios = notice.ios.clone().unwrap_or_default();
        let command = provider::is_command(notice);
        let (kind, priority) = if command { ("background", "5") } else { ("alert", "10") };
        let expires = provider::expires(notice, now).0 / 1_000;
        let collapse = if ios.collapse.is_empty() { &notice.collapse } else { &ios.collapse };
        let collapse = &collapse[..collapse.floor_char_boundary(COLLAPSE_LIMIT)];
        let url = format!("{}/3/device/{}", self.base, delivery.token);
        let request = Request::json(url, &Value::Object(body(delivery)))
            .h2()
            .header("authorization", format!("bearer {pass}"))
            .header("apns-topic", &self.topic)
            .header("apns-push-type", kind)
            .header("apns-priority", priority)
            .header("apns-expiration", expires.to_string());
        if collapse.is_empty() { request } else { request.header("apns-collapse-id", collapse) }
    }
}

impl Provider for Apns {
    fn send<'a>(&'a self, tools: &'a Tools, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.attempt(tools, delivery).await.unwrap_or_else(|verdict| verdict) })
    }
}

/// `None` where another token of ours is needed.
fn verdict(answer: &Answer) -> Option<Verdict> {
    let body = answer.json();
    let reason = body["reason"].as_str().unwrap_or_default();
    Some(match (answer.status.as_u16(), reason) {
        (200, _) => Verdict::Accepted,
        (410, _) | (400, "BadDeviceToken") => Verdict::Gone,
        (403, "ExpiredProviderToken") => return None,
        _ => Verdict::of_status(answer, reason),
    })
}

fn body(delivery: &Delivery) -> Map<String, Value> {
    let notice = &*delivery.notice;
    let mut fields = provider::payload(notice);
    fields.insert("aps".to_owned(), Value::Object(aps(delivery, notice)));
    fields
}

fn aps(delivery: &Delivery, notice: &PushNotice) -> Map<String, Value> {
    let ios = notice.ios.clone().unwrap_or_default();
    let mut aps = Map::new();
    let mut set = |name: &str, value: Value| {
        aps.insert(name.to_owned(), value);
    };
    if let Some(badge) = delivery.badge {
        set("badge", badge.into());
    }
    if provider::is_command(notice) {
        set("content-available", 1.into());
        return aps;
    }
    let mut alert = Map::new();
    for (name, text) in [("title", &notice.title), ("subtitle", &ios.subtitle), ("body", &notice.body)] {
        if !text.is_empty() {
            alert.insert(name.to_owned(), text.clone().into());
        }
    }
    set("alert", alert.into());
    if !delivery.quiet {
        set("sound", if ios.sound.is_empty() { "default".into() } else { ios.sound.into() });
    }
    if ios.content_available {
        set("content-available", 1.into());
    }
    // An extension of the app fetches the picture.
    if ios.mutable_content || notice.kind() == PushKind::Image {
        set("mutable-content", 1.into());
    }
    for (name, text) in [("category", ios.category), ("thread-id", ios.thread)] {
        if !text.is_empty() {
            set(name, text.into());
        }
    }
    aps
}
