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
        timeout: Duration::from_millis(200),
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

    let headers = [("token", token.as_str()), ("access-token", &token), ("appId", "demo"), ("sign", &sign)];
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            let method = endpoint.methods.each().next().unwrap();
            let bearer = format!("Bearer {token}");
            let scheme = if method == "GET" { &bearer } else { &authorization };
            let mut headers = headers.to_vec();
            headers.push(("authorization", scheme));
            let body = body_of(endpoint.path);
            let path = endpoint.path.replace("{gid}", "1");
            let answer = world.call(method.as_str(), &path, &headers, body).await;
            let shown = format!("{} {path}: {} {}", table.dialect, answer.status, answer.text);
            let body = answer.json();
            match table.dialect {
                "tenured" => assert_eq!((answer.status, &body["error"]), (200, &json!("0001")), "{shown}"),
                "openim" => assert_eq!((answer.status, &body["errCode"]), (503, &json!(900)), "{shown}"),
                "gobelieve" => assert_eq!((answer.status, &body["meta"]["code"]), (503, &json!(503)), "{shown}"),
                "tim" | "maxim" => {
                    assert_eq!(answer.status, 503, "{shown}");
                    assert!(body["code"].as_i64().is_some_and(|code| code != 0 && code != 200), "{shown}");
                }
                other => panic!("no such dialect: {other}"),
            }
        }
    }

    let (_stop, _serving) = owner(&socket, &kept);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while world.call("GET", "/readyz", &[], "").await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline, "it never recovers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(grant().await.json()["data"]["token"], token, "and lost nothing");
}

/// Enough of a body to reach the store.
fn body_of(path: &str) -> String {
    let body = match path {
        "/v1/build_token" => json!({ "appId": "demo", "private": SECRET }),
        "/auth/user_register" | "/auth/user_token" => {
            json!({ "secret": SECRET, "platform": 1, "uid": "u", "name": "n" })
        }
        "/register" => json!({ "email": "a@example.org", "username": "someone", "password": "long enough" }),
        "/login" => json!({ "username": "someone", "password": "long enough" }),
        "/user/register/v2" => json!({ "username": "someone", "password": "long enough" }),
        "/token/user" => json!({ "name": "someone", "password": "long enough" }),
        "/token/id" => json!({ "user_id": 1, "password": "long enough" }),
        _ => json!({}),
    };
    body.to_string()
}
