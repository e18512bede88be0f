//! What a group shows its members: announcements and shared files.

use domain::GroupId;
use domain::groups::NewSharedFile;
use proto::wire;
use wire::frame::Body;

use super::{MOST_MEMBERS, at_most, group, no_request};

/// A request about announcements or shared files.
#[derive(Debug, Clone)]
pub enum BoardRequest {
    Announce { group: GroupId, title: String, content: String },
    Announcements(GroupId),
    RemoveAnnouncement { group: GroupId, id: u64 },
    Share { group: GroupId, file: Box<NewSharedFile> },
    Files(GroupId),
    RenameFile { group: GroupId, id: u64, name: String },
    RemoveFiles { group: GroupId, ids: Vec<u64> },
}

impl BoardRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Announce { .. } => "announce",
            Self::Announcements(_) => "list_announcements",
            Self::RemoveAnnouncement { .. } => "remove_announcement",
            Self::Share { .. } => "share_file",
            Self::Files(_) => "list_shared_files",
            Self::RenameFile { .. } => "rename_shared_file",
            Self::RemoveFiles { .. } => "remove_shared_files",
        }
    }

    pub(super) fn asks_for_a_page(&self) -> bool {
        matches!(self, Self::Announcements(_) | Self::Files(_))
    }

    pub(super) fn parse(body: Body) -> Result<Self, wire::Error> {
        Ok(match body {
            Body::Announce(new) => Self::Announce { group: group(new.group)?, title: new.title, content: new.content },
            Body::ListAnnouncements(list) => Self::Announcements(group(list.group)?),
            Body::RemoveAnnouncement(remove) => Self::RemoveAnnouncement { group: group(remove.group)?, id: remove.id },
            Body::ShareFile(share) => {
                let wire::ShareFile { group: of, name, size, r#type: kind, url } = share;
                Self::Share { group: group(of)?, file: Box::new(NewSharedFile { name, size, kind, url }) }
            }
            Body::ListSharedFiles(list) => Self::Files(group(list.group)?),
            Body::RenameSharedFile(rename) => {
                Self::RenameFile { group: group(rename.group)?, id: rename.id, name: rename.name }
            }
            Body::RemoveSharedFiles(remove) => {
                Self::RemoveFiles { group: group(remove.group)?, ids: at_most("ids", remove.ids, MOST_MEMBERS)? }
            }
            _ => return Err(no_request()),
        })
    }
}
