//! Tokens: issuing, believing, forging, voiding.

use std::time::Duration;

use crate::world::{self, World, id, issue};
use domain::record::event;
use domain::tokens::Issue;
use domain::users::NewUser;
use domain::{Denial, Error, Noun, UserId, UserRef};

#[tokio::test]
async fn a_token_names_its_user_app_and_platform() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let platform = Issue { platform: 2, ..issue() };
    let issued = world.domain.tokens.issue(&alice, id(&alice), platform).await.unwrap();
    assert_eq!((issued.text.len(), issued.expires), (43, 0));
    let caller = world.domain.tokens.authenticate(&issued.text).await.unwrap();
    assert_eq!((caller.user().unwrap(), caller.app(), caller.platform()), (id(&alice), alice.app(), 2));
    assert!(!caller.is_privileged());
    assert!(!format!("{issued:?}").contains(&issued.text));
}

#[tokio::test]
async fn no_other_text_is_believed() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let text = world.domain.tokens.issue(&alice, id(&alice), issue()).await.unwrap().text;
    let mut forged: Vec<String> = (0..text.len()).map(|length| text[..length].to_owned()).collect();
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            forged.push(String::from_utf8(bytes).unwrap());
        }
    }
    forged.extend([format!("{text} "), format!(" {text}"), format!("{text}{text}"), text.to_lowercase()]);
    forged.extend(["x".repeat(257), "x".repeat(1 << 20), "\0".into(), "'; --".into()]);
    for forgery in forged.iter().filter(|forgery| **forgery != text) {
        let refused = world.domain.tokens.authenticate(forgery).await.unwrap_err();
        assert_eq!(refused.to_string(), "not authenticated: the token is wrong, expired or revoked");
    }
    world.domain.tokens.authenticate(&text).await.unwrap();
}

#[tokio::test]
async fn a_token_ends_when_it_was_said_to() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let hour = Issue { lifetime: Some(Duration::from_secs(3600)), ..issue() };
    let issued = world.domain.tokens.issue(&alice, id(&alice), hour).await.unwrap();
    assert_eq!(issued.expires, world::START + 3_600_000);
    world.pass(3_599_999);
    world.domain.tokens.authenticate(&issued.text).await.unwrap();
    world.pass(1);
    assert!(matches!(world.domain.tokens.authenticate(&issued.text).await, Err(Error::Unauthenticated(_))));
}

#[tokio::test]
async fn a_repeatable_token_is_the_same_until_it_is_revoked() {
    let world = World::new().await;
    let (alice, bob) = (id(&world.user("alice").await), id(&world.user("bob").await));
    let tokens = &world.domain.tokens;
    let repeatable = || Issue { dialect: "gobelieve", repeatable: true, ..issue() };
    let first = tokens.issue(&world.server, alice, repeatable()).await.unwrap().text;
    assert!(first.len() == 30 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{first}");
    let (elsewhere, _) = world.another().await;
    assert_eq!(elsewhere.tokens.issue(&world.server, alice, repeatable()).await.unwrap().text, first);
    assert_ne!(tokens.issue(&world.server, bob, repeatable()).await.unwrap().text, first);
    assert_eq!(tokens.authenticate(&first).await.unwrap().user().unwrap(), alice);
    tokens.revoke_all(&world.server, alice).await.unwrap();
    assert!(matches!(tokens.authenticate(&first).await, Err(Error::Unauthenticated(_))));
    let second = tokens.issue(&world.server, alice, repeatable()).await.unwrap().text;
    assert_ne!(second, first);
    tokens.authenticate(&second).await.unwrap();
    assert!(tokens.authenticate(&first).await.is_err());
}

#[tokio::test]
async fn revoking_voids_all_tokens_and_ends_sessions_once_it_is_durable() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let tokens = &world.domain.tokens;
    let mut texts = Vec::new();
    for _ in 0..3 {
        texts.push(tokens.issue(&alice, id(&alice), issue()).await.unwrap().text);
    }
    let others = tokens.issue(&bob, id(&bob), issue()).await.unwrap().text;
    world.events.take();
    assert!(matches!(tokens.revoke_all(&bob, id(&alice)).await, Err(Error::Denied(Denial::Credential))));
    assert!(world.events.take().is_empty());
    tokens.revoke_all(&alice, id(&alice)).await.unwrap();
    for text in texts {
        assert!(matches!(tokens.authenticate(&text).await, Err(Error::Unauthenticated(_))));
    }
    tokens.authenticate(&others).await.unwrap();
    let told = world.events.take();
    assert!(
        matches!(&told[..], [(users, event::Body::Kick(kick))]
            if *users == [id(&alice)] && kick.user == id(&alice).0 && kick.reason == 3 && kick.device_id.is_empty()),
        "{told:?}"
    );
}

#[tokio::test]
async fn who_is_disabled_gets_in_nowhere_until_enabled_again() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let tokens = &world.domain.tokens;
    let text = tokens.issue(&alice, id(&alice), issue()).await.unwrap().text;
    world.events.take();
    world.domain.users.set_disabled(&world.server, id(&alice), true).await.unwrap();
    let told = world.events.take();
    assert!(matches!(&told[..], [(_, event::Body::Kick(kick))] if kick.reason == 4), "{told:?}");
    let denied = [
        tokens.authenticate(&text).await.map(|_| ()),
        tokens.act_as(&world.server, id(&alice)).await.map(|_| ()),
        tokens.issue(&world.server, id(&alice), issue()).await.map(|_| ()),
    ];
    for outcome in denied {
        assert!(matches!(outcome, Err(Error::Denied(Denial::Disabled))), "{outcome:?}");
    }
    world.domain.users.set_disabled(&world.server, id(&alice), false).await.unwrap();
    assert!(world.events.take().is_empty());
    tokens.authenticate(&text).await.unwrap();
    let denied = world.domain.users.set_disabled(&alice, id(&alice), true).await;
    assert!(matches!(denied, Err(Error::Denied(Denial::Credential))));
}

#[tokio::test]
async fn the_app_acts_in_a_users_name_and_users_do_not() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let tokens = &world.domain.tokens;
    let acting = tokens.act_as(&world.server, id(&alice)).await.unwrap();
    assert_eq!(acting.user().unwrap(), id(&alice));
    assert!(acting.is_privileged());
    assert!(matches!(tokens.act_as(&world.server, UserId(42)).await, Err(Error::NotFound(Noun::User))));
    assert!(matches!(tokens.act_as(&bob, id(&alice)).await, Err(Error::Denied(Denial::Credential))));
    assert!(matches!(tokens.issue(&bob, id(&alice), issue()).await, Err(Error::Denied(Denial::Credential))));
    assert!(matches!(tokens.issue(&world.server, UserId(42), issue()).await, Err(Error::NotFound(Noun::User))));
}

#[tokio::test]
async fn registering_and_logging_in_yield_tokens() {
    let world = World::new().await;
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    let tokens = &world.domain.tokens;
    let new = NewUser { username: Some("al".into()), password: Some("secret".into()), ..NewUser::default() };
    let (user, first) = tokens.register(&nobody, new, issue()).await.unwrap();
    let name = UserRef::Username("al".into());
    let (again, second) = tokens.log_in(&nobody, &name, "secret", issue()).await.unwrap();
    assert_eq!(again.id, user.id);
    assert_ne!(first.text, second.text);
    for text in [first.text, second.text] {
        assert_eq!(tokens.authenticate(&text).await.unwrap().user().unwrap(), UserId(user.id));
    }
    let refused = tokens.log_in(&nobody, &name, "wrong", issue()).await;
    assert!(matches!(refused, Err(Error::Unauthenticated(_))));
}
