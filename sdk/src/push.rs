//! Pushes: what a push provider calls this device, and what the app's icon shows.

use proto::wire::frame::Body;
use proto::wire::{BindPush, SetBadge};

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
}
