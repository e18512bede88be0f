//! A server that lets in nobody without TLS and a password.

use std::net::TcpListener;

use storage::testing::{ClusterOptions, RedisCluster};
use storage::{Clock, Error, Point, RedisCheck, RedisConfig, Store};

use crate::support::{Plain, one, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_password_are_spoken_and_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    std::fs::write(file("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = ClusterOptions::new(1, 0)
        .set("tls-port", &port.to_string())
        .set("tls-cert-file", &file("cert.pem"))
        .set("tls-key-file", &file("key.pem"))
        .set("tls-ca-cert-file", &file("cert.pem"))
        .set("tls-auth-clients", "no")
        // It tells those that come over TLS the port for that.
        .set("tls-cluster", "yes");
    let cluster = match RedisCluster::start_with(options) {
        Ok(cluster) => cluster,
        Err(reason) if reason.contains("tls") || reason.contains("TLS") => {
            println!("SKIPPED: this server was built without TLS: {reason}");
            return;
        }
        Err(reason) => panic!("{reason}"),
    };
    cluster.ask(0, &["ACL", "SETUSER", "lin", "on", ">p@ss", "~linnet*", "+@all"]).unwrap();

    let config = |url: String, ca: &str| RedisConfig {
        url: url.parse().unwrap(),
        ca: ca.into(),
        ack_replicas: 0,
        timeout: std::time::Duration::from_millis(500),
        ..RedisConfig::default()
    };
    let url = format!("rediss://lin:p%40ss@127.0.0.1:{port}");
    let good = config(url.clone(), &file("cert.pem"));
    let check = RedisCheck::run(&good, &Clock::system()).await;
    assert!(check.findings.iter().all(|finding| finding.point != Point::Reachable), "{:?}", check.findings);
    let store = Store::redis(&good, Clock::system()).unwrap();
    store.commit(one(b"h", b"r", "private")).await.unwrap();
    assert_eq!(store.get(&Plain::at(b"h", b"r")).await.unwrap(), Some(record("private")));

    // A certificate that nobody vouches for, a wrong password, and no TLS where there is some.
    let strangers = [
        config(url.clone(), ""),
        config(url.replace("p%40ss", "guess"), &file("cert.pem")),
        config(url.replace("rediss", "redis"), ""),
    ];
    for stranger in strangers {
        let store = Store::redis(&stranger, Clock::system()).unwrap();
        assert!(matches!(store.get(&Plain::at(b"h", b"r")).await, Err(Error::Unavailable(_))), "{stranger:?}");
    }
    assert!(Store::redis(&config(url, "/nowhere"), Clock::system()).is_err());
}
