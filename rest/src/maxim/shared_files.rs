//! Files that the members of a group share.

use domain::groups::NewSharedFile;
use domain::record::SharedFile as Stored;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::named::{OfGroup, group_of};
use super::{Error, Reply, error};
use crate::context::Cx;
use crate::input::{Json, Query};
use crate::lenient;
use crate::names::{Numbers, numbers_of_users};

/// Which file.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct OneQuery {
    #[serde(deserialize_with = "lenient::u64")]
    file_id: u64,
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
}

/// A file to share, which is somewhere already.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UploadRequest {
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    name: String,
    /// Bytes.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    size: Option<u64>,
    /// The app's own word for what it is.
    #[serde(default, rename = "type", deserialize_with = "lenient::opt_string")]
    kind: Option<String>,
    url: String,
}

/// Another name for a file.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RenameRequest {
    #[serde(deserialize_with = "lenient::u64")]
    file_id: u64,
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    name: String,
}

/// Files that are to go.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeleteRequest {
    #[serde(deserialize_with = "lenient::vec_u64")]
    file_list: Vec<u64>,
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
}

/// A shared file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SharedFile {
    /// Unix milliseconds.
    created_at: i64,
    file_id: u64,
    group_id: u64,
    name: String,
    /// Bytes.
    size: u64,
    #[serde(rename = "type")]
    kind: String,
    /// Unix milliseconds.
    updated_at: i64,
    /// 0 for the app itself.
    uploader: u64,
    url: String,
}

/// What became of one file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileOutcome {
    file_id: u64,
    /// Why it failed; empty where it did not.
    reason: String,
    /// `success` or `fail`.
    result: &'static str,
}

/// `POST /group/file/upload`: shares a file.
pub(crate) async fn upload(cx: Cx, Json(req): Json<UploadRequest>) -> Reply<SharedFile> {
    let group = group_of(&cx, req.group_id).await?;
    let (size, kind) = (req.size.unwrap_or_default(), req.kind.unwrap_or_default());
    let new = NewSharedFile { name: req.name, size, kind, url: req.url };
    let file = cx.domain.groups.share_file(&cx.caller, group, new).await?;
    let uploaders = numbers_of_users(&cx, [file.uploader]).await?;
    Ok(shown(req.group_id, file, &uploaders))
}

/// `GET /group/file`: one file, with where it is.
pub(crate) async fn get(cx: Cx, Query(req): Query<OneQuery>) -> Reply<SharedFile> {
    let group = group_of(&cx, req.group_id).await?;
    let file = cx.domain.groups.file(&cx.caller, group, req.file_id).await?;
    let uploaders = numbers_of_users(&cx, [file.uploader]).await?;
    Ok(shown(req.group_id, file, &uploaders))
}

/// `GET /group/file/list`: all files of a group.
pub(crate) async fn list(cx: Cx, Query(req): Query<OfGroup>) -> Reply<Vec<SharedFile>> {
    let group = group_of(&cx, req.group_id).await?;
    let files = cx.domain.groups.files(&cx.caller, group).await?;
    let uploaders = numbers_of_users(&cx, files.iter().map(|file| file.uploader)).await?;
    Ok(files.into_iter().map(|file| shown(req.group_id, file, &uploaders)).collect())
}

/// `POST|PUT /group/file/update_name`: gives a file another name.
pub(crate) async fn rename(cx: Cx, Json(req): Json<RenameRequest>) -> Reply<bool> {
    let group = group_of(&cx, req.group_id).await?;
    let renamed = cx.domain.groups.rename_file(&cx.caller, group, req.file_id, &req.name).await;
    renamed.map(|()| true).map_err(error::at_file)
}

/// `POST|DELETE /group/file/delete`: takes files out.
pub(crate) async fn delete(cx: Cx, Json(req): Json<DeleteRequest>) -> Reply<Vec<FileOutcome>> {
    let group = group_of(&cx, req.group_id).await?;
    if req.file_list.is_empty() {
        return Err(Error::parameter("file_list: must name at least one file"));
    }
    let outcomes = cx.domain.groups.remove_files(&cx.caller, group, &req.file_list).await?;
    let describe = |(file_id, outcome): (u64, Result<(), domain::Error>)| match outcome {
        Ok(()) => FileOutcome { file_id, reason: String::new(), result: "success" },
        Err(error) => FileOutcome { file_id, reason: error::at_file(error).message.into_owned(), result: "fail" },
    };
    Ok(outcomes.into_iter().map(describe).collect())
}

fn shown(group_id: u64, file: Stored, uploaders: &Numbers) -> SharedFile {
    SharedFile {
        created_at: file.created,
        file_id: file.id,
        group_id,
        name: file.name,
        size: file.size,
        kind: file.r#type,
        updated_at: file.updated,
        uploader: uploaders.of(file.uploader),
        url: file.url,
    }
}
