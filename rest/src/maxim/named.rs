//! Groups as requests name them.

use domain::{GroupId, GroupRef};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Reply;
use crate::context::Cx;
use crate::lenient;

/// Which group.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct OfGroup {
    #[serde(deserialize_with = "lenient::u64")]
    pub(super) group_id: u64,
}

/// The group of a number that the caller may see.
pub(super) async fn group_of(cx: &Cx, number: u64) -> Reply<GroupId> {
    Ok(GroupId(cx.domain.groups.find(&cx.caller, &GroupRef::Number(number)).await?.id))
}
