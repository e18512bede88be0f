//! openim's members of groups: `POST /group/invite_user_to_group` and `/group/kick_group`.

use domain::groups::Added;
use domain::{GroupId, GroupRef, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bind::{Bind, Bound, Rules};
use super::users::too_many;
use super::{Error, Refusal, Reply};
use crate::context::Cx;

/// Whom to add.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct InviteRequest {
    #[serde(rename = "groupID")]
    #[schema(required = true, min_length = 1)]
    group_id: String,
    #[schema(required = true, min_items = 1)]
    uid_list: Vec<String>,
    /// Taken and not used.
    reason: String,
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
}

/// Whom to remove.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct KickRequest {
    #[serde(rename = "groupID")]
    #[schema(required = true, min_length = 1)]
    group_id: String,
    /// As the document has it.
    uid_list_info: Vec<Kicked>,
    /// As some clients send it.
    uid_list: Vec<String>,
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
}

/// One who is removed.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Kicked {
    user_id: String,
}

/// What became of one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberResult {
    uid: String,
    /// 0 for success, -1 for not.
    result: i8,
}

impl Bind for InviteRequest {
    const NAME: &'static str = "paramsInviteUserToGroup";

    fn rules(&self, rules: &mut Rules) {
        rules.required("GroupID", !self.group_id.is_empty());
        rules.required("UidList", !self.uid_list.is_empty());
        rules.required("OperationID", !self.operation_id.is_empty());
    }
}

impl Bind for KickRequest {
    const NAME: &'static str = "paramsKickGroupMember";

    fn rules(&self, rules: &mut Rules) {
        rules.required("GroupID", !self.group_id.is_empty());
        rules.required("OperationID", !self.operation_id.is_empty());
    }
}

/// `POST /group/invite_user_to_group`: adds users, without asking them.
pub(super) async fn invite(cx: Cx, Bound(request): Bound<InviteRequest>) -> Reply<Vec<MemberResult>> {
    let group = group_of(&cx, request.group_id).await?;
    let asked = users_of(&cx, request.uid_list).await?;
    let users: Vec<_> = asked.iter().filter_map(|(_, user)| Some(((*user)?, String::new()))).collect();
    let added = cx.domain.groups.add_members(&cx.caller, group, &users).await.map_err(Error::at_group)?;
    Ok(results(asked, added.into_iter().map(|(_, added)| matches!(added, Added::Yes))))
}

/// `POST /group/kick_group`: removes members.
pub(super) async fn kick(cx: Cx, Bound(request): Bound<KickRequest>) -> Reply<Vec<MemberResult>> {
    let (group_id, uids) = request.parts()?;
    let group = group_of(&cx, group_id).await?;
    let me = cx.caller.user().ok();
    let mut asked = users_of(&cx, uids).await?;
    // Nobody removes oneself this way.
    asked.iter_mut().filter(|(_, user)| user.is_some() && *user == me).for_each(|(_, user)| *user = None);
    let users: Vec<UserId> = asked.iter().filter_map(|(_, user)| *user).collect();
    let removed = cx.domain.groups.remove_each(&cx.caller, group, &users).await.map_err(Error::at_group)?;
    Ok(results(asked, removed.into_iter().map(|(_, result)| result.is_ok())))
}

impl KickRequest {
    /// The group, and everybody who is named, in either form.
    fn parts(self) -> Reply<(String, Vec<String>)> {
        let mut uids = self.uid_list;
        uids.extend(self.uid_list_info.into_iter().map(|kicked| kicked.user_id));
        if uids.is_empty() { Err(Error::Refused(Refusal::NO_PARAMS)) } else { Ok((self.group_id, uids)) }
    }
}

async fn group_of(cx: &Cx, group_id: String) -> Reply<GroupId> {
    let found = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(group_id)).await;
    Ok(GroupId(found.map_err(Error::at_group)?.id))
}

/// The users of these uids; `None` for a uid that nobody has.
async fn users_of(cx: &Cx, uids: Vec<String>) -> Reply<Vec<(String, Option<UserId>)>> {
    let limit = cx.config.max_users_per_call;
    if uids.len() > limit {
        return Err(too_many("uidList", uids.len(), limit));
    }
    let asked: Vec<UserRef> = uids.iter().map(|uid| UserRef::Uid(uid.clone())).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    Ok(uids.into_iter().zip(found.into_iter().map(|user| user.map(|user| UserId(user.id)))).collect())
}

/// What became of everyone, where `successes` tells it for those who exist, in order.
fn results(asked: Vec<(String, Option<UserId>)>, mut successes: impl Iterator<Item = bool>) -> Vec<MemberResult> {
    let mut result_of = |(uid, user): (String, Option<UserId>)| {
        let success = user.and_then(|_| successes.next()).unwrap_or(false);
        MemberResult { uid, result: if success { 0 } else { -1 } }
    };
    asked.into_iter().map(&mut result_of).collect()
}
