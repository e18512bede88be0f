//! openim's groups: `POST /group/create_group`.

use domain::groups::{NewGroup, gid_of};
use domain::record::{JoinPolicy, Role};
use domain::{UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bind::{Bind, Bound, Rules};
use super::users::too_many;
use super::{Error, Reply};
use crate::context::{Cx, fresh_id};

/// A new group.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CreateRequest {
    #[schema(required = true, min_items = 1)]
    member_list: Vec<GroupMember>,
    #[schema(required = true, min_length = 1)]
    group_name: String,
    introduction: String,
    notification: String,
    face_url: String,
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
}

/// Who is in it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct GroupMember {
    #[schema(required = true, min_length = 1)]
    uid: String,
    /// 0 member, 1 owner, 2 admin.
    #[serde(rename = "setRole")]
    #[schema(minimum = 0, maximum = 2)]
    set_role: i32,
}

/// The group's id.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreateReply {
    /// 32 hex digits.
    #[serde(rename = "groupID")]
    group_id: String,
}

impl Bind for CreateRequest {
    const NAME: &'static str = "paramsCreateGroupStruct";

    fn rules(&self, rules: &mut Rules) {
        rules.required("MemberList", !self.member_list.is_empty());
        rules.required("GroupName", !self.group_name.is_empty());
        rules.required("OperationID", !self.operation_id.is_empty());
        for (row, member) in self.member_list.iter().enumerate() {
            rules.required(&format!("MemberList[{row}].UID"), !member.uid.is_empty());
            rules.keep(&format!("MemberList[{row}].SetRole"), "oneof", (0..=2).contains(&member.set_role));
        }
    }
}

/// `POST /group/create_group`: a group of the members who exist.
pub(super) async fn create(cx: Cx, Bound(request): Bound<CreateRequest>) -> Reply<CreateReply> {
    let new = new_group(&cx, request).await?;
    let group = cx.domain.groups.create(&cx.caller, new).await?;
    Ok(CreateReply { group_id: gid_of(&group) })
}

async fn new_group(cx: &Cx, request: CreateRequest) -> Reply<NewGroup> {
    let limit = cx.config.max_users_per_call;
    if request.member_list.len() > limit {
        return Err(too_many("memberList", request.member_list.len(), limit));
    }
    let wanted: Vec<UserRef> = request.member_list.iter().map(|member| UserRef::Uid(member.uid.clone())).collect();
    let found = cx.domain.users.find_many(&cx.caller, &wanted).await?;
    let known =
        request.member_list.iter().zip(found).filter_map(|(member, user)| Some((member.set_role, UserId(user?.id))));
    let (owners, others): (Vec<_>, Vec<_>) = known.partition(|(role, _)| *role == 1);
    let owner = if cx.caller.is_privileged() { appointed(&owners)? } else { cx.caller.user()? };
    // A group has one owner here; whoever else was to be one becomes an admin.
    let admins = owners.iter().map(|(_, user)| (*user, Role::Admin));
    let others = others.iter().map(|(role, user)| (*user, if *role == 2 { Role::Admin } else { Role::Member }));
    Ok(NewGroup {
        gid: Some(fresh_id()),
        name: request.group_name,
        avatar: request.face_url,
        introduction: request.introduction,
        announcement: request.notification,
        owner: Some(owner),
        owner_is_member: true,
        members: admins.chain(others).filter(|(user, _)| *user != owner).collect(),
        join_policy: JoinPolicy::Approval,
        ..NewGroup::default()
    })
}

/// The owner whom an administrator names.
fn appointed(owners: &[(i32, UserId)]) -> Reply<UserId> {
    let mut rules = Rules::new(CreateRequest::NAME);
    rules.keep("MemberList", "owner", !owners.is_empty());
    rules.finish().map_err(Error::Binding)?;
    owners.first().map(|(_, user)| *user).ok_or(Error::NoRecord)
}
