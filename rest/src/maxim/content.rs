//! What a maxim message says, to and from what the store keeps.
//!
//! maxim sends a content type, a text and three strings of JSON. [`read`] finds the kind that every dialect understands;
//! where that kind cannot give back the very strings that came, they are kept beside it and [`show`] prefers them.

use std::collections::{BTreeSet, HashMap};

use domain::entry::content::Kind;
use domain::entry::{self, Content};
use serde::{Deserialize, Serialize};

use super::attachment::{Attachment, Item};

/// The mark of this dialect on what it wrote.
const ORIGIN: &str = super::NAME;

/// Content types by number; the names are those that history answers with.
const TYPES: [&str; 8] = ["TEXT", "IMAGE", "AUDIO", "VIDEO", "FILE", "LOCATION", "COMMAND", "FORWARD"];

/// A message's content, as it is sent and shown.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    /// 0 text, 1 image, 2 audio, 3 video, 4 file, 5 location, 6 command, 7 forward.
    pub content_type: u8,
    pub content: String,
    /// JSON, or empty.
    pub attachment: String,
}

impl Body {
    /// The content type's name.
    pub(super) fn type_name(&self) -> &'static str {
        TYPES.get(usize::from(self.content_type)).copied().unwrap_or(TYPES[0])
    }
}

/// Delivery hints that matter to other dialects too. The rest of `config` is carried unread.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Hints {
    mention_all: bool,
    mention_list: Vec<u64>,
}

/// Reads a message; `None` where there is no such content type. Users are still named by number: see [`resolve`].
pub(super) fn read(body: Body, config: String, ext: String) -> Option<Content> {
    let attachment = serde_json::from_str(&body.attachment).unwrap_or_default();
    let kind = read_kind(&body, attachment)?;
    let hints: Hints = serde_json::from_str(&config).unwrap_or_default();
    let mut content = Content {
        kind: Some(kind),
        mentions: hints.mention_list,
        mention_all: hints.mention_all,
        config,
        extension: ext,
        origin: ORIGIN.to_owned(),
        ..Content::default()
    };
    if show(&content, &|number| number) != body {
        content.raw = spelled(&body);
    }
    Some(content)
}

/// Every user whom a content names: mentioned, or the author of what it passes on.
pub(super) fn named(content: &Content) -> BTreeSet<u64> {
    let authors = match &content.kind {
        Some(Kind::Forward(forward)) => forward.items.iter().map(|item| item.sender).collect(),
        _ => Vec::new(),
    };
    content.mentions.iter().copied().chain(authors).filter(|user| *user != 0).collect()
}

/// Puts ids in the place of the numbers that a content names users by. Who is unknown is not mentioned, and what nobody known has said
/// keeps its author only in what came.
pub(super) fn resolve(content: &mut Content, ids: &HashMap<u64, u64>) {
    let came = show(content, &|number| number);
    content.mentions = content.mentions.iter().filter_map(|number| ids.get(number).copied()).collect();
    if let Some(Kind::Forward(forward)) = &mut content.kind {
        let is_whole = forward.items.iter().all(|item| item.sender == 0 || ids.contains_key(&item.sender));
        for item in &mut forward.items {
            item.sender = ids.get(&item.sender).copied().unwrap_or_default();
        }
        if !is_whole {
            content.raw = spelled(&came);
        }
    }
}

fn spelled(body: &Body) -> String {
    // A body is a number and two strings, which JSON can always hold.
    serde_json::to_string(body).unwrap_or_default()
}

fn read_kind(body: &Body, attachment: Attachment) -> Option<Kind> {
    let text = body.content.clone();
    Some(match body.content_type {
        0 if attachment.kind == "face" => Kind::Face(entry::Face { index: attachment.index, data: attachment.data }),
        0 => Kind::Text(entry::Text { text }),
        1 => Kind::Image(attachment.into_image()),
        2 => Kind::Voice(attachment.into_voice()),
        3 => Kind::Video(attachment.into_video()),
        4 => Kind::File(entry::File { media: Some(attachment.into_media()) }),
        5 => Kind::Location(attachment.into_location()),
        6 if attachment.kind == "custom" => {
            let Attachment { description, extension, .. } = attachment;
            Kind::Custom(entry::Custom { data: text, description, extension })
        }
        6 => Kind::Command(entry::Command { data: text }),
        7 => {
            Kind::Forward(entry::Forward { title: text, items: attachment.items.into_iter().map(read_item).collect() })
        }
        _ => return None,
    })
}

/// A relayed message. One that relays others in turn is kept by its title only, so that depth is bounded.
fn read_item(item: Item) -> entry::Forwarded {
    let attachment: Attachment = serde_json::from_str(&item.body.attachment).unwrap_or_default();
    let kind = match read_kind(&item.body, attachment) {
        Some(Kind::Forward(inner)) => Some(Kind::Text(entry::Text { text: inner.title })),
        kind => kind,
    };
    entry::Forwarded { sender: item.from, time: item.timestamp, content: Some(Content { kind, ..Content::default() }) }
}

/// What a content shows as. `number` tells what a user is called.
pub(super) fn show(content: &Content, number: &dyn Fn(u64) -> u64) -> Body {
    // Anyone can claim an origin over the wire protocol, so what is kept is checked before it is believed.
    if content.origin == ORIGIN
        && !content.raw.is_empty()
        && let Ok(kept) = serde_json::from_str::<Body>(&content.raw)
    {
        return kept;
    }
    show_kind(content.kind.as_ref(), number)
}

/// The delivery hints that a content shows: its own, or those that its mentions make.
pub(super) fn show_config(content: &Content, number: &dyn Fn(u64) -> u64) -> String {
    if !content.config.is_empty() || (content.mentions.is_empty() && !content.mention_all) {
        return content.config.clone();
    }
    let mention_list = content.mentions.iter().map(|user| number(*user)).collect();
    serde_json::to_string(&Hints { mention_all: content.mention_all, mention_list }).unwrap_or_default()
}

fn show_kind(kind: Option<&Kind>, number: &dyn Fn(u64) -> u64) -> Body {
    match kind {
        Some(Kind::Text(text)) => body(0, &text.text, None),
        Some(Kind::Image(image)) => body(1, "", Some(Attachment::of_image(image))),
        Some(Kind::Voice(voice)) => body(2, "", Some(Attachment::of_voice(voice))),
        Some(Kind::Video(video)) => body(3, "", Some(Attachment::of_video(video))),
        Some(Kind::File(file)) => body(4, "", Some(Attachment::of_media(file.media.as_ref()))),
        Some(Kind::Location(location)) => body(5, "", Some(Attachment::of_location(location))),
        Some(Kind::Command(command)) => body(6, &command.data, None),
        // maxim has no stickers: people see the description, and its own code finds the sticker.
        Some(Kind::Face(face)) => {
            let (index, data) = (face.index.clone(), face.data.clone());
            body(0, &face.data, Some(Attachment { kind: "face".to_owned(), index, data, ..Attachment::default() }))
        }
        // What only the app's own code understands is a command to maxim.
        Some(Kind::Custom(custom)) => {
            let (description, extension) = (custom.description.clone(), custom.extension.clone());
            let kind = "custom".to_owned();
            body(6, &custom.data, Some(Attachment { kind, description, extension, ..Attachment::default() }))
        }
        Some(Kind::Forward(forward)) if forward.items.is_empty() => body(7, &forward.title, None),
        Some(Kind::Forward(forward)) => {
            let items = forward.items.iter().map(|item| show_item(item, number)).collect();
            body(7, &forward.title, Some(Attachment { items, ..Attachment::default() }))
        }
        None => Body::default(),
    }
}

fn show_item(item: &entry::Forwarded, number: &dyn Fn(u64) -> u64) -> Item {
    let body = item.content.as_ref().map(|content| show(content, number)).unwrap_or_default();
    Item { from: number(item.sender), timestamp: item.time, body }
}

fn body(content_type: u8, content: &str, attachment: Option<Attachment>) -> Body {
    let attachment = attachment.and_then(|it| serde_json::to_string(&it).ok()).unwrap_or_default();
    Body { content_type, content: content.to_owned(), attachment }
}

#[cfg(test)]
mod tests;
