//! tenured's signs: `POST /v1/build_token`.

use domain::apps::Credential;
use domain::{Caller, Domain};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Reply, Tenured, sign};
use crate::context::{Call, Cx};
use crate::input::{Input, JsonOrForm};
use crate::lenient;

/// Who asks for a sign.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BuildRequest {
    /// The app's id.
    #[serde(rename = "appId", deserialize_with = "lenient::string")]
    #[schema(example = "demo")]
    app_id: String,
    /// The app's private key: its secret.
    #[serde(deserialize_with = "lenient::string")]
    private: String,
}

/// A sign; `token` and `sign` are two names of one thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BuildReply {
    token: String,
    sign: String,
    /// Unix seconds.
    expire: i64,
}

/// The app's server, by id and private key in the body.
pub(super) async fn authenticate(domain: &Domain, call: &Call) -> Reply<Caller> {
    let JsonOrForm(request) = <JsonOrForm<BuildRequest> as Input<Tenured>>::read(call)?;
    // Which of the two is wrong is told apart, as the document's codes do; an app's id is no secret.
    domain.apps.find(&request.app_id).await?;
    Ok(domain.apps.authenticate(&Credential::Secret { id: request.app_id, secret: request.private }).await?)
}

/// `POST /v1/build_token`: a sign for the app's server.
pub(super) async fn build(cx: Cx, _: JsonOrForm<BuildRequest>) -> Reply<BuildReply> {
    let expire = cx.clock.now().plus(cx.config.tenured_sign_lifetime).0 / 1000;
    let sign = sign::make(cx.caller.app_record(), expire);
    Ok(BuildReply { token: sign.clone(), sign, expire })
}
