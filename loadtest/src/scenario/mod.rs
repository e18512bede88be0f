//! What can be done to a server: one file for each scenario, and what they share.

pub mod connect;
pub mod peer;
mod reading;
mod writing;

use std::sync::Arc;

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::run::context::Context;

/// A scenario and its options: a table of a plan, or a subcommand.
#[derive(Debug, Clone, Serialize, Deserialize, Subcommand)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Opens connections at a given rate, holds them, and tells what they cost the server.
    Connect(connect::Connect),
    /// Sends messages between pairs of users and checks that every one arrives once and in order.
    Peer(peer::Peer),
}

impl Scenario {
    /// As it is called in files and on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Peer(_) => "peer",
        }
    }

    /// Users that it needs.
    #[must_use]
    pub fn users(&self) -> usize {
        match self {
            Self::Connect(connect) => connect.users(),
            Self::Peer(peer) => peer.users(),
        }
    }

    /// One process's part, of so many processes.
    #[must_use]
    pub fn share(&self, index: usize, processes: usize) -> Self {
        match self {
            Self::Connect(connect) => Self::Connect(connect.share(index, processes)),
            Self::Peer(peer) => Self::Peer(peer.share(index, processes)),
        }
    }
}

/// Does a worker's part, from login to the last arrival.
pub(crate) async fn run(context: Arc<Context>) -> anyhow::Result<()> {
    match context.plan.scenario.clone() {
        Scenario::Connect(connect) => connect::run(context, connect).await,
        Scenario::Peer(peer) => peer::run(context, peer).await,
    }
}
