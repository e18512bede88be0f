//! Pushes: certificates, devices, labels, and notices to many.

mod notice;

use domain::push::{Binding, DeviceRef};
use domain::record::{PushChannel, PushCount, PushProvider, PushTask};
use domain::users::NewUser;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::users::{Settings, check_username};
use super::{Error, Maxim, Reply, u32_of};
use crate::context::{Anonymous, Cx, fresh_id};
use crate::input::{Anywhere, Json, Query};
use crate::lenient;
use crate::route::{DELETE, GET, POST, PUT, Route, on, public};

pub(crate) use notice::notify;

/// The environment of apps that are released.
const PRODUCTION: u64 = 1;

/// What the document says about pushes, in its order.
pub(super) fn routes() -> Vec<Route<Maxim>> {
    vec![
        on(POST, "/user/push/alias", alias).says("Gives a device, or the user, another alias", ALIAS),
        on(POST, "/user/push/badge", badge)
            .says("Tells what the app's icon shows", "Further pushes count on from there."),
        on(GET, "/user/push/tag", tags).says("Lists the user's tags", ""),
        on(POST, "/user/push/tag", add_tags).says("Adds tags to the user", "Those that are there already stay."),
        on(DELETE, "/user/push/tag", remove_tags).says("Takes tags from the user", ""),
        on(DELETE, "/user/push/tag/all", clear_tags).says("Takes all tags from the user", ""),
        public(POST, "/user/register/push", register).says("Makes a user who only gets pushes", REGISTER),
        on(POST | PUT, "/user/token/bind", bind).says("Tells what a provider calls a device", BIND),
        on(POST | DELETE, "/user/token/unbind", unbind)
            .says("Ends pushes to a device", "Whatever its providers call it is forgotten."),
        on(GET, "/push/certificate", certificate).says("Tells what a provider knows of the app", CERTIFICATE),
        on(POST, "/push/notify", notify).says("Sends a notice to many", notice::NOTIFY),
        on(POST, "/push/task/detail", details).says("Tells what became of notices to many", DETAILS),
    ]
}

const ALIAS: &str = "With `push_token`, of that device of the caller's; without, of the user. An empty alias takes it away. \
    Several users and devices may have the same one.";

const REGISTER: &str = "Without `username` and `password`, the user is a guest who cannot log in. `device_guid` makes the device known, and \
    `push_token` in the answer is what notices find it by; `push_token` and `sign` of the request are taken and not used.";

const BIND: &str = "`notifier_name` is the name of one of the app's certificates, which tells the provider. Without `device_sn`, of the \
    user's only device. A token belongs to whoever bound it last.";

const CERTIFICATE: &str =
    "What phones need to ask the provider for a token; `app_secret` and `certificate` are told to administrators only.";

const DETAILS: &str = "For administrators. `mxpush` is our own connections. `target` counts devices that were chosen, `sent` those that the \
    provider was asked about, `received` those that it took: providers do not tell what was shown. Notices that do not exist, or are older \
    than `push_task_kept`, are left out.";

/// An alias.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AliasRequest {
    #[serde(deserialize_with = "lenient::string")]
    alias: String,
    /// A device of the caller's; the user if absent.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    push_token: Option<String>,
}

/// `POST /user/push/alias`: gives a device, or the user, another alias.
pub(crate) async fn alias(cx: Cx, Json(req): Json<AliasRequest>) -> Reply<bool> {
    let device = req.push_token.as_deref().filter(|token| !token.is_empty());
    cx.domain.push.set_alias(&cx.caller, &req.alias, device).await?;
    Ok(true)
}

/// A badge.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BadgeRequest {
    #[serde(deserialize_with = "lenient::u64")]
    badge: u64,
}

/// `POST /user/push/badge`: tells what the app's icon shows.
pub(crate) async fn badge(cx: Cx, Json(req): Json<BadgeRequest>) -> Reply<bool> {
    cx.domain.push.set_badge(&cx.caller, u32_of("badge", req.badge)?).await?;
    Ok(true)
}

/// Tags.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TagsRequest {
    #[serde(deserialize_with = "lenient::vec_string")]
    tags: Vec<String>,
}

/// `GET /user/push/tag`: the user's tags.
pub(crate) async fn tags(cx: Cx, (): ()) -> Reply<Vec<String>> {
    Ok(cx.domain.push.tags(&cx.caller).await?)
}

/// `POST /user/push/tag`: adds tags.
pub(crate) async fn add_tags(cx: Cx, Json(req): Json<TagsRequest>) -> Reply<bool> {
    cx.domain.push.add_tags(&cx.caller, &req.tags).await?;
    Ok(true)
}

/// `DELETE /user/push/tag`: takes tags away.
pub(crate) async fn remove_tags(cx: Cx, Json(req): Json<TagsRequest>) -> Reply<bool> {
    cx.domain.push.remove_tags(&cx.caller, Some(&req.tags)).await?;
    Ok(true)
}

/// `DELETE /user/push/tag/all`: takes all tags away.
pub(crate) async fn clear_tags(cx: Cx, (): ()) -> Reply<bool> {
    cx.domain.push.remove_tags(&cx.caller, None).await?;
    Ok(true)
}

/// Who wants pushes.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RegisterRequest {
    #[serde(default, deserialize_with = "lenient::opt_string")]
    alias: Option<String>,
    /// The app's own name of the device.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    device_guid: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    username: Option<String>,
}

/// `POST /user/register/push`: makes a user who only gets pushes.
pub(crate) async fn register(cx: Anonymous, Json(req): Json<RegisterRequest>) -> Reply<Settings> {
    let username = req.username.unwrap_or_else(|| format!("push{}", fresh_id()));
    check_username(&username)?;
    let password = Some(req.password.unwrap_or_else(fresh_id));
    let new = NewUser { username: Some(username), password, ..NewUser::default() };
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let (device, alias) = (given(&req.device_guid), given(&req.alias));
    let (user, push_token) = cx.domain.push.register(&cx.nobody, new, device.as_deref(), alias.as_deref()).await?;
    Ok(Settings::from(&user).with_push_token(push_token))
}

/// What a provider calls a device.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BindRequest {
    /// From the list of devices; absent where the user has one device only.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    device_sn: Option<u64>,
    device_token: String,
    /// Name of one of the app's certificates.
    notifier_name: String,
}

/// `POST|PUT /user/token/bind`: tells what a provider calls a device.
pub(crate) async fn bind(cx: Cx, Json(req): Json<BindRequest>) -> Reply<bool> {
    let device = device("device_sn", req.device_sn)?;
    let provider = PushProvider::Unspecified;
    let binding = Binding { provider, token: req.device_token, channel: req.notifier_name };
    cx.domain.push.bind(&cx.caller, device, binding).await?;
    Ok(true)
}

/// Which device.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct UnbindRequest {
    /// From the list of devices; absent where the user has one device only.
    #[serde(default, rename = "deviceSn", alias = "device_sn", deserialize_with = "lenient::opt_u64")]
    device_sn: Option<u64>,
}

/// Nothing, in braces.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Nothing {}

/// `POST|DELETE /user/token/unbind`: ends pushes to a device.
pub(crate) async fn unbind(cx: Cx, Anywhere(req): Anywhere<UnbindRequest>) -> Reply<Nothing> {
    cx.domain.push.unbind_device(&cx.caller, device("deviceSn", req.device_sn)?).await?;
    Ok(Nothing {})
}

fn device(field: &'static str, number: Option<u64>) -> Reply<DeviceRef<'static>> {
    number.map_or(Ok(DeviceRef::Unnamed), |number| Ok(DeviceRef::Serial(u32_of(field, number)?)))
}

/// Which certificate.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct CertificateQuery {
    /// 0 for builds that are not released, 1 for others. Default 1.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    environment: Option<u64>,
    /// 1 APNs, 2 Huawei, 3 Xiaomi, 4 Meizu, 5 vivo, 6 OPPO, 7 FCM.
    #[serde(deserialize_with = "lenient::u64")]
    provider: u64,
}

/// What a provider knows of the app.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Certificate {
    app_id: String,
    app_key: String,
    app_secret: String,
    certificate: String,
    name: String,
}

/// `GET /push/certificate`: what a provider knows of the app.
pub(crate) async fn certificate(cx: Cx, Query(query): Query<CertificateQuery>) -> Reply<Certificate> {
    let development = query.environment.unwrap_or(PRODUCTION) != PRODUCTION;
    let is_meant = |channel: &PushChannel| {
        u64::try_from(channel.provider).ok() == Some(query.provider) && channel.development == development
    };
    let found = cx.domain.push.channels(&cx.caller).await?.into_iter().find(is_meant);
    let found = found.ok_or_else(|| Error::parameter("provider: the app has no certificate of it"))?;
    let PushChannel { app_id, app_key, app_secret, certificate, name, .. } = found;
    Ok(Certificate { app_id, app_key, app_secret, certificate, name })
}

/// Which notices.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DetailsRequest {
    #[serde(deserialize_with = "lenient::vec_u64")]
    list: Vec<u64>,
}

/// What became of a notice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detail {
    apns_received: u64,
    apns_sent: u64,
    apns_target: u64,
    fcm_received: u64,
    fcm_sent: u64,
    fcm_target: u64,
    flyme_received: u64,
    flyme_sent: u64,
    flyme_target: u64,
    huawei_received: u64,
    huawei_sent: u64,
    huawei_target: u64,
    mxpush_received: u64,
    mxpush_sent: u64,
    mxpush_target: u64,
    oppo_received: u64,
    oppo_sent: u64,
    oppo_target: u64,
    vivo_received: u64,
    vivo_sent: u64,
    vivo_target: u64,
    xiaomi_received: u64,
    xiaomi_sent: u64,
    xiaomi_target: u64,
    task_id: u64,
}

/// `POST /push/task/detail`: what became of notices to many.
pub(crate) async fn details(cx: Cx, Json(req): Json<DetailsRequest>) -> Reply<Vec<Detail>> {
    let tasks = cx.domain.push.tasks(&cx.caller, &req.list).await?;
    Ok(tasks.iter().map(Detail::from).collect())
}

impl From<&PushTask> for Detail {
    fn from(task: &PushTask) -> Self {
        let of = |provider| task.counts.iter().find(|count| count.provider() == provider).copied().unwrap_or_default();
        let [own, apns, fcm, meizu]: [PushCount; 4] =
            [PushProvider::Unspecified, PushProvider::Apns, PushProvider::Fcm, PushProvider::Meizu].map(of);
        let [huawei, oppo, vivo, xiaomi] =
            [PushProvider::Huawei, PushProvider::Oppo, PushProvider::Vivo, PushProvider::Xiaomi].map(of);
        Self {
            apns_received: apns.received,
            apns_sent: apns.sent,
            apns_target: apns.target,
            fcm_received: fcm.received,
            fcm_sent: fcm.sent,
            fcm_target: fcm.target,
            flyme_received: meizu.received,
            flyme_sent: meizu.sent,
            flyme_target: meizu.target,
            huawei_received: huawei.received,
            huawei_sent: huawei.sent,
            huawei_target: huawei.target,
            mxpush_received: own.received,
            mxpush_sent: own.sent,
            mxpush_target: own.target,
            oppo_received: oppo.received,
            oppo_sent: oppo.sent,
            oppo_target: oppo.target,
            vivo_received: vivo.received,
            vivo_sent: vivo.sent,
            vivo_target: vivo.target,
            xiaomi_received: xiaomi.received,
            xiaomi_sent: xiaomi.sent,
            xiaomi_target: xiaomi.target,
            task_id: task.id,
        }
    }
}
