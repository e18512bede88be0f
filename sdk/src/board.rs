//! What a group shows its members: announcements and shared files.

use proto::wire::frame::Body;
use proto::wire::{
    self, Announce, ListAnnouncements, ListSharedFiles, RemoveAnnouncement, RemoveSharedFiles, RenameSharedFile,
    ShareFile,
};

use crate::client::Client;
use crate::error::Result;

/// What everybody in a group was told to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Within the group.
    pub id: u64,
    /// Who told it, by user id; 0 for the app itself.
    pub author: u64,
    /// May be empty.
    pub title: String,
    /// What it says.
    pub content: String,
    /// Unix milliseconds.
    pub created: i64,
}

impl From<wire::Announcement> for Announcement {
    fn from(wire: wire::Announcement) -> Self {
        let wire::Announcement { id, author, title, content, created } = wire;
        Self { id, author, title, content, created }
    }
}

/// A file to share with a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewSharedFile {
    /// Name to show.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What kind of file, in the app's own words.
    pub kind: String,
    /// Where it is, such as the `url` of an [`Uploaded`](crate::Uploaded) file.
    pub url: String,
}

/// A file that a group shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFile {
    /// Within the group.
    pub id: u64,
    /// Who shares it, by user id; 0 for the app itself.
    pub uploader: u64,
    /// Name to show.
    pub name: String,
    /// Bytes, as the uploader says.
    pub size: u64,
    /// What kind of file, as the uploader says.
    pub kind: String,
    /// Where it is.
    pub url: String,
    /// Unix milliseconds.
    pub created: i64,
    /// Unix milliseconds of the last change.
    pub updated: i64,
}

impl From<wire::SharedFile> for SharedFile {
    fn from(wire: wire::SharedFile) -> Self {
        let wire::SharedFile { id, uploader, name, size, r#type: kind, url, created, updated } = wire;
        Self { id, uploader, name, size, kind, url, created, updated }
    }
}

impl Client {
    /// Announces something in a group: for whoever may change its texts. The oldest announcement makes room.
    pub async fn announce(&self, group: u64, title: &str, content: &str) -> Result<Announcement> {
        let announce = Announce { group, title: title.to_owned(), content: content.to_owned() };
        Ok(answer!(self, Body::Announce(announce), Announcement).into())
    }

    /// A group's announcements, newest first.
    pub async fn announcements(&self, group: u64) -> Result<Vec<Announcement>> {
        let list = answer!(self, Body::ListAnnouncements(ListAnnouncements { group }), AnnouncementList);
        Ok(list.announcements.into_iter().map(Announcement::from).collect())
    }

    /// Takes an announcement back: for its author, the owner and admins.
    pub async fn remove_announcement(&self, group: u64, id: u64) -> Result<()> {
        self.ask_ok(Body::RemoveAnnouncement(RemoveAnnouncement { group, id })).await
    }

    /// Lists a file among those that a group shares.
    pub async fn share_file(&self, group: u64, file: NewSharedFile) -> Result<SharedFile> {
        let NewSharedFile { name, size, kind: r#type, url } = file;
        Ok(answer!(self, Body::ShareFile(ShareFile { group, name, size, r#type, url }), SharedFile).into())
    }

    /// The files that a group shares, newest first.
    pub async fn shared_files(&self, group: u64) -> Result<Vec<SharedFile>> {
        let list = answer!(self, Body::ListSharedFiles(ListSharedFiles { group }), SharedFileList);
        Ok(list.files.into_iter().map(SharedFile::from).collect())
    }

    /// Gives a shared file another name: for its uploader, the owner and admins.
    pub async fn rename_shared_file(&self, group: u64, id: u64, name: &str) -> Result<()> {
        self.ask_ok(Body::RenameSharedFile(RenameSharedFile { group, id, name: name.to_owned() })).await
    }

    /// Takes files off the list, at most 500 at once: for their uploaders, the owner and admins.
    pub async fn remove_shared_files(&self, group: u64, ids: &[u64]) -> Result<()> {
        self.ask_ok(Body::RemoveSharedFiles(RemoveSharedFiles { group, ids: ids.to_vec() })).await
    }
}
