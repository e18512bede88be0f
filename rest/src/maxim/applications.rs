//! Asking to join a group, and answering who asks.

use domain::record::Application as Stored;
use domain::{GroupId, GroupRef, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reply;
use super::named::group_of;
use super::outcome::UserOutcome;
use super::paging::{PageQuery, Paged};
use crate::context::Cx;
use crate::input::{Json, Query};
use crate::lenient;
use crate::names::numbers_of_users;

/// Rows of a page, where nothing else is asked for.
pub(super) const USUAL: usize = 100;

/// Which group, and why.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ApplyRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    #[serde(default)]
    reason: Option<String>,
}

/// The answer to an application.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct HandleRequest {
    #[serde(deserialize_with = "lenient::boolean")]
    approval: bool,
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    /// Who applied.
    #[serde(deserialize_with = "lenient::u64")]
    user_id: u64,
    /// What the applicant is told with it.
    #[serde(default)]
    reason: Option<String>,
}

/// Which groups.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ListRequest {
    #[serde(default, deserialize_with = "lenient::vec_u64")]
    group_list: Vec<u64>,
}

/// An application.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Application {
    applicant_id: u64,
    group_id: u64,
    reason: String,
    /// 0 it waits, 1 accepted, 2 declined.
    status: i32,
    /// Unix milliseconds; from then on it cannot be answered.
    expired_time: i64,
}

/// `POST /group/apply`: asks to join a group.
pub(crate) async fn apply(cx: Cx, Json(req): Json<ApplyRequest>) -> Reply<UserOutcome> {
    let group = cx.domain.groups.id_of(&cx.caller, &GroupRef::Number(req.group_id)).await?;
    cx.domain.groups.apply(&cx.caller, group, &req.reason.unwrap_or_default()).await?;
    let me = cx.caller.user()?.0;
    let numbers = numbers_of_users(&cx, [me]).await?;
    Ok(UserOutcome::of(numbers.of(me), Ok(())))
}

/// `POST|PUT /group/apply/handle`: answers an application.
pub(crate) async fn handle(cx: Cx, Json(req): Json<HandleRequest>) -> Reply<UserOutcome> {
    let group = group_of(&cx, req.group_id).await?;
    let user = cx.domain.users.find(&cx.caller, &UserRef::Number(req.user_id)).await?;
    let answer = req.reason.unwrap_or_default();
    cx.domain.groups.answer_application(&cx.caller, group, UserId(user.id), req.approval, &answer).await?;
    Ok(UserOutcome::of(req.user_id, Ok(())))
}

/// `POST /group/application_list`: applications to groups that the caller leads.
pub(crate) async fn list(
    cx: Cx,
    (Query(page), Json(req)): (Query<PageQuery>, Json<ListRequest>),
) -> Reply<Paged<Application>> {
    let groups = Groups::find(&cx, &req.group_list).await?;
    let (cursor, limit) = (page.cursor()?, page.limit(USUAL));
    let found = cx.domain.groups.applications(&cx.caller, &groups.ids(), cursor.as_deref(), limit).await?;
    let numbers = numbers_of_users(&cx, found.page.items.iter().map(|row| row.user)).await?;
    Ok(Paged::of(found.page, found.total, |row: Stored| Application {
        applicant_id: numbers.of(row.user),
        group_id: groups.number(row.group),
        status: row.status,
        reason: row.reason,
        expired_time: row.expires,
    }))
}

/// Groups by the numbers that the caller gave.
struct Groups(Vec<(GroupId, u64)>);

impl Groups {
    async fn find(cx: &Cx, numbers: &[u64]) -> Reply<Self> {
        let mut found = Vec::with_capacity(numbers.len());
        for number in numbers.iter().take(cx.config.max_users_per_call + 1) {
            found.push((group_of(cx, *number).await?, *number));
        }
        Ok(Self(found))
    }

    fn ids(&self) -> Vec<GroupId> {
        self.0.iter().map(|(id, _)| *id).collect()
    }

    fn number(&self, id: u64) -> u64 {
        self.0.iter().find(|(group, _)| group.0 == id).map_or(id, |(_, number)| *number)
    }
}
