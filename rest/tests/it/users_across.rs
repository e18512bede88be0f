//! One user in five dialects: who comes, changes or goes in one of them does so in all.

use crate::world::{ADMIN, SECRET, World, basic};
use serde_json::{Value, json};

/// An app with an administrator, and Amy, who registered in tim: her uid and her login name are `amy`.
struct Town {
    world: World,
    admin: String,
    amy: String,
    amy_number: u64,
    sign: String,
}

impl Town {
    async fn new() -> Self {
        let world = World::new().await;
        let [admin] = world.register([ADMIN]).await;
        let body = json!({ "email": "amy@x.org", "username": "amy", "password": "pw" }).to_string();
        let amy = text(&world.call("POST", "/register", &[], body).await.json()["data"]["token"]);
        let own = world.call("GET", "/user/profile", &[("access-token", &amy)], "").await.json();
        let (amy_number, sign) = (own["data"]["user_id"].as_u64().unwrap(), world.sign().await);
        Self { world, admin, amy, amy_number, sign }
    }

    async fn maxim(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Value {
        let answer = self.world.call(method, path, headers, body.to_string()).await.json();
        assert_eq!(answer["code"], 200, "{path}: {answer}");
        answer["data"].clone()
    }

    /// What maxim's administrator does as Amy.
    async fn as_amy(&self, method: &str, path: &str, body: Value) -> Value {
        let number = self.amy_number.to_string();
        self.maxim(method, path, &[("access-token", &self.admin), ("user_id", &number)], body).await
    }

    async fn tenured(&self, path: &str, body: Value) -> Value {
        let path = format!("{path}?appId=demo&sign={}", self.sign);
        let answer = self.world.call("POST", &path, &[], body.to_string()).await.json();
        assert_eq!(answer["error"], "0000", "{path}: {answer}");
        answer["data"].as_str().map_or(Value::Null, |data| serde_json::from_str(data).unwrap())
    }

    /// What each dialect calls Amy, to show; `None` where she does not exist.
    async fn names(&self) -> [(&'static str, Option<String>); 4] {
        let admin = [("token", self.admin.as_str())];
        let openim = json!({ "operationID": "1", "uidList": ["amy"] }).to_string();
        let openim = self.world.call("POST", "/user/get_user_info", &admin, openim).await.json();
        let tim = json!({ "user_id": ["amy"] }).to_string();
        let tim = self.world.call("POST", "/user/getUserProfile", &admin, tim).await.json();
        let tenured = self.tenured("/v1/get_profile", json!({ "userIds": ["amy"] })).await;
        let number = self.amy_number.to_string();
        let headers = [("access-token", self.admin.as_str()), ("user_id", number.as_str())];
        let maxim = self.world.call("GET", "/user/profile", &headers, "").await.json();
        let shown = |value: &Value| value.as_str().map(str::to_owned);
        [
            ("openim", shown(&openim["data"][0]["name"])),
            ("tim", shown(&tim["data"][0]["userinfo"]["nick"])),
            ("tenured", shown(&tenured["users"][0]["userName"])),
            ("maxim", shown(&maxim["data"]["nick_name"])),
        ]
    }

    async fn all_say(&self, name: Option<&str>) {
        for (dialect, shown) in self.names().await {
            assert_eq!(shown.as_deref(), name, "{dialect}");
        }
    }

    async fn tim_logs_in(&self, username: &str, password: &str) -> u64 {
        let body = json!({ "username": username, "password": password }).to_string();
        self.world.call("POST", "/login", &[], body).await.json()["code"].as_u64().unwrap()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

#[tokio::test]
async fn a_name_that_changes_in_one_dialect_changes_in_all() {
    let town = Town::new().await;
    town.all_say(Some("amy")).await;
    town.as_amy("POST", "/user/nickname?nick_name=Maxim", json!({})).await;
    town.all_say(Some("Maxim")).await;
    town.tenured("/v1/set_profile", json!({ "userId": "amy", "userName": "Tenured" })).await;
    town.all_say(Some("Tenured")).await;
    let body = json!({ "nick": "Tim" }).to_string();
    town.world.call("POST", "/user/updateMyProfile", &[("token", &town.amy)], body).await;
    town.all_say(Some("Tim")).await;
    let body = json!({ "operationID": "1", "uid": "amy", "name": "Open" }).to_string();
    town.world.call("POST", "/user/update_user_info", &[("token", &town.admin)], body).await;
    town.all_say(Some("Open")).await;
}

#[tokio::test]
async fn logins_follow_the_name_and_the_password() {
    let town = Town::new().await;
    let amy = [("access-token", town.amy.as_str())];
    town.maxim("POST", "/user/username?username=amelia", &amy, json!({})).await;
    assert_eq!((town.tim_logs_in("amelia", "pw").await, town.tim_logs_in("amy", "pw").await), (0, 70101));
    let change = json!({ "old_password": "pw", "new_password": "better" });
    town.maxim("POST", "/user/change_password", &amy, change).await;
    assert_eq!((town.tim_logs_in("amelia", "better").await, town.tim_logs_in("amelia", "pw").await), (0, 70101));
    let old = town.world.call("POST", "/user/getMyProfile", &[("token", &town.amy)], "").await.json();
    assert_eq!(old["code"], 70003, "the token from before is void: {old}");
    // How friends are made is one setting, too.
    let change = json!({ "auth_mode": 3 });
    town.as_amy("PUT", "/user/settings", change).await;
    let body = json!({ "user_id": ["amy"] }).to_string();
    let seen = town.world.call("POST", "/user/getUserProfile", &[("token", &town.admin)], body).await.json();
    assert_eq!(seen["data"][0]["userinfo"]["allowType"], "AllowType_Type_DenyAny");
}

#[tokio::test]
async fn who_is_disabled_in_one_dialect_is_so_in_all() {
    let town = Town::new().await;
    let admin = [("access-token", town.admin.as_str())];
    let list = json!({ "list": [town.amy_number] });
    town.maxim("PUT", "/user/disable", &admin, list.clone()).await;
    assert_eq!(town.tim_logs_in("amy", "pw").await, 70103);
    let body = json!({ "secret": SECRET, "platform": 1, "uid": "amy" }).to_string();
    let openim = town.world.call("POST", "/auth/user_token", &[], body).await.json();
    assert_ne!(openim["errCode"], 0, "{openim}");
    town.maxim("PUT", "/user/enable", &admin, list).await;
    assert_eq!(town.tim_logs_in("amy", "pw").await, 0);
}

#[tokio::test]
async fn who_is_disabled_can_be_deleted_and_nothing_else_be_done_in_that_name() {
    let town = Town::new().await;
    let admin = [("access-token", town.admin.as_str())];
    town.maxim("PUT", "/user/disable", &admin, json!({ "list": [town.amy_number] })).await;
    let number = town.amy_number.to_string();
    let for_her = [("access-token", town.admin.as_str()), ("user_id", number.as_str())];
    let refused = town.world.call("GET", "/user/profile", &for_her, "").await.json();
    assert_ne!(refused["code"], 200, "{refused}");
    let herself = [("access-token", town.amy.as_str())];
    let refused = town.world.call("POST", "/user/delete", &herself, json!({ "password": "pw" }).to_string()).await;
    assert_ne!(refused.json()["code"], 200, "her own token is worth nothing");
    town.maxim("POST", "/user/delete", &for_her, json!({})).await;
    assert_eq!(town.tim_logs_in("amy", "pw").await, 70101);
}

#[tokio::test]
async fn who_is_deleted_in_one_dialect_is_gone_from_all() {
    let town = Town::new().await;
    let body = json!({ "operationID": "1", "deleteUidList": ["amy"] }).to_string();
    town.world.call("POST", "/manager/delete_user", &[("token", &town.admin)], body).await;
    town.all_say(None).await;
    assert_eq!(town.tim_logs_in("amy", "pw").await, 70101);
    let body = json!({ "email": "amy@x.org", "username": "amy", "password": "pw" }).to_string();
    let again = town.world.call("POST", "/register", &[], body).await.json();
    assert_eq!(again["code"], 0, "{again}");
    let token = text(&again["data"]["token"]);
    let own = town.world.call("GET", "/user/profile", &[("access-token", &token)], "").await.json();
    assert_ne!(own["data"]["user_id"], town.amy_number, "it is another Amy");
}

#[tokio::test]
async fn a_number_is_the_same_user_in_all_dialects() {
    let town = Town::new().await;
    let authorization = format!("Basic {}", basic(7, SECRET));
    let body = json!({ "uid": 1001, "user_name": "Eve" }).to_string();
    let granted = town.world.call("POST", "/auth/grant", &[("authorization", &authorization)], body).await.json();
    let token = text(&granted["data"]["token"]);
    let own = town.maxim("GET", "/user/profile", &[("access-token", &token)], json!({})).await;
    assert_eq!((&own["user_id"], &own["nick_name"]), (&json!(1001), &json!("Eve")));
    let told = town.tenured("/v1/get_profile", json!({ "userIds": ["1001"] })).await;
    assert_eq!((&told["users"][0]["cloudId"], &told["users"][0]["userName"]), (&json!(1001), &json!("Eve")));
    let body = json!({ "operationID": "1" }).to_string();
    let all = town.world.call("POST", "/manager/get_all_users_uid", &[("token", &town.admin)], body).await.json();
    let mut uids: Vec<&str> = all["uidList"].as_array().unwrap().iter().map(|uid| uid.as_str().unwrap()).collect();
    uids.sort_unstable();
    assert_eq!(uids, ["1001", "amy", ADMIN]);
}
