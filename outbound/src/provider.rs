//! What all providers have in common: a delivery goes in, and what became of it comes out.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::push::Delivery;
use domain::record::{PushAndroid, PushChannel, PushClick, PushKind, PushNotice, PushProvider};
use domain::{Clock, Millis};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use crate::http::{Answer, Http, Request};
use crate::providers;

/// How long a notice is worth showing, where it does not say.
const SHOWN_FOR: Duration = Duration::from_secs(86_400);

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The provider took it.
    Accepted,
    /// The provider does not know the device any more: its token is to be forgotten.
    Gone,
    /// The provider does not want it, and never will.
    Refused(String),
    /// It may work later.
    Later {
        /// When, if the provider says so.
        after: Option<Duration>,
        /// Why not now.
        why: String,
    },
}

impl Verdict {
    pub(crate) fn later(why: impl Into<String>) -> Self {
        Self::Later { after: None, why: why.into() }
    }

    /// By the status alone: what went wrong on the other side may work later.
    pub(crate) fn of_status(answer: &Answer, why: &str) -> Self {
        let text = format!("status {}: {why}", answer.status.as_u16());
        if answer.status.is_server_error() || answer.status.as_u16() == 429 {
            return Self::Later { after: answer.retry_after(), why: text };
        }
        Self::Refused(text)
    }
}

/// What a provider works with.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) http: Http,
    pub(crate) clock: Clock,
}

impl Tools {
    /// Asks; without an answer, it may work later.
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Verdict> {
        self.http.send(request).await.map_err(|error| Verdict::later(error.to_string()))
    }
}

/// Someone who reaches phones.
pub(crate) trait Provider: std::fmt::Debug + Send + Sync {
    /// Sends one delivery.
    fn send<'a>(&'a self, tools: &'a Tools, delivery: &'a Delivery) -> BoxFuture<'a, Verdict>;
}

/// The provider of a channel.
///
/// # Errors
/// What is wrong with the channel.
pub(crate) fn of(channel: &PushChannel) -> Result<Arc<dyn Provider>, String> {
    Ok(match channel.provider() {
        PushProvider::Apns => Arc::new(providers::apns::Apns::new(channel)?),
        PushProvider::Fcm => Arc::new(providers::fcm::Fcm::new(channel)?),
        PushProvider::Huawei => Arc::new(providers::huawei::Huawei::new(channel)),
        PushProvider::Xiaomi => Arc::new(providers::xiaomi::Xiaomi::new(channel)),
        PushProvider::Oppo => Arc::new(providers::oppo::Oppo::new(channel)),
        PushProvider::Vivo => Arc::new(providers::vivo::Vivo::new(channel)),
        PushProvider::Meizu => Arc::new(providers::meizu::Meizu::new(channel)),
        PushProvider::Unspecified
        | PushProvider::Pushkit
        | PushProvider::Ng
        | PushProvider::Xinge
        | PushProvider::Jpush => return Err("nothing can be sent over this provider".to_owned()),
    })
}

/// The name of a provider, for metrics.
pub(crate) fn name_of(provider: PushProvider) -> &'static str {
    match provider {
        PushProvider::Apns => "apns",
        PushProvider::Fcm => "fcm",
        PushProvider::Huawei => "huawei",
        PushProvider::Xiaomi => "xiaomi",
        PushProvider::Oppo => "oppo",
        PushProvider::Vivo => "vivo",
        PushProvider::Meizu => "meizu",
        PushProvider::Unspecified
        | PushProvider::Pushkit
        | PushProvider::Ng
        | PushProvider::Xinge
        | PushProvider::Jpush => "none",
    }
}

/// Where a channel's provider is asked.
pub(crate) fn base(channel: &PushChannel, public: &str) -> String {
    let url = if channel.url.is_empty() { public } else { &channel.url };
    url.trim_end_matches('/').to_owned()
}

/// How long nobody asks again for a credential that was not given.
const NOT_GIVEN: Duration = Duration::from_secs(2);

/// A credential that the provider gives for a while.
#[derive(Debug, Default)]
pub(crate) struct Pass(tokio::sync::Mutex<Option<Kept>>);

/// What came of asking, until when.
#[derive(Debug)]
struct Kept {
    outcome: Result<String, Verdict>,
    until: Millis,
}

impl Pass {
    /// The credential in force, or a new one. Whoever waits for a new one waits for the same, and hears the same if there is none.
    pub(crate) async fn get<F>(&self, now: Millis, fetch: impl FnOnce() -> F) -> Result<String, Verdict>
    where
        F: Future<Output = Result<(String, Duration), Verdict>>,
    {
        let mut kept = self.0.lock().await;
        if let Some(kept) = &*kept
            && now < kept.until
        {
            return kept.outcome.clone();
        }
        let (outcome, lasts) = match fetch().await {
            Ok((pass, lasts)) => (Ok(pass), lasts),
            Err(verdict) => (Err(verdict), NOT_GIVEN),
        };
        *kept = Some(Kept { outcome: outcome.clone(), until: now.plus(lasts) });
        outcome
    }

    /// Forgets a credential that was refused, unless there is a newer one.
    pub(crate) async fn forget(&self, refused: &str) {
        let mut kept = self.0.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.outcome.as_deref() == Ok(refused)) {
            *kept = None;
        }
    }
}

/// Asks for an OAuth 2.0 access token: the token, and for how long it is good.
pub(crate) async fn access_token<'a>(
    tools: &Tools,
    url: &str,
    form: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(String, Duration), Verdict> {
    let answer = tools.ask(Request::form(url, form)).await?;
    let body = answer.json();
    let (Some(token), Some(lasts)) = (body["access_token"].as_str(), body["expires_in"].as_u64()) else {
        return Err(Verdict::of_status(&answer, "no access token"));
    };
    // A little less than it says, so that none expires on the way.
    Ok((token.to_owned(), Duration::from_secs(lasts.saturating_sub(60))))
}

/// Until when a notice is worth showing.
pub(crate) fn expires(notice: &PushNotice, now: Millis) -> Millis {
    if notice.show_until > 0 { Millis(notice.show_until) } else { now.plus(SHOWN_FOR) }
}

/// How long a notice is worth showing, in seconds.
pub(crate) fn lasts(notice: &PushNotice, now: Millis) -> i64 {
    (expires(notice, now).0 - now.0).max(0) / 1_000
}

/// Whether a notice is for the app's own code.
pub(crate) fn is_command(notice: &PushNotice) -> bool {
    notice.kind() == PushKind::Command
}

/// What a phone that shows long texts shows.
pub(crate) fn long_text(notice: &PushNotice) -> &str {
    if notice.big_text.is_empty() { &notice.body } else { &notice.big_text }
}

/// The app's own fields.
pub(crate) fn extension(notice: &PushNotice) -> Map<String, Value> {
    serde_json::from_str(&notice.extension).unwrap_or_default()
}

/// The app's own fields, with all that a command carries: what providers hand to the app's code as one text.
pub(crate) fn payload(notice: &PushNotice) -> Map<String, Value> {
    let mut fields = extension(notice);
    if is_command(notice) {
        fields.insert("title".to_owned(), notice.title.clone().into());
        fields.insert("body".to_owned(), notice.body.clone().into());
    }
    if !notice.attachment.is_empty() {
        fields.insert("attachment_url".to_owned(), notice.attachment.clone().into());
    }
    fields
}

/// The app's own fields as texts, for providers that carry nothing else.
pub(crate) fn texts(fields: Map<String, Value>) -> Map<String, Value> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    fields.into_iter().map(|(name, value)| (name, text(value).into())).collect()
}

/// What is said about all of Android, but for what is said about this vendor.
pub(crate) fn android(notice: &PushNotice, vendor: PushProvider) -> PushAndroid {
    let mut all = notice.android.clone().unwrap_or_default();
    let Some(own) = notice.vendors.iter().find(|own| own.provider() == vendor) else { return all };
    for (kept, own) in [
        (&mut all.sound, &own.sound),
        (&mut all.channel, &own.channel),
        (&mut all.intent, &own.intent),
        (&mut all.badge_class, &own.badge_class),
    ] {
        if !own.is_empty() {
            kept.clone_from(own);
        }
    }
    if own.click() != PushClick::Unspecified {
        all.click = own.click;
    }
    (all.push_mode, all.classification) = (own.push_mode, own.classification);
    all
}

/// What a click opens, where it is not just the app.
pub(crate) fn intent(android: &PushAndroid) -> Option<&str> {
    let intent = Some(android.intent.as_str()).filter(|intent| !intent.is_empty())?;
    (android.click() != PushClick::App).then_some(intent)
}

/// The code that an answer's JSON carries, as a number or a text.
pub(crate) fn code_of(answer: &Value, field: &str) -> Option<i64> {
    let value = &answer[field];
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
