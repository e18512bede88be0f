//! Giving a file's bytes out, with headers that keep browsers from running them.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::files::{Download, FileId, Part, Size};
use domain::{AppNumber, Noun, files, record};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Reply;
use crate::context::{Anonymous, Call};
use crate::input::Path;

/// Which link.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct LinkPath {
    /// The app's number.
    #[serde(rename = "app")]
    _app: String,
    /// What the redirection led to.
    link: String,
}

/// Which open file.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct NamePath {
    /// As the upload was answered.
    name: String,
}

/// `GET /media/{app}/{link}`: the bytes that a link leads to.
pub(super) async fn by_link(cx: Anonymous, Path(path): Path<LinkPath>) -> Reply<Response> {
    let download = cx.domain.files.open(&cx.nobody, &path.link, part(&cx.call)).await?;
    Ok(answer(&cx.call, download))
}

/// `GET /files/{name}`, `GET /audios/{name}`: an open file.
pub(super) async fn by_name(cx: Anonymous, Path(path): Path<NamePath>) -> Reply<Response> {
    open(&cx, &path.name, Size::Original).await
}

/// `GET /images/{name}`: an open picture.
pub(super) async fn image(cx: Anonymous, Path(path): Path<NamePath>) -> Reply<Response> {
    match path.name.split_once('@') {
        Some((name, _)) => open(&cx, name, Size::Thumbnail).await,
        None => open(&cx, &path.name, Size::Original).await,
    }
}

async fn open(cx: &Anonymous, name: &str, size: Size) -> Reply<Response> {
    let id = id_of(name).ok_or(domain::Error::NotFound(Noun::File))?;
    let download = cx.domain.files.open_public(&cx.nobody, id, size, part(&cx.call)).await?;
    Ok(answer(&cx.call, download))
}

/// The name of an open file: its app, its id, and an ending for whoever looks at names.
/// `None` for what is no file's record.
pub(crate) fn name_of(app: AppNumber, file: &record::File) -> Option<String> {
    let id = FileId::from_bytes(&file.id)?;
    Some(format!("{app}-{id}{}", files::extension(&file.mime)))
}

fn id_of(name: &str) -> Option<FileId> {
    let (_, rest) = name.split_once('-')?;
    FileId::parse(rest.split('.').next().unwrap_or_default())
}

/// What the header `Range` asks for. What is not one range of bytes is passed over, as HTTP lets servers do.
fn part(call: &Call) -> Part {
    let span = call.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    match span.map(|(first, last)| (first, last, first.parse(), last.parse())) {
        Some((_, _, Ok(first), Ok(last))) if first <= last => Part::Span(first, last),
        Some((_, "", Ok(first), _)) => Part::From(first),
        Some(("", _, _, Ok(count))) => Part::Last(count),
        _ => Part::Whole,
    }
}

fn answer(call: &Call, download: Download) -> Response {
    let etag = format!("\"{}-{}\"", download.id, download.size);
    let mut headers = HeaderMap::new();
    // The bytes behind a name never change.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    headers.insert(header::ETAG, text(&etag));
    if call.header("if-none-match") == Some(&etag) {
        return respond(StatusCode::NOT_MODIFIED, headers, Body::empty());
    }
    let whole = download.range == (0..download.size);
    let (first, last) = (download.range.start, download.range.end.saturating_sub(1));
    headers.insert(header::CONTENT_TYPE, text(&download.mime));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(download.range.end - download.range.start));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_DISPOSITION, text(&disposition(download.shown, &download.name)));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    let status = if whole { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    if !whole {
        headers.insert(header::CONTENT_RANGE, text(&format!("bytes {first}-{last}/{}", download.size)));
    }
    respond(status, headers, Body::from_stream(download.bytes))
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A header of our own making, which holds no letters that headers may not.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// `inline` for what a browser may show, else `attachment`; with the file's name in a form that takes any letters.
fn disposition(shown: bool, name: &str) -> String {
    let how = if shown { "inline" } else { "attachment" };
    if name.is_empty() {
        return how.to_owned();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let encoded: String = name
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("{how}; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_with_letters_that_headers_take() {
        assert_eq!(disposition(true, "a b.png"), "inline; filename*=UTF-8''a%20b.png");
        assert_eq!(disposition(false, "照\"片"), "attachment; filename*=UTF-8''%E7%85%A7%22%E7%89%87");
        assert_eq!(disposition(false, ""), "attachment");
    }

    #[test]
    fn names_of_open_files_lead_back_to_them() {
        let id = FileId::parse("00112233445566778899aabbccddeeff").unwrap();
        let bytes = (0..16u8).map(|byte| byte * 0x11).collect::<Vec<u8>>();
        let file = record::File { id: bytes.into(), mime: "image/png".into(), ..record::File::default() };
        let name = name_of(AppNumber(7), &file).unwrap();
        assert_eq!(name, "7-00112233445566778899aabbccddeeff.png");
        assert_eq!(id_of(&name), Some(id));
        for name in ["", "7", "7-", "7-00", "00112233445566778899aabbccddeeff", "7-00112233445566778899AABBCCDDEEFF"] {
            assert_eq!(id_of(name), None);
        }
    }
}
