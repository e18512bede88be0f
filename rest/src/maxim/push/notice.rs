//! `POST /push/notify`: the notice and its audience, as the document spells them.

use domain::UserRef;
use domain::push::NewTask;
use domain::record::{PushAndroid, PushAudience, PushClick, PushIos, PushKind, PushNotice, PushProvider, PushStrategy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::context::Cx;
use crate::input::Json;
use crate::lenient;
use crate::maxim::{Error, Reply};

pub(super) const NOTIFY: &str = "For administrators. A list names at most `push_audience` users, labels or tokens; users who do not exist \
    are passed over. `combined`: to devices that are connected, and over a provider to the others. Who gets it over our own connections \
    finds it in the notices, also later. Quiet hours hold for notices too, but not for `cmd`. A `request_id` that was used before answers the \
    first request's task. `show_begin_time` is when it is sent; after `show_end_time` it is not.";

/// The domestic providers.
const UPS: [PushProvider; 5] =
    [PushProvider::Xiaomi, PushProvider::Huawei, PushProvider::Meizu, PushProvider::Oppo, PushProvider::Vivo];

/// A notice to many.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NotifyRequest {
    audience: Audience,
    #[serde(default)]
    setting: Option<Setting>,
    message: Message,
}

/// To whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "`all`, or an object with one list")]
enum Audience {
    /// `all`.
    Word(String),
    /// One of these.
    List(Lists),
}

/// One of these.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct Lists {
    #[serde(deserialize_with = "lenient::vec_string")]
    tag: Vec<String>,
    #[serde(deserialize_with = "lenient::vec_string")]
    alias: Vec<String>,
    #[serde(deserialize_with = "lenient::vec_u64")]
    user_id: Vec<u64>,
    #[serde(deserialize_with = "lenient::vec_string")]
    push_token: Vec<String>,
}

/// How.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct Setting {
    #[serde(default, deserialize_with = "lenient::opt_string")]
    request_id: Option<String>,
    /// `combined`, `mxpush_only` or `ospush_only`.
    distribution_strategy: Option<String>,
    /// `ups`, `fcm`, `huawei`, `xiaomi`, `oppo`, `vivo`, `meizu`. Default `[ups, fcm]`.
    #[serde(default)]
    ospush_sequence: Vec<String>,
}

/// What.
#[derive(Debug, Deserialize, ToSchema)]
struct Message {
    /// `text`, `image` or `cmd`.
    r#type: Option<String>,
    title: Option<String>,
    body: Option<String>,
    attachment_url: Option<String>,
    big_text: Option<String>,
    /// A number, or one that is added: `+1`, which is the default.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    badge: Option<String>,
    #[schema(value_type = Option<Object>)]
    ext: Option<Map<String, Value>>,
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    show_begin_time: Option<u64>,
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    show_end_time: Option<u64>,
    ios: Option<Ios>,
    android: Option<Android>,
    huawei: Option<Android>,
    xiaomi: Option<Android>,
    oppo: Option<Android>,
    vivo: Option<Android>,
    flyme: Option<Android>,
    fcm: Option<Android>,
}

/// For iOS.
#[derive(Debug, Deserialize, ToSchema)]
struct Ios {
    sound: Option<String>,
    #[serde(default, deserialize_with = "lenient::opt_boolean")]
    content_available: Option<bool>,
    #[serde(default, deserialize_with = "lenient::opt_boolean")]
    mutable_content: Option<bool>,
    category: Option<String>,
    thread_id: Option<String>,
    subtitle: Option<String>,
    apns_collapse_id: Option<String>,
}

/// For Android, or for one of its providers.
#[derive(Debug, Deserialize, ToSchema)]
struct Android {
    sound: Option<String>,
    #[serde(default, deserialize_with = "lenient::opt_string")]
    channel_id: Option<String>,
    /// `intent` or `open_app`.
    click_action: Option<String>,
    intent: Option<String>,
    badge_class: Option<String>,
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    push_mode: Option<u64>,
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    classification: Option<u64>,
}

/// The task that sends it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Notified {
    task_id: u64,
}

/// `POST /push/notify`: sends a notice to many.
pub(crate) async fn notify(cx: Cx, Json(req): Json<NotifyRequest>) -> Reply<Notified> {
    let task_id = cx.domain.push.notify(&cx.caller, req.into_task()?).await?;
    Ok(Notified { task_id })
}

impl NotifyRequest {
    fn into_task(self) -> Reply<NewTask> {
        let setting = self.setting.unwrap_or_default();
        let strategy = match setting.distribution_strategy.as_deref() {
            None | Some("" | "combined") => PushStrategy::Combined,
            Some("mxpush_only") => PushStrategy::Own,
            Some("ospush_only") => PushStrategy::Providers,
            Some(_) => return Err(wrong("setting.distribution_strategy", "combined, mxpush_only or ospush_only")),
        };
        let mut sequence = Vec::new();
        for name in &setting.ospush_sequence {
            sequence.extend_from_slice(providers(name)?);
        }
        let (audience, users) = self.audience.into_parts()?;
        let notice = self.message.into_notice()?;
        Ok(NewTask { audience, users, notice, strategy, sequence, request_id: setting.request_id.unwrap_or_default() })
    }
}

impl Audience {
    fn into_parts(self) -> Reply<(PushAudience, Vec<UserRef>)> {
        match self {
            Self::Word(word) if word == "all" => {
                Ok((PushAudience { all: true, ..PushAudience::default() }, Vec::new()))
            }
            Self::Word(_) => Err(wrong("audience", "all, or an object with one list")),
            Self::List(Lists { tag: tags, alias: aliases, user_id, push_token: push_tokens }) => {
                let users = user_id.into_iter().map(UserRef::Number).collect();
                Ok((PushAudience { tags, aliases, push_tokens, ..PushAudience::default() }, users))
            }
        }
    }
}

impl Message {
    fn into_notice(self) -> Reply<PushNotice> {
        let kind = match self.r#type.as_deref() {
            None | Some("" | "text") => PushKind::Text,
            Some("image") => PushKind::Image,
            Some("cmd") => PushKind::Command,
            Some(_) => return Err(wrong("message.type", "text, image or cmd")),
        };
        let (badge, badge_set) = badge(self.badge.as_deref().unwrap_or_default())?;
        let vendors = [
            (PushProvider::Huawei, self.huawei),
            (PushProvider::Xiaomi, self.xiaomi),
            (PushProvider::Oppo, self.oppo),
            (PushProvider::Vivo, self.vivo),
            (PushProvider::Meizu, self.flyme),
            (PushProvider::Fcm, self.fcm),
        ];
        let of_vendor = |(provider, options): (_, Option<Android>)| Some(options?.into_record(provider));
        Ok(PushNotice {
            kind: kind as i32,
            title: self.title.unwrap_or_default(),
            body: self.body.unwrap_or_default(),
            attachment: self.attachment_url.unwrap_or_default(),
            big_text: self.big_text.unwrap_or_default(),
            badge,
            badge_set,
            extension: self.ext.map(|ext| Value::Object(ext).to_string()).unwrap_or_default(),
            show_from: millis("message.show_begin_time", self.show_begin_time)?,
            show_until: millis("message.show_end_time", self.show_end_time)?,
            ios: self.ios.map(Ios::into_record),
            android: self.android.map(|android| android.into_record(PushProvider::Unspecified)).transpose()?,
            vendors: vendors.into_iter().filter_map(of_vendor).collect::<Reply<_>>()?,
            collapse: String::new(),
        })
    }
}

impl Ios {
    fn into_record(self) -> PushIos {
        PushIos {
            sound: self.sound.unwrap_or_default(),
            content_available: self.content_available.unwrap_or_default(),
            mutable_content: self.mutable_content.unwrap_or_default(),
            category: self.category.unwrap_or_default(),
            thread: self.thread_id.unwrap_or_default(),
            subtitle: self.subtitle.unwrap_or_default(),
            collapse: self.apns_collapse_id.unwrap_or_default(),
        }
    }
}

impl Android {
    fn into_record(self, provider: PushProvider) -> Reply<PushAndroid> {
        let click = match self.click_action.as_deref() {
            None | Some("") => PushClick::Unspecified,
            Some("open_app") => PushClick::App,
            Some("intent") if self.intent.is_none() => return Err(wrong("intent", "there with this click_action")),
            Some("intent") => PushClick::Intent,
            Some(_) => return Err(wrong("click_action", "intent or open_app")),
        };
        let small = |field, number: Option<u64>| match number.unwrap_or_default() {
            number @ (0 | 1) => Ok(u32::from(number == 1)),
            _ => Err(wrong(field, "0 or 1")),
        };
        Ok(PushAndroid {
            provider: provider as i32,
            sound: self.sound.unwrap_or_default(),
            channel: self.channel_id.unwrap_or_default(),
            click: click as i32,
            intent: self.intent.unwrap_or_default(),
            badge_class: self.badge_class.unwrap_or_default(),
            push_mode: small("push_mode", self.push_mode)?,
            classification: small("classification", self.classification)?,
        })
    }
}

fn providers(name: &str) -> Reply<&'static [PushProvider]> {
    Ok(match name {
        "ups" => &UPS,
        "fcm" => &[PushProvider::Fcm],
        "huawei" => &[PushProvider::Huawei],
        "xiaomi" => &[PushProvider::Xiaomi],
        "oppo" => &[PushProvider::Oppo],
        "vivo" => &[PushProvider::Vivo],
        "meizu" => &[PushProvider::Meizu],
        _ => return Err(wrong("setting.ospush_sequence", "a list of ups, fcm, huawei, xiaomi, oppo, vivo, meizu")),
    })
}

/// A number, and whether it is the badge itself rather than added to it.
fn badge(text: &str) -> Reply<(i32, bool)> {
    if text.is_empty() {
        return Ok((1, false));
    }
    let added = text.starts_with('+');
    let number = text.trim_start_matches('+').parse().ok().filter(|number| *number >= 0);
    number.map(|number| (number, !added)).ok_or_else(|| wrong("message.badge", "a number, or one after +"))
}

fn millis(field: &'static str, seconds: Option<u64>) -> Reply<i64> {
    let millis = i64::try_from(seconds.unwrap_or_default()).ok().and_then(|seconds| seconds.checked_mul(1_000));
    millis.ok_or_else(|| wrong(field, "Unix seconds"))
}

fn wrong(field: &str, wanted: &str) -> Error {
    Error::parameter(format!("{field}: must be {wanted}"))
}
