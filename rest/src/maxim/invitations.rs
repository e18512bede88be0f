//! Inviting users into a group, and answering an invitation.

use domain::groups::Invited;
use domain::record::Invitation as Stored;
use domain::{GroupRef, Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::applications::USUAL;
use super::asked::Asked;
use super::named::group_of;
use super::outcome::UserOutcome;
use super::paging::{PageQuery, Paged};
use super::{Reply, error};
use crate::context::Cx;
use crate::input::{Json, Query};
use crate::lenient;
use crate::names::{numbers_of_groups, numbers_of_users};

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InviteRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    #[serde(default)]
    reason: Option<String>,
    #[serde(deserialize_with = "lenient::vec_u64")]
    user_list: Vec<u64>,
}

/// The answer to an invitation.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct HandleRequest {
    #[serde(deserialize_with = "lenient::boolean")]
    approval: bool,
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    /// Who invited; left out, or the caller's own number, it is whoever did.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    user_id: Option<u64>,
}

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitation {
    group_id: u64,
    /// 0 for the app itself.
    inviter_id: u64,
    invitee_id: u64,
    reason: String,
    /// 0 it waits, 1 accepted, 2 declined.
    status: i32,
    /// Unix milliseconds; from then on it cannot be answered.
    expired_time: i64,
    /// Unix milliseconds.
    updated_at: i64,
}

/// `POST /group/invite`: invites users.
pub(crate) async fn invite(cx: Cx, Json(req): Json<InviteRequest>) -> Reply<Vec<UserOutcome>> {
    let group = group_of(&cx, req.group_id).await?;
    let asked = Asked::find(&cx, req.user_list).await?;
    let reason = req.reason.unwrap_or_default();
    let invited = cx.domain.groups.invite(&cx.caller, group, &asked.known(), &reason).await?;
    Ok(asked.outcomes(invited.into_iter().map(|(user, invited)| (user, outcome(invited))).collect()))
}

/// `POST|PUT /group/invite/handle`: answers an invitation.
pub(crate) async fn handle(cx: Cx, Json(req): Json<HandleRequest>) -> Reply<bool> {
    let group = cx.domain.groups.id_of(&cx.caller, &GroupRef::Number(req.group_id)).await?;
    let inviter = inviter_of(&cx, req.user_id).await?;
    let answer = cx.domain.groups.answer_invitation(&cx.caller, group, inviter, req.approval).await;
    answer.map(|()| true).map_err(error::at_invitation)
}

/// `GET /group/invitation_list`: the caller's invitations.
pub(crate) async fn list(cx: Cx, Query(page): Query<PageQuery>) -> Reply<Paged<Invitation>> {
    let (cursor, limit) = (page.cursor()?, page.limit(USUAL));
    let found = cx.domain.groups.invitations(&cx.caller, cursor.as_deref(), limit).await?;
    let users = numbers_of_users(&cx, found.page.items.iter().flat_map(|row| [row.inviter, row.user])).await?;
    let groups = numbers_of_groups(&cx, found.page.items.iter().map(|row| row.group)).await?;
    Ok(Paged::of(found.page, found.total, |row: Stored| Invitation {
        group_id: groups.of(row.group),
        inviter_id: users.of(row.inviter),
        invitee_id: users.of(row.user),
        status: row.status,
        reason: row.reason,
        expired_time: row.expires,
        updated_at: row.updated,
    }))
}

fn outcome(invited: Invited) -> Result<(), domain::Error> {
    match invited {
        Invited::Added | Invited::Waits => Ok(()),
        Invited::Already => Err(domain::Error::Exists(Noun::Member)),
        Invited::Failed(error) => Err(error),
    }
}

/// Whose invitation is meant; `None` for anyone's.
async fn inviter_of(cx: &Cx, number: Option<u64>) -> Reply<Option<UserId>> {
    let Some(number) = number else { return Ok(None) };
    let user = UserId(cx.domain.users.find(&cx.caller, &UserRef::Number(number)).await?.id);
    // Some clients name themselves here, as they do where applications are answered.
    Ok(Some(user).filter(|user| cx.caller.user().is_ok_and(|me| me != *user)))
}
