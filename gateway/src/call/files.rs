//! Rights to upload files, and ways to their bytes. The bytes themselves go by the REST service.

use domain::Error;
use domain::files::paths;
use proto::wire;
use wire::frame::Body;

use super::Context;
use crate::session::{FileRequest, UploadFor};

pub(super) async fn serve(cx: &Context, request: FileRequest) -> Result<Body, Error> {
    let (files, caller) = (&cx.domain.files, &cx.caller);
    match request {
        FileRequest::Upload(what) => {
            let ticket = match what {
                UploadFor::Conversation(conversation, kind) => files.chat_ticket(caller, conversation, kind).await?,
                UploadFor::OwnAvatar => files.user_avatar_ticket(caller)?,
                UploadFor::GroupAvatar(group) => files.group_avatar_ticket(caller, group).await?,
            };
            let url_path = match what {
                UploadFor::Conversation(..) => paths::chat(&ticket.share),
                UploadFor::OwnAvatar | UploadFor::GroupAvatar(_) => paths::avatar(&ticket.share),
            };
            let path = paths::upload(caller.app());
            Ok(Body::Upload(wire::Upload { ticket: ticket.text, share: ticket.share, path, url_path }))
        }
        FileRequest::Link { share, size } => {
            let link = files.link(caller, &share, size).await?;
            Ok(Body::FileLink(wire::FileLink { path: paths::link(caller.app(), &link) }))
        }
        FileRequest::Forward { share, to } => {
            let share = files.forward(caller, &share, to).await?;
            let url_path = paths::chat(&share);
            Ok(Body::FileShare(wire::FileShare { share, url_path }))
        }
    }
}
