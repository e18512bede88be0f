//! Huawei: Push Kit's REST API, with an OAuth token for the app's id and secret.

use domain::Millis;
use domain::push::Delivery;
use domain::record::{PushChannel, PushProvider};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::http::Request;
use crate::provider::{self, Pass, Provider, Tools, Verdict, code_of};

const PUBLIC: &str = "https://push-api.cloud.huawei.com";
const OAUTH: &str = "https://oauth-login.cloud.huawei.com";

const SUCCESS: i64 = 80_000_000;
/// Some of the tokens are wrong; there is only one.
const SOME_WRONG: i64 = 80_100_000;
const ALL_WRONG: i64 = 80_300_007;
const PASS_WRONG: i64 = 80_200_001;
const PASS_EXPIRED: i64 = 80_200_003;
const SYSTEM: i64 = 81_000_001;

/// The channel's `app_id` and `app_secret` are the app's. Its `url` stands for both hosts.
#[derive(Debug)]
pub(crate) struct Huawei {
    base: String,
    oauth: String,
    app: String,
    secret: String,
    pass: Pass,
}

impl Huawei {
    pub(crate) fn new(channel: &PushChannel) -> Self {
        Self {
            base: provider::base(channel, PUBLIC),
            oauth: provider::base(channel, OAUTH),
            app: channel.app_id.clone(),
            secret: channel.app_secret.clone(),
            pass: Pass::default(),
        }
    }

    async fn pass(&self, tools: &Tools, now: Millis) -> Result<String, Verdict> {
        let fetch = || async {
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", self.app.as_str()),
                ("client_secret", &self.secret),
            ];
            provider::access_token(tools, &format!("{}/oauth2/v3/token", self.oauth), form).await
        };
        self.pass.get(now, fetch).await
    }

    async fn attempt(&self, tools: &Tools, delivery: &Delivery) -> Result<Verdict, Verdict> {
        let now = tools.clock.now();
        let pass = self.pass(tools, now).await?;
        let url = format!("{}/v1/{}/messages:send", self.base, self.app);
        let request = Request::json(url, &message(delivery, now)).header("authorization", format!("Bearer {pass}"));
        let answer = tools.ask(request).await?;
        let body = answer.json();
        Ok(match code_of(&body, "code") {
            Some(SUCCESS) => Verdict::Accepted,
            Some(SOME_WRONG | ALL_WRONG) => Verdict::Gone,
            Some(PASS_WRONG | PASS_EXPIRED) => {
                self.pass.forget(&pass).await;
                Verdict::later("the access token was refused")
            }
            Some(SYSTEM) => Verdict::later("the provider failed"),
            _ => Verdict::of_status(&answer, &body["msg"].to_string()),
        })
    }
}

impl Provider for Huawei {
    fn send<'a>(&'a self, tools: &'a Tools, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.attempt(tools, delivery).await.unwrap_or_else(|verdict| verdict) })
    }
}

fn message(delivery: &Delivery, now: Millis) -> Value {
    let notice = &*delivery.notice;
    let options = provider::android(notice, PushProvider::Huawei);
    let command = provider::is_command(notice);
    let mut android = json!({
        "urgency": if command { "NORMAL" } else { "HIGH" },
        "ttl": format!("{}s", provider::lasts(notice, now)),
    });
    let data = Value::Object(provider::payload(notice)).to_string();
    let mut message = json!({ "token": [delivery.token], "data": data });
    if !command {
        // 1 opens what the intent says, 3 the app.
        let click = provider::intent(&options)
            .map_or_else(|| json!({ "type": 3 }), |intent| json!({ "type": 1, "intent": intent }));
        let mut shown = json!({ "title": notice.title, "body": notice.body, "click_action": click });
        if !notice.big_text.is_empty() {
            shown["style"] = 1.into();
            shown["big_title"] = notice.title.clone().into();
            shown["big_body"] = notice.big_text.clone().into();
        }
        let sound = if delivery.quiet { "" } else { options.sound.as_str() };
        for (name, text) in [
            ("channel_id", options.channel.as_str()),
            ("image", &notice.attachment),
            ("tag", &notice.collapse),
            ("sound", sound),
        ] {
            if !text.is_empty() {
                shown[name] = text.into();
            }
        }
        shown["default_sound"] = (options.sound.is_empty() && !delivery.quiet).into();
        if let Some(badge) = delivery.badge {
            shown["badge"] = json!({ "set_num": badge.min(99) });
            if !options.badge_class.is_empty() {
                shown["badge"]["class"] = options.badge_class.into();
            }
        }
        android["notification"] = shown;
    }
    message["android"] = android;
    json!({ "validate_only": false, "message": message })
}
