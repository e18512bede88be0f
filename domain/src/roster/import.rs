//! Friends that an app brings along: nobody is asked.

use std::collections::{BTreeMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::entry;
use proto::entry::tip::Kind;
use proto::store::{Contact, Relation};

use super::{ContactKey, Roster};
use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{AppNumber, UserId, UserRef};
use crate::text::check_text;

/// How many friends' rows are written at a time.
const AT_ONCE: usize = 16;

/// A friend to be, and what the user notes about the friend.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Who.
    pub user: UserRef,
    /// What the user calls the friend; empty leaves that as it is.
    pub remark: String,
    /// The app's own; empty leaves it as it is.
    pub extension: String,
}

impl Roster {
    /// Makes friends of the caller and others, whatever their policies; for each, whether that is so now: `false` for who does not exist,
    /// and for the caller. Those who are friends already stay so. Privileged: the app acts for the user whose friends they are.
    ///
    /// The others' rows come first, then the caller's in one commit; a crash in between leaves the caller's side as it was, and the same
    /// call again completes it.
    ///
    /// # Errors
    /// `Denied(Credential)`; `Invalid` for too many or too long.
    pub async fn import(&self, caller: &Caller, friends: &[Imported]) -> Result<Vec<bool>> {
        caller.require_privileged()?;
        self.check_batch(friends.len())?;
        for friend in friends {
            check_text("remark", &friend.remark, self.config.name_limit)?;
            check_text("extension", &friend.extension, self.config.text_limit)?;
        }
        let (app, own) = (caller.app(), caller.user()?);
        let refs: Vec<UserRef> = friends.iter().map(|friend| friend.user.clone()).collect();
        let found = self.users.resolve(app, &refs).await?;
        let ids: Vec<Option<UserId>> =
            found.iter().map(|user| user.as_ref().map(|user| UserId(user.id)).filter(|&id| id != own)).collect();
        let noted: BTreeMap<UserId, &Imported> =
            ids.iter().zip(friends).filter_map(|(id, friend)| Some(((*id)?, friend))).collect();
        let befriend = |row: &mut Contact| row.relation = Relation::Friend as i32;
        let users: Vec<UserId> = noted.keys().copied().collect();
        let on_their_side =
            |user: UserId| async move { self.change(&ContactKey { app, user, contact: own }, own, befriend).await };
        stream::iter(users.clone()).map(on_their_side).buffer_unordered(AT_ONCE).try_collect::<Vec<bool>>().await?;
        let before = self.friends_among(app, own, &users).await?;
        let set = |row: &mut Contact| {
            befriend(row);
            let Some(noted) = noted.get(&UserId(row.user)) else { return };
            if !noted.remark.is_empty() {
                row.remark.clone_from(&noted.remark);
            }
            if !noted.extension.is_empty() {
                row.extension.clone_from(&noted.extension);
            }
        };
        let mut new = self.change_all(app, own, own, &users, set).await?;
        new.retain(|user| !before.contains(user));
        self.tell_imported(caller, own, &new).await?;
        Ok(ids.into_iter().map(|id| id.is_some()).collect())
    }

    /// Those of the users who are friends already.
    async fn friends_among(&self, app: AppNumber, own: UserId, users: &[UserId]) -> Result<HashSet<UserId>> {
        let keys: Vec<ContactKey> = users.iter().map(|&contact| ContactKey { app, user: own, contact }).collect();
        let rows = self.store.get_many(&keys).await?.into_iter().flatten();
        Ok(rows.filter(|row| row.relation() == Relation::Friend).map(|row| UserId(row.user)).collect())
    }

    /// One notice for the user, and one for each new friend.
    async fn tell_imported(&self, caller: &Caller, own: UserId, new: &[UserId]) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let tell = |user: UserId| {
            let tip = entry::Tip { kind: Kind::FriendAccepted as i32, users: vec![user.0], ..entry::Tip::default() };
            self.log.notice(caller.app_shared(), user, own, tip)
        };
        stream::iter(new.to_vec()).map(tell).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        self.tell_own(caller, own, Kind::FriendAccepted, new).await
    }
}
