//! Files that the members of a group share: where they are and what they are called. What they hold is kept elsewhere.

use std::sync::{Arc, OnceLock};

use proto::store::SharedFile;
use proto::{entry, store};
use serde_json::{Value, json};
use storage::{Home, Key, Rest, Scan, Table};

use super::{Change, Groups, Standing};
use crate::caller::Caller;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, GroupId};
use crate::log::Changes;
use crate::retry::Tries;
use crate::tables;
use crate::text::{check_name, check_text};

/// A shared file.
///
/// home: the group's conversation.  rest: its id as u64.  value: `store.SharedFile`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SharedFileKey {
    pub(crate) app: AppNumber,
    pub(crate) group: GroupId,
    pub(crate) id: u64,
}

impl Key for SharedFileKey {
    const TABLE: Table = tables::SHARED_FILE;
    type Record = SharedFile;
    fn home(&self) -> Home {
        tables::group(self.app, self.group)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.id);
    }
}

/// A file to share.
#[derive(Debug, Clone, Default)]
pub struct NewSharedFile {
    /// Name to show.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What kind of file, in the app's own words.
    pub kind: String,
    /// Where it is.
    pub url: String,
}

impl Groups {
    /// Shares a file: any member may.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(TooMany)`, `Invalid`.
    pub async fn share_file(&self, caller: &Caller, group: GroupId, new: NewSharedFile) -> Result<SharedFile> {
        self.check_file_name(&new.name)?;
        check_text("type", &new.kind, self.limits.name)?;
        check_name("url", &new.url, self.limits.text)?;
        let app = caller.app();
        let file = SharedFile {
            uploader: caller.user().unwrap_or_default().0,
            name: new.name,
            size: new.size,
            r#type: new.kind,
            url: new.url,
            ..SharedFile::default()
        };
        let _turn = self.turns.take(app, group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(app, group).await?;
            self.standing(caller, &before).await?;
            if self.files_of(app, group).await?.len() >= self.limits.files {
                return Err(Error::Denied(Denial::TooMany));
            }
            let told =
                json!({ "shared": { "name": file.name, "size": file.size, "type": file.r#type, "url": file.url } });
            let file = file.clone();
            let placed = Arc::new(OnceLock::new());
            let written = Arc::clone(&placed);
            let further: Changes = Box::new(move |batch, place| {
                let (id, time) = (place.seq.0, place.time.0);
                let file = SharedFile { id, created: time, updated: time, ..file };
                batch.put(&SharedFileKey { app, group, id }, &file);
                let _ = written.set(file);
            });
            if self.write_files(caller, before, &told, further, &mut tries).await? {
                return Ok(placed.get().expect("an entry that is durable had its changes built").clone());
            }
        }
    }

    /// Gives a file another name: its uploader, the owner and admins.
    ///
    /// # Errors
    /// `NotFound(Group)`, `NotFound(SharedFile)`, `Denied(NotMember)`, `Denied(NotAuthor)`, `Invalid`.
    pub async fn rename_file(&self, caller: &Caller, group: GroupId, id: u64, name: &str) -> Result<()> {
        self.check_file_name(name)?;
        let key = SharedFileKey { app: caller.app(), group, id };
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            let standing = self.standing(caller, &before).await?;
            let file = changeable(caller, standing, self.store.get(&key).await?)?;
            let told = json!({ "renamed": { "file_id": id, "name": name } });
            let name = name.to_owned();
            let further: Changes = Box::new(move |batch, place| {
                let after = SharedFile { name, updated: place.time.0, ..file.clone() };
                batch.expect_unchanged(&key, Some(&file)).put(&key, &after);
            });
            if self.write_files(caller, before, &told, further, &mut tries).await? {
                return Ok(());
            }
        }
    }

    /// Takes files out, each if its uploader, the owner or an admin asks. One result per file, in order; all that can go, go in one commit.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Invalid` for too many; a single file's are `NotFound(SharedFile)` and `Denied(NotAuthor)`.
    pub async fn remove_files(&self, caller: &Caller, group: GroupId, ids: &[u64]) -> Result<Vec<(u64, Result<()>)>> {
        self.check_batch(ids.len())?;
        let app = caller.app();
        let keys: Vec<_> = ids.iter().map(|id| SharedFileKey { app, group, id: *id }).collect();
        let _turn = self.turns.take(app, group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(app, group).await?;
            let standing = self.standing(caller, &before).await?;
            let (mut results, mut gone) = (Vec::with_capacity(ids.len()), Vec::new());
            for (key, file) in keys.iter().zip(self.store.get_many(&keys).await?) {
                let outcome = changeable(caller, standing, file);
                if outcome.is_ok() {
                    gone.push(*key);
                }
                results.push((key.id, outcome.map(|_| ())));
            }
            if gone.is_empty() {
                return Ok(results);
            }
            let told = json!({ "removed": gone.iter().map(|key| key.id).collect::<Vec<_>>() });
            let further: Changes = Box::new(move |batch, _| {
                for key in gone {
                    batch.delete(&key);
                }
            });
            if self.write_files(caller, before, &told, further, &mut tries).await? {
                return Ok(results);
            }
        }
    }

    /// All files of a group, newest first: for members and privileged callers.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`.
    pub async fn files(&self, caller: &Caller, group: GroupId) -> Result<Vec<SharedFile>> {
        self.standing(caller, &self.record(caller.app(), group).await?).await?;
        self.files_of(caller.app(), group).await
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound(Group)`, `NotFound(SharedFile)`, `Denied(NotMember)`.
    pub async fn file(&self, caller: &Caller, group: GroupId, id: u64) -> Result<SharedFile> {
        self.standing(caller, &self.record(caller.app(), group).await?).await?;
        let found = self.store.get(&SharedFileKey { app: caller.app(), group, id }).await?;
        found.ok_or(Error::NotFound(Noun::SharedFile))
    }

    async fn files_of(&self, app: AppNumber, group: GroupId) -> Result<Vec<SharedFile>> {
        let scan = Scan::<SharedFileKey>::new(tables::group(app, group), self.limits.files).descending();
        Ok(self.store.scan(scan).await?.into_iter().map(|row| row.record).collect())
    }

    /// Changes the files of a group, and tells of it. `false` after a lost race.
    async fn write_files(
        &self,
        caller: &Caller,
        before: store::Group,
        told: &Value,
        further: Changes,
        tries: &mut Tries,
    ) -> Result<bool> {
        let kind = entry::tip::Kind::FilesChanged as i32;
        let tip = entry::Tip { kind, data: told.to_string(), ..entry::Tip::default() };
        let change = Change { after: before.clone(), before: Some(before), members: Vec::new() };
        self.settled(self.write_with(caller, change, tip, Some(further)).await, tries).await
    }

    fn check_file_name(&self, name: &str) -> Result<()> {
        check_name("name", name, self.limits.name)
    }
}

/// A file, if the caller may change it.
fn changeable(caller: &Caller, standing: Standing, file: Option<SharedFile>) -> Result<SharedFile> {
    let file = file.ok_or(Error::NotFound(Noun::SharedFile))?;
    let own = caller.user().is_ok_and(|user| user.0 == file.uploader);
    if own || standing.require_admin().is_ok() { Ok(file) } else { Err(Error::Denied(Denial::NotAuthor)) }
}
