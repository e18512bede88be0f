//! One store, five dialects: what an app server writes in one, clients read in the others, whatever its kind.

use crate::world::{ADMIN, SECRET, World, basic};
use serde_json::{Value, json};

const AMY: u64 = 1001;
const BOB: u64 = 1002;

struct Town {
    world: World,
    admin: String,
    bob: String,
}

impl Town {
    async fn new() -> Self {
        let world = World::new().await;
        let [admin, _, bob] = world.register([ADMIN, &AMY.to_string(), &BOB.to_string()]).await;
        Self { world, admin, bob }
    }

    async fn openim_sends(&self, content_type: i32, content: Value) {
        let body = json!({
            "operationID": "1", "sendID": AMY.to_string(), "recvID": BOB.to_string(),
            "content": content, "contentType": content_type, "sessionType": 1,
        });
        let answer = self.world.call("POST", "/manager/send_msg", &[("token", &self.admin)], body.to_string()).await;
        assert_eq!(answer.json()["errCode"], 0, "{}", answer.text);
    }

    async fn gobelieve_sends(&self, content: &str) {
        let authorization = format!("Basic {}", basic(7, SECRET));
        let body = json!({ "sender": AMY, "receiver": BOB, "content": content }).to_string();
        let answer = self.world.call("POST", "/messages/peers", &[("authorization", &authorization)], body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    }

    /// The newest message that Bob sees, in each dialect that shows messages.
    async fn bob_reads(&self) -> [(&'static str, Value); 3] {
        let authorization = format!("Bearer {}", self.bob);
        let gobelieve = self.world.call("GET", "/messages", &[("authorization", &authorization)], "").await.json();
        let tim = json!({ "conversationID": format!("C2C{AMY}") }).to_string();
        let tim = self.world.call("POST", "/message/getMessageList", &[("token", &self.bob)], tim).await.json();
        let path = format!("/message/conversation?opposite_id={AMY}");
        let maxim = self.world.call("GET", &path, &[("access-token", &self.bob)], "").await.json();
        let last = |value: &Value| value.as_array().and_then(|list| list.last()).cloned().unwrap_or_default();
        // maxim lists the newest first.
        let first = |value: &Value| value.as_array().and_then(|list| list.first()).cloned().unwrap_or_default();
        [
            ("gobelieve", last(&gobelieve["data"])),
            ("tim", last(&tim["data"])),
            ("maxim", first(&maxim["data"]["messages"])),
        ]
    }
}

async fn everyone_sees(town: &Town, marker: &str) {
    for (dialect, message) in town.bob_reads().await {
        assert!(message.to_string().contains(marker), "{dialect} does not show {marker}: {message}");
    }
}

#[tokio::test]
async fn what_openim_writes_all_can_read() {
    let town = Town::new().await;
    for (content_type, content, marker) in [
        (101, json!({ "text": "nihao" }), "nihao"),
        (102, json!({ "sourcePicture": { "url": "https://x/p.png", "width": 3, "height": 4 } }), "https://x/p.png"),
        (103, json!({ "sourceUrl": "https://x/s.amr", "duration": 3 }), "https://x/s.amr"),
        (104, json!({ "videoUrl": "https://x/v.mp4", "duration": 3 }), "https://x/v.mp4"),
        (105, json!({ "sourceUrl": "https://x/f.pdf", "fileName": "f.pdf" }), "https://x/f.pdf"),
        (110, json!({ "data": "custom-data", "description": "custom-data", "extension": "" }), "custom-data"),
    ] {
        town.openim_sends(content_type, content).await;
        everyone_sees(&town, marker).await;
    }
}

#[tokio::test]
async fn what_gobelieve_writes_all_can_read() {
    let town = Town::new().await;
    for (content, marker) in [
        (r#"{"text":"salut"}"#, "salut"),
        (r#"{"image":"https://x/old.png"}"#, "https://x/old.png"),
        (r#"{"image2":{"url":"https://x/new.png","width":1,"height":2}}"#, "https://x/new.png"),
        (r#"{"audio":{"url":"https://x/a.amr","duration":2}}"#, "https://x/a.amr"),
        (r#"{"file":{"url":"https://x/f.pdf","filename":"f.pdf","size":3}}"#, "https://x/f.pdf"),
        ("plain words", "plain words"),
    ] {
        town.gobelieve_sends(content).await;
        everyone_sees(&town, marker).await;
    }
}

#[tokio::test]
async fn one_person_is_one_user_everywhere() {
    let town = Town::new().await;
    town.openim_sends(101, json!({ "text": "one" })).await;
    let [(_, gobelieve), (_, tim), (_, maxim)] = town.bob_reads().await;
    assert_eq!((&gobelieve["sender"], &gobelieve["receiver"]), (&json!(AMY), &json!(BOB)));
    assert!(tim.to_string().contains(&format!("\"from\":\"{AMY}\"")), "{tim}");
    assert!(maxim.to_string().contains(&AMY.to_string()), "{maxim}");
    // The sign-in of one dialect is the user of another.
    let authorization = format!("Basic {}", basic(7, SECRET));
    let body = json!({ "uid": BOB }).to_string();
    let granted = town.world.call("POST", "/auth/grant", &[("authorization", &authorization)], body).await.json();
    let bearer = format!("Bearer {}", granted["data"]["token"].as_str().unwrap());
    let rows = town.world.call("GET", "/messages", &[("authorization", &bearer)], "").await.json();
    assert_eq!(rows["data"].as_array().unwrap().len(), 1);
}
