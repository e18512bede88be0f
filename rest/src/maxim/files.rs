//! Files: rights to upload, and ways to the bytes.
//!
//! The original keeps bytes with an object store, and its clients post forms to it; here they post the same forms to Linnet.
//! Where a file may be read is in its URL, signed; where its bytes are, a redirection tells for a while.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::files::{Size, Ticket, paths};
use domain::record::FileKind;
use domain::{GroupId, GroupRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::conversation::{self, Target};
use super::{Access, Error, Maxim, Reply};
use crate::context::{Cx, base_url};
use crate::input::Query;
use crate::route::{GET, RawAnswer, Route, on, raw};
use crate::{answer, lenient};

/// The part of the dialect's table that is about files.
pub(super) fn routes() -> Vec<Route<Maxim>> {
    vec![
        raw(GET, "/file/download/avatar", TO_BYTES, download_avatar)
            .access(Access::HeadersOrQuery)
            .cors()
            .says("Leads to a picture of somebody", DOWNLOAD),
        raw(GET, "/file/download/chat", TO_BYTES, download_chat)
            .access(Access::HeadersOrQuery)
            .cors()
            .says("Leads to a conversation's file", DOWNLOAD),
        on(GET, "/file/upload/avatar/group", upload_group_avatar)
            .says("Gives a right to upload a picture of a group", UPLOAD_GROUP_AVATAR),
        on(GET, "/file/upload/avatar/user", upload_user_avatar)
            .says("Gives a right to upload a picture of oneself", UPLOAD_AVATAR),
        on(GET, "/file/upload/chat", upload_chat).says("Gives a right to upload a file into a conversation", UPLOAD),
        on(GET, "/file/upload/forward", forward).says("Gives the URL of a file in another conversation", FORWARD),
    ]
}

const TO_BYTES: &[RawAnswer] =
    &[RawAnswer { status: 302, meaning: "Where the bytes are for the next `link_lifetime`", content_type: None }];

const DOWNLOAD: &str = "Takes the parameters of the URL that the upload was answered with, and the credential in the headers or, as \
    `access-token` and `app_id`, in the query. `image_type` 2 and 3 ask for smaller forms of a picture. `format`, `sdk_sign`, `source`, \
    `store_token` and `thumbnail_strategy` are taken and not used: files come in the format that they were uploaded in.";

const UPLOAD: &str = "For whoever may write there. The client posts a form to `upload_url`: the fields of `oss_body_param`, then the field \
    `file`. `download_url` is the file's URL then; whoever takes part in the conversation may load it. The file's first bytes must be of the \
    type that `file_type` names.";

const UPLOAD_AVATAR: &str =
    "As for chat files. Every user of the app may load it. It becomes the picture once `/user/avatar` is told its URL.";

const UPLOAD_GROUP_AVATAR: &str = "For the owner and admins, and where `member_modify` is on any member. As for chat files. Every user of the \
    app may load it. It becomes the picture once `/group/info/avatar` is told its URL.";

const FORWARD: &str = "For whoever may load the file and write there. Nothing is copied.";

/// A file for a conversation.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ChatUpload {
    /// 100 file, 101 and 104 voice, 102 picture, 103 video; 200 to 203 the same for files that a group shares.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    #[param(value_type = Option<u64>)]
    file_type: Option<u64>,
    /// Number of the user or the group.
    #[serde(deserialize_with = "lenient::u64")]
    to_id: u64,
    /// 1 user, 2 group.
    #[serde(deserialize_with = "lenient::u64")]
    to_type: u64,
}

/// A file for another conversation.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ForwardQuery {
    /// From the file's URL.
    file_sign: String,
    /// Number of the user or the group.
    #[serde(deserialize_with = "lenient::u64")]
    to_id: u64,
    /// 1 user, 2 group.
    #[serde(deserialize_with = "lenient::u64")]
    to_type: u64,
}

/// A group that a picture is for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct GroupAvatarQuery {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
}

/// A file of a conversation.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ChatDownload {
    /// From the file's URL.
    file_sign: String,
    /// 1 as it was uploaded, which is the default; 2 thumbnail; 3 cover.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    #[param(value_type = Option<u64>)]
    image_type: Option<u64>,
}

/// A picture that stands for somebody.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct AvatarDownload {
    /// From the picture's URL.
    object_name: String,
    /// 1 as it was uploaded, which is the default; 2 thumbnail; 3 cover.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    #[param(value_type = Option<u64>)]
    image_type: Option<u64>,
}

/// How to upload a file, and what its URL will be then.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Upload {
    download_url: String,
    /// The form's fields; the field `file` follows them.
    oss_body_param: FormFields,
    upload_method: &'static str,
    upload_url: String,
}

/// The fields of an object store's form.
#[derive(Debug, Serialize, ToSchema)]
#[expect(non_snake_case, reason = "this is how object stores call it")]
pub(crate) struct FormFields {
    OSSAccessKeyId: String,
    callback: &'static str,
    key: String,
    policy: String,
    signature: String,
}

/// `GET /file/upload/chat`: a right to upload a file into a conversation.
pub(crate) async fn upload_chat(cx: Cx, Query(req): Query<ChatUpload>) -> Reply<Upload> {
    let kind = kind_of(req.file_type.unwrap_or(100))?;
    let to = target(&cx, req.to_type, req.to_id).await?;
    let ticket = cx.domain.files.chat_ticket(&cx.caller, to.id, kind).await?;
    let download_url = chat_url(&cx, &ticket.share);
    Ok(upload(&cx, ticket, download_url))
}

/// `GET /file/upload/avatar/user`: a right to upload a picture of oneself.
pub(crate) async fn upload_user_avatar(cx: Cx, (): ()) -> Reply<Upload> {
    let ticket = cx.domain.files.user_avatar_ticket(&cx.caller)?;
    let download_url = avatar_url(&cx, &ticket.share);
    Ok(upload(&cx, ticket, download_url))
}

/// `GET /file/upload/avatar/group`: a right to upload a picture of a group.
pub(crate) async fn upload_group_avatar(cx: Cx, Query(req): Query<GroupAvatarQuery>) -> Reply<Upload> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(req.group_id)).await?;
    let ticket = cx.domain.files.group_avatar_ticket(&cx.caller, GroupId(group.id)).await?;
    let download_url = avatar_url(&cx, &ticket.share);
    Ok(upload(&cx, ticket, download_url))
}

/// `GET /file/upload/forward`: the URL of a file in another conversation. Nothing is copied.
pub(crate) async fn forward(cx: Cx, Query(req): Query<ForwardQuery>) -> Reply<String> {
    let to = target(&cx, req.to_type, req.to_id).await?;
    let share = cx.domain.files.forward(&cx.caller, &req.file_sign, to.id).await?;
    Ok(chat_url(&cx, &share))
}

/// `GET /file/download/chat`: leads to the bytes of a conversation's file.
pub(crate) async fn download_chat(cx: Cx, Query(req): Query<ChatDownload>) -> Reply<Response> {
    redirect(&cx, &req.file_sign, req.image_type).await
}

/// `GET /file/download/avatar`: leads to the bytes of a picture that stands for somebody.
pub(crate) async fn download_avatar(cx: Cx, Query(req): Query<AvatarDownload>) -> Reply<Response> {
    redirect(&cx, &req.object_name, req.image_type).await
}

async fn redirect(cx: &Cx, share: &str, image_type: Option<u64>) -> Reply<Response> {
    let size = match image_type {
        None | Some(0 | 1) => Size::Original,
        Some(2) => Size::Thumbnail,
        Some(3) => Size::Cover,
        Some(_) => return Err(Error::parameter("image_type: must be 1 (as uploaded), 2 (thumbnail) or 3 (cover)")),
    };
    let link = cx.domain.files.link(&cx.caller, share, size).await?;
    let url = base_url(&cx.config, &cx.call) + &paths::link(cx.caller.app(), &link);
    let location = HeaderValue::from_str(&url).map_err(|_| Error::parameter("host: is not one"))?;
    let mut response = answer::empty();
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    // What it leads to expires.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn target(cx: &Cx, to_type: u64, to_id: u64) -> Reply<Target> {
    match to_type {
        1 => conversation::with_user(cx, to_id).await,
        2 => conversation::with_group(cx, to_id).await,
        _ => Err(Error::parameter("to_type: must be 1 (user) or 2 (group)")),
    }
}

fn kind_of(file_type: u64) -> Reply<FileKind> {
    match file_type {
        100 | 200 => Ok(FileKind::Any),
        101 | 104 | 201 => Ok(FileKind::Voice),
        102 | 202 => Ok(FileKind::Image),
        103 | 203 => Ok(FileKind::Video),
        _ => Err(Error::parameter("file_type: must be 100 to 104 or 200 to 203")),
    }
}

fn chat_url(cx: &Cx, share: &str) -> String {
    base_url(&cx.config, &cx.call) + &paths::chat(share)
}

fn avatar_url(cx: &Cx, share: &str) -> String {
    base_url(&cx.config, &cx.call) + &paths::avatar(share)
}

fn upload(cx: &Cx, ticket: Ticket, download_url: String) -> Upload {
    let (policy, signature) = ticket.text.split_once('.').unwrap_or_default();
    let fields = FormFields {
        OSSAccessKeyId: cx.caller.app_record().id.clone(),
        callback: "",
        key: ticket.file.to_string(),
        policy: policy.to_owned(),
        signature: signature.to_owned(),
    };
    let upload_url = base_url(&cx.config, &cx.call) + &paths::upload(cx.caller.app());
    Upload { download_url, oss_body_param: fields, upload_method: "POST", upload_url }
}
