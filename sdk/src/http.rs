//! HTTP to the REST service, which is where the bytes of files go: one request, on a connection of its own. It follows no redirects.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::error::{Error, Result};
use crate::network::Network;
use crate::wire;

/// How long a connection may take to be made, handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the other side may let a transfer stand still.
pub(crate) const STALL: Duration = Duration::from_secs(30);
/// Pieces on their way to the connection.
const PIECES: usize = 4;
/// Longest answer that is read for what it says, bytes.
const LONGEST_WORDS: usize = 64 * 1024;

/// The REST service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    host: String,
    port: u16,
    /// Where it is behind TLS: the name that its certificate must have.
    tls_name: Option<ServerName<'static>>,
    /// What stands before every path, without a slash at its end.
    base: String,
}

impl Service {
    /// From `http://host:port` or `https://host`, with or without a path.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let wrong = || Error::Options(format!("{url} is not of the form http://host:port or https://host:port"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (port, tls_name) = match uri.scheme_str() {
            Some("http") => (80, None),
            Some("https") => (443, Some(ServerName::try_from(host.clone()).map_err(|_| wrong())?)),
            _ => return Err(wrong()),
        };
        let port = uri.port_u16().unwrap_or(port);
        Ok(Self { host, port, tls_name, base: url.trim_end_matches('/').to_owned() })
    }

    /// The whole URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a request's head. The body follows through what is returned; dropping that ends it.
    pub(crate) async fn begin(
        &self,
        network: &Network,
        method: Method,
        path: &str,
        headers: HeaderMap,
    ) -> Result<(Sender<Bytes, io::Error>, Exchange)> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.connect(network)).await;
        let stream = connecting.map_err(|_| Error::Connect("no connection in time".to_owned()))?;
        let stream = stream.map_err(|error| Error::Connect(error.to_string()))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| Error::Connect(error.to_string()))?;
        let driver = Driver(tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the REST service broke");
            }
        }));
        let (feed, body) = Channel::new(PIECES);
        let uri: Uri = self.url(path).parse().map_err(|_| Error::Protocol("not a path".to_owned()))?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let authority = uri.authority().map_or("", |authority| authority.as_str()).to_owned();
        let mut request = Request::builder().method(method).uri(target).header(header::HOST, authority);
        if let Some(all) = request.headers_mut() {
            all.extend(headers);
        }
        let request = request.body(body).map_err(|error| Error::Protocol(error.to_string()))?;
        let answer = tokio::spawn(async move { sender.send_request(request).await });
        Ok((feed, Exchange { answer, driver }))
    }

    async fn connect(&self, network: &Network) -> io::Result<Box<dyn Stream>> {
        let stream = wire::dial(network, &format!("{}:{}", bracketed(&self.host), self.port)).await?;
        let Some(name) = &self.tls_name else { return Ok(Box::new(stream)) };
        let mut config = (*network.tls_config()).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await?))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A host as an address has it: IPv6 in brackets.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    answer: JoinHandle<hyper::Result<hyper::Response<Incoming>>>,
    driver: Driver,
}

/// Ends the connection when it is dropped.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Incoming,
    _driver: Driver,
}

impl Exchange {
    /// The answer; an error for any status but 200.
    pub(crate) async fn answer(self) -> Result<Answer> {
        let answered = tokio::time::timeout(STALL, self.answer).await.map_err(|_| Error::TimedOut)?;
        let response = answered.map_err(|_| Error::Closed)?.map_err(|_| Error::Disconnected)?;
        let status = response.status();
        let answer = Answer { body: response.into_body(), _driver: self.driver };
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let words = answer.words().await.unwrap_or_default();
        Err(refusal(status, words.get("message").and_then(|text| text.as_str()).unwrap_or("no reason given")))
    }
}

impl Answer {
    /// The whole body as JSON; null where it is none.
    pub(crate) async fn words(self) -> Result<serde_json::Value> {
        let body = tokio::time::timeout(STALL, Limited::new(self.body, LONGEST_WORDS).collect()).await;
        let body = body.map_err(|_| Error::TimedOut)?.map_err(|_| Error::Disconnected)?.to_bytes();
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>> {
        loop {
            let next = tokio::time::timeout(STALL, self.body.frame()).await.map_err(|_| Error::TimedOut)?;
            let Some(frame) = next else { return Ok(None) };
            // What is no data is a trailer, which says nothing here.
            if let Ok(data) = frame.map_err(|_| Error::Disconnected)?.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

fn refusal(status: StatusCode, message: &str) -> Error {
    let message = message.to_owned();
    match status.as_u16() {
        403 => Error::Denied(message),
        404 => Error::NotFound(message),
        409 => Error::Exists(message),
        429 => Error::RetryLater { after: Duration::from_secs(1), message },
        503 => Error::Unavailable(message),
        400 | 413 | 416 => Error::Invalid { field: "file".to_owned(), message },
        _ => Error::Protocol(format!("{status}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_service_are_understood() {
        let plain = Service::parse("http://127.0.0.1:8080/").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.tls_name.is_some()), ("127.0.0.1", 8080, false));
        assert_eq!(plain.url("/media/1"), "http://127.0.0.1:8080/media/1");
        let behind = Service::parse("https://im.example.com/linnet").unwrap();
        assert_eq!((behind.port, behind.tls_name.is_some()), (443, true));
        assert_eq!(behind.url("/media/1"), "https://im.example.com/linnet/media/1");
        let six = Service::parse("http://[::1]:80").unwrap();
        assert_eq!((six.host.as_str(), bracketed(&six.host).as_str()), ("::1", "[::1]"));
        for wrong in ["", "127.0.0.1:8080", "ftp://host", "http://"] {
            assert!(matches!(Service::parse(wrong), Err(Error::Options(_))), "{wrong}");
        }
    }
}
