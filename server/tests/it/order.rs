//! A client's messages keep their order, also when the store has to refuse some of them for now.

use crate::harness::device::{Device, TRANSPORTS};
use crate::harness::http::AppServer;
use crate::harness::{Site, can_trace};
use linnet_sdk::{Limits, Network, Outgoing, Target, Trust, content};

const MESSAGES: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_too_busy_changes_no_order() {
    if !can_trace("a_store_that_is_too_busy_changes_no_order") {
        return;
    }
    let site = Site::new();
    // A disk that takes its time, so that the queue is certain to be full.
    let server = site.start_traced("inject=fdatasync:delay_enter=10000", &["--set", "store.rocks.queue_commits=12"]);
    let network = Network::new(&Trust::Authorities(site.certificate())).expect("the server's certificate");
    let mut devices = Vec::new();
    for (uid, transport) in ["ann", "ben"].into_iter().zip(TRANSPORTS) {
        site.run(&["user", "create", uid]);
        let token = site.run(&["user", "token", uid]);
        devices.push(Device::connect(server.gateway(), &network, token.trim(), transport).await);
    }
    assert!(Limits::default().max_in_flight > 12, "or nothing is refused");
    let [ann, ben] = &devices[..] else { unreachable!() };
    let conversation = ann.client.conversation_with(Target::Uid("ben".into())).await.expect("ben is there");
    // Both write into one conversation without waiting for anything.
    let mut pending = Vec::new();
    for number in 0..MESSAGES {
        for device in [ann, ben] {
            let client_msg_id = format!("{number:03}");
            let content = content::text(client_msg_id.clone());
            let outgoing = Outgoing { conversation, content, client_msg_id, online_only: false };
            pending.push(device.client.submit(outgoing).await.expect("the client is open"));
        }
    }
    for pending in pending {
        pending.acknowledged().await.expect("acked");
    }
    let log = ann.history(conversation).await;
    assert_eq!(log.len(), 2 * MESSAGES);
    for device in [ann, ben] {
        let me = device.client.me().await.expect("logged in").user;
        let mine: Vec<&str> = log.iter().filter(|seen| seen.sender == me).map(|seen| seen.text.as_str()).collect();
        assert!(mine.is_sorted(), "{}: {mine:?}", device.name);
        assert_eq!(mine.len(), MESSAGES);
        device.must_have_seen(conversation, &log).await;
    }
    let metrics = AppServer::new(server.url("")).get("/metrics", &[]).text;
    let refused = metrics.lines().any(|line| line.contains("result=\"overloaded\"") && !line.ends_with(" 0"));
    assert!(refused, "the store was never too busy, so nothing was shown");
    assert!(tokio::task::block_in_place(|| server.terminate()).success());
}
