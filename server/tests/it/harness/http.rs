//! App servers: what they ask of the REST service, as each of the five systems' own would.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

/// An answer: its status and its body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// The part of the body at a JSON pointer, which must be there.
    pub(crate) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", self.text)).clone()
    }

    /// As [`Self::at`], for a text.
    pub(crate) fn text_at(&self, pointer: &str) -> String {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("{pointer} is no text in {}", self.text)).to_owned()
    }
}

/// An app's server.
pub(crate) struct AppServer {
    agent: Agent,
    base: String,
}

impl AppServer {
    /// `base` is the service's address, as `http://127.0.0.1:8080`.
    pub(crate) fn new(base: impl Into<String>) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30)));
        Self { agent: config.build().into(), base: base.into() }
    }

    /// A call with a JSON body.
    ///
    /// # Errors
    /// If there is no answer, so that nobody knows what became of it.
    pub(crate) fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<Answer, ureq::Error> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send_json(body)?;
        Ok(Answer { status: response.status().as_u16(), text: response.body_mut().read_to_string()? })
    }

    /// As [`Self::try_post`]; there has to be an answer.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.try_post(path, headers, body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The bytes that a call leads to, over redirections.
    pub(crate) fn fetch(&self, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.call().unwrap_or_else(|error| panic!("{path}: {error}"));
        response.body_mut().read_to_vec().unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A call without a body; there has to be an answer.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.try_get(path, headers).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A call without a body.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn try_get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, ureq::Error> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.call()?;
        Ok(Answer { status: response.status().as_u16(), text: response.body_mut().read_to_string()? })
    }
}

/// The app that the tests act for.
pub(crate) struct App {
    pub(crate) id: &'static str,
    pub(crate) number: &'static str,
    pub(crate) key: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) admin: &'static str,
}

pub(crate) const SHOP: App =
    App { id: "shop", number: "7", key: "shop-key", secret: "shop-secret-of-some-length", admin: "boss" };

/// Whose API a user was registered through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Tenured,
    Tim,
    Gobelieve,
    Openim,
    Maxim,
}

pub(crate) const DIALECTS: [Dialect; 5] =
    [Dialect::Tenured, Dialect::Tim, Dialect::Gobelieve, Dialect::Openim, Dialect::Maxim];

/// A registered user.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) dialect: Dialect,
    /// What string dialects call the user.
    pub(crate) uid: String,
    /// A token of the dialect's, good on any platform.
    pub(crate) token: String,
    /// What integer dialects call the user; known after the first login.
    pub(crate) id: u64,
}

/// A group, by what each dialect calls it.
#[derive(Debug, Clone)]
pub(crate) struct Club {
    pub(crate) gid: String,
    pub(crate) id: u64,
}

impl App {
    /// Basic authorization of gobelieve: the number and the MD5 of the secret.
    pub(crate) fn basic(&self) -> String {
        use base64::Engine;
        use md5::Digest;
        let md5 = hex::encode(md5::Md5::digest(self.secret));
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{}:{md5}", self.number)))
    }

    /// The token of the app's administrator, made by openim's API.
    pub(crate) fn admin_token(&self, server: &AppServer) -> String {
        let body = json!({"secret": self.secret, "platform": 7, "uid": self.admin, "name": "Boss"});
        server.post("/auth/user_register", &[], &body).text_at("/data/token")
    }

    /// Registers a user as the dialect's own app server would.
    pub(crate) fn register(&self, server: &AppServer, dialect: Dialect) -> Person {
        let (uid, token) = match dialect {
            Dialect::Tenured => {
                let sign = server.post("/v1/build_token", &[], &json!({"appId": self.id, "private": self.secret}));
                assert_eq!(sign.text_at("/error"), "0000", "{}", sign.text);
                let data: Value = serde_json::from_str(&sign.text_at("/data")).expect("data is JSON in a string");
                let sign = data["sign"].as_str().expect("a sign").to_owned();
                let path = format!("/v1/build_account?appId={}&sign={sign}", self.id);
                let account = json!({"id": "crm-1", "userId": "tessa", "userName": "Tessa", "sex": 2});
                let made = server.post(&path, &[], &account);
                assert_eq!(made.text_at("/error"), "0000", "{}", made.text);
                // tenured has no user tokens of its own: its users log in with one that another dialect issues.
                ("tessa".to_owned(), self.openim_token(server, "tessa"))
            }
            Dialect::Tim => {
                let body = json!({"username": "timo", "password": "timo-password", "email": "timo@example.com"});
                let made = server.post("/register", &[("app_id", self.id)], &body);
                assert_eq!(made.at("/code"), 0, "{}", made.text);
                (made.text_at("/data/userinfo/userID"), made.text_at("/data/token"))
            }
            Dialect::Gobelieve => {
                let body = json!({"uid": 1001, "user_name": "Gob"});
                let granted = server.post("/auth/grant", &[("authorization", &self.basic())], &body);
                ("1001".to_owned(), granted.text_at("/data/token"))
            }
            Dialect::Openim => {
                let body = json!({"secret": self.secret, "platform": 1, "uid": "olga", "name": "Olga"});
                let made = server.post("/auth/user_register", &[], &body);
                assert_eq!(made.at("/errCode"), 0, "{}", made.text);
                ("olga".to_owned(), self.openim_token(server, "olga"))
            }
            Dialect::Maxim => {
                let headers = [("app_id", self.id)];
                let body = json!({"username": "mara", "password": "mara-password"});
                let made = server.post("/user/register/v2", &headers, &body);
                assert_eq!(made.at("/code"), 200, "{}", made.text);
                let body = json!({"name": "mara", "password": "mara-password"});
                let token = server.post("/token/user", &headers, &body);
                (made.at("/data/user_id").to_string(), token.text_at("/data/token"))
            }
        };
        Person { dialect, uid, token, id: 0 }
    }

    fn openim_token(&self, server: &AppServer, uid: &str) -> String {
        let body = json!({"secret": self.secret, "platform": 8, "uid": uid});
        server.post("/auth/user_token", &[], &body).text_at("/data/token")
    }

    /// Sends a text by the API of the sender's dialect.
    pub(crate) fn send(&self, server: &AppServer, admin: &str, from: &Person, to: &Person, text: &str) {
        let to = Target { name: &to.uid, id: to.id, openim: 1, tim: "C2C", gobelieve: "/messages/peers", maxim: 1 };
        self.say(server, admin, from, &to, text);
    }

    /// Sends a text to a group by the API of the sender's dialect.
    pub(crate) fn send_to_group(&self, server: &AppServer, admin: &str, from: &Person, to: &Club, text: &str) {
        let to = Target { name: &to.gid, id: to.id, openim: 2, tim: "GROUP", gobelieve: "/messages/groups", maxim: 2 };
        self.say(server, admin, from, &to, text);
    }

    fn say(&self, server: &AppServer, admin: &str, from: &Person, to: &Target<'_>, text: &str) {
        match from.dialect {
            // tenured sends nothing itself; its app server uses another dialect for that.
            Dialect::Tenured | Dialect::Openim => {
                let body = json!({
                    "operationID": "op", "sendID": from.uid, "recvID": to.name, "content": {"text": text},
                    "contentType": 101, "sessionType": to.openim,
                });
                let sent = server.post("/manager/send_msg", &[("token", admin)], &body);
                assert_eq!(sent.at("/errCode"), 0, "{}", sent.text);
            }
            Dialect::Tim => {
                let headers = [("token", from.token.as_str())];
                let body =
                    json!({"to": to.name, "conversationType": to.tim, "priority": "Normal", "payload": {"text": text}});
                let made = server.post("/message/createMessage", &headers, &body);
                assert_eq!(made.at("/code"), 0, "{}", made.text);
                let sent = server.post("/message/sendMessage", &headers, &json!({"message": made.at("/data")}));
                assert_eq!(sent.at("/code"), 0, "{}", sent.text);
            }
            Dialect::Gobelieve => {
                let body = json!({"sender": from.id, "receiver": to.id, "content": json!({"text": text}).to_string()});
                let sent = server.post(to.gobelieve, &[("authorization", &self.basic())], &body);
                assert_eq!(sent.status, 200, "{}", sent.text);
            }
            Dialect::Maxim => {
                let headers = [("app_id", self.id), ("access-token", from.token.as_str())];
                let body = json!({"type": to.maxim, "targets": [to.id], "content_type": 0, "content": text});
                let sent = server.post("/message/send", &headers, &body);
                assert_eq!(sent.at("/code"), 200, "{}", sent.text);
            }
        }
    }
}

/// Whom a text is for, and how the dialects say that it is a person or a group.
struct Target<'a> {
    name: &'a str,
    id: u64,
    openim: u8,
    tim: &'static str,
    gobelieve: &'static str,
    maxim: u8,
}
