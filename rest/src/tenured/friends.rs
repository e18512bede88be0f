//! tenured's roster: friends, the block list, and groups of friends.
//!
//! The document names these calls in a comment only. Their paths and fields are ours, in its style.

use domain::record::{Contact, Relation, User};
use domain::roster::{Ask, ContactChange, Imported, Which};
use domain::users::uid_of;
use domain::{Caller, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::messages::{check_count, find};
use super::{Error, Reply};
use crate::context::Cx;
use crate::dialect::Fault;
use crate::input::Json;
use crate::{cursor, lenient};

/// Rows of a page, where nothing else is asked for.
const USUAL: usize = 100;

/// Whose roster.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
}

/// Whose roster, and whom it is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Named {
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
    #[serde(deserialize_with = "lenient::vec_string")]
    friend_ids: Vec<String>,
}

/// Whose roster, and which page of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageRequest {
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
    /// `next` of the page before; empty or absent for the first.
    #[serde(default)]
    cursor: Option<String>,
    /// Most rows of the page; 100 if absent.
    #[serde(default)]
    limit: Option<usize>,
}

/// Whose roster, and what to note about friends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FriendsRequest {
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
    friends: Vec<Note>,
}

/// A friend, and what the user notes about the friend; what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    #[serde(deserialize_with = "lenient::string")]
    friend_id: String,
    #[serde(default)]
    remark: Option<String>,
    /// The app's own.
    #[serde(default)]
    extension: Option<String>,
    /// Groups of friends that the friend is in; only where a friend is updated.
    #[serde(default)]
    groups: Option<Vec<String>>,
    /// Why; only where a friend is added.
    #[serde(default)]
    reason: String,
    /// The answer to the friend's question; only where a friend is added.
    #[serde(default)]
    answer: Option<String>,
}

/// Whose roster, which groups of friends, and who is put into them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupsRequest {
    #[serde(deserialize_with = "lenient::string")]
    user_id: String,
    groups: Vec<String>,
    #[serde(default, deserialize_with = "lenient::vec_string")]
    friend_ids: Vec<String>,
}

/// What became of each.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FriendResults {
    results: Vec<FriendOutcome>,
}

/// What became of one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FriendOutcome {
    friend_id: String,
    /// `0000` if it went well.
    error: &'static str,
    message: String,
    /// `friend`, or `requested` where the other has been asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    relation: Option<&'static str>,
}

/// A friend.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Friend {
    friend_id: String,
    user_name: String,
    head_img_url: String,
    remark: String,
    extension: String,
    groups: Vec<String>,
    /// Whether the user has blocked the friend.
    blocked: bool,
    /// Since when, in Unix milliseconds.
    time: i64,
}

/// Friends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Friends {
    friends: Vec<Friend>,
    /// `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Users on a block list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Blacklist {
    friend_ids: Vec<String>,
    /// `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// How many friendships ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    deleted: usize,
}

/// `POST /v1/add_friend`: asks users to become friends.
pub(super) async fn add(cx: Cx, Json(req): Json<FriendsRequest>) -> Reply<FriendResults> {
    check_count(&cx, "friends", req.friends.len())?;
    let owner = owner(&cx, req.user_id).await?;
    let mut results = Vec::with_capacity(req.friends.len());
    for note in req.friends {
        let friend_id = note.friend_id.clone();
        let outcome = ask(&cx, &owner, note).await;
        results.push(FriendOutcome::of(friend_id, outcome.map(Some)));
    }
    Ok(FriendResults { results })
}

/// `POST /v1/get_friend`: those of the users who are friends.
pub(super) async fn get(cx: Cx, Json(req): Json<Named>) -> Reply<Friends> {
    check_count(&cx, "friendIds", req.friend_ids.len())?;
    let owner = owner(&cx, req.user_id).await?;
    let asked: Vec<UserRef> = req.friend_ids.into_iter().map(UserRef::Uid).collect();
    let found = cx.domain.roster.people(&owner, &asked).await?.into_iter().flatten();
    let friends = found.filter(|person| person.contact.relation() == Relation::Friend);
    Ok(Friends { friends: friends.map(|person| Friend::of(person.user, person.contact)).collect(), next: None })
}

/// `POST /v1/get_all_friend`: a page of all friends.
pub(super) async fn get_all(cx: Cx, Json(req): Json<PageRequest>) -> Reply<Friends> {
    let (rows, next) = page(&cx, Which::Friends, req).await?;
    Ok(Friends { friends: rows.into_iter().map(|(user, contact)| Friend::of(user, contact)).collect(), next })
}

/// `POST /v1/import_friend`: makes users friends without asking them.
pub(super) async fn import(cx: Cx, Json(req): Json<FriendsRequest>) -> Reply<FriendResults> {
    check_count(&cx, "friends", req.friends.len())?;
    let owner = owner(&cx, req.user_id).await?;
    let friends: Vec<Imported> = req.friends.iter().map(Note::imported).collect();
    let outcomes = cx.domain.roster.import(&owner, &friends).await?;
    let results = req.friends.into_iter().zip(outcomes).map(|(note, there)| {
        let missing = domain::Error::NotFound(domain::Noun::User);
        FriendOutcome::of(note.friend_id, if there { Ok(Some("friend")) } else { Err(missing.into()) })
    });
    Ok(FriendResults { results: results.collect() })
}

/// `POST /v1/update_friend`: notes something about friends.
pub(super) async fn update(cx: Cx, Json(req): Json<FriendsRequest>) -> Reply<FriendResults> {
    check_count(&cx, "friends", req.friends.len())?;
    let owner = owner(&cx, req.user_id).await?;
    let mut results = Vec::with_capacity(req.friends.len());
    for note in req.friends {
        let friend_id = note.friend_id.clone();
        let outcome = note_down(&cx, &owner, note).await;
        results.push(FriendOutcome::of(friend_id, outcome.map(|()| None)));
    }
    Ok(FriendResults { results })
}

/// `POST /v1/delete_friend`: ends friendships.
pub(super) async fn delete(cx: Cx, Json(req): Json<Named>) -> Reply<FriendResults> {
    each(cx, req, async |cx, owner, user| cx.domain.roster.remove(owner, user).await).await
}

/// `POST /v1/delete_all_friend`: ends all friendships of a user.
pub(super) async fn delete_all(cx: Cx, Json(req): Json<Owner>) -> Reply<Deleted> {
    let owner = owner(&cx, req.user_id).await?;
    Ok(Deleted { deleted: cx.domain.roster.remove_all(&owner).await? })
}

/// `POST /v1/add_blacklist`: blocks users.
pub(super) async fn block(cx: Cx, Json(req): Json<Named>) -> Reply<FriendResults> {
    each(cx, req, async |cx, owner, user| cx.domain.roster.block(owner, user).await.map(drop)).await
}

/// `POST /v1/delete_blacklist`: unblocks users.
pub(super) async fn unblock(cx: Cx, Json(req): Json<Named>) -> Reply<FriendResults> {
    each(cx, req, async |cx, owner, user| cx.domain.roster.unblock(owner, user).await).await
}

/// `POST /v1/get_blacklist`: a page of who is blocked.
pub(super) async fn blacklist(cx: Cx, Json(req): Json<PageRequest>) -> Reply<Blacklist> {
    let (rows, next) = page(&cx, Which::Blocked, req).await?;
    Ok(Blacklist { friend_ids: rows.iter().map(|(user, _)| uid_of(user)).collect(), next })
}

/// `POST /v1/add_friend_group`: makes groups of friends, and puts friends into them.
pub(super) async fn add_groups(cx: Cx, Json(req): Json<GroupsRequest>) -> Reply<()> {
    check_count(&cx, "groups", req.groups.len())?;
    let owner = owner(&cx, req.user_id).await?;
    let asked: Vec<UserRef> = req.friend_ids.into_iter().map(UserRef::Uid).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let friends: Vec<UserId> = found.into_iter().flatten().map(|user| UserId(user.id)).collect();
    cx.domain.roster.add_groups(&owner, &req.groups, &friends).await?;
    Ok(())
}

/// `POST /v1/delete_friend_group`: deletes groups of friends; the friends stay.
pub(super) async fn delete_groups(cx: Cx, Json(req): Json<GroupsRequest>) -> Reply<()> {
    check_count(&cx, "groups", req.groups.len())?;
    let owner = owner(&cx, req.user_id).await?;
    Ok(cx.domain.roster.delete_groups(&owner, &req.groups).await?)
}

/// The app's server, acting for a user.
async fn owner(cx: &Cx, user_id: String) -> Reply<Caller> {
    let user = find(cx, user_id).await?;
    Ok(cx.domain.tokens.act_as(&cx.caller, user).await?)
}

async fn ask(cx: &Cx, owner: &Caller, note: Note) -> Reply<&'static str> {
    let user = find(cx, note.friend_id).await?;
    let ask = Ask { reason: note.reason, remark: note.remark, answer: note.answer };
    let relation = cx.domain.roster.request(owner, user, ask).await?;
    Ok(if relation == Relation::Friend { "friend" } else { "requested" })
}

async fn note_down(cx: &Cx, owner: &Caller, note: Note) -> Reply<()> {
    let user = find(cx, note.friend_id).await?;
    let change = ContactChange { remark: note.remark, extension: note.extension, groups: note.groups, mute: None };
    Ok(cx.domain.roster.update(owner, user, change).await?)
}

/// Does the same with each of the users who are named; what became of each.
async fn each(
    cx: Cx,
    req: Named,
    act: impl AsyncFn(&Cx, &Caller, UserId) -> Result<(), domain::Error>,
) -> Reply<FriendResults> {
    check_count(&cx, "friendIds", req.friend_ids.len())?;
    let owner = owner(&cx, req.user_id).await?;
    let mut results = Vec::with_capacity(req.friend_ids.len());
    for friend_id in req.friend_ids {
        let outcome = match find(&cx, friend_id.clone()).await {
            Ok(user) => act(&cx, &owner, user).await.map_err(Error::from),
            Err(error) => Err(error),
        };
        results.push(FriendOutcome::of(friend_id, outcome.map(|()| None)));
    }
    Ok(FriendResults { results })
}

/// A page of a user's contacts, without those who are gone.
async fn page(cx: &Cx, which: Which, req: PageRequest) -> Reply<(Vec<(User, Contact)>, Option<String>)> {
    let owner = owner(cx, req.user_id).await?;
    let after = cursor::read(req.cursor.as_deref())?;
    let found = cx.domain.roster.list(&owner, which, after.as_deref(), req.limit.unwrap_or(USUAL)).await?;
    let asked: Vec<UserRef> = found.items.iter().map(|contact| UserRef::Id(UserId(contact.user))).collect();
    let users = cx.domain.users.find_many(&cx.caller, &asked).await?;
    let rows = users.into_iter().zip(found.items).filter_map(|(user, contact)| Some((user?, contact)));
    Ok((rows.collect(), cursor::spell(found.next)))
}

impl Note {
    fn imported(&self) -> Imported {
        Imported {
            user: UserRef::Uid(self.friend_id.clone()),
            remark: self.remark.clone().unwrap_or_default(),
            extension: self.extension.clone().unwrap_or_default(),
        }
    }
}

impl FriendOutcome {
    fn of(friend_id: String, outcome: Reply<Option<&'static str>>) -> Self {
        match outcome {
            Ok(relation) => Self { friend_id, error: "0000", message: String::new(), relation },
            Err(error) => {
                let error = spelled(error);
                Self { friend_id, error: error.code(), message: error.message(), relation: None }
            }
        }
    }
}

/// What this file calls a field of the domain's.
fn spelled(error: Error) -> Error {
    match error {
        Error::Domain(domain::Error::Invalid { field: "user", message }) => Fault::invalid("friendId", message).into(),
        error => error,
    }
}

impl Friend {
    fn of(user: User, contact: Contact) -> Self {
        let friend_id = uid_of(&user);
        let profile = user.profile.unwrap_or_default();
        Self {
            friend_id,
            user_name: profile.name,
            head_img_url: profile.avatar,
            remark: contact.remark,
            extension: contact.extension,
            groups: contact.groups,
            blocked: contact.blocked,
            time: contact.since,
        }
    }
}
