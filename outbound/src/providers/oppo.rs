//! OPPO: the server API of OPPO PUSH, with a token for the app's key and master secret.

use std::time::Duration;

use domain::Millis;
use domain::push::Delivery;
use domain::record::{PushChannel, PushProvider};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::http::Request;
use crate::provider::{self, Pass, Provider, Tools, Verdict, code_of};

const PUBLIC: &str = "https://api.push.oppomobile.com";
/// A token lasts for a day.
const PASS_LASTS: Duration = Duration::from_secs(23 * 3_600);
/// Longest title and text that are shown, in characters.
const TITLE_LIMIT: usize = 50;
const TEXT_LIMIT: usize = 200;
/// The same, where the text is shown unfolded.
const LONG_TEXT_LIMIT: usize = 128;
/// Longest time that a notice is kept, in seconds.
const KEPT: i64 = 10 * 86_400;

const BUSY: i64 = -1;
const FLOW_CONTROL: i64 = -2;
const PASS_WRONG: i64 = 11;
const LIMIT: i64 = 13;
const WRONG_TOKEN: i64 = 10_000;

/// The channel's `app_key` is the app's key, and `app_secret` the master secret.
#[derive(Debug)]
pub(crate) struct Oppo {
    base: String,
    key: String,
    secret: String,
    pass: Pass,
}

impl Oppo {
    pub(crate) fn new(channel: &PushChannel) -> Self {
        Self {
            base: provider::base(channel, PUBLIC),
            key: channel.app_key.clone(),
            secret: channel.app_secret.clone(),
            pass: Pass::default(),
        }
    }

    async fn pass(&self, tools: &Tools, now: Millis) -> Result<String, Verdict> {
        let fetch = || async {
            let time = now.0.to_string();
            let sign = hex::encode(Sha256::digest(format!("{}{time}{}", self.key, self.secret)));
            let form = [("app_key", self.key.as_str()), ("timestamp", &time), ("sign", &sign)];
            let answer = tools.ask(Request::form(format!("{}/server/v1/auth", self.base), form)).await?;
            match answer.json()["data"]["auth_token"].as_str() {
                Some(token) => Ok((token.to_owned(), PASS_LASTS)),
                None => Err(Verdict::of_status(&answer, "no auth_token")),
            }
        };
        self.pass.get(now, fetch).await
    }

    async fn attempt(&self, tools: &Tools, delivery: &Delivery) -> Result<Verdict, Verdict> {
        if provider::is_command(&delivery.notice) {
            return Ok(Verdict::Refused("this provider carries no commands".to_owned()));
        }
        let now = tools.clock.now();
        let pass = self.pass(tools, now).await?;
        let message = message(delivery, now).to_string();
        let url = format!("{}/server/v1/message/notification/unicast", self.base);
        // The document asks for the token among the fields; earlier ones, and OPPO's own library, put it into a header.
        let fields = [("auth_token", pass.as_str()), ("message", message.as_str())];
        let request = Request::form(url, fields).header("auth_token", &pass);
        let answer = tools.ask(request).await?;
        let body = answer.json();
        Ok(match code_of(&body, "code") {
            Some(0) => Verdict::Accepted,
            Some(WRONG_TOKEN) => Verdict::Gone,
            Some(PASS_WRONG) => {
                self.pass.forget(&pass).await;
                Verdict::later("the auth_token was refused")
            }
            Some(BUSY | FLOW_CONTROL | LIMIT) => Verdict::later(body["message"].to_string()),
            _ => Verdict::of_status(&answer, &body["message"].to_string()),
        })
    }
}

impl Provider for Oppo {
    fn send<'a>(&'a self, tools: &'a Tools, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.attempt(tools, delivery).await.unwrap_or_else(|verdict| verdict) })
    }
}

fn message(delivery: &Delivery, now: Millis) -> Value {
    let notice = &*delivery.notice;
    let options = provider::android(notice, PushProvider::Oppo);
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let mut shown = json!({
        "app_message_id": format!("{}-{}", notice.collapse, delivery.user),
        "style": 1,
        "title": cut(&notice.title, TITLE_LIMIT),
        "content": cut(&notice.body, TEXT_LIMIT),
        "click_action_type": 0,
        "action_parameters": Value::Object(provider::payload(notice)).to_string(),
        "off_line": true,
        "off_line_ttl": provider::lasts(notice, now).min(KEPT),
    });
    if !notice.big_text.is_empty() {
        shown["style"] = 2.into();
        shown["content"] = cut(&notice.big_text, LONG_TEXT_LIMIT).into();
    }
    // 5 opens what the intent says; 0 is the app.
    if let Some(intent) = provider::intent(&options) {
        shown["click_action_type"] = 5.into();
        shown["click_action_url"] = intent.into();
    }
    if !options.channel.is_empty() {
        shown["channel_id"] = options.channel.into();
    }
    // 2 stands for one registration id.
    json!({ "target_type": 2, "target_value": delivery.token, "notification": shown })
}
