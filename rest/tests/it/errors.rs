//! What a broken request is answered: each dialect's own form, on each of its routes, and never a framework's word or a 5xx.

use crate::world::{ADMIN, Answer, SECRET, World, basic};
use axum::body::Body;
use domain::tokens::Issue;
use domain::units::ByteSize;
use domain::users::NewUser;
use domain::{AppNumber, UserId};
use rest::Config;
use serde_json::{Value, json};

/// A world with an administrator, and the headers that each dialect believes.
async fn open() -> (World, Vec<(&'static str, String)>) {
    let config = Config { max_body: ByteSize(4096), ..Config::default() };
    let world = World::with(config).await;
    let operator = world.domain.apps.operator(AppNumber(7)).await.unwrap();
    let new = NewUser { uid: Some(ADMIN.into()), ..NewUser::default() };
    let user = world.domain.users.create(&operator, new).await.unwrap();
    let issue = Issue { dialect: "openim", platform: 0, lifetime: None, repeatable: false };
    let token = world.domain.tokens.issue(&operator, UserId(user.id), issue).await.unwrap().text;
    let headers = vec![
        ("token", token.clone()),
        ("access-token", token.clone()),
        ("app_id", "demo".to_owned()),
        ("appId", "demo".to_owned()),
        ("sign", world.sign().await),
        ("bearer", format!("Bearer {token}")),
        ("basic", format!("Basic {}", basic(7, SECRET))),
    ];
    (world, headers)
}

async fn ask(
    world: &World,
    headers: &[(&'static str, String)],
    method: &str,
    path: &str,
    body: impl Into<Body>,
) -> Answer {
    let scheme = if method == "GET" { "bearer" } else { "basic" };
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .filter_map(|(name, value)| match *name {
            "bearer" | "basic" => (*name == scheme).then_some(("authorization", value.as_str())),
            name => Some((name, value.as_str())),
        })
        .collect();
    world.call(method, path, &headers, body).await
}

/// That an answer is an error in the dialect's form; its message.
pub fn form(dialect: &str, answer: &Answer) -> Result<String, String> {
    let body: Value = serde_json::from_str(&answer.text).map_err(|_| format!("no JSON: {:?}", answer.text))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let message = match dialect {
        "tenured" => (answer.status == 200 && body["error"] != "0000" && body["data"].is_null())
            .then(|| text(&body["message"]))
            .flatten(),
        "openim" => (body["errCode"].as_i64().is_some_and(|code| code != 0)).then(|| text(&body["errMsg"])).flatten(),
        "gobelieve" => {
            (body["meta"]["code"] == answer.status && answer.status != 200).then(|| body["meta"].to_string())
        }
        "tim" => (body["code"].as_i64().is_some_and(|code| code != 0)).then(|| text(&body["msg"])).flatten(),
        "maxim" => (body["code"].as_i64().is_some_and(|code| code != 200)).then(|| text(&body["message"])).flatten(),
        "media" => (answer.status >= 400).then(|| text(&body["message"])).flatten(),
        other => return Err(format!("no such dialect: {other}")),
    };
    if answer.status >= 500 {
        return Err(format!("status {}: {}", answer.status, answer.text));
    }
    message.ok_or_else(|| format!("not {dialect}'s form: {} {}", answer.status, answer.text))
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    /// Nothing that a route could take.
    None,
    /// An object with fields that no route knows, or none at all.
    Unknown,
}

/// A path with a number for every name in it.
fn concrete(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/")
}

/// Runs a body against every route that reads one, as the OpenAPI document says, and checks the form of what comes.
async fn every_route_refuses(what: &str, body: &[u8], fields: Fields) {
    let (world, headers) = open().await;
    let document = world.call("GET", "/openapi.json", &[], "").await.json();
    let mut wrong = Vec::new();
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            let path = concrete(endpoint.path);
            for method in endpoint.methods.each() {
                let operation = &document["paths"][endpoint.path][method.as_str().to_lowercase()];
                let reads = operation["requestBody"]["content"]["application/json"].is_object();
                let may_be_absent = operation["requestBody"]["required"] == false;
                if !reads || body.is_empty() && may_be_absent {
                    continue;
                }
                let answer = ask(&world, &headers, method.as_str(), &path, body.to_vec()).await;
                // What has no required field takes an empty object, and one with fields that it does not know.
                let optional = fields == Fields::Unknown && answer.status < 400;
                if let Err(problem) = form(table.dialect, &answer)
                    && !optional
                {
                    wrong.push(format!(
                        "{method} {path} with {}: {problem}",
                        String::from_utf8_lossy(&body[..body.len().min(40)])
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn broken_json() {
    for body in ["", "{", "{\"a\":}", "nonsense", "{} {}", "\u{0}\u{0}"] {
        every_route_refuses("broken JSON", body.as_bytes(), Fields::None).await;
    }
}

#[tokio::test]
async fn wrong_types() {
    for body in ["7", "\"text\"", "null", "true", "[[]]", "[null]"] {
        every_route_refuses("a wrong type", body.as_bytes(), Fields::None).await;
    }
}

#[tokio::test]
async fn missing_fields() {
    // An empty object adds no members in gobelieve, which is nothing wrong there once the group exists; here it does not.
    every_route_refuses("missing fields", b"{}", Fields::Unknown).await;
}

#[tokio::test]
async fn invalid_utf8() {
    for body in [&b"\xff\xfe"[..], b"{\"uid\":\"\xc3\x28\"}", b"{\"\xff\":1}"] {
        every_route_refuses("invalid UTF-8", body, Fields::Unknown).await;
    }
}

#[tokio::test]
async fn oversize_bodies() {
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(5000));
    every_route_refuses("an oversize body", body.as_bytes(), Fields::None).await;
    every_route_refuses("a megabyte of zeros", &vec![0; 1 << 20], Fields::None).await;
}

#[tokio::test]
async fn nested_too_deep() {
    every_route_refuses("depth", "[".repeat(4000).as_bytes(), Fields::None).await;
    every_route_refuses("depth", "{\"a\":".repeat(800).as_bytes(), Fields::None).await;
}

#[tokio::test]
async fn oversize_without_a_length() {
    let (world, headers) = open().await;
    let chunks = futures_util::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1000])));
    let answer = ask(&world, &headers, "POST", "/auth/grant", Body::from_stream(chunks)).await;
    assert_eq!((answer.status, &answer.json()["meta"]["code"]), (413, &json!(413)));
}

#[tokio::test]
async fn a_body_that_never_ends() {
    let config = Config { body_timeout: std::time::Duration::from_millis(50), ..Config::default() };
    let world = World::with(config).await;
    let authorization = format!("Basic {}", basic(7, SECRET));
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let answer =
        world.call("POST", "/auth/grant", &[("authorization", &authorization)], Body::from_stream(never)).await;
    assert_eq!((answer.status, &answer.json()["meta"]["code"]), (408, &json!(408)));
}

#[tokio::test]
async fn wrong_methods() {
    let (world, headers) = open().await;
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"] {
                let others = table.endpoints.iter().filter(|other| concrete(other.path) == concrete(endpoint.path));
                if others.flat_map(|other| other.methods.each()).any(|each| each.as_str() == method) {
                    continue;
                }
                let path = concrete(endpoint.path);
                let answer = ask(&world, &headers, method, &path, "{}").await;
                form(table.dialect, &answer).unwrap_or_else(|problem| panic!("{method} {path}: {problem}"));
                assert!(answer.headers.contains_key("allow"), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let (world, headers) = open().await;
    let body = json!({ "uid": 1, "user_name": "x", "tenant": 8, "is_admin": true, "app": "other" }).to_string();
    assert_eq!(ask(&world, &headers, "POST", "/auth/grant", body).await.status, 200);
    let body = json!({ "operationID": "1", "uidList": ["1"], "app": "other", "sender": 5 }).to_string();
    let answer = ask(&world, &headers, "POST", "/user/get_user_info", body).await.json();
    assert_eq!(answer["data"][0]["uid"], "1");
}

#[tokio::test]
async fn the_field_at_fault_is_named() {
    let (world, headers) = open().await;
    for (path, body, named) in [
        ("/v1/build_account", r#"{"userId":"a"}"#, "id"),
        ("/v1/build_account", r#"{"id":"1","userId":"a","sex":"x"}"#, "sex"),
        ("/v1/batch_build_account", r#"[{"id":"1","userId":"a"},{"id":"1"}]"#, "[1].userId"),
        ("/user/get_user_info", r#"{"operationID":"1","uidList":"a"}"#, "uidList"),
        ("/group/create_group", r#"{"operationID":"1","memberList":[{"uid":1}]}"#, "memberList[0].uid"),
        ("/manager/send_msg", r#"{"operationID":1}"#, "operationID"),
        ("/auth/grant", r#"{"uid":1.5}"#, "uid"),
        ("/groups", r#"{"master":1,"name":"g","members":{}}"#, "members"),
        ("/messages/peers", r#"{"sender":1,"receiver":"2","content":""}"#, "receiver"),
    ] {
        let answer = ask(&world, &headers, "POST", path, body).await;
        assert!(answer.text.contains(named), "{path} {body}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_path_that_is_no_utf8() {
    let (world, headers) = open().await;
    let answer = ask(&world, &headers, "POST", "/groups/%ff/members", "[]").await;
    assert_eq!((answer.status, &answer.json()["meta"]["field"]), (400, &json!("path")));
}

#[tokio::test]
async fn too_many_requests_at_once() {
    let world = World::with(Config { max_requests: 0, ..Config::default() }).await;
    let answer = world.call("POST", "/auth/grant", &[], "{}").await;
    assert_eq!((answer.status, &answer.json()["meta"]["code"]), (503, &json!(503)));
    let answer = world.call("POST", "/v1/build_token", &[], "{}").await;
    assert_eq!((answer.status, &answer.json()["error"]), (200, &json!("9999")));
}
