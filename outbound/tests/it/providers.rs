//! What each provider is asked, by its public API, and what its answers mean.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::push::NewTask;
use domain::record::{PushAndroid, PushAudience, PushChannel, PushClick, PushIos, PushKind, PushNotice, PushProvider};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::fake::{Asked, Reply};
use crate::world::{World, elliptic_key, rsa_key};

fn channel(provider: PushProvider) -> PushChannel {
    PushChannel {
        provider: provider as i32,
        app_id: "app-id".into(),
        app_key: "app-key".into(),
        app_secret: "app-secret".into(),
        ..PushChannel::default()
    }
}

/// A notice with everything in it.
fn full() -> PushNotice {
    let android = PushAndroid {
        channel: "news".into(),
        click: PushClick::Intent as i32,
        intent: "intent:#Intent;end".into(),
        ..PushAndroid::default()
    };
    PushNotice {
        title: "Sale".into(),
        body: "Half the price".into(),
        badge: 7,
        badge_set: true,
        extension: json!({ "shop": 5, "name": "x" }).to_string(),
        ios: Some(PushIos {
            sound: "bell.caf".into(),
            category: "SALE".into(),
            thread: "sales".into(),
            subtitle: "Today".into(),
            mutable_content: true,
            content_available: true,
            collapse: "sale".into(),
        }),
        android: Some(android),
        ..PushNotice::default()
    }
}

async fn notify(world: &World, notice: PushNotice) {
    let audience = PushAudience { all: true, ..PushAudience::default() };
    world.domain.push.notify(&world.server, NewTask { audience, notice, ..NewTask::default() }).await.unwrap();
}

fn command() -> PushNotice {
    PushNotice {
        kind: PushKind::Command as i32,
        title: "sync".into(),
        extension: json!({ "a": 1 }).to_string(),
        ..PushNotice::default()
    }
}

/// What a signed token says, after its signature was checked.
fn claims(token: &str, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(algorithm, public).verify(signed.as_bytes(), &signature).expect("the signature is right");
    let part = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    (part(header), part(claims))
}

/// Whether Bob's phone is still bound.
async fn is_bound(world: &World) -> bool {
    world.domain.push.devices(&world.bob).await.unwrap().iter().any(|device| !device.bindings.is_empty())
}

/// Says something that the provider answers with a code for unknown tokens, and sees that Bob's is forgotten.
async fn forgets(world: &World, answer: impl FnMut(&Asked) -> Reply + Send + 'static, end: &str) {
    world.fake.answers(answer);
    assert!(is_bound(world).await);
    world.say("are you there?").await;
    world.fake.next_at(end).await;
    for _ in 0..100 {
        if !is_bound(world).await && world.left().await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the token was not forgotten");
}

#[tokio::test]
async fn apns_is_asked_over_http2_with_a_signed_token() {
    let (pem, key) = elliptic_key();
    let apns = PushChannel { certificate: pem, ..channel(PushProvider::Apns) };
    let world = World::new(apns, |_| (200, json!({}))).await;
    world.say("hi").await;
    let asked = world.fake.next().await;
    assert!(asked.h2);
    assert_eq!(asked.path, "/3/device/abcdef01");
    let token = asked.header("authorization").strip_prefix("bearer ").unwrap();
    let (header, claims) = claims(token, &ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
    assert_eq!((&header["alg"], &header["kid"]), (&json!("ES256"), &json!("app-key")));
    assert_eq!(claims["iss"], "app-secret");
    let headers = ["apns-topic", "apns-push-type", "apns-priority"].map(|name| asked.header(name));
    assert_eq!(headers, ["app-id", "alert", "10"]);
    let body = asked.json();
    let aps = json!({ "badge": 1, "alert": { "title": "alice", "body": "hi" }, "sound": "default" });
    assert_eq!(body["aps"], aps);
    assert_eq!((&body["linnet"]["conversation"], &body["linnet"]["seq"]), (&json!("direct"), &json!(1)));
    assert_eq!(asked.header("apns-collapse-id"), body["linnet"]["message_id"].to_string());

    notify(&world, full()).await;
    let asked = world.fake.next().await;
    assert_eq!(asked.header("authorization"), format!("bearer {token}"), "one token serves for a while");
    assert_eq!(asked.header("apns-collapse-id"), "sale");
    let aps = json!({
        "badge": 7, "alert": { "title": "Sale", "subtitle": "Today", "body": "Half the price" }, "sound": "bell.caf",
        "content-available": 1, "mutable-content": 1, "category": "SALE", "thread-id": "sales",
    });
    assert_eq!(asked.json(), json!({ "shop": 5, "name": "x", "aps": aps }));

    notify(&world, command()).await;
    let asked = world.fake.next().await;
    assert_eq!((asked.header("apns-push-type"), asked.header("apns-priority")), ("background", "5"));
    assert_eq!(asked.json(), json!({ "a": 1, "title": "sync", "body": "", "aps": { "content-available": 1 } }));

    forgets(&world, |_| (410, json!({ "reason": "Unregistered" })), "/abcdef01").await;
}

#[tokio::test]
async fn apns_gets_another_signed_token_when_it_asks_for_one() {
    let apns = PushChannel { certificate: elliptic_key().0, ..channel(PushProvider::Apns) };
    let mut first = None;
    let world = World::new(apns, move |asked| {
        let token = first.get_or_insert_with(|| asked.header("authorization").to_owned());
        if token == asked.header("authorization") {
            return (403, json!({ "reason": "ExpiredProviderToken" }));
        }
        (200, json!({}))
    })
    .await;
    world.say("hi").await;
    let one = world.fake.next().await;
    let other = world.fake.next().await;
    assert_ne!(one.header("authorization"), other.header("authorization"));
    assert_eq!(one.body, other.body);
    world.fake.silence().await;
    assert_eq!(world.left().await, 0);
}

#[tokio::test]
async fn fcm_is_asked_with_a_token_that_a_signature_was_exchanged_for() {
    let (pem, key) = rsa_key();
    let fake = |asked: &Asked| match asked.path.as_str() {
        "/token" => (200, json!({ "access_token": "pass", "expires_in": 3600 })),
        _ => (200, json!({ "name": "projects/p/messages/1" })),
    };
    // The account's own address is the same server, which is known only once it runs.
    let world = World::new(
        PushChannel { certificate: account("http://127.0.0.1:9", &pem), ..channel(PushProvider::Fcm) },
        fake,
    )
    .await;
    let certificate = account(&world.fake.url(), &pem);
    let fcm = PushChannel { name: "main".into(), url: world.fake.url(), certificate, ..channel(PushProvider::Fcm) };
    world.domain.push.set_channel(&world.server, fcm).await.unwrap();

    world.say("hi").await;
    let asked = world.fake.next_at("/token").await;
    let form = asked.form();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (header, claims) = claims(&form["assertion"], &RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!("key-1")));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("me@p.iam"), &json!(format!("{}/token", world.fake.url()))));
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/firebase.messaging");
    let asked = world.fake.next().await;
    assert_eq!((asked.path.as_str(), asked.header("authorization")), ("/v1/projects/p/messages:send", "Bearer pass"));
    let message = asked.json()["message"].clone();
    assert_eq!(message["token"], "abcdef01");
    assert_eq!(message["notification"], json!({ "title": "alice", "body": "hi" }));
    assert_eq!((&message["android"]["priority"], &message["android"]["ttl"]), (&json!("HIGH"), &json!("86400s")));
    assert!(message["data"]["linnet"].as_str().unwrap().contains("direct"), "data holds texts only");

    notify(&world, full()).await;
    let message = world.fake.next().await.json()["message"].clone();
    assert_eq!(message["data"], json!({ "shop": "5", "name": "x" }));
    let shown = &message["android"]["notification"];
    assert_eq!((&shown["channel_id"], &shown["click_action"]), (&json!("news"), &json!("intent:#Intent;end")));
    assert_eq!(shown["notification_count"], 7);
    notify(&world, command()).await;
    let message = world.fake.next().await.json()["message"].clone();
    assert_eq!((&message["notification"], &message["data"]["a"]), (&Value::Null, &json!("1")));

    let gone = json!({ "error": { "status": "NOT_FOUND", "details": [{ "errorCode": "UNREGISTERED" }] } });
    forgets(&world, move |_| (404, gone.clone()), "messages:send").await;
}

fn account(server: &str, pem: &str) -> String {
    json!({
        "type": "service_account", "project_id": "p", "private_key_id": "key-1", "private_key": pem,
        "client_email": "me@p.iam", "token_uri": format!("{server}/token"),
    })
    .to_string()
}

#[tokio::test]
async fn huawei_is_asked_with_an_oauth_token() {
    let ok = |asked: &Asked| match asked.path.as_str() {
        "/oauth2/v3/token" => (200, json!({ "access_token": "pass", "expires_in": 3600 })),
        _ => (200, json!({ "code": "80000000", "msg": "Success" })),
    };
    let world = World::new(channel(PushProvider::Huawei), ok).await;
    notify(&world, full()).await;
    let form = world.fake.next().await.form();
    let fields = ["grant_type", "client_id", "client_secret"].map(|name| form[name].as_str());
    assert_eq!(fields, ["client_credentials", "app-id", "app-secret"]);
    let asked = world.fake.next().await;
    assert_eq!((asked.path.as_str(), asked.header("authorization")), ("/v1/app-id/messages:send", "Bearer pass"));
    let message = asked.json()["message"].clone();
    assert_eq!(message["token"], json!(["abcdef01"]));
    let shown = &message["android"]["notification"];
    assert_eq!((&shown["title"], &shown["body"]), (&json!("Sale"), &json!("Half the price")));
    assert_eq!(shown["click_action"], json!({ "type": 1, "intent": "intent:#Intent;end" }));
    assert_eq!((&shown["badge"], &shown["channel_id"]), (&json!({ "set_num": 7 }), &json!("news")));

    // An expired token is asked for anew, and the notice is sent all the same.
    let mut refused = false;
    world.fake.answers(move |asked| match asked.path.as_str() {
        "/oauth2/v3/token" => (200, json!({ "access_token": "another", "expires_in": 3600 })),
        _ if !std::mem::replace(&mut refused, true) => (401, json!({ "code": "80200003", "msg": "expired" })),
        _ => (200, json!({ "code": "80000000", "msg": "Success" })),
    });
    world.say("hi").await;
    assert_eq!(world.fake.next().await.header("authorization"), "Bearer pass");
    assert_eq!(world.fake.next_at("messages:send").await.header("authorization"), "Bearer another");
    forgets(&world, |_| (200, json!({ "code": "80300007", "msg": "all tokens are invalid" })), "messages:send").await;
}

#[tokio::test]
async fn xiaomi_is_asked_with_the_secret() {
    let world = World::new(channel(PushProvider::Xiaomi), |_| (200, json!({ "result": "ok", "code": 0 }))).await;
    notify(&world, full()).await;
    let asked = world.fake.next().await;
    assert_eq!((asked.path.as_str(), asked.header("authorization")), ("/v3/message/regid", "key=app-secret"));
    let form = asked.form();
    let expected: BTreeMap<&str, &str> = [
        ("restricted_package_name", "app-id"),
        ("registration_id", "abcdef01"),
        ("pass_through", "0"),
        ("title", "Sale"),
        ("description", "Half the price"),
        ("notify_type", "-1"),
        ("extra.notify_effect", "2"),
        ("extra.intent_uri", "intent:#Intent;end"),
        ("extra.channel_id", "news"),
        ("payload", r#"{"shop":5,"name":"x"}"#),
    ]
    .into();
    for (name, value) in expected {
        assert_eq!(form[name], value, "{name}");
    }
    notify(&world, command()).await;
    assert_eq!(world.fake.next().await.form()["pass_through"], "1");
    forgets(&world, |_| (200, json!({ "result": "ok", "code": 0, "data": { "bad_regids": "abcdef01" } })), "regid")
        .await;
}

#[tokio::test]
async fn oppo_is_asked_with_a_token_for_a_signature() {
    let ok = |asked: &Asked| match asked.path.as_str() {
        "/server/v1/auth" => (200, json!({ "code": 0, "data": { "auth_token": "pass" } })),
        _ => (200, json!({ "code": 0, "message": "Success" })),
    };
    let world = World::new(channel(PushProvider::Oppo), ok).await;
    notify(&world, full()).await;
    let form = world.fake.next().await.form();
    let sign = hex::encode(Sha256::digest(format!("app-key{}app-secret", form["timestamp"])));
    assert_eq!((&form["app_key"], &form["sign"]), (&"app-key".to_owned(), &sign));
    let asked = world.fake.next().await;
    let place = (asked.path.as_str(), asked.header("auth_token"));
    assert_eq!(place, ("/server/v1/message/notification/unicast", "pass"));
    let message: Value = serde_json::from_str(&asked.form()["message"]).unwrap();
    assert_eq!((&message["target_type"], &message["target_value"]), (&json!(2), &json!("abcdef01")));
    let shown = &message["notification"];
    assert_eq!((&shown["title"], &shown["content"]), (&json!("Sale"), &json!("Half the price")));
    assert_eq!((&shown["click_action_type"], &shown["click_action_url"]), (&json!(5), &json!("intent:#Intent;end")));
    assert_eq!(shown["channel_id"], "news");
    assert_eq!(asked.form()["auth_token"], "pass");
    notify(&world, PushNotice { big_text: "长".repeat(300), ..full() }).await;
    let message: Value = serde_json::from_str(&world.fake.next().await.form()["message"]).unwrap();
    let shown = &message["notification"];
    assert_eq!((&shown["style"], shown["content"].as_str().unwrap().chars().count()), (&json!(2), 128));
    forgets(&world, |_| (200, json!({ "code": 10000, "message": "Invalid RegistrationId" })), "unicast").await;
}

#[tokio::test]
async fn vivo_is_asked_with_a_token_for_a_signature() {
    let ok = |asked: &Asked| match asked.path.as_str() {
        "/message/auth" => (200, json!({ "result": 0, "authToken": "pass" })),
        _ => (200, json!({ "result": 0, "taskId": "1" })),
    };
    let app_id = "10004".to_owned();
    let world = World::new(PushChannel { app_id, ..channel(PushProvider::Vivo) }, ok).await;
    let vendors =
        vec![PushAndroid { provider: PushProvider::Vivo as i32, classification: 1, ..PushAndroid::default() }];
    notify(&world, PushNotice { vendors, ..full() }).await;
    let body = world.fake.next().await.json();
    let sign = hex::encode(Md5::digest(format!("10004app-key{}app-secret", body["timestamp"])));
    assert_eq!((&body["appId"], &body["appKey"], &body["sign"]), (&json!("10004"), &json!("app-key"), &json!(sign)));
    let asked = world.fake.next().await;
    assert_eq!((asked.path.as_str(), asked.header("authtoken")), ("/message/send", "pass"));
    let message = asked.json();
    assert_eq!((&message["regId"], &message["title"]), (&json!("abcdef01"), &json!("Sale")));
    assert_eq!(message["appId"], 10004, "a number here");
    assert_eq!((&message["skipType"], &message["skipContent"]), (&json!(4), &json!("intent:#Intent;end")));
    assert_eq!((&message["classification"], &message["pushMode"]), (&json!(1), &json!(0)));
    assert_eq!(message["clientCustomMap"], json!({ "shop": "5", "name": "x" }));
    forgets(&world, |_| (200, json!({ "result": 10302, "desc": "regId不合法" })), "/message/send").await;
}

#[tokio::test]
async fn meizu_is_asked_with_a_signature() {
    let world = World::new(channel(PushProvider::Meizu), |_| (200, json!({ "code": "200", "value": {} }))).await;
    notify(&world, full()).await;
    let asked = world.fake.next().await;
    assert_eq!(asked.path, "/garcia/api/server/push/varnished/pushByPushId");
    let form = asked.form();
    let signed = format!("appId=app-idmessageJson={}pushIds=abcdef01app-secret", form["messageJson"]);
    assert_eq!(form["sign"], hex::encode(Md5::digest(signed)));
    let message: Value = serde_json::from_str(&form["messageJson"]).unwrap();
    assert_eq!(message["noticeBarInfo"], json!({ "title": "Sale", "content": "Half the price" }));
    assert_eq!(message["clickTypeInfo"]["activity"], "intent:#Intent;end");
    assert_eq!(message["clickTypeInfo"]["parameters"], json!({ "shop": 5, "name": "x" }));
    notify(&world, command()).await;
    assert_eq!(world.fake.next().await.path, "/garcia/api/server/push/unvarnished/pushByPushId");
    forgets(&world, |_| (200, json!({ "code": "200", "value": { "110002": ["abcdef01"] } })), "pushByPushId").await;
}
