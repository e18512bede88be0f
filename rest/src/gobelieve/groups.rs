//! gobelieve's groups, as the app's server manages them: `/groups`. What clients manage is in `client_groups.rs`.

use domain::conversations::ViewChange;
use domain::groups::{Added, GroupChange, MemberChange, NewGroup};
use domain::record::{GroupKind, JoinPolicy, Mute, Role};
use domain::{Caller, ConversationId, Denial, GroupId, GroupRef, Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::users::{Member, Person, ensure, ensure_all, ensure_uid};
use super::{Error, Gobelieve, Reply};
use crate::context::{Call, Cx};
use crate::dialect::Fault;
use crate::input::{Input, Json, Path, from_json};
use crate::lenient;
use crate::names::number_of_group;
use crate::openapi::OperationDoc;

/// A new group.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateRequest {
    /// Who owns it.
    #[schema(minimum = 1)]
    pub(super) master: u64,
    pub(super) name: String,
    /// A super group; 0 and 1 are taken too.
    #[serde(rename = "super", default, deserialize_with = "lenient::boolean")]
    pub(super) is_super: bool,
    #[serde(default)]
    pub(super) members: Vec<Member>,
}

/// The group's id.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreateReply {
    pub(super) group_id: u64,
}

/// Which group.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct GroupPath {
    pub(super) gid: u64,
}

/// Which member of which group.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct MemberPath {
    pub(super) gid: u64,
    pub(super) mid: u64,
}

/// Whose settings in which group.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct SettingsPath {
    pub(super) gid: u64,
    pub(super) memberid: u64,
}

/// What of a group changes.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PatchRequest {
    name: Option<String>,
    notice: Option<String>,
}

/// What of a membership changes: the first of these that is there.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct PatchMemberRequest {
    /// Without notifications; 0 and 1 are taken too.
    #[serde(default, alias = "quiet", deserialize_with = "lenient::opt_boolean")]
    pub(super) do_not_disturb: Option<bool>,
    /// The name within the group.
    #[serde(default)]
    pub(super) nickname: Option<String>,
    /// Silent in the group; 0 and 1 are taken too. For the app's server.
    #[serde(default, deserialize_with = "lenient::opt_boolean")]
    pub(super) mute: Option<bool>,
}

/// Whom to remove.
#[derive(Debug)]
pub(super) struct RemoveRequest(Vec<Member>);

impl Input<Gobelieve> for RemoveRequest {
    fn read(call: &Call) -> Reply<Self> {
        Ok(Self(from_json(&call.body)?))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.body::<Vec<Member>>(&["application/json"]);
    }
}

impl RemoveRequest {
    /// The members' numbers.
    pub(super) fn numbers(self) -> Reply<Vec<u64>> {
        if self.0.is_empty() {
            return Err(Error::Refused("no memebers to delete"));
        }
        Ok(numbers_of(self.0).into_iter().map(|(number, _)| number).collect())
    }
}

impl TryFrom<PatchRequest> for GroupChange {
    type Error = Error;

    fn try_from(request: PatchRequest) -> Reply<Self> {
        if request.name.is_none() && request.notice.is_none() {
            return Err(Error::Refused("patch nothing"));
        }
        Ok(Self { name: request.name, announcement: request.notice, ..Self::default() })
    }
}

/// Whom to add, and in whose name.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct AddRequest {
    #[serde(default)]
    pub(super) members: Vec<Member>,
    /// Who invites them; the app itself if absent.
    #[serde(default)]
    inviter: Option<Person>,
}

impl Input<Gobelieve> for AddRequest {
    /// The original takes an object with `members`, the bare list, or one bare member.
    fn read(call: &Call) -> Reply<Self> {
        #[derive(Deserialize)]
        struct Which {
            uid: Option<u64>,
        }

        if call.text()?.trim_start().starts_with('[') {
            return Ok(Self { members: from_json(&call.body)?, inviter: None });
        }
        match from_json::<Which>(&call.body)?.uid {
            Some(_) => Ok(Self { members: vec![Member::Full(from_json(&call.body)?)], inviter: None }),
            None => Ok(from_json(&call.body)?),
        }
    }

    fn describe(doc: &mut OperationDoc) {
        doc.either_body::<Self, Vec<Member>>();
    }
}

/// `POST /groups`: a new group.
pub(super) async fn create(cx: Cx, Json(request): Json<CreateRequest>) -> Reply<CreateReply> {
    let owner = ensure_uid(&cx, "master", request.master).await?;
    let members = ensure_all(&cx, request.members).await?;
    let new = new_group(request.name, request.is_super, owner, members);
    let group = cx.domain.groups.create(&cx.caller, new).await?;
    Ok(CreateReply { group_id: number_of_group(&group) })
}

/// A group as this system makes them: nobody comes in by oneself, and any member may add others, rename the group and write its notice.
/// The owner is a member if listed, or if the owner is who makes the group.
pub(super) fn new_group(name: String, is_super: bool, owner: UserId, members: Vec<(UserId, String)>) -> NewGroup {
    NewGroup {
        name,
        kind: if is_super { GroupKind::Super } else { GroupKind::Private },
        join_policy: JoinPolicy::Closed,
        owner: Some(owner),
        owner_is_member: members.iter().any(|(user, _)| *user == owner),
        members: members.iter().filter(|(user, _)| *user != owner).map(|(user, _)| (*user, Role::Member)).collect(),
        cards: members.into_iter().filter(|(_, card)| !card.is_empty()).collect(),
        members_may_invite: Some(true),
        members_may_edit: true,
        ..NewGroup::default()
    }
}

/// `POST /groups/{gid}/members`: adds members; `false` if there was nobody to add.
pub(super) async fn add_members(cx: Cx, (Path(path), request): (Path<GroupPath>, AddRequest)) -> Reply<bool> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    let members = ensure_all(&cx, request.members).await?;
    if members.is_empty() {
        return Ok(false);
    }
    let inviter = invited_by(&cx, request.inviter).await?;
    let results = cx.domain.groups.add_members(&inviter, GroupId(group.id), &members).await?;
    added_all(results)?;
    Ok(true)
}

/// `PATCH /groups/{gid}`: changes the name. A group that is not there is no error, as in the original.
pub(super) async fn patch(cx: Cx, (Path(path), Json(request)): (Path<GroupPath>, Json<PatchRequest>)) -> Reply<()> {
    let change = GroupChange::try_from(request)?;
    let group = match cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await {
        Err(domain::Error::NotFound(_)) => return Ok(()),
        outcome => outcome?,
    };
    cx.domain.groups.update(&cx.caller, GroupId(group.id), change).await?;
    Ok(())
}

/// `DELETE /groups/{gid}`, `DELETE /client/groups/{gid}`: ends a group.
pub(super) async fn dismiss(cx: Cx, Path(path): Path<GroupPath>) -> Reply<bool> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    cx.domain.groups.dismiss(&cx.caller, GroupId(group.id)).await?;
    Ok(true)
}

/// `POST /groups/{gid}/upgrade`: makes a super group of a group.
pub(super) async fn upgrade(cx: Cx, Path(path): Path<GroupPath>) -> Reply<bool> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    cx.domain.groups.upgrade(&cx.caller, GroupId(group.id)).await?;
    Ok(true)
}

/// `DELETE /groups/{gid}/members`, `DELETE /client/groups/{gid}/members`: removes members.
pub(super) async fn remove_members(cx: Cx, (Path(path), request): (Path<GroupPath>, RemoveRequest)) -> Reply<bool> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    let users = users_among(&cx, request.numbers()?).await?;
    cx.domain.groups.remove_members(&cx.caller, GroupId(group.id), &users).await?;
    Ok(true)
}

/// `DELETE /groups/{gid}/members/{mid}`: takes a member out. The master may go too, and remains the master.
pub(super) async fn remove_member(cx: Cx, Path(path): Path<MemberPath>) -> Reply<bool> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    let users = users_among(&cx, vec![path.mid]).await?;
    cx.domain.groups.remove_members(&cx.caller, GroupId(group.id), &users).await?;
    Ok(true)
}

/// `PATCH /groups/{gid}/members/{memberid}`: a member's settings.
pub(super) async fn patch_member(
    cx: Cx,
    (Path(path), Json(request)): (Path<SettingsPath>, Json<PatchMemberRequest>),
) -> Reply<bool> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    let user = users_among(&cx, vec![path.memberid]).await?.pop().ok_or(domain::Error::NotFound(Noun::Member))?;
    let acting = cx.domain.tokens.act_as(&cx.caller, user).await?;
    change_member(&cx, &acting, GroupId(group.id), user, request).await?;
    Ok(true)
}

/// Changes a membership. `owner` is the member, or whoever acts for the member.
pub(super) async fn change_member(
    cx: &Cx,
    owner: &Caller,
    group: GroupId,
    user: UserId,
    request: PatchMemberRequest,
) -> Reply<()> {
    let change = match request {
        PatchMemberRequest { do_not_disturb: Some(quiet), .. } => {
            let mute = Some(if quiet { Mute::Notifications } else { Mute::None });
            let change = ViewChange { mute, ..ViewChange::default() };
            let outcome = cx.domain.conversations.update(owner, ConversationId::Group(group), change).await;
            // Whose conversation it is not is no member.
            return match outcome {
                Err(domain::Error::NotFound(_)) => Err(domain::Error::Denied(Denial::NotMember).into()),
                outcome => Ok(outcome?),
            };
        }
        PatchMemberRequest { nickname: Some(card), .. } => MemberChange { card: Some(card), ..MemberChange::default() },
        PatchMemberRequest { mute: Some(mute), .. } => {
            MemberChange { muted_until: Some(if mute { -1 } else { 0 }), ..MemberChange::default() }
        }
        PatchMemberRequest { .. } => return Err(Error::Refused("no action")),
    };
    cx.domain.groups.update_member(owner, group, user, change).await?;
    Ok(())
}

/// The numbers of members, and what each is to be called in the group.
pub(super) fn numbers_of(members: Vec<Member>) -> Vec<(u64, String)> {
    let person = |member: Member| {
        let person = member.person();
        (person.uid, person.name)
    };
    members.into_iter().map(person).collect()
}

/// Those of these users who exist.
pub(super) async fn users_among(cx: &Cx, numbers: Vec<u64>) -> Reply<Vec<UserId>> {
    let limit = cx.config.max_users_per_call;
    if numbers.len() > limit {
        return Err(Fault::invalid("members", format!("holds {}; at most {limit} are allowed", numbers.len())).into());
    }
    let asked: Vec<UserRef> = numbers.into_iter().map(UserRef::Number).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    Ok(found.into_iter().flatten().map(|user| UserId(user.id)).collect())
}

/// # Errors
/// The first that kept somebody out.
pub(super) fn added_all(results: Vec<(UserId, Added)>) -> Reply<()> {
    results.into_iter().try_for_each(|(_, added)| outcome(added))
}

/// Whom the group will see as the one who added the members.
async fn invited_by(cx: &Cx, inviter: Option<Person>) -> Reply<Caller> {
    let Some(inviter) = inviter else { return Ok(cx.caller.clone()) };
    let user = ensure(cx, "inviter.uid", inviter).await?;
    Ok(cx.domain.tokens.act_as(&cx.caller, UserId(user.id)).await?)
}

fn outcome(added: Added) -> Result<(), Error> {
    match added {
        Added::Yes | Added::Already => Ok(()),
        Added::Failed(error) => Err(error.into()),
    }
}
