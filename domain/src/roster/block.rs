//! Who may not write to a user.

use std::collections::HashSet;

use proto::entry::tip::Kind;
use proto::store::{Contact, Relation};

use super::{ContactKey, Roster};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::ids::{UserId, UserRef};

/// What becomes of a friendship with somebody who is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Friendship {
    /// It stays what it is, and counts again once the block is lifted.
    Kept,
    /// It ends, on both sides.
    Ended,
}

impl Roster {
    /// Blocks a user, who cannot write to the caller any more, and is not told. Says whether that was news.
    ///
    /// # Errors
    /// `NotFound(User)`, `Invalid`.
    pub async fn block(&self, caller: &Caller, user: UserId) -> Result<bool> {
        self.two(caller, user)?;
        match self.block_all(caller, &[user], Friendship::Kept).await?.pop() {
            Some((_, news)) => Ok(news),
            None => Err(Error::NotFound(Noun::User)),
        }
    }

    /// Blocks many; those who are blocked now, and whether that is news, in the order asked for. Who does not exist is left out,
    /// and so is the caller.
    ///
    /// Friendships that end do so on the others' side first. A crash in between leaves the caller's side as it was; the same call again
    /// completes it.
    ///
    /// # Errors
    /// `Invalid` for too many.
    pub async fn block_all(
        &self,
        caller: &Caller,
        users: &[UserId],
        friendship: Friendship,
    ) -> Result<Vec<(UserId, bool)>> {
        self.check_batch(users.len())?;
        let (app, own) = (caller.app(), caller.user()?);
        let refs: Vec<UserRef> = users.iter().map(|&user| UserRef::Id(user)).collect();
        let found = self.users.resolve(app, &refs).await?.into_iter().flatten().map(|user| UserId(user.id));
        let mut seen = HashSet::from([own]);
        let there: Vec<UserId> = found.filter(|&user| seen.insert(user)).collect();
        let ended = if friendship == Friendship::Ended {
            self.end_on_their_side(caller, own, &there).await?
        } else {
            Vec::new()
        };
        let set = |row: &mut Contact| {
            row.blocked = true;
            if friendship == Friendship::Ended {
                row.relation = Relation::None as i32;
            }
        };
        let changed = self.change_all(app, own, own, &there, set).await?;
        if !changed.is_empty() {
            self.tell_own(caller, own, Kind::BlockChanged, &changed).await?;
        }
        for user in ended {
            self.tell(caller, user, Kind::FriendRemoved, "").await?;
        }
        Ok(there.into_iter().map(|user| (user, changed.contains(&user))).collect())
    }

    /// Ends what others have with a user; those for whom there was something.
    async fn end_on_their_side(&self, caller: &Caller, own: UserId, users: &[UserId]) -> Result<Vec<UserId>> {
        let clear = |row: &mut Contact| row.relation = Relation::None as i32;
        let mut ended = Vec::new();
        for &user in users {
            if self.change(&ContactKey { app: caller.app(), user, contact: own }, own, clear).await? {
                ended.push(user);
            }
        }
        Ok(ended)
    }

    /// Unblocks a user. Unblocking somebody who is not blocked changes nothing.
    ///
    /// # Errors
    /// `Invalid`.
    pub async fn unblock(&self, caller: &Caller, user: UserId) -> Result<()> {
        self.two(caller, user)?;
        self.unblock_all(caller, &[user]).await.map(|_| ())
    }

    /// Unblocks many; those who were blocked.
    ///
    /// # Errors
    /// `Invalid` for too many.
    pub async fn unblock_all(&self, caller: &Caller, users: &[UserId]) -> Result<Vec<UserId>> {
        self.check_batch(users.len())?;
        let (app, own) = (caller.app(), caller.user()?);
        let changed = self.change_all(app, own, own, users, |row| row.blocked = false).await?;
        if !changed.is_empty() {
            self.tell_own(caller, own, Kind::BlockChanged, &changed).await?;
        }
        Ok(changed)
    }
}
