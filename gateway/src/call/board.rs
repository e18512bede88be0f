//! What a group shows its members: announcements and shared files.

use domain::Error;
use proto::wire;
use wire::frame::Body;

use super::{Context, first_failure, ok};
use crate::answer;
use crate::session::BoardRequest;

pub(super) async fn serve(cx: &Context, request: BoardRequest) -> Result<Body, Error> {
    let (groups, caller) = (&cx.domain.groups, &cx.caller);
    match request {
        BoardRequest::Announce { group, title, content } => {
            let told = groups.announce(caller, group, &title, &content).await?;
            Ok(Body::Announcement(answer::announcement(told)))
        }
        BoardRequest::Announcements(group) => {
            let told = groups.announcements(caller, group).await?;
            let announcements = told.into_iter().map(answer::announcement).collect();
            Ok(Body::AnnouncementList(wire::AnnouncementList { announcements }))
        }
        BoardRequest::RemoveAnnouncement { group, id } => ok(groups.remove_announcement(caller, group, id).await),
        BoardRequest::Share { group, file } => {
            Ok(Body::SharedFile(answer::shared_file(groups.share_file(caller, group, *file).await?)))
        }
        BoardRequest::Files(group) => {
            let files = groups.files(caller, group).await?.into_iter().map(answer::shared_file).collect();
            Ok(Body::SharedFileList(wire::SharedFileList { files }))
        }
        BoardRequest::RenameFile { group, id, name } => ok(groups.rename_file(caller, group, id, &name).await),
        BoardRequest::RemoveFiles { group, ids } => first_failure(groups.remove_files(caller, group, &ids).await?),
    }
}
