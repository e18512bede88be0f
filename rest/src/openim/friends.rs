//! openim's roster: `POST /friend/import_friend` and `/friend/add_blacklist`.

use domain::roster::Imported;
use domain::{Caller, UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bind::{Bind, Bound, Rules};
use super::users::too_many;
use super::{Error, Nothing, Refusal, Reply};
use crate::context::Cx;

/// Who become friends.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ImportRequest {
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
    /// One friend, as the document has it.
    uid: String,
    /// Several, as its clients send them.
    uid_list: Vec<String>,
    /// Whose friends.
    #[schema(required = true, min_length = 1)]
    owner_uid: String,
}

/// Whom to block.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct BlockRequest {
    /// Any string, for the caller's own logs.
    #[serde(rename = "operationID")]
    #[schema(required = true, min_length = 1)]
    operation_id: String,
    #[schema(required = true, min_length = 1)]
    uid: String,
    /// Whose block list, where an administrator asks; else it is the caller's own.
    owner_uid: String,
}

/// Who did not become a friend: nobody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportReply {
    failed_uid_list: Vec<String>,
}

impl Bind for ImportRequest {
    const NAME: &'static str = "paramsImportFriendReq";

    fn rules(&self, rules: &mut Rules) {
        rules.required("OperationID", !self.operation_id.is_empty());
        rules.required("UIDList", !self.uid.is_empty() || !self.uid_list.is_empty());
        rules.required("OwnerUid", !self.owner_uid.is_empty());
    }
}

impl Bind for BlockRequest {
    const NAME: &'static str = "paramsAddBlackList";

    fn rules(&self, rules: &mut Rules) {
        rules.required("OperationID", !self.operation_id.is_empty());
        rules.required("UID", !self.uid.is_empty());
    }
}

/// `POST /friend/import_friend`: makes users friends, whatever they want.
pub(super) async fn import(cx: Cx, Bound(request): Bound<ImportRequest>) -> Reply<ImportReply> {
    let uids = request.uids(cx.config.max_users_per_call)?;
    let owner = owner_of(&cx, &request.owner_uid).await.map_err(Error::at_import)?;
    let friends: Vec<Imported> = uids.iter().map(|uid| imported(uid)).collect();
    let outcomes = cx.domain.roster.import(&owner, &friends).await?;
    let failed: Vec<String> =
        uids.into_iter().zip(outcomes).filter(|(_, friends)| !friends).map(|(uid, _)| uid).collect();
    if failed.is_empty() { Ok(ImportReply { failed_uid_list: failed }) } else { Err(Error::NotAllFriends(failed)) }
}

/// `POST /friend/add_blacklist`: blocks a user.
pub(super) async fn block(cx: Cx, Bound(request): Bound<BlockRequest>) -> Reply<Nothing> {
    let owner = match request.owner_uid.as_str() {
        owner if cx.caller.is_privileged() && !owner.is_empty() => owner_of(&cx, owner).await?,
        _ => cx.caller.clone(),
    };
    let user = cx.domain.users.find(&cx.caller, &UserRef::Uid(request.uid)).await?;
    // The original finds out from its database that the row exists already.
    let news = cx.domain.roster.block(&owner, UserId(user.id)).await?;
    if news { Ok(Nothing {}) } else { Err(Error::Refused(Refusal::BLOCKED_ALREADY)) }
}

/// A caller who acts for this user.
async fn owner_of(cx: &Cx, uid: &str) -> Result<Caller, domain::Error> {
    let owner = cx.domain.users.find(&cx.caller, &UserRef::Uid(uid.to_owned())).await?;
    cx.domain.tokens.act_as(&cx.caller, UserId(owner.id)).await
}

fn imported(uid: &str) -> Imported {
    Imported { user: UserRef::Uid(uid.to_owned()), remark: String::new(), extension: String::new() }
}

impl ImportRequest {
    /// Everybody who is named, in either form.
    fn uids(&self, limit: usize) -> Reply<Vec<String>> {
        let one = Some(self.uid.clone()).filter(|uid| !uid.is_empty());
        let all: Vec<String> = one.into_iter().chain(self.uid_list.iter().cloned()).collect();
        if all.len() > limit { Err(too_many("uidList", all.len(), limit)) } else { Ok(all) }
    }
}
