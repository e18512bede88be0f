//! What happens to a group in one dialect, as the clients of the others are told.

use serde_json::{Value, json};

use crate::world::{SECRET, World, basic};

const OWNER: u64 = 1001;
const MEMBER: u64 = 1002;
const APPLICANT: u64 = 1003;

/// A public group that asks before it lets users in; its owner and a member of it, and somebody who is not in it.
struct Town {
    world: World,
    tokens: [String; 3],
    group: u64,
}

impl Town {
    async fn new() -> Self {
        let world = World::new().await;
        let tokens = world.register([&OWNER.to_string(), &MEMBER.to_string(), &APPLICANT.to_string()]).await;
        let body = json!({ "name": "g", "type": "Public", "joinOption": "NeedPermission", "groupID": "77",
            "memberList": [{ "userID": MEMBER.to_string() }] });
        let answer = world.call("POST", "/group/createGroup", &[("token", &tokens[0])], body.to_string()).await.json();
        assert_eq!(answer["code"], 0, "{answer}");
        Self { world, tokens, group: 77 }
    }

    fn token(&self, user: u64) -> &str {
        &self.tokens[usize::try_from(user - OWNER).unwrap()]
    }

    async fn tim(&self, user: u64, method: &str, body: Value) -> Value {
        let path = format!("/{method}");
        let answer = self.world.call("POST", &path, &[("token", self.token(user))], body.to_string()).await.json();
        assert_eq!(answer["code"], 0, "{method}: {answer}");
        answer["data"].clone()
    }

    async fn maxim(&self, user: u64, method: &str, path: &str, body: Value) -> Value {
        let headers = [("app_id", "demo"), ("access-token", self.token(user))];
        let answer = self.world.call(method, path, &headers, body.to_string()).await.json();
        assert_eq!(answer["code"], 200, "{path}: {answer}");
        answer["data"].clone()
    }

    /// The newest notification of the group that gobelieve's clients get.
    async fn gobelieve(&self, user: u64) -> Value {
        let authorization = format!("Bearer {}", self.token(user));
        let rows = self.world.call("GET", "/messages", &[("authorization", &authorization)], "").await.json();
        let newest = rows["data"].as_array().unwrap().iter().rfind(|row| row["command"] == 7).unwrap().clone();
        assert_eq!(newest["receiver"], self.group);
        serde_json::from_str(newest["content"].as_str().unwrap()).unwrap()
    }

    /// The newest message of a conversation that tim's clients see.
    async fn newest(&self, user: u64, conversation: &str) -> Value {
        let list = self.tim(user, "message/getMessageList", json!({ "conversationID": conversation })).await;
        list.as_array().unwrap().last().unwrap()["message"].clone()
    }
}

#[tokio::test]
async fn who_applies_in_one_dialect_is_let_in_by_another() {
    let town = Town::new().await;
    let apply = json!({ "group_id": 77, "reason": "please" });
    town.maxim(APPLICANT, "POST", "/group/apply", apply).await;
    let notice = town.newest(OWNER, "@TIM#SYSTEM").await;
    assert_eq!(notice["payload"]["operationType"], 1);
    assert_eq!(notice["payload"]["operatorID"], APPLICANT.to_string());
    assert_eq!(notice["payload"]["handleMessage"], "please");

    let answer = json!({ "handleAction": "Agree", "handleMessage": "welcome", "message": notice });
    town.tim(OWNER, "group/handleGroupApplication", answer).await;
    let joined = town.maxim(APPLICANT, "GET", "/group/announcement/list?group_id=77", json!({})).await;
    assert_eq!(joined, json!([]));
    let told = town.newest(APPLICANT, "@TIM#SYSTEM").await;
    assert_eq!((&told["payload"]["operationType"], &told["payload"]["handleMessage"]), (&json!(2), &json!("welcome")));
    let tip = town.newest(MEMBER, "GROUP77").await;
    assert_eq!(tip["payload"]["operationType"], 1);
    assert_eq!(tip["payload"]["userIDList"], json!([APPLICANT.to_string()]));
    let told = town.gobelieve(MEMBER).await;
    assert_eq!((&told["add_member"]["group_id"], &told["add_member"]["member_id"]), (&json!(77), &json!(APPLICANT)));
    assert_eq!(told["add_member"]["inviter"]["uid"], OWNER);
}

#[tokio::test]
async fn what_one_dialect_announces_all_show() {
    let town = Town::new().await;
    let told = json!({ "group_id": 77, "title": "t", "content": "from maxim" });
    town.maxim(OWNER, "POST", "/group/announcement/edit", told).await;
    let profile = town.tim(MEMBER, "group/searchGroupByID", json!({ "groupID": "77" })).await;
    assert_eq!(profile["group"]["notification"], "from maxim");
    assert_eq!(town.gobelieve(MEMBER).await["update_notice"]["notice"], "from maxim");
    let tip = town.newest(MEMBER, "GROUP77").await;
    assert_eq!(tip["payload"]["operationType"], 6);
    assert_eq!(tip["payload"]["newGroupProfile"], json!({ "notification": "from maxim" }));

    let change = json!({ "groupID": "77", "notification": "from tim" });
    town.tim(OWNER, "group/updateGroupProfile", change).await;
    let list = town.maxim(MEMBER, "GET", "/group/announcement/list?group_id=77", json!({})).await;
    let texts: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["content"].as_str().unwrap()).collect();
    assert_eq!(texts, ["from tim", "from maxim"]);
}

#[tokio::test]
async fn an_invitation_waits_for_consent_whoever_makes_it() {
    let town = Town::new().await;
    town.maxim(APPLICANT, "POST", "/user/settings", json!({ "user_id": APPLICANT, "group_confirm": true })).await;
    let invite = json!({ "group_id": 77, "user_list": [APPLICANT], "reason": "come" });
    town.maxim(OWNER, "POST", "/group/invite", invite).await;
    let notice = town.newest(APPLICANT, "@TIM#SYSTEM").await;
    assert_eq!((&notice["payload"]["operationType"], &notice["payload"]["operatorID"]), (&json!(12), &json!("1001")));
    let answer = json!({ "group_id": 77, "user_id": OWNER, "approval": true });
    town.maxim(APPLICANT, "POST", "/group/invite/handle", answer).await;
    assert_eq!(town.newest(OWNER, "@TIM#SYSTEM").await["payload"]["operationType"], 13);
    assert_eq!(town.gobelieve(MEMBER).await["add_member"]["inviter"]["uid"], OWNER);
}

#[tokio::test]
async fn a_room_is_one_room_in_every_dialect() {
    let town = Town::new().await;
    town.tim(OWNER, "group/createGroup", json!({ "name": "live", "type": "AVChatRoom", "groupID": "88" })).await;
    let body = json!({ "sender": MEMBER, "receiver": 88, "content": "hi" }).to_string();
    let authorization = format!("Basic {}", basic(7, SECRET));
    let answer = town.world.call("POST", "/messages/rooms", &[("authorization", &authorization)], body).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    // Nobody was made a member, and no other room was made.
    let found = town.world.domain.groups.find(&town.server().await, &domain::GroupRef::Gid("room:88".into())).await;
    assert!(found.is_err());
    let shown = town.tim(MEMBER, "group/joinGroup", json!({ "groupID": "88" })).await;
    assert_eq!((&shown["status"], &shown["group"]["memberCount"]), (&json!("JoinedSuccess"), &json!(0)));
}

impl Town {
    async fn server(&self) -> domain::Caller {
        self.world.domain.apps.operator(domain::AppNumber(7)).await.unwrap()
    }
}
