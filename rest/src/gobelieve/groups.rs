//! gobelieve's groups: `POST /groups` and `/groups/{gid}/members`.

use domain::groups::{Added, NewGroup};
use domain::record::{GroupKind, Role};
use domain::{GroupId, GroupRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::users::{Member, Person, ensure, ensure_all, ensure_uid};
use super::{Error, Gobelieve, Reply};
use crate::context::{Call, Cx};
use crate::input::{Input, Json, Path, from_json};
use crate::lenient;
use crate::names::number_of_group;
use crate::openapi::OperationDoc;

/// A new group.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateRequest {
    /// Who owns it.
    #[schema(minimum = 1)]
    master: u64,
    name: String,
    /// A super group; 0 and 1 are taken too.
    #[serde(rename = "super", default, deserialize_with = "lenient::boolean")]
    is_super: bool,
    #[serde(default)]
    members: Vec<Member>,
}

/// The group's id.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreateReply {
    group_id: u64,
}

/// Which group.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct GroupPath {
    gid: u64,
}

/// Whom to add, and in whose name.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct AddRequest {
    #[serde(default)]
    members: Vec<Member>,
    /// Who invites them; the app itself if absent.
    #[serde(default)]
    inviter: Option<Person>,
}

impl Input<Gobelieve> for AddRequest {
    /// The original takes an object with `members`, the bare list, or one bare member.
    fn read(call: &Call) -> Reply<Self> {
        #[derive(Deserialize)]
        struct Which {
            uid: Option<u64>,
        }

        if call.text()?.trim_start().starts_with('[') {
            return Ok(Self { members: from_json(&call.body)?, inviter: None });
        }
        match from_json::<Which>(&call.body)?.uid {
            Some(_) => Ok(Self { members: vec![Member::Full(from_json(&call.body)?)], inviter: None }),
            None => Ok(from_json(&call.body)?),
        }
    }

    fn describe(doc: &mut OperationDoc) {
        doc.either_body::<Self, Vec<Member>>();
    }
}

/// `POST /groups`: a new group.
pub(super) async fn create(cx: Cx, Json(request): Json<CreateRequest>) -> Reply<CreateReply> {
    let owner = ensure_uid(&cx, "master", request.master).await?;
    let cards = ensure_all(&cx, request.members).await?;
    let new = NewGroup {
        name: request.name,
        kind: if request.is_super { GroupKind::Super } else { GroupKind::Private },
        owner: Some(owner),
        owner_is_member: cards.iter().any(|(user, _)| *user == owner),
        members: cards.iter().filter(|(user, _)| *user != owner).map(|(user, _)| (*user, Role::Member)).collect(),
        cards: cards.into_iter().filter(|(_, card)| !card.is_empty()).collect(),
        ..NewGroup::default()
    };
    let group = cx.domain.groups.create(&cx.caller, new).await?;
    Ok(CreateReply { group_id: number_of_group(&group) })
}

/// `POST /groups/{gid}/members`: adds members; `false` if there was nobody to add.
pub(super) async fn add_members(cx: Cx, (Path(path), request): (Path<GroupPath>, AddRequest)) -> Reply<bool> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(path.gid)).await?;
    let members = ensure_all(&cx, request.members).await?;
    if members.is_empty() {
        return Ok(false);
    }
    let inviter = invited_by(&cx, request.inviter).await?;
    let results = cx.domain.groups.add_members(&inviter, GroupId(group.id), &members).await?;
    results.into_iter().try_for_each(|(_, added)| outcome(added))?;
    Ok(true)
}

/// Whom the group will see as the one who added the members.
async fn invited_by(cx: &Cx, inviter: Option<Person>) -> Reply<domain::Caller> {
    let Some(inviter) = inviter else { return Ok(cx.caller.clone()) };
    let user = ensure(cx, "inviter.uid", inviter).await?;
    Ok(cx.domain.tokens.act_as(&cx.caller, domain::UserId(user.id)).await?)
}

fn outcome(added: Added) -> Result<(), Error> {
    match added {
        Added::Yes | Added::Already => Ok(()),
        Added::Failed(error) => Err(error.into()),
    }
}
