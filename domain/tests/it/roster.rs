//! The roster: asking, answering, ending, blocking.

use crate::world::{World, direct, id};
use domain::entry::entry::Body;
use domain::entry::tip::Kind;
use domain::record::{AppSettings, Relation};
use domain::{Caller, Config, ConversationId, Denial, Error, Noun, UserId};

/// How two users stand to each other, from both sides.
async fn between(world: &World, one: &Caller, other: &Caller) -> (Relation, Relation) {
    let roster = &world.domain.roster;
    let mine = roster.get(one, id(other)).await.unwrap().unwrap_or_default();
    let theirs = roster.get(other, id(one)).await.unwrap().unwrap_or_default();
    (mine.relation(), theirs.relation())
}

/// What a user was told, and by whom.
async fn notices(world: &World, user: &Caller) -> Vec<(Kind, UserId)> {
    let entries = world.all(user, ConversationId::Notices(id(user))).await;
    let tips = entries.into_iter().filter_map(|entry| match entry.body {
        Some(Body::Tip(tip)) => Some((tip.kind(), UserId(entry.sender))),
        _ => None,
    });
    tips.collect()
}

#[tokio::test]
async fn under_an_open_policy_a_request_makes_friends_at_once() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    world.domain.roster.request(&alice, id(&bob), "hi").await.unwrap();
    assert_eq!(between(&world, &alice, &bob).await, (Relation::Friend, Relation::Friend));
    for user in [&alice, &bob] {
        assert_eq!(notices(&world, user).await, [(Kind::FriendAccepted, id(&alice))]);
    }
    let again = world.domain.roster.request(&bob, id(&alice), "").await;
    assert!(matches!(again, Err(Error::Exists(Noun::Contact))));
}

#[tokio::test]
async fn ending_a_friendship_ends_it_on_both_sides() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let roster = &world.domain.roster;
    assert!(matches!(roster.remove(&alice, id(&bob)).await, Err(Error::NotFound(Noun::Contact))));
    roster.request(&alice, id(&bob), "").await.unwrap();
    roster.remove(&bob, id(&alice)).await.unwrap();
    assert_eq!(between(&world, &alice, &bob).await, (Relation::None, Relation::None));
    assert!(roster.list(&alice, None, 10).await.unwrap().items.is_empty());
    assert!(notices(&world, &alice).await.contains(&(Kind::FriendRemoved, id(&bob))));
}

#[tokio::test]
async fn nobody_asks_oneself_a_stranger_of_the_app_or_at_length() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let roster = &world.domain.roster;
    assert!(matches!(roster.request(&alice, id(&alice), "").await, Err(Error::Invalid { field: "user", .. })));
    assert!(matches!(roster.request(&alice, UserId(42), "").await, Err(Error::NotFound(Noun::User))));
    assert!(matches!(roster.block(&alice, UserId(42)).await, Err(Error::NotFound(Noun::User))));
    let long = "x".repeat(100_000);
    let refused = roster.request(&alice, id(&bob), &long).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "reason", .. })));
    assert!(matches!(roster.list(&world.server, None, 10).await, Err(Error::Denied(Denial::Credential))));
    for outcome in [roster.accept(&alice, id(&bob)).await, roster.decline(&alice, id(&bob)).await] {
        assert!(matches!(outcome, Err(Error::NotFound(Noun::Contact))));
    }
}

#[tokio::test]
async fn who_is_blocked_cannot_write_or_ask_and_others_can() {
    let world = World::new().await;
    let (alice, bob, cy) = (world.user("alice").await, world.user("bob").await, world.user("cy").await);
    let roster = &world.domain.roster;
    roster.block(&alice, id(&bob)).await.unwrap();
    roster.block(&alice, id(&bob)).await.unwrap();
    assert_eq!(notices(&world, &alice).await, [(Kind::BlockChanged, id(&alice))], "blocking again tells nothing");
    let denied = world.send(&bob, direct(&alice, &bob), "1", "hello").await;
    assert!(matches!(denied, Err(Error::Denied(Denial::Blocked))));
    assert!(matches!(roster.request(&bob, id(&alice), "").await, Err(Error::Denied(Denial::Blocked))));
    world.send(&alice, direct(&alice, &bob), "1", "hello").await.unwrap();
    world.send(&cy, direct(&alice, &cy), "1", "hello").await.unwrap();
    roster.unblock(&alice, id(&bob)).await.unwrap();
    world.send(&bob, direct(&alice, &bob), "2", "hello").await.unwrap();
    assert_eq!(roster.get(&alice, id(&bob)).await.unwrap(), None, "a row that says nothing is gone");
}

#[tokio::test]
async fn where_friends_only_may_talk_friendship_opens_and_closes_the_way() {
    let settings = AppSettings { friends_only: true, ..AppSettings::default() };
    let world = World::with(settings, Config::default()).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let between = direct(&alice, &bob);
    assert!(matches!(world.send(&alice, between, "1", "x").await, Err(Error::Denied(Denial::NotFriends))));
    world.domain.roster.request(&alice, id(&bob), "").await.unwrap();
    world.send(&alice, between, "1", "x").await.unwrap();
    world.send(&bob, between, "1", "x").await.unwrap();
    world.domain.roster.remove(&alice, id(&bob)).await.unwrap();
    assert!(matches!(world.send(&bob, between, "2", "x").await, Err(Error::Denied(Denial::NotFriends))));
}

#[tokio::test]
async fn the_list_is_paged_without_holes_or_repeats() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let mut expected = Vec::new();
    for n in 1..=7 {
        let friend = world.user(&n.to_string()).await;
        world.domain.roster.request(&alice, id(&friend), "").await.unwrap();
        expected.push(n);
    }
    for limit in [1, 2, 3, 7, 8, 1_000_000] {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = world.domain.roster.list(&alice, cursor.as_deref(), limit).await.unwrap();
            seen.extend(page.items.iter().map(|contact| contact.user));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, expected, "pages of {limit}");
    }
    let refused = world.domain.roster.list(&alice, Some(b"nonsense!"), 10).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "cursor", .. })));
}
