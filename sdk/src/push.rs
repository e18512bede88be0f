//! Pushes: what a push provider calls this device, and what the app's icon shows.

use proto::wire::frame::Body;
use proto::wire::{AddPushTags, BindPush, ListPushTags, RemovePushTags, SetBadge, SetPushAlias};

use crate::client::Client;
use crate::error::Result;

/// Over whom a device is reached while it is not connected.
pub use proto::wire::PushProvider;

impl Client {
    /// Tells what a provider calls this device, so that its user is reached while it is not connected. To be repeated whenever the provider
    /// gives another token. `channel` is the name of one of the app's channels; empty for the first one of the provider.
    pub async fn bind_push(&self, provider: PushProvider, token: &str, channel: &str) -> Result<()> {
        let (token, channel) = (token.to_owned(), channel.to_owned());
        self.ask_ok(Body::BindPush(BindPush { provider: provider.into(), token, channel })).await
    }

    /// Ends pushes to this device: what an app does when its user logs out.
    pub async fn unbind_push(&self) -> Result<()> {
        self.ask_ok(Body::BindPush(BindPush::default())).await
    }

    /// Tells what the app's icon shows; further pushes count on from there.
    pub async fn set_badge(&self, badge: u32) -> Result<()> {
        self.ask_ok(Body::SetBadge(SetBadge { badge })).await
    }
    /// The caller's tags, by which the app's server addresses pushes.
    pub async fn push_tags(&self) -> Result<Vec<String>> {
        Ok(answer!(self, Body::ListPushTags(ListPushTags {}), PushTagList).tags)
    }

    /// Adds tags to the caller; those that are there stay.
    pub async fn add_push_tags(&self, tags: &[&str]) -> Result<()> {
        self.ask_ok(Body::AddPushTags(AddPushTags { tags: owned(tags) })).await
    }

    /// Takes tags from the caller.
    pub async fn remove_push_tags(&self, tags: &[&str]) -> Result<()> {
        if tags.is_empty() {
            // On the wire, none means all.
            return Ok(());
        }
        self.ask_ok(Body::RemovePushTags(RemovePushTags { tags: owned(tags) })).await
    }

    /// Takes all tags from the caller.
    pub async fn clear_push_tags(&self) -> Result<()> {
        self.ask_ok(Body::RemovePushTags(RemovePushTags { tags: Vec::new() })).await
    }

    /// Another name by which the app's server addresses the caller with pushes; empty takes it away.
    pub async fn set_push_alias(&self, alias: &str) -> Result<()> {
        self.ask_ok(Body::SetPushAlias(SetPushAlias { alias: alias.to_owned() })).await
    }
}

fn owned(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|&tag| tag.to_owned()).collect()
}
