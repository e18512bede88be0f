//! gobelieve's tokens: `POST /auth/grant`.

use domain::UserId;
use domain::tokens::Issue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reply;
use super::users::{Person, ensure, rename};
use crate::context::Cx;
use crate::input::Json;

/// A token that is always the same for one user, and good for ever.
pub(super) const TOKEN: Issue = Issue { dialect: "gobelieve", platform: 0, lifetime: None, repeatable: true };

/// Whose token.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct GrantRequest {
    /// A JSON integer; a string is refused.
    #[schema(minimum = 1)]
    uid: u64,
    #[serde(default)]
    user_name: String,
    /// 1 iOS, 2 Android, 3 web. One token serves all, so this changes nothing.
    #[serde(default)]
    #[expect(dead_code, reason = "checked for its type only")]
    platform_id: Option<i64>,
    /// Changes nothing either.
    #[serde(default)]
    #[expect(dead_code, reason = "checked for its type only")]
    device_id: Option<String>,
}

/// The token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GrantReply {
    /// 30 characters `[A-Za-z0-9]`.
    token: String,
}

/// `POST /auth/grant`: a user's token.
pub(super) async fn grant(cx: Cx, Json(request): Json<GrantRequest>) -> Reply<GrantReply> {
    let name = request.user_name;
    let user = ensure(&cx, "uid", Person { uid: request.uid, name: name.clone(), avatar: String::new() }).await?;
    rename(&cx, &user, name).await?;
    let issued = cx.domain.tokens.issue(&cx.caller, UserId(user.id), TOKEN).await?;
    Ok(GrantReply { token: issued.text })
}
