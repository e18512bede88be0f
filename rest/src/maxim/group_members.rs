//! Members of a group: lists, names, roles, silence, and the block list.

use domain::groups::MemberChange;
use domain::record::{Barred, Member as Stored, Role};
use domain::{GroupId, GroupRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reply;
use super::asked::Asked;
use super::group::seconds;
use super::group_settings::{TextRequest, muted_until};
use super::named::{OfGroup, group_of};
use super::outcome::UserOutcome;
use super::paging::{PageQuery, Paged};
use crate::context::Cx;
use crate::input::{Json, Query};
use crate::lenient;
use crate::names::{Numbers, numbers_of_users};

/// Rows of a page where the caller does not say.
const USUAL: usize = 1_000;

/// Members of a group.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UsersRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    #[serde(deserialize_with = "lenient::vec_u64")]
    user_list: Vec<u64>,
}

/// Who is to be silent, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BanRequest {
    /// Minutes; -1 for ever.
    #[serde(deserialize_with = "lenient::i64")]
    duration: i64,
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    #[serde(deserialize_with = "lenient::vec_u64")]
    user_list: Vec<u64>,
}

/// A member.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    /// Name within the group.
    display_name: String,
    /// Unix milliseconds.
    join_time: i64,
    user_id: u64,
}

/// A member who is silent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Banned {
    /// Name within the group.
    display_name: String,
    /// Unix seconds; -1 for ever.
    expired_time: i64,
    /// Unix milliseconds.
    join_time: i64,
    user_id: u64,
}

/// A user who cannot come into the group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Blocked {
    /// Unix milliseconds.
    created_at: i64,
    group_id: u64,
    user_id: u64,
}

/// `GET /group/member_list`: a page of the members.
pub(crate) async fn list(cx: Cx, (Query(of), Query(page)): (Query<OfGroup>, Query<PageQuery>)) -> Reply<Paged<Member>> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(of.group_id)).await?;
    let (cursor, limit) = (page.cursor()?, page.limit(USUAL));
    let found = cx.domain.groups.members(&cx.caller, GroupId(group.id), cursor.as_deref(), limit).await?;
    let users = numbers_of(&cx, &found.items).await?;
    Ok(Paged::of(found, group.members as usize, |member| Member::of(member, &users)))
}

/// `POST /group/members/display_name`: what these users are called in the group.
pub(crate) async fn names(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<Vec<Member>> {
    let group = group_of(&cx, req.group_id).await?;
    let known = Asked::find(&cx, req.user_list).await?.known();
    let found = cx.domain.groups.members_of(&cx.caller, group, &known).await?;
    let found: Vec<Stored> = found.into_iter().flatten().collect();
    let users = numbers_of(&cx, &found).await?;
    Ok(found.into_iter().map(|member| Member::of(member, &users)).collect())
}

/// `POST|PUT /group/display_name`: what the caller is called in the group.
pub(crate) async fn set_name(cx: Cx, Json(req): Json<TextRequest>) -> Reply<bool> {
    let group = group_of(&cx, req.group_id).await?;
    let change = MemberChange { card: Some(req.value), ..MemberChange::default() };
    cx.domain.groups.update_member(&cx.caller, group, cx.caller.user()?, change).await?;
    Ok(true)
}

/// `POST|DELETE /group/kick`: removes members.
pub(crate) async fn kick(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<Vec<UserOutcome>> {
    let group = group_of(&cx, req.group_id).await?;
    let asked = Asked::find(&cx, req.user_list).await?;
    let results = cx.domain.groups.remove_each(&cx.caller, group, &asked.known()).await?;
    Ok(asked.outcomes(results))
}

/// `GET /group/admin_list`: the admins.
pub(crate) async fn admins(cx: Cx, Query(of): Query<OfGroup>) -> Reply<Vec<Member>> {
    let group = group_of(&cx, of.group_id).await?;
    let found = cx.domain.groups.admins(&cx.caller, group).await?;
    let users = numbers_of(&cx, &found).await?;
    Ok(found.into_iter().map(|member| Member::of(member, &users)).collect())
}

/// `POST /group/admin/add`: makes members admins.
pub(crate) async fn add_admins(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<Vec<UserOutcome>> {
    change(&cx, req, MemberChange { role: Some(Role::Admin), ..MemberChange::default() }).await
}

/// `POST|DELETE /group/admin/remove`: makes admins plain members.
pub(crate) async fn remove_admins(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<Vec<UserOutcome>> {
    change(&cx, req, MemberChange { role: Some(Role::Member), ..MemberChange::default() }).await
}

/// `POST /group/ban`: silences members.
pub(crate) async fn ban(cx: Cx, Json(req): Json<BanRequest>) -> Reply<Vec<UserOutcome>> {
    let until = muted_until(cx.clock.now(), req.duration)?;
    let users = UsersRequest { group_id: req.group_id, user_list: req.user_list };
    change(&cx, users, MemberChange { muted_until: Some(until), ..MemberChange::default() }).await
}

/// `POST /group/unban`: lets members speak again.
pub(crate) async fn unban(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<Vec<UserOutcome>> {
    change(&cx, req, MemberChange { muted_until: Some(0), ..MemberChange::default() }).await
}

/// `GET /group/banned_list`: a page of who is silent.
pub(crate) async fn banned(
    cx: Cx,
    (Query(of), Query(page)): (Query<OfGroup>, Query<PageQuery>),
) -> Reply<Paged<Banned>> {
    let group = group_of(&cx, of.group_id).await?;
    let (cursor, limit) = (page.cursor()?, page.limit(USUAL));
    let found = cx.domain.groups.muted(&cx.caller, group, cursor.as_deref(), limit).await?;
    let users = numbers_of(&cx, &found.page.items).await?;
    Ok(Paged::of(found.page, found.total, |member| Banned {
        expired_time: seconds(member.muted_until),
        join_time: member.joined,
        user_id: users.of(member.user),
        display_name: member.card,
    }))
}

/// `POST /group/block`: puts users on the block list.
pub(crate) async fn block(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<Vec<UserOutcome>> {
    let group = group_of(&cx, req.group_id).await?;
    let asked = Asked::find(&cx, req.user_list).await?;
    let results = cx.domain.groups.block(&cx.caller, group, &asked.known()).await?;
    Ok(asked.outcomes(results))
}

/// `POST|DELETE /group/unblock`: takes users off the block list.
pub(crate) async fn unblock(cx: Cx, Json(req): Json<UsersRequest>) -> Reply<Vec<UserOutcome>> {
    let group = group_of(&cx, req.group_id).await?;
    let asked = Asked::find(&cx, req.user_list).await?;
    let results = cx.domain.groups.unblock(&cx.caller, group, &asked.known()).await?;
    Ok(asked.outcomes(results))
}

/// `GET /group/blocked_list`: a page of the block list.
pub(crate) async fn blocked(
    cx: Cx,
    (Query(of), Query(page)): (Query<OfGroup>, Query<PageQuery>),
) -> Reply<Paged<Blocked>> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(of.group_id)).await?;
    let (cursor, limit) = (page.cursor()?, page.limit(USUAL));
    let found = cx.domain.groups.blocked(&cx.caller, GroupId(group.id), cursor.as_deref(), limit).await?;
    let users = numbers_of_users(&cx, found.items.iter().map(|row| row.user)).await?;
    Ok(Paged::of(found, group.blocked as usize, |row: Barred| Blocked {
        created_at: row.created,
        group_id: of.group_id,
        user_id: users.of(row.user),
    }))
}

async fn change(cx: &Cx, req: UsersRequest, change: MemberChange) -> Reply<Vec<UserOutcome>> {
    let group = group_of(cx, req.group_id).await?;
    let asked = Asked::find(cx, req.user_list).await?;
    let results = cx.domain.groups.update_members(&cx.caller, group, &asked.known(), change).await?;
    Ok(asked.outcomes(results))
}

async fn numbers_of(cx: &Cx, members: &[Stored]) -> Reply<Numbers> {
    Ok(numbers_of_users(cx, members.iter().map(|member| member.user)).await?)
}

impl Member {
    fn of(member: Stored, users: &Numbers) -> Self {
        Self { join_time: member.joined, user_id: users.of(member.user), display_name: member.card }
    }
}
