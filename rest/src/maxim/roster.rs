//! The roster: contacts, requests to become one, and the block list.

use domain::record::{FriendPolicy, FriendRequest, Mute, Relation};
use domain::roster::{Ask, ContactChange, Person, Which};
use domain::users::Search;
use domain::{Noun, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::paging::{PageQuery, Paged};
use super::{Error, Maxim, Reply};
use crate::context::{Call, Cx};
use crate::input::{Input, Json, Query, from_json};
use crate::lenient;
use crate::names::{number_of_user, numbers_of_users};
use crate::openapi::OperationDoc;

/// Contacts on a page, where nothing else is asked for.
const USUAL: usize = 1_000;
/// Requests on a page, where nothing else is asked for.
const USUAL_REQUESTS: usize = 100;

/// Which user.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct OfUser {
    #[serde(deserialize_with = "lenient::u64")]
    user_id: u64,
}

/// Which user, by mobile number.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct OfMobile {
    mobile: String,
}

/// Which user, by login name.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct OfName {
    username: String,
}

/// Who wants to write to whom.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct MayMessageQuery {
    /// Who would receive.
    #[serde(deserialize_with = "lenient::u64")]
    roster_id: u64,
    /// Who would send; the caller if absent.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    user_id: Option<u64>,
}

/// Whom to ask, and what to say.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ApplyRequest {
    /// What the caller wants to call the user.
    #[serde(default)]
    alias: Option<String>,
    /// The answer to the user's question, where `auth_mode` is 2. Without one, the user is asked.
    #[serde(default)]
    auth_answer: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(deserialize_with = "lenient::u64")]
    user_id: u64,
}

/// Several of them, or one.
#[derive(Debug)]
pub(crate) struct BatchRequest(Vec<ApplyRequest>);

/// Whose request to turn down, and why.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeclineRequest {
    #[serde(default)]
    reason: Option<String>,
    #[serde(deserialize_with = "lenient::u64")]
    user_id: u64,
}

/// What to note about a contact; what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ExtRequest {
    #[serde(default)]
    alias: Option<String>,
    #[serde(default)]
    ext: Option<String>,
    /// Whether messages of the contact come without a sound.
    #[serde(default)]
    mute_notification: Option<bool>,
    #[serde(deserialize_with = "lenient::u64")]
    user_id: u64,
}

/// Whose details to tell.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ListRequest {
    #[serde(deserialize_with = "lenient::vec_u64")]
    list: Vec<u64>,
}

/// What became of several requests.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct BatchReply {
    fails: Vec<Fail>,
    success: Vec<u64>,
}

/// One that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Fail {
    reason: String,
    user_id: u64,
}

/// A request to the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FriendApplication {
    /// Unix milliseconds; from then on it cannot be answered.
    expired_time: i64,
    reason: String,
    /// 0 it waits, 1 accepted, 2 declined.
    status: i32,
    /// Who asks.
    user_id: u64,
}

/// A user, as the caller knows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Contact {
    /// What the caller calls the user.
    alias: String,
    /// 0 anyone becomes a friend, 1 the user is asked, 2 a right answer is enough, 3 nobody.
    auth_mode: i32,
    auth_question: String,
    avatar: String,
    description: String,
    ext: String,
    mute_notification: bool,
    nick_name: String,
    public_info: String,
    /// 0 friend, 1 a friend no more, 2 stranger, 3 blocked by the caller.
    relation: u8,
    user_id: u64,
    username: String,
}

impl Input<Maxim> for BatchRequest {
    /// The document lists the fields of one request; the call is for several, so a list of them is taken too.
    fn read(call: &Call) -> Reply<Self> {
        let many = call.text()?.trim_start().starts_with('[');
        Ok(Self(if many { from_json(&call.body)? } else { vec![from_json(&call.body)?] }))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.either_body::<Vec<ApplyRequest>, ApplyRequest>();
    }
}

/// `POST|PUT /roster/accept`: accepts a request.
pub(crate) async fn accept(cx: Cx, Query(req): Query<OfUser>) -> Reply<bool> {
    let user = user_of(&cx, req.user_id).await?;
    cx.domain.roster.accept(&cx.caller, user).await?;
    Ok(true)
}

/// `POST /roster/apply`: asks a user to become a friend.
pub(crate) async fn apply(cx: Cx, Json(req): Json<ApplyRequest>) -> Reply<bool> {
    ask(&cx, req).await?;
    Ok(true)
}

/// `POST /roster/apply/batch`: asks several.
pub(crate) async fn apply_all(cx: Cx, BatchRequest(requests): BatchRequest) -> Reply<BatchReply> {
    let most = cx.config.max_users_per_call;
    if requests.len() > most {
        return Err(Error::parameter(format!("user_id: asks more than {most} users")));
    }
    let mut reply = BatchReply::default();
    for request in requests {
        let user_id = request.user_id;
        match ask(&cx, request).await {
            Ok(()) => reply.success.push(user_id),
            Err(error) => reply.fails.push(Fail { reason: error.message.into_owned(), user_id }),
        }
    }
    Ok(reply)
}

/// `GET /roster/apply/list`: requests to the caller.
pub(crate) async fn applications(cx: Cx, Query(page): Query<PageQuery>) -> Reply<Paged<FriendApplication>> {
    let (cursor, limit) = (page.cursor()?, page.limit(USUAL_REQUESTS));
    let found = cx.domain.roster.requests(&cx.caller, cursor.as_deref(), limit).await?;
    let numbers = numbers_of_users(&cx, found.items.iter().map(|request| request.user)).await?;
    Ok(Paged::uncounted(found, |request: FriendRequest| FriendApplication {
        expired_time: request.expires,
        reason: request.reason,
        status: request.status,
        user_id: numbers.of(request.user),
    }))
}

/// `POST|PUT /roster/block`: blocks a user.
pub(crate) async fn block(cx: Cx, Query(req): Query<OfUser>) -> Reply<bool> {
    let user = user_of(&cx, req.user_id).await?;
    cx.domain.roster.block(&cx.caller, user).await?;
    Ok(true)
}

/// `GET /roster/blocked_list`: who is blocked.
pub(crate) async fn blocked(cx: Cx, Query(page): Query<PageQuery>) -> Reply<Paged<u64>> {
    ids(&cx, Which::Blocked, &page).await
}

/// `POST|PUT /roster/decline`: turns a request down.
pub(crate) async fn decline(cx: Cx, Json(req): Json<DeclineRequest>) -> Reply<bool> {
    let user = user_of(&cx, req.user_id).await?;
    cx.domain.roster.decline(&cx.caller, user, &req.reason.unwrap_or_default()).await?;
    Ok(true)
}

/// `POST|DELETE /roster/delete`: ends a friendship.
pub(crate) async fn delete(cx: Cx, Query(req): Query<OfUser>) -> Reply<bool> {
    let user = user_of(&cx, req.user_id).await?;
    cx.domain.roster.remove(&cx.caller, user).await?;
    Ok(true)
}

/// `POST|PUT /roster/ext`: notes something about a contact.
pub(crate) async fn ext(cx: Cx, Json(req): Json<ExtRequest>) -> Reply<bool> {
    let user = user_of(&cx, req.user_id).await?;
    let mute = req.mute_notification.map(|on| if on { Mute::Notifications } else { Mute::None });
    let change = ContactChange { remark: req.alias, extension: req.ext, mute, ..ContactChange::default() };
    cx.domain.roster.update(&cx.caller, user, change).await?;
    Ok(true)
}

/// `GET /roster/id`: finds a user by id.
pub(crate) async fn by_id(cx: Cx, Query(req): Query<OfUser>) -> Reply<Contact> {
    one(&cx, Some(UserRef::Number(req.user_id))).await
}

/// `GET /roster/list`: the ids of all friends.
pub(crate) async fn list(cx: Cx, Query(page): Query<PageQuery>) -> Reply<Paged<u64>> {
    ids(&cx, Which::Friends, &page).await
}

/// `POST /roster/list`: what the caller may know of users.
pub(crate) async fn details(cx: Cx, Json(req): Json<ListRequest>) -> Reply<Vec<Contact>> {
    let most = cx.config.max_users_per_call;
    if req.list.len() > most {
        return Err(Error::parameter(format!("list: names more than {most} users")));
    }
    let asked: Vec<UserRef> = req.list.into_iter().map(UserRef::Number).collect();
    let found = cx.domain.roster.people(&cx.caller, &asked).await?;
    Ok(found.into_iter().flatten().map(Contact::from).collect())
}

/// `GET /roster/may_message`: whether a user may write to another.
pub(crate) async fn may_message(cx: Cx, Query(req): Query<MayMessageQuery>) -> Reply<bool> {
    let to = user_of(&cx, req.roster_id).await?;
    let from = match req.user_id {
        Some(user) => user_of(&cx, user).await?,
        None => cx.caller.user()?,
    };
    Ok(cx.domain.roster.may_message(&cx.caller, from, to).await?)
}

/// `GET /roster/mobile`: finds a user by mobile number.
pub(crate) async fn by_mobile(cx: Cx, Query(req): Query<OfMobile>) -> Reply<Contact> {
    let found = cx.domain.users.search(&cx.caller, Search::Mobile, &req.mobile).await?;
    one(&cx, found.first().map(|user| UserRef::Id(UserId(user.id)))).await
}

/// `GET /roster/name`: finds a user by login name.
pub(crate) async fn by_name(cx: Cx, Query(req): Query<OfName>) -> Reply<Contact> {
    one(&cx, Some(UserRef::Username(req.username))).await
}

/// `POST|DELETE /roster/unblock`: unblocks a user.
pub(crate) async fn unblock(cx: Cx, Query(req): Query<OfUser>) -> Reply<bool> {
    let user = user_of(&cx, req.user_id).await?;
    cx.domain.roster.unblock(&cx.caller, user).await?;
    Ok(true)
}

async fn ask(cx: &Cx, req: ApplyRequest) -> Reply<()> {
    let user = user_of(cx, req.user_id).await?;
    let ask = Ask { reason: req.reason.unwrap_or_default(), remark: req.alias, answer: req.auth_answer };
    cx.domain.roster.request(&cx.caller, user, ask).await?;
    Ok(())
}

/// The user of a number.
async fn user_of(cx: &Cx, number: u64) -> Reply<UserId> {
    Ok(UserId(cx.domain.users.find(&cx.caller, &UserRef::Number(number)).await?.id))
}

/// One user, who must exist.
async fn one(cx: &Cx, user: Option<UserRef>) -> Reply<Contact> {
    let found = match user {
        Some(user) => cx.domain.roster.people(&cx.caller, &[user]).await?.pop().flatten(),
        None => None,
    };
    Ok(found.map(Contact::from).ok_or(domain::Error::NotFound(Noun::User))?)
}

/// A page of contacts, by their numbers.
async fn ids(cx: &Cx, which: Which, page: &PageQuery) -> Reply<Paged<u64>> {
    let found = cx.domain.roster.list(&cx.caller, which, page.cursor()?.as_deref(), page.limit(USUAL)).await?;
    let numbers = numbers_of_users(cx, found.items.iter().map(|contact| contact.user)).await?;
    Ok(Paged::uncounted(found, |contact| numbers.of(contact.user)))
}

impl From<Person> for Contact {
    fn from(person: Person) -> Self {
        let user_id = number_of_user(&person.user);
        let profile = person.user.profile.unwrap_or_default();
        let settings = person.user.settings.unwrap_or_default();
        // One's own question stays in the settings, asked or not.
        let asks = settings.friend_policy() == FriendPolicy::Question;
        let relation = match person.contact.relation() {
            _ if person.contact.blocked => 3,
            Relation::Friend => 0,
            Relation::None | Relation::Requested | Relation::Pending => {
                if person.contact.ended {
                    1
                } else {
                    2
                }
            }
        };
        Self {
            alias: person.contact.remark,
            auth_mode: settings.friend_policy,
            auth_question: if asks { settings.auth_question } else { String::new() },
            avatar: profile.avatar,
            description: profile.signature,
            ext: person.contact.extension,
            mute_notification: person.mute != Mute::None,
            nick_name: profile.name,
            public_info: profile.extension,
            relation,
            user_id,
            username: person.user.username,
        }
    }
}
