//! Messages on their way to phones: what is tried again, and what survives a restart.

use std::time::Duration;

use domain::record::{PushChannel, PushProvider};
use serde_json::json;

use crate::world::{World, config, open, say, start};

fn xiaomi() -> PushChannel {
    let provider = PushProvider::Xiaomi as i32;
    PushChannel { provider, app_id: "com.app".into(), app_secret: "secret".into(), ..PushChannel::default() }
}

async fn done(world: &World) {
    for _ in 0..200 {
        if world.left().await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("something is left to be done");
}

#[tokio::test]
async fn a_provider_that_fails_is_asked_again() {
    let mut failures = [(503, json!({})), (200, json!({ "code": 200001 })), (429, json!({}))].into_iter();
    let world = World::new(xiaomi(), move |_| failures.next().unwrap_or((200, json!({ "code": 0 })))).await;
    world.say("hi").await;
    for _ in 0..4 {
        assert_eq!(world.fake.next().await.form()["description"], "hi");
    }
    world.fake.silence().await;
    assert_eq!(world.left().await, 0);
}

#[tokio::test]
async fn a_push_that_its_provider_refuses_is_not_tried_again() {
    let world = World::new(xiaomi(), |_| (200, json!({ "code": 21301, "reason": "authentication failure" }))).await;
    world.say("hi").await;
    world.fake.next().await;
    done(&world).await;
    world.fake.silence().await;
    assert_eq!(world.domain.push.devices(&world.bob).await.unwrap()[0].bindings.len(), 1, "the device is not to blame");
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let world = World::new(xiaomi(), |_| (503, json!({}))).await;
    world.say("one").await;
    world.fake.next().await;
    let World { domain, store, fake, alice, bob, workers, .. } = world;
    workers.unwrap().stop().await;
    // What is said while nobody works.
    say(&domain, &alice, &bob, "two").await;
    drop(domain);

    fake.answers(|asked| match asked.form()["description"].as_str() {
        "one" | "two" => (200, json!({ "code": 0 })),
        _ => (400, json!({})),
    });
    let domain = open(&store).await;
    let workers = start(&domain);
    let mut said = Vec::new();
    while said.len() < 2 {
        let text = fake.next().await.form()["description"].clone();
        if !said.contains(&text) {
            said.push(text);
        }
    }
    said.sort();
    assert_eq!(said, ["one", "two"]);
    workers.stop().await;
}

#[tokio::test]
async fn what_is_too_old_is_dropped() {
    let world = World::new(xiaomi(), |_| (503, json!({}))).await;
    let World { domain, fake, alice, bob, workers, store, .. } = world;
    workers.unwrap().stop().await;
    say(&domain, &alice, &bob, "hi").await;
    let config = outbound::Config { give_up: Duration::ZERO, ..config() };
    tokio::time::sleep(Duration::from_millis(5)).await;
    let domain = {
        drop(domain);
        open(&store).await
    };
    let http = outbound::Http::new(&config);
    let workers = outbound::Outbound::start(domain, domain::Clock::system(), http, &config, outbound::Share::Alone);
    fake.silence().await;
    workers.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_to_private_addresses_unless_that_is_allowed() {
    let world = World::new(xiaomi(), |_| (200, json!({ "code": 0 }))).await;
    let strict = outbound::Http::new(&outbound::Config::default());
    let request = outbound::Request::json(world.fake.url(), &json!({}));
    let problem = strict.send(request).await.unwrap_err().to_string();
    assert!(problem.contains("private address"), "{problem}");
    world.fake.silence().await;
}
