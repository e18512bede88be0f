//! What users log in from, and whether they are connected.

use domain::UserId;
use domain::devices::serial;
use domain::record::Device as Stored;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::own;
use crate::context::Cx;
use crate::input::Anywhere;
use crate::lenient;
use crate::maxim::{Reply, u32_of};
use crate::names::numbers_of_users;

/// `wire.Kicked.Reason`: the user ended it on another device, or the app did.
const BY_SELF: u32 = 1;
const BY_APP: u32 = 2;

/// Which device.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct DeviceRequest {
    /// From the list of devices.
    #[serde(deserialize_with = "lenient::u64")]
    device_sn: u64,
}

/// Which device, or all.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
pub(crate) struct KickRequest {
    /// From the list of devices; absent for all.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    device_sn: Option<u64>,
}

/// All devices, on one page. Goes beside `code`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Devices {
    data: Vec<Device>,
    /// Not used, as in the original.
    version: u8,
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
struct Device {
    /// Names the device in calls about it.
    device_sn: u32,
    /// 1 iOS, 2 Android, 3 Windows, 4 Mac, 5 Linux, 6 web; 0 where it is not known.
    platform: u32,
    /// Name and version of the client.
    user_agent: String,
    user_id: u64,
}

/// Whether somebody is connected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OnlineStatus {
    online: bool,
}

/// `GET /user/device/list`: the user's devices.
pub(crate) async fn list(cx: Cx, (): ()) -> Reply<Devices> {
    let user = own(&cx)?;
    let devices = cx.domain.devices.list(&cx.caller, user).await?;
    let user_id = numbers_of_users(&cx, [user.0]).await?.of(user.0);
    Ok(Devices { data: devices.into_iter().map(|device| Device::of(device, user_id)).collect(), version: 0 })
}

/// `POST|DELETE /user/device/remove`: forgets a device.
pub(crate) async fn remove(cx: Cx, Anywhere(req): Anywhere<DeviceRequest>) -> Reply<bool> {
    let user = own(&cx)?;
    let device = find(&cx, user, req.device_sn).await?;
    cx.domain.devices.remove(&cx.caller, user, &device.device_id).await?;
    Ok(true)
}

/// `POST|PUT /user/kick`: ends a device's connections, or all.
pub(crate) async fn kick(cx: Cx, Anywhere(req): Anywhere<KickRequest>) -> Reply<bool> {
    let user = own(&cx)?;
    let device = match req.device_sn {
        Some(number) => Some(find(&cx, user, number).await?.device_id),
        None => None,
    };
    let reason = if cx.caller.is_privileged() { BY_APP } else { BY_SELF };
    cx.domain.devices.kick(&cx.caller, user, device.as_deref(), reason, "kicked").await?;
    Ok(true)
}

/// `GET /user/online_status`: whether the user is connected.
pub(crate) async fn online_status(cx: Cx, (): ()) -> Reply<OnlineStatus> {
    let states = cx.domain.presence.query(&cx.caller, &[own(&cx)?]).await?;
    Ok(OnlineStatus { online: states.iter().any(|(_, state)| state.online) })
}

async fn find(cx: &Cx, user: UserId, number: u64) -> Reply<Stored> {
    Ok(cx.domain.devices.find_by_serial(&cx.caller, user, u32_of("device_sn", number)?).await?)
}

impl Device {
    fn of(stored: Stored, user_id: u64) -> Self {
        Self {
            device_sn: serial(&stored.device_id),
            // From `wire.Platform`; a mini program is web here.
            platform: match stored.platform {
                platform @ 1..=4 => platform,
                5 | 6 => 6,
                7 => 5,
                _ => 0,
            },
            user_agent: stored.client,
            user_id,
        }
    }
}
