//! What an operator of a Redis Cluster types, and what comes of a cluster that is not as it should be.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::harness::Role;
use crate::harness::cluster::Cluster;
use crate::harness::http::AppServer;

const WAIT: Duration = Duration::from_secs(30);

#[test]
fn an_operator_works_on_a_cluster() {
    let cluster = Cluster::start();
    // Commands need no server of ours, and no data folder.
    let created = cluster.desk.run(&["app", "create", "--id", "shop", "--number", "7"]);
    assert!(created.contains("secret"), "{created}");
    cluster.desk.run(&["user", "create", "--app", "shop", "carol"]);
    assert!(cluster.desk.run(&["user", "token", "--app", "shop", "carol"]).trim().len() >= 30);
    let chat = cluster.desk.output(&["chat", "--user", "alice"]);
    assert!(complaint(&chat).contains("start one with `linnet gateway`"), "{}", complaint(&chat));
    for refused in [&["backup", "copy"], &["restore", "copy"]] {
        let refused = cluster.desk.output(refused);
        assert!(!refused.status.success());
        for hint in ["`store.engine` is `redis`", "BGSAVE", "linnet migrate"] {
            assert!(complaint(&refused).contains(hint), "{}", complaint(&refused));
        }
    }

    // Both roles in one process, over the cluster: a chat with nothing but its data folder.
    let node = cluster.node(Role::Serve);
    let app = AppServer::new(node.server.url(""));
    wait_for(&app, 200);
    let said = node.site.run(&["chat", "--app", "shop", "--user", "alice", "--to", "bob", "--transport", "tcp"]);
    assert!(said.contains("bob: write a line"), "{said}");

    // While no node of the cluster answers, nothing can be done, and that is what it says; then all is as before.
    for redis in 0..cluster.redis.nodes() {
        cluster.redis.pause(redis);
    }
    wait_for(&app, 503);
    assert_eq!(app.get("/healthz", &[]).status, 200, "the process is no reason to be restarted");
    for redis in 0..cluster.redis.nodes() {
        cluster.redis.resume(redis);
    }
    wait_for(&app, 200);
    cluster.desk.run(&["user", "create", "--app", "shop", "after"]);
    assert!(node.server.terminate().success());
}

#[test]
fn a_cluster_that_cannot_keep_an_ack_is_refused() {
    let cluster = Cluster::start();
    let any = ["gateway.tcp.listen", "gateway.tls.listen", "gateway.quic.listen", "rest.listen"];
    let any: Vec<String> = any.iter().map(|key| format!("{key}=127.0.0.1:0")).collect();
    let with = |command: &[&str]| {
        let mut all = command.to_vec();
        all.extend(any.iter().flat_map(|set| ["--set", set.as_str()]));
        cluster.desk.output(&all)
    };
    let well = with(&["doctor"]);
    let text = String::from_utf8_lossy(&well.stdout);
    assert!(well.status.success(), "{text}");
    assert_eq!(
        text.lines().filter(|line| line.starts_with("ok   redis") && line.contains("Redis 7")).count(),
        6,
        "{text}"
    );
    assert!(
        text.contains("hmm  redis") && text.contains("add one more replica"),
        "a replica to spare is missed: {text}"
    );

    cluster.redis.ask(1, &["CONFIG", "SET", "appendfsync", "everysec"]).expect("it can be set");
    let ill = with(&["doctor"]);
    let text = String::from_utf8_lossy(&ill.stdout);
    assert!(
        !ill.status.success() && text.contains("BAD  redis") && text.contains("set `appendfsync always`"),
        "{text}"
    );
    for refused in [with(&["gateway"]), with(&["rest"]), with(&["serve"]), cluster.desk.output(&["app", "list"])] {
        let complaint = complaint(&refused);
        assert!(!refused.status.success(), "it started: {complaint}");
        for hint in [cluster.redis.address(1).as_str(), "appendfsync is everysec", "`store.redis.accept`"] {
            assert!(complaint.contains(hint), "{complaint}");
        }
    }
    let accepted = ["app", "list", "--set", "store.redis.accept=appendfsync"];
    assert!(cluster.desk.output(&accepted).status.success());
    let accepted = with(&["doctor", "--set", "store.redis.accept=appendfsync"]);
    let text = String::from_utf8_lossy(&accepted.stdout);
    assert!(accepted.status.success() && text.contains("(accepted)"), "{text}");

    // More replicas than there are can never be waited for.
    let refused = cluster.desk.output(&["app", "list", "--set", "store.redis.ack_replicas=2"]);
    assert!(complaint(&refused).contains("an ack waits for 2"), "{}", complaint(&refused));
    // And where nobody is, that is said.
    let nowhere = ["app", "list", "--set", "store.redis.url=redis://127.0.0.1:1"];
    assert!(complaint(&cluster.desk.output(&nowhere)).contains("check `store.redis.url`"));
    let half = cluster.desk.output(&["config", "check", "--set", "store.engine=rocks"]);
    assert!(complaint(&half).contains("set the engine to `redis`"), "{}", complaint(&half));
    let half = cluster.desk.output(&["config", "check", "--set", "bus.redis.url=nowhere"]);
    assert!(complaint(&half).contains("`bus.redis.url`"), "{}", complaint(&half));
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn wait_for(app: &AppServer, status: u16) {
    let deadline = Instant::now() + WAIT;
    while app.try_get("/readyz", &[]).is_ok_and(|answer| answer.status != status) {
        assert!(Instant::now() < deadline, "/readyz is not answered with {status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
