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
