//! What a tim message says, to and from what the store keeps.
//!
//! [`read`] finds the kind that every dialect understands. Where that kind cannot give back the very payload that came
//! (a field of a newer client, a UUID), the payload itself is kept beside it, and [`show`] prefers it:
//! so nothing that a tim client wrote is lost to another tim client, and other dialects still see a typed message.

use domain::entry::content::Kind;
use domain::entry::{self, Content};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::payload;
use crate::dialect::Fault;
use crate::input::from_json;
use crate::preview::preview;
use crate::seconds::Seconds;

/// The mark of this dialect on what it wrote.
const ORIGIN: &str = super::NAME;

/// What a payload says, and the users that it names but that are yet to be looked up.
#[derive(Debug)]
pub(super) struct Parsed {
    pub content: Content,
    /// Who said each item of a relayed message, in order.
    pub authors: Vec<String>,
}

/// Reads a payload of the given type.
///
/// # Errors
/// What is wrong with it, for the caller to read.
pub(super) fn read(kind: &str, payload: &RawValue) -> Result<Parsed, String> {
    let mut authors = Vec::new();
    let parsed = kind_of(kind, payload.get(), &mut authors)?;
    let mut content = Content { kind: Some(parsed), origin: ORIGIN.to_owned(), ..Content::default() };
    // Relayed authors have no ids yet, so a relay never comes back whole and is always kept as it came.
    if !says_the_same(&show(&content, &|_| String::new()).1, payload) {
        payload.get().clone_into(&mut content.raw);
    }
    Ok(Parsed { content, authors })
}

fn kind_of(kind: &str, payload: &str, authors: &mut Vec<String>) -> Result<Kind, String> {
    Ok(match kind {
        "TIMTextElem" => Kind::Text(entry::Text { text: parse::<payload::Text>(payload)?.text }),
        "TIMImageElem" => Kind::Image(image(parse(payload)?)),
        "TIMSoundElem" => {
            let sound: payload::Sound = parse(payload)?;
            let media = media(sound.url, String::new(), sound.size);
            Kind::Voice(entry::Voice { media, duration_ms: sound.second.ms })
        }
        "TIMVideoFileElem" => Kind::Video(video(parse(payload)?)),
        "TIMFileElem" => {
            let file: payload::File = parse(payload)?;
            Kind::File(entry::File { media: media(file.file_url, file.file_name, file.file_size) })
        }
        "TIMFaceElem" => {
            let face: payload::Face = parse(payload)?;
            Kind::Face(entry::Face { index: face.index, data: face.data })
        }
        "TIMLocationElem" => {
            let payload::Location { description, longitude, latitude } = parse(payload)?;
            Kind::Location(entry::Location { latitude, longitude, address: description })
        }
        "TIMCustomElem" => {
            let payload::Custom { data, description, extension } = parse(payload)?;
            Kind::Custom(entry::Custom { data, description, extension })
        }
        "TIMRelayElem" => Kind::Forward(relay(parse(payload)?, authors)?),
        other => return Err(format!("{other:?} is not a type of message that can be sent")),
    })
}

/// Reads a payload.
///
/// # Errors
/// What is wrong with it, for the caller to read.
pub(super) fn parse<T: DeserializeOwned>(payload: &str) -> Result<T, String> {
    // serde would take a list for a struct, field by field.
    if !payload.starts_with('{') {
        return Err("payload: must be an object".to_owned());
    }
    from_json(payload.as_bytes()).map_err(|fault| match fault {
        Fault::Field { field, problem } => format!("payload.{field}: {problem}"),
        other => format!("payload: {other}"),
    })
}

fn image(from: payload::Image) -> entry::Image {
    let mut sizes = from.image_info_array.into_iter();
    let original = sizes.next().unwrap_or_default();
    let thumbnail = sizes.find(|size| !size.url.is_empty() && size.url != original.url);
    entry::Image {
        media: media(original.url, String::new(), original.size),
        width: original.width,
        height: original.height,
        thumbnail: thumbnail.and_then(|size| media(size.url, String::new(), size.size)),
    }
}

fn video(from: payload::Video) -> entry::Video {
    let mime = if from.video_format.is_empty() { String::new() } else { format!("video/{}", from.video_format) };
    let mut file = media(from.video_url, String::new(), from.video_size);
    if let Some(file) = &mut file {
        file.mime = mime;
    }
    let cover = if from.thumb_url.is_empty() { None } else { media(from.thumb_url, String::new(), from.thumb_size) };
    // The frame has the proportions of its cover; tim tells no others.
    entry::Video {
        media: file,
        duration_ms: from.video_second.ms,
        width: from.thumb_width,
        height: from.thumb_height,
        cover,
    }
}

fn relay(from: payload::Relay, authors: &mut Vec<String>) -> Result<entry::Forward, String> {
    let mut items = Vec::with_capacity(from.message_list.len());
    for item in from.message_list {
        // What a relay relays is a leaf: a relay inside it is kept by its title only, so that depth is bounded.
        let kind = match kind_of(&item.kind, item.payload.get(), &mut Vec::new())? {
            Kind::Forward(inner) => Kind::Text(entry::Text { text: inner.title }),
            kind => kind,
        };
        authors.push(item.from);
        let content = Content { kind: Some(kind), ..Content::default() };
        items.push(entry::Forwarded { sender: 0, time: item.time.saturating_mul(1000), content: Some(content) });
    }
    Ok(entry::Forward { title: from.title, items })
}

fn media(url: String, name: String, size: u64) -> Option<entry::Media> {
    Some(entry::Media { url, name, size, ..entry::Media::default() })
}

/// The type and payload that a content shows as. `uid` tells what a user is called.
pub(super) fn show(content: &Content, uid: &dyn Fn(u64) -> String) -> (&'static str, Box<RawValue>) {
    let (kind, typed) = show_kind(content, uid);
    // Anyone can claim an origin over the wire protocol, so what is kept is checked before it is believed.
    let kept =
        (content.origin == ORIGIN && !content.raw.is_empty()).then(|| RawValue::from_string(content.raw.clone()));
    match kept {
        Some(Ok(kept)) => (kind, kept),
        Some(Err(_)) | None => (kind, typed),
    }
}

fn show_kind(content: &Content, uid: &dyn Fn(u64) -> String) -> (&'static str, Box<RawValue>) {
    match &content.kind {
        Some(Kind::Text(text)) => ("TIMTextElem", raw(&payload::Text { text: text.text.clone() })),
        Some(Kind::Image(image)) => ("TIMImageElem", raw(&show_image(image))),
        Some(Kind::Voice(voice)) => ("TIMSoundElem", raw(&show_sound(voice))),
        Some(Kind::Video(video)) => ("TIMVideoFileElem", raw(&show_video(video))),
        Some(Kind::File(file)) => ("TIMFileElem", raw(&show_file(file))),
        Some(Kind::Location(at)) => {
            let (latitude, longitude) = (at.latitude, at.longitude);
            ("TIMLocationElem", raw(&payload::Location { description: at.address.clone(), longitude, latitude }))
        }
        Some(Kind::Face(face)) => {
            ("TIMFaceElem", raw(&payload::Face { index: face.index.clone(), data: face.data.clone() }))
        }
        Some(Kind::Custom(custom)) => {
            let entry::Custom { data, description, extension } = custom.clone();
            ("TIMCustomElem", raw(&payload::Custom { data, description, extension }))
        }
        // The app's own code reads these, as it reads tim's custom messages.
        Some(Kind::Command(command)) => {
            ("TIMCustomElem", raw(&payload::Custom { data: command.data.clone(), ..payload::Custom::default() }))
        }
        Some(Kind::Forward(forward)) => ("TIMRelayElem", raw(&show_relay(forward, uid))),
        None => ("TIMTextElem", raw(&payload::Text::default())),
    }
}

fn show_image(image: &entry::Image) -> payload::Image {
    let original = image.media.clone().unwrap_or_default();
    let mut sizes = vec![payload::ImageInfo {
        size_type: 1,
        size: original.size,
        width: image.width,
        height: image.height,
        url: original.url,
    }];
    if let Some(small) = &image.thumbnail {
        let (url, size) = (small.url.clone(), small.size);
        sizes.push(payload::ImageInfo { size_type: 3, size, url, ..payload::ImageInfo::default() });
    }
    let image_format = extension_of(&original.mime).to_owned();
    payload::Image { uuid: original.checksum, image_format, image_info_array: sizes }
}

fn show_sound(voice: &entry::Voice) -> payload::Sound {
    let media = voice.media.clone().unwrap_or_default();
    let second = Seconds { ms: voice.duration_ms };
    payload::Sound { uuid: media.checksum, url: media.url, size: media.size, second }
}

fn show_video(video: &entry::Video) -> payload::Video {
    let media = video.media.clone().unwrap_or_default();
    let cover = video.cover.clone().unwrap_or_default();
    payload::Video {
        video_format: extension_of(&media.mime).to_owned(),
        video_uuid: media.checksum,
        video_url: media.url,
        video_size: media.size,
        video_second: Seconds { ms: video.duration_ms },
        thumb_format: extension_of(&cover.mime).to_owned(),
        thumb_uuid: cover.checksum,
        thumb_url: cover.url,
        thumb_size: cover.size,
        thumb_width: video.width,
        thumb_height: video.height,
    }
}

fn show_file(file: &entry::File) -> payload::File {
    let media = file.media.clone().unwrap_or_default();
    payload::File { uuid: media.checksum, file_name: media.name, file_url: media.url, file_size: media.size }
}

fn show_relay(forward: &entry::Forward, uid: &dyn Fn(u64) -> String) -> payload::Relay {
    let mut relay = payload::Relay { title: forward.title.clone(), ..payload::Relay::default() };
    for item in &forward.items {
        // Nobody known; user 0 would be the app itself.
        let from = if item.sender == 0 { String::new() } else { uid(item.sender) };
        let content = item.content.clone().unwrap_or_default();
        relay.abstract_list.push(format!("{from}: {}", preview(&content)));
        let (kind, payload) = show(&content, uid);
        let (time, kind) = (item.time.div_euclid(1000), kind.to_owned());
        relay.message_list.push(payload::RelayItem { from, time, kind, payload });
    }
    relay.compatible_text = if relay.title.is_empty() { relay.abstract_list.join("\n") } else { relay.title.clone() };
    relay
}

/// `png` of `image/png`.
fn extension_of(mime: &str) -> &str {
    mime.split_once('/').map_or("", |(_, extension)| extension)
}

/// Spells a payload. Payloads hold text, numbers and lists only, which JSON can always hold.
pub(super) fn raw<T: Serialize>(payload: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(payload).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Whether two texts are the same JSON, whatever the order and spacing.
fn says_the_same(one: &RawValue, other: &RawValue) -> bool {
    match (serde_json::from_str::<Value>(one.get()), serde_json::from_str::<Value>(other.get())) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
