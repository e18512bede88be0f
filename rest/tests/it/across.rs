//! What is done in one dialect is seen in the others: withdrawing, reading, notices, mentions, and every kind of message.

use serde_json::{Value, json};

use crate::world::{ADMIN, SECRET, World, basic};

const AMY: u64 = 1001;
const BOB: u64 = 1002;

/// Two people whose uids are numbers, so that every dialect can name them.
struct Town {
    world: World,
    admin: String,
    amy: String,
    bob: String,
    sign: String,
}

impl Town {
    async fn new() -> Self {
        let world = World::new().await;
        let [admin, amy, bob] = world.register([ADMIN, &AMY.to_string(), &BOB.to_string()]).await;
        let sign = world.sign().await;
        Self { admin, amy, bob, sign, world }
    }

    async fn tim(&self, token: &str, path: &str, body: Value) -> Value {
        let answer = self.world.call("POST", path, &[("token", token)], body.to_string()).await.json();
        assert_eq!(answer["code"], 0, "{path}: {answer}");
        answer["data"].clone()
    }

    async fn maxim(&self, token: &str, method: &str, path: &str, body: Value) -> Value {
        let answer = self.world.call(method, path, &[("access-token", token)], body.to_string()).await.json();
        assert_eq!(answer["code"], 200, "{path}: {answer}");
        answer
    }

    async fn tenured(&self, path: &str, body: Value) -> Value {
        let path = format!("{path}?appId=demo&sign={}", self.sign);
        let answer = self.world.call("POST", &path, &[], body.to_string()).await.json();
        assert_eq!(answer["error"], "0000", "{path}: {answer}");
        answer["data"].as_str().map_or(Value::Null, |data| serde_json::from_str(data).unwrap())
    }

    async fn openim(&self, sender: u64, receiver: u64, content_type: i32, content: Value) -> Value {
        let body = json!({
            "operationID": "1", "sendID": sender.to_string(), "recvID": receiver.to_string(),
            "content": content, "contentType": content_type, "sessionType": 1,
        });
        let answer = self.world.call("POST", "/manager/send_msg", &[("token", &self.admin)], body.to_string()).await;
        assert_eq!(answer.json()["errCode"], 0, "{}", answer.text);
        answer.json()["msgID"].clone()
    }

    async fn gobelieve(&self, path: &str, body: Value) {
        let authorization = format!("Basic {}", basic(7, SECRET));
        let answer = self.world.call("POST", path, &[("authorization", &authorization)], body.to_string()).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
    }

    /// Every message that Bob has from Amy, in each dialect that shows messages: tim, maxim, gobelieve.
    async fn bob_reads(&self) -> [Vec<Value>; 3] {
        let list = json!({ "conversationID": format!("C2C{AMY}") });
        let tim = self.tim(&self.bob, "/message/getMessageList", list).await;
        let tim = tim.as_array().unwrap().iter().map(|row| row["message"].clone()).collect();
        let path = format!("/message/conversation?opposite_id={AMY}");
        let maxim = self.maxim(&self.bob, "GET", &path, json!({})).await;
        let maxim = maxim["data"]["messages"].as_array().unwrap().iter().rev().cloned().collect();
        let authorization = format!("Bearer {}", self.bob);
        let gobelieve = self.world.call("GET", "/messages", &[("authorization", &authorization)], "").await.json();
        [tim, maxim, gobelieve["data"].as_array().unwrap().clone()]
    }

    async fn bobs_unread(&self) -> [u64; 3] {
        let one = json!({ "conversationID": format!("C2C{AMY}") });
        let tim = self.tim(&self.bob, "/conversation/getConversationProfile", one).await;
        let maxim = self.maxim(&self.bob, "GET", "/message/unread", json!({})).await;
        let rows = maxim["data"].as_array().unwrap().clone();
        let row = rows.iter().find(|row| row["conversation_id"]["uid"] == AMY);
        let authorization = format!("Bearer {}", self.bob);
        let path = "/messages/offline";
        let gobelieve = self.world.call("GET", path, &[("authorization", &authorization)], "").await.json();
        [
            tim["conversation"]["unreadCount"].as_u64().unwrap(),
            row.map_or(0, |row| row["num"].as_u64().unwrap()),
            gobelieve["data"]["count"].as_u64().unwrap(),
        ]
    }
}

/// Amy says something in one dialect and withdraws it in the same one.
async fn say_and_withdraw(town: &Town, dialect: &str) {
    match dialect {
        "tim" => {
            let message = json!({ "type": "TIMTextElem", "payload": { "text": "oops" }, "conversationType": "C2C",
                "to": BOB.to_string() });
            let sent = town.tim(&town.amy, "/message/sendMessage", json!({ "message": message })).await;
            gone(town, false).await;
            town.tim(&town.amy, "/message/revokeMessage", json!({ "message": sent["message"] })).await;
        }
        "maxim" => {
            let say = json!({ "type": 1, "targets": [BOB], "content": "oops" });
            let sent = town.maxim(&town.amy, "POST", "/message/send", say).await;
            gone(town, false).await;
            let related = sent["msg_ids"][0].clone();
            let withdraw = json!({ "type": 1, "targets": [BOB], "content_type": 10, "related_mid": related });
            town.maxim(&town.amy, "POST", "/message/send", withdraw).await;
        }
        "openim" => {
            let sent = town.openim(AMY, BOB, 101, json!({ "text": "oops" })).await;
            gone(town, false).await;
            town.openim(AMY, BOB, 111, json!({ "clientMsgID": sent })).await;
        }
        other => panic!("{other}"),
    }
    gone(town, true).await;
}

/// Whether Bob can read what Amy said.
async fn gone(town: &Town, expected: bool) {
    for messages in town.bob_reads().await {
        assert_eq!(!messages.iter().any(|message| message.to_string().contains("oops")), expected, "{messages:?}");
    }
    assert_eq!(town.bobs_unread().await, [u64::from(!expected); 3]);
}

#[tokio::test]
async fn what_is_withdrawn_in_one_is_gone_from_all() {
    let town = Town::new().await;
    for dialect in ["tim", "maxim", "openim"] {
        say_and_withdraw(&town, dialect).await;
    }
}

#[tokio::test]
async fn what_is_read_in_one_is_read_in_all() {
    let town = Town::new().await;
    for dialect in ["tim", "maxim", "openim"] {
        let sent = town.openim(AMY, BOB, 101, json!({ "text": "hi" })).await;
        assert_eq!(town.bobs_unread().await, [1, 1, 1], "{dialect}");
        match dialect {
            "tim" => {
                let one = json!({ "conversationID": format!("C2C{AMY}") });
                town.tim(&town.bob, "/message/setMessageRead", one).await;
            }
            "maxim" => {
                let path = format!("/message/ack?conversation_id={AMY}");
                town.maxim(&town.bob, "GET", &path, json!({})).await;
            }
            _ => drop(town.openim(BOB, AMY, 112, json!([sent])).await),
        }
        assert_eq!(town.bobs_unread().await, [0, 0, 0], "{dialect}");
        let list = json!({ "conversationID": format!("C2C{BOB}"), "count": 1 });
        let seen = town.tim(&town.amy, "/message/getMessageList", list).await;
        assert_eq!(seen[0]["message"]["isPeerRead"], true, "{dialect}");
    }
}

#[tokio::test]
async fn a_notice_of_one_is_heard_in_all() {
    let town = Town::new().await;
    town.gobelieve("/messages/systems", json!({ "receiver": BOB, "content": r#"{"text":"from gobelieve"}"# })).await;
    let notice = json!({ "type": 1, "targets": [BOB], "content": "from maxim" });
    town.maxim(&town.admin, "POST", "/message/notify", notice).await;
    let tim = town.tim(&town.bob, "/message/getMessageList", json!({ "conversationID": "@TIM#SYSTEM" })).await;
    let maxim = town.maxim(&town.bob, "GET", "/message/conversation?opposite_id=0", json!({})).await;
    let [_, _, gobelieve] = town.bob_reads().await;
    for (dialect, seen) in [("tim", tim), ("maxim", maxim), ("gobelieve", Value::Array(gobelieve))] {
        for said in ["from gobelieve", "from maxim"] {
            assert!(seen.to_string().contains(said), "{dialect} does not show {said}: {seen}");
        }
    }
}

#[tokio::test]
async fn a_mention_of_one_is_a_mention_in_all() {
    let town = Town::new().await;
    let bob = BOB.to_string();
    town.gobelieve(
        "/messages/peers",
        json!({ "sender": AMY, "receiver": BOB, "content": r#"{"text":"1","at":[1002]}"# }),
    )
    .await;
    let config = r#"{"mentionAll":false,"mentionList":[1002]}"#;
    let said = json!({ "type": 1, "targets": [BOB], "content": "2", "config": config });
    town.maxim(&town.amy, "POST", "/message/send", said).await;
    town.openim(AMY, BOB, 106, json!({ "text": "3", "atUserList": [bob] })).await;
    let message = json!({ "content": { "text": "4" }, "atUserIds": [bob] });
    let said = json!({ "fromUserId": AMY, "toUserId": BOB, "message": message });
    town.tenured("/v1/send_message", said).await;
    let message = json!({ "type": "TIMTextElem", "payload": { "text": "5" }, "conversationType": "C2C", "to": bob,
        "atUserList": [bob] });
    town.tim(&town.amy, "/message/sendMessage", json!({ "message": message })).await;
    let [tim, maxim, gobelieve] = town.bob_reads().await;
    assert_eq!((tim.len(), maxim.len(), gobelieve.len()), (5, 5, 5));
    for number in 0..5 {
        assert_eq!(tim[number]["atUserList"], json!([bob]), "tim: {}", tim[number]);
        assert_eq!(maxim[number]["config"], config, "maxim: {}", maxim[number]);
        let text = format!(r#"{{"text":"{}","at":[1002]}}"#, number + 1);
        assert_eq!(gobelieve[number]["content"], text, "gobelieve: {}", gobelieve[number]);
    }
}

#[tokio::test]
async fn what_tenured_writes_all_can_read() {
    let town = Town::new().await;
    for (content, marker) in [
        (json!({ "text": "salut" }), "salut"),
        (json!({ "image": { "url": "https://x/p.png" } }), "https://x/p.png"),
        (json!({ "voice": { "url": "https://x/v.amr", "duration": 2.5 } }), "https://x/v.amr"),
        (json!({ "video": { "url": "https://x/v.mp4" } }), "https://x/v.mp4"),
        (json!({ "file": { "url": "https://x/f.pdf", "name": "f" } }), "https://x/f.pdf"),
        (json!({ "location": { "latitude": 1.5, "longitude": 2.5, "address": "there" } }), "there"),
        (json!({ "face": { "index": "7", "data": "smile" } }), "7"),
        (json!({ "custom": { "data": "own-data" } }), "own-data"),
        (json!({ "command": "own-command" }), "own-command"),
        (json!({ "forward": { "title": "passed on", "messages": [] } }), "passed on"),
    ] {
        let said = json!({ "fromUserId": AMY, "toUserId": BOB, "message": { "content": content } });
        town.tenured("/v1/send_message", said).await;
        for messages in town.bob_reads().await {
            let newest = messages.last().unwrap().to_string();
            assert!(newest.contains(marker), "{marker} is not in {newest}");
        }
    }
}
