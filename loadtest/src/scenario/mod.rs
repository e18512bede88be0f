//! What can be done to a server: one file for each scenario, and what they share.
//!
//! A scenario is a file with its options, which tell how many users they need ([`Scenario::users`]) and what one process's part of
//! them is ([`Scenario::share`]), and with a `run` that does that part. A line in the list below makes it a table in plans and a
//! subcommand.

pub mod connect;
pub mod devices;
pub mod group;
mod link;
pub mod mixed;
pub mod peer;
mod person;
mod reading;
pub mod rooms;
pub mod slow;
mod writing;

use std::sync::Arc;

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::run::context::Context;

macro_rules! scenarios {
    ($($(#[$about:meta])* $module:ident: $Options:ident,)*) => {
        /// A scenario and its options: a table of a plan, or a subcommand.
        #[derive(Debug, Clone, Serialize, Deserialize, Subcommand)]
        #[serde(rename_all = "lowercase")]
        pub enum Scenario {
            $($(#[$about])* $Options($module::$Options),)*
        }

        impl Scenario {
            /// As it is called in files and on the command line.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$Options(_) => stringify!($module),)*
                }
            }

            /// Users that it needs.
            #[must_use]
            pub fn users(&self) -> usize {
                match self {
                    $(Self::$Options(options) => options.users(),)*
                }
            }

            /// One process's part, of so many processes.
            #[must_use]
            pub fn share(&self, index: usize, processes: usize) -> Self {
                match self {
                    $(Self::$Options(options) => Self::$Options(options.share(index, processes)),)*
                }
            }
        }

        /// Does a worker's part, from login to the last arrival.
        pub(crate) async fn run(context: Arc<Context>) -> anyhow::Result<()> {
            match context.plan.scenario.clone() {
                $(Scenario::$Options(options) => Box::pin($module::run(context, options)).await,)*
            }
        }
    };
}

scenarios! {
    /// Opens connections at a given rate, holds them, and tells what they cost the server.
    connect: Connect,
    /// Sends messages between pairs of users and checks that every one arrives once and in order.
    peer: Peer,
    /// Sends messages to groups and checks that every member who is connected has every one.
    group: Group,
    /// Talks in chat rooms, which whoever is in them hears and nobody keeps.
    rooms: Rooms,
    /// Sends messages between users with several devices and checks that each device has every one.
    devices: Devices,
    /// Has some readers stop now and then, and checks that the others notice nothing and that they themselves end with everything.
    slow: Slow,
    /// Spends a day in a chat app: people, groups, receipts, typing, history, presence, and sessions that come and go.
    mixed: Mixed,
}
