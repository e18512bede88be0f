//! What a tenured message says. Its document names the calls only, so the shape of a content is ours: one key, named after the kind.

use domain::entry::content::Kind;
use domain::entry::{self, Content, Media};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Reply;
use crate::context::Cx;
use crate::dialect::Fault;
use crate::lenient;
use crate::people::Named;
use crate::seconds::Seconds;

/// A message, whoever it is to.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// The caller's own id of the message, at most 64 bytes: sending the same one again changes nothing.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    pub(super) msg_id: Option<String>,
    pub(super) content: Said,
    /// The app's own, carried unread.
    #[serde(default)]
    extra: String,
    /// Users who are mentioned.
    #[serde(default, deserialize_with = "lenient::vec_string")]
    at_user_ids: Vec<String>,
    /// Everybody is mentioned.
    #[serde(default)]
    at_all: bool,
    /// Not kept; only who is connected gets it.
    #[serde(default)]
    pub(super) online_only: bool,
}

/// A content: an object with one key.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Said {
    Text(String),
    Image(Picture),
    Voice(Sound),
    Video(Film),
    File(Document),
    Location(Place),
    Face(Face),
    Custom(Custom),
    /// For the app's own code; not shown to people.
    Command(String),
    Forward(Forward),
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Picture {
    url: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    thumb_url: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct Sound {
    url: String,
    #[serde(default)]
    size: u64,
    /// Seconds.
    #[serde(default)]
    #[schema(value_type = f64)]
    duration: Seconds,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Film {
    url: String,
    #[serde(default)]
    size: u64,
    /// Seconds.
    #[serde(default)]
    #[schema(value_type = f64)]
    duration: Seconds,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    cover_url: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct Document {
    url: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    size: u64,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct Place {
    /// Degrees, WGS 84.
    latitude: f64,
    /// Degrees, WGS 84.
    longitude: f64,
    #[serde(default)]
    address: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct Face {
    #[serde(deserialize_with = "lenient::string")]
    index: String,
    #[serde(default)]
    data: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct Custom {
    data: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    extension: String,
}

/// Earlier messages, passed on.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct Forward {
    #[serde(default)]
    title: String,
    messages: Vec<Forwarded>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Forwarded {
    #[serde(default, deserialize_with = "lenient::string")]
    from_user_id: String,
    /// Unix milliseconds.
    #[serde(default)]
    time: i64,
    #[schema(no_recursion)]
    content: Said,
}

impl Message {
    /// What the product knows it as, with the users found whom it names.
    pub(super) async fn resolve(&self, cx: &Cx) -> Reply<Content> {
        let mut authors = Vec::new();
        let content = Content {
            kind: Some(self.content.kind(&mut authors)),
            mention_all: self.at_all,
            extension: self.extra.clone(),
            origin: "tenured".into(),
            ..Content::default()
        };
        let named = Named { mentioned: self.at_user_ids.clone(), authors };
        let (count, limit) = (named.count(), cx.config.max_users_per_call);
        if count > limit {
            return Err(Fault::invalid("message", format!("names {count} users; at most {limit} are allowed")).into());
        }
        Ok(named.resolve(cx, content).await?)
    }
}

impl Said {
    fn kind(&self, authors: &mut Vec<String>) -> Kind {
        match self.clone() {
            Self::Text(text) => Kind::Text(entry::Text { text }),
            Self::Image(it) => Kind::Image(entry::Image {
                media: media(it.url, String::new(), it.size),
                width: it.width,
                height: it.height,
                thumbnail: media(it.thumb_url, String::new(), 0),
            }),
            Self::Voice(it) => {
                Kind::Voice(entry::Voice { media: media(it.url, String::new(), it.size), duration_ms: it.duration.ms })
            }
            Self::Video(it) => Kind::Video(entry::Video {
                media: media(it.url, String::new(), it.size),
                duration_ms: it.duration.ms,
                width: it.width,
                height: it.height,
                cover: media(it.cover_url, String::new(), 0),
            }),
            Self::File(it) => Kind::File(entry::File { media: media(it.url, it.name, it.size) }),
            Self::Location(Place { latitude, longitude, address }) => {
                Kind::Location(entry::Location { latitude, longitude, address })
            }
            Self::Face(Face { index, data }) => Kind::Face(entry::Face { index, data }),
            Self::Custom(Custom { data, description, extension }) => {
                Kind::Custom(entry::Custom { data, description, extension })
            }
            Self::Command(data) => Kind::Command(entry::Command { data }),
            Self::Forward(it) => {
                let items = it.messages.into_iter().map(|message| forwarded(message, authors)).collect();
                Kind::Forward(entry::Forward { title: it.title, items })
            }
        }
    }
}

fn forwarded(message: Forwarded, authors: &mut Vec<String>) -> entry::Forwarded {
    // What is passed on is a leaf: one that passes on others in turn is kept by its title only, so that depth is bounded.
    let kind = match message.content {
        Said::Forward(inner) => Kind::Text(entry::Text { text: inner.title }),
        leaf => leaf.kind(&mut Vec::new()),
    };
    authors.push(message.from_user_id);
    let content = Content { kind: Some(kind), ..Content::default() };
    entry::Forwarded { sender: 0, time: message.time, content: Some(content) }
}

fn media(url: String, name: String, size: u64) -> Option<Media> {
    (!url.is_empty()).then(|| Media { url, name, size, ..Media::default() })
}
