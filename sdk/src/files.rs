//! Files: uploading, fetching, passing on.
//!
//! The gateway says who may; the bytes go over HTTP to the REST service, whose address is [`Options::files`](crate::Options::files).

use std::io;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use hyper::{HeaderMap, Method, header};
use proto::entry::Media;
use proto::wire::frame::Body;
use proto::wire::{self, ForwardFile, GetFileLink, GetUpload, get_upload::For};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What a file's first bytes must be, and which form of a picture to fetch.
pub use proto::wire::{FileKind, FileSize};

use crate::client::Client;
use crate::conversations::ConversationId;
use crate::error::{Error, Result};
use crate::http::{STALL, Service};

/// Bytes that are read from a file at once.
const PIECE: usize = 64 * 1024;

/// What a file is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFor {
    /// Part of what is said in a conversation: whoever takes part may fetch it.
    Conversation(ConversationId, FileKind),
    /// The caller's picture, which [`Client::update_profile`] is then told. Every user of the app may see it.
    OwnAvatar,
    /// A group's picture, which [`Client::update_group`] is then told. Every user of the app may see it.
    GroupAvatar(u64),
}

/// A file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Where it is, for as long as it lives: what messages and profiles carry.
    pub url: String,
    /// As it was called.
    pub name: String,
    /// Its type, as its first bytes tell.
    pub mime: String,
    /// Bytes.
    pub size: u64,
}

impl Uploaded {
    /// As messages carry it.
    #[must_use]
    pub fn media(&self) -> Media {
        let Self { url, name, mime, size } = self.clone();
        Media { url, name, mime, size, checksum: String::new() }
    }
}

impl Client {
    /// Uploads a file that is in memory.
    ///
    /// # Errors
    /// As [`Self::upload_from`].
    pub async fn upload(&self, what: FileFor, name: &str, bytes: impl Into<Bytes>) -> Result<Uploaded> {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        self.upload_from(what, name, io::Cursor::new(bytes), size).await
    }

    /// Uploads a file of so many bytes while it is read.
    ///
    /// An upload that broke off has left nothing; it is begun anew by calling this again.
    ///
    /// # Errors
    /// Those of a call for who may not; [`Error::Invalid`] for a file that is too large, empty, or not what it is to be;
    /// [`Error::Options`] without [`Options::files`](crate::Options::files), and for a reader that fails or holds another number of bytes.
    pub async fn upload_from(
        &self,
        what: FileFor,
        name: &str,
        reader: impl AsyncRead + Send,
        size: u64,
    ) -> Result<Uploaded> {
        let service = self.file_service()?;
        let (r#for, kind) = match what {
            FileFor::Conversation(conversation, kind) => (Some(For::Conversation(conversation.to_wire())), kind),
            FileFor::OwnAvatar => (None, FileKind::Image),
            FileFor::GroupAvatar(group) => (Some(For::GroupAvatar(group)), FileKind::Image),
        };
        let right = answer!(self, Body::GetUpload(GetUpload { r#for, kind: kind.into() }), Upload);
        let form = Form::new(&right.ticket, name);
        let (mut feed, exchange) = service.begin(self.network(), Method::POST, &right.path, form.headers(size)).await?;
        let feeding = async {
            let sent = send(&mut feed, &form, reader, size).await;
            drop(feed);
            sent
        };
        // A server that refuses says why before it has everything, and takes no more then.
        let (sent, answered) = tokio::join!(feeding, exchange.answer());
        let said = match (sent, answered) {
            (Err(error @ Error::Options(_)), _) | (_, Err(error)) => return Err(error),
            (_, Ok(answer)) => answer.words().await?,
        };
        let mime = said.get("type").and_then(|mime| mime.as_str()).unwrap_or_default().to_owned();
        Ok(Uploaded { url: service.url(&right.url_path), name: name.to_owned(), mime, size })
    }

    /// Fetches a file that fits into `limit` bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for what the caller may not fetch; [`Error::TooLarge`] above the limit.
    pub async fn download(&self, url: &str, form: FileSize, limit: usize) -> Result<Bytes> {
        let mut whole = Bounded { bytes: BytesMut::new(), limit };
        self.fetch(url, form, &mut whole).await?;
        Ok(whole.bytes.freeze())
    }

    /// Fetches a file while it is written elsewhere. Answers how many bytes it has.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for what the caller may not fetch; [`Error::Options`] for a writer that fails.
    pub async fn download_to(&self, url: &str, form: FileSize, writer: impl AsyncWrite + Send) -> Result<u64> {
        let mut writer = pin!(writer);
        let written = self.fetch(url, form, &mut writer).await?;
        writer.flush().await.map_err(of_the_app)?;
        Ok(written)
    }

    async fn fetch(&self, url: &str, form: FileSize, sink: &mut impl Sink) -> Result<u64> {
        let service = self.file_service()?;
        let get = GetFileLink { share: share_of(url).to_owned(), size: form.into() };
        let link = answer!(self, Body::GetFileLink(get), FileLink);
        let (feed, exchange) = service.begin(self.network(), Method::GET, &link.path, HeaderMap::new()).await?;
        drop(feed);
        let mut answer = exchange.answer().await?;
        let mut written = 0;
        while let Some(piece) = answer.piece().await? {
            sink.take(&piece).await?;
            written += piece.len() as u64;
        }
        Ok(written)
    }

    /// The URL of the same file for another conversation. Nothing is copied.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for what the caller may not fetch; those of sending into the conversation.
    pub async fn forward_file(&self, url: &str, to: ConversationId) -> Result<String> {
        let forward = ForwardFile { share: share_of(url).to_owned(), to: Some(to.to_wire()) };
        let wire::FileShare { share, url_path } = answer!(self, Body::ForwardFile(forward), FileShare);
        // Without the address of the service, the share alone names the file.
        Ok(self.file_service().map_or(share, |service| service.url(&url_path)))
    }

    fn file_service(&self) -> Result<Service> {
        let files = self.files().ok_or_else(|| Error::Options("`files` is not set".to_owned()))?;
        Service::parse(files)
    }
}

/// A file's share: what its URL ends with, in whatever system's words.
fn share_of(url: &str) -> &str {
    let named = |name: &str| url.split_once(name).map(|(_, share)| share.split('&').next().unwrap_or_default());
    named("file_sign=").or_else(|| named("object_name=")).unwrap_or(url)
}

/// The form around a file's bytes.
struct Form {
    head: String,
    tail: String,
    boundary: String,
}

impl Form {
    fn new(ticket: &str, name: &str) -> Self {
        // No file holds these by chance.
        let boundary = format!("{:032x}", rand::random::<u128>());
        let (policy, signature) = ticket.split_once('.').unwrap_or_default();
        let field = |name: &str, value: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let name: String = name.chars().filter(|letter| !letter.is_control() && !"\"\\".contains(*letter)).collect();
        let head = field("policy", policy)
            + &field("signature", signature)
            + &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        Self { head, tail: format!("\r\n--{boundary}--\r\n"), boundary }
    }

    fn headers(&self, size: u64) -> HeaderMap {
        let length = self.head.len() as u64 + size + self.tail.len() as u64;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, length.into());
        if let Ok(kind) = format!("multipart/form-data; boundary={}", self.boundary).parse() {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        headers
    }
}

type Feed = http_body_util::channel::Sender<Bytes, io::Error>;

/// Sends the form with what a reader gives.
async fn send(feed: &mut Feed, form: &Form, reader: impl AsyncRead, size: u64) -> Result<()> {
    let mut reader = pin!(reader);
    push(feed, Bytes::copy_from_slice(form.head.as_bytes())).await?;
    let mut left = size;
    while left > 0 {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = reader.read_buf(&mut piece).await.map_err(of_the_app)? as u64;
        if read == 0 || read > left {
            return Err(Error::Options("the file holds another number of bytes than was said".to_owned()));
        }
        left -= read;
        push(feed, piece.freeze()).await?;
    }
    push(feed, Bytes::copy_from_slice(form.tail.as_bytes())).await
}

async fn push(feed: &mut Feed, bytes: Bytes) -> Result<()> {
    let sent = tokio::time::timeout(STALL, feed.send_data(bytes)).await.map_err(|_| Error::TimedOut)?;
    sent.map_err(|_| Error::Disconnected)
}

/// A reader or a writer of the app's failed.
fn of_the_app(error: io::Error) -> Error {
    Error::Options(error.to_string())
}

/// Where fetched bytes go.
trait Sink: Send {
    async fn take(&mut self, piece: &[u8]) -> Result<()>;
}

/// Bytes in memory, up to a limit.
struct Bounded {
    bytes: BytesMut,
    limit: usize,
}

impl Sink for Bounded {
    async fn take(&mut self, piece: &[u8]) -> Result<()> {
        let size = self.bytes.len() + piece.len();
        if size > self.limit {
            return Err(Error::TooLarge { size, limit: self.limit });
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl<W: AsyncWrite + Send> Sink for std::pin::Pin<&mut W> {
    async fn take(&mut self, piece: &[u8]) -> Result<()> {
        self.write_all(piece).await.map_err(of_the_app)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_found_in_urls() {
        assert_eq!(share_of("http://x/file/download/chat?file_sign=a.b"), "a.b");
        assert_eq!(share_of("http://x/file/download/chat?file_sign=a.b&image_type=2"), "a.b");
        assert_eq!(share_of("https://x/y/file/download/avatar?object_name=a.b"), "a.b");
        assert_eq!(share_of("a.b"), "a.b");
    }

    #[test]
    fn the_name_of_a_file_stays_within_its_quotes() {
        let form = Form::new("policy.signature", "a\"\r\nb\\.png");
        assert!(form.head.contains("filename=\"ab.png\"\r\n"));
        assert!(form.head.contains("name=\"policy\"\r\n\r\npolicy\r\n"));
        assert!(form.head.contains("name=\"signature\"\r\n\r\nsignature\r\n"));
    }
}
