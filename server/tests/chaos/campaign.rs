//! The campaigns.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use storage::testing::{ClusterOptions, RedisCluster};

use crate::faults::{Driver, Fault, Incident, plan};
use crate::firewall::Firewall;
use crate::ledger::{Ledger, Moment};
use crate::report::Report;
use crate::settings::Settings;
use crate::world::{Crowd, World, holds_within};

const MASTERS: usize = 3;
const REPLICAS: usize = 2;
const GATEWAYS: usize = 3;
const RESTS: usize = 2;
const NODE_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long the first message of every conversation may take.
const WARM_UP: Duration = Duration::from_secs(60);

/// Acknowledgements wait for every replica: whatever fails, nothing is lost, doubled, out of order, or shown and taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() {
    let settings = Settings::from_environment();
    let firewall = Firewall::find();
    let faults = plan(settings.seed, settings.failovers, firewall.is_some());
    let report = run(&settings, REPLICAS, &faults, firewall).await;
    assert!(report.findings.is_clean(), "promises were broken");
}

/// The proof of the checker: without waiting for replicas, a failover loses what was acknowledged, and that is found.
/// Every client that had been shown it is told to forget it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_waiting_for_replicas_losses_are_found_and_told() {
    let settings = Settings { messages: 0, ..Settings::from_environment() };
    let report = run(&settings, 0, &vec![Fault::StarveReplicas; settings.failovers], None).await;
    assert!(report.findings.lost > 0, "a failover without acknowledged replication lost nothing, so nothing was shown");
    assert!(report.findings.resets > 0, "somebody was told");
    assert!(report.findings.is_clean_but_for_losses(), "promises were broken that hold even so");
}

async fn run(settings: &Settings, ack_replicas: usize, faults: &[Fault], firewall: Option<Firewall>) -> Report {
    let options = ClusterOptions { node_timeout: NODE_TIMEOUT, ..ClusterOptions::new(MASTERS, REPLICAS) };
    let mut world = tokio::task::block_in_place(|| {
        let redis = RedisCluster::start_with(options).unwrap_or_else(|reason| panic!("{reason}"));
        // Linnet refuses to start like this unless told by name.
        let accept = if ack_replicas == 0 { "accept = [\"replicas\"]" } else { "" };
        World::start(redis, &format!("ack_replicas = {ack_replicas}\n{accept}"), GATEWAYS, RESTS)
    });
    let crowd = Crowd::start(&world, settings.rate).await;
    let ledger = std::sync::Arc::clone(&crowd.ledger);
    let conversations = crowd.conversations();
    let begun = holds_within(WARM_UP, || ledger.all_acked_since(&conversations, Moment(0))).await;
    assert!(begun, "every conversation begins");
    let slots = tokio::task::block_in_place(|| world.slots(&conversations));
    let mut driver =
        Driver { world: &mut world, ledger: &ledger, slots, firewall, random: StdRng::seed_from_u64(settings.seed) };
    let mut incidents: Vec<Incident> = Vec::new();
    let mut stuck = None;
    for (number, fault) in (1..).zip(faults) {
        match driver.strike(*fault).await {
            Ok(incident) => incidents.push(incident),
            Err(reason) => {
                stuck = Some(reason);
                break;
            }
        }
        // Spread over the faults, so that each of them has its share of the messages.
        let due = settings.messages * number / faults.len();
        while ledger.acked() < due {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    if stuck.is_some() {
        keep_evidence(&world, &ledger, settings.seed);
    }
    let account = crowd.stop(&world).await;
    let report = Report::new(settings.seed, ack_replicas, &ledger, &incidents, account);
    println!("{report}");
    if let Some(path) = &settings.report {
        report.keep(path).expect("the report is written");
    }
    if !report.findings.is_clean() || settings.keep {
        keep_evidence(&world, &ledger, settings.seed);
    }
    assert_eq!(stuck, None, "it did not recover");
    report
}

/// The processes' logs and the writers' books, for whoever looks for a cause.
fn keep_evidence(world: &World, ledger: &Ledger, seed: u64) {
    let folder = std::env::temp_dir().join(format!("linnet-chaos-{seed}"));
    world.keep_logs(&folder);
    std::fs::write(folder.join("operations.tsv"), ledger.to_text()).expect("the books are kept");
    println!("logs and books are in {}", folder.display());
}
