//! The load tester's scenario `rest`, against a real server: five dialects, and phones that receive what they send.

use linnet_loadtest::plan::Plan;

use crate::harness::load::run;
use crate::harness::{Role, Server, Site};

/// A server with an app of its own, its users, and the head of a plan for them; then the scenario's table.
fn plan(site: &Site, server: &Server, users: usize) -> String {
    let made = site.run(&["app", "create", "--id", "shop", "--number", "42", "--admin", "boss"]);
    std::fs::write(site.path().join("app"), made).expect("a file");
    let (count, file) = (users.to_string(), site.path().join("load.tsv"));
    site.run(&["user", "create", "--app", "shop", "--count", &count, "--prefix", "p", "--credentials", "load.tsv"]);
    format!(
        "[target]\naddress = [\"{}\"]\ncredentials = \"{}\"\n[scenario.rest]\nurl = \"{}\"\napp_file = \"{}\"\n",
        server.gateway().tcp,
        file.display(),
        server.url(""),
        site.path().join("app").display(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_app_servers_send_in_five_dialects_reaches_phones() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let shape = "pairs = 4\nconnections = 6\ngateway_pairs = 2\ngateway_rate = 50\n";
    let plan = plan(&site, &server, 12) + shape + "[load]\nrate = 300\nduration = \"1s\"\n";
    let outcome = run(Plan::parse(&plan).expect("a plan"), 2).await;
    assert!(outcome.passed, "{:?} {:?} {:?}", outcome.errors, outcome.ledger, outcome.counts);
    assert_eq!(outcome.errors.len(), 0, "{:?}", outcome.errors);
    // 300 calls were due; half of them send, and tim needs two calls for that.
    assert!(outcome.counts["requests"] > 300, "{:?}", outcome.counts);
    assert_eq!(outcome.counts["status 200"], outcome.counts["requests"]);
    let phones = 50;
    assert_eq!((outcome.ledger.sent, outcome.ledger.received), (150 + phones, 150 + phones));
    let routes: Vec<&String> = outcome.timings.keys().filter(|name| name.starts_with("request ")).collect();
    assert_eq!(routes.len(), 14, "{routes:?}");
    assert!(routes.iter().all(|route| outcome.timings[*route].count > 0), "{:?}", outcome.timings);
    let report = serde_json::to_string(&outcome).expect("JSON");
    let secret = std::fs::read_to_string(site.path().join("app")).expect("the file");
    let secret = secret.lines().find_map(|line| line.strip_prefix("secret")).expect("the secret").trim();
    assert!(!report.contains(secret), "a report goes to other people");
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_calls_are_counted_by_route_and_status() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let plan = plan(&site, &server, 4).replace("app_file", "# app_file")
        + "app = \"shop\"\ndialects = [\"maxim\", \"tim\"]\npairs = 2\nconnections = 2\ngateway_pairs = 0\n\
           send_share = 100\nhistory_share = 0\n[load]\nduration = \"500ms\"\nin_flight = 1\n";
    let users = std::fs::read_to_string(site.path().join("load.tsv")).expect("the users");
    let first = users.lines().next().and_then(|line| line.split('\t').next()).expect("a user");
    site.run(&["user", "disable", first, "--app", "shop"]);
    let outcome = run(Plan::parse(&plan).expect("a plan"), 1).await;
    assert!(outcome.counts["request errors"] > 0, "{:?}", outcome.counts);
    let named = outcome.errors.keys().any(|error| error.starts_with("maxim POST /message/send: status "));
    assert!(named, "{:?}", outcome.errors);
    assert_eq!(outcome.ledger.lost, 0);
    assert!(outcome.ledger.acked > 0, "the other pair goes on: {:?}", outcome.ledger);
    assert!(server.terminate().success());
}
