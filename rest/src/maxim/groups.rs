//! Groups.

use domain::groups::NewGroup;
use domain::record::{Group as Stored, GroupKind, JoinPolicy, Role};
use domain::{GroupRef, Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Error, Reply};
use crate::context::Cx;
use crate::input::{Json, Query};
use crate::lenient;
use crate::names::{number_of_group, number_of_user};

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

/// Which group.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct GroupQuery {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Group {
    /// 0 anyone may join, 1 an admin decides, 2 nobody.
    apply_approval: u8,
    avatar: String,
    /// Unix seconds until which only admins may write; 0 when they are not alone, -1 for ever.
    ban_expire_time: i64,
    capacity: u32,
    /// Members.
    count: u32,
    /// Unix milliseconds.
    created_at: i64,
    description: String,
    ext: String,
    group_id: u64,
    history_visible: bool,
    member_invite: bool,
    member_modify: bool,
    msg_mute_mode: u8,
    msg_push_mode: u8,
    name: String,
    /// 0 where the app itself owns the group.
    owner_id: u64,
    read_ack: bool,
    /// 0: the group exists.
    status: u8,
    /// 0 private, 1 public, 2 chat room.
    #[serde(rename = "type")]
    kind: u8,
    /// Unix milliseconds.
    updated_at: i64,
}

/// `POST /group/create`: makes a group.
pub(crate) async fn create(cx: Cx, Json(req): Json<CreateRequest>) -> Reply<Group> {
    let new = new_group(&cx, req).await?;
    let group = cx.domain.groups.create(&cx.caller, new).await?;
    show(&cx, group).await
}

/// `GET /group/info`: one group.
pub(crate) async fn info(cx: Cx, Query(req): Query<GroupQuery>) -> Reply<Group> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(req.group_id)).await?;
    show(&cx, group).await
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

async fn show(cx: &Cx, group: Stored) -> Reply<Group> {
    let owner_id = match group.owner {
        0 => 0,
        owner => {
            let found = cx.domain.users.find_many(&cx.caller, &[UserRef::Id(UserId(owner))]).await?.pop().flatten();
            found.map_or(owner, |user| number_of_user(&user))
        }
    };
    Ok(Group {
        apply_approval: match group.join_policy() {
            JoinPolicy::Open => 0,
            JoinPolicy::Approval => 1,
            JoinPolicy::Closed => 2,
        },
        ban_expire_time: if group.muted_until > 0 { group.muted_until.div_euclid(1000) } else { group.muted_until },
        capacity: cx.domain.groups.capacity(&group),
        count: group.members,
        created_at: group.created,
        group_id: number_of_group(&group),
        kind: match group.kind() {
            GroupKind::Private | GroupKind::Super => 0,
            GroupKind::Public => 1,
            GroupKind::Meeting | GroupKind::Room => 2,
        },
        status: u8::from(group.dismissed),
        avatar: group.avatar,
        description: group.introduction,
        ext: group.extension,
        history_visible: group.history_visible,
        member_invite: group.members_may_invite,
        member_modify: group.members_may_edit,
        msg_mute_mode: 0,
        msg_push_mode: 0,
        name: group.name,
        owner_id,
        read_ack: group.receipts,
        updated_at: group.updated,
    })
}
