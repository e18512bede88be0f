//! Making groups, and adding members to them.

use domain::groups::{Added, NewGroup, write_fields};
use domain::record::{Group as Stored, GroupKind, JoinPolicy, Role};
use domain::{GroupId, GroupRef, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::group::{CustomField, Group, show};
use super::group_profile::{check_bytes, join_policy};
use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// A group to be made. Its creator owns it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateRequest {
    /// At most 30 bytes.
    name: String,
    /// `Private` (or `Work`), which is the default; `Public`; `ChatRoom` (or `Meeting`); `AVChatRoom`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The app's own id; made up where it is left out.
    #[serde(rename = "groupID", default, deserialize_with = "lenient::opt_string")]
    group_id: Option<String>,
    /// At most 240 bytes.
    #[serde(default)]
    introduction: String,
    /// At most 300 bytes.
    #[serde(default)]
    notification: String,
    /// At most 100 bytes.
    #[serde(default)]
    avatar: String,
    /// Counts for `Public` groups only: `FreeAccess`, which is the default, `NeedPermission` or `DisableApply`.
    join_option: Option<String>,
    /// At most 500; none for `AVChatRoom`.
    #[serde(default)]
    member_list: Vec<NewMember>,
    /// Most members; the configured limit where it is left out.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    max_member_num: Option<u64>,
    #[serde(default)]
    group_custom_field: Vec<CustomField>,
}

/// Somebody who is a member from the beginning.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewMember {
    #[serde(rename = "userID", deserialize_with = "lenient::string")]
    user_id: String,
    /// `Admin` or `Member`.
    role: Option<String>,
}

/// The group that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created {
    group: Group,
    /// Who could not be added, being in too many groups; Linnet sets no such limit.
    #[serde(rename = "overLimitUserIDList")]
    over_limit: Vec<String>,
}

/// Who is to be added.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AddRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    /// At most 500.
    #[serde(rename = "userIDList", deserialize_with = "lenient::vec_string")]
    users: Vec<String>,
}

/// What became of each of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddReply {
    #[serde(rename = "successUserIDList")]
    success: Vec<String>,
    #[serde(rename = "failureUserIDList")]
    failure: Vec<String>,
    #[serde(rename = "existedUserIDList")]
    existed: Vec<String>,
    /// For whom the group has no room.
    #[serde(rename = "overLimitUserIDList")]
    over_limit: Vec<String>,
    group: Group,
}

/// `POST /group/createGroup`: makes a group.
pub(crate) async fn create(cx: Cx, Json(req): Json<CreateRequest>) -> Reply<Created> {
    let new = new_group(&cx, req).await?;
    let group = cx.domain.groups.create(&cx.caller, new).await?;
    Ok(Created { group: show(&cx, group).await?, over_limit: Vec::new() })
}

/// `POST /group/addGroupMember`: adds members without asking them.
pub(crate) async fn add_members(cx: Cx, Json(req): Json<AddRequest>) -> Reply<AddReply> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    check_may_add(&cx, &group)?;
    let (known, unknown) = find_users(&cx, req.users).await?;
    let asked: Vec<(UserId, String)> = known.iter().map(|(_, id)| (*id, String::new())).collect();
    let outcomes = cx.domain.groups.add_members(&cx.caller, GroupId(group.id), &asked).await?;
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Id(GroupId(group.id))).await?;
    let group = show(&cx, group).await?;
    let mut reply = AddReply { success: vec![], failure: unknown, existed: vec![], over_limit: vec![], group };
    for ((uid, _), (_, outcome)) in known.into_iter().zip(outcomes) {
        reply.list_for(&outcome).push(uid);
    }
    Ok(reply)
}

impl AddReply {
    fn list_for(&mut self, outcome: &Added) -> &mut Vec<String> {
        match outcome {
            Added::Yes => &mut self.success,
            Added::Already => &mut self.existed,
            Added::Failed(domain::Error::Denied(domain::Denial::GroupFull)) => &mut self.over_limit,
            Added::Failed(_) => &mut self.failure,
        }
    }
}

/// tim's own rule: only groups of friends grow by their members' hands.
fn check_may_add(cx: &Cx, group: &Stored) -> Result<(), Error> {
    match group.kind() {
        GroupKind::Private => Ok(()),
        GroupKind::Room => Err(Error::permission("nobody is added to an AVChatRoom; users join it")),
        GroupKind::Public | GroupKind::Meeting | GroupKind::Super if cx.caller.is_privileged() => Ok(()),
        GroupKind::Public | GroupKind::Meeting | GroupKind::Super => {
            Err(Error::permission("only the app's admins add members to this kind of group; users join it"))
        }
    }
}

/// The users of these userIDs, once each and in their order, and the userIDs that nobody has.
pub(super) async fn find_users(cx: &Cx, uids: Vec<String>) -> Reply<(Vec<(String, UserId)>, Vec<String>)> {
    if uids.is_empty() || uids.len() > cx.config.max_users_per_call {
        let most = cx.config.max_users_per_call;
        return Err(Error::parameter(format!("userIDList: must name 1 to {most} users")));
    }
    let asked: Vec<UserRef> = uids.iter().map(|uid| UserRef::Uid(uid.clone())).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (uid, user) in uids.into_iter().zip(found) {
        match user.map(|user| UserId(user.id)) {
            Some(id) if known.iter().any(|(_, other)| *other == id) => {}
            Some(id) => known.push((uid, id)),
            None => unknown.push(uid),
        }
    }
    Ok((known, unknown))
}

async fn new_group(cx: &Cx, req: CreateRequest) -> Reply<NewGroup> {
    check_bytes("name", Some(&req.name), 1, 30)?;
    check_bytes("introduction", Some(&req.introduction), 0, 240)?;
    check_bytes("notification", Some(&req.notification), 0, 300)?;
    check_bytes("avatar", Some(&req.avatar), 0, 100)?;
    let kind = kind_of(req.kind.as_deref())?;
    if kind == GroupKind::Room && !req.member_list.is_empty() {
        return Err(Error::parameter("memberList: nobody is added to an AVChatRoom; users join it"));
    }
    let fields: Vec<_> = req.group_custom_field.into_iter().map(Into::into).collect();
    Ok(NewGroup {
        gid: req.group_id.filter(|gid| !gid.is_empty()),
        name: req.name,
        avatar: req.avatar,
        introduction: req.introduction,
        announcement: req.notification,
        custom_fields: write_fields(&fields),
        kind,
        join_policy: policy_of(kind, req.join_option.as_deref())?,
        owner_is_member: true,
        // In groups of friends, everybody may change what the group says of itself.
        members_may_edit: kind == GroupKind::Private,
        members: members_of(cx, req.member_list).await?,
        capacity: req.max_member_num.map_or(0, |most| u32::try_from(most).unwrap_or(u32::MAX)),
        ..NewGroup::default()
    })
}

async fn members_of(cx: &Cx, list: Vec<NewMember>) -> Reply<Vec<(UserId, Role)>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let mut roles = Vec::with_capacity(list.len());
    for member in &list {
        roles.push(match member.role.as_deref() {
            None | Some("" | "Member") => Role::Member,
            Some("Admin") => Role::Admin,
            Some(_) => return Err(Error::parameter("memberList.role: must be Admin or Member")),
        });
    }
    if list.len() > cx.config.max_users_per_call {
        return Err(Error::parameter(format!("memberList: names more than {} users", cx.config.max_users_per_call)));
    }
    let asked: Vec<UserRef> = list.into_iter().map(|member| UserRef::Uid(member.user_id)).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let known: Option<Vec<UserId>> = found.into_iter().map(|user| Some(UserId(user?.id))).collect();
    let known = known.ok_or(domain::Error::NotFound(domain::Noun::User))?;
    Ok(known.into_iter().zip(roles).collect())
}

fn kind_of(name: Option<&str>) -> Result<GroupKind, Error> {
    match name {
        None | Some("" | "Private" | "Work") => Ok(GroupKind::Private),
        Some("Public") => Ok(GroupKind::Public),
        Some("ChatRoom" | "Meeting") => Ok(GroupKind::Meeting),
        Some("AVChatRoom") => Ok(GroupKind::Room),
        Some(_) => Err(Error::parameter("type: must be Private, Public, ChatRoom or AVChatRoom")),
    }
}

/// How one joins: a public group decides, the other kinds are what they are.
fn policy_of(kind: GroupKind, option: Option<&str>) -> Result<JoinPolicy, Error> {
    let chosen = join_policy(option.unwrap_or_default())?;
    Ok(match kind {
        GroupKind::Public => chosen,
        GroupKind::Private => JoinPolicy::Closed,
        GroupKind::Meeting | GroupKind::Room | GroupKind::Super => JoinPolicy::Open,
    })
}
