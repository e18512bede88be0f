//! What everybody in a group was told to know, newest first.
//!
//! The group's record holds the newest announcement's text, which is all that most dialects know of; the rows hold the earlier ones too.
//! Whichever way the text changes, the same commit writes a row, so the list is complete. Clearing the text removes none of them.

use std::sync::{Arc, OnceLock};

use proto::store::Announcement;
use proto::{entry, store};
use serde_json::json;
use storage::{Home, Key, Rest, Scan, Table};

use super::{Change, Groups, Standing};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, GroupId, UserId};
use crate::log::Changes;
use crate::retry::Tries;
use crate::tables;
use crate::text::check_text;

/// An announcement.
///
/// home: the group's conversation.  rest: its id as u64.  value: `store.Announcement`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnnouncementKey {
    pub(crate) app: AppNumber,
    pub(crate) group: GroupId,
    pub(crate) id: u64,
}

impl Key for AnnouncementKey {
    const TABLE: Table = tables::ANNOUNCEMENT;
    type Record = Announcement;
    fn home(&self) -> Home {
        tables::group(self.app, self.group)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.id);
    }
}

impl Groups {
    /// Announces something: the owner and admins, and where the group says so any member. The oldest announcement makes room.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`, `Invalid`.
    pub async fn announce(&self, caller: &Caller, group: GroupId, title: &str, content: &str) -> Result<Announcement> {
        check_text("title", title, self.limits.name)?;
        check_text("content", content, self.limits.text)?;
        if content.is_empty() {
            return Err(Error::Invalid { field: "content", message: "must not be empty".to_owned() });
        }
        let author = caller.user().unwrap_or_default();
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            require_may_announce(self.standing(caller, &before).await?, &before)?;
            let after = store::Group { announcement: content.to_owned(), ..before.clone() };
            let tip = entry::Tip {
                kind: entry::tip::Kind::GroupChanged as i32,
                text: content.to_owned(),
                data: json!({ "announcement": content, "title": title }).to_string(),
                ..entry::Tip::default()
            };
            let old = self.too_many_with_one_more(caller.app(), group).await?;
            let told = Announcement {
                author: author.0,
                title: title.to_owned(),
                content: content.to_owned(),
                ..Announcement::default()
            };
            let (further, placed) = add(caller.app(), group, told, old);
            let change = Change { before: Some(before), after, members: Vec::new() };
            if self.settled(self.write_with(caller, change, tip, Some(further)).await, &mut tries).await? {
                return Ok(placed.get().expect("an entry that is durable had its changes built").clone());
            }
        }
    }

    /// Takes an announcement back: its author, the owner and admins. If it is the newest, the one before it is the group's text again.
    ///
    /// # Errors
    /// `NotFound(Group)`, `NotFound(Announcement)`, `Denied(NotMember)`, `Denied(NotAdmin)`.
    pub async fn remove_announcement(&self, caller: &Caller, group: GroupId, id: u64) -> Result<()> {
        let app = caller.app();
        let _turn = self.turns.take(app, group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(app, group).await?;
            let standing = self.standing(caller, &before).await?;
            let key = AnnouncementKey { app, group, id };
            let removed = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::Announcement))?;
            if !caller.user().is_ok_and(|user| user.0 == removed.author) {
                standing.require_admin()?;
            }
            let newest = self.announcements_of(app, group, 2).await?;
            let mut after = before.clone();
            if newest.first().is_some_and(|first| first.id == id) && !before.announcement.is_empty() {
                after.announcement = newest.get(1).map(|second| second.content.clone()).unwrap_or_default();
            }
            let tip = entry::Tip {
                kind: entry::tip::Kind::GroupChanged as i32,
                text: after.announcement.clone(),
                data: json!({ "announcement": after.announcement, "announcement_removed": id }).to_string(),
                ..entry::Tip::default()
            };
            let further: Changes = Box::new(move |batch, _| {
                batch.expect_unchanged(&key, Some(&removed)).delete(&key);
            });
            let change = Change { before: Some(before), after, members: Vec::new() };
            if self.settled(self.write_with(caller, change, tip, Some(further)).await, &mut tries).await? {
                return Ok(());
            }
        }
    }

    /// All of a group's announcements, newest first: for members and privileged callers.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`.
    pub async fn announcements(&self, caller: &Caller, group: GroupId) -> Result<Vec<Announcement>> {
        self.standing(caller, &self.record(caller.app(), group).await?).await?;
        self.announcements_of(caller.app(), group, self.limits.announcements).await
    }

    /// One of them; `None` for the newest, which there is none of where the group's text was cleared.
    ///
    /// # Errors
    /// `NotFound(Group)`, `NotFound(Announcement)`, `Denied(NotMember)`.
    pub async fn announcement(&self, caller: &Caller, group: GroupId, id: Option<u64>) -> Result<Announcement> {
        let record = self.record(caller.app(), group).await?;
        self.standing(caller, &record).await?;
        let found = match id {
            Some(id) => self.store.get(&AnnouncementKey { app: caller.app(), group, id }).await?,
            None if record.announcement.is_empty() => None,
            None => self.announcements_of(caller.app(), group, 1).await?.pop(),
        };
        found.ok_or(Error::NotFound(Noun::Announcement))
    }

    async fn announcements_of(&self, app: AppNumber, group: GroupId, limit: usize) -> Result<Vec<Announcement>> {
        let scan = Scan::<AnnouncementKey>::new(tables::group(app, group), limit).descending();
        Ok(self.store.scan(scan).await?.into_iter().map(|row| row.record).collect())
    }

    /// The ids of those that must go when another one comes.
    async fn too_many_with_one_more(&self, app: AppNumber, group: GroupId) -> Result<Vec<u64>> {
        let kept = self.limits.announcements.max(1) - 1;
        // A few more than one: texts that changed in other dialects wrote rows without looking.
        let all = self.announcements_of(app, group, kept + self.limits.batch).await?;
        Ok(all.iter().skip(kept).map(|one| one.id).collect())
    }
}

/// The row of an announcement that another change of the group makes, such as tim's `notification`.
pub(super) fn told_by(app: AppNumber, change: &Change, author: UserId) -> Option<Changes> {
    let before = change.before.as_ref().map_or("", |before| before.announcement.as_str());
    let content = change.after.announcement.clone();
    if content.is_empty() || content == before {
        return None;
    }
    let told = Announcement { author: author.0, content, ..Announcement::default() };
    Some(add(app, GroupId(change.after.id), told, Vec::new()).0)
}

/// Adds a row and removes old ones; and where the row is found once it has its place.
fn add(app: AppNumber, group: GroupId, told: Announcement, old: Vec<u64>) -> (Changes, Arc<OnceLock<Announcement>>) {
    let placed = Arc::new(OnceLock::new());
    let written = Arc::clone(&placed);
    let changes: Changes = Box::new(move |batch, place| {
        for id in old {
            batch.delete(&AnnouncementKey { app, group, id });
        }
        let told = Announcement { id: place.seq.0, created: place.time.0, ..told };
        batch.put(&AnnouncementKey { app, group, id: told.id }, &told);
        let _ = written.set(told);
    });
    (changes, placed)
}

fn require_may_announce(standing: Standing, group: &store::Group) -> Result<()> {
    if group.members_may_edit { Ok(()) } else { standing.require_admin() }
}
