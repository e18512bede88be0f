//! Meizu: the server API of Flyme Push, with a signature under each request.

use domain::Millis;
use domain::push::Delivery;
use domain::record::{PushChannel, PushProvider};
use futures_util::future::BoxFuture;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::http::Request;
use crate::provider::{self, Provider, Tools, Verdict, code_of};

const PUBLIC: &str = "https://server-api-push.meizu.com";
/// Longest title and text that are shown, in characters.
const TITLE_LIMIT: usize = 32;
const TEXT_LIMIT: usize = 100;
/// Longest time that a notice is kept, in hours.
const KEPT_HOURS: i64 = 72;

const SUCCESS: i64 = 200;
const NOT_SUBSCRIBED: i64 = 110_002;
const WRONG_TOKEN: i64 = 110_003;
/// Too fast, overloaded, folded, failed, busy.
const LATER: [i64; 6] = [501, 518, 519, 520, 1_001, 1_003];

/// The channel's `app_id` and `app_secret` are the app's.
#[derive(Debug)]
pub(crate) struct Meizu {
    base: String,
    app: String,
    secret: String,
}

impl Meizu {
    pub(crate) fn new(channel: &PushChannel) -> Self {
        Self { base: provider::base(channel, PUBLIC), app: channel.app_id.clone(), secret: channel.app_secret.clone() }
    }

    async fn attempt(&self, tools: &Tools, delivery: &Delivery) -> Result<Verdict, Verdict> {
        let command = provider::is_command(&delivery.notice);
        let kind = if command { "unvarnished" } else { "varnished" };
        let message = message(delivery, tools.clock.now()).to_string();
        let fields = [("appId", self.app.as_str()), ("messageJson", &message), ("pushIds", &delivery.token)];
        let sign = self.sign(&fields);
        let url = format!("{}/garcia/api/server/push/{kind}/pushByPushId", self.base);
        let answer = tools.ask(Request::form(url, fields.into_iter().chain([("sign", sign.as_str())]))).await?;
        let body = answer.json();
        let refused = |code: i64| body["value"][code.to_string()].as_array().is_some_and(|ids| !ids.is_empty());
        Ok(match code_of(&body, "code") {
            // Taken, and yet not for this device.
            Some(SUCCESS) if refused(NOT_SUBSCRIBED) || refused(WRONG_TOKEN) => Verdict::Gone,
            Some(SUCCESS) => Verdict::Accepted,
            Some(NOT_SUBSCRIBED | WRONG_TOKEN) => Verdict::Gone,
            Some(code) if LATER.contains(&code) => Verdict::later(body["message"].to_string()),
            _ => Verdict::of_status(&answer, &body["message"].to_string()),
        })
    }

    /// The MD5 of all fields in the order of their names, and the secret.
    fn sign(&self, fields: &[(&str, &str); 3]) -> String {
        debug_assert!(fields.is_sorted_by_key(|(name, _)| *name), "the order is a part of the signature");
        let joined: String = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        hex::encode(Md5::digest(joined + &self.secret))
    }
}

impl Provider for Meizu {
    fn send<'a>(&'a self, tools: &'a Tools, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.attempt(tools, delivery).await.unwrap_or_else(|verdict| verdict) })
    }
}

fn message(delivery: &Delivery, now: Millis) -> Value {
    let notice = &*delivery.notice;
    let options = provider::android(notice, PushProvider::Meizu);
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let hours = (provider::lasts(notice, now) / 3_600).clamp(1, KEPT_HOURS);
    let time = json!({ "offLine": 1, "validTime": hours });
    let payload = Value::Object(provider::payload(notice));
    if provider::is_command(notice) {
        return json!({ "title": cut(&notice.title, TITLE_LIMIT), "content": payload.to_string(), "pushTimeInfo": time });
    }
    let mut click = json!({ "clickType": 0, "parameters": payload });
    if let Some(intent) = provider::intent(&options) {
        click["clickType"] = 1.into();
        click["activity"] = intent.into();
    }
    let heard = i32::from(!delivery.quiet);
    let mut expand = json!({ "noticeExpandType": 0 });
    if !notice.big_text.is_empty() {
        expand = json!({ "noticeExpandType": 1, "noticeExpandContent": notice.big_text });
    }
    json!({
        "noticeBarInfo": { "title": cut(&notice.title, TITLE_LIMIT), "content": cut(&notice.body, TEXT_LIMIT) },
        "noticeExpandInfo": expand,
        "clickTypeInfo": click,
        "pushTimeInfo": time,
        "advanceInfo": { "notificationType": { "vibrate": heard, "lights": 1, "sound": heard } },
    })
}
