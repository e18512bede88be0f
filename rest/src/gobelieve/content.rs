//! gobelieve's content: any string, by custom JSON with one of a few keys.

use domain::entry::content::Kind;
use domain::entry::{self, Content, Media};
use serde::{Deserialize, Serialize};

use crate::preview::preview;

/// The JSON that gobelieve's own clients write. Exactly one key is there, but for `at`; `image` is the older form of `image2`.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Elem {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Users whom a text mentions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    at: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image2: Option<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<Audio>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video: Option<Video>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Image {
    url: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Audio {
    url: String,
    /// Seconds.
    #[serde(default)]
    duration: u32,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Video {
    url: String,
    #[serde(default)]
    thumbnail: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    /// Seconds.
    #[serde(default)]
    duration: u32,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct File {
    url: String,
    #[serde(default)]
    filename: String,
    #[serde(default)]
    size: u64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
    #[serde(default)]
    address: String,
}

/// Reads a content. Whatever our kind would not give back exactly stays in `raw`. Mentions are still numbers: see [`resolve`].
pub(super) fn read(text: String) -> Content {
    let mut elem: Option<Elem> = serde_json::from_str(&text).ok();
    let mentions = elem.as_mut().map(|elem| std::mem::take(&mut elem.at)).unwrap_or_default();
    let kind = elem
        .and_then(into_kind)
        .unwrap_or_else(|| Kind::Custom(entry::Custom { data: text.clone(), ..entry::Custom::default() }));
    let content = Content { kind: Some(kind), mentions, origin: "gobelieve".into(), ..Content::default() };
    if write(&content, &|number| number) == text { content } else { Content { raw: text, ..content } }
}

/// Puts ids in the place of the numbers that a content mentions users by. Where one is unknown, what came is kept as it came.
pub(super) fn resolve(content: &mut Content, ids: &[Option<u64>]) {
    if content.raw.is_empty() && ids.iter().any(Option::is_none) {
        content.raw = write(content, &|number| number);
    }
    content.mentions = ids.iter().flatten().copied().collect();
}

/// The content as this dialect's clients know it: what they wrote themselves as it was, anything else in the nearest form that they show.
/// `number` tells what a user is called.
pub(super) fn write(content: &Content, number: &dyn Fn(u64) -> u64) -> String {
    if content.origin == "gobelieve" && !content.raw.is_empty() {
        return content.raw.clone();
    }
    if let (Some(Kind::Custom(custom)), "gobelieve") = (&content.kind, content.origin.as_str()) {
        return custom.data.clone();
    }
    let elem = from_kind(content).unwrap_or_else(|| Elem { text: Some(preview(content)), ..Elem::default() });
    let at = if elem.text.is_some() { content.mentions.iter().map(|user| number(*user)).collect() } else { Vec::new() };
    serde_json::to_string(&Elem { at, ..elem }).unwrap_or_default()
}

fn into_kind(elem: Elem) -> Option<Kind> {
    let Elem { text, at: _, image, image2, audio, video, file, location } = elem;
    let text = text.map(|text| Kind::Text(entry::Text { text }));
    let image = image2.or_else(|| image.map(|url| Image { url, ..Image::default() })).map(|image| {
        let (width, height) = (image.width, image.height);
        Kind::Image(entry::Image { media: link(image.url), width, height, thumbnail: None })
    });
    let voice = audio.map(|audio| {
        Kind::Voice(entry::Voice { media: link(audio.url), duration_ms: audio.duration.saturating_mul(1000) })
    });
    let video = video.map(|video| {
        Kind::Video(entry::Video {
            media: link(video.url),
            duration_ms: video.duration.saturating_mul(1000),
            width: video.width,
            height: video.height,
            cover: link(video.thumbnail).filter(|cover| !cover.url.is_empty()),
        })
    });
    let file = file.map(|file| {
        let media = Media { url: file.url, name: file.filename, size: file.size, ..Media::default() };
        Kind::File(entry::File { media: Some(media) })
    });
    let location = location.map(|place| {
        let Location { latitude, longitude, address } = place;
        Kind::Location(entry::Location { latitude, longitude, address })
    });
    [text, image, voice, video, file, location].into_iter().flatten().next()
}

fn from_kind(content: &Content) -> Option<Elem> {
    let elem = Elem::default();
    Some(match content.kind.as_ref()? {
        Kind::Text(text) => Elem { text: Some(text.text.clone()), ..elem },
        Kind::Image(image) => {
            let url = url(image.media.as_ref())?;
            Elem { image2: Some(Image { url, width: image.width, height: image.height }), ..elem }
        }
        Kind::Voice(voice) => {
            let url = url(voice.media.as_ref())?;
            Elem { audio: Some(Audio { url, duration: voice.duration_ms / 1000 }), ..elem }
        }
        Kind::Video(video) => {
            let url = url(video.media.as_ref())?;
            let thumbnail = video.cover.as_ref().map(|cover| cover.url.clone()).unwrap_or_default();
            let (width, height, duration) = (video.width, video.height, video.duration_ms / 1000);
            Elem { video: Some(Video { url, thumbnail, width, height, duration }), ..elem }
        }
        Kind::File(file) => {
            let media = file.media.as_ref()?;
            let (filename, size) = (media.name.clone(), media.size);
            Elem { file: Some(File { url: url(Some(media))?, filename, size }), ..elem }
        }
        Kind::Location(place) => {
            let (latitude, longitude) = (place.latitude, place.longitude);
            Elem { location: Some(Location { latitude, longitude, address: place.address.clone() }), ..elem }
        }
        Kind::Face(_) | Kind::Custom(_) | Kind::Forward(_) | Kind::Command(_) => return None,
    })
}

fn link(url: String) -> Option<Media> {
    Some(Media { url, ..Media::default() })
}

fn url(media: Option<&Media>) -> Option<String> {
    media.map(|media| media.url.clone()).filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everybody's number is the id.
    fn same(user: u64) -> u64 {
        user
    }

    #[test]
    fn gives_back_what_it_was_given() {
        for text in [
            r#"{"text":"hi"}"#,
            r#"{ "text": "hi" }"#,
            r#"{"text":"hi","at":[7]}"#,
            r#"{"text":"hi","at":[7],"at_name":["seven"]}"#,
            r#"{"image":"https://x/a.png"}"#,
            r#"{"image2":{"url":"https://x/a.png","width":3,"height":4}}"#,
            r#"{"audio":{"url":"https://x/a.amr","duration":5}}"#,
            r#"{"location":{"latitude":1.5,"longitude":2.5}}"#,
            r#"{"goods":{"id":1}}"#,
            r#"{"text":7}"#,
            "plain words",
            "",
            "[1]",
            "null",
        ] {
            assert_eq!(write(&read(text.to_owned()), &same), text);
        }
    }

    #[test]
    fn tells_the_other_dialects_what_it_is() {
        assert!(matches!(read(r#"{"text":"hi","at":[7]}"#.into()).kind, Some(Kind::Text(text)) if text.text == "hi"));
        assert!(matches!(read(r#"{"image":"https://x"}"#.into()).kind, Some(Kind::Image(_))));
        assert!(matches!(read("plain words".into()).kind, Some(Kind::Custom(custom)) if custom.data == "plain words"));
        assert!(read(r#"{"text":"hi"}"#.into()).raw.is_empty(), "a plain text needs no second copy");
    }

    #[test]
    fn shows_what_the_others_wrote() {
        let text = Content { kind: Some(Kind::Text(entry::Text { text: "a \"b\"".into() })), ..Content::default() };
        assert_eq!(write(&text, &same), r#"{"text":"a \"b\""}"#);
        let face = Kind::Face(entry::Face { index: "3".into(), data: String::new() });
        assert_eq!(write(&Content { kind: Some(face), ..Content::default() }, &same), r#"{"text":"[face] 3"}"#);
    }

    #[test]
    fn mentions_are_found_by_number_and_shown_by_it() {
        let text = r#"{"text":"hi","at":[7,8]}"#;
        let mut content = read(text.to_owned());
        assert_eq!(content.mentions, [7, 8]);
        resolve(&mut content, &[Some(1_007), Some(1_008)]);
        assert_eq!(write(&content, &|user| user - 1_000), text);
        let mut content = read(text.to_owned());
        resolve(&mut content, &[Some(1_007), None]);
        assert_eq!((content.mentions.as_slice(), write(&content, &same).as_str()), (&[1_007][..], text));
    }
}
