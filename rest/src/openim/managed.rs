//! What an administrator does with the users of the app: `POST /manager/*`, but for sending.

use domain::presence::State;
use domain::users::uid_of;
use domain::{Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bind::{Bind, Bound, Rules};
use super::users::too_many;
use super::{Error, Reply};
use crate::context::Cx;

/// Who is deleted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct DeleteRequest {
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
    #[serde(rename = "deleteUidList")]
    #[schema(required = true)]
    uids: Vec<String>,
}

/// Nothing but a name for the caller's own logs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct ListRequest {
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
}

/// Who is looked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct UsersRequest {
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
    #[serde(rename = "userIDList")]
    #[schema(required = true)]
    uids: Vec<String>,
}

/// Who could not be deleted: nobody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteReply {
    failed_uid_list: Option<Vec<String>>,
}

/// Everybody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListReply {
    uid_list: Vec<String>,
}

/// Whether each is registered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckReply {
    result: Vec<Checked>,
}

/// Whether one is registered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checked {
    #[serde(rename = "userID")]
    user_id: String,
    /// `registered` or `unregistered`.
    account_status: &'static str,
}

/// Whether each is connected. Goes beside `errCode`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OnlineReply {
    data: Vec<Online>,
}

/// Whether one is connected.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Online {
    #[serde(rename = "userID")]
    user_id: String,
    /// `online` or `offline`.
    status: &'static str,
    /// From where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail_platform_status: Vec<Detail>,
}

/// A kind of device that is connected.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Detail {
    /// `IOS`, `Android`, `Windows`, `OSX`, `Web`, `MiniWeb` or `Linux`; empty where it is not known.
    platform: &'static str,
    status: &'static str,
}

impl Bind for DeleteRequest {
    const NAME: &'static str = "deleteUsersRequest";

    fn rules(&self, rules: &mut Rules) {
        rules.required("OperationID", !self.operation_id.is_empty());
        rules.required("DeleteUidList", !self.uids.is_empty());
    }
}

impl Bind for ListRequest {
    const NAME: &'static str = "getAllUsersUidRequest";

    fn rules(&self, rules: &mut Rules) {
        rules.required("OperationID", !self.operation_id.is_empty());
    }
}

impl Bind for UsersRequest {
    const NAME: &'static str = "accountCheckRequest";

    fn rules(&self, rules: &mut Rules) {
        rules.required("OperationID", !self.operation_id.is_empty());
        rules.required("UserIDList", !self.uids.is_empty());
    }
}

/// `POST /manager/delete_user`: deletes users.
pub(super) async fn delete(cx: Cx, Bound(request): Bound<DeleteRequest>) -> Reply<DeleteReply> {
    let found = find(&cx, "deleteUidList", &request.uids).await?;
    for (_, user) in found {
        let Some(user) = user else { continue };
        match cx.domain.delete_user(&cx.caller, user).await {
            // Named twice, or somebody else was faster.
            Ok(()) | Err(domain::Error::NotFound(Noun::User)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(DeleteReply { failed_uid_list: None })
}

/// `POST /manager/get_all_users_uid`: everybody's uid.
pub(super) async fn list(cx: Cx, Bound(_): Bound<ListRequest>) -> Reply<ListReply> {
    let limit = cx.config.openim_max_uids;
    let mut uid_list = Vec::new();
    let mut cursor = None;
    loop {
        let page = cx.domain.users.list(&cx.caller, cursor.as_deref(), usize::MAX).await?;
        uid_list.extend(page.items.iter().map(uid_of));
        if uid_list.len() > limit {
            return Err(Error::TooManyUsers(limit));
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(ListReply { uid_list });
        }
    }
}

/// `POST /manager/account_check`: which uids are registered.
pub(super) async fn check(cx: Cx, Bound(request): Bound<UsersRequest>) -> Reply<CheckReply> {
    let found = find(&cx, "userIDList", &request.uids).await?;
    let checked = |(user_id, user): (String, Option<UserId>)| {
        let account_status = if user.is_some() { "registered" } else { "unregistered" };
        Checked { user_id, account_status }
    };
    Ok(CheckReply { result: found.into_iter().map(checked).collect() })
}

/// `POST /manager/get_users_online_status`: who is connected.
pub(super) async fn online(cx: Cx, Bound(request): Bound<UsersRequest>) -> Reply<OnlineReply> {
    let found = find(&cx, "userIDList", &request.uids).await?;
    let ids: Vec<UserId> = found.iter().filter_map(|(_, user)| *user).collect();
    let mut states = cx.domain.presence.query(&cx.caller, &ids).await?.into_iter();
    let mut tell = |(user_id, user): (String, Option<UserId>)| {
        let state = user.and_then(|_| states.next()).map(|(_, state)| state).unwrap_or_default();
        Online::of(user_id, &state)
    };
    Ok(OnlineReply { data: found.into_iter().map(&mut tell).collect() })
}

/// Each uid with its user, if there is one.
async fn find(cx: &Cx, field: &str, uids: &[String]) -> Reply<Vec<(String, Option<UserId>)>> {
    let limit = cx.config.max_users_per_call;
    if uids.len() > limit {
        return Err(too_many(field, uids.len(), limit));
    }
    let wanted: Vec<UserRef> = uids.iter().cloned().map(UserRef::Uid).collect();
    let found = cx.domain.users.find_many(&cx.caller, &wanted).await?;
    let ids = found.into_iter().map(|user| user.map(|user| UserId(user.id)));
    Ok(uids.iter().cloned().zip(ids).collect())
}

impl Online {
    fn of(user_id: String, state: &State) -> Self {
        let status = if state.online { "online" } else { "offline" };
        let detail = |platform: &u32| Detail { platform: name_of(*platform), status: "online" };
        Self { user_id, status, detail_platform_status: state.platforms.iter().map(detail).collect() }
    }
}

/// What the original calls a platform, by `wire.Platform`.
fn name_of(platform: u32) -> &'static str {
    match platform {
        1 => "IOS",
        2 => "Android",
        3 => "Windows",
        4 => "OSX",
        5 => "Web",
        6 => "MiniWeb",
        7 => "Linux",
        _ => "",
    }
}
