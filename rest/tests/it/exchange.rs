//! What tim's and maxim's clients write for each other, and how much they may write at once.

use crate::world::World;
use serde_json::{Value, json};

/// A user of each dialect, logged in.
struct Pair {
    world: World,
    tim: String,
    maxim: String,
    maxim_id: u64,
    /// The tim user's number, as maxim knows it.
    tim_id: u64,
}

impl Pair {
    async fn new() -> Self {
        let world = World::new().await;
        let alice = json!({ "email": "a@x.org", "username": "alice", "password": "pw" }).to_string();
        let tim = world.call("POST", "/register", &[], alice.clone()).await.json();
        let bob = json!({ "username": "bob", "password": "pw" }).to_string();
        world.call("POST", "/user/register/v2", &[], bob).await;
        let login = |name| json!({ "name": name, "password": "pw" }).to_string();
        let maxim = world.call("POST", "/token/user", &[], login("bob")).await.json();
        // One person is one user in every dialect: alice logs in to maxim with her name.
        let same = world.call("POST", "/token/user", &[], login("alice")).await.json();
        Self {
            tim: tim["data"]["token"].as_str().unwrap().to_owned(),
            maxim: maxim["data"]["token"].as_str().unwrap().to_owned(),
            maxim_id: maxim["data"]["user_id"].as_u64().unwrap(),
            tim_id: same["data"]["user_id"].as_u64().unwrap(),
            world,
        }
    }

    async fn tim(&self, path: &str, body: Value) -> Value {
        self.world.call("POST", path, &[("token", &self.tim)], body.to_string()).await.json()
    }

    async fn maxim(&self, method: &str, path: &str, body: Value) -> Value {
        self.world.call(method, path, &[("access-token", &self.maxim)], body.to_string()).await.json()
    }

    /// alice sends to bob; how she gives the message.
    async fn tim_sends(&self, kind: &str, payload: &Value) {
        let message = json!({ "type": kind, "payload": payload, "conversationType": "C2C",
            "to": self.maxim_id.to_string(), "cloudCustomData": "{\"mine\":1}" });
        let sent = self.tim("/message/sendMessage", json!({ "message": message })).await;
        assert_eq!(sent["code"], 0, "{sent}");
    }

    /// The newest message of the conversation, as bob reads it.
    async fn maxim_reads(&self) -> Value {
        let path = format!("/message/conversation?limit=1&opposite_id={}", self.tim_id);
        let page = self.maxim("GET", &path, json!({})).await;
        page["data"]["messages"][0].clone()
    }

    async fn maxim_sends(&self, body: Value) -> Value {
        let mut request = json!({ "type": 1, "targets": [self.tim_id] });
        request.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.maxim("POST", "/message/send", request).await
    }

    /// The newest message of the conversation, as alice reads it.
    async fn tim_reads(&self) -> Value {
        let conversation = format!("C2C{}", self.maxim_id);
        let page = self.tim("/message/getMessageList", json!({ "conversationID": conversation, "count": 1 })).await;
        page["data"][0]["message"].clone()
    }
}

#[tokio::test]
async fn a_message_passes_from_tim_to_maxim_and_back() {
    let pair = Pair::new().await;
    let image = json!({"uuid": "", "imageFormat": "", "imageInfoArray": [
        {"type": 1, "size": 9, "width": 4, "height": 3, "url": "https://x/a.png"}]});
    let relay = json!({"title": "t", "abstractList": ["alice: hi"], "compatibleText": "t", "messageList": [
        {"from": "alice", "time": 5, "type": "TIMTextElem", "payload": {"text": "hi"}}]});
    for (kind, payload, ctype) in [
        ("TIMTextElem", json!({"text": "hi"}), "TEXT"),
        ("TIMImageElem", image, "IMAGE"),
        ("TIMSoundElem", json!({"uuid": "", "url": "https://x/a.m4a", "size": 9, "second": 2.5}), "AUDIO"),
        ("TIMFileElem", json!({"uuid": "", "fileName": "a", "fileUrl": "https://x/a", "fileSize": 9}), "FILE"),
        ("TIMLocationElem", json!({"description": "here", "longitude": 116.5, "latitude": 39.5}), "LOCATION"),
        ("TIMFaceElem", json!({"index": "1", "data": "tt01"}), "TEXT"),
        ("TIMCustomElem", json!({"data": "{}", "description": "d", "extension": "e"}), "COMMAND"),
        ("TIMRelayElem", relay, "FORWARD"),
    ] {
        pair.tim_sends(kind, &payload).await;
        let seen = pair.maxim_reads().await;
        assert_eq!(seen["ctype"], ctype, "{seen}");
        assert_eq!(seen["ext"], "{\"mine\":1}");
        // bob's client sends on what it was shown.
        let types = ["TEXT", "IMAGE", "AUDIO", "VIDEO", "FILE", "LOCATION", "COMMAND", "FORWARD"];
        let content_type = types.iter().position(|each| *each == ctype).unwrap();
        let (content, attachment, ext) = (&seen["content"], &seen["attachment"], &seen["ext"]);
        let sent = pair
            .maxim_sends(
                json!({"content_type": content_type, "content": content, "attachment": attachment, "ext": ext}),
            )
            .await;
        assert_eq!(sent["code"], 200, "{sent}");
        let back = pair.tim_reads().await;
        assert_eq!((&back["type"], &back["payload"]), (&json!(kind), &payload), "{back}");
        assert_eq!(back["cloudCustomData"], "{\"mine\":1}");
        assert_eq!((&back["from"], &back["flow"]), (&json!(pair.maxim_id.to_string()), &json!("in")));
    }
}

#[tokio::test]
async fn too_much_at_once_is_refused() {
    let pair = Pair::new().await;
    let long = "x".repeat(70_000);
    let made = json!({"to": "bob", "conversationType": "C2C", "priority": "Normal", "payload": {"text": long}});
    let answer = pair.tim("/message/createMessage", made).await;
    assert_eq!((&answer["code"], &answer["msg"]), (&json!(10004), &json!("payload: is too long")));
    let answer = pair.maxim_sends(json!({"content": long})).await;
    assert_eq!((&answer["code"], &answer["message"]), (&json!(10002), &json!("content: is longer than 65536 bytes")));

    let many = vec![pair.maxim_id; 501];
    let answer = pair.maxim("POST", "/message/send", json!({"type": 1, "targets": many, "content": "hi"})).await;
    assert_eq!((&answer["code"], &answer["message"]), (&json!(10002), &json!("targets: must name 1 to 500")));
    let answer = pair.maxim("POST", "/group/create", json!({"name": "g", "user_list": many})).await;
    assert_eq!((&answer["code"], &answer["message"]), (&json!(10002), &json!("user_list: names more than 500 users")));

    let member = json!({"userID": pair.maxim_id.to_string()});
    let answer = pair.tim("/group/createGroup", json!({"name": "g", "memberList": vec![member; 501]})).await;
    assert_eq!((&answer["code"], &answer["msg"]), (&json!(10004), &json!("memberList: names more than 500 users")));
    let created = pair.tim("/group/createGroup", json!({"name": "g", "groupID": "g1"})).await;
    assert_eq!(created["code"], 0, "{created}");
    let many: Vec<String> = many.iter().map(u64::to_string).collect();
    let answer = pair.tim("/group/addGroupMember", json!({"groupID": "g1", "userIDList": many})).await;
    assert_eq!((&answer["code"], &answer["msg"]), (&json!(10004), &json!("userIDList: must name 1 to 500 users")));
}

#[tokio::test]
async fn an_unreachable_user_is_told_apart_by_code() {
    let pair = Pair::new().await;
    let alice = pair.world.domain.tokens.authenticate(&pair.tim).await.unwrap();
    pair.world.domain.roster.block(&alice, domain::UserId(pair.maxim_id)).await.unwrap();
    let answer = pair.maxim_sends(json!({"content": "hi"})).await;
    assert_eq!(answer["code"], 10006, "{answer}");

    let bob = pair.world.domain.tokens.authenticate(&pair.maxim).await.unwrap();
    pair.world.domain.roster.block(&bob, alice.user().unwrap()).await.unwrap();
    let message = json!({"type": "TIMTextElem", "payload": {"text": "hi"}, "conversationType": "C2C",
        "to": pair.maxim_id.to_string()});
    let answer = pair.tim("/message/sendMessage", json!({ "message": message })).await;
    assert_eq!((&answer["code"], &answer["data"]["message"]["status"]), (&json!(20007), &json!("fail")), "{answer}");
}
