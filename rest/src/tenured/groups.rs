//! tenured's groups: making, telling, changing and ending them. Their members are in `group_members.rs`.
//!
//! The document names these calls in a comment only. Their paths and fields are ours, in its style.

use domain::groups::{GroupChange, NewGroup, gid_of};
use domain::record::{Group as Stored, GroupKind, JoinPolicy, Role};
use domain::{GroupId, GroupRef, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::messages::{check_count, find};
use super::{Reply, Shape, Tenured, group_members};
use crate::context::Cx;
use crate::dialect::Fault;
use crate::input::Json;
use crate::lenient;
use crate::route::{POST, Route, on};

/// The part of the table that is about groups.
pub(super) fn routes() -> Vec<Route<Tenured>> {
    vec![
        on(POST, "/v1/create_group", create).shape(Shape::Text).says("Makes a group", CREATE),
        on(POST, "/v1/update_group", update)
            .says("Changes a group", "Ours; the document only names it. What is left out stays as it is."),
        on(POST, "/v1/dismiss_group", dismiss)
            .says("Ends a group", "Ours; the document only names it. Whoever was a member keeps what was said."),
        on(POST, "/v1/get_group", get)
            .shape(Shape::Text)
            .says("Tells about groups", "Ours; the document only names it. Unknown groups are left out."),
        on(POST, "/v1/set_group_owner", set_owner).says(
            "Hands a group over",
            "Ours; the document only names it. To a member; the former owner stays, as a plain member.",
        ),
        on(POST, "/v1/add_group_member", group_members::add).shape(Shape::Text).says("Adds members", ADD),
        on(POST, "/v1/get_group_member", group_members::get)
            .shape(Shape::Text)
            .says("Tells about members", "Ours; the document only names it. Those who are named, or a page of all."),
        on(POST, "/v1/update_group_member", group_members::update)
            .says("Changes a member", "Ours; the document only names it. What is left out stays as it is."),
        on(POST, "/v1/delete_group_member", group_members::delete)
            .shape(Shape::Text)
            .says("Removes members", "Ours; the document only names it. `results` tells what became of each."),
        on(POST, "/v1/quit_group", group_members::quit).says(
            "Lets a member leave",
            "Ours; the document only names it. The owner has to hand the group over first.",
        ),
        on(POST, "/v1/mute_group_member", group_members::mute).shape(Shape::Text).says(
            "Silences members",
            "Ours; the document only names it. `seconds` from now, -1 for ever. `results` tells what became of each.",
        ),
        on(POST, "/v1/unmute_group_member", group_members::unmute)
            .shape(Shape::Text)
            .says("Lets members speak again", "Ours; the document only names it. `results` tells what became of each."),
    ]
}

const CREATE: &str = "Ours; the document only names it. Without `ownerId`, the app itself owns the group. Without `groupId`, one is made up. \
    A member who does not exist is error 3002, and then nothing is made.";

const ADD: &str = "Ours; the document only names it. `silent`, which is the default, adds users without asking them. Otherwise `inviterId` \
    invites them: users who want to be asked are asked, the others are members at once. `results` tells what became of each.";

/// A group to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateRequest {
    /// The app's own id, at most 64 bytes.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    group_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::opt_string")]
    owner_id: Option<String>,
    group_name: String,
    #[serde(default)]
    introduction: String,
    #[serde(default)]
    notice: String,
    #[serde(default)]
    head_img_url: String,
    /// The app's own.
    #[serde(default)]
    extension: String,
    #[serde(default)]
    group_type: Kind,
    #[serde(default)]
    join_option: Joining,
    /// Most members; 0 for the configured limit.
    #[serde(default)]
    max_members: u32,
    /// Who is in it from the beginning, besides the owner.
    #[serde(default, deserialize_with = "lenient::vec_string")]
    user_ids: Vec<String>,
}

/// What changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdateRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(default)]
    group_name: Option<String>,
    #[serde(default)]
    introduction: Option<String>,
    #[serde(default)]
    notice: Option<String>,
    #[serde(default)]
    head_img_url: Option<String>,
    /// The app's own.
    #[serde(default)]
    extension: Option<String>,
    #[serde(default)]
    join_option: Option<Joining>,
    /// Whether only the owner and admins may speak.
    #[serde(default)]
    mute_all: Option<bool>,
}

/// Which group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfGroup {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
}

/// Which groups.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetRequest {
    #[serde(deserialize_with = "lenient::vec_string")]
    group_ids: Vec<String>,
}

/// Who is to own a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnerRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
}

/// Who can find a group.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Its members.
    #[default]
    Private,
    /// Anyone.
    Public,
    /// Anyone, and anyone may join.
    Meeting,
    /// A chat room.
    Room,
    /// Its members, of whom there may be very many.
    Super,
}

/// Who may join a group.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Joining {
    /// Anyone.
    Open,
    /// Whoever the owner or an admin lets in.
    #[default]
    Approval,
    /// Nobody, without being added.
    Closed,
}

/// The group that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created {
    group_id: String,
}

/// Groups.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Groups {
    groups: Vec<Group>,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    group_id: String,
    group_name: String,
    /// Empty where the app itself owns the group.
    owner_id: String,
    introduction: String,
    notice: String,
    head_img_url: String,
    extension: String,
    group_type: Kind,
    join_option: Joining,
    mute_all: bool,
    members: u32,
    max_members: u32,
    /// Unix milliseconds.
    create_time: i64,
    /// Unix milliseconds.
    update_time: i64,
}

/// `POST /v1/create_group`: makes a group.
pub(super) async fn create(cx: Cx, Json(req): Json<CreateRequest>) -> Reply<Created> {
    let new = new_group(&cx, req).await?;
    let group = cx.domain.groups.create(&cx.caller, new).await?;
    Ok(Created { group_id: gid_of(&group) })
}

/// `POST /v1/update_group`: changes a group.
pub(super) async fn update(cx: Cx, Json(req): Json<UpdateRequest>) -> Reply<()> {
    let group = find_group(&cx, req.group_id).await?;
    let change = GroupChange {
        name: req.group_name,
        avatar: req.head_img_url,
        introduction: req.introduction,
        announcement: req.notice,
        extension: req.extension,
        join_policy: req.join_option.map(Into::into),
        muted_until: req.mute_all.map(|muted| if muted { -1 } else { 0 }),
        ..GroupChange::default()
    };
    cx.domain.groups.update(&cx.caller, group, change).await?;
    Ok(())
}

/// `POST /v1/dismiss_group`: ends a group.
pub(super) async fn dismiss(cx: Cx, Json(req): Json<OfGroup>) -> Reply<()> {
    let group = find_group(&cx, req.group_id).await?;
    Ok(cx.domain.groups.dismiss(&cx.caller, group).await?)
}

/// `POST /v1/get_group`: tells about groups.
pub(super) async fn get(cx: Cx, Json(req): Json<GetRequest>) -> Reply<Groups> {
    check_count(&cx, "groupIds", req.group_ids.len())?;
    let asked: Vec<GroupRef> = req.group_ids.into_iter().map(GroupRef::Gid).collect();
    let found: Vec<Stored> = cx.domain.groups.find_many(&cx.caller, &asked).await?.into_iter().flatten().collect();
    let owners: Vec<UserId> = found.iter().map(|group| UserId(group.owner)).collect();
    let owners = group_members::uids_of(&cx, &owners).await?;
    let now = cx.clock.now().0;
    let show = |group: Stored| {
        let owner_id = owners.get(&group.owner).cloned().unwrap_or_default();
        Group::of(group, owner_id, |group| cx.domain.groups.capacity(group), now)
    };
    Ok(Groups { groups: found.into_iter().map(show).collect() })
}

/// `POST /v1/set_group_owner`: hands a group over.
pub(super) async fn set_owner(cx: Cx, Json(req): Json<OwnerRequest>) -> Reply<()> {
    let group = find_group(&cx, req.group_id).await?;
    let heir = find(&cx, req.user_id).await?;
    cx.domain.groups.transfer(&cx.caller, group, heir).await?;
    Ok(())
}

/// The group with this id.
pub(super) async fn find_group(cx: &Cx, group_id: String) -> Reply<GroupId> {
    Ok(GroupId(cx.domain.groups.find(&cx.caller, &GroupRef::Gid(group_id)).await?.id))
}

async fn new_group(cx: &Cx, req: CreateRequest) -> Reply<NewGroup> {
    let limit = cx.config.max_users_per_call;
    if req.user_ids.len() > limit {
        return Err(
            Fault::invalid("userIds", format!("holds {}; at most {limit} are allowed", req.user_ids.len())).into()
        );
    }
    if req.group_name.is_empty() {
        return Err(Fault::invalid("groupName", "is empty").into());
    }
    let owner = match req.owner_id {
        Some(owner) => Some(find(cx, owner).await?),
        None => None,
    };
    let asked: Vec<UserRef> = req.user_ids.into_iter().map(UserRef::Uid).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let members: Option<Vec<UserId>> = found.into_iter().map(|user| Some(UserId(user?.id))).collect();
    let members = members.ok_or(domain::Error::NotFound(domain::Noun::User))?.into_iter();
    Ok(NewGroup {
        gid: req.group_id.filter(|gid| !gid.is_empty()),
        name: req.group_name,
        avatar: req.head_img_url,
        introduction: req.introduction,
        announcement: req.notice,
        extension: req.extension,
        kind: req.group_type.into(),
        join_policy: req.join_option.into(),
        owner,
        owner_is_member: true,
        members: members.filter(|user| Some(*user) != owner).map(|user| (user, Role::Member)).collect(),
        capacity: req.max_members,
        ..NewGroup::default()
    })
}

impl Group {
    fn of(group: Stored, owner_id: String, capacity: impl FnOnce(&Stored) -> u32, now: i64) -> Self {
        Self {
            group_id: gid_of(&group),
            group_type: group.kind().into(),
            join_option: group.join_policy().into(),
            max_members: capacity(&group),
            mute_all: group.muted_until == -1 || group.muted_until > now,
            members: group.members,
            create_time: group.created,
            update_time: group.updated,
            owner_id,
            group_name: group.name,
            introduction: group.introduction,
            notice: group.announcement,
            head_img_url: group.avatar,
            extension: group.extension,
        }
    }
}

impl From<Kind> for GroupKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Private => Self::Private,
            Kind::Public => Self::Public,
            Kind::Meeting => Self::Meeting,
            Kind::Room => Self::Room,
            Kind::Super => Self::Super,
        }
    }
}

impl From<GroupKind> for Kind {
    fn from(kind: GroupKind) -> Self {
        match kind {
            GroupKind::Private => Self::Private,
            GroupKind::Public => Self::Public,
            GroupKind::Meeting => Self::Meeting,
            GroupKind::Room => Self::Room,
            GroupKind::Super => Self::Super,
        }
    }
}

impl From<Joining> for JoinPolicy {
    fn from(joining: Joining) -> Self {
        match joining {
            Joining::Open => Self::Open,
            Joining::Approval => Self::Approval,
            Joining::Closed => Self::Closed,
        }
    }
}

impl From<JoinPolicy> for Joining {
    fn from(policy: JoinPolicy) -> Self {
        match policy {
            JoinPolicy::Open => Self::Open,
            JoinPolicy::Approval => Self::Approval,
            JoinPolicy::Closed => Self::Closed,
        }
    }
}
