//! Work of the domain and of the REST service, without a socket: a synchronisation, a login's bookkeeping, a read over HTTP.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{Request, header};
use domain::presence::Opening;
use domain::{BootId, Caller, Clock, Domain, SessionId};
use tower::ServiceExt;

/// Conversations of the user who synchronises.
pub const CONVERSATIONS: usize = 20;
/// Messages in each.
pub const MESSAGES: usize = 5;

/// One page of a device that has nothing yet: so many conversations, and so many entries.
///
/// # Panics
/// If it is refused.
pub async fn sync(domain: &Domain, caller: &Caller) -> (usize, usize) {
    let page = domain.conversations.sync(caller, &HashMap::new(), None, 100, 20).await.expect("the page is answered");
    (page.items.len(), page.items.iter().map(|synced| synced.entries.len()).sum())
}

/// A session that opens, as every login has it written down.
///
/// # Panics
/// If it is refused.
pub async fn open(domain: &Domain, caller: &Caller, number: u64) {
    let opening = Opening {
        boot: BootId(1),
        session: SessionId(number),
        platform: 7,
        device_id: "bench".to_owned(),
        client: "bench/1".to_owned(),
        devices_allowed: Some(1),
        again: false,
    };
    domain.presence.open(caller, opening).await.expect("the session is written down");
}

/// The REST service over a domain.
pub fn rest(domain: &Domain) -> axum::Router {
    let config = rest::Config::default();
    let render: rest::RenderMetrics = std::sync::Arc::new(String::new);
    rest::Service::new(domain.clone(), Clock::system(), config, rest::Version::default(), render).router()
}

/// A user's profile by the dialect of maxim: from the request to the answer's body, whose length it is.
///
/// # Panics
/// If it is refused.
pub async fn profile(router: &axum::Router, app: &str, token: &str) -> usize {
    let request = Request::get("/user/profile")
        .header("app_id", app)
        .header("access-token", token)
        .header(header::ACCEPT, "application/json")
        .body(Body::empty())
        .expect("the request is well formed");
    let response = router.clone().oneshot(request).await.expect("the router always answers");
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("the body is in memory");
    assert!(body.starts_with(br#"{"code":200"#), "refused: {}", String::from_utf8_lossy(&body));
    body.len()
}
