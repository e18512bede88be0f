//! Phones say what their push providers call them.

use domain::record::PushProvider;
use proto::wire;
use wire::frame::Body;

use crate::world::World;

#[tokio::test]
async fn a_phone_binds_the_device_that_it_is() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let caller = world.domain.tokens.authenticate(&alice.token).await.unwrap();
    let mut phone = world.device(&alice, "phone").await;
    let bind = |token: &str| {
        let provider = wire::PushProvider::Fcm.into();
        Body::BindPush(wire::BindPush { provider, token: token.to_owned(), channel: String::new() })
    };
    assert!(matches!(phone.ask(bind("first")).await, Body::Ok(_)));
    assert!(matches!(phone.ask(bind("second")).await, Body::Ok(_)));
    let devices = world.domain.push.devices(&caller).await.unwrap();
    let [device] = &devices[..] else { panic!("{devices:?}") };
    let [binding] = &device.bindings[..] else { panic!("{device:?}") };
    assert_eq!(
        (device.name.as_str(), binding.provider(), binding.token.as_str()),
        ("phone", PushProvider::Fcm, "second")
    );

    assert!(matches!(phone.ask(Body::SetBadge(wire::SetBadge { badge: 5 })).await, Body::Ok(_)));
    assert_eq!(world.domain.push.badge(&caller).await.unwrap(), 5);
    let nobody = wire::BindPush { token: "x".to_owned(), ..wire::BindPush::default() };
    let Body::Error(error) = phone.ask(Body::BindPush(nobody)).await else { panic!("a channel that nobody has") };
    assert_eq!((error.code(), error.field.as_str()), (wire::error::Code::Invalid, "channel"));

    assert!(matches!(phone.ask(bind("")).await, Body::Ok(_)));
    assert!(world.domain.push.devices(&caller).await.unwrap().is_empty());
}
