//! What an app's server is sent, as JSON.

use bytes::Bytes;
use proto::entry::content::Kind;
use proto::entry::entry::Body;
use proto::entry::{Content, Entry, Media};
use proto::store;
use serde::Serialize;
use storage::Store;

use super::Question;
use crate::error::Result;
use crate::groups::GroupKey;
use crate::ids::{AppNumber, ConversationId, UserId};
use crate::users::UserKey;

#[derive(Serialize)]
struct Event<'a> {
    /// `message.before` or `message.after`.
    event: &'static str,
    /// The app's id.
    app: &'a str,
    /// Unix milliseconds.
    time: i64,
    sender: Party,
    conversation: Conversation,
    message: Message<'a>,
}

/// A user, or the app itself as user 0.
#[derive(Serialize)]
struct Party {
    id: u64,
    /// The app's own id; empty where there is none.
    uid: String,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Conversation {
    Direct { to: Party },
    Group { id: u64, gid: String },
    Notices { to: Party },
}

#[derive(Serialize)]
struct Message<'a> {
    /// Of a message that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(rename = "type")]
    kind: &'static str,
    /// What people are shown, or what the app's own code is handed.
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    /// The app's own.
    #[serde(skip_serializing_if = "str::is_empty")]
    extension: &'a str,
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    mentions: &'a [u64],
    mention_all: bool,
    flagged: bool,
}

#[derive(Serialize)]
struct File<'a> {
    url: &'a str,
    name: &'a str,
    mime: &'a str,
    size: u64,
}

/// Before a message is sent.
pub(super) async fn before(store: &Store, question: &Question<'_>, content: &Content) -> Result<Bytes> {
    let Question { app, sender, conversation, time } = *question;
    let event = Event {
        event: "message.before",
        app: &app.id,
        time: time.0,
        sender: party(store, app, sender).await?,
        conversation: place(store, app, sender, conversation).await?,
        message: message(content),
    };
    Ok(written(&event))
}

/// After a message was sent; `None` for what is no message.
pub(super) async fn after(
    store: &Store,
    app: &store::App,
    conversation: ConversationId,
    entry: &Entry,
) -> Result<Option<Bytes>> {
    let Some(Body::Message(content)) = &entry.body else { return Ok(None) };
    let sender = UserId(entry.sender);
    let event = Event {
        event: "message.after",
        app: &app.id,
        time: entry.time,
        sender: party(store, app, sender).await?,
        conversation: place(store, app, sender, conversation).await?,
        message: Message { id: Some(entry.message_id), seq: Some(entry.seq), ..message(content) },
    };
    Ok(Some(written(&event)))
}

fn written(event: &Event<'_>) -> Bytes {
    serde_json::to_vec(event).expect("an event holds texts and numbers only, which JSON can always hold").into()
}

async fn party(store: &Store, app: &store::App, user: UserId) -> Result<Party> {
    let found = match user {
        UserId(0) => None,
        user => store.get(&UserKey { app: AppNumber(app.number), user }).await?,
    };
    Ok(Party { id: user.0, uid: found.map(|user| user.uid).unwrap_or_default() })
}

async fn place(store: &Store, app: &store::App, sender: UserId, conversation: ConversationId) -> Result<Conversation> {
    Ok(match conversation {
        ConversationId::Group(group) => {
            let found = store.get(&GroupKey { app: AppNumber(app.number), group }).await?;
            Conversation::Group { id: group.0, gid: found.map(|group| group.gid).unwrap_or_default() }
        }
        ConversationId::Notices(user) => Conversation::Notices { to: party(store, app, user).await? },
        ConversationId::Direct { low, .. } => {
            let to = conversation.peer_of(sender).unwrap_or(low);
            Conversation::Direct { to: party(store, app, to).await? }
        }
    })
}

fn message(content: &Content) -> Message<'_> {
    let (kind, text, media) = match &content.kind {
        Some(Kind::Text(text)) => ("text", text.text.as_str(), None),
        Some(Kind::Image(image)) => ("image", "", image.media.as_ref()),
        Some(Kind::Voice(voice)) => ("voice", "", voice.media.as_ref()),
        Some(Kind::Video(video)) => ("video", "", video.media.as_ref()),
        Some(Kind::File(file)) => ("file", "", file.media.as_ref()),
        Some(Kind::Location(place)) => ("location", place.address.as_str(), None),
        Some(Kind::Face(face)) => ("face", face.data.as_str(), None),
        Some(Kind::Custom(custom)) => ("custom", custom.data.as_str(), None),
        Some(Kind::Forward(forward)) => ("forward", forward.title.as_str(), None),
        Some(Kind::Command(command)) => ("command", command.data.as_str(), None),
        None => ("none", "", None),
    };
    Message {
        id: None,
        seq: None,
        kind,
        text,
        file: media.map(|media: &Media| File {
            url: &media.url,
            name: &media.name,
            mime: &media.mime,
            size: media.size,
        }),
        extension: &content.extension,
        mentions: &content.mentions,
        mention_all: content.mention_all,
        flagged: content.flagged,
    }
}
