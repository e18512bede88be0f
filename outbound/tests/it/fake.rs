//! A server that notes what it is asked, over HTTP/1 and HTTP/2, and answers as a test says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What the server was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub h2: bool,
}

impl Asked {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A status and a body.
pub type Reply = (u16, Value);

/// See the module.
pub struct Fake {
    pub address: SocketAddr,
    asked: tokio::sync::Mutex<mpsc::Receiver<Asked>>,
    script: Script,
}

type Script = Arc<Mutex<Box<dyn FnMut(&Asked) -> Reply + Send>>>;

impl Fake {
    pub async fn start(answer: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = mpsc::channel(1_000);
        let script: Script = Arc::new(Mutex::new(Box::new(answer)));
        tokio::spawn(serve(listener, sender, script.clone()));
        Self { address, asked: tokio::sync::Mutex::new(asked), script }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers differently from now on.
    pub fn answers(&self, answer: impl FnMut(&Asked) -> Reply + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(answer);
    }

    /// The next request, which must come soon.
    pub async fn next(&self) -> Asked {
        let next = async { self.asked.lock().await.recv().await.unwrap() };
        tokio::time::timeout(Duration::from_secs(10), next).await.expect("nothing was asked")
    }

    /// The next request whose path ends so; others are passed over.
    pub async fn next_at(&self, end: &str) -> Asked {
        loop {
            let asked = self.next().await;
            if asked.path.ends_with(end) {
                return asked;
            }
        }
    }

    /// That nothing is asked for a while.
    pub async fn silence(&self) {
        let next = async { self.asked.lock().await.recv().await.unwrap() };
        if let Ok(asked) = tokio::time::timeout(Duration::from_millis(300), next).await {
            panic!("this was asked: {asked:?}");
        }
    }
}

async fn serve(listener: TcpListener, asked: mpsc::Sender<Asked>, script: Script) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (asked, script) = (asked.clone(), script.clone());
        tokio::spawn(async move {
            let service =
                service_fn(move |request: hyper::Request<Incoming>| answer(request, asked.clone(), script.clone()));
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    asked: mpsc::Sender<Asked>,
    script: Script,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let noted = Asked {
        path: parts.uri.path().to_owned(),
        headers: headers.collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
        h2: parts.version == Version::HTTP_2,
    };
    let (status, body) = (script.lock().unwrap())(&noted);
    asked.send(noted).await.unwrap();
    Ok(Response::builder().status(status).body(Full::from(body.to_string())).unwrap())
}
