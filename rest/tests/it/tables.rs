//! The tables against `endpoints.tsv`, which lists every documented endpoint and says which are served, and against the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;
use serde_json::Value;

/// Paths that serve what the documents leave open; they are in no document's list.
const BESIDE: &[(&str, &str, &str)] = &[
    ("tim", "POST", "/group_member/addGroupMember"),
    ("openim", "POST", "/manager/account_check"),
    ("openim", "POST", "/manager/get_users_online_status"),
    ("tenured", "POST", "/v1/get_profile"),
    ("tenured", "POST", "/v1/set_profile"),
    ("tenured", "POST", "/v1/get_online_status"),
    ("maxim", "POST", "/user/delete"),
    ("maxim", "POST", "/user/register/anonymous"),
    ("maxim", "GET", "/v2/app_dns"),
    ("maxim", "GET", "/app/config"),
    ("maxim", "GET", "/app/user/name_check"),
    ("maxim", "POST", "/app/secret_info"),
    ("maxim", "GET", "/app/secret_info"),
    ("maxim", "POST", "/app/user/mobile_update"),
    ("maxim", "POST", "/app/wechat/bind"),
    ("maxim", "POST", "/app/wechat/unbind"),
    ("maxim", "GET", "/app/wechat/is_bind"),
    ("tim", "POST", "/group_member/getGroupMemberList"),
    ("tim", "POST", "/group_member/getGroupMemberProfile"),
    ("tim", "POST", "/group_member/getGroupOnlineMemberCount"),
    ("tim", "POST", "/group_member/deleteGroupMember"),
    ("tim", "POST", "/group_member/setGroupMemberMuteTime"),
    ("tim", "POST", "/group_member/setGroupMemberRole"),
    ("tim", "POST", "/group_member/setGroupMemberNameCard"),
    ("tim", "POST", "/group_member/setGroupMemberCustomField"),
    ("maxim", "POST", "/group/msg/not_disturb"),
    ("maxim", "PUT", "/group/msg/not_disturb"),
    ("maxim", "POST", "/group/settings/hide_member_info"),
    ("maxim", "PUT", "/group/settings/hide_member_info"),
    ("tenured", "POST", "/v1/create_group"),
    ("tenured", "POST", "/v1/update_group"),
    ("tenured", "POST", "/v1/dismiss_group"),
    ("tenured", "POST", "/v1/get_group"),
    ("tenured", "POST", "/v1/set_group_owner"),
    ("tenured", "POST", "/v1/add_group_member"),
    ("tenured", "POST", "/v1/get_group_member"),
    ("tenured", "POST", "/v1/update_group_member"),
    ("tenured", "POST", "/v1/delete_group_member"),
    ("tenured", "POST", "/v1/quit_group"),
    ("tenured", "POST", "/v1/mute_group_member"),
    ("tenured", "POST", "/v1/unmute_group_member"),
    ("gobelieve", "PATCH", "/users/{uid}"),
    ("gobelieve", "POST", "/customer/register"),
    ("gobelieve", "POST", "/stores"),
    ("gobelieve", "GET", "/stores"),
    ("gobelieve", "DELETE", "/stores/{store_id}"),
    ("gobelieve", "GET", "/stores/{store_id}/supporters"),
    ("gobelieve", "POST", "/stores/{store_id}/supporters"),
    ("gobelieve", "DELETE", "/stores/{store_id}/supporters/{uid}"),
    ("tenured", "POST", "/v1/add_friend"),
    ("tenured", "POST", "/v1/get_friend"),
    ("tenured", "POST", "/v1/get_all_friend"),
    ("tenured", "POST", "/v1/import_friend"),
    ("tenured", "POST", "/v1/update_friend"),
    ("tenured", "POST", "/v1/delete_friend"),
    ("tenured", "POST", "/v1/delete_all_friend"),
    ("tenured", "POST", "/v1/add_blacklist"),
    ("tenured", "POST", "/v1/delete_blacklist"),
    ("tenured", "POST", "/v1/get_blacklist"),
    ("tenured", "POST", "/v1/add_friend_group"),
    ("tenured", "POST", "/v1/delete_friend_group"),
    ("gobelieve", "POST", "/device/bind"),
    ("gobelieve", "POST", "/device/unbind"),
    ("gobelieve", "POST", "/images"),
    ("gobelieve", "POST", "/audios"),
    ("gobelieve", "POST", "/files"),
    ("gobelieve", "POST", "/v2/images"),
    ("gobelieve", "POST", "/v2/audios"),
    ("gobelieve", "POST", "/v2/files"),
    ("media", "POST", "/media/{app}"),
    ("media", "GET", "/media/{app}/{link}"),
    ("media", "GET", "/images/{name}"),
    ("media", "GET", "/audios/{name}"),
    ("media", "GET", "/files/{name}"),
    ("tenured", "POST", "/v1/add_dirty_words"),
    ("tenured", "POST", "/v1/get_dirty_words"),
    ("tenured", "POST", "/v1/delete_dirty_words"),
    ("tenured", "POST", "/v1/set_global_mute"),
    ("tenured", "POST", "/v1/get_global_mute"),
    ("tenured", "POST", "/v1/send_message"),
    ("tenured", "POST", "/v1/batch_send_message"),
    ("tenured", "POST", "/v1/import_message"),
    ("tenured", "POST", "/v1/send_group_message"),
    ("tenured", "POST", "/v1/send_group_system_message"),
    ("tenured", "POST", "/v1/recall_group_message"),
    ("tenured", "POST", "/v1/delete_group_user_message"),
    ("tenured", "POST", "/v1/set_group_unread"),
];

fn listed(state: &str) -> BTreeSet<(String, String, String)> {
    let rows = include_str!("../../endpoints.tsv").lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row[3] == state).map(|row| (row[0].into(), row[1].into(), row[2].into())).collect()
}

fn served() -> BTreeSet<(String, String, String)> {
    let mut all = BTreeSet::new();
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            for method in endpoint.methods.each() {
                let is_new = all.insert((table.dialect.to_owned(), method.to_string(), endpoint.path.to_owned()));
                assert!(is_new, "{method} {} twice", endpoint.path);
            }
        }
    }
    all
}

#[test]
fn the_list_says_what_is_served() {
    let mut served = served();
    for (dialect, method, path) in BESIDE.iter().copied() {
        assert!(served.remove(&(dialect.into(), method.into(), path.into())), "{method} {path} is not served");
    }
    let listed = listed("served");
    assert_eq!(served.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, String, String)>::new(), "not listed");
    assert_eq!(listed.difference(&served).collect::<Vec<_>>(), Vec::<&(String, String, String)>::new(), "not served");
}

#[test]
fn no_path_belongs_to_two_dialects() {
    let mut owners = BTreeMap::new();
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            let owner = owners.entry(endpoint.path).or_insert(table.dialect);
            assert_eq!(*owner, table.dialect, "{}", endpoint.path);
        }
    }
}

#[tokio::test]
async fn nothing_pretends_to_serve_the_rest() {
    let world = World::new().await;
    let paths: BTreeSet<String> = served().into_iter().map(|(_, _, path)| path).collect();
    for (dialect, method, path) in listed("planned") {
        let answer = world.call(&method, &path.replace(['{', '}'], ""), &[], "{}").await;
        if paths.contains(&path) {
            assert!(answer.headers.contains_key("allow"), "{dialect} {method} {path}: {}", answer.text);
        } else {
            assert_eq!((answer.status, &answer.json()["error"]), (404, &Value::from("not found")), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_document_describes_the_routes_and_nothing_else() {
    let document = World::new().await.call("GET", "/openapi.json", &[], "").await.json();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let (dialect, _) = operation["tags"][0].as_str().unwrap().split_once(": ").unwrap();
            described.insert((dialect.to_owned(), method.to_uppercase(), path.clone()));
        }
    }
    assert_eq!(described, served());
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let used: BTreeSet<_> = operations(&document).map(|operation| operation["tags"][0].as_str().unwrap()).collect();
    assert_eq!(tags, used, "one tag per dialect and noun: a handler's file tells the noun, see `openapi/nouns.rs`");
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
}

#[tokio::test]
async fn every_operation_says_all_that_a_caller_needs() {
    let document = World::new().await.call("GET", "/openapi.json", &[], "").await.json();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let examples: Value = serde_json::from_str(include_str!("../../examples.json")).unwrap();
    let mut ids = BTreeSet::new();
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            for method in endpoint.methods.each() {
                let name = format!("{method} {}", endpoint.path);
                let operation = &document["paths"][endpoint.path][method.as_str().to_lowercase()];
                assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{name}: no summary");
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}: id used twice");
                let reads = operation["requestBody"]["content"].as_object().is_some_and(|content| {
                    !content.is_empty() && content.values().all(|content| content["schema"].is_object())
                });
                let shown = &examples[format!("{} {name}", table.dialect)]["request"];
                let nothing = shown.as_object().is_none_or(serde_json::Map::is_empty);
                assert!(reads || nothing, "{name}: no request, and yet there is one in a golden file");
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses["200"]["description"].is_string(), "{name}: no good answer");
                assert!(responses.len() > 1 || responses["200"].to_string().contains("anyOf"), "{name}: no errors");
                let security = operation["security"].as_array().unwrap();
                for requirement in security.iter().flat_map(|each| each.as_object().unwrap().keys()) {
                    assert!(schemes.contains_key(requirement), "{name}: no scheme {requirement}");
                }
                let in_body = ["/v1/build_token", "/auth/user_register", "/auth/user_token"].contains(&endpoint.path);
                assert_eq!(security.is_empty(), endpoint.public || in_body, "{name}: security");
                for part in endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                    let parameters = operation["parameters"].as_array().unwrap();
                    let there = parameters.iter().any(|each| each["name"] == part && each["in"] == "path");
                    assert!(there, "{name}: {part} is not described");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(target)) => found.push(target),
                (_, value) => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    let document = World::new().await.call("GET", "/openapi.json", &[], "").await.json();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some_and(Value::is_object), "{target}");
    }
}
