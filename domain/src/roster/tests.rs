//! What a crash leaves behind, which cannot be had from outside, and what a policy other than the open one means.

use proto::store::FriendPolicy;

use super::*;
use crate::testing::World;

async fn set_policy(world: &World, user: &Caller, policy: FriendPolicy) {
    let set = |record: &mut store::User| {
        record.settings.get_or_insert_default().friend_policy = policy as i32;
    };
    crate::users::change_user(&world.store, user.app(), user.user().unwrap(), set).await.unwrap();
}

async fn relation(world: &World, of: &Caller, to: &Caller) -> Relation {
    let row = world.domain.roster.get(of, to.user().unwrap()).await.unwrap();
    row.map_or(Relation::None, |row| row.relation())
}

#[tokio::test]
async fn who_wants_to_be_asked_is_asked() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (a, b) = (alice.user().unwrap(), bob.user().unwrap());
    let roster = &world.domain.roster;
    for policy in [FriendPolicy::Confirm, FriendPolicy::Question] {
        set_policy(&world, &bob, policy).await;
        roster.request(&alice, b, Ask::because("please")).await.unwrap();
        roster.request(&alice, b, Ask::because("again")).await.unwrap();
        assert_eq!(relation(&world, &alice, &bob).await, Relation::Requested);
        assert_eq!(relation(&world, &bob, &alice).await, Relation::Pending);
        assert_eq!(roster.get(&bob, a).await.unwrap().unwrap().reason, "please");
        assert!(matches!(roster.accept(&alice, b).await, Err(Error::NotFound(Noun::Request))), "one's own request");
        roster.decline(&bob, a, "").await.unwrap();
        assert_eq!(relation(&world, &alice, &bob).await, Relation::None);
        assert!(matches!(roster.accept(&bob, a).await, Err(Error::NotFound(Noun::Request))));

        roster.request(&alice, b, Ask::because("")).await.unwrap();
        roster.accept(&bob, a).await.unwrap();
        assert_eq!(relation(&world, &alice, &bob).await, Relation::Friend);
        assert_eq!(relation(&world, &bob, &alice).await, Relation::Friend);
        roster.remove(&alice, b).await.unwrap();
    }
}

#[tokio::test]
async fn two_who_ask_each_other_are_friends() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for user in [&alice, &bob] {
        set_policy(&world, user, FriendPolicy::Confirm).await;
    }
    world.domain.roster.request(&alice, bob.user().unwrap(), Ask::because("")).await.unwrap();
    world.domain.roster.request(&bob, alice.user().unwrap(), Ask::because("")).await.unwrap();
    assert_eq!(relation(&world, &alice, &bob).await, Relation::Friend);
    assert_eq!(relation(&world, &bob, &alice).await, Relation::Friend);
}

#[tokio::test]
async fn who_is_closed_is_not_asked() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    set_policy(&world, &bob, FriendPolicy::Closed).await;
    let refused = world.domain.roster.request(&alice, bob.user().unwrap(), Ask::because("")).await;
    assert!(matches!(refused, Err(Error::Denied(Denial::RefusesFriends))));
    assert_eq!(relation(&world, &bob, &alice).await, Relation::None);
}

/// Performs only the first of the two commits that set a relation, as a crash would.
async fn first_commit(world: &World, other: &Caller, own: &Caller, relation: Relation) {
    let key = ContactKey { app: own.app(), user: other.user().unwrap(), contact: own.user().unwrap() };
    world.domain.roster.change(&key, key.contact, |row| row.relation = relation as i32).await.unwrap();
}

#[tokio::test]
async fn a_request_that_a_crash_cut_short_is_completed_by_another() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    set_policy(&world, &bob, FriendPolicy::Confirm).await;
    first_commit(&world, &bob, &alice, Relation::Pending).await;
    assert_eq!(relation(&world, &alice, &bob).await, Relation::None);
    world.domain.roster.request(&alice, bob.user().unwrap(), Ask::because("")).await.unwrap();
    assert_eq!(relation(&world, &alice, &bob).await, Relation::Requested);
    assert_eq!(relation(&world, &bob, &alice).await, Relation::Pending);
}

#[tokio::test]
async fn an_answer_or_an_end_that_a_crash_cut_short_is_completed_by_another() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (a, b) = (alice.user().unwrap(), bob.user().unwrap());
    let roster = &world.domain.roster;
    set_policy(&world, &bob, FriendPolicy::Confirm).await;
    roster.request(&alice, b, Ask::because("")).await.unwrap();
    // Accepting writes the asker's row first.
    first_commit(&world, &alice, &bob, Relation::Friend).await;
    roster.accept(&bob, a).await.unwrap();
    assert_eq!(relation(&world, &bob, &alice).await, Relation::Friend);
    // So does ending.
    first_commit(&world, &alice, &bob, Relation::None).await;
    roster.remove(&bob, a).await.unwrap();
    assert_eq!(relation(&world, &bob, &alice).await, Relation::None);
    assert_eq!(relation(&world, &alice, &bob).await, Relation::None);
}
