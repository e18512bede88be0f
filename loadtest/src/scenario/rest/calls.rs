//! The calls of the five dialects that an app server makes most, and how each tells success.

use bytes::Bytes;
use clap::ValueEnum;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::Access;
use super::http::Answer;
use crate::plan::credentials::User;

/// Whose API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Tenured.
    Tenured,
    /// The HTTP form of Tencent's messaging SDK.
    Tim,
    /// GoBelieve.
    Gobelieve,
    /// OpenIM.
    Openim,
    /// MaximTop.
    Maxim,
}

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) dialect: Dialect,
    /// For reports: the dialect, the method, and the path without what differs from call to call.
    pub(super) route: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    /// JSON.
    pub(super) body: Option<String>,
}

impl Call {
    pub(super) fn post(
        dialect: Dialect,
        route: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: &Value,
    ) -> Self {
        Self { dialect, route, method: Method::POST, path: path.to_owned(), headers, body: Some(body.to_string()) }
    }

    fn get(dialect: Dialect, route: &'static str, path: String, headers: Vec<(&'static str, String)>) -> Self {
        Self { dialect, route, method: Method::GET, path, headers, body: None }
    }
}

const TENURED_PROFILE: &str = "tenured POST /v1/get_profile";
const TENURED_SEND: &str = "tenured POST /v1/send_message";
const TIM_PROFILE: &str = "tim POST /user/getMyProfile";
const TIM_CREATE: &str = "tim POST /message/createMessage";
const TIM_SEND: &str = "tim POST /message/sendMessage";
const TIM_HISTORY: &str = "tim POST /message/getMessageList";
const GOBELIEVE_GRANT: &str = "gobelieve POST /auth/grant";
const GOBELIEVE_SEND: &str = "gobelieve POST /messages/peers";
const GOBELIEVE_HISTORY: &str = "gobelieve GET /messages";
const OPENIM_PROFILE: &str = "openim POST /user/get_user_info";
const OPENIM_SEND: &str = "openim POST /manager/send_msg";
const MAXIM_PROFILE: &str = "maxim GET /user/profile";
const MAXIM_SEND: &str = "maxim POST /message/send";
const MAXIM_HISTORY: &str = "maxim GET /message/conversation";

impl std::fmt::Display for Dialect {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Tenured => "tenured",
            Self::Tim => "tim",
            Self::Gobelieve => "gobelieve",
            Self::Openim => "openim",
            Self::Maxim => "maxim",
        })
    }
}

impl Dialect {
    pub(super) const ALL: [Self; 5] = [Self::Tenured, Self::Tim, Self::Gobelieve, Self::Openim, Self::Maxim];

    /// Everything that is called.
    pub(super) fn routes(self) -> &'static [&'static str] {
        match self {
            Self::Tenured => &[TENURED_PROFILE, TENURED_SEND],
            Self::Tim => &[TIM_PROFILE, TIM_CREATE, TIM_SEND, TIM_HISTORY],
            Self::Gobelieve => &[GOBELIEVE_GRANT, GOBELIEVE_SEND, GOBELIEVE_HISTORY],
            Self::Openim => &[OPENIM_PROFILE, OPENIM_SEND],
            Self::Maxim => &[MAXIM_PROFILE, MAXIM_SEND, MAXIM_HISTORY],
        }
    }

    /// Sends a text from one user to another; in tim, makes the message that [`tim_send`] sends.
    pub(super) fn send(self, access: &Access, from: &User, to: &User, text: &str) -> Call {
        match self {
            Self::Tenured => {
                let message = json!({"content": {"text": text}});
                let body = json!({"fromUserId": from.uid, "toUserId": to.uid, "message": message});
                Call::post(self, TENURED_SEND, "/v1/send_message", signed(access), &body)
            }
            Self::Tim => {
                let body = json!({
                    "to": to.uid, "conversationType": "C2C", "priority": "Normal", "payload": {"text": text},
                });
                Call::post(self, TIM_CREATE, "/message/createMessage", vec![("token", from.token.clone())], &body)
            }
            Self::Gobelieve => {
                let body = json!({"sender": from.id, "receiver": to.id, "content": text});
                Call::post(
                    self,
                    GOBELIEVE_SEND,
                    "/messages/peers",
                    vec![("authorization", access.basic.clone())],
                    &body,
                )
            }
            Self::Openim => {
                let body = json!({
                    "operationID": "load", "sendID": from.uid, "recvID": to.uid, "content": {"text": text},
                    "contentType": 101, "sessionType": 1,
                });
                Call::post(self, OPENIM_SEND, "/manager/send_msg", vec![("token", access.admin.clone())], &body)
            }
            Self::Maxim => {
                let body = json!({"type": 1, "targets": [to.id], "content_type": 0, "content": text});
                Call::post(self, MAXIM_SEND, "/message/send", as_user(access, from), &body)
            }
        }
    }

    /// Reads who a user is; in gobelieve, gets the user's token, which is the read that it has.
    pub(super) fn profile(self, access: &Access, user: &User) -> Call {
        match self {
            Self::Tenured => {
                let body = json!({"userIds": [user.uid]});
                Call::post(self, TENURED_PROFILE, "/v1/get_profile", signed(access), &body)
            }
            Self::Tim => {
                Call::post(self, TIM_PROFILE, "/user/getMyProfile", vec![("token", user.token.clone())], &json!({}))
            }
            Self::Gobelieve => {
                let headers = vec![("authorization", access.basic.clone())];
                Call::post(self, GOBELIEVE_GRANT, "/auth/grant", headers, &json!({"uid": user.id}))
            }
            Self::Openim => {
                let body = json!({"operationID": "load", "uidList": [user.uid]});
                Call::post(self, OPENIM_PROFILE, "/user/get_user_info", vec![("token", access.admin.clone())], &body)
            }
            Self::Maxim => Call::get(self, MAXIM_PROFILE, "/user/profile".to_owned(), as_user(access, user)),
        }
    }

    /// Reads the newest of a conversation; in dialects without such a call, a profile.
    pub(super) fn history(self, access: &Access, user: &User, peer: &User) -> Call {
        match self {
            Self::Tenured | Self::Openim => self.profile(access, user),
            Self::Tim => {
                let body = json!({"conversationID": format!("C2C{}", peer.uid)});
                Call::post(self, TIM_HISTORY, "/message/getMessageList", vec![("token", user.token.clone())], &body)
            }
            Self::Gobelieve => {
                let headers = vec![("authorization", format!("Bearer {}", user.token))];
                Call::get(self, GOBELIEVE_HISTORY, "/messages".to_owned(), headers)
            }
            Self::Maxim => {
                let path = format!("/message/conversation?opposite_id={}", peer.id);
                Call::get(self, MAXIM_HISTORY, path, as_user(access, user))
            }
        }
    }

    /// Whether an answer tells success; if not, what it tells, without words that differ from call to call.
    pub(super) fn judge(self, answer: &Answer) -> Result<(), String> {
        #[derive(Debug, Default, Deserialize)]
        struct Envelope {
            code: Option<i64>,
            #[serde(rename = "errCode")]
            err_code: Option<i64>,
            error: Option<String>,
            meta: Option<Meta>,
        }
        #[derive(Debug, Deserialize)]
        struct Meta {
            code: i64,
        }
        let status = answer.status.as_u16();
        let said: Envelope = if answer.body.is_empty() {
            Envelope::default()
        } else {
            serde_json::from_slice(&answer.body).map_err(|_| format!("status {status}, not in its own JSON"))?
        };
        let (succeeded, code) = match self {
            Self::Tenured => (said.error.as_deref() == Some("0000"), said.error),
            Self::Tim => (said.code == Some(0), said.code.map(|code| code.to_string())),
            Self::Gobelieve => {
                let code = said.meta.map(|meta| meta.code);
                (code.is_none_or(|code| code == 200), code.map(|code| code.to_string()))
            }
            Self::Openim => (said.err_code == Some(0), said.err_code.map(|code| code.to_string())),
            Self::Maxim => (said.code == Some(200), said.code.map(|code| code.to_string())),
        };
        if succeeded && status == 200 {
            return Ok(());
        }
        Err(format!("status {status}, code {}", code.as_deref().unwrap_or("none")))
    }
}

/// Sends what tim's `createMessage` has answered, whose envelope holds the message.
pub(super) fn tim_send(from: &User, created: &Bytes) -> Call {
    let answer: Value = serde_json::from_slice(created).unwrap_or_default();
    let body = json!({"message": answer["data"]});
    Call::post(Dialect::Tim, TIM_SEND, "/message/sendMessage", vec![("token", from.token.clone())], &body)
}

fn signed(access: &Access) -> Vec<(&'static str, String)> {
    vec![("appId", access.app.clone()), ("sign", access.sign.clone())]
}

fn as_user(access: &Access, user: &User) -> Vec<(&'static str, String)> {
    vec![("app_id", access.app.clone()), ("access-token", user.token.clone())]
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn each_dialect_says_success_in_its_own_way() {
        let judged = |dialect: Dialect, status: u16, body: &'static str| {
            dialect.judge(&Answer { status: StatusCode::from_u16(status).unwrap(), body: Bytes::from(body) })
        };
        for (dialect, good, bad, code) in [
            (Dialect::Tenured, r#"{"error":"0000","data":null}"#, r#"{"error":"3001"}"#, "3001"),
            (Dialect::Tim, r#"{"code":0,"msg":"","data":{}}"#, r#"{"code":70003}"#, "70003"),
            (Dialect::Gobelieve, "", r#"{"meta":{"code":400,"message":"no"}}"#, "400"),
            (Dialect::Openim, r#"{"errCode":0}"#, r#"{"errCode":429}"#, "429"),
            (Dialect::Maxim, r#"{"code":200,"data":1}"#, r#"{"code":10003}"#, "10003"),
        ] {
            assert_eq!(judged(dialect, 200, good), Ok(()), "{dialect}");
            assert_eq!(judged(dialect, 200, bad), Err(format!("status 200, code {code}")), "{dialect}");
            assert!(judged(dialect, 503, good).is_err(), "{dialect}");
            assert!(judged(dialect, 200, "<html>").unwrap_err().contains("JSON"), "{dialect}");
        }
    }
}
