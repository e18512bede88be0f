//! Who is in a group: lists, profiles, roles, names, silence.

use std::collections::HashMap;

use domain::groups::MemberChange;
use domain::record::{Group as Stored, GroupKind, Member as Row, Role};
use domain::users::uid_of;
use domain::{GroupId, GroupRef, Noun, UserId, UserRef, record};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::group::{CustomField, Group, show};
use super::group_profile::OfGroup;
use super::groups::find_users;
use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// Members on a page where the caller does not say, and at most.
const USUAL_PAGE: u64 = 15;
const MOST_ON_A_PAGE: u64 = 100;
/// Most members whose profiles are told at once.
const MOST_PROFILES: usize = 50;

/// Which members.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ListRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    /// 15 where it is left out, at most 100.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    count: Option<u64>,
    /// How many to skip.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    offset: Option<u64>,
}

/// Whose membership.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    /// At most 50.
    #[serde(rename = "userIDList", deserialize_with = "lenient::vec_string")]
    users: Vec<String>,
    /// Keys of the custom fields that are wanted; all where it is left out or empty.
    #[serde(default)]
    member_custom_field_filter: Vec<String>,
}

/// Who is to be removed.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeleteRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(rename = "userIDList", deserialize_with = "lenient::vec_string")]
    users: Vec<String>,
}

/// Who is to be silent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MuteRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(rename = "userID", deserialize_with = "lenient::string")]
    user_id: String,
    /// Seconds; 0 ends it.
    #[serde(deserialize_with = "lenient::u64")]
    mute_time: u64,
}

/// Who gets which role.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RoleRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(rename = "userID", deserialize_with = "lenient::string")]
    user_id: String,
    /// `Admin` or `Member`.
    role: String,
}

/// Who is called what in the group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NameCardRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    /// The caller where it is left out.
    #[serde(rename = "userID", default, deserialize_with = "lenient::opt_string")]
    user_id: Option<String>,
    name_card: String,
}

/// Whose fields are set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomFieldRequest {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    group_id: String,
    /// The caller where it is left out.
    #[serde(rename = "userID", default, deserialize_with = "lenient::opt_string")]
    user_id: Option<String>,
    /// Fields to set; others stay.
    member_custom_field: Vec<CustomField>,
}

/// A member.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    #[serde(rename = "userID")]
    user_id: String,
    avatar: String,
    nick: String,
    /// `Owner`, `Admin` or `Member`.
    role: &'static str,
    /// Unix seconds.
    join_time: i64,
    name_card: String,
    /// Unix seconds until which the member is silent; 0 for not.
    mute_until: i64,
    member_custom_field: Vec<CustomField>,
}

/// Members.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Members {
    member_list: Vec<Member>,
}

/// How many members are online.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OnlineCount {
    member_count: u32,
}

/// Who was removed, and the group without them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Removed {
    group: Group,
    #[serde(rename = "userIDList")]
    users: Vec<String>,
}

/// A member, and the group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    group: Group,
    member: Member,
}

/// `POST /group/getGroupMemberList`: a page of the members.
pub(crate) async fn list(cx: Cx, Json(req): Json<ListRequest>) -> Reply<Members> {
    let count = req.count.unwrap_or(USUAL_PAGE);
    if !(1..=MOST_ON_A_PAGE).contains(&count) {
        return Err(Error::parameter("count: must be 1 to 100"));
    }
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    let offset = usize::try_from(req.offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let rows = cx.domain.groups.members_at(&cx.caller, GroupId(group.id), offset, count as usize).await?;
    Ok(Members { member_list: show_members(&cx, &group, rows).await? })
}

/// `POST /group/getGroupMemberProfile`: some members.
pub(crate) async fn profiles(cx: Cx, Json(req): Json<ProfileRequest>) -> Reply<Members> {
    if !(1..=MOST_PROFILES).contains(&req.users.len()) {
        return Err(Error::parameter("userIDList: must name 1 to 50 users"));
    }
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    let (known, _) = find_users(&cx, req.users).await?;
    let ids: Vec<UserId> = known.into_iter().map(|(_, id)| id).collect();
    let rows = cx.domain.groups.members_of(&cx.caller, GroupId(group.id), &ids).await?;
    let mut member_list = show_members(&cx, &group, rows.into_iter().flatten().collect()).await?;
    member_list.iter_mut().for_each(|member| member.keep_fields(&req.member_custom_field_filter));
    Ok(Members { member_list })
}

/// `POST /group/getGroupOnlineMemberCount`: how many members are online.
pub(crate) async fn online_count(cx: Cx, Json(req): Json<OfGroup>) -> Reply<OnlineCount> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    // The original counts in its largest rooms only, and says 0 elsewhere; so its clients show a count only where there is one.
    if group.kind() != GroupKind::Room {
        return Ok(OnlineCount { member_count: 0 });
    }
    Ok(OnlineCount { member_count: cx.domain.groups.in_room(&cx.caller, GroupId(group.id)).await? })
}

/// `POST /group/deleteGroupMember`: removes members.
pub(crate) async fn delete(cx: Cx, Json(req): Json<DeleteRequest>) -> Reply<Removed> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    if !cx.caller.is_privileged() && cx.caller.user()?.0 != group.owner {
        return Err(domain::Error::Denied(domain::Denial::NotOwner).into());
    }
    let (known, _) = find_users(&cx, req.users).await?;
    let ids: Vec<UserId> = known.iter().map(|(_, id)| *id).collect();
    let results = cx.domain.groups.remove_each(&cx.caller, GroupId(group.id), &ids).await?;
    let gone = known.into_iter().zip(results).filter(|(_, (_, result))| result.is_ok());
    let users = gone.map(|((uid, _), _)| uid).collect();
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Id(GroupId(group.id))).await?;
    Ok(Removed { group: show(&cx, group).await?, users })
}

/// `POST /group/setGroupMemberMuteTime`: silences a member.
pub(crate) async fn mute(cx: Cx, Json(req): Json<MuteRequest>) -> Reply<Changed> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    if group.kind() == GroupKind::Private {
        return Err(Error::permission("nobody is silent in a Private group"));
    }
    let millis = i64::try_from(req.mute_time.saturating_mul(1000)).unwrap_or(i64::MAX);
    let until = if millis == 0 { 0 } else { cx.clock.now().0.saturating_add(millis) };
    let change = MemberChange { muted_until: Some(until), ..MemberChange::default() };
    change_member(&cx, group, Some(req.user_id), change).await
}

/// `POST /group/setGroupMemberRole`: makes a member an admin, or a plain member.
pub(crate) async fn set_role(cx: Cx, Json(req): Json<RoleRequest>) -> Reply<Changed> {
    let role = match req.role.as_str() {
        "Admin" => Role::Admin,
        "Member" => Role::Member,
        _ => return Err(Error::parameter("role: must be Admin or Member")),
    };
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    let change = MemberChange { role: Some(role), ..MemberChange::default() };
    change_member(&cx, group, Some(req.user_id), change).await
}

/// `POST /group/setGroupMemberNameCard`: gives a member a name in the group.
pub(crate) async fn set_name_card(cx: Cx, Json(req): Json<NameCardRequest>) -> Reply<Changed> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    let change = MemberChange { card: Some(req.name_card), ..MemberChange::default() };
    change_member(&cx, group, req.user_id, change).await
}

/// `POST /group/setGroupMemberCustomField`: sets a member's fields.
pub(crate) async fn set_custom_field(cx: Cx, Json(req): Json<CustomFieldRequest>) -> Reply<Changed> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(req.group_id)).await?;
    let custom_fields = req.member_custom_field.into_iter().map(Into::into).collect();
    change_member(&cx, group, req.user_id, MemberChange { custom_fields, ..MemberChange::default() }).await
}

/// Changes a member, oneself if none is named.
async fn change_member(cx: &Cx, group: Stored, uid: Option<String>, change: MemberChange) -> Reply<Changed> {
    let user = match uid {
        Some(uid) => UserId(cx.domain.users.find(&cx.caller, &UserRef::Uid(uid)).await?.id),
        None => cx.caller.user()?,
    };
    let row = cx.domain.groups.update_member(&cx.caller, GroupId(group.id), user, change).await?;
    let member = show_members(cx, &group, vec![row]).await?.pop();
    let member = member.ok_or(domain::Error::NotFound(Noun::Member))?;
    Ok(Changed { group: show(cx, group).await?, member })
}

async fn show_members(cx: &Cx, group: &Stored, rows: Vec<Row>) -> Reply<Vec<Member>> {
    let asked: Vec<UserRef> = rows.iter().map(|row| UserRef::Id(UserId(row.user))).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let users: HashMap<u64, record::User> = found.into_iter().flatten().map(|user| (user.id, user)).collect();
    let now = cx.clock.now().0;
    Ok(rows.into_iter().map(|row| Member::of(group, users.get(&row.user), row, now)).collect())
}

impl Member {
    fn of(group: &Stored, user: Option<&record::User>, row: Row, now: i64) -> Self {
        let profile = user.and_then(|user| user.profile.clone()).unwrap_or_default();
        let silent = row.muted_until == -1 || row.muted_until > now;
        Self {
            // The record may be gone, the id is not.
            user_id: user.map_or_else(|| row.user.to_string(), uid_of),
            avatar: profile.avatar,
            nick: profile.name,
            role: match row.role() {
                _ if group.owner == row.user => "Owner",
                Role::Admin => "Admin",
                Role::Owner | Role::Member => "Member",
            },
            join_time: row.joined.div_euclid(1000),
            mute_until: match row.muted_until {
                _ if !silent => 0,
                // For ever, as far as 32 bits reach.
                -1 => i64::from(u32::MAX),
                until => until.div_euclid(1000),
            },
            member_custom_field: CustomField::read(&row.custom_fields),
            name_card: row.card,
        }
    }

    fn keep_fields(&mut self, keys: &[String]) {
        CustomField::keep(&mut self.member_custom_field, keys);
    }
}
