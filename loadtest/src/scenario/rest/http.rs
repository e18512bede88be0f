//! One HTTP/1.1 connection that is kept alive, and made anew when it breaks.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::calls::Call;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// The connection.
#[derive(Debug)]
pub(super) struct Connection {
    url: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// To a service at `http://host:port`; not connected yet.
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), sender: None }
    }

    /// Makes a call and reads the answer.
    ///
    /// Fails without an answer in time, and then nobody knows what became of the call.
    pub(super) async fn call(&mut self, call: Call) -> anyhow::Result<Answer> {
        let outcome = match tokio::time::timeout(PATIENCE, self.exchange(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("no answer in {} s", PATIENCE.as_secs())),
        };
        if outcome.is_err() {
            self.sender = None;
        }
        outcome
    }

    async fn exchange(&mut self, call: Call) -> anyhow::Result<Answer> {
        let mut kept = self.sender.take();
        if let Some(sender) = &mut kept
            && sender.ready().await.is_err()
        {
            // The service has closed it meanwhile.
            kept = None;
        }
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let authority = self.url.strip_prefix("http://").unwrap_or(&self.url);
        let mut request = Request::builder().method(call.method).uri(call.path).header(header::HOST, authority);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let body = match call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body)
            }
            None => Bytes::new(),
        };
        let response = sender.send_request(request.body(Full::new(body))?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status: head.status, body })
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let uri: Uri = self.url.parse().with_context(|| format!("{} is no URL", self.url))?;
        let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            bail!("{} is not of the form http://host:port", self.url);
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let connect = TcpStream::connect((host, uri.port_u16().unwrap_or(80)));
        let stream = connect.await.with_context(|| format!("{} cannot be reached", self.url))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows in the next call.
        tokio::spawn(connection);
        Ok(sender)
    }
}
