//! Apps: creating, believing, rotating, deleting.

use std::time::Duration;

use crate::world::{self, World};
use domain::apps::{Credential, Credentials, NewApp};
use domain::users::NewUser;
use domain::{AppNumber, Error, Noun};

/// Longer than an app may be remembered.
const STALE: Duration = Duration::from_millis(1_100);

/// The MD5 of a secret, as gobelieve's servers compute it.
fn md5(secret: &str) -> String {
    use md5::{Digest, Md5};
    hex::encode(Md5::digest(secret.as_bytes()))
}

/// Every way to present an app's credentials.
fn all_of(credentials: &Credentials) -> Vec<Credential> {
    let (number, secret) = (credentials.app.number, credentials.secret.clone());
    vec![
        Credential::Secret { id: credentials.app.id.clone(), secret: secret.clone() },
        Credential::SecretOnly(secret.clone()),
        Credential::SecretMd5 { number, md5: md5(&secret) },
        Credential::SecretMd5 { number, md5: md5(&secret).to_uppercase() },
        Credential::Key { number, key: credentials.key.clone() },
    ]
}

#[tokio::test]
async fn what_is_left_out_is_generated() {
    let world = World::new().await;
    let one = world.domain.apps.create(NewApp::default()).await.unwrap();
    let other = world.domain.apps.create(NewApp::default()).await.unwrap();
    assert_eq!((one.app.number, other.app.number), (1, 2));
    assert!(one.app.id.starts_with("app-") && one.app.id != other.app.id);
    assert!(one.key.len() >= 16 && one.secret.len() == 32);
    assert_ne!(one.secret, other.secret);
}

#[tokio::test]
async fn generated_numbers_pass_over_those_in_use() {
    let world = World::new().await;
    for number in [1, 2, 4] {
        world.domain.apps.create(NewApp { number: Some(number), ..NewApp::default() }).await.unwrap();
    }
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(world.domain.apps.create(NewApp::default()).await.unwrap().app.number);
    }
    assert_eq!(numbers, [3, 5, 6, 8, 9], "7 is the world's own");
    let listed: Vec<u32> = world.domain.apps.list().await.unwrap().iter().map(|app| app.number).collect();
    assert_eq!(listed, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn ids_numbers_and_secrets_are_unique() {
    let world = World::new().await;
    let new = NewApp { id: Some("one".into()), number: Some(9), secret: Some("tuoyun".into()), ..NewApp::default() };
    world.domain.apps.create(new.clone()).await.unwrap();
    let clashes = [
        NewApp { id: new.id.clone(), ..NewApp::default() },
        NewApp { number: new.number, ..NewApp::default() },
        NewApp { secret: new.secret.clone(), ..NewApp::default() },
    ];
    for clash in clashes {
        let refused = world.domain.apps.create(clash.clone()).await;
        assert!(matches!(refused, Err(Error::Exists(Noun::App))), "{clash:?}: {refused:?}");
    }
}

#[tokio::test]
async fn nonsense_is_refused_with_the_fields_name() {
    let world = World::new().await;
    let some = |text: &str| Some(text.to_owned());
    let wrong = [
        ("id", NewApp { id: some(""), ..NewApp::default() }),
        ("id", NewApp { id: some("a b"), ..NewApp::default() }),
        ("id", NewApp { id: some(&"x".repeat(65)), ..NewApp::default() }),
        ("number", NewApp { number: Some(0), ..NewApp::default() }),
        ("number", NewApp { number: Some(1 << 31), ..NewApp::default() }),
        ("key", NewApp { key: some(""), ..NewApp::default() }),
        ("secret", NewApp { secret: some(&"x".repeat(257)), ..NewApp::default() }),
        ("admins", NewApp { admins: vec![String::new()], ..NewApp::default() }),
    ];
    for (expected, new) in wrong {
        let refused = world.domain.apps.create(new.clone()).await;
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == expected), "{new:?}: {refused:?}");
    }
}

#[tokio::test]
async fn every_right_credential_is_believed_and_no_wrong_one() {
    let world = World::new().await;
    let one = world.domain.apps.create(NewApp::default()).await.unwrap();
    let other = world.domain.apps.create(NewApp::default()).await.unwrap();
    for credential in all_of(&one) {
        let caller = world.domain.apps.authenticate(&credential).await.unwrap();
        assert_eq!(caller.app(), AppNumber(one.app.number), "{credential:?}");
        assert!(caller.is_privileged() && caller.user().is_err());
    }
    let (id, number) = (one.app.id.clone(), one.app.number);
    let wrong = [
        Credential::Secret { id: id.clone(), secret: other.secret.clone() },
        Credential::Secret { id: id.clone(), secret: String::new() },
        Credential::Secret { id: "nobody".into(), secret: one.secret.clone() },
        Credential::SecretOnly(String::new()),
        Credential::SecretOnly(one.key.clone()),
        Credential::SecretOnly(one.secret[1..].to_owned()),
        Credential::SecretMd5 { number, md5: md5(&other.secret) },
        Credential::SecretMd5 { number, md5: one.secret.clone() },
        Credential::SecretMd5 { number: 999, md5: md5(&one.secret) },
        Credential::Key { number, key: one.secret.clone() },
        Credential::Key { number, key: other.key.clone() },
        Credential::Key { number: 0, key: one.key.clone() },
    ];
    for credential in wrong {
        let refused = world.domain.apps.authenticate(&credential).await;
        assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{credential:?}");
    }
}

#[tokio::test]
async fn rotation_replaces_the_credentials_everywhere_within_a_second() {
    let world = World::new().await;
    let (elsewhere, _) = world.another().await;
    let old = world.domain.apps.create(NewApp::default()).await.unwrap();
    for credential in all_of(&old) {
        elsewhere.apps.authenticate(&credential).await.unwrap();
    }
    let new = world.domain.apps.rotate(&old.app.id).await.unwrap();
    tokio::time::sleep(STALE).await;
    for domain in [&world.domain, &elsewhere] {
        for credential in all_of(&old) {
            assert!(domain.apps.authenticate(&credential).await.is_err(), "{credential:?}");
        }
        for credential in all_of(&new) {
            domain.apps.authenticate(&credential).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_deleted_app_is_gone_within_a_second_and_its_number_for_ever() {
    let world = World::new().await;
    let (elsewhere, _) = world.another().await;
    let user = world.user("alice").await;
    let issue = world::issue();
    let token = world.domain.tokens.issue(&user, world::id(&user), issue).await.unwrap().text;
    elsewhere.tokens.authenticate(&token).await.unwrap();
    let old = world.domain.apps.rotate("demo").await.unwrap();
    world.domain.apps.delete("demo").await.unwrap();
    tokio::time::sleep(STALE).await;
    for domain in [&world.domain, &elsewhere] {
        assert!(matches!(domain.tokens.authenticate(&token).await, Err(Error::Unauthenticated(_))));
        assert!(matches!(domain.apps.operator(AppNumber(7)).await, Err(Error::NotFound(Noun::App))));
        assert!(matches!(domain.apps.find("demo").await, Err(Error::NotFound(Noun::App))));
        assert!(matches!(domain.apps.anonymous("demo").await, Err(Error::NotFound(Noun::App))));
        assert!(matches!(domain.apps.anonymous_by_number(AppNumber(7)).await, Err(Error::NotFound(Noun::App))));
        for credential in all_of(&old) {
            assert!(matches!(domain.apps.authenticate(&credential).await, Err(Error::Unauthenticated(_))));
        }
    }
    assert!(matches!(world.domain.apps.delete("demo").await, Err(Error::NotFound(Noun::App))));
    assert!(matches!(world.domain.apps.rotate("demo").await, Err(Error::NotFound(Noun::App))));

    let taken = NewApp { number: Some(7), ..NewApp::default() };
    assert!(matches!(world.domain.apps.create(taken).await, Err(Error::Exists(Noun::App))));
    let again = NewApp { id: Some("demo".into()), ..NewApp::default() };
    let again = world.domain.apps.create(again).await.unwrap();
    assert_ne!(again.app.number, 7);
    let server = world.domain.apps.operator(AppNumber(again.app.number)).await.unwrap();
    let alice = domain::UserRef::Uid("alice".into());
    assert!(matches!(world.domain.users.find(&server, &alice).await, Err(Error::NotFound(Noun::User))));
}

#[tokio::test]
async fn what_is_handed_out_carries_no_secret() {
    let world = World::new().await;
    let created = world.domain.apps.create(NewApp::default()).await.unwrap();
    let found = world.domain.apps.find(&created.app.id).await.unwrap();
    let listed = world.domain.apps.list().await.unwrap();
    for app in listed.iter().chain([&created.app, &found]) {
        assert!(app.key_hash.is_empty() && app.secret_hash.is_empty());
        assert!(app.secret_md5_hash.is_empty() && app.signing_key.is_empty());
    }
    let printed = format!("{created:?} {:?}", all_of(&created));
    assert!(!printed.contains(&created.secret) && !printed.contains(&created.key));
}

#[tokio::test]
async fn who_is_listed_as_admin_acts_for_the_app() {
    let world = World::new().await;
    let new = NewApp { admins: vec!["root".into()], ..NewApp::default() };
    let app = world.domain.apps.create(new).await.unwrap().app;
    let server = world.domain.apps.operator(AppNumber(app.number)).await.unwrap();
    for (uid, privileged) in [("root", true), ("alice", false)] {
        let user = NewUser { uid: Some(uid.into()), ..NewUser::default() };
        let user = domain::UserId(world.domain.users.create(&server, user).await.unwrap().id);
        let token = world.domain.tokens.issue(&server, user, world::issue()).await.unwrap();
        let caller = world.domain.tokens.authenticate(&token.text).await.unwrap();
        assert_eq!(caller.is_privileged(), privileged, "{uid}");
    }
}
