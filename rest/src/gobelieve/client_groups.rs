//! gobelieve's groups, as its clients manage their own: `/client/groups`.
//!
//! Unlike the app's server, a client creates no users by naming them.

use std::collections::HashMap;

use domain::groups::GroupChange;
use domain::record::{Group as Stored, GroupKind, Member as Row, Mute, User};
use domain::{Denial, GroupId, GroupRef, Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::groups::{
    AddRequest, CreateReply, CreateRequest, GroupPath, MemberPath, PatchMemberRequest, PatchRequest, SettingsPath,
    added_all, change_member, new_group, numbers_of,
};
use super::{Error, Reply};
use crate::context::Cx;
use crate::input::{Json, Path, Query};
use crate::names::{Numbers, number_of_group, number_of_user, numbers_of_users};

/// What is wanted besides.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct ListQuery {
    /// `members`, `quiet`, both with a comma between, or neither.
    #[serde(default)]
    fields: String,
}

/// A group that the caller is in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed {
    id: u64,
    appid: u32,
    /// Who owns it; 0 for the app itself.
    master: u64,
    /// 1 for a super group, else 0.
    #[serde(rename = "super")]
    is_super: u8,
    name: String,
    notice: String,
    /// Only where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<ListedMember>>,
    /// Only where asked for as `quiet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    do_not_disturb: Option<bool>,
}

/// A member of such a group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ListedMember {
    uid: u64,
    /// The user's own name.
    name: String,
    /// The name within the group.
    nickname: String,
}

/// `POST /client/groups`: a new group of the caller's.
pub(super) async fn create(cx: Cx, Json(request): Json<CreateRequest>) -> Reply<CreateReply> {
    let me = cx.caller.user()?;
    let asked = numbers_of(request.members);
    let master = cx.domain.users.find_many(&cx.caller, &[UserRef::Number(request.master)]).await?.pop().flatten();
    if master.is_none_or(|master| master.id != me.0) {
        return Err(Error::Refused("master must be self"));
    }
    let members = all_of(&cx, asked.iter().map(|(number, _)| *number)).await?;
    let members = members.into_iter().zip(asked.into_iter().map(|(_, card)| card)).collect();
    let new = new_group(request.name, request.is_super, me, members);
    let group = cx.domain.groups.create(&cx.caller, new).await?;
    Ok(CreateReply { group_id: number_of_group(&group) })
}

/// `GET /client/groups`: the groups that the caller is in.
pub(super) async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Reply<Vec<Listed>> {
    let groups = cx.domain.groups.list_all(&cx.caller).await?;
    let owners = numbers_of_users(&cx, groups.iter().map(|group| group.owner)).await?;
    let mut listed: Vec<Listed> = groups.iter().map(|group| Listed::of(&cx, group, &owners)).collect();
    if query.asks_for("members") {
        for (row, group) in listed.iter_mut().zip(&groups) {
            row.members = Some(members_of(&cx, group).await?);
        }
    }
    if query.asks_for("quiet") {
        let ids: Vec<GroupId> = groups.iter().map(|group| GroupId(group.id)).collect();
        let own = cx.domain.groups.own_settings(&cx.caller, &ids).await?;
        listed.iter_mut().zip(own).for_each(|(row, own)| row.do_not_disturb = Some(own.mute() != Mute::None));
    }
    Ok(listed)
}

/// `PATCH /client/groups/{gid}`: changes name or notice.
pub(super) async fn patch(cx: Cx, (Path(path), Json(request)): (Path<GroupPath>, Json<PatchRequest>)) -> Reply<bool> {
    let change = GroupChange::try_from(request)?;
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    cx.domain.groups.update(&cx.caller, GroupId(group.id), change).await?;
    Ok(true)
}

/// `POST /client/groups/{gid}/members`: adds members; `false` if there was nobody to add.
pub(super) async fn add_members(cx: Cx, (Path(path), request): (Path<GroupPath>, AddRequest)) -> Reply<bool> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    let asked = numbers_of(request.members);
    if asked.is_empty() {
        return Ok(false);
    }
    let users = all_of(&cx, asked.iter().map(|(number, _)| *number)).await?;
    let members: Vec<_> = users.into_iter().zip(asked.into_iter().map(|(_, card)| card)).collect();
    added_all(cx.domain.groups.add_members(&cx.caller, GroupId(group.id), &members).await?)?;
    Ok(true)
}

/// `DELETE /client/groups/{gid}/members/{mid}`: leaves a group.
pub(super) async fn leave(cx: Cx, Path(path): Path<MemberPath>) -> Reply<bool> {
    require_self(&cx, path.mid, "no authority").await?;
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    cx.domain.groups.leave(&cx.caller, GroupId(group.id)).await?;
    Ok(true)
}

/// `PATCH /client/groups/{gid}/members/{memberid}`: the caller's own settings for a group.
pub(super) async fn patch_member(
    cx: Cx,
    (Path(path), Json(request)): (Path<SettingsPath>, Json<PatchMemberRequest>),
) -> Reply<bool> {
    require_self(&cx, path.memberid, "setting other is forbidden").await?;
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    // Whoever may be silenced does not silence oneself: that is for the app's server.
    let request = PatchMemberRequest { mute: None, ..request };
    change_member(&cx, &cx.caller, GroupId(group.id), cx.caller.user()?, request).await?;
    Ok(true)
}

impl ListQuery {
    fn asks_for(&self, field: &str) -> bool {
        self.fields.split(',').any(|each| each.trim() == field)
    }
}

impl Listed {
    fn of(cx: &Cx, group: &Stored, owners: &Numbers) -> Self {
        Self {
            id: number_of_group(group),
            appid: cx.caller.app().0,
            master: owners.of(group.owner),
            is_super: u8::from(group.kind() == GroupKind::Super),
            name: group.name.clone(),
            notice: group.announcement.clone(),
            members: None,
            do_not_disturb: None,
        }
    }
}

async fn require_self(cx: &Cx, number: u64, refusal: &'static str) -> Reply<()> {
    let found = cx.domain.users.find_many(&cx.caller, &[UserRef::Number(number)]).await?.pop().flatten();
    let me = cx.caller.user()?;
    if found.is_some_and(|user| user.id == me.0) { Ok(()) } else { Err(Error::Refused(refusal)) }
}

/// The users of these numbers, all of whom must exist.
async fn all_of(cx: &Cx, numbers: impl Iterator<Item = u64>) -> Reply<Vec<UserId>> {
    let asked: Vec<UserRef> = numbers.map(UserRef::Number).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let ids: Option<Vec<UserId>> = found.into_iter().map(|user| Some(UserId(user?.id))).collect();
    Ok(ids.ok_or(domain::Error::NotFound(Noun::User))?)
}

/// The members of a group, as far as one page goes; nobody where the group hides them.
async fn members_of(cx: &Cx, group: &Stored) -> Reply<Vec<ListedMember>> {
    let rows: Vec<Row> = match cx.domain.groups.members(&cx.caller, GroupId(group.id), None, usize::MAX).await {
        Ok(page) => page.items,
        Err(domain::Error::Denied(Denial::NotAdmin)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let asked: Vec<UserRef> = rows.iter().map(|row| UserRef::Id(UserId(row.user))).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let users: HashMap<u64, User> = found.into_iter().flatten().map(|user| (user.id, user)).collect();
    let show = |row: Row| {
        let user = users.get(&row.user);
        let profile = user.and_then(|user| user.profile.clone()).unwrap_or_default();
        ListedMember { uid: user.map_or(row.user, number_of_user), name: profile.name, nickname: row.card }
    };
    Ok(rows.into_iter().map(show).collect())
}
