//! Ceasing to be friends.

use proto::entry::tip::Kind;
use proto::store::{Contact, Relation};

use super::{ContactKey, Roster, Which};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::ids::UserId;

impl Roster {
    /// Ends a friendship, withdraws a request, or turns one down, on both sides. Remarks and the like stay, for the case that they meet again.
    ///
    /// # Errors
    /// `NotFound(Contact)` if there is none of these.
    pub async fn remove(&self, caller: &Caller, user: UserId) -> Result<()> {
        let (own, other) = self.two(caller, user)?;
        if self.row(&own).await?.relation() == Relation::None {
            return Err(Error::NotFound(Noun::Contact));
        }
        self.part(&own, &other).await?;
        self.tell(caller, user, Kind::FriendRemoved, "").await
    }

    /// Ends all friendships of the caller, on both sides; how many there were.
    ///
    /// One friendship after the other: a crash in between leaves the last ones, which the same call again ends.
    ///
    /// # Errors
    /// What the store says.
    pub async fn remove_all(&self, caller: &Caller) -> Result<usize> {
        let (app, user) = (caller.app(), caller.user()?);
        let mut ended = 0;
        let mut from = 0;
        loop {
            let friends = self.contacts(app, user, Which::Friends, from, self.config.roster_page).await?;
            let Some(last) = friends.last() else { return Ok(ended) };
            from = last.user + 1;
            for friend in &friends {
                let (own, other) = self.two(caller, UserId(friend.user))?;
                self.part(&own, &other).await?;
                self.tell(caller, own.contact, Kind::FriendRemoved, "").await?;
                ended += 1;
            }
        }
    }

    pub(super) async fn part(&self, own: &ContactKey, other: &ContactKey) -> Result<()> {
        let clear = |row: &mut Contact| row.relation = Relation::None as i32;
        self.change(other, own.user, clear).await?;
        self.change(own, own.user, clear).await?;
        Ok(())
    }
}
