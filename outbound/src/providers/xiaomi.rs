//! Xiaomi: Mi Push's REST API, with the app's secret in each request.

use domain::Millis;
use domain::push::Delivery;
use domain::record::{PushChannel, PushProvider};
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::http::Request;
use crate::provider::{self, Provider, Tools, Verdict, code_of};

const PUBLIC: &str = "https://api.xmpush.xiaomi.com";

/// No device has such an id.
const NO_TARGET: i64 = 20_301;
/// Too many, of one kind or another.
const LIMITS: [i64; 3] = [10_012, 10_017, 200_001];

/// The channel's `app_id` is the package's name, and `app_secret` the app's secret.
#[derive(Debug)]
pub(crate) struct Xiaomi {
    base: String,
    package: String,
    secret: String,
}

impl Xiaomi {
    pub(crate) fn new(channel: &PushChannel) -> Self {
        Self {
            base: provider::base(channel, PUBLIC),
            package: channel.app_id.clone(),
            secret: channel.app_secret.clone(),
        }
    }

    async fn attempt(&self, tools: &Tools, delivery: &Delivery) -> Result<Verdict, Verdict> {
        let form = self.form(delivery, tools.clock.now());
        let pairs = form.iter().map(|(name, value)| (*name, value.as_str()));
        let request = Request::form(format!("{}/v3/message/regid", self.base), pairs)
            .header("authorization", format!("key={}", self.secret));
        let answer = tools.ask(request).await?;
        let body = answer.json();
        Ok(match code_of(&body, "code") {
            // Taken, and yet not for this device.
            Some(0) if is_listed(&body["data"]["bad_regids"], &delivery.token) => Verdict::Gone,
            Some(0) => Verdict::Accepted,
            Some(NO_TARGET) => Verdict::Gone,
            Some(code) if LIMITS.contains(&code) => Verdict::later(body["reason"].to_string()),
            _ => Verdict::of_status(&answer, &body["reason"].to_string()),
        })
    }

    fn form(&self, delivery: &Delivery, now: Millis) -> Vec<(&'static str, String)> {
        let notice = &*delivery.notice;
        let options = provider::android(notice, PushProvider::Xiaomi);
        let command = provider::is_command(notice);
        let lasts = provider::lasts(notice, now) * 1_000;
        let mut form = vec![
            ("restricted_package_name", self.package.clone()),
            ("registration_id", delivery.token.clone()),
            ("pass_through", if command { "1" } else { "0" }.to_owned()),
            ("payload", Value::Object(provider::payload(notice)).to_string()),
            ("time_to_live", lasts.to_string()),
        ];
        if command {
            return form;
        }
        form.push(("title", notice.title.clone()));
        form.push(("description", notice.body.clone()));
        // Sound, vibration and light are 1, 2 and 4; -1 is all of them.
        form.push(("notify_type", if delivery.quiet { "4" } else { "-1" }.to_owned()));
        form.push(("notify_id", notify_id(&notice.collapse).to_string()));
        match provider::intent(&options) {
            None => form.push(("extra.notify_effect", "1".to_owned())),
            Some(intent) => {
                form.push(("extra.notify_effect", "2".to_owned()));
                form.push(("extra.intent_uri", intent.to_owned()));
            }
        }
        if !notice.big_text.is_empty() {
            form.push(("extra.notification_style_type", "1".to_owned()));
        }
        let sound = if delivery.quiet { String::new() } else { options.sound };
        for (name, text) in [("extra.channel_id", options.channel), ("extra.sound_uri", sound)] {
            if !text.is_empty() {
                form.push((name, text));
            }
        }
        form
    }
}

impl Provider for Xiaomi {
    fn send<'a>(&'a self, tools: &'a Tools, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.attempt(tools, delivery).await.unwrap_or_else(|verdict| verdict) })
    }
}

fn is_listed(list: &Value, token: &str) -> bool {
    list.as_str().is_some_and(|list| list.split(',').any(|listed| listed == token))
}

/// A number that stands for a notice: the same one replaces what is shown under it.
fn notify_id(collapse: &str) -> u32 {
    let hash = collapse.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    hash & 0x7fff_ffff
}
