//! Paths beside the document that the system's clients call, as far as a message server can answer them: finding the server, free names,
//! handing a login over to another device, and accounts at WeChat. What needs short messages or pictures to be read is left out.

use domain::UserId;
use domain::record::Account;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::users::{check_username, mobile};
use super::{Maxim, Reply, u32_of};
use crate::context::{Anonymous, Cx};
use crate::input::{Json, Query};
use crate::lenient;
use crate::route::{GET, POST, Route, on, public};

/// Which app.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct DnsQuery {
    /// In the place of the header.
    #[serde(default)]
    app_id: Option<String>,
}

/// Where the servers are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dns {
    version: u32,
    dns_list: Vec<DnsGroup>,
    app_status: &'static str,
}

/// Servers of one importance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DnsGroup {
    /// 0: the first to be tried.
    group_level: u32,
    clusters: Vec<Cluster>,
}

/// Servers that belong together: this one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cluster {
    ratel: Vec<Host>,
    webim: Vec<Host>,
    rtc: Vec<Host>,
}

/// A server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Host {
    /// `http` or `https`.
    protocol: &'static str,
    host: String,
    ip_list: Vec<String>,
}

/// What clients may set themselves to: nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppConfig {}

/// A login name.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct NameQuery {
    username: String,
}

/// A text for another device.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct LeaveRequest {
    /// How long it waits, at most `handover_window`.
    #[serde(deserialize_with = "lenient::u64")]
    expire_seconds: u64,
    secret_text: String,
}

/// What the text is taken by.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Code {
    code: String,
}

/// What the text is taken by.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct CodeQuery {
    code: String,
}

/// The text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Secret {
    secret_text: String,
}

/// An account at WeChat.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct WechatRequest {
    open_id: String,
    /// 1 a mini program.
    #[serde(rename = "type", deserialize_with = "lenient::u64")]
    kind: u64,
}

/// The paths.
pub(super) fn routes() -> Vec<Route<Maxim>> {
    vec![
        public(GET, "/v2/app_dns", dns).says(
            "Tells where the servers are",
            "Beside the document. All are this one, under the name that the request was sent to, and `https` if a proxy says so.",
        ),
        public(GET, "/app/config", config).says("Tells what clients may set themselves to", "Beside the document. Nothing."),
        public(GET, "/app/user/name_check", check_name)
            .says("Tells whether a login name is free", "Beside the document. One that is taken is error 11011."),
        on(POST, "/app/secret_info", leave).says(
            "Leaves a text for another device",
            "Beside the document. The code is good once, for whoever has it: show it to nobody but the other device.",
        ),
        public(GET, "/app/secret_info", take)
            .says("Takes a text that another device left", "Beside the document. It is gone then."),
        on(POST, "/app/user/mobile_update", mobile)
            .says("Sets the mobile number", "Beside the document. As `/user/mobile`."),
        on(POST, "/app/wechat/bind", bind).says("Binds an account at WeChat", "Beside the document. As `/user/bind_openid`."),
        on(POST, "/app/wechat/unbind", unbind).says("Unbinds accounts at WeChat", "Beside the document. All that are bound."),
        on(GET, "/app/wechat/is_bind", is_bound)
            .says("Tells whether an account at WeChat is bound", "Beside the document."),
    ]
}

/// `GET /v2/app_dns`: where the servers are.
pub(crate) async fn dns(cx: Anonymous, Query(req): Query<DnsQuery>) -> Reply<Dns> {
    if let Some(app_id) = &req.app_id {
        cx.domain.apps.anonymous(app_id).await?;
    }
    let protocol = if cx.call.header("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    let host = cx.call.header("host").unwrap_or_default().to_owned();
    let here = vec![Host { protocol, host, ip_list: Vec::new() }];
    let cluster = Cluster { ratel: here.clone(), webim: here.clone(), rtc: here };
    Ok(Dns { version: 1, dns_list: vec![DnsGroup { group_level: 0, clusters: vec![cluster] }], app_status: "normal" })
}

/// `GET /app/config`: what clients may set themselves to.
pub(crate) async fn config(_: Anonymous, (): ()) -> Reply<AppConfig> {
    Ok(AppConfig {})
}

/// `GET /app/user/name_check`: whether a login name is free.
pub(crate) async fn check_name(cx: Anonymous, Query(req): Query<NameQuery>) -> Reply<bool> {
    check_username(&req.username)?;
    if cx.domain.users.is_username_free(&cx.nobody, &req.username).await? {
        return Ok(true);
    }
    Err(domain::Error::Exists(domain::Noun::Username).into())
}

/// `POST /app/secret_info`: leaves a text for another device.
pub(crate) async fn leave(cx: Cx, Json(req): Json<LeaveRequest>) -> Reply<Code> {
    let lifetime = std::time::Duration::from_secs(req.expire_seconds);
    Ok(Code { code: cx.domain.tokens.leave(&cx.caller, req.secret_text, lifetime).await? })
}

/// `GET /app/secret_info`: takes it.
pub(crate) async fn take(cx: Anonymous, Query(req): Query<CodeQuery>) -> Reply<Secret> {
    Ok(Secret { secret_text: cx.domain.tokens.take(&cx.nobody, &req.code).await? })
}

/// `POST /app/wechat/bind`: binds an account at WeChat.
pub(crate) async fn bind(cx: Cx, Json(req): Json<WechatRequest>) -> Reply<bool> {
    let account = Account { kind: u32_of("type", req.kind)?, id: req.open_id };
    cx.domain.users.bind_account(&cx.caller, own(&cx)?, &account).await?;
    Ok(true)
}

/// `POST /app/wechat/unbind`: unbinds all.
pub(crate) async fn unbind(cx: Cx, (): ()) -> Reply<bool> {
    cx.domain.users.unbind_account(&cx.caller, own(&cx)?, None).await?;
    Ok(true)
}

/// `GET /app/wechat/is_bind`: whether one is bound.
pub(crate) async fn is_bound(cx: Cx, (): ()) -> Reply<bool> {
    Ok(cx.domain.users.account(&cx.caller, own(&cx)?, None).await?.is_some())
}

fn own(cx: &Cx) -> Reply<UserId> {
    Ok(cx.caller.user()?)
}
