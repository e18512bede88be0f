//! tenured's words that do not pass, and users who are silent everywhere.
//!
//! The document names these calls in a comment only. Their paths and fields are ours, in its style.

use domain::record::{Silence, WordAction};
use domain::{Millis, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Reply, Shape, Tenured};
use crate::context::Cx;
use crate::dialect::Fault;
use crate::input::Json;
use crate::route::{POST, Route, on};
use crate::{cursor, lenient};

/// How many words a page holds where the request does not say.
const PAGE: u64 = 100;
/// Longest silence that has an end: a hundred years.
const LONGEST_SECONDS: i64 = 100 * 365 * 86_400;

/// The part of the table that is about rules.
pub(super) fn routes() -> Vec<Route<Tenured>> {
    vec![
        on(POST, "/v1/get_dirty_words", list)
            .shape(Shape::Text)
            .says("Lists words that do not pass", "Ours; the document only names it. In the order of their spelling."),
        on(POST, "/v1/add_dirty_words", add).says("Adds words that do not pass", ADD),
        on(POST, "/v1/delete_dirty_words", delete).says(
            "Lets words pass again",
            "Ours; the document only names it. Words that are not there are passed over.",
        ),
        on(POST, "/v1/set_global_mute", set_mute).says("Silences a user everywhere", MUTE),
        on(POST, "/v1/get_global_mute", mute).shape(Shape::Text).says(
            "Tells for how long a user is silent everywhere",
            "Ours; the document only names it. Without `userId`, the whole app.",
        ),
    ]
}

const ADD: &str = "Ours; the document only names it. `action` says what becomes of a message with such a word: `reject` refuses it, which is \
    the default, `mask` shows the word as asterisks, and `flag` lets it pass with a mark. Adding a word again gives it another action. Letter \
    case, full-width letters, invisible characters and marks between the characters of Chinese words make no difference; words of letters \
    must stand alone. Users' messages are looked at, not those of the app's own server. In force within a second.";

const MUTE: &str = "Ours; the document only names it. For so many seconds: 0 lifts it, -1 is for ever; one of the two may be left out and is 0 then. Without \
    `userId`, the whole app is silent, but for its own server and administrators.";

/// Which page of the words.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ListRequest {
    #[serde(default)]
    cursor: Option<String>,
    /// Most words on the page. Default 100.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    limit: Option<u64>,
}

/// Words that are not to pass.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AddRequest {
    words: Vec<String>,
    #[serde(default)]
    action: Action,
}

/// Words that are to pass again.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeleteRequest {
    words: Vec<String>,
}

/// Who is to be silent, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MuteRequest {
    #[serde(default, deserialize_with = "lenient::opt_string")]
    user_id: Option<String>,
    /// Seconds, between users.
    #[serde(default)]
    #[schema(minimum = -1)]
    single_mute_time: Option<i64>,
    /// Seconds, in groups.
    #[serde(default)]
    #[schema(minimum = -1)]
    group_mute_time: Option<i64>,
}

/// Whose silence.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MuteQuery {
    #[serde(default, deserialize_with = "lenient::opt_string")]
    user_id: Option<String>,
}

/// What becomes of a message with the word.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    #[default]
    Reject,
    Mask,
    Flag,
}

/// A page of words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Words {
    words: Vec<Word>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Word {
    word: String,
    action: Action,
}

/// For how long somebody is silent yet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mute {
    /// Seconds, between users; -1 for ever.
    single_mute_time: i64,
    /// Seconds, in groups; -1 for ever.
    group_mute_time: i64,
}

/// `POST /v1/get_dirty_words`: a page of words.
async fn list(cx: Cx, Json(req): Json<ListRequest>) -> Reply<Words> {
    let cursor = cursor::read(req.cursor.as_deref())?;
    let limit = usize::try_from(req.limit.unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let page = cx.domain.rules.words(&cx.caller, cursor.as_deref(), limit).await?;
    let words = page.items.into_iter().map(|row| Word { action: Action::of(row.action()), word: row.word }).collect();
    Ok(Words { words, cursor: cursor::spell(page.next) })
}

/// `POST /v1/add_dirty_words`: adds words.
async fn add(cx: Cx, Json(req): Json<AddRequest>) -> Reply<()> {
    Ok(cx.domain.rules.add_words(&cx.caller, &req.words, req.action.stored()).await?)
}

/// `POST /v1/delete_dirty_words`: removes words.
async fn delete(cx: Cx, Json(req): Json<DeleteRequest>) -> Reply<()> {
    Ok(cx.domain.rules.remove_words(&cx.caller, &req.words).await?)
}

/// `POST /v1/set_global_mute`: silences somebody, or lets them speak.
async fn set_mute(cx: Cx, Json(req): Json<MuteRequest>) -> Reply<()> {
    if req.single_mute_time.or(req.group_mute_time).is_none() {
        return Err(Fault::missing("singleMuteTime").into());
    }
    let user = user(&cx, req.user_id).await?;
    let now = cx.clock.now();
    let silence = Silence {
        direct_until: until(now, "singleMuteTime", req.single_mute_time.unwrap_or_default())?,
        group_until: until(now, "groupMuteTime", req.group_mute_time.unwrap_or_default())?,
    };
    Ok(cx.domain.rules.set_silence(&cx.caller, user, silence).await?)
}

/// `POST /v1/get_global_mute`: for how long somebody is silent yet.
async fn mute(cx: Cx, Json(req): Json<MuteQuery>) -> Reply<Mute> {
    let user = user(&cx, req.user_id).await?;
    let silence = cx.domain.rules.silence(&cx.caller, user).await?;
    let now = cx.clock.now();
    Ok(Mute { single_mute_time: left(now, silence.direct_until), group_mute_time: left(now, silence.group_until) })
}

async fn user(cx: &Cx, uid: Option<String>) -> Reply<Option<UserId>> {
    let Some(uid) = uid else { return Ok(None) };
    let user = cx.domain.users.find(&cx.caller, &UserRef::Uid(uid)).await?;
    Ok(Some(UserId(user.id)))
}

/// When a silence of so many seconds ends.
fn until(now: Millis, field: &'static str, seconds: i64) -> Result<i64, Fault> {
    match seconds {
        -1 | 0 => Ok(seconds),
        1..=LONGEST_SECONDS => Ok(now.0 + seconds * 1_000),
        _ => Err(Fault::invalid(field, format!("is seconds, at most {LONGEST_SECONDS}; 0 for none, -1 for ever"))),
    }
}

/// So many seconds of a silence are left; a part of one counts.
fn left(now: Millis, until: i64) -> i64 {
    if until == -1 { -1 } else { ((until - now.0).max(0) + 999) / 1_000 }
}

impl Action {
    fn of(stored: WordAction) -> Self {
        match stored {
            WordAction::Reject => Self::Reject,
            WordAction::Mask => Self::Mask,
            WordAction::Flag => Self::Flag,
        }
    }

    fn stored(self) -> WordAction {
        match self {
            Self::Reject => WordAction::Reject,
            Self::Mask => WordAction::Mask,
            Self::Flag => WordAction::Flag,
        }
    }
}
