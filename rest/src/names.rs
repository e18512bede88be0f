//! What dialects with integer ids call users and groups.
//!
//! The app's own id where it is a number, since that is how its server names them; else the internal id.

use std::collections::{BTreeSet, HashMap};

use domain::{GroupId, GroupRef, UserId, UserRef, record};

use crate::context::Cx;

/// A user's number.
#[must_use]
pub fn number_of_user(user: &record::User) -> u64 {
    canonical(&user.uid).unwrap_or(user.id)
}

/// A group's number.
#[must_use]
pub fn number_of_group(group: &record::Group) -> u64 {
    canonical(&group.gid).unwrap_or(group.id)
}

/// What a page of users or groups is called, by internal id.
#[derive(Debug, Default)]
pub struct Numbers(HashMap<u64, u64>);

impl Numbers {
    /// The number; the internal id where nothing else is known. 0, which is the app itself, stays 0.
    #[must_use]
    pub fn of(&self, id: u64) -> u64 {
        self.0.get(&id).copied().unwrap_or(id)
    }
}

/// The numbers of these users.
///
/// # Errors
/// What the store says.
pub async fn numbers_of_users(cx: &Cx, ids: impl IntoIterator<Item = u64>) -> Result<Numbers, domain::Error> {
    let ids: BTreeSet<u64> = ids.into_iter().filter(|id| *id != 0).collect();
    if ids.is_empty() {
        return Ok(Numbers::default());
    }
    let asked: Vec<UserRef> = ids.into_iter().map(|id| UserRef::Id(UserId(id))).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    Ok(Numbers(found.into_iter().flatten().map(|user| (user.id, number_of_user(&user))).collect()))
}

/// The numbers of these groups; one that the caller may not see, or that is gone, is called by its id.
///
/// # Errors
/// What the store says.
pub async fn numbers_of_groups(cx: &Cx, ids: impl IntoIterator<Item = u64>) -> Result<Numbers, domain::Error> {
    let mut numbers = HashMap::new();
    for id in ids.into_iter().collect::<BTreeSet<u64>>() {
        match cx.domain.groups.find(&cx.caller, &GroupRef::Id(GroupId(id))).await {
            Ok(group) => numbers.insert(id, number_of_group(&group)),
            Err(domain::Error::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
    }
    Ok(Numbers(numbers))
}

/// The number that a text spells in exactly one way: no sign, no leading zero, below 2^53.
fn canonical(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number > 0 && number < domain::ID_END && number.to_string() == text).then_some(number)
}
