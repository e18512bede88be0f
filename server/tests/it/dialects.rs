//! One app, five dialects: users registered through each talk to each other from REST and from phones,
//! in one process and in two.

use crate::harness::http::SHOP;
use crate::harness::town::Town;
use crate::harness::{Role, Site};
use linnet_sdk::{Network, Trust};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_dialects_talk_in_one_process() {
    let site = site();
    let server = site.start(Role::Serve);
    let town = Town::settle(&network(&site), &[&server], &[&server]).await;
    town.talk().await;
    town.read_elsewhere();
    town.finish().await;
    assert!(server.terminate().success(), "a server that is told to stop ends well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_dialects_talk_in_two_processes_and_either_may_restart() {
    let site = site();
    let mut gateway = site.start(Role::Gateway);
    let mut rest = site.start(Role::Rest);
    let town = Town::settle(&network(&site), &[&gateway], &[&rest]).await;
    town.talk().await;
    town.read_elsewhere();

    // Without the REST service, phones go on.
    rest.kill();
    town.send_from_phone(0, 1, "while REST is away").await;
    let ports = rest.same_ports();
    rest = site.start_with(Role::Rest, &ports.iter().map(String::as_str).collect::<Vec<_>>());
    town.send_from_server(0, 1, "REST is back").await;

    // Without the gateway, there is no store: the REST service says so, and recovers by itself.
    gateway.kill();
    town.server_answers("/readyz", 503);
    let ports = gateway.same_ports();
    gateway = site.start_with(Role::Gateway, &ports.iter().map(String::as_str).collect::<Vec<_>>());
    town.server_answers("/readyz", 200);
    town.send_from_server(1, 2, "the gateway is back").await;
    town.send_from_phone(2, 1, "and so are the phones").await;

    town.finish().await;
    assert!(rest.terminate().success());
    assert!(gateway.terminate().success());
}

fn network(site: &Site) -> Network {
    Network::new(&Trust::Authorities(site.certificate())).expect("the server's certificate")
}

fn site() -> Site {
    let site = Site::new();
    let create = ["app", "create", "--id", SHOP.id, "--number", SHOP.number, "--key", SHOP.key];
    site.run(&[&create[..], &["--secret", SHOP.secret, "--admin", SHOP.admin]].concat());
    site
}
