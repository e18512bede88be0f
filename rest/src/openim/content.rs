//! openim's kinds of content, and what they are here.

use domain::entry::content::Kind;
use domain::entry::{self, Media};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::bind::Rules;
use super::{Error, Refusal, Reply};
use crate::input::from_json;
use crate::people::Named;

const TEXT: i32 = 101;
const AT: i32 = 106;
const MERGED: i32 = 107;
const RECALL: i32 = 111;
const READ: i32 = 112;
const QUOTE: i32 = 114;

/// In `atUserList`, everybody. The original's own word.
const EVERYBODY: &str = "AtAllTag";

/// A text, also one that answers another message; what it answers is kept in `raw`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TextElem {
    text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AtElem {
    text: String,
    at_user_list: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MergeElem {
    title: String,
    multi_message: Vec<Merged>,
}

/// A message that is passed on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Merged {
    #[serde(rename = "sendID", default)]
    send_id: String,
    /// Unix time in nanoseconds, milliseconds or seconds: the original changed its mind, and clients of any age pass on what they hold.
    #[serde(default)]
    send_time: i64,
    content_type: i32,
    content: Box<RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CardElem {
    #[serde(alias = "nickName", alias = "name")]
    nickname: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LocationElem {
    description: String,
    longitude: f64,
    latitude: f64,
}

/// Messages that are withdrawn or read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MessageIds {
    #[serde(rename = "clientMsgID", alias = "msgID")]
    one: String,
    #[serde(rename = "clientMsgIDList", alias = "msgIDList")]
    many: Vec<String>,
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

/// What a request to send asks for.
#[derive(Debug)]
pub(super) enum Said {
    /// A message.
    Message(Box<Parsed>),
    /// That these messages of the sender's are withdrawn, by their `msgID`.
    Recall(Vec<String>),
    /// That the sender has read these messages of the receiver's, by their `msgID`.
    Read(Vec<String>),
}

/// A content, and the users whom it names.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) content: entry::Content,
    pub(super) named: Named,
}

/// Reads a content of one of openim's types. What our kind cannot hold stays in `raw`.
pub(super) fn read(content_type: i32, json: &str) -> Reply<Said> {
    // The document types `content` as a string and shows an object: both are taken.
    let unwrapped: Option<String> = serde_json::from_str(json).ok();
    let text = unwrapped.as_deref().unwrap_or(json);
    let mut named = Named::default();
    let kind = match content_type {
        AT => at(elem(text)?, &mut named.mentioned)?,
        MERGED => merged(elem(text)?, &mut named.authors)?,
        // What is withdrawn or read may be named without an object around it.
        RECALL => return Ok(Said::Recall(ids(json)?)),
        READ => return Ok(Said::Read(ids(json)?)),
        _ => kind_of(content_type, text)?,
    };
    let raw = if content_type == TEXT { String::new() } else { text.to_owned() };
    let mention_all = named.mentioned.iter().any(|uid| uid == EVERYBODY);
    named.mentioned.retain(|uid| uid != EVERYBODY);
    let content =
        entry::Content { kind: Some(kind), mention_all, origin: "openim".into(), raw, ..entry::Content::default() };
    Ok(Said::Message(Box::new(Parsed { content, named })))
}

/// The kinds that name nobody.
fn kind_of(content_type: i32, json: &str) -> Reply<Kind> {
    match content_type {
        TEXT => text(elem(json)?),
        102 => picture(elem(json)?),
        103 => sound(elem(json)?),
        104 => video(elem(json)?),
        105 => file(elem(json)?),
        108 => card(elem(json)?, json),
        109 => location(elem(json)?),
        110 => custom(elem(json)?),
        QUOTE => text(elem(json)?),
        _ => Err(Error::Refused(Refusal::CONTENT_TYPE)),
    }
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

fn at(elem: AtElem, mentioned: &mut Vec<String>) -> Reply<Kind> {
    needs("AtElem", "Text", !elem.text.is_empty())?;
    *mentioned = elem.at_user_list;
    Ok(Kind::Text(entry::Text { text: elem.text }))
}

fn merged(elem: MergeElem, authors: &mut Vec<String>) -> Reply<Kind> {
    needs("MergeElem", "MultiMessage", !elem.multi_message.is_empty())?;
    let mut items = Vec::with_capacity(elem.multi_message.len());
    for message in elem.multi_message {
        let unwrapped: Option<String> = serde_json::from_str(message.content.get()).ok();
        let json = unwrapped.as_deref().unwrap_or_else(|| message.content.get());
        // What is passed on is a leaf: one that passes on others in turn is kept by its title only, so that depth is bounded.
        let kind = match message.content_type {
            MERGED => Kind::Text(entry::Text { text: self::elem::<MergeElem>(json)?.title }),
            AT => Kind::Text(entry::Text { text: self::elem::<AtElem>(json)?.text }),
            other => kind_of(other, json)?,
        };
        let content = entry::Content { kind: Some(kind), ..entry::Content::default() };
        authors.push(message.send_id);
        items.push(entry::Forwarded { sender: 0, time: millis(message.send_time), content: Some(content) });
    }
    Ok(Kind::Forward(entry::Forward { title: elem.title, items }))
}

/// A time of either of the original's units, by its size: no message is of another century.
fn millis(time: i64) -> i64 {
    match time {
        ..100_000_000_000 => time.saturating_mul(1_000),
        100_000_000_000..100_000_000_000_000 => time,
        _ => time / 1_000_000,
    }
}

fn card(elem: CardElem, json: &str) -> Reply<Kind> {
    let (data, description) = (json.to_owned(), elem.nickname);
    Ok(Kind::Custom(entry::Custom { data, description, extension: String::new() }))
}

fn location(elem: LocationElem) -> Reply<Kind> {
    let LocationElem { description, longitude, latitude } = elem;
    Ok(Kind::Location(entry::Location { latitude, longitude, address: description }))
}

/// Message ids: one, a list of them, or an object that holds either.
fn ids(json: &str) -> Reply<Vec<String>> {
    let (text, list) = (serde_json::from_str::<String>(json), serde_json::from_str::<Vec<String>>(json));
    let ids = match (text, list) {
        (Ok(text), _) if text.trim_start().starts_with(['{', '[']) => return ids(&text),
        (Ok(id), _) => vec![id],
        (_, Ok(ids)) => ids,
        _ => {
            let MessageIds { one, mut many } = elem(json)?;
            if !one.is_empty() {
                many.push(one);
            }
            many
        }
    };
    needs("Content", "ClientMsgID", !ids.is_empty() && ids.iter().all(|id| !id.is_empty()))?;
    Ok(ids)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_come_in_many_shapes() {
        for json in [
            r#""a""#,
            r#"["a"]"#,
            r#"{"clientMsgID":"a"}"#,
            r#"{"clientMsgIDList":["a"]}"#,
            r#""{\"clientMsgID\":\"a\"}""#,
            r#""[\"a\"]""#,
        ] {
            assert_eq!(ids(json).unwrap(), ["a"], "{json}");
        }
        for json in ["[]", "{}", r#""""#, r#"["a",""]"#, "7"] {
            assert!(ids(json).is_err(), "{json}");
        }
    }

    #[test]
    fn times_are_told_apart_by_their_size() {
        let millis_of_2023 = 1_700_000_000_000;
        for time in [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000_000] {
            assert_eq!(millis(time), millis_of_2023);
        }
        assert_eq!(millis(0), 0);
    }

    #[test]
    fn what_is_passed_on_twice_is_kept_by_its_title() {
        let inner = r#"{"title":"inner","multiMessage":[{"contentType":101,"content":"{\"text\":\"x\"}"}]}"#;
        let message = format!(r#"{{"sendID":"amy","contentType":107,"content":{inner}}}"#);
        let Said::Message(parsed) = read(107, &format!(r#"{{"title":"outer","multiMessage":[{message}]}}"#)).unwrap()
        else {
            panic!("it is a message")
        };
        let Some(Kind::Forward(forward)) = parsed.content.kind else { panic!("it passes something on") };
        let kind = forward.items[0].content.clone().unwrap().kind;
        assert_eq!(kind, Some(Kind::Text(entry::Text { text: "inner".into() })));
        assert_eq!(parsed.named.authors, ["amy"]);
    }
}
