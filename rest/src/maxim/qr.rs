//! Codes that let users join a group, for apps to show as QR codes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reply;
use super::named::{OfGroup, group_of};
use crate::context::Cx;
use crate::input::{Json, Query};

/// A code that was read.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InviteRequest {
    qr_info: String,
}

/// A code to show.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Code {
    /// Unix milliseconds.
    create_at: i64,
    /// Unix milliseconds; from then on it does not work.
    expire_at: i64,
    /// Opaque.
    qr_info: String,
}

/// `GET /group/qrcode/sign`: a code for a group.
pub(crate) async fn sign(cx: Cx, Query(req): Query<OfGroup>) -> Reply<Code> {
    let group = group_of(&cx, req.group_id).await?;
    let code = cx.domain.groups.join_code(&cx.caller, group).await?;
    Ok(Code { create_at: code.created, expire_at: code.expires, qr_info: code.text })
}

/// `POST /group/qrcode/invite`: joins the group that a code is for.
pub(crate) async fn invite(cx: Cx, Json(req): Json<InviteRequest>) -> Reply<bool> {
    cx.domain.groups.join_by_code(&cx.caller, &req.qr_info).await?;
    Ok(true)
}
