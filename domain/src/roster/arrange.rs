//! A user's own order among contacts: remarks, groups of friends, and whom to hear without a sound. The others are not told.

use std::collections::BTreeSet;

use proto::entry::tip::Kind;
use proto::store::{Contact, FriendGroup, Mute};
use storage::{Batch, Home, Key, Rest, Scan, Table};

use super::{ContactKey, Roster, Which};
use crate::caller::Caller;
use crate::conversations::MembershipKey;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, ConversationId, UserId};
use crate::retry::Tries;
use crate::tables;
use crate::text::{check_name, check_text};

/// A group of a user's friends.
///
/// home: the user.  rest: the group's name.  value: `store.FriendGroup`.
#[derive(Debug, Clone)]
pub(crate) struct FriendGroupKey<'a> {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) name: &'a str,
}

impl Key for FriendGroupKey<'_> {
    const TABLE: Table = tables::FRIEND_GROUP;
    type Record = FriendGroup;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.bytes(self.name.as_bytes());
    }
}

/// Changes to what a user notes about a contact; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ContactChange {
    /// What the user calls the contact.
    pub remark: Option<String>,
    /// The app's own.
    pub extension: Option<String>,
    /// The groups of friends that the contact is in; all must exist.
    pub groups: Option<Vec<String>>,
    /// How much the user wants to hear from the contact.
    pub mute: Option<Mute>,
}

impl Roster {
    /// Changes what the caller notes about a contact, and tells the caller's other devices.
    ///
    /// The contact's row comes first, then how much to hear; a crash in between leaves the second as it was.
    ///
    /// # Errors
    /// `NotFound(Contact)` for strangers, `Invalid`.
    pub async fn update(&self, caller: &Caller, user: UserId, change: ContactChange) -> Result<()> {
        let (own, _) = self.two(caller, user)?;
        check_text("remark", change.remark.as_deref().unwrap_or_default(), self.config.name_limit)?;
        check_text("extension", change.extension.as_deref().unwrap_or_default(), self.config.text_limit)?;
        if !Which::All.means(&self.row(&own).await?) {
            return Err(Error::NotFound(Noun::Contact));
        }
        if let Some(groups) = &change.groups {
            self.must_have_groups(&own, groups).await?;
        }
        let set = |row: &mut Contact| {
            if let Some(remark) = &change.remark {
                row.remark.clone_from(remark);
            }
            if let Some(extension) = &change.extension {
                row.extension.clone_from(extension);
            }
            if let Some(groups) = &change.groups {
                row.groups = groups.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
            }
        };
        if self.change(&own, own.user, set).await? {
            self.tell_own(caller, own.user, Kind::ContactChanged, &[user]).await?;
        }
        match change.mute {
            Some(mute) => self.set_mute(caller, user, mute).await,
            None => Ok(()),
        }
    }

    /// Says how much the caller wants to hear from a user, whether or not the two have talked.
    ///
    /// It is a property of their conversation. Where there is none yet, its row in the caller's home comes before its first entry, and is
    /// passed over until then.
    ///
    /// # Errors
    /// `NotFound(User)`, `Invalid`.
    pub async fn set_mute(&self, caller: &Caller, user: UserId, mute: Mute) -> Result<()> {
        let (own, _) = self.two(caller, user)?;
        self.record(own.app, user).await?;
        let key = MembershipKey { app: own.app, user: own.user, conversation: ConversationId::direct(own.user, user) };
        let mut tries = Tries::default();
        loop {
            let read = self.store.get(&key).await?;
            let Some(mut membership) = read.clone() else {
                if mute == Mute::None {
                    return Ok(());
                }
                self.log.join(key.app, key.user, key.conversation).await?;
                continue;
            };
            if membership.mute() == mute {
                return Ok(());
            }
            membership.set_mute(mute);
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, read.as_ref()).put(&key, &membership);
            if tries.settled(self.store.commit(batch).await).await? {
                return self.tell_own(caller, own.user, Kind::ConversationChanged, &[user]).await;
            }
        }
    }

    /// The caller's groups of friends, by name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn groups(&self, caller: &Caller) -> Result<Vec<FriendGroup>> {
        self.groups_of(caller.app(), caller.user()?).await
    }

    /// Makes groups of friends and puts contacts into all of them. Groups that exist, and contacts that are in them, stay as they are;
    /// who is no contact is left out. Answers those who are in the groups now.
    ///
    /// The groups come first; a crash in between leaves them without the contacts.
    ///
    /// # Errors
    /// `Invalid`; `Denied(TooMany)` for more groups than a user may have.
    pub async fn add_groups(&self, caller: &Caller, names: &[String], contacts: &[UserId]) -> Result<Vec<UserId>> {
        self.check_batch(contacts.len())?;
        names.iter().try_for_each(|name| check_name("groups", name, self.config.uid_limit))?;
        let (app, user) = (caller.app(), caller.user()?);
        let mut all: BTreeSet<String> = self.groups_of(app, user).await?.into_iter().map(|group| group.name).collect();
        let mut batch = Batch::new(tables::user(app, user));
        for name in names {
            if all.insert(name.clone()) {
                let group = FriendGroup { name: name.clone(), created: self.clock.now().0 };
                batch.put(&FriendGroupKey { app, user, name }, &group);
            }
        }
        if all.len() > self.config.friend_groups {
            return Err(Error::Denied(Denial::TooMany));
        }
        if !batch.is_empty() {
            self.store.commit(batch).await?;
        }
        let there = self.contacts_among(app, user, contacts).await?;
        let set = |row: &mut Contact| {
            let all: BTreeSet<String> = row.groups.iter().chain(names).cloned().collect();
            row.groups = all.into_iter().collect();
        };
        let changed = self.change_all(app, user, user, &there, set).await?;
        self.tell_own(caller, user, Kind::ContactChanged, &changed).await?;
        Ok(there)
    }

    /// Deletes groups of friends; the friends stay. Groups that do not exist are passed over.
    ///
    /// The contacts come first; a crash in between leaves empty groups.
    ///
    /// # Errors
    /// What the store says.
    pub async fn delete_groups(&self, caller: &Caller, names: &[String]) -> Result<()> {
        let (app, user) = (caller.app(), caller.user()?);
        let mut from = 0;
        loop {
            let contacts = self.contacts(app, user, Which::All, from, self.config.roster_page).await?;
            let Some(last) = contacts.last() else { break };
            from = last.user + 1;
            let inside = contacts.iter().filter(|contact| contact.groups.iter().any(|name| names.contains(name)));
            let inside: Vec<UserId> = inside.map(|contact| UserId(contact.user)).collect();
            self.change_all(app, user, user, &inside, |row| row.groups.retain(|name| !names.contains(name))).await?;
        }
        let mut batch = Batch::new(tables::user(app, user));
        for name in names {
            batch.delete(&FriendGroupKey { app, user, name });
        }
        if !batch.is_empty() {
            self.store.commit(batch).await?;
        }
        self.tell_own(caller, user, Kind::ContactChanged, &[]).await
    }

    async fn groups_of(&self, app: AppNumber, user: UserId) -> Result<Vec<FriendGroup>> {
        let scan = Scan::<FriendGroupKey<'_>>::new(tables::user(app, user), self.config.friend_groups + 1);
        Ok(self.store.scan(scan).await?.into_iter().map(|row| row.record).collect())
    }

    /// Those of the users who are contacts.
    pub(super) async fn contacts_among(&self, app: AppNumber, user: UserId, among: &[UserId]) -> Result<Vec<UserId>> {
        let keys: Vec<ContactKey> = among.iter().map(|&contact| ContactKey { app, user, contact }).collect();
        let rows = self.store.get_many(&keys).await?.into_iter().flatten().map(|row| self.current(row));
        Ok(rows.filter(|row| Which::All.means(row)).map(|row| UserId(row.user)).collect())
    }

    async fn must_have_groups(&self, own: &ContactKey, names: &[String]) -> Result<()> {
        let keys: Vec<FriendGroupKey<'_>> =
            names.iter().map(|name| FriendGroupKey { app: own.app, user: own.user, name }).collect();
        let found = self.store.get_many(&keys).await?;
        match names.iter().zip(found).find(|(_, group)| group.is_none()) {
            Some((name, _)) => Err(Error::Invalid { field: "groups", message: format!("there is no group {name:?}") }),
            None => Ok(()),
        }
    }
}
