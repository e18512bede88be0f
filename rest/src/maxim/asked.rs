//! Users that a request names, found at once, and what became of each.

use domain::{Noun, UserId, UserRef};

use super::outcome::UserOutcome;
use super::{Error, Reply};
use crate::context::Cx;

/// The users of a `user_list`, in its order; `None` for a number that nobody has.
pub(super) struct Asked(Vec<(u64, Option<UserId>)>);

impl Asked {
    /// Finds them.
    pub(super) async fn find(cx: &Cx, numbers: Vec<u64>) -> Reply<Self> {
        let most = cx.config.max_users_per_call;
        if !(1..=most).contains(&numbers.len()) {
            return Err(Error::parameter(format!("user_list: must name 1 to {most} users")));
        }
        let asked: Vec<UserRef> = numbers.iter().map(|number| UserRef::Number(*number)).collect();
        let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
        let ids = found.into_iter().map(|user| user.map(|user| UserId(user.id)));
        Ok(Self(numbers.into_iter().zip(ids).collect()))
    }

    /// Those who exist, in order.
    pub(super) fn known(&self) -> Vec<UserId> {
        self.0.iter().filter_map(|(_, id)| *id).collect()
    }

    /// What became of everyone, where `results` tells it for those who exist, in order.
    pub(super) fn outcomes<T>(self, results: Vec<(UserId, Result<T, domain::Error>)>) -> Vec<UserOutcome> {
        let mut results = results.into_iter();
        let mut outcome_of = |(number, id): (u64, Option<UserId>)| {
            let result = id.and_then(|_| results.next()).map(|(_, result)| result.map(drop));
            UserOutcome::of(number, result.unwrap_or(Err(domain::Error::NotFound(Noun::User))))
        };
        self.0.into_iter().map(&mut outcome_of).collect()
    }
}
