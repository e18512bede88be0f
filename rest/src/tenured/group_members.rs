//! tenured's groups: who is in them.

use std::collections::HashMap;

use domain::groups::{Added, Invited, MemberChange};
use domain::record::{Member as Row, Role};
use domain::users::uid_of;
use domain::{Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::groups::find_group;
use super::messages::{check_count, find};
use super::{Error, Reply};
use crate::context::Cx;
use crate::dialect::Fault;
use crate::input::Json;
use crate::{cursor, lenient};

/// Members on a page, where nothing else is asked for.
const USUAL: usize = 100;
/// Longest silence that has an end: a hundred years.
const LONGEST_SECONDS: i64 = 100 * 365 * 86_400;

/// Whom to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(deserialize_with = "lenient::vec_string")]
    user_ids: Vec<String>,
    /// Without asking them; `true` if absent.
    #[serde(default = "yes")]
    silent: bool,
    /// Who invites them, unless `silent`; the app itself if absent.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    inviter_id: Option<String>,
    /// Why, for who is asked.
    #[serde(default)]
    reason: String,
}

/// Which members.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    /// These; a page of all if absent or empty.
    #[serde(default, deserialize_with = "lenient::vec_string")]
    user_ids: Vec<String>,
    /// `next` of the page before; empty or absent for the first.
    #[serde(default)]
    cursor: Option<String>,
    /// Most rows of the page; 100 if absent.
    #[serde(default)]
    limit: Option<usize>,
}

/// What of a member changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdateRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
    /// The name within the group.
    #[serde(default)]
    nickname: Option<String>,
    /// `admin` or `member`.
    #[serde(default)]
    role: Option<Standing>,
}

/// Members of a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MembersRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(deserialize_with = "lenient::vec_string")]
    user_ids: Vec<String>,
}

/// Who leaves.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuitRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
}

/// Who is to be silent, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MuteRequest {
    #[serde(deserialize_with = "lenient::string")]
    group_id: String,
    #[serde(deserialize_with = "lenient::vec_string")]
    user_ids: Vec<String>,
    /// From now; -1 for ever.
    #[serde(deserialize_with = "lenient::i64")]
    seconds: i64,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    Owner,
    Admin,
    Member,
}

/// What became of each.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Results {
    results: Vec<MemberOutcome>,
}

/// What became of one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberOutcome {
    user_id: String,
    /// `0000` if it went well.
    error: &'static str,
    message: String,
}

/// Members.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Members {
    members: Vec<Member>,
    /// `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A member.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    user_id: String,
    /// The name within the group.
    nickname: String,
    role: Standing,
    /// Unix milliseconds.
    join_time: i64,
    /// Unix milliseconds until which the member is silent; 0 for not, -1 for ever.
    mute_until: i64,
}

/// `POST /v1/add_group_member`: adds or invites users.
pub(super) async fn add(cx: Cx, Json(req): Json<AddRequest>) -> Reply<Results> {
    let group = find_group(&cx, req.group_id).await?;
    let asked = Asked::find(&cx, req.user_ids).await?;
    if req.silent {
        let users: Vec<_> = asked.known().into_iter().map(|user| (user, String::new())).collect();
        let added = cx.domain.groups.add_members(&cx.caller, group, &users).await?;
        return Ok(asked.outcomes(added.into_iter().map(|(_, added)| outcome_of_adding(added))));
    }
    let inviter = match req.inviter_id {
        Some(inviter) => cx.domain.tokens.act_as(&cx.caller, find(&cx, inviter).await?).await?,
        None => cx.caller.clone(),
    };
    let invited = cx.domain.groups.invite(&inviter, group, &asked.known(), &req.reason).await?;
    Ok(asked.outcomes(invited.into_iter().map(|(_, invited)| outcome_of_inviting(invited))))
}

/// `POST /v1/get_group_member`: tells about members.
pub(super) async fn get(cx: Cx, Json(req): Json<GetRequest>) -> Reply<Members> {
    let group = find_group(&cx, req.group_id).await?;
    if req.user_ids.is_empty() {
        let after = cursor::read(req.cursor.as_deref())?;
        let limit = req.limit.unwrap_or(USUAL);
        let page = cx.domain.groups.members(&cx.caller, group, after.as_deref(), limit).await?;
        let next = cursor::spell(page.next);
        return Ok(Members { members: show(&cx, page.items).await?, next });
    }
    let known = Asked::find(&cx, req.user_ids).await?.known();
    let rows = cx.domain.groups.members_of(&cx.caller, group, &known).await?;
    Ok(Members { members: show(&cx, rows.into_iter().flatten().collect()).await?, next: None })
}

/// `POST /v1/update_group_member`: changes a member.
pub(super) async fn update(cx: Cx, Json(req): Json<UpdateRequest>) -> Reply<()> {
    let role = match req.role {
        None => None,
        Some(Standing::Admin) => Some(Role::Admin),
        Some(Standing::Member) => Some(Role::Member),
        Some(Standing::Owner) => return Err(Fault::invalid("role", "/v1/set_group_owner hands a group over").into()),
    };
    let group = find_group(&cx, req.group_id).await?;
    let user = find(&cx, req.user_id).await?;
    let change = MemberChange { role, card: req.nickname, ..MemberChange::default() };
    cx.domain.groups.update_member(&cx.caller, group, user, change).await?;
    Ok(())
}

/// `POST /v1/delete_group_member`: removes members.
pub(super) async fn delete(cx: Cx, Json(req): Json<MembersRequest>) -> Reply<Results> {
    let group = find_group(&cx, req.group_id).await?;
    let asked = Asked::find(&cx, req.user_ids).await?;
    let removed = cx.domain.groups.remove_each(&cx.caller, group, &asked.known()).await?;
    Ok(asked.outcomes(removed.into_iter().map(|(_, result)| result)))
}

/// `POST /v1/quit_group`: lets a member leave.
pub(super) async fn quit(cx: Cx, Json(req): Json<QuitRequest>) -> Reply<()> {
    let group = find_group(&cx, req.group_id).await?;
    let member = cx.domain.tokens.act_as(&cx.caller, find(&cx, req.user_id).await?).await?;
    Ok(cx.domain.groups.leave(&member, group).await?)
}

/// `POST /v1/mute_group_member`: silences members.
pub(super) async fn mute(cx: Cx, Json(req): Json<MuteRequest>) -> Reply<Results> {
    let until = match req.seconds {
        -1 => -1,
        1..=LONGEST_SECONDS => cx.clock.now().0 + req.seconds * 1000,
        _ => return Err(Fault::invalid("seconds", format!("must be -1, or 1 to {LONGEST_SECONDS}")).into()),
    };
    silence(&cx, MembersRequest { group_id: req.group_id, user_ids: req.user_ids }, until).await
}

/// `POST /v1/unmute_group_member`: lets members speak again.
pub(super) async fn unmute(cx: Cx, Json(req): Json<MembersRequest>) -> Reply<Results> {
    silence(&cx, req, 0).await
}

async fn silence(cx: &Cx, req: MembersRequest, until: i64) -> Reply<Results> {
    let group = find_group(cx, req.group_id).await?;
    let asked = Asked::find(cx, req.user_ids).await?;
    let change = MemberChange { muted_until: Some(until), ..MemberChange::default() };
    let changed = cx.domain.groups.update_members(&cx.caller, group, &asked.known(), change).await?;
    Ok(asked.outcomes(changed.into_iter().map(|(_, result)| result.map(drop))))
}

/// What these users are called, by internal id.
pub(super) async fn uids_of(cx: &Cx, users: &[UserId]) -> Reply<HashMap<u64, String>> {
    let asked: Vec<UserRef> = users.iter().map(|user| UserRef::Id(*user)).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    Ok(found.into_iter().flatten().map(|user| (user.id, uid_of(&user))).collect())
}

async fn show(cx: &Cx, rows: Vec<Row>) -> Reply<Vec<Member>> {
    let users: Vec<UserId> = rows.iter().map(|row| UserId(row.user)).collect();
    let uids = uids_of(cx, &users).await?;
    let show = |row: Row| Member {
        // The record may be gone, the id is not.
        user_id: uids.get(&row.user).cloned().unwrap_or_else(|| row.user.to_string()),
        role: match row.role() {
            Role::Owner => Standing::Owner,
            Role::Admin => Standing::Admin,
            Role::Member => Standing::Member,
        },
        join_time: row.joined,
        mute_until: row.muted_until,
        nickname: row.card,
    };
    Ok(rows.into_iter().map(show).collect())
}

fn outcome_of_adding(added: Added) -> Result<(), domain::Error> {
    match added {
        Added::Yes => Ok(()),
        Added::Already => Err(domain::Error::Exists(Noun::Member)),
        Added::Failed(error) => Err(error),
    }
}

fn outcome_of_inviting(invited: Invited) -> Result<(), domain::Error> {
    match invited {
        Invited::Added | Invited::Waits => Ok(()),
        Invited::Already => Err(domain::Error::Exists(Noun::Member)),
        Invited::Failed(error) => Err(error),
    }
}

fn yes() -> bool {
    true
}

/// Users that a request names, in its order; `None` for who does not exist.
struct Asked(Vec<(String, Option<UserId>)>);

impl Asked {
    async fn find(cx: &Cx, user_ids: Vec<String>) -> Reply<Self> {
        check_count(cx, "userIds", user_ids.len())?;
        let asked: Vec<UserRef> = user_ids.iter().map(|id| UserRef::Uid(id.clone())).collect();
        let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
        let ids = found.into_iter().map(|user| user.map(|user| UserId(user.id)));
        Ok(Self(user_ids.into_iter().zip(ids).collect()))
    }

    fn known(&self) -> Vec<UserId> {
        self.0.iter().filter_map(|(_, id)| *id).collect()
    }

    /// What became of everyone, where `results` tells it for those who exist, in order.
    fn outcomes(self, results: impl IntoIterator<Item = Result<(), domain::Error>>) -> Results {
        let mut results = results.into_iter();
        let mut outcome_of = |(user_id, id): (String, Option<UserId>)| {
            let result = id.and_then(|_| results.next()).unwrap_or(Err(domain::Error::NotFound(Noun::User)));
            MemberOutcome::of(user_id, result)
        };
        Results { results: self.0.into_iter().map(&mut outcome_of).collect() }
    }
}

impl MemberOutcome {
    fn of(user_id: String, result: Result<(), domain::Error>) -> Self {
        match result.map_err(Error::from) {
            Ok(()) => Self { user_id, error: "0000", message: String::new() },
            Err(error) => Self { user_id, error: error.code(), message: error.message() },
        }
    }
}
