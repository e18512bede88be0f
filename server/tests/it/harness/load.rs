//! The load tester, run in the test's own process.

use linnet_loadtest::outcome::Outcome;
use linnet_loadtest::plan::Plan;
use linnet_loadtest::run::coordinator::{self, Worker};
use linnet_loadtest::show::Shows;

use super::{Server, Site};

/// Runs a plan to its end, over so many workers.
pub(crate) async fn run(plan: Plan, workers: usize) -> Outcome {
    let workers = (0..workers).map(|_| Worker::local()).collect();
    coordinator::run(plan, workers, &mut Shows::default(), std::future::pending())
        .await
        .expect("the run goes to its end")
}

/// Makes users beside a running server, and writes their tokens into `load.tsv`.
pub(crate) fn users(site: &Site, count: usize) {
    let count = count.to_string();
    site.run(&["user", "create", "--count", &count, "--prefix", "load", "--credentials", "load.tsv"]);
}

/// Makes users beside a running server, and the head of a plan that logs them in.
pub(crate) fn target(site: &Site, server: &Server, count: usize) -> String {
    users(site, count);
    let file = site.path().join("load.tsv");
    format!("[target]\naddress = [\"{}\"]\ncredentials = \"{}\"\n", server.gateway().tcp, file.display())
}
