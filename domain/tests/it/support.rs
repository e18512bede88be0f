//! Customer service: desks, who serves there, customers, and who serves whom.

use crate::world::{World, id};
use domain::presence::Opening;
use domain::record::{AppSettings, Profile};
use domain::{BootId, Caller, Config, ConversationId, Denial, Error, Noun, SessionId, UserId};

/// Connects a user.
async fn connect(world: &World, user: &Caller, session: u64) {
    world.domain.presence.renew(BootId(1)).await.unwrap();
    let opening = Opening {
        boot: BootId(1),
        session: SessionId(session),
        platform: 1,
        device_id: "phone".into(),
        client: "test".into(),
        devices_allowed: None,
        again: false,
    };
    world.domain.presence.open(user, opening).await.unwrap();
}

async fn desk(world: &World, supporters: &[&Caller]) -> u64 {
    let desk = world.domain.support.create_store(&world.server, "desk").await.unwrap();
    let supporters: Vec<UserId> = supporters.iter().map(|user| id(user)).collect();
    world.domain.support.add_supporters(&world.server, desk.id, &supporters).await.unwrap();
    desk.id
}

async fn served_by(world: &World, customer: &Caller, store: u64) -> Option<(UserId, bool)> {
    let served = world.domain.support.supporter(customer, store).await.unwrap();
    served.map(|served| (UserId(served.by.id), served.online))
}

#[tokio::test]
async fn a_customer_is_one_user_for_ever_and_never_another_kind_of_user() {
    let world = World::new().await;
    let support = &world.domain.support;
    let alice = world.user("visitor").await;
    let nobody = support.customer(&world.server, Some("visitor"), &Profile::default()).await;
    assert!(matches!(nobody, Err(Error::NotFound(Noun::Store))), "no desk, no customers");
    desk(&world, &[]).await;
    let profile = |name: &str| Profile { name: name.into(), ..Profile::default() };
    let (first, store) = support.customer(&world.server, Some("visitor"), &profile("Vi")).await.unwrap();
    assert_ne!(UserId(first.id), id(&alice), "a customer's name is no uid");
    assert_eq!(store.name, "desk");
    let (again, _) = support.customer(&world.server, Some("visitor"), &profile("")).await.unwrap();
    assert_eq!((again.id, again.profile.unwrap().name), (first.id, "Vi".to_owned()), "nothing told, nothing changed");
    let (renamed, _) = support.customer(&world.server, Some("visitor"), &profile("Violet")).await.unwrap();
    assert_eq!((renamed.id, renamed.profile.unwrap().name), (first.id, "Violet".to_owned()));
    let found = support.find_customer(&world.server, "visitor").await.unwrap();
    assert_eq!(found.id, first.id);
    let (one, _) = support.customer(&world.server, None, &Profile::default()).await.unwrap();
    let (two, _) = support.customer(&world.server, None, &Profile::default()).await.unwrap();
    assert_ne!(one.id, two.id, "who has no name is new each time");
    assert!(matches!(support.find_customer(&world.server, "stranger").await, Err(Error::NotFound(Noun::User))));
}

#[tokio::test]
async fn many_who_register_one_customer_at_once_get_one_user() {
    let world = World::new().await;
    desk(&world, &[]).await;
    let profile = Profile::default();
    let calls = (0..8).map(|_| world.domain.support.customer(&world.server, Some("busy"), &profile));
    let made = futures_util::future::try_join_all(calls).await.unwrap();
    let ids: std::collections::BTreeSet<u64> = made.iter().map(|(user, _)| user.id).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_customer_keeps_the_supporter() {
    let world = World::new().await;
    let (amy, ben, cat) = (world.user("amy").await, world.user("ben").await, world.user("cat").await);
    let customer = world.user("customer").await;
    let other = world.user("other").await;
    let store = desk(&world, &[&ben, &amy, &cat]).await;
    let first = [id(&amy), id(&ben), id(&cat)].into_iter().min().unwrap();
    assert_eq!(served_by(&world, &customer, store).await, Some((first, false)), "nobody is there: the first one");
    connect(&world, &ben, 1).await;
    assert_eq!(served_by(&world, &customer, store).await, Some((first, false)), "the same one, connected or not");
    assert_eq!(served_by(&world, &other, store).await, Some((id(&ben), true)), "a new customer gets who is there");
    world.domain.support.remove_supporter(&world.server, store, first).await.unwrap();
    assert_eq!(served_by(&world, &customer, store).await, Some((id(&ben), true)), "who left serves no more");
    world.domain.users.set_disabled(&world.server, id(&cat), true).await.unwrap();
    world.domain.support.remove_supporter(&world.server, store, id(&ben)).await.unwrap();
    assert_eq!(served_by(&world, &customer, store).await, None, "who is disabled serves nobody new");
}

#[tokio::test]
async fn only_the_app_makes_desks_and_within_limits() {
    let config = Config { support_stores: 2, supporters: 1, ..Config::default() };
    let world = World::with(AppSettings::default(), config).await;
    let (amy, ben) = (world.user("amy").await, world.user("ben").await);
    let support = &world.domain.support;
    assert!(matches!(support.create_store(&amy, "mine").await, Err(Error::Denied(Denial::Credential))));
    let store = desk(&world, &[&amy]).await;
    support.add_supporters(&world.server, store, &[id(&amy)]).await.unwrap();
    let full = support.add_supporters(&world.server, store, &[id(&ben)]).await;
    assert!(matches!(full, Err(Error::Denied(Denial::TooMany))));
    let unknown = support.add_supporters(&world.server, store, &[UserId(42)]).await;
    assert!(matches!(unknown, Err(Error::NotFound(Noun::User))));
    desk(&world, &[]).await;
    assert!(matches!(support.create_store(&world.server, "x").await, Err(Error::Denied(Denial::TooMany))));
    assert!(matches!(support.delete_store(&amy, store).await, Err(Error::Denied(Denial::Credential))));
    support.delete_store(&world.server, store).await.unwrap();
    assert!(matches!(support.delete_store(&world.server, store).await, Err(Error::NotFound(Noun::Store))));
    assert!(matches!(support.supporter(&ben, store).await, Err(Error::NotFound(Noun::Store))));
    let again = support.create_store(&world.server, "again").await.unwrap();
    assert_ne!(again.id, store, "no desk gets the number of another");
    assert!(support.supporters(&world.server, again.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn where_friends_only_talk_customers_and_who_serves_them_do_too() {
    let settings = AppSettings { friends_only: true, ..AppSettings::default() };
    let world = World::with(settings, Config::default()).await;
    let (agent, other, customer) = (world.user("agent").await, world.user("other").await, world.user("customer").await);
    let desk = desk(&world, &[&agent]).await;
    let between = ConversationId::direct(id(&agent), id(&customer));
    let refused = |outcome| matches!(outcome, Err(Error::Denied(Denial::NotFriends)));
    assert!(refused(world.send(&customer, between, "1", "hello?").await), "nobody serves the customer yet");
    assert_eq!(served_by(&world, &customer, desk).await.unwrap().0, id(&agent));
    world.send(&customer, between, "2", "hello?").await.unwrap();
    world.send(&agent, between, "1", "hello!").await.unwrap();
    assert!(world.domain.roster.may_message(&world.server, id(&agent), id(&customer)).await.unwrap());
    let aside = ConversationId::direct(id(&other), id(&customer));
    assert!(refused(world.send(&other, aside, "1", "psst").await));
    world.domain.support.remove_supporter(&world.server, desk, id(&agent)).await.unwrap();
    assert!(refused(world.send(&agent, between, "2", "still here?").await), "who serves no more is like any other");
}
