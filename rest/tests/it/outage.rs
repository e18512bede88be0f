//! The store goes away and comes back, as it does when `linnet gateway` restarts beside `linnet rest`.

use std::path::Path;
use std::time::Duration;

use crate::world::{SECRET, START, World, basic};
use domain::{Clock, Millis};
use rest::Config;
use serde_json::{Value, json};
use storage::{Bus, RemoteConfig, Store, StoreServer, StoreServerConfig};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn owner(socket: &Path, store: &Store) -> (CancellationToken, JoinHandle<()>) {
    let config = StoreServerConfig { socket: socket.to_owned(), ..StoreServerConfig::default() };
    let (stop, server, store) = (CancellationToken::new(), StoreServer::bind(&config).unwrap(), store.clone());
    let stopped = stop.clone().cancelled_owned();
    (stop, tokio::spawn(server.serve(store, Bus::local(), domain::TABLES, stopped)))
}

#[tokio::test]
async fn says_so_in_every_dialect_and_recovers_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("store.sock");
    let clock = Clock::manual(Millis(START));
    let kept = Store::memory(clock.clone());
    let (stop, serving) = owner(&socket, &kept);
    let remote = RemoteConfig {
        socket: socket.clone(),
        timeout: Duration::from_millis(100),
        reconnect_pause: Duration::from_millis(20),
        ..RemoteConfig::default()
    };
    let world = World::over(Store::connect(&remote), clock.clone(), Config::default()).await;
    let authorization = format!("Basic {}", basic(7, SECRET));
    let grant = async || world.call("POST", "/auth/grant", &[("authorization", &authorization)], r#"{"uid":1}"#).await;
    let granted = grant().await.json();
    let token = granted["data"]["token"].as_str().unwrap().to_owned();
    let built = json!({ "appId": "demo", "private": SECRET }).to_string();
    let built: Value = world.call("POST", "/v1/build_token", &[], built).await.json();
    let sign: Value = serde_json::from_str(built["data"].as_str().unwrap()).unwrap();
    let sign = sign["sign"].as_str().unwrap().to_owned();

    stop.cancel();
    serving.await.unwrap();
    // What the domain remembers of apps may be as old as a second.
    clock.set(Millis(START + 2_000));
    let ready = world.call("GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reason"], "the store is unavailable");
    assert_eq!(world.call("GET", "/healthz", &[], "").await.status, 200);

    let document = world.call("GET", "/openapi.json", &[], "").await.json();
    let headers = [("token", token.as_str()), ("access-token", &token), ("appId", "demo"), ("sign", &sign)];
    let (mut routes, mut silent) = (0, Vec::new());
    for table in rest::tables().into_iter().filter(|table| table.dialect != "media") {
        for endpoint in &table.endpoints {
            let method = endpoint.methods.each().next().unwrap();
            let operation = &document["paths"][endpoint.path][method.as_str().to_lowercase()];
            let bearer = format!("Bearer {token}");
            let by_server = operation["security"][0]["gobelieve_server"].is_array();
            let scheme = if by_server { &authorization } else { &bearer };
            let mut headers = headers.to_vec();
            headers.push(("authorization", scheme));
            let answer =
                world.call(method.as_str(), &path_of(operation, endpoint.path), &headers, body_of(operation)).await;
            let shown = format!("{} {method} {}: {} {}", table.dialect, endpoint.path, answer.status, answer.text);
            let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
            let told = match table.dialect {
                "tenured" => (answer.status, &body["error"]) == (200, &json!("0001")),
                "openim" => (answer.status, &body["errCode"]) == (503, &json!(900)),
                "gobelieve" => (answer.status, &body["meta"]["code"]) == (503, &json!(503)),
                _ => answer.status == 503 && body["code"].as_i64().is_some_and(|code| code != 0 && code != 200),
            };
            assert!(told || answer.status < 500, "{shown}");
            routes += 1;
            if !told {
                silent.push(shown);
            }
        }
    }
    // Some are refused for their example before they need the store, or need none.
    assert!(silent.len() * 10 < routes, "{} of {routes} do not tell:\n{}", silent.len(), silent.join("\n"));

    let (_stop, _serving) = owner(&socket, &kept);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while world.call("GET", "/readyz", &[], "").await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline, "it never recovers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(grant().await.json()["data"]["token"], token, "and lost nothing");
}

/// The example of a body that the document has for an operation; the app's secret where it stands in there.
fn body_of(operation: &Value) -> String {
    let mut body = operation["requestBody"]["content"]["application/json"]["example"].clone();
    for field in ["secret", "private"] {
        if let Some(secret) = body.get_mut(field) {
            *secret = SECRET.into();
        }
    }
    if body.is_null() { "{}".to_owned() } else { body.to_string() }
}

/// A path with the examples of its parameters.
fn path_of(operation: &Value, path: &str) -> String {
    let path: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let shown = parameters.filter(|parameter| parameter["in"] == "query" && !parameter["example"].is_null());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = shown
        .filter(|parameter| parameter["name"] != "sign" && parameter["name"] != "appId")
        .map(|parameter| (text(&parameter["name"]), text(&parameter["example"])));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{}?{query}", path.join("/"))
}
