//! What a crash between a name and its record leaves behind, and who completes it.

use super::create::Plan;
use super::*;
use crate::testing::World;

const APP: AppNumber = AppNumber(7);

fn new(uid: Option<&str>, username: Option<&str>) -> NewUser {
    NewUser { uid: uid.map(str::to_owned), username: username.map(str::to_owned), ..NewUser::default() }
}

impl World {
    async fn claim(&self, space: Space, name: &str, id: u64) {
        assert!(self.domain.users.names.claim(APP, space, name, None, id).await.unwrap());
    }

    async fn create(&self, uid: Option<&str>, username: Option<&str>) -> Result<store::User> {
        self.domain.users.create(&self.server, new(uid, username)).await
    }

    async fn found(&self, name: UserRef) -> Option<u64> {
        self.domain.users.find(&self.server, &name).await.ok().map(|user| user.id)
    }
}

#[tokio::test]
async fn a_name_without_a_record_is_nobody_and_is_completed_by_the_next_creation() {
    let world = World::new().await;
    let id = world.domain.users.generate_id(APP).await.unwrap();
    world.claim(Space::Uid, "alice", id).await;
    assert_eq!(world.found(UserRef::Uid("alice".into())).await, None);
    assert_eq!(world.found(UserRef::Number(id)).await, None);
    let alice = world.create(Some("alice"), None).await.unwrap();
    assert_eq!(alice.id, id, "the id that was reserved is used");
    assert_eq!(world.found(UserRef::Uid("alice".into())).await, Some(id));
    assert!(matches!(world.create(Some("alice"), None).await, Err(Error::Exists(Noun::User))));
}

#[tokio::test]
async fn a_numeric_uid_keeps_its_number_after_a_crash() {
    let world = World::new().await;
    world.claim(Space::Uid, "5", 5).await;
    world.claim(Space::Username, "five", 5).await;
    let five = world.create(Some("5"), Some("five")).await.unwrap();
    assert_eq!(five.id, 5);
    assert_eq!(world.found(UserRef::Username("five".into())).await, Some(5));
}

#[tokio::test]
async fn a_login_name_without_a_record_is_completed_under_the_same_id() {
    let world = World::new().await;
    let id = world.domain.users.generate_id(APP).await.unwrap();
    world.claim(Space::Uid, "alice", id).await;
    world.claim(Space::Username, "al", id).await;
    // Somebody else takes the login name over, and with it the id; the uid is then free again.
    let other = world.create(Some("bob"), Some("al")).await.unwrap();
    assert_eq!(other.id, id);
    assert_eq!(world.found(UserRef::Uid("alice".into())).await, None);
    let alice = world.create(Some("alice"), Some("alice")).await.unwrap();
    assert_ne!(alice.id, id);
    assert_eq!(world.found(UserRef::Uid("alice".into())).await, Some(alice.id));
    assert_eq!(world.found(UserRef::Uid("bob".into())).await, Some(id));
}

#[tokio::test]
async fn names_that_two_crashes_crossed_are_refused_rather_than_shared() {
    let world = World::new().await;
    world.create(Some("carol"), None).await.unwrap();
    let (one, other) =
        (world.domain.users.generate_id(APP).await.unwrap(), world.domain.users.generate_id(APP).await.unwrap());
    world.claim(Space::Uid, "alice", one).await;
    world.claim(Space::Username, "al", other).await;
    assert!(matches!(world.create(Some("alice"), Some("al")).await, Err(Error::Exists(Noun::Username))));
    assert_eq!(world.create(Some("alice"), None).await.unwrap().id, one);
}

#[tokio::test]
async fn a_number_that_a_crash_reserved_can_still_be_a_uid() {
    let world = World::new().await;
    let id = world.domain.users.generate_id(APP).await.unwrap();
    let user = world.create(Some(&id.to_string()), None).await.unwrap();
    assert_eq!(user.id, id);
    let next = world.create(None, None).await.unwrap();
    assert_ne!(next.id, id);
}

#[tokio::test]
async fn rivals_for_one_reserved_id_do_not_share_it() {
    let world = World::new().await;
    let plan = world.domain.users.plan(APP, &new(Some("alice"), None)).await.unwrap();
    let first = world.create(Some("alice"), None).await.unwrap();
    // The plan was made before the other finished: every one of its commits must fail.
    let lost = world.domain.users.carry_out(APP, &new(Some("alice"), None), "", plan).await.unwrap();
    assert!(lost.is_none());
    assert_eq!(world.found(UserRef::Uid("alice".into())).await, Some(first.id));

    let id = world.domain.users.generate_id(APP).await.unwrap();
    world.claim(Space::Uid, "bob", id).await;
    let plan = || Plan { uid_was: Some(id), username_was: None, id: Some(id) };
    let bob = new(Some("bob"), None);
    assert!(world.domain.users.carry_out(APP, &bob, "", plan()).await.unwrap().is_some());
    assert!(world.domain.users.carry_out(APP, &bob, "", plan()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_of_the_login_name_that_was_cut_short_can_be_made_again() {
    let world = World::new().await;
    let users = &world.domain.users;
    let alice = world.create(Some("alice"), Some("al")).await.unwrap();
    let me = UserId(alice.id);
    // Cut after the record said so: the name is free for others.
    let renaming = store::Renaming { name: "ally".into(), claim: 7 };
    change_user(&world.store, APP, me, |record| record.renaming = Some(renaming.clone())).await.unwrap();
    assert_eq!(world.found(UserRef::Username("al".into())).await, Some(alice.id));
    let bob = world.create(Some("bob"), Some("ally")).await.unwrap();
    assert!(matches!(users.rename(&world.server, me, "ally").await, Err(Error::Exists(Noun::Username))));
    assert_eq!(world.found(UserRef::Username("ally".into())).await, Some(bob.id));

    // Cut after the name was claimed: it is reserved, the old one still counts, and the same call completes it.
    let renaming = store::Renaming { name: "alice".into(), claim: 8 };
    change_user(&world.store, APP, me, |record| record.renaming = Some(renaming.clone())).await.unwrap();
    let target = store::NameTarget { id: alice.id, claim: 8 };
    assert!(users.names.take_over(APP, Space::Username, "alice", None, target).await.unwrap());
    assert!(matches!(world.create(None, Some("alice")).await, Err(Error::Exists(Noun::Username))));
    assert_eq!(world.found(UserRef::Username("al".into())).await, Some(alice.id));
    assert_eq!(world.found(UserRef::Username("alice".into())).await, None);
    users.rename(&world.server, me, "alice").await.unwrap();
    assert_eq!(world.found(UserRef::Username("alice".into())).await, Some(alice.id));

    // Cut before the old name was released: it points at somebody who is not called so, and is free.
    let target = store::NameTarget { id: alice.id, claim: 9 };
    let was = users.names.read(APP, Space::Username, "al").await.unwrap();
    assert!(users.names.take_over(APP, Space::Username, "al", was.as_ref(), target).await.unwrap());
    assert!(world.create(None, Some("al")).await.is_ok());
}

#[tokio::test]
async fn rows_of_users_who_never_came_lead_nowhere() {
    let world = World::new().await;
    let users = &world.domain.users;
    let profile = store::Profile { name: "Ghost".into(), ..store::Profile::default() };
    users.list_new(APP, UserId(99), &profile).await.unwrap();
    assert!(users.search(&world.server, Search::Name, "Ghost").await.unwrap().is_empty());
    assert!(users.list(&world.server, None, 10).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_row_that_was_written_again_is_not_removed() {
    let world = World::new().await;
    let users = &world.domain.users;
    let alice = world.create(Some("alice"), None).await.unwrap();
    let (anna, bert) =
        (store::Profile { name: "Anna".into(), ..alice.profile.clone().unwrap() }, alice.profile.unwrap());
    let change = |name: &str| ProfileChange { name: Some(name.into()), ..ProfileChange::default() };
    users.update(&world.server, UserId(alice.id), change("Anna")).await.unwrap();
    // Somebody began to take the name away, and is late.
    let stale = users.list_anew(APP, UserId(alice.id), &anna, &bert).await.unwrap();
    users.update(&world.server, UserId(alice.id), change("Bert")).await.unwrap();
    users.update(&world.server, UserId(alice.id), change("Anna")).await.unwrap();
    users.unlist(stale).await.unwrap();
    let found = users.search(&world.server, Search::Name, "Anna").await.unwrap();
    assert_eq!(found.len(), 1);
}
