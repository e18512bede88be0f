//! What can be done to a server: one file for each scenario, and what they share.
//!
//! A scenario is a file with its options, which tell how many users they need ([`Scenario::users`]) and what one process's part of
//! them is ([`Scenario::share`]), and with a `run` that does that part. A line in the list below makes it a table in plans and a
//! subcommand.

pub mod connect;
pub mod devices;
mod figures;
pub mod group;
mod link;
pub mod mixed;
pub mod offline;
pub mod peer;
mod person;
mod reading;
pub mod rest;
pub mod rooms;
pub mod slow;
pub mod storm;
mod writing;

use std::sync::Arc;

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::plan::schedule::Load;
use crate::run::context::Context;

pub(crate) use figures::figures;

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
    /// Sends to users who are away, then wakes them up, and tells how long each takes to have everything.
    offline: Offline,
    /// Calls the REST service in five dialects, and checks that what is sent there arrives at phones.
    rest: Rest,
    /// Cuts all sessions at once, or kills their gateway, and tells how soon they are back and what others notice of it.
    storm: Storm,
}

impl Scenario {
    /// Connections at the same time, at most.
    #[must_use]
    pub fn connections(&self) -> usize {
        match self {
            Self::Devices(options) => options.devices.saturating_mul(self.users()),
            Self::Group(options) => options.connections(),
            _ => self.users(),
        }
    }

    /// Does to the server what can be done only once in a run, whatever the number of processes. Called when all have reached
    /// [`Milestone::Strike`](crate::run::message::Milestone::Strike), which begins after this notice.
    pub(crate) fn strike(&self, notice: std::time::Duration) -> anyhow::Result<()> {
        match self {
            Self::Storm(storm) => storm.strike(notice),
            _ => Ok(()),
        }
    }

    /// Settles what the options leave open, and reads the files that they name, once, before the work is shared out.
    pub(crate) fn complete(&mut self, load: &mut Load) -> anyhow::Result<()> {
        match self {
            Self::Rest(rest) => rest.complete(),
            Self::Offline(_) => offline::check(load),
            Self::Storm(storm) => storm::complete(storm, load),
            _ => Ok(()),
        }
    }

    /// Drops what must not stand in a report.
    pub(crate) fn forget_secrets(&mut self) {
        if let Self::Rest(rest) = self {
            rest.forget_secrets();
        }
    }
}
