//! What push providers call the device, and by what the app's server addresses the caller.

use domain::push::Binding;
use domain::record::PushProvider;
use proto::wire;
use wire::frame::Body;

use super::{MOST_NAMES, at_most, no_request};
use crate::error::invalid;

/// A request about pushes.
#[derive(Debug, Clone)]
pub enum PushRequest {
    /// `None` ends pushes to the device.
    Bind(Option<Box<Binding>>),
    SetBadge(u32),
    Tags,
    AddTags(Vec<String>),
    /// `None` takes all.
    RemoveTags(Option<Vec<String>>),
    SetAlias(String),
}

impl PushRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Bind(_) => "bind_push",
            Self::SetBadge(_) => "set_badge",
            Self::Tags => "list_push_tags",
            Self::AddTags(_) => "add_push_tags",
            Self::RemoveTags(_) => "remove_push_tags",
            Self::SetAlias(_) => "set_push_alias",
        }
    }

    pub(super) fn parse(body: Body) -> Result<Self, wire::Error> {
        Ok(match body {
            Body::BindPush(bind) if bind.token.is_empty() => Self::Bind(None),
            Body::BindPush(bind) => Self::Bind(Some(Box::new(binding(bind)?))),
            Body::SetBadge(set) => Self::SetBadge(set.badge),
            Body::ListPushTags(_) => Self::Tags,
            Body::AddPushTags(add) => Self::AddTags(at_most("tags", add.tags, MOST_NAMES)?),
            Body::RemovePushTags(remove) if remove.tags.is_empty() => Self::RemoveTags(None),
            Body::RemovePushTags(remove) => Self::RemoveTags(Some(at_most("tags", remove.tags, MOST_NAMES)?)),
            Body::SetPushAlias(set) => Self::SetAlias(set.alias),
            _ => return Err(no_request()),
        })
    }
}

/// The record and the contract have the same numbers.
fn binding(bind: wire::BindPush) -> Result<Binding, wire::Error> {
    let provider = PushProvider::try_from(bind.provider).map_err(|_| invalid("provider", "is no such choice"))?;
    Ok(Binding { provider, token: bind.token, channel: bind.channel })
}
