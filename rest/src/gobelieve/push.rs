//! gobelieve's pushes: what a provider calls the caller's phone.

use domain::push::{Binding, DeviceRef};
use domain::record::PushProvider;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Reply;
use crate::context::Cx;
use crate::dialect::Fault;
use crate::input::Json;

/// One of these.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct TokenRequest {
    /// APNs.
    apns_device_token: Option<String>,
    /// PushKit.
    pushkit_device_token: Option<String>,
    /// The original's own.
    ng_device_token: Option<String>,
    /// Xinge.
    xg_device_token: Option<String>,
    /// Xiaomi.
    xm_device_token: Option<String>,
    /// Huawei.
    hw_device_token: Option<String>,
    /// FCM.
    gcm_device_token: Option<String>,
    /// JPush.
    jp_device_token: Option<String>,
}

impl TokenRequest {
    /// The first one that is there.
    fn into_token(self) -> Reply<(PushProvider, String)> {
        let tokens = [
            (PushProvider::Apns, self.apns_device_token),
            (PushProvider::Pushkit, self.pushkit_device_token),
            (PushProvider::Ng, self.ng_device_token),
            (PushProvider::Xinge, self.xg_device_token),
            (PushProvider::Xiaomi, self.xm_device_token),
            (PushProvider::Huawei, self.hw_device_token),
            (PushProvider::Fcm, self.gcm_device_token),
            (PushProvider::Jpush, self.jp_device_token),
        ];
        let there = |(provider, token): (_, Option<String>)| Some((provider, token.filter(|token| !token.is_empty())?));
        tokens.into_iter().find_map(there).ok_or_else(|| Fault::missing("apns_device_token").into())
    }
}

/// `POST /device/bind`: tells what a provider calls the caller's phone.
pub(super) async fn bind(cx: Cx, Json(request): Json<TokenRequest>) -> Reply<bool> {
    let (provider, token) = request.into_token()?;
    let binding = Binding { provider, token, channel: String::new() };
    cx.domain.push.bind(&cx.caller, DeviceRef::Unnamed, binding).await?;
    Ok(true)
}

/// `POST /device/unbind`: ends pushes to the caller's phone.
pub(super) async fn unbind(cx: Cx, Json(request): Json<TokenRequest>) -> Reply<bool> {
    let (provider, token) = request.into_token()?;
    cx.domain.push.unbind_token(&cx.caller, provider, &token).await?;
    Ok(true)
}
