//! Users: creating, naming, finding, changing, disabling.

use std::collections::HashSet;

use crate::world::{self, World, id};
use domain::record::{Profile, User};
use domain::users::{NewUser, ProfileChange, uid_of};
use domain::{Caller, Denial, Error, ID_END, Noun, Result, UserId, UserRef};

fn named(uid: &str) -> NewUser {
    NewUser { uid: Some(uid.into()), ..NewUser::default() }
}

fn registration(username: &str, password: &str) -> NewUser {
    NewUser { username: Some(username.into()), password: Some(password.into()), ..NewUser::default() }
}

async fn find(world: &World, user: UserRef) -> Result<User> {
    world.domain.users.find(&world.server, &user).await
}

async fn anonymous(world: &World) -> Caller {
    world.domain.apps.anonymous("demo").await.unwrap()
}

#[tokio::test]
async fn numeric_uids_become_ids_and_others_do_not() {
    let world = World::new().await;
    for number in [1u64, 5, 99, UserId::FIRST_GENERATED.0 - 1] {
        let user = world.domain.users.create(&world.server, named(&number.to_string())).await.unwrap();
        assert_eq!(user.id, number);
    }
    for uid in ["0", "007", "-1", "1.5", "alice", "1000000000000000", "9007199254740992", "99999999999999999999"] {
        let user = world.domain.users.create(&world.server, named(uid)).await.unwrap();
        assert!((UserId::FIRST_GENERATED.0..ID_END).contains(&user.id), "{uid} became {}", user.id);
        assert_eq!(user.uid, uid);
    }
}

#[tokio::test]
async fn a_user_is_found_by_every_name() {
    let world = World::new().await;
    let alice = world.domain.users.create(&world.server, named("alice")).await.unwrap();
    let five = world.domain.users.create(&world.server, named("5")).await.unwrap();
    let nameless = world.domain.users.create(&world.server, NewUser::default()).await.unwrap();
    for user in [&alice, &five, &nameless] {
        for name in [UserRef::Id(UserId(user.id)), UserRef::Uid(uid_of(user)), UserRef::Number(user.id)] {
            assert_eq!(find(&world, name.clone()).await.unwrap().id, user.id, "{name:?}");
        }
    }
    // Whoever has a uid is not called by the decimal id in string dialects.
    let decimal = UserRef::Uid(alice.id.to_string());
    assert!(matches!(find(&world, decimal).await, Err(Error::NotFound(Noun::User))));
    for name in [UserRef::Id(UserId(0)), UserRef::Uid(String::new()), UserRef::Number(0), UserRef::Number(u64::MAX)] {
        assert!(matches!(find(&world, name.clone()).await, Err(Error::NotFound(Noun::User))), "{name:?}");
    }
}

#[tokio::test]
async fn many_are_found_in_the_order_asked_for() {
    let world = World::new().await;
    let alice = id(&world.user("alice").await);
    world.user("5").await;
    let new = NewUser { username: Some("cy".into()), ..NewUser::default() };
    let cy = world.domain.users.create(&world.server, new).await.unwrap();
    let asked = [
        UserRef::Username("cy".into()),
        UserRef::Number(5),
        UserRef::Uid("nobody".into()),
        UserRef::Uid("alice".into()),
        UserRef::Username("alice".into()),
        UserRef::Id(alice),
        UserRef::Uid("alice".into()),
    ];
    let found = world.domain.users.find_many(&world.server, &asked).await.unwrap();
    let found: Vec<Option<u64>> = found.into_iter().map(|user| user.map(|user| user.id)).collect();
    assert_eq!(found, [Some(cy.id), Some(5), None, Some(alice.0), None, Some(alice.0), Some(alice.0)]);
    assert!(world.domain.users.find_many(&world.server, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn names_are_unique_and_a_generated_number_is_nobody_elses_uid() {
    let world = World::new().await;
    let users = &world.domain.users;
    users.create(&world.server, named("alice")).await.unwrap();
    assert!(matches!(users.create(&world.server, named("alice")).await, Err(Error::Exists(Noun::User))));
    users.create(&world.server, registration("al", "secret")).await.unwrap();
    let again = users.create(&world.server, registration("al", "other")).await;
    assert!(matches!(again, Err(Error::Exists(Noun::Username))));

    let nameless = users.create(&world.server, NewUser::default()).await.unwrap();
    let taken = users.create(&world.server, named(&nameless.id.to_string())).await;
    assert!(matches!(taken, Err(Error::Exists(Noun::User))));
    let taken = users.ensure(&world.server, named(&nameless.id.to_string())).await.unwrap();
    assert_eq!(taken.id, nameless.id, "a user without a uid is called by the decimal id");

    // The numbers that come next are given away as uids: the generator must pass over them.
    let mut seen: HashSet<u64> = HashSet::from([nameless.id]);
    for ahead in 5..10 {
        let uid = (nameless.id + ahead).to_string();
        let user = users.create(&world.server, named(&uid)).await.unwrap();
        assert!(seen.insert(user.id));
        assert_eq!(find(&world, UserRef::Number(nameless.id + ahead)).await.unwrap().uid, uid);
    }
    for _ in 0..20 {
        let user = users.create(&world.server, NewUser::default()).await.unwrap();
        assert!(seen.insert(user.id));
        assert_eq!(find(&world, UserRef::Number(user.id)).await.unwrap().id, user.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_gets_the_name() {
    let world = World::new().await;
    let (elsewhere, _) = world.another().await;
    for uid in ["alice", "5", "1000000000007"] {
        let tasks: Vec<_> = (0..12)
            .map(|n| {
                let domain = if n % 2 == 0 { world.domain.clone() } else { elsewhere.clone() };
                let (server, new) = (world.server.clone(), named(uid));
                tokio::spawn(async move { domain.users.create(&server, new).await })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => created += 1,
                Err(Error::Exists(Noun::User)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(created, 1, "{uid}");
        find(&world, UserRef::Uid(uid.into())).await.unwrap();
    }
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (domain, server) = (world.domain.clone(), world.server.clone());
            tokio::spawn(async move { domain.users.ensure(&server, named("bob")).await.unwrap().id })
        })
        .collect();
    let mut ids = HashSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    assert_eq!(ids.len(), 1, "whoever ensures gets the same user");
}

#[tokio::test]
async fn anonymous_callers_register_and_do_nothing_else() {
    let world = World::new().await;
    let nobody = anonymous(&world).await;
    let users = &world.domain.users;
    let user = users.create(&nobody, registration("al", "secret")).await.unwrap();
    assert!(user.uid.is_empty() && user.id >= UserId::FIRST_GENERATED.0);
    let squatting = NewUser { uid: Some("boss".into()), ..registration("boss", "secret") };
    assert!(matches!(users.create(&nobody, squatting).await, Err(Error::Denied(Denial::Credential))));
    assert!(matches!(users.create(&nobody, named("boss")).await, Err(Error::Denied(Denial::Credential))));
    let incomplete = NewUser { username: Some("cy".into()), ..NewUser::default() };
    assert!(matches!(users.create(&nobody, incomplete).await, Err(Error::Invalid { field: "password", .. })));
    let denied = [
        users.ensure(&nobody, named("x")).await.map(|_| ()),
        users.find(&nobody, &UserRef::Id(UserId(user.id))).await.map(|_| ()),
        users.update(&nobody, UserId(user.id), ProfileChange::default()).await.map(|_| ()),
        users.set_disabled(&nobody, UserId(user.id), true).await,
        world.domain.tokens.issue(&nobody, UserId(user.id), world::issue()).await.map(|_| ()),
        world.domain.tokens.act_as(&nobody, UserId(user.id)).await.map(|_| ()),
        world.domain.tokens.revoke_all(&nobody, UserId(user.id)).await,
    ];
    for outcome in denied {
        assert!(matches!(outcome, Err(Error::Denied(Denial::Credential))), "{outcome:?}");
    }
}

#[tokio::test]
async fn passwords_are_checked_and_never_shown() {
    let world = World::new().await;
    let nobody = anonymous(&world).await;
    let users = &world.domain.users;
    let user = users.create(&nobody, registration("al", "secret")).await.unwrap();
    let seen = users.verify_password(&nobody, "al", "secret").await.unwrap();
    assert_eq!((seen.id, seen.password_hash.as_str(), user.password_hash.as_str()), (user.id, "", ""));
    assert!(find(&world, UserRef::Id(UserId(user.id))).await.unwrap().password_hash.is_empty());
    users.verify_password_of(&nobody, &UserRef::Id(UserId(user.id)), "secret").await.unwrap();
    users.create(&world.server, named("bob")).await.unwrap();
    let wrong = [("al", "Secret"), ("al", ""), ("AL", "secret"), ("nobody", "secret"), ("bob", "")];
    for (username, password) in wrong {
        let refused = users.verify_password(&nobody, username, password).await.unwrap_err();
        assert_eq!(refused.to_string(), "not authenticated: the name or the password is wrong", "{username}");
    }
    let refused = users.verify_password_of(&nobody, &UserRef::Uid("bob".into()), "").await;
    assert!(matches!(refused, Err(Error::Unauthenticated(_))), "no password means no login, not an empty one");

    users.set_disabled(&world.server, UserId(user.id), true).await.unwrap();
    assert!(matches!(users.verify_password(&nobody, "al", "secret").await, Err(Error::Denied(Denial::Disabled))));
    assert!(matches!(users.verify_password(&nobody, "al", "wrong").await, Err(Error::Unauthenticated(_))));
}

#[tokio::test]
async fn a_profile_is_changed_field_by_field_by_its_owner_or_the_app() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let users = &world.domain.users;
    let some = |text: &str| Some(text.to_owned());
    let change = ProfileChange { name: some("Alice"), private_extension: some("hidden"), ..ProfileChange::default() };
    users.update(&alice, id(&alice), change).await.unwrap();
    let change = ProfileChange { avatar: some("http://a"), gender: Some(2), ..ProfileChange::default() };
    let user = users.update(&world.server, id(&alice), change).await.unwrap();
    let expected = Profile {
        name: "Alice".into(),
        avatar: "http://a".into(),
        gender: 2,
        private_extension: "hidden".into(),
        ..Profile::default()
    };
    assert_eq!(user.profile.unwrap(), expected);
    let change = ProfileChange { name: some("Mallory"), ..ProfileChange::default() };
    let denied = users.update(&bob, id(&alice), change).await;
    assert!(matches!(denied, Err(Error::Denied(Denial::Credential))));
    let seen = users.find(&bob, &UserRef::Id(id(&alice))).await.unwrap();
    assert_eq!(seen.profile.unwrap(), Profile { private_extension: String::new(), ..expected });
    assert_eq!(seen.settings, Some(domain::record::UserSettings::default()), "how to ask, and nothing else");
    let own = users.find(&alice, &UserRef::Id(id(&alice))).await.unwrap();
    assert_eq!(own.profile.unwrap().private_extension, "hidden");
}

#[tokio::test]
async fn nonsense_is_refused_with_the_fields_name() {
    let world = World::new().await;
    let users = &world.domain.users;
    let long = "x".repeat(100_000);
    let wrong = [
        ("uid", named("")),
        ("uid", named(&long[..65])),
        ("uid", named("a\nb")),
        ("username", registration("", "secret")),
        ("username", registration("a\0", "secret")),
        ("password", registration("al", "")),
        ("password", registration("al", &long)),
        ("password", NewUser { password: Some("x".into()), ..NewUser::default() }),
        ("name", NewUser { profile: Profile { name: long.clone(), ..Profile::default() }, ..NewUser::default() }),
        ("gender", NewUser { profile: Profile { gender: 3, ..Profile::default() }, ..NewUser::default() }),
        ("email", NewUser { profile: Profile { email: long.clone(), ..Profile::default() }, ..NewUser::default() }),
    ];
    for (expected, new) in wrong {
        let refused = users.create(&world.server, new.clone()).await;
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == expected), "{expected}: {refused:?}");
    }
    let refused = users.ensure(&world.server, NewUser::default()).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "uid", .. })));
    users.create(&world.server, named(&"ü".repeat(32))).await.unwrap();
}
