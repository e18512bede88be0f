//! One roster, five dialects: who is blocked or a friend in one is so in the others.

use serde_json::{Value, json};

use crate::world::{ADMIN, SECRET, World, basic};

const AMY: u64 = 1001;
const BOB: u64 = 1002;

struct Town {
    world: World,
    admin: String,
    /// Bob's token, good in every dialect.
    bob: String,
    sign: String,
}

impl Town {
    async fn new() -> Self {
        let world = World::new().await;
        let [admin, _, bob] = world.register([ADMIN, &AMY.to_string(), &BOB.to_string()]).await;
        let sign = world.sign().await;
        Self { world, admin, bob, sign }
    }

    async fn tim(&self, path: &str, body: Value) -> Value {
        self.world.call("POST", path, &[("token", &self.bob)], body.to_string()).await.json()
    }

    async fn maxim(&self, method: &str, path: &str, body: Value) -> Value {
        let headers = [("app_id", "demo"), ("access-token", self.bob.as_str())];
        self.world.call(method, path, &headers, body.to_string()).await.json()
    }

    async fn openim(&self, path: &str, body: Value) -> Value {
        self.world.call("POST", path, &[("token", &self.admin)], body.to_string()).await.json()
    }

    /// What `data` holds.
    async fn tenured(&self, path: &str, body: Value) -> Value {
        let path = format!("{path}?appId=demo&sign={}", self.sign);
        let answer = self.world.call("POST", &path, &[], body.to_string()).await.json();
        assert_eq!(answer["error"], "0000", "{answer}");
        answer["data"].as_str().map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
    }

    async fn gobelieve(&self, path: &str, body: Value) -> u16 {
        let authorization = format!("Basic {}", basic(7, SECRET));
        self.world.call("POST", path, &[("authorization", &authorization)], body.to_string()).await.status
    }

    /// Whether each dialect says that Bob has blocked Amy.
    async fn blocked(&self) -> [(&'static str, bool); 6] {
        let tim = self.tim("/user/getBlacklist", json!({})).await;
        let maxim = self.maxim("GET", "/roster/blocked_list", json!({})).await;
        let may = self.maxim("GET", &format!("/roster/may_message?roster_id={BOB}&user_id={AMY}"), json!({})).await;
        let tenured = self.tenured("/v1/get_blacklist", json!({ "userId": BOB.to_string() })).await;
        let message = json!({ "sender": AMY, "receiver": BOB, "content": "{\"text\":\"hi\"}" });
        let gobelieve = self.gobelieve("/messages/peers", message).await;
        let message = json!({
            "operationID": "1", "sendID": AMY.to_string(), "recvID": BOB.to_string(),
            "content": { "text": "hi" }, "contentType": 101, "sessionType": 1,
        });
        let openim = self.openim("/manager/send_msg", message).await;
        [
            ("tim", tim["data"] == json!([AMY.to_string()])),
            ("maxim", maxim["data"] == json!([AMY])),
            ("maxim's may_message", may["data"] == json!(false)),
            ("tenured", tenured["friendIds"] == json!([AMY.to_string()])),
            ("gobelieve", gobelieve == 400),
            ("openim", openim["errCode"] != json!(0)),
        ]
    }

    async fn all_say(&self, blocked: bool, after: &str) {
        for (dialect, says) in self.blocked().await {
            assert_eq!(says, blocked, "{dialect} after {after}");
        }
    }

    /// Whether each dialect that tells of friends says that Bob and Amy are.
    async fn all_say_friends(&self, friends: bool, after: &str) {
        let maxim = self.maxim("GET", "/roster/list", json!({})).await;
        let named = json!({ "userId": BOB.to_string(), "friendIds": [AMY.to_string()] });
        let tenured = self.tenured("/v1/get_friend", named).await;
        assert_eq!(maxim["data"] == json!([AMY]), friends, "maxim after {after}");
        assert_eq!(tenured["friends"].as_array().is_some_and(|list| list.len() == 1), friends, "tenured after {after}");
    }
}

#[tokio::test]
async fn who_is_blocked_in_one_dialect_is_blocked_in_all() {
    let town = Town::new().await;
    town.all_say(false, "nothing").await;
    let (amy, bob) = (AMY.to_string(), BOB.to_string());

    town.tim("/user/addToBlacklist", json!({ "userIDList": [amy] })).await;
    town.all_say(true, "tim's addToBlacklist").await;
    town.maxim("DELETE", &format!("/roster/unblock?user_id={AMY}"), json!({})).await;
    town.all_say(false, "maxim's unblock").await;
    town.openim("/friend/add_blacklist", json!({ "operationID": "1", "uid": amy, "ownerUid": bob })).await;
    town.all_say(true, "openim's add_blacklist").await;
    town.tenured("/v1/delete_blacklist", json!({ "userId": bob, "friendIds": [amy] })).await;
    town.all_say(false, "tenured's delete_blacklist").await;
    town.maxim("POST", &format!("/roster/block?user_id={AMY}"), json!({})).await;
    town.all_say(true, "maxim's block").await;
    town.tim("/user/removeFromBlacklist", json!({ "userIDList": [amy] })).await;
    town.all_say(false, "tim's removeFromBlacklist").await;
    town.tenured("/v1/add_blacklist", json!({ "userId": bob, "friendIds": [amy] })).await;
    town.all_say(true, "tenured's add_blacklist").await;
}

#[tokio::test]
async fn who_is_a_friend_in_one_dialect_is_a_friend_in_all() {
    let town = Town::new().await;
    let (amy, bob) = (AMY.to_string(), BOB.to_string());
    town.all_say_friends(false, "nothing").await;
    town.openim("/friend/import_friend", json!({ "operationID": "1", "uidList": [amy], "ownerUid": bob })).await;
    town.all_say_friends(true, "openim's import_friend").await;
    let note = json!({ "userId": bob, "friends": [{ "friendId": amy, "remark": "Amelia" }] });
    town.tenured("/v1/update_friend", note).await;
    let seen = town.maxim("GET", &format!("/roster/id?user_id={AMY}"), json!({})).await;
    assert_eq!((&seen["data"]["alias"], &seen["data"]["relation"]), (&json!("Amelia"), &json!(0)));
    town.maxim("POST", &format!("/roster/delete?user_id={AMY}"), json!({})).await;
    town.all_say_friends(false, "maxim's delete").await;
    town.tenured("/v1/add_friend", json!({ "userId": bob, "friends": [{ "friendId": amy }] })).await;
    town.all_say_friends(true, "tenured's add_friend").await;
    town.tim("/user/addToBlacklist", json!({ "userIDList": [amy] })).await;
    town.all_say_friends(false, "tim's addToBlacklist, which ends friendships").await;
    town.tim("/user/removeFromBlacklist", json!({ "userIDList": [amy] })).await;
    town.maxim("POST", "/roster/apply", json!({ "user_id": AMY })).await;
    town.all_say_friends(true, "maxim's apply").await;
}

#[tokio::test]
async fn whom_one_does_not_want_to_hear_is_quiet_in_all() {
    let town = Town::new().await;
    town.maxim("POST", "/roster/apply", json!({ "user_id": AMY })).await;
    let quiet = json!({ "do_not_disturb": { "peer_uid": AMY, "on": true } });
    assert_eq!(town.gobelieve(&format!("/users/{BOB}"), quiet).await, 200);
    let seen = town.maxim("GET", &format!("/roster/id?user_id={AMY}"), json!({})).await;
    assert_eq!(seen["data"]["mute_notification"], json!(true));
    town.gobelieve("/messages/peers", json!({ "sender": AMY, "receiver": BOB, "content": "hi" })).await;
    let id = json!({ "conversationID": format!("C2C{AMY}") });
    let profile = town.tim("/conversation/getConversationProfile", id.clone()).await;
    assert_eq!(profile["data"]["conversation"]["messageRemindType"], "AcceptNotNotify", "{profile}");
    let loud = json!({ "user_id": AMY, "mute_notification": false });
    town.maxim("PUT", "/roster/ext", loud).await;
    let profile = town.tim("/conversation/getConversationProfile", id).await;
    assert_eq!(profile["data"]["conversation"]["messageRemindType"], "AcceptAndNotify", "{profile}");
}
