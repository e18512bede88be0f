//! Finding users by what they share with others: being in the app, a name to show, a mobile, a mail address.
//!
//! Each of these is a home of its own with a row per user. A row proves nothing: the user's record is asked whether it is so.
//! Rows are written before the record and removed after it. Each is unlike all others, and whoever removes one removes the one that
//! stood there before the record changed: a row that a later change has written again stays.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::store;
use storage::{Batch, Home, Key, Rest, Scan, Table};

use super::{UserKey, Users, seen_by};
use crate::caller::{Caller, Subject};
use crate::conversations::Page;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::secret::{random_number, sha256};
use crate::tables;

/// How many homes list the users of one app, so that none grows and is written to too much. Users' ids tell which; never to be changed.
const SHARES: u8 = 16;
/// Homes that one call writes at the same time.
const AT_ONCE: usize = 4;

/// What users are searched by. All are compared as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// The name to show.
    Name,
    /// The phone number.
    Mobile,
    /// The mail address, in either case of its letters.
    Email,
}

/// What leads to a user.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way<'a> {
    /// Being in the app; the share of its users that this one belongs to.
    All(u8),
    Name(&'a str),
    Mobile(&'a str),
    Email(&'a str),
}

impl Way<'_> {
    fn home(self, app: AppNumber) -> Home {
        match self {
            Self::All(share) => tables::user_index(app, 0, &[share]),
            Self::Name(name) => tables::user_index(app, 1, &sha256(name.as_bytes())),
            Self::Mobile(mobile) => tables::user_index(app, 2, &sha256(mobile.as_bytes())),
            Self::Email(email) => tables::user_index(app, 3, &sha256(email.to_lowercase().as_bytes())),
        }
    }
}

/// Leads to one user.
///
/// home: what users share.  rest: user id as u64.  value: `store.IndexedUser`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserIndexKey<'a> {
    pub(crate) app: AppNumber,
    pub(crate) way: Way<'a>,
    pub(crate) user: UserId,
}

impl Key for UserIndexKey<'_> {
    const TABLE: Table = tables::USER_INDEX;
    type Record = store::IndexedUser;
    fn home(&self) -> Home {
        self.way.home(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.user.0);
    }
}

/// A row that leads to a user, as it was before the user's record changed.
type Stale<'a> = (UserIndexKey<'a>, store::IndexedUser);

impl Users {
    /// The app's users, in an order that stays but means nothing. Privileged. A page may hold fewer than `limit` although more follow.
    ///
    /// # Errors
    /// `Denied(Credential)`; `Invalid` for a cursor that is none.
    pub async fn list(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<store::User>> {
        caller.require_privileged()?;
        let app = caller.app();
        let limit = limit.clamp(1, self.limits.page);
        let (mut share, mut from) = place(cursor)?;
        let mut listed: Vec<(u8, u64)> = Vec::new();
        while share < SHARES && listed.len() <= limit {
            // One more than asked for tells whether more follow.
            let wanted = limit + 1 - listed.len();
            let scan = Scan::<UserIndexKey<'_>>::new(Way::All(share).home(app), wanted).from(|rest| {
                rest.u64(from);
            });
            listed.extend(self.store.scan(scan).await?.into_iter().map(|row| (share, row.record.user)));
            (share, from) = (share + 1, 0);
        }
        let more = listed.len() > limit;
        listed.truncate(limit);
        let next = listed.last().filter(|_| more).map(|(share, user)| cursor_after(*share, *user));
        let ids: Vec<UserId> = listed.into_iter().map(|(_, user)| UserId(user)).collect();
        let found = self.records(app, &ids).await?;
        Ok(Page { items: found.into_iter().map(|user| seen_by(caller, user)).collect(), next })
    }

    /// Users with exactly this name to show, mobile or mail address, by id; at most as many as one page holds.
    ///
    /// # Errors
    /// `Denied(Credential)` for anonymous callers.
    pub async fn search(&self, caller: &Caller, by: Search, text: &str) -> Result<Vec<store::User>> {
        if caller.subject() == Subject::Anonymous {
            return Err(Error::Denied(Denial::Credential));
        }
        let found = self.called(caller.app(), by, text).await?;
        Ok(found.into_iter().map(|user| seen_by(caller, user)).collect())
    }

    /// As [`Self::search`], with all that the records hold.
    pub(super) async fn called(&self, app: AppNumber, by: Search, text: &str) -> Result<Vec<store::User>> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let way = match by {
            Search::Name => Way::Name(text),
            Search::Mobile => Way::Mobile(text),
            Search::Email => Way::Email(text),
        };
        let rows = self.store.scan(Scan::<UserIndexKey<'_>>::new(way.home(app), self.limits.page)).await?;
        let ids: Vec<UserId> = rows.into_iter().map(|row| UserId(row.record.user)).collect();
        let mut found = self.records(app, &ids).await?;
        found.retain(|user| user.profile.as_ref().is_some_and(|profile| leads_to(way, profile)));
        Ok(found)
    }

    /// Refuses a mobile or a mail address that somebody else has. Two who take the same one at the same time may both get it;
    /// it then logs in neither, see [`Tokens::log_in_by_any`](crate::tokens::Tokens::log_in_by_any).
    pub(super) async fn require_sole(
        &self,
        app: AppNumber,
        user: Option<UserId>,
        profile: &store::Profile,
    ) -> Result<()> {
        let ways = [(Search::Mobile, &profile.mobile, Noun::Mobile), (Search::Email, &profile.email, Noun::Email)];
        for (by, text, noun) in ways {
            let holders = self.called(app, by, text).await?;
            if holders.iter().any(|holder| Some(UserId(holder.id)) != user) {
                return Err(Error::Exists(noun));
            }
        }
        Ok(())
    }

    /// Writes the rows that lead to a new user.
    pub(super) async fn list_new(&self, app: AppNumber, user: UserId, profile: &store::Profile) -> Result<()> {
        let mut ways = vec![way_of_all(user)];
        ways.extend(ways_of(profile));
        self.put_rows(app, user, ways).await
    }

    /// Writes the rows that will lead to a user; answers those that will not any more, for [`Self::unlist`] once the record has changed.
    pub(super) async fn list_anew<'a>(
        &self,
        app: AppNumber,
        user: UserId,
        before: &'a store::Profile,
        after: &store::Profile,
    ) -> Result<Vec<Stale<'a>>> {
        let gone = ways_of(before).into_iter().filter(|way| !leads_to(*way, after));
        let stale = self.rows_of(app, user, gone.collect()).await?;
        let new = ways_of(after).into_iter().filter(|way| !leads_to(*way, before));
        self.put_rows(app, user, new.collect()).await?;
        Ok(stale)
    }

    /// Every row that leads to a user.
    pub(super) async fn all_rows<'a>(
        &self,
        app: AppNumber,
        user: UserId,
        profile: &'a store::Profile,
    ) -> Result<Vec<Stale<'a>>> {
        let mut ways = ways_of(profile);
        ways.push(way_of_all(user));
        self.rows_of(app, user, ways).await
    }

    /// Removes rows, unless they were written again since they were read.
    pub(super) async fn unlist(&self, stale: Vec<Stale<'_>>) -> Result<()> {
        for (key, row) in stale {
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, Some(&row)).delete(&key);
            match self.store.commit(batch).await {
                Ok(()) | Err(storage::Error::Conflict) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    async fn rows_of<'a>(&self, app: AppNumber, user: UserId, ways: Vec<Way<'a>>) -> Result<Vec<Stale<'a>>> {
        let keys: Vec<_> = ways.into_iter().map(|way| UserIndexKey { app, way, user }).collect();
        let rows = self.store.get_many(&keys).await?;
        Ok(keys.into_iter().zip(rows).filter_map(|(key, row)| Some((key, row?))).collect())
    }

    async fn put_rows(&self, app: AppNumber, user: UserId, ways: Vec<Way<'_>>) -> Result<()> {
        let mut batches = Vec::with_capacity(ways.len());
        for way in ways {
            let key = UserIndexKey { app, way, user };
            let row = store::IndexedUser { user: user.0, claim: random_number() };
            let mut batch = Batch::new(key.home());
            batch.put(&key, &row);
            batches.push(batch);
        }
        let commits = batches.into_iter().map(|batch| self.store.commit(batch));
        stream::iter(commits).buffer_unordered(AT_ONCE).try_collect::<()>().await.map_err(Error::from)
    }

    async fn records(&self, app: AppNumber, ids: &[UserId]) -> Result<Vec<store::User>> {
        let keys: Vec<_> = ids.iter().map(|user| UserKey { app, user: *user }).collect();
        Ok(self.store.get_many(&keys).await?.into_iter().flatten().collect())
    }
}

fn way_of_all(user: UserId) -> Way<'static> {
    Way::All((user.0 % u64::from(SHARES)) as u8)
}

/// What leads to whoever has this profile, but for being in the app.
fn ways_of(profile: &store::Profile) -> Vec<Way<'_>> {
    let ways = [
        (Way::Name(&profile.name), &profile.name),
        (Way::Mobile(&profile.mobile), &profile.mobile),
        (Way::Email(&profile.email), &profile.email),
    ];
    ways.into_iter().filter(|(_, text)| !text.is_empty()).map(|(way, _)| way).collect()
}

fn leads_to(way: Way<'_>, profile: &store::Profile) -> bool {
    match way {
        Way::All(_) => true,
        Way::Name(name) => profile.name == name,
        Way::Mobile(mobile) => profile.mobile == mobile,
        Way::Email(email) => profile.email.to_lowercase() == email.to_lowercase(),
    }
}

/// Where a cursor's page begins: the share and the first id in it.
fn place(cursor: Option<&[u8]>) -> Result<(u8, u64)> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok((0, 0)) };
    let begins = cursor.split_first().and_then(|(share, last)| {
        let last = u64::from_be_bytes(last.try_into().ok()?);
        Some((*share, last.checked_add(1)?))
    });
    begins.ok_or_else(|| Error::Invalid { field: "cursor", message: "must be one that a page gave".to_owned() })
}

fn cursor_after(share: u8, user: u64) -> bytes::Bytes {
    let mut cursor = vec![share];
    cursor.extend_from_slice(&user.to_be_bytes());
    cursor.into()
}
