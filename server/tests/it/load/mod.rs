//! The load tester against the real server: every scenario, and books that notice every breach.

mod faults;
mod scenarios;

use std::net::SocketAddr;

use linnet_loadtest::outcome::Outcome;
use linnet_loadtest::plan::Plan;

use crate::harness::{Role, Server, Site, load};

/// A server with users who have tokens.
pub(crate) struct Stage {
    site: Site,
    pub(crate) server: Server,
}

impl Stage {
    /// With so many users, and these arguments to the server.
    pub(crate) fn new(users: usize, arguments: &[&str]) -> Self {
        let site = Site::new();
        // Its first start makes the app that the users are of.
        let server = site.start_with(Role::Serve, arguments);
        load::users(&site, users);
        Self { site, server }
    }

    /// Runs a plan, given as everything but its target, over plain TCP.
    pub(crate) async fn run(&self, plan: &str) -> Outcome {
        self.run_at(self.server.gateway().tcp, plan).await
    }

    /// As [`Self::run`], at another address than the server's own.
    pub(crate) async fn run_at(&self, address: SocketAddr, plan: &str) -> Outcome {
        self.run_to(&format!("address = [\"{address}\"]"), plan).await
    }

    /// As [`Self::run`], with a target that says how to connect.
    pub(crate) async fn run_to(&self, target: &str, plan: &str) -> Outcome {
        let credentials = self.site.path().join("load.tsv");
        let pid = self.server.ready.pid;
        let text = format!("[target]\ncredentials = {credentials:?}\nserver_pid = [{pid}]\n{target}\n{plan}");
        load::run(Plan::parse(&text).expect("a plan"), 1).await
    }
}
