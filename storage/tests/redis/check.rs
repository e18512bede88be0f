//! What the check finds in clusters that are and are not as they should be.

use storage::testing::{ClusterOptions, RedisCluster};
use storage::{Clock, Point, RedisCheck, RedisConfig, Severity};

async fn check(cluster: &RedisCluster, ack_replicas: u32) -> RedisCheck {
    let config = RedisConfig { url: cluster.url().parse().unwrap(), ack_replicas, ..RedisConfig::default() };
    RedisCheck::run(&config, &Clock::system()).await
}

fn points(check: &RedisCheck, severity: Severity) -> Vec<Point> {
    let mut points: Vec<Point> = check.findings.iter().filter(|f| f.severity == severity).map(|f| f.point).collect();
    points.sort();
    points.dedup();
    points
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_cluster_passes_and_each_fault_is_named() {
    let cluster = RedisCluster::start(3, 1);
    let good = check(&cluster, 1).await;
    assert_eq!(good.servers.len(), 6, "{:?}", good.servers);
    assert_eq!(points(&good, Severity::Refusal), [], "{:?}", good.findings);
    // One replica is as many as an ack waits for, and none to spare.
    assert_eq!(points(&good, Severity::Warning), [Point::Replicas]);
    assert_eq!(points(&check(&cluster, 0).await, Severity::Refusal), [Point::Replicas]);
    assert_eq!(points(&check(&cluster, 2).await, Severity::Refusal), [Point::Replicas]);

    let node = 4;
    let set = |name: &str, value: &str| drop(cluster.ask(node, &["CONFIG", "SET", name, value]).unwrap());
    set("appendfsync", "everysec");
    set("maxmemory-policy", "allkeys-lru");
    set("cluster-node-timeout", "15000");
    let bad = check(&cluster, 1).await;
    assert_eq!(points(&bad, Severity::Refusal), [Point::Appendfsync, Point::MaxmemoryPolicy]);
    assert_eq!(points(&bad, Severity::Warning), [Point::Replicas, Point::NodeTimeout]);
    let refusals: Vec<_> = bad.refusals(&[]).collect();
    assert_eq!(refusals.len(), 2);
    assert!(refusals.iter().all(|finding| finding.node == Some(cluster.address(node))));
    println!("{}", refusals[0]);
    assert_eq!(bad.refusals(&[Point::Appendfsync, Point::MaxmemoryPolicy]).count(), 0);
    set("appendonly", "no");
    assert!(points(&check(&cluster, 1).await, Severity::Refusal).contains(&Point::Appendonly));

    cluster.kill(node);
    let down = check(&cluster, 1).await;
    assert!(points(&down, Severity::Warning).contains(&Point::Reachable), "{:?}", down.findings);
    // A replica that is away for a while stops its shard, and no start of a process that serves the others too.
    assert_eq!(points(&down, Severity::Refusal), [], "{:?}", down.findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_looked_at_is_said() {
    let cluster = RedisCluster::start_with(ClusterOptions::new(1, 1)).unwrap();
    for node in 0..2 {
        let user = ["ACL", "SETUSER", "lin", "on", ">secret", "allkeys", "+@all", "-config"];
        cluster.ask(node, &user).unwrap();
    }
    let url = cluster.url().replace("redis://", "redis://lin:secret@");
    let config = RedisConfig { url: url.parse().unwrap(), ..RedisConfig::default() };
    let found = RedisCheck::run(&config, &Clock::system()).await;
    assert_eq!(points(&found, Severity::Refusal), [], "{:?}", found.findings);
    assert!(points(&found, Severity::Warning).contains(&Point::Config), "{:?}", found.findings);

    let wrong = RedisConfig { url: url.replace("secret", "wrong").parse().unwrap(), ..RedisConfig::default() };
    assert_eq!(points(&RedisCheck::run(&wrong, &Clock::system()).await, Severity::Refusal), [Point::Reachable]);
}
