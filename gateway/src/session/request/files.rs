//! Rights to upload files, and ways to their bytes.

use domain::files::Size;
use domain::record::FileKind;
use domain::{ConversationId, GroupId};
use proto::wire;
use wire::frame::Body;
use wire::get_upload::For;

use super::{conversation, group, no_request};
use crate::error::invalid;

/// A request about files.
#[derive(Debug, Clone)]
pub enum FileRequest {
    Upload(UploadFor),
    Link { share: String, size: Size },
    Forward { share: String, to: ConversationId },
}

/// What a file is to be.
#[derive(Debug, Clone, Copy)]
pub enum UploadFor {
    /// Part of what is said in a conversation.
    Conversation(ConversationId, FileKind),
    /// The caller's picture.
    OwnAvatar,
    /// A group's picture.
    GroupAvatar(GroupId),
}

impl FileRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Upload(_) => "get_upload",
            Self::Link { .. } => "get_file_link",
            Self::Forward { .. } => "forward_file",
        }
    }

    pub(super) fn parse(body: Body) -> Result<Self, wire::Error> {
        Ok(match body {
            Body::GetUpload(get) => Self::Upload(match get.r#for {
                None => UploadFor::OwnAvatar,
                Some(For::GroupAvatar(id)) => UploadFor::GroupAvatar(group(id)?),
                Some(For::Conversation(id)) => UploadFor::Conversation(conversation(Some(&id))?, kind(get.kind)?),
            }),
            Body::GetFileLink(get) => Self::Link { share: get.share, size: size(get.size)? },
            Body::ForwardFile(forward) => {
                Self::Forward { share: forward.share, to: conversation(forward.to.as_ref())? }
            }
            _ => return Err(no_request()),
        })
    }
}

/// The record and the contract have the same numbers.
fn kind(number: i32) -> Result<FileKind, wire::Error> {
    FileKind::try_from(number).map_err(|_| invalid("kind", "is no such choice"))
}

fn size(number: i32) -> Result<Size, wire::Error> {
    match wire::FileSize::try_from(number) {
        Ok(wire::FileSize::Original) => Ok(Size::Original),
        Ok(wire::FileSize::Thumbnail) => Ok(Size::Thumbnail),
        Ok(wire::FileSize::Cover) => Ok(Size::Cover),
        Err(_) => Err(invalid("size", "is no such choice")),
    }
}
