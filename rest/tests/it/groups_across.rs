//! One group in five dialects: what one changes of it and its members, the others show.

use serde_json::{Value, json};

use crate::world::{SECRET, World, basic};

const AMY: u64 = 1001;
const BOB: u64 = 1002;
const CAT: u64 = 1003;

/// Amy's group 77, with Bob in it; Cat is there and outside.
struct Town {
    world: World,
    tokens: [String; 3],
    sign: String,
}

impl Town {
    async fn new() -> Self {
        let world = World::new().await;
        let tokens = world.register([&AMY.to_string(), &BOB.to_string(), &CAT.to_string()]).await;
        let sign = world.sign().await;
        let town = Self { world, tokens, sign };
        let users = json!([BOB.to_string()]);
        let new = json!({ "groupId": "77", "ownerId": AMY.to_string(), "groupName": "g", "userIds": users });
        town.tenured("create_group", new).await;
        town
    }

    fn token(&self, user: u64) -> &str {
        &self.tokens[usize::try_from(user - AMY).unwrap()]
    }

    async fn tenured(&self, method: &str, body: Value) -> Value {
        let path = format!("/v1/{method}?appId=demo&sign={}", self.sign);
        let answer = self.world.call("POST", &path, &[], body.to_string()).await.json();
        assert_eq!(answer["error"], "0000", "{method}: {answer}");
        answer["data"].as_str().map_or(Value::Null, |data| serde_json::from_str(data).unwrap())
    }

    async fn maxim(&self, user: u64, method: &str, path: &str, body: Value) -> Value {
        let headers = [("app_id", "demo"), ("access-token", self.token(user))];
        let answer = self.world.call(method, path, &headers, body.to_string()).await.json();
        assert_eq!(answer["code"], 200, "{path}: {answer}");
        answer["data"].clone()
    }

    async fn tim(&self, user: u64, method: &str, body: Value) -> Value {
        let path = format!("/group/{method}");
        let answer = self.world.call("POST", &path, &[("token", self.token(user))], body.to_string()).await.json();
        assert_eq!(answer["code"], 0, "{method}: {answer}");
        answer["data"].clone()
    }

    async fn gobelieve(&self, method: &str, path: &str, body: Value) {
        let authorization = format!("Basic {}", basic(7, SECRET));
        let answer = self.world.call(method, path, &[("authorization", &authorization)], body.to_string()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }

    async fn openim(&self, user: u64, path: &str, body: Value) -> Value {
        let answer = self.world.call("POST", path, &[("token", self.token(user))], body.to_string()).await.json();
        assert_eq!(answer["errCode"], 0, "{path}: {answer}");
        answer["data"].clone()
    }

    /// Who is in the group, as each dialect that tells shows it to Amy.
    async fn members(&self) -> [(&'static str, Vec<u64>); 4] {
        let number = |id: &Value| id.as_u64().unwrap_or_else(|| id.as_str().unwrap().parse().unwrap());
        let numbers = |list: &Value, field: &str| -> Vec<u64> {
            list.as_array().unwrap().iter().map(|row| number(&row[field])).collect()
        };
        let tenured = self.tenured("get_group_member", json!({ "groupId": "77" })).await;
        let maxim = self.maxim(AMY, "GET", "/group/member_list?group_id=77", Value::Null).await;
        let tim = self.tim(AMY, "getGroupMemberList", json!({ "groupID": "77" })).await;
        let bearer = format!("Bearer {}", self.token(AMY));
        let path = "/client/groups?fields=members";
        let gobelieve = self.world.call("GET", path, &[("authorization", &bearer)], "").await.json();
        [
            ("tenured", numbers(&tenured["members"], "userId")),
            ("maxim", numbers(&maxim, "user_id")),
            ("tim", numbers(&tim["memberList"], "userID")),
            ("gobelieve", numbers(&gobelieve["data"][0]["members"], "uid")),
        ]
    }

    async fn everyone_sees(&self, expected: &[u64]) {
        for (dialect, members) in self.members().await {
            assert_eq!(members, expected, "{dialect}");
        }
    }

    /// Whether Bob's word is heard in the group.
    async fn bob_speaks(&self) -> bool {
        let headers = [("app_id", "demo"), ("access-token", self.token(BOB))];
        let body = json!({ "targets": [77], "type": 2, "content_type": 0, "content": "hi" }).to_string();
        self.world.call("POST", "/message/send", &headers, body).await.json()["code"] == 200
    }
}

#[tokio::test]
async fn who_comes_and_goes_does_so_everywhere() {
    let town = Town::new().await;
    town.everyone_sees(&[AMY, BOB]).await;
    let cat = json!({ "groupID": "77", "uidList": [CAT.to_string()], "reason": "r", "operationID": "1" });
    town.openim(AMY, "/group/invite_user_to_group", cat).await;
    town.everyone_sees(&[AMY, BOB, CAT]).await;
    town.gobelieve("DELETE", "/groups/77/members", json!([BOB])).await;
    town.everyone_sees(&[AMY, CAT]).await;
    town.maxim(CAT, "POST", "/group/leave?group_id=77", json!({})).await;
    town.everyone_sees(&[AMY]).await;
    town.tenured("add_group_member", json!({ "groupId": "77", "userIds": [BOB.to_string(), CAT.to_string()] })).await;
    town.tim(AMY, "deleteGroupMember", json!({ "groupID": "77", "userIDList": [CAT.to_string()] })).await;
    town.everyone_sees(&[AMY, BOB]).await;

    town.maxim(AMY, "POST", "/group/block", json!({ "group_id": 77, "user_list": [BOB] })).await;
    town.everyone_sees(&[AMY]).await;
    let bob = json!({ "groupID": "77", "uidList": [BOB.to_string()], "reason": "r", "operationID": "1" });
    let kept_out = town.openim(AMY, "/group/invite_user_to_group", bob).await;
    assert_eq!(kept_out[0]["result"], -1);
    let added = town.tenured("add_group_member", json!({ "groupId": "77", "userIds": [BOB.to_string()] })).await;
    assert_eq!(added["results"][0]["message"], "the group has blocked the user");
}

#[tokio::test]
async fn roles_and_owners_are_the_same_everywhere() {
    let town = Town::new().await;
    town.maxim(AMY, "POST", "/group/admin/add", json!({ "group_id": 77, "user_list": [BOB] })).await;
    let bob = json!({ "groupID": "77", "userIDList": [BOB.to_string()] });
    assert_eq!(town.tim(BOB, "getGroupMemberProfile", bob.clone()).await["memberList"][0]["role"], "Admin");
    let tenured = json!({ "groupId": "77", "userIds": [BOB.to_string()] });
    assert_eq!(town.tenured("get_group_member", tenured).await["members"][0]["role"], "admin");
    town.tim(AMY, "changeGroupOwner", json!({ "groupID": "77", "newOwnerID": BOB.to_string() })).await;
    assert_eq!(town.maxim(AMY, "GET", "/group/info?group_id=77", Value::Null).await["owner_id"], BOB);
    assert_eq!(town.tenured("get_group", json!({ "groupIds": ["77"] })).await["groups"][0]["ownerId"], BOB.to_string());
    assert!(town.maxim(AMY, "GET", "/group/admin_list?group_id=77", Value::Null).await.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn who_is_silent_is_so_everywhere() {
    let town = Town::new().await;
    assert!(town.bob_speaks().await);
    let silences = [
        ("PATCH", "/groups/77/members/1002", json!({ "mute": true })),
        ("PATCH", "/groups/77/members/1002", json!({ "mute": false })),
    ];
    let [(method, path, on), (_, _, off)] = silences;
    town.gobelieve(method, path, on).await;
    assert!(!town.bob_speaks().await);
    let banned = town.maxim(AMY, "GET", "/group/banned_list?group_id=77", Value::Null).await;
    assert_eq!((&banned[0]["user_id"], &banned[0]["expired_time"]), (&json!(BOB), &json!(-1)));
    town.gobelieve(method, path, off).await;
    assert!(town.bob_speaks().await);

    let all = json!({ "groupId": "77", "muteAll": true });
    town.tenured("update_group", all).await;
    assert!(!town.bob_speaks().await);
    assert_eq!(town.maxim(AMY, "GET", "/group/info?group_id=77", Value::Null).await["ban_expire_time"], -1);
    town.maxim(AMY, "POST", "/group/settings/unban_all", json!({ "group_id": 77 })).await;
    assert!(town.bob_speaks().await);
    let shown = town.tim(AMY, "getGroupProfile", json!({ "groupID": "77" })).await;
    assert_eq!(shown["group"]["muteAllMembers"], false);
}

#[tokio::test]
async fn texts_and_names_are_the_same_everywhere() {
    let town = Town::new().await;
    town.gobelieve("PATCH", "/groups/77", json!({ "name": "new", "notice": "hear" })).await;
    town.gobelieve("PATCH", "/groups/77/members/1002", json!({ "nickname": "Bobby" })).await;
    let tim = town.tim(BOB, "getGroupProfile", json!({ "groupID": "77" })).await["group"].clone();
    assert_eq!((&tim["name"], &tim["notification"]), (&json!("new"), &json!("hear")));
    assert_eq!(tim["selfInfo"]["nameCard"], "Bobby");
    let maxim = town.maxim(AMY, "GET", "/group/announcement/last?group_id=77", Value::Null).await;
    assert_eq!(maxim["content"], "hear");
    town.maxim(BOB, "POST", "/group/msg/mute_mode", json!({ "group_id": 77, "msg_mute_mode": 2 })).await;
    let tim = town.tim(BOB, "getGroupProfile", json!({ "groupID": "77" })).await;
    assert_eq!(tim["group"]["selfInfo"]["messageRemindType"], "Discard");
    let bearer = format!("Bearer {}", town.token(BOB));
    let quiet = town.world.call("GET", "/client/groups?fields=quiet", &[("authorization", &bearer)], "").await.json();
    assert_eq!(quiet["data"][0]["do_not_disturb"], true);
    // A super group is one everywhere.
    town.gobelieve("POST", "/groups/77/upgrade", Value::Null).await;
    assert_eq!(town.tenured("get_group", json!({ "groupIds": ["77"] })).await["groups"][0]["groupType"], "super");
    assert_eq!(town.tim(BOB, "getGroupProfile", json!({ "groupID": "77" })).await["group"]["type"], "Community");
}
