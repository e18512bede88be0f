//! openim's kinds of content, and what they are here.

use domain::entry::content::Kind;
use domain::entry::{self, Media};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::bind::Rules;
use super::{Error, Refusal, Reply};
use crate::input::from_json;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TextElem {
    text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PictureElem {
    source_picture: Picture,
    snapshot_picture: Picture,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Picture {
    #[serde(rename = "type")]
    mime: String,
    size: u64,
    width: u32,
    height: u32,
    url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SoundElem {
    source_url: String,
    data_size: u64,
    /// Seconds.
    duration: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct VideoElem {
    video_url: String,
    video_type: String,
    video_size: u64,
    /// Seconds.
    duration: u32,
    snapshot_url: String,
    snapshot_size: u64,
    snapshot_width: u32,
    snapshot_height: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FileElem {
    source_url: String,
    file_name: String,
    file_size: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CustomElem {
    data: String,
    description: String,
    extension: String,
}

/// Reads a content of one of openim's types. What our kind cannot hold stays in `raw`.
pub(super) fn read(content_type: i32, json: &str) -> Reply<entry::Content> {
    // The document types `content` as a string and shows an object: both are taken.
    let unwrapped: Option<String> = serde_json::from_str(json).ok();
    let json = unwrapped.as_deref().unwrap_or(json);
    let kind = match content_type {
        101 => text(elem(json)?)?,
        102 => picture(elem(json)?)?,
        103 => sound(elem(json)?)?,
        104 => video(elem(json)?)?,
        105 => file(elem(json)?)?,
        110 => custom(elem(json)?)?,
        _ => return Err(Error::Refused(Refusal::CONTENT_TYPE)),
    };
    let raw = if matches!(kind, Kind::Text(_)) { String::new() } else { json.to_owned() };
    Ok(entry::Content { kind: Some(kind), origin: "openim".into(), raw, ..entry::Content::default() })
}

fn elem<T: DeserializeOwned>(json: &str) -> Reply<T> {
    from_json(json.as_bytes()).map_err(|fault| Error::Content(format!("content: {fault}")))
}

/// One field that the kind cannot do without.
fn needs(elem: &'static str, field: &str, there: bool) -> Reply<()> {
    let mut rules = Rules::new(elem);
    rules.required(field, there);
    rules.finish().map_err(Error::Content)
}

fn text(elem: TextElem) -> Reply<Kind> {
    needs("TextElem", "Text", !elem.text.is_empty())?;
    Ok(Kind::Text(entry::Text { text: elem.text }))
}

fn picture(elem: PictureElem) -> Reply<Kind> {
    needs("PictureElem", "SourcePicture.Url", !elem.source_picture.url.is_empty())?;
    let (width, height) = (elem.source_picture.width, elem.source_picture.height);
    let thumbnail = Some(elem.snapshot_picture).filter(|picture| !picture.url.is_empty()).map(Picture::into_media);
    Ok(Kind::Image(entry::Image { media: Some(elem.source_picture.into_media()), width, height, thumbnail }))
}

fn sound(elem: SoundElem) -> Reply<Kind> {
    needs("SoundElem", "SourceUrl", !elem.source_url.is_empty())?;
    let media = Media { url: elem.source_url, size: elem.data_size, ..Media::default() };
    Ok(Kind::Voice(entry::Voice { media: Some(media), duration_ms: elem.duration.saturating_mul(1000) }))
}

fn video(elem: VideoElem) -> Reply<Kind> {
    needs("VideoElem", "VideoUrl", !elem.video_url.is_empty())?;
    let cover = Media { url: elem.snapshot_url, size: elem.snapshot_size, ..Media::default() };
    Ok(Kind::Video(entry::Video {
        media: Some(Media { url: elem.video_url, mime: elem.video_type, size: elem.video_size, ..Media::default() }),
        duration_ms: elem.duration.saturating_mul(1000),
        width: elem.snapshot_width,
        height: elem.snapshot_height,
        cover: Some(cover).filter(|cover| !cover.url.is_empty()),
    }))
}

fn file(elem: FileElem) -> Reply<Kind> {
    needs("FileElem", "SourceUrl", !elem.source_url.is_empty())?;
    let media = Media { url: elem.source_url, name: elem.file_name, size: elem.file_size, ..Media::default() };
    Ok(Kind::File(entry::File { media: Some(media) }))
}

fn custom(elem: CustomElem) -> Reply<Kind> {
    needs("CustomElem", "Data", !elem.data.is_empty())?;
    let CustomElem { data, description, extension } = elem;
    Ok(Kind::Custom(entry::Custom { data, description, extension }))
}

impl Picture {
    fn into_media(self) -> Media {
        Media { url: self.url, mime: self.mime, size: self.size, ..Media::default() }
    }
}
