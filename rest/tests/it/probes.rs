//! What belongs to no dialect: health, readiness, metrics, version, documents, and paths that are nobody's.

use crate::world::World;
use serde_json::json;

#[tokio::test]
async fn says_that_it_lives_and_is_ready() {
    let world = World::new().await;
    let health = world.call("GET", "/healthz", &[], "").await;
    assert_eq!((health.status, health.text.as_str()), (200, "ok\n"));
    let ready = world.call("GET", "/readyz", &[], "").await;
    assert_eq!((ready.status, ready.json()), (200, json!({ "ready": true })));
}

#[tokio::test]
async fn is_not_ready_while_it_drains() {
    let world = World::new().await;
    world.service.announce_drain();
    let ready = world.call("GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 503);
    assert!(ready.json()["reason"].as_str().unwrap().starts_with("draining"));
    assert_eq!(world.call("GET", "/healthz", &[], "").await.status, 200);
}

#[tokio::test]
async fn shows_metrics_and_version() {
    let world = World::new().await;
    let metrics = world.call("GET", "/metrics", &[], "").await;
    assert_eq!((metrics.status, metrics.text.as_str()), (200, "linnet_up 1\n"));
    let version = world.call("GET", "/version", &[], "").await.json();
    assert_eq!(version["name"], "linnet");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn shows_the_documentation_without_asking_anyone_else() {
    let world = World::new().await;
    let page = world.call("GET", "/docs/", &[], "").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("swagger-ui"));
    for outside in ["http://", "https://", "\"//"] {
        assert!(!page.text.contains(outside), "the page loads {outside}");
    }
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        let answer = world.service.router();
        let request = axum::http::Request::get(format!("/docs/{file}")).body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(answer, request).await.unwrap();
        assert_eq!(response.status(), 200, "{file}");
    }
    let start = world.call("GET", "/docs/swagger-initializer.js", &[], "").await;
    assert!(start.text.contains("/openapi.json"));
}

#[tokio::test]
async fn answers_nobodys_paths_in_json() {
    let world = World::new().await;
    for path in ["/", "/nowhere", "/v1/build_token/", "/groups/1/members/2/3", "/%ff", "//"] {
        let answer = world.call("GET", path, &[], "").await;
        assert_eq!((answer.status, &answer.json()["error"]), (404, &json!("not found")), "{path}");
    }
    let answer = world.call("POST", "/healthz", &[], "").await;
    assert_eq!((answer.status, &answer.json()["error"]), (405, &json!("method not allowed")));
}
