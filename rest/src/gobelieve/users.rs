//! gobelieve's users: integers that an app's server makes up.

use domain::record::{Profile, User};
use domain::users::{NewUser, ProfileChange};
use domain::{UserId, UserRef};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Reply;
use crate::context::Cx;
use crate::dialect::Fault;
use crate::lenient;

/// How many users of one list are looked up at a time.
const AT_ONCE: usize = 16;

/// A member as requests list them: an integer, or an object.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "an integer, or an object with an integer `uid`")]
pub(super) enum Member {
    /// By id alone.
    Uid(#[serde(deserialize_with = "lenient::u64")] u64),
    /// With a name to show in the group, and an avatar.
    Full(Person),
}

/// Someone, by id.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(super) struct Person {
    #[serde(deserialize_with = "lenient::u64")]
    pub(super) uid: u64,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) avatar: String,
}

impl Member {
    pub(super) fn person(self) -> Person {
        match self {
            Self::Uid(uid) => Person { uid, name: String::new(), avatar: String::new() },
            Self::Full(person) => person,
        }
    }
}

/// The user with this number, created if there is none: this system's users exist by being named.
pub(super) async fn ensure(cx: &Cx, field: &'static str, person: Person) -> Reply<User> {
    if person.uid == 0 || person.uid >= domain::ID_END {
        return Err(Fault::invalid(field, "must be from 1 to 2^53 - 1").into());
    }
    let profile = Profile { name: person.name, avatar: person.avatar, ..Profile::default() };
    let new = NewUser { uid: Some(person.uid.to_string()), profile, ..NewUser::default() };
    match cx.domain.users.ensure(&cx.caller, new).await {
        // The number is the internal id of somebody whom another system's server registered under a name.
        Err(domain::Error::Exists(_)) => Ok(cx.domain.users.find(&cx.caller, &UserRef::Number(person.uid)).await?),
        outcome => Ok(outcome?),
    }
}

/// As [`ensure`], by number alone.
pub(super) async fn ensure_uid(cx: &Cx, field: &'static str, uid: u64) -> Reply<UserId> {
    let user = ensure(cx, field, Member::Uid(uid).person()).await?;
    Ok(UserId(user.id))
}

/// As [`ensure`], for a list; with the name that each is given there.
pub(super) async fn ensure_all(cx: &Cx, members: Vec<Member>) -> Reply<Vec<(UserId, String)>> {
    let limit = cx.config.max_users_per_call;
    if members.len() > limit {
        return Err(Fault::invalid("members", format!("holds {}; at most {limit} are allowed", members.len())).into());
    }
    let one = async |member: Member| -> Reply<(UserId, String)> {
        let person = member.person();
        let name = person.name.clone();
        let user = ensure(cx, "members", person).await?;
        Ok((UserId(user.id), name))
    };
    stream::iter(members).map(one).buffered(AT_ONCE).try_collect().await
}

/// As [`rename`], by id.
pub(super) async fn rename_uid(cx: &Cx, user: UserId, name: String) -> Reply<()> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Id(user)).await?;
    rename(cx, &user, name).await
}

/// Gives a user another name, unless it is this one already.
pub(super) async fn rename(cx: &Cx, user: &User, name: String) -> Reply<()> {
    let current = user.profile.as_ref().map(|profile| profile.name.as_str()).unwrap_or_default();
    if !name.is_empty() && name != current {
        let change = ProfileChange { name: Some(name), ..ProfileChange::default() };
        cx.domain.users.update(&cx.caller, UserId(user.id), change).await?;
    }
    Ok(())
}
