//! openim's tokens: `POST /auth/user_token`.

use domain::tokens::{Issue, Issued};
use domain::{UserRef, users::uid_of};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bind::{Bind, Bound, Rules, bind};
use super::{Error, Reply};
use crate::config::Config;
use crate::context::{Call, Cx};

/// Who shall have a token.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct TokenRequest {
    /// The app's secret.
    #[schema(required = true, max_length = 32)]
    secret: String,
    /// 1 iOS, 2 Android, 3 Windows, 4 OSX, 5 web, 6 mini program, 7 Linux, 8 any.
    #[schema(required = true, minimum = 1, maximum = 8)]
    platform: i32,
    /// The user's id in the app.
    #[schema(required = true, min_length = 1, max_length = 64)]
    uid: String,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenReply {
    uid: String,
    token: String,
    /// Unix seconds.
    expired_time: i64,
}

impl Bind for TokenRequest {
    const NAME: &'static str = "paramsUserToken";

    fn rules(&self, rules: &mut Rules) {
        rules.text("Secret", &self.secret, 32);
        rules.number("Platform", self.platform.into(), 1, 8);
        rules.text("UID", &self.uid, 64);
    }
}

/// The secret in the body.
pub(super) fn secret(call: &Call) -> Reply<String> {
    bind::<TokenRequest>(call).map(|request| request.secret)
}

/// `POST /auth/user_token`: a token for a user who exists.
pub(super) async fn issue(cx: Cx, Bound(request): Bound<TokenRequest>) -> Reply<TokenReply> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Uid(request.uid)).await.map_err(Error::at_token)?;
    let issue = for_platform(request.platform, &cx.config);
    let issued = cx.domain.tokens.issue(&cx.caller, domain::UserId(user.id), issue).await?;
    Ok(TokenReply::new(uid_of(&user), issued))
}

/// What to issue for one of openim's platforms, whose numbers the wire protocol shares; 8 stands for any.
pub(super) fn for_platform(platform: i32, config: &Config) -> Issue {
    let platform = u32::try_from(platform).ok().filter(|platform| *platform < 8).unwrap_or(0);
    Issue { dialect: "openim", platform, lifetime: Some(config.openim_token_lifetime), repeatable: false }
}

impl TokenReply {
    pub(super) fn new(uid: String, issued: Issued) -> Self {
        Self { uid, token: issued.text, expired_time: issued.expires / 1000 }
    }
}
