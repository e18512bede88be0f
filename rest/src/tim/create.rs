//! `createMessage`: one path for eight methods of the original SDK, told apart by what the payload holds.
//!
//! | payload holds | method | type |
//! |---|---|---|
//! | `message` | createForwardMessage | that of the message passed on |
//! | `text`, `atUserList` | createTextMessage, createTextAtMessage | TIMTextElem |
//! | `file` | createImage/Audio/Video/FileMessage | by the request's `type`, else the file's MIME type, else its name's ending |
//! | `data`, `index` | createFaceMessage | TIMFaceElem |
//! | `data`, `description`, `extension` | createCustomMessage | TIMCustomElem |

use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{parse, raw};
use super::payload;
use crate::lenient;
use crate::seconds::Seconds;

/// What a message is made of: its type and payload, and whom it mentions.
#[derive(Debug)]
pub(super) struct Made {
    pub kind: String,
    pub payload: Box<RawValue>,
    pub at_user_list: Vec<String>,
}

/// Whatever a payload may hold.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ingredients {
    text: Option<String>,
    at_user_list: Option<Vec<String>>,
    file: Option<File>,
    data: Option<String>,
    /// A string in the document, a number in the SDK.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    index: Option<String>,
    description: Option<String>,
    extension: Option<String>,
    message: Option<Passed>,
}

/// A message to pass on.
#[derive(Deserialize)]
struct Passed {
    #[serde(rename = "type")]
    kind: String,
    payload: Box<RawValue>,
}

/// An uploaded file, with the field names of browsers and of this dialect's own payloads.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct File {
    #[serde(alias = "fileUrl", alias = "videoUrl")]
    url: String,
    #[serde(alias = "fileName")]
    name: String,
    /// MIME type.
    #[serde(rename = "type", alias = "mime")]
    mime: String,
    #[serde(alias = "fileSize", alias = "videoSize")]
    size: u64,
    uuid: String,
    width: u32,
    height: u32,
    #[serde(alias = "duration", alias = "videoSecond")]
    second: Seconds,
    thumb_url: String,
    thumb_size: u64,
    thumb_width: u32,
    thumb_height: u32,
}

/// Makes a message of what a request's payload holds. `kind` is the request's own `type`, where it tells one.
///
/// # Errors
/// What is missing or wrong, for the caller to read.
pub(super) fn make(kind: Option<&str>, given: &RawValue) -> Result<Made, String> {
    let it: Ingredients = parse(given.get())?;
    let (kind, payload) = match it {
        Ingredients { message: Some(passed), .. } => (passed.kind, passed.payload),
        Ingredients { file: Some(file), .. } => of_file(kind, file)?,
        Ingredients { text: Some(text), at_user_list, .. } => {
            let at_user_list = at_user_list.unwrap_or_default();
            return Ok(Made { kind: "TIMTextElem".to_owned(), payload: raw(&payload::Text { text }), at_user_list });
        }
        Ingredients { index: Some(index), data, .. } => {
            ("TIMFaceElem".to_owned(), raw(&payload::Face { index, data: required("data", data)? }))
        }
        Ingredients { data: Some(data), description, extension, .. } => {
            let description = required("description", description)?;
            let extension = required("extension", extension)?;
            ("TIMCustomElem".to_owned(), raw(&payload::Custom { data, description, extension }))
        }
        _ => return Err("payload: holds neither text, file, data nor message".to_owned()),
    };
    Ok(Made { kind, payload, at_user_list: Vec::new() })
}

fn required(name: &str, value: Option<String>) -> Result<String, String> {
    value.ok_or_else(|| format!("payload.{name} is required"))
}

fn of_file(kind: Option<&str>, file: File) -> Result<(String, Box<RawValue>), String> {
    if file.url.is_empty() && file.name.is_empty() && file.uuid.is_empty() {
        return Err("payload.file: needs a url, name or uuid".to_owned());
    }
    let kind = match kind {
        None | Some("") => kind_of(&file),
        Some("TIMImageElem" | "createImageMessage" | "image") => "TIMImageElem",
        Some("TIMSoundElem" | "createAudioMessage" | "audio") => "TIMSoundElem",
        Some("TIMVideoFileElem" | "createVideoMessage" | "video") => "TIMVideoFileElem",
        Some("TIMFileElem" | "createFileMessage" | "file") => "TIMFileElem",
        Some(other) => return Err(format!("type: {other:?} is not made of a file")),
    };
    let payload = match kind {
        "TIMImageElem" => raw(&image(file)),
        "TIMSoundElem" => {
            let File { uuid, url, size, second, .. } = file;
            raw(&payload::Sound { uuid, url, size, second })
        }
        "TIMVideoFileElem" => raw(&video(file)),
        _ => raw(&payload::File { uuid: file.uuid, file_name: file.name, file_url: file.url, file_size: file.size }),
    };
    Ok((kind.to_owned(), payload))
}

fn image(file: File) -> payload::Image {
    let image_format = ending(&file.name).or_else(|| subtype(&file.mime)).unwrap_or_default();
    let File { uuid, url, size, width, height, thumb_url, thumb_size, thumb_width, thumb_height, .. } = file;
    let mut sizes = vec![payload::ImageInfo { size_type: 1, size, width, height, url }];
    if !thumb_url.is_empty() {
        let (size, width, height) = (thumb_size, thumb_width, thumb_height);
        sizes.push(payload::ImageInfo { size_type: 3, size, width, height, url: thumb_url });
    }
    payload::Image { uuid, image_format, image_info_array: sizes }
}

fn video(file: File) -> payload::Video {
    payload::Video {
        video_format: subtype(&file.mime).or_else(|| ending(&file.name)).unwrap_or_default(),
        video_uuid: file.uuid,
        video_url: file.url,
        video_size: file.size,
        video_second: file.second,
        thumb_uuid: String::new(),
        thumb_format: ending(&file.thumb_url).unwrap_or_default(),
        thumb_url: file.thumb_url,
        thumb_size: file.thumb_size,
        thumb_width: file.thumb_width,
        thumb_height: file.thumb_height,
    }
}

/// The type of message that a file is sent as.
fn kind_of(file: &File) -> &'static str {
    let family = file.mime.split('/').next().unwrap_or_default();
    let ending = ending(&file.name).or_else(|| ending(&file.url)).unwrap_or_default();
    match (family, ending.as_str()) {
        ("image", _) => "TIMImageElem",
        ("audio", _) => "TIMSoundElem",
        ("video", _) => "TIMVideoFileElem",
        // A MIME type that says nothing else is believed.
        (family, _) if !family.is_empty() && file.mime != "application/octet-stream" => "TIMFileElem",
        (_, "jpg" | "jpeg" | "png" | "gif" | "bmp" | "webp" | "heic") => "TIMImageElem",
        (_, "mp3" | "m4a" | "aac" | "amr" | "wav" | "ogg" | "opus") => "TIMSoundElem",
        (_, "mp4" | "mov" | "avi" | "webm" | "mkv") => "TIMVideoFileElem",
        _ => "TIMFileElem",
    }
}

/// `png` of `a/b.PNG?x=1`.
fn ending(name: &str) -> Option<String> {
    let path = name.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit('/').next().unwrap_or_default().rsplit_once('.')?;
    Some(ending.to_ascii_lowercase())
}

/// `mp4` of `video/mp4`.
fn subtype(mime: &str) -> Option<String> {
    mime.split_once('/').map(|(_, subtype)| subtype.to_owned())
}
