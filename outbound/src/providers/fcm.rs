//! FCM: Google's HTTP v1 API, with an OAuth token that a service account's signature is exchanged for.

use domain::Millis;
use domain::push::Delivery;
use domain::record::{PushChannel, PushProvider};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::jwt::Key;
use crate::provider::{self, Pass, Provider, Tools, Verdict};

const PUBLIC: &str = "https://fcm.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What the service account's file tells.
#[derive(Debug, Deserialize)]
struct Account {
    project_id: String,
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    token_uri: String,
}

/// The channel's `certificate` is the service account's file.
#[derive(Debug)]
pub(crate) struct Fcm {
    base: String,
    account: Account,
    key: Key,
    pass: Pass,
}

impl Fcm {
    pub(crate) fn new(channel: &PushChannel) -> Result<Self, String> {
        let account: Account =
            serde_json::from_str(&channel.certificate).map_err(|error| format!("no service account: {error}"))?;
        let key = Key::rs256(&account.private_key)?;
        Ok(Self { base: provider::base(channel, PUBLIC), account, key, pass: Pass::default() })
    }

    async fn pass(&self, tools: &Tools, now: Millis) -> Result<String, Verdict> {
        let fetch = || async {
            let begun = now.0 / 1_000;
            let claims = json!({
                "iss": self.account.client_email, "scope": SCOPE, "aud": self.account.token_uri,
                "iat": begun, "exp": begun + 3_600,
            });
            let assertion = self.key.sign(&self.account.private_key_id, &claims).map_err(Verdict::Refused)?;
            let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
            provider::access_token(tools, &self.account.token_uri, form).await
        };
        self.pass.get(now, fetch).await
    }

    async fn attempt(&self, tools: &Tools, delivery: &Delivery) -> Result<Verdict, Verdict> {
        let now = tools.clock.now();
        let pass = self.pass(tools, now).await?;
        let url = format!("{}/v1/projects/{}/messages:send", self.base, self.account.project_id);
        let request = Request::json(url, &message(delivery, now)).header("authorization", format!("Bearer {pass}"));
        let answer = tools.ask(request).await?;
        if answer.status.as_u16() == 401 {
            self.pass.forget(&pass).await;
            return Ok(Verdict::later("the access token was refused"));
        }
        Ok(verdict(&answer))
    }
}

impl Provider for Fcm {
    fn send<'a>(&'a self, tools: &'a Tools, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.attempt(tools, delivery).await.unwrap_or_else(|verdict| verdict) })
    }
}

fn verdict(answer: &Answer) -> Verdict {
    if answer.status.is_success() {
        return Verdict::Accepted;
    }
    let body = answer.json();
    let details = body["error"]["details"].as_array().cloned().unwrap_or_default();
    let code = details.iter().find_map(|detail| detail["errorCode"].as_str()).unwrap_or_default();
    match (answer.status.as_u16(), code) {
        // SENDER_ID_MISMATCH: the token is another project's.
        (404, _) | (_, "UNREGISTERED" | "SENDER_ID_MISMATCH") => Verdict::Gone,
        _ => Verdict::of_status(answer, body["error"]["message"].as_str().unwrap_or(code)),
    }
}

fn message(delivery: &Delivery, now: Millis) -> Value {
    let notice = &*delivery.notice;
    let options = provider::android(notice, PushProvider::Fcm);
    let command = provider::is_command(notice);
    let mut android = json!({
        "priority": if command { "NORMAL" } else { "HIGH" },
        "ttl": format!("{}s", provider::lasts(notice, now)),
    });
    if !notice.collapse.is_empty() {
        android["collapse_key"] = notice.collapse.clone().into();
    }
    let mut message = json!({
        "token": delivery.token,
        "data": provider::texts(provider::payload(notice)),
    });
    if !command {
        message["notification"] = json!({ "title": notice.title, "body": provider::long_text(notice) });
        if !notice.attachment.is_empty() {
            message["notification"]["image"] = notice.attachment.clone().into();
        }
        let mut shown = json!({});
        let sound = if options.sound.is_empty() && !delivery.quiet { "default" } else { &options.sound };
        for (name, text) in [
            ("channel_id", options.channel.as_str()),
            ("sound", if delivery.quiet { "" } else { sound }),
            ("click_action", provider::intent(&options).unwrap_or_default()),
            ("tag", &notice.collapse),
        ] {
            if !text.is_empty() {
                shown[name] = text.into();
            }
        }
        if let Some(badge) = delivery.badge {
            shown["notification_count"] = badge.into();
        }
        android["notification"] = shown;
    }
    message["android"] = android;
    json!({ "message": message })
}
