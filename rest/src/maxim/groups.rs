//! Groups: making, finding, leaving and ending them.

use domain::groups::NewGroup;
use domain::record::{GroupKind, JoinPolicy, Role};
use domain::{GroupRef, Noun, UserId, UserRef};
use serde::Deserialize;
use utoipa::ToSchema;

use super::group::{Brief, Group, look_at, show};
use super::named::{OfGroup, group_of};
use super::outcome::UserOutcome;
use super::{Error, Reply, error};
use crate::context::Cx;
use crate::input::{Json, Query};
use crate::lenient;
use crate::names::number_of_group;

/// A group to be made. Its creator owns it.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CreateRequest {
    name: String,
    #[serde(default)]
    avatar: Option<String>,
    #[serde(default)]
    description: Option<String>,
    /// 0 private, which is the default; 1 public; 2 chat room.
    #[serde(default, rename = "type", deserialize_with = "lenient::opt_u64")]
    kind: Option<u64>,
    /// Who else is in it from the beginning.
    #[serde(default, deserialize_with = "lenient::vec_u64")]
    user_list: Vec<u64>,
}

/// Which groups.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BatchRequest {
    #[serde(deserialize_with = "lenient::vec_u64")]
    group_list: Vec<u64>,
}

/// Who is to own a group.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TransferRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    #[serde(deserialize_with = "lenient::u64")]
    new_owner: u64,
}

/// `POST /group/create`: makes a group.
pub(crate) async fn create(cx: Cx, Json(req): Json<CreateRequest>) -> Reply<Group> {
    let new = new_group(&cx, req).await?;
    let group = cx.domain.groups.create(&cx.caller, new).await?;
    show(&cx, group).await
}

/// `GET /group/info` and `GET /group/settings`: one group.
pub(crate) async fn info(cx: Cx, Query(req): Query<OfGroup>) -> Reply<Group> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(req.group_id)).await?;
    show(&cx, group).await
}

/// `POST /group/info/batch`: many groups.
pub(crate) async fn batch(cx: Cx, Json(req): Json<BatchRequest>) -> Reply<Vec<Brief>> {
    let asked: Vec<GroupRef> = req.group_list.into_iter().map(GroupRef::Number).collect();
    let found = cx.domain.groups.find_many(&cx.caller, &asked).await?;
    let seen = look_at(&cx, found.into_iter().flatten().collect()).await?;
    Ok(seen.into_iter().map(Brief::of).collect())
}

/// `GET /group/user_joined`: the groups that the caller is in.
pub(crate) async fn joined(cx: Cx, (): ()) -> Reply<Vec<u64>> {
    let groups = cx.domain.groups.list_all(&cx.caller).await?;
    Ok(groups.iter().map(number_of_group).collect())
}

/// `GET /group/public_list`: public groups.
pub(crate) async fn public(cx: Cx, (): ()) -> Reply<Vec<u64>> {
    let page = cx.domain.groups.search(&cx.caller, "", None, cx.config.max_listed_groups).await?;
    Ok(page.items.iter().map(number_of_group).collect())
}

/// `POST|DELETE /group/destroy`: ends a group.
pub(crate) async fn destroy(cx: Cx, Query(req): Query<OfGroup>) -> Reply<bool> {
    let group = group_of(&cx, req.group_id).await?;
    cx.domain.groups.dismiss(&cx.caller, group).await?;
    Ok(true)
}

/// `POST|DELETE /group/leave`: leaves a group.
pub(crate) async fn leave(cx: Cx, Query(req): Query<OfGroup>) -> Reply<bool> {
    let group = group_of(&cx, req.group_id).await?;
    cx.domain.groups.leave(&cx.caller, group).await?;
    Ok(true)
}

/// `POST|PUT /group/transfer`: hands a group over.
pub(crate) async fn transfer(cx: Cx, Json(req): Json<TransferRequest>) -> Reply<UserOutcome> {
    let group = group_of(&cx, req.group_id).await?;
    let heir = UserId(cx.domain.users.find(&cx.caller, &UserRef::Number(req.new_owner)).await?.id);
    cx.domain.groups.transfer(&cx.caller, group, heir).await.map_err(error::at_transfer)?;
    Ok(UserOutcome::of(req.new_owner, Ok(())))
}

async fn new_group(cx: &Cx, req: CreateRequest) -> Reply<NewGroup> {
    let (kind, join_policy) = match req.kind {
        None | Some(0) => (GroupKind::Private, JoinPolicy::Approval),
        Some(1) => (GroupKind::Public, JoinPolicy::Approval),
        Some(2) => (GroupKind::Meeting, JoinPolicy::Open),
        Some(_) => return Err(Error::parameter("type: must be 0 (private), 1 (public) or 2 (chat room)")),
    };
    if req.name.is_empty() {
        return Err(Error::parameter("name: must not be empty"));
    }
    Ok(NewGroup {
        name: req.name,
        avatar: req.avatar.unwrap_or_default(),
        introduction: req.description.unwrap_or_default(),
        kind,
        join_policy,
        owner_is_member: true,
        members: members_of(cx, &req.user_list).await?,
        members_may_invite: Some(true),
        ..NewGroup::default()
    })
}

async fn members_of(cx: &Cx, numbers: &[u64]) -> Reply<Vec<(UserId, Role)>> {
    let most = cx.config.max_users_per_call;
    if numbers.len() > most {
        return Err(Error::parameter(format!("user_list: names more than {most} users")));
    }
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<UserRef> = numbers.iter().map(|number| UserRef::Number(*number)).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let members: Option<Vec<(UserId, Role)>> =
        found.into_iter().map(|user| Some((UserId(user?.id), Role::Member))).collect();
    Ok(members.ok_or(domain::Error::NotFound(Noun::User))?)
}
