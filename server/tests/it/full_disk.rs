//! A disk that fills up: writes are refused in the caller's own form, reading goes on, and writing resumes when there is space again.
//!
//! Needs a small file system of its own, and so root; says so and ends where it cannot have one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::device::{Device, TRANSPORTS};
use crate::harness::http::{AppServer, Dialect, SHOP};
use crate::harness::{Role, Site};
use linnet_sdk::{Error, Network, Trust};
use serde_json::json;

/// How long the server may take to notice that space has come back.
const RECOVERY: Duration = Duration::from_secs(20);

/// A file system in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let options = ["-t", "tmpfs", "-o", "size=192m", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(at).status().is_ok_and(|status| status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    /// Leaves less free than the server keeps in reserve.
    fn fill(&self) {
        std::fs::write(self.0.join("ballast"), vec![0; 100 << 20]).expect("there is that much space");
    }

    fn clear(&self) {
        std::fs::remove_file(self.0.join("ballast")).expect("the ballast");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since a server that a failed test left behind may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    let site = Site::new();
    let Some(disk) = SmallDisk::mount(&site.path().join("data")) else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    // More than the write buffers and the log take, so that only the ballast makes the difference.
    std::fs::write(site.path().join("linnet.toml"), SETTINGS).expect("a file");
    let create = ["app", "create", "--id", SHOP.id, "--number", SHOP.number, "--key", SHOP.key];
    site.run(&[&create[..], &["--secret", SHOP.secret, "--admin", SHOP.admin]].concat());
    let server = site.start(Role::Serve);
    let app = AppServer::new(server.url(""));
    let admin = SHOP.admin_token(&app);
    let [timo, gob, olga, mara] =
        [Dialect::Tim, Dialect::Gobelieve, Dialect::Openim, Dialect::Maxim].map(|dialect| SHOP.register(&app, dialect));
    let network = Network::new(&Trust::Authorities(site.certificate())).expect("the server's certificate");
    let device = Device::connect(server.gateway(), &network, &olga.token, TRANSPORTS[1]).await;
    let sent = device.client.send_text("timo", "before").await.expect("acked");

    disk.fill();
    let deadline = Instant::now() + RECOVERY;
    let refused = loop {
        match device.client.send_text("timo", "while it fills").await {
            Ok(_) => assert!(Instant::now() < deadline, "the server did not notice that its disk is full"),
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, Error::DiskFull(_)), "{refused:?}");

    // Each dialect says it in its own form.
    let openim = json!({
        "operationID": "op", "sendID": "olga", "recvID": "timo", "content": {"text": "x"}, "contentType": 101, "sessionType": 1,
    });
    let answer = app.post("/manager/send_msg", &[("token", &admin)], &openim);
    assert_eq!((answer.status, answer.json()), (503, json!({"errCode": 900, "errMsg": "the disk is full"})));
    let gobelieve = json!({"sender": 1001, "receiver": 1001, "content": "{\"text\":\"x\"}"});
    let answer = app.post("/messages/peers", &[("authorization", &SHOP.basic())], &gobelieve);
    assert_eq!((answer.status, answer.json()), (503, json!({"meta": {"code": 503, "message": "the disk is full"}})));
    let maxim = json!({"type": 1, "targets": [1001], "content_type": 0, "content": "x"});
    let headers = [("app_id", SHOP.id), ("access-token", mara.token.as_str())];
    let answer = app.post("/message/send", &headers, &maxim);
    assert_eq!((answer.status, answer.at("/code")), (503, json!(10009)), "{}", answer.text);
    let tim = json!({"to": "olga", "conversationType": "C2C", "priority": "Normal", "payload": {"text": "x"}});
    let answer = app.post("/message/createMessage", &[("token", &timo.token)], &tim);
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text_at("/msg").contains("full"), "{}", answer.text);
    let sign = app.post("/v1/build_token", &[], &json!({"appId": SHOP.id, "private": SHOP.secret}));
    let data: serde_json::Value = serde_json::from_str(&sign.text_at("/data")).expect("data is JSON in a string");
    let path = format!("/v1/build_account?appId={}&sign={}", SHOP.id, data["sign"].as_str().expect("a sign"));
    let answer = app.post(&path, &[], &json!({"id": "crm-1", "userId": "tessa"}));
    assert_eq!((answer.status, answer.text_at("/error")), (200, "0001".into()), "{}", answer.text);

    // Reading goes on, for phones and app servers.
    device.client.me().await.expect("reads are served");
    let read = app.get("/messages", &[("authorization", &format!("Bearer {}", gob.token))]);
    assert_eq!(read.status, 200, "{}", read.text);

    disk.clear();
    let deadline = Instant::now() + RECOVERY;
    let after = loop {
        match device.client.send_text("timo", "after").await {
            Ok(sent) => break sent,
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let seen = device.until(sent.conversation, after.seq).await;
    assert_eq!(seen.len() as u64, after.seq, "no holes: {seen:?}");
    assert_eq!(seen.iter().filter(|entry| entry.text == "after").count(), 1, "what was refused does not appear later");
    assert!(tokio::task::block_in_place(|| server.terminate()).success());
}

const SETTINGS: &str = r#"
[store.rocks]
reserve = "96MiB"
write_buffer = "8MiB"
log = "8MiB"
"#;
