//! Rules that an app's server sets in one dialect hold in all of them.

use domain::{AppNumber, UserId, tokens::Issue, users::NewUser};
use serde_json::{Value, json};

use crate::world::World;

/// Two users with tokens that every dialect takes.
struct Room {
    world: World,
    alice: String,
    sign: String,
}

impl Room {
    async fn new() -> Self {
        let world = World::new().await;
        let operator = world.domain.apps.operator(AppNumber(7)).await.unwrap();
        let mut tokens = Vec::new();
        for uid in ["1", "2"] {
            let new = NewUser { uid: Some(uid.into()), ..NewUser::default() };
            let user = world.domain.users.create(&operator, new).await.unwrap();
            let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
            tokens.push(world.domain.tokens.issue(&operator, UserId(user.id), issue).await.unwrap().text);
        }
        let sign = world.sign().await;
        Self { world, alice: tokens.remove(0), sign }
    }

    async fn tenured(&self, path: &str, body: Value) {
        let path = format!("{path}?appId=demo&sign={}", self.sign);
        let answer = self.world.call("POST", &path, &[], body.to_string()).await.json();
        assert_eq!(answer["error"], "0000", "{answer}");
    }

    /// What maxim and tim answer when Alice says something to the other.
    async fn say(&self, text: &str) -> (Value, Value) {
        let body = json!({ "type": 1, "targets": [2], "content": text }).to_string();
        let headers = [("app_id", "demo"), ("access-token", self.alice.as_str())];
        let maxim = self.world.call("POST", "/message/send", &headers, body).await.json();
        let message =
            json!({ "type": "TIMTextElem", "payload": { "text": text }, "conversationType": "C2C", "to": "2" });
        let body = json!({ "message": message }).to_string();
        let tim = self.world.call("POST", "/message/sendMessage", &[("token", &self.alice)], body).await.json();
        (maxim["code"].clone(), tim["code"].clone())
    }
}

#[tokio::test]
async fn words_do_not_pass_in_any_dialect() {
    let room = Room::new().await;
    assert_eq!(room.say("坏词").await, (json!(200), json!(0)));
    room.tenured("/v1/add_dirty_words", json!({ "words": ["坏词"] })).await;
    room.tenured("/v1/add_dirty_words", json!({ "words": ["loud"], "action": "mask" })).await;
    assert_eq!(room.say("一个 坏*词").await, (json!(10010), json!(80001)));
    assert_eq!(room.say("a LOUD one").await, (json!(200), json!(0)));
    let headers = [("app_id", "demo"), ("access-token", room.alice.as_str())];
    let page = room.world.call("GET", "/message/conversation?opposite_id=2&limit=2", &headers, "").await.json();
    for message in page["data"]["messages"].as_array().unwrap() {
        assert_eq!(message["content"], "a **** one");
    }
    room.tenured("/v1/delete_dirty_words", json!({ "words": ["坏词"] })).await;
    assert_eq!(room.say("坏词").await, (json!(200), json!(0)));
}

#[tokio::test]
async fn a_silence_holds_in_every_dialect_until_its_time() {
    let room = Room::new().await;
    room.tenured("/v1/set_global_mute", json!({ "userId": "1", "singleMuteTime": 60 })).await;
    assert_eq!(room.say("hi").await, (json!(10010), json!(10017)));
    room.world.clock.set(domain::Millis(crate::world::START + 60_001));
    assert_eq!(room.say("hi").await, (json!(200), json!(0)));
}
