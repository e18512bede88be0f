//! Notices to many: whom they reach, when, and what is counted.

use std::time::Duration;

use domain::UserRef;
use domain::push::NewTask;
use domain::record::{PushAudience, PushChannel, PushNotice, PushProvider, PushTask};
use serde_json::json;

use crate::world::{World, id, user};

fn xiaomi() -> PushChannel {
    let provider = PushProvider::Xiaomi as i32;
    PushChannel { provider, app_id: "com.app".into(), app_secret: "secret".into(), ..PushChannel::default() }
}

fn notice(body: &str) -> PushNotice {
    PushNotice { body: body.into(), badge: 1, ..PushNotice::default() }
}

async fn finished(world: &World, task: u64) -> PushTask {
    for _ in 0..500 {
        let found = world.domain.push.tasks(&world.server, &[task]).await.unwrap().remove(0);
        if found.finished {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the notice is still on its way");
}

#[tokio::test]
async fn a_notice_to_all_is_counted_by_provider() {
    let world = World::new(xiaomi(), |asked| match asked.form()["registration_id"].as_str() {
        "bad" => (200, json!({ "code": 20301 })),
        _ => (200, json!({ "code": 0 })),
    })
    .await;
    for number in 0..300 {
        let carol = user(&world.domain, &world.server, &format!("user{number}")).await;
        let token = if number % 100 == 0 { "bad".to_owned() } else { format!("token{number}") };
        world.bind(&carol, "phone", PushProvider::Xiaomi, &token).await;
    }
    let audience = PushAudience { all: true, ..PushAudience::default() };
    let new = NewTask { audience, notice: notice("sale"), ..NewTask::default() };
    let task = world.domain.push.notify(&world.server, new).await.unwrap();
    let task = finished(&world, task).await;
    // "bad" is bound by three users, and belongs to the last of them; for the others, the notice waits in their notices.
    let counts = task.counts.iter().map(|count| (count.provider(), count.target, count.sent, count.received));
    let expected = [(PushProvider::Unspecified, 2, 2, 2), (PushProvider::Xiaomi, 299, 299, 298)];
    assert_eq!(counts.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_notice_waits_for_its_time_and_for_its_provider() {
    let mut failures = 2;
    let world = World::new(xiaomi(), move |_| {
        failures -= i32::from(failures > 0);
        if failures > 0 { (503, json!({})) } else { (200, json!({ "code": 0 })) }
    })
    .await;
    let soon = domain::Clock::system().now().0 + 700;
    let users = vec![UserRef::Id(id(&world.bob))];
    let notice = PushNotice { show_from: soon, ..notice("now") };
    let task = world.domain.push.notify(&world.server, NewTask { users, notice, ..NewTask::default() }).await.unwrap();
    world.fake.silence().await;
    world.fake.next().await;
    assert!(domain::Clock::system().now().0 >= soon);
    world.fake.next().await;
    assert_eq!(finished(&world, task).await.counts[0].received, 1);
}

#[tokio::test]
async fn the_same_request_is_sent_once() {
    let world = World::new(xiaomi(), |_| (200, json!({ "code": 0 }))).await;
    let new = || NewTask {
        users: vec![UserRef::Id(id(&world.bob))],
        notice: notice("once"),
        request_id: "r1".into(),
        ..NewTask::default()
    };
    let one = world.domain.push.notify(&world.server, new()).await.unwrap();
    let other = world.domain.push.notify(&world.server, new()).await.unwrap();
    assert_eq!(one, other);
    world.fake.next().await;
    finished(&world, one).await;
    world.fake.silence().await;
}
