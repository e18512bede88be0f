//! A store that moves into a cluster while its server runs, all but the last changes, and back.

use std::process::Output;

use storage::testing::RedisCluster;

use crate::harness::{Role, Site};

fn migrate(site: &Site, from: &str, to: &str, more: &[&str]) -> Output {
    site.output(&[&["migrate", "--from", from, "--to", to][..], more].concat())
}

fn moved(site: &Site, from: &str, to: &str, more: &[&str]) -> String {
    let output = migrate(site, from, to, more);
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{from} to {to} {more:?}: {said}\n{complaint}");
    said.into_owned()
}

fn refused(site: &Site, from: &str, to: &str, more: &[&str]) -> String {
    let output = migrate(site, from, to, more);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_store_moves_to_a_cluster_with_little_downtime_and_back() {
    let cluster = RedisCluster::start(3, 1);
    let redis = cluster.url();
    let site = Site::new();
    let server = site.start(Role::Serve);
    site.run(&["user", "create", "--count", "300", "--prefix", "early"]);

    let said = refused(&site, "rocksdb:data/store", &redis, &[]);
    assert!(said.contains("stop the server that uses it"), "{said}");
    let said = refused(&site, "rocksdb:nowhere", &redis, &[]);
    assert!(said.contains("there is no store in nowhere"), "{said}");

    // While the server runs, all that a backup holds.
    site.run(&["backup", "then"]);
    let said = moved(&site, "rocksdb:then", &redis, &[]);
    assert!(said.contains("copied "), "{said}");
    assert!(!site.path().join("linnet-migrate.json").exists(), "there is nothing to go on with");
    let said = refused(&site, "rocksdb:then", &redis, &[]);
    assert!(said.contains("say --overwrite"), "{said}");
    moved(&site, "rocksdb:then", &redis, &["--overwrite"]);

    // Once it has stopped, what has changed since.
    site.run(&["user", "create", "--count", "20", "--prefix", "late"]);
    site.run(&["app", "create", "--id", "shop"]);
    assert!(server.terminate().success());
    let said = refused(&site, "rocksdb:data/store", &redis, &["--verify"]);
    assert!(said.contains("missing there: app ") && said.contains("DIFFERS"), "{said}");
    let said = moved(&site, "rocksdb:data/store", &redis, &["--since", "rocksdb:then"]);
    assert!(said.contains("caught up: "), "{said}");
    let said = moved(&site, "rocksdb:data/store", &redis, &["--verify"]);
    assert!(said.contains("both hold the same"), "{said}");

    moved(&site, &redis, "rocksdb:back/store", &[]);
    let said = moved(&site, &redis, "rocksdb:back/store", &["--verify"]);
    assert!(said.contains("both hold the same"), "{said}");
    let apps = site.run(&["--data-dir", "back", "app", "list"]);
    assert!(apps.contains("shop") && apps.contains("demo"), "{apps}");
    site.run(&["--data-dir", "back", "user", "token", "late20"]);
}

#[test]
fn a_copy_that_was_killed_goes_on() {
    let site = Site::new();
    site.run(&["app", "create", "--id", "demo"]);
    site.run(&["user", "create", "--count", "3000", "--prefix", "user"]);
    let mut killed = 0;
    while killed < 3 {
        let arguments = ["migrate", "--from", "rocksdb:data/store", "--to", "rocksdb:copy"];
        let mut copy = site.command(&arguments).spawn().expect("the binary starts");
        let file = site.path().join("linnet-migrate.json");
        let before = std::fs::read(&file).ok();
        while std::fs::read(&file).ok() == before && copy.try_wait().expect("it runs").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        if copy.try_wait().expect("it runs").is_some() {
            break;
        }
        copy.kill().expect("it runs");
        copy.wait().expect("it was killed");
        killed += 1;
    }
    assert!(killed > 0, "the copy was too quick to be killed");
    let said = moved(&site, "rocksdb:data/store", "rocksdb:copy", &[]);
    assert!(said.contains("going on after "), "{said}");
    let said = moved(&site, "rocksdb:data/store", "rocksdb:copy", &["--verify"]);
    assert!(said.contains("both hold the same"), "{said}");
}
