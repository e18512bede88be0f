//! What everybody in a group was told to know.

use domain::record::Announcement as Stored;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use super::named::{OfGroup, group_of};
use crate::context::Cx;
use crate::input::{Json, Query};
use crate::lenient;
use crate::names::{Numbers, numbers_of_users};

/// Which announcement.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct OneQuery {
    #[serde(deserialize_with = "lenient::u64")]
    announcement_id: u64,
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
}

/// What to announce.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EditRequest {
    content: String,
    #[serde(deserialize_with = "lenient::u64")]
    group_id: u64,
    #[serde(default)]
    title: Option<String>,
}

/// An announcement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Announcement {
    /// 0 for the app itself.
    author: u64,
    content: String,
    /// Unix milliseconds.
    created_at: i64,
    group_id: u64,
    id: u64,
    title: String,
}

/// `POST /group/announcement/edit`: announces something.
pub(crate) async fn edit(cx: Cx, Json(req): Json<EditRequest>) -> Reply<Announcement> {
    let group = group_of(&cx, req.group_id).await?;
    let title = req.title.unwrap_or_default();
    let told = cx.domain.groups.announce(&cx.caller, group, &title, &req.content).await?;
    show(&cx, req.group_id, told).await
}

/// `GET /group/announcement`: one announcement.
pub(crate) async fn get(cx: Cx, Query(req): Query<OneQuery>) -> Reply<Announcement> {
    let group = group_of(&cx, req.group_id).await?;
    let told = cx.domain.groups.announcement(&cx.caller, group, Some(req.announcement_id)).await?;
    show(&cx, req.group_id, told).await
}

/// `GET /group/announcement/last`: the newest.
pub(crate) async fn last(cx: Cx, Query(req): Query<OfGroup>) -> Reply<Announcement> {
    let group = group_of(&cx, req.group_id).await?;
    let told = cx.domain.groups.announcement(&cx.caller, group, None).await?;
    show(&cx, req.group_id, told).await
}

/// `GET /group/announcement/list`: all of them.
pub(crate) async fn list(cx: Cx, Query(req): Query<OfGroup>) -> Reply<Vec<Announcement>> {
    let group = group_of(&cx, req.group_id).await?;
    let told = cx.domain.groups.announcements(&cx.caller, group).await?;
    let authors = numbers_of_users(&cx, told.iter().map(|one| one.author)).await?;
    Ok(told.into_iter().map(|one| shown(req.group_id, one, &authors)).collect())
}

/// `POST|DELETE /group/announcement/delete`: takes one back.
pub(crate) async fn delete(cx: Cx, Query(req): Query<OneQuery>) -> Reply<bool> {
    let group = group_of(&cx, req.group_id).await?;
    cx.domain.groups.remove_announcement(&cx.caller, group, req.announcement_id).await?;
    Ok(true)
}

async fn show(cx: &Cx, group: u64, told: Stored) -> Reply<Announcement> {
    let authors = numbers_of_users(cx, [told.author]).await?;
    Ok(shown(group, told, &authors))
}

fn shown(group_id: u64, told: Stored, authors: &Numbers) -> Announcement {
    Announcement {
        author: authors.of(told.author),
        content: told.content,
        created_at: told.created,
        group_id,
        id: told.id,
        title: told.title,
    }
}
