//! vivo: the server API of vivo Push, with a token for the app's id, key and secret.

use std::time::Duration;

use domain::Millis;
use domain::push::Delivery;
use domain::record::{PushChannel, PushProvider};
use futures_util::future::BoxFuture;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::http::Request;
use crate::provider::{self, Pass, Provider, Tools, Verdict, code_of};

const PUBLIC: &str = "https://api-push.vivo.com.cn";
/// A token lasts for a day; vivo advises to ask for another every two hours.
const PASS_LASTS: Duration = Duration::from_secs(2 * 3_600);
/// Longest title and text that are shown, counted as vivo counts: a letter beyond ASCII is two.
const TITLE_LIMIT: usize = 40;
const TEXT_LIMIT: usize = 100;
/// Shortest and longest time that a notice is kept for a phone that is switched off, in seconds.
const KEPT: (i64, i64) = (900, 604_800);

const PASS_WRONG: i64 = 10_000;
const TOO_FAST: [i64; 3] = [10_071, 10_073, 10_075];
const WRONG_TOKEN: i64 = 10_302;

/// The channel's `app_id`, `app_key` and `app_secret` are the app's.
#[derive(Debug)]
pub(crate) struct Vivo {
    base: String,
    app: String,
    key: String,
    secret: String,
    pass: Pass,
}

impl Vivo {
    pub(crate) fn new(channel: &PushChannel) -> Self {
        Self {
            base: provider::base(channel, PUBLIC),
            app: channel.app_id.clone(),
            key: channel.app_key.clone(),
            secret: channel.app_secret.clone(),
            pass: Pass::default(),
        }
    }

    async fn pass(&self, tools: &Tools, now: Millis) -> Result<String, Verdict> {
        let fetch = || async {
            let Self { app, key, secret, .. } = self;
            let sign = hex::encode(Md5::digest(format!("{app}{key}{}{secret}", now.0)));
            let body = json!({ "appId": app, "appKey": key, "timestamp": now.0, "sign": sign });
            let answer = tools.ask(Request::json(format!("{}/message/auth", self.base), &body)).await?;
            match answer.json()["authToken"].as_str() {
                Some(token) => Ok((token.to_owned(), PASS_LASTS)),
                None => Err(Verdict::of_status(&answer, "no authToken")),
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
        let request = Request::json(format!("{}/message/send", self.base), &self.message(delivery, now));
        let answer = tools.ask(request.header("authtoken", &pass)).await?;
        let body = answer.json();
        Ok(match code_of(&body, "result") {
            Some(0) => Verdict::Accepted,
            Some(WRONG_TOKEN) => Verdict::Gone,
            Some(PASS_WRONG) => {
                self.pass.forget(&pass).await;
                Verdict::later("the authToken was refused")
            }
            Some(code) if TOO_FAST.contains(&code) => Verdict::later(body["desc"].to_string()),
            _ => Verdict::of_status(&answer, &body["desc"].to_string()),
        })
    }

    /// The app's id as messages have it: a number there, although a text where a token is asked for.
    fn app_number(&self) -> Value {
        self.app.parse::<u64>().map_or_else(|_| self.app.as_str().into(), Value::from)
    }

    fn message(&self, delivery: &Delivery, now: Millis) -> Value {
        let notice = &*delivery.notice;
        let options = provider::android(notice, PushProvider::Vivo);
        let intent = provider::intent(&options);
        let mut message = json!({
            "appId": self.app_number(),
            "regId": delivery.token,
            // 1 without sound or vibration, 4 with both.
            "notifyType": if delivery.quiet { 1 } else { 4 },
            "title": cut(&notice.title, TITLE_LIMIT),
            "content": cut(&notice.body, TEXT_LIMIT),
            "timeToLive": provider::lasts(notice, now).clamp(KEPT.0, KEPT.1),
            // 1 opens the app, 4 what the intent says.
            "skipType": if intent.is_some() { 4 } else { 1 },
            "networkType": -1,
            "classification": options.classification,
            "pushMode": options.push_mode,
            "clientCustomMap": provider::texts(provider::payload(notice)),
            "requestId": format!("{}-{}", notice.collapse, delivery.user),
        });
        if let Some(intent) = intent {
            message["skipContent"] = intent.into();
        }
        if !options.channel.is_empty() {
            message["category"] = options.channel.clone().into();
        }
        message
    }
}

impl Provider for Vivo {
    fn send<'a>(&'a self, tools: &'a Tools, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.attempt(tools, delivery).await.unwrap_or_else(|verdict| verdict) })
    }
}

fn cut(text: &str, most: usize) -> String {
    let mut left = most;
    text.chars()
        .take_while(|letter| {
            let width = if letter.is_ascii() { 1 } else { 2 };
            let fits = left >= width;
            left = left.saturating_sub(width);
            fits
        })
        .collect()
}
