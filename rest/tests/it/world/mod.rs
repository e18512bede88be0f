//! The service over a store that keeps nothing, in a time that stands still, called without a socket.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::apps::NewApp;
use domain::files::FilesConfig;
use domain::record::{PushChannel, PushProvider};
use domain::units::ByteSize;
use domain::{AppNumber, Audience, Clock, Deliver, Domain, Millis, Outlet, record};
use http_body_util::BodyExt as _;
use md5::{Digest as _, Md5};
use rest::{Config, Service, Version};
use serde_json::{Value, json};
use storage::Store;
use tower::ServiceExt as _;

/// When every test begins.
pub const START: i64 = 1_700_000_000_000;
/// The app that tests work in, and another one that must never be touched.
pub const SECRET: &str = "demo-secret";
pub const OTHER_SECRET: &str = "other-secret";
/// The administrator's uid in both.
pub const ADMIN: &str = "openIM123456";

/// Nobody is connected.
struct Nobody;

impl Deliver for Nobody {
    fn deliver(&self, _: AppNumber, _: &Audience, _: &record::event::Body) {}
}

/// See the module.
pub struct World {
    pub service: Service,
    pub domain: Domain,
    pub store: Store,
    pub clock: Clock,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON; a failed test if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let clock = Clock::manual(Millis(START));
        Self::over(Store::memory(clock.clone()), clock, config).await
    }

    /// Over a store that the test keeps a hold of.
    pub async fn over(store: Store, clock: Clock, config: Config) -> Self {
        let outlet = Outlet::Here(Arc::new(Nobody));
        let files = FilesConfig { location: "memory:".into(), ..FilesConfig::default() };
        // Hashing passwords at full cost is most of what these tests would do.
        let limits = domain::Config {
            files,
            password_memory: ByteSize(8 << 10),
            password_rounds: 1,
            ..domain::Config::default()
        };
        let domain = Domain::open(store.clone(), clock.clone(), outlet, limits).await.unwrap();
        for (id, number, secret) in [("demo", 7, SECRET), ("other", 8, OTHER_SECRET)] {
            let new = NewApp {
                id: Some(id.into()),
                number: Some(number),
                key: Some(format!("{id}-key")),
                secret: Some(secret.into()),
                admins: vec![ADMIN.into()],
                ..NewApp::default()
            };
            domain.apps.create(new).await.unwrap();
        }
        let channel = PushChannel {
            name: "xiaomi".into(),
            provider: PushProvider::Xiaomi as i32,
            app_id: "com.demo".into(),
            app_key: "push-key".into(),
            app_secret: "push-secret".into(),
            ..PushChannel::default()
        };
        let server = domain.apps.operator(AppNumber(7)).await.unwrap();
        domain.push.set_channel(&server, channel).await.unwrap();
        let render = Arc::new(|| "linnet_up 1\n".to_owned());
        let service = Service::new(domain.clone(), clock.clone(), config, Version::default(), render);
        Self { service, domain, store, clock }
    }

    /// Sends a request to the routes.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.service.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("every body of these tests is text");
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// A request with headers and a body.
    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Makes users by openim's registration; their tokens are good in every dialect.
    pub async fn register<const N: usize>(&self, uids: [&str; N]) -> [String; N] {
        let mut tokens = Vec::new();
        for uid in uids {
            let body = json!({ "secret": SECRET, "platform": 1, "uid": uid, "name": uid }).to_string();
            let answer = self.call("POST", "/auth/user_register", &[], body).await.json();
            tokens.push(answer["data"]["token"].as_str().unwrap().to_owned());
        }
        tokens.try_into().unwrap()
    }

    /// What tenured's servers present.
    pub async fn sign(&self) -> String {
        let private = json!({ "appId": "demo", "private": SECRET }).to_string();
        let built = self.call("POST", "/v1/build_token", &[], private).await.json();
        let data: Value = serde_json::from_str(built["data"].as_str().unwrap()).unwrap();
        data["sign"].as_str().unwrap().to_owned()
    }
}

/// What gobelieve's servers present: `base64(appid:hex_md5(secret))`.
pub fn basic(number: u32, secret: &str) -> String {
    STANDARD.encode(format!("{number}:{}", hex::encode(Md5::digest(secret))))
}
