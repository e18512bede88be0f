//! The roster: asking, answering, ending, blocking, arranging, importing.

use crate::world::{World, direct, id};
use domain::entry::entry::Body;
use domain::entry::tip::Kind;
use domain::record::{AppSettings, FriendPolicy, Mute, Relation, RequestStatus};
use domain::roster::{Ask, ContactChange, Friendship, Imported, Which};
use domain::users::SettingsChange;
use domain::{Caller, Config, ConversationId, Denial, Error, Noun, UserId, UserRef};

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
    world.domain.roster.request(&alice, id(&bob), Ask::because("hi")).await.unwrap();
    assert_eq!(between(&world, &alice, &bob).await, (Relation::Friend, Relation::Friend));
    for user in [&alice, &bob] {
        assert_eq!(notices(&world, user).await, [(Kind::FriendAccepted, id(&alice))]);
    }
    let again = world.domain.roster.request(&bob, id(&alice), Ask::because("")).await;
    assert!(matches!(again, Err(Error::Exists(Noun::Contact))));
}

#[tokio::test]
async fn ending_a_friendship_ends_it_on_both_sides() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let roster = &world.domain.roster;
    assert!(matches!(roster.remove(&alice, id(&bob)).await, Err(Error::NotFound(Noun::Contact))));
    roster.request(&alice, id(&bob), Ask::because("")).await.unwrap();
    roster.remove(&bob, id(&alice)).await.unwrap();
    assert_eq!(between(&world, &alice, &bob).await, (Relation::None, Relation::None));
    assert!(roster.list(&alice, Which::All, None, 10).await.unwrap().items.is_empty());
    assert!(notices(&world, &alice).await.contains(&(Kind::FriendRemoved, id(&bob))));
}

#[tokio::test]
async fn nobody_asks_oneself_a_stranger_of_the_app_or_at_length() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let roster = &world.domain.roster;
    assert!(matches!(
        roster.request(&alice, id(&alice), Ask::because("")).await,
        Err(Error::Invalid { field: "user", .. })
    ));
    assert!(matches!(roster.request(&alice, UserId(42), Ask::because("")).await, Err(Error::NotFound(Noun::User))));
    assert!(matches!(roster.block(&alice, UserId(42)).await, Err(Error::NotFound(Noun::User))));
    let long = "x".repeat(100_000);
    let refused = roster.request(&alice, id(&bob), Ask::because(&long)).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "reason", .. })));
    assert!(matches!(roster.list(&world.server, Which::All, None, 10).await, Err(Error::Denied(Denial::Credential))));
    for outcome in [roster.accept(&alice, id(&bob)).await, roster.decline(&alice, id(&bob), "").await] {
        assert!(matches!(outcome, Err(Error::NotFound(Noun::Request))));
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
    assert!(matches!(roster.request(&bob, id(&alice), Ask::because("")).await, Err(Error::Denied(Denial::Blocked))));
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
    world.domain.roster.request(&alice, id(&bob), Ask::because("")).await.unwrap();
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
        world.domain.roster.request(&alice, id(&friend), Ask::because("")).await.unwrap();
        expected.push(n);
    }
    for limit in [1, 2, 3, 7, 8, 1_000_000] {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = world.domain.roster.list(&alice, Which::All, cursor.as_deref(), limit).await.unwrap();
            seen.extend(page.items.iter().map(|contact| contact.user));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, expected, "pages of {limit}");
    }
    let refused = world.domain.roster.list(&alice, Which::All, Some(b"nonsense!"), 10).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "cursor", .. })));
}

/// Lets a user answer friend requests in another way.
async fn set_policy(world: &World, user: &Caller, policy: FriendPolicy, question: &str, answer: &str) {
    let change = SettingsChange {
        friend_policy: Some(policy),
        auth_question: Some(question.into()),
        auth_answer: Some(answer.into()),
        ..SettingsChange::default()
    };
    world.domain.users.update_settings(user, id(user), change).await.unwrap();
}

/// What a user has been asked: by whom, why, and what became of it.
async fn requests(world: &World, user: &Caller) -> Vec<(UserId, String, RequestStatus)> {
    let page = world.domain.roster.requests(user, None, 100).await.unwrap();
    let row = |request: domain::record::FriendRequest| {
        let status = request.status();
        (UserId(request.user), request.reason, status)
    };
    page.items.into_iter().map(row).collect()
}

#[tokio::test]
async fn a_request_is_listed_with_what_became_of_it_and_for_a_while() {
    let world = World::new().await;
    let (alice, bob, cy) = (world.user("alice").await, world.user("bob").await, world.user("cy").await);
    let roster = &world.domain.roster;
    set_policy(&world, &bob, FriendPolicy::Confirm, "", "").await;
    let asked = roster.request(&alice, id(&bob), Ask::because("let me in")).await.unwrap();
    assert_eq!(asked, Relation::Requested);
    roster.request(&cy, id(&bob), Ask::because("me too")).await.unwrap();
    assert_eq!(
        requests(&world, &bob).await,
        [
            (id(&alice), "let me in".to_owned(), RequestStatus::Pending),
            (id(&cy), "me too".to_owned(), RequestStatus::Pending)
        ]
    );
    roster.decline(&bob, id(&alice), "not today").await.unwrap();
    roster.remove(&cy, id(&bob)).await.unwrap();
    assert_eq!(requests(&world, &bob).await, [(id(&alice), "let me in".to_owned(), RequestStatus::Declined)]);
    assert!(matches!(roster.decline(&bob, id(&alice), "").await, Err(Error::NotFound(Noun::Request))));
    assert!(matches!(roster.accept(&bob, id(&cy)).await, Err(Error::NotFound(Noun::Request))), "taken back");

    roster.request(&alice, id(&bob), Ask::because("once more")).await.unwrap();
    roster.accept(&bob, id(&alice)).await.unwrap();
    assert_eq!(requests(&world, &bob).await, [(id(&alice), "once more".to_owned(), RequestStatus::Accepted)]);
    world.pass(31 * 86_400_000);
    assert_eq!(requests(&world, &bob).await, []);
    assert_eq!(between(&world, &alice, &bob).await, (Relation::Friend, Relation::Friend), "friends stay friends");
}

#[tokio::test]
async fn a_request_that_nobody_answers_in_time_is_none() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let roster = &world.domain.roster;
    set_policy(&world, &bob, FriendPolicy::Confirm, "", "").await;
    roster.request(&alice, id(&bob), Ask::because("hello?")).await.unwrap();
    world.pass(8 * 86_400_000);
    assert_eq!(between(&world, &alice, &bob).await, (Relation::None, Relation::None));
    assert!(matches!(roster.accept(&bob, id(&alice)).await, Err(Error::NotFound(Noun::Request))));
    assert!(roster.list(&bob, Which::All, None, 10).await.unwrap().items.is_empty());
    roster.request(&alice, id(&bob), Ask::because("again")).await.unwrap();
    assert_eq!(requests(&world, &bob).await, [(id(&alice), "again".to_owned(), RequestStatus::Pending)]);
    roster.accept(&bob, id(&alice)).await.unwrap();
    assert_eq!(between(&world, &alice, &bob).await, (Relation::Friend, Relation::Friend));
}

#[tokio::test]
async fn a_question_lets_in_whoever_answers_it_and_cannot_be_guessed_for_long() {
    let world = World::new().await;
    let (alice, bob, cy) = (world.user("alice").await, world.user("bob").await, world.user("cy").await);
    let roster = &world.domain.roster;
    set_policy(&world, &bob, FriendPolicy::Question, "1 + 1?", "2").await;
    let seen = roster.people(&alice, &[UserRef::Id(id(&bob))]).await.unwrap().pop().flatten().unwrap();
    let settings = seen.user.settings.unwrap();
    assert_eq!((settings.friend_policy(), settings.auth_question.as_str()), (FriendPolicy::Question, "1 + 1?"));
    assert_eq!(settings.auth_answer, "", "the answer is not told");

    let answer = |answer: &str| Ask { answer: Some(answer.into()), ..Ask::default() };
    assert_eq!(roster.request(&alice, id(&bob), answer(" 2 ")).await.unwrap(), Relation::Friend);
    for _ in 0..5 {
        let wrong = roster.request(&cy, id(&bob), answer("3")).await;
        assert!(matches!(wrong, Err(Error::Denied(Denial::WrongAnswer))));
    }
    let right_but_late = roster.request(&cy, id(&bob), answer("2")).await;
    assert!(matches!(right_but_late, Err(Error::Limited { .. })));
    world.pass(3_600_001);
    assert_eq!(roster.request(&cy, id(&bob), answer("2")).await.unwrap(), Relation::Friend);
}

#[tokio::test]
async fn whom_the_app_forbids_to_ask_can_be_asked() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let change = SettingsChange { may_not_befriend: Some(true), ..SettingsChange::default() };
    world.domain.users.update_settings(&world.server, id(&alice), change).await.unwrap();
    let refused = world.domain.roster.request(&alice, id(&bob), Ask::default()).await;
    assert!(matches!(refused, Err(Error::Denied(Denial::MayNotAsk))));
    assert_eq!(world.domain.roster.request(&bob, id(&alice), Ask::default()).await.unwrap(), Relation::Friend);
}

#[tokio::test]
async fn a_friendship_that_ended_is_remembered_as_such() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let roster = &world.domain.roster;
    let ask = Ask { remark: Some("Bobby".into()), ..Ask::default() };
    roster.request(&alice, id(&bob), ask).await.unwrap();
    roster.remove(&bob, id(&alice)).await.unwrap();
    let mine = roster.get(&alice, id(&bob)).await.unwrap().unwrap();
    assert_eq!((mine.relation(), mine.ended, mine.remark.as_str()), (Relation::None, true, "Bobby"));
    roster.request(&alice, id(&bob), Ask::default()).await.unwrap();
    let mine = roster.get(&alice, id(&bob)).await.unwrap().unwrap();
    assert_eq!((mine.relation(), mine.ended, mine.remark.as_str()), (Relation::Friend, false, "Bobby"));
}

#[tokio::test]
async fn all_friendships_end_at_once_and_nothing_else_does() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let roster = &world.domain.roster;
    let enemy = world.user("enemy").await;
    roster.block(&alice, id(&enemy)).await.unwrap();
    let mut friends = Vec::new();
    for n in 0..5 {
        let friend = world.user(&format!("friend{n}")).await;
        roster.request(&alice, id(&friend), Ask::default()).await.unwrap();
        friends.push(friend);
    }
    assert_eq!(roster.remove_all(&alice).await.unwrap(), 5);
    assert_eq!(roster.remove_all(&alice).await.unwrap(), 0);
    for friend in &friends {
        assert_eq!(between(&world, &alice, friend).await, (Relation::None, Relation::None));
        assert!(notices(&world, friend).await.contains(&(Kind::FriendRemoved, id(&alice))));
    }
    let left = roster.list(&alice, Which::All, None, 10).await.unwrap().items;
    assert_eq!(left.iter().map(|contact| UserId(contact.user)).collect::<Vec<_>>(), [id(&enemy)]);
}

#[tokio::test]
async fn blocking_many_ends_friendships_where_that_is_meant() {
    let world = World::new().await;
    let (alice, bob, cy) = (world.user("alice").await, world.user("bob").await, world.user("cy").await);
    let roster = &world.domain.roster;
    roster.request(&alice, id(&bob), Ask::default()).await.unwrap();
    roster.block(&alice, id(&bob)).await.unwrap();
    assert_eq!(between(&world, &alice, &bob).await, (Relation::Friend, Relation::Friend), "kept");
    roster.unblock(&alice, id(&bob)).await.unwrap();
    let asked = [id(&cy), id(&bob), UserId(42), id(&alice), id(&bob)];
    let blocked = roster.block_all(&alice, &asked, Friendship::Ended).await.unwrap();
    assert_eq!(blocked, [(id(&cy), true), (id(&bob), true)], "who does not exist, oneself and repeats are left out");
    assert_eq!(between(&world, &alice, &bob).await, (Relation::None, Relation::None));
    assert!(notices(&world, &bob).await.contains(&(Kind::FriendRemoved, id(&alice))));
    let told = world.domain.conversations.get(&cy, ConversationId::Notices(id(&cy))).await;
    assert!(matches!(told, Err(Error::NotFound(Noun::Conversation))), "who is blocked is not told");
    let listed = roster.list(&alice, Which::Blocked, None, 10).await.unwrap().items;
    assert_eq!(listed.len(), 2);
    assert!(!roster.may_message(&alice, id(&bob), id(&alice)).await.unwrap());
    assert!(roster.may_message(&alice, id(&alice), id(&bob)).await.unwrap());
    let others = roster.may_message(&cy, id(&alice), id(&bob)).await;
    assert!(matches!(others, Err(Error::Denied(Denial::Credential))), "that is none of cy's business");
    assert_eq!(roster.unblock_all(&alice, &[id(&bob), id(&cy), UserId(42)]).await.unwrap().len(), 2);
    assert!(roster.may_message(&alice, id(&bob), id(&alice)).await.unwrap());
}

#[tokio::test]
async fn what_a_user_notes_about_a_contact_is_the_users_alone() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let roster = &world.domain.roster;
    let note = |remark: &str| ContactChange { remark: Some(remark.into()), ..ContactChange::default() };
    let stranger = roster.update(&alice, id(&bob), note("Bobby")).await;
    assert!(matches!(stranger, Err(Error::NotFound(Noun::Contact))));
    roster.request(&alice, id(&bob), Ask::default()).await.unwrap();
    roster.update(&alice, id(&bob), note("Bobby")).await.unwrap();
    let extension =
        ContactChange { extension: Some("{}".into()), mute: Some(Mute::Notifications), ..ContactChange::default() };
    roster.update(&alice, id(&bob), extension).await.unwrap();
    let seen = roster.people(&alice, &[UserRef::Id(id(&bob))]).await.unwrap().pop().flatten().unwrap();
    assert_eq!((seen.contact.remark.as_str(), seen.contact.extension.as_str()), ("Bobby", "{}"));
    assert_eq!(seen.mute, Mute::Notifications);
    let seen = roster.people(&bob, &[UserRef::Id(id(&alice))]).await.unwrap().pop().flatten().unwrap();
    assert_eq!((seen.contact.remark.as_str(), seen.mute), ("", Mute::None));
    // The two have not talked: there is nothing in anybody's list yet, and the mute is there when there is.
    assert!(!notices(&world, &bob).await.contains(&(Kind::ContactChanged, id(&alice))));
    world.send(&bob, direct(&alice, &bob), "1", "hello").await.unwrap();
    let conversation = world.domain.conversations.get(&alice, direct(&alice, &bob)).await.unwrap();
    assert_eq!(conversation.membership.mute(), Mute::Notifications);
    let too_long = roster.update(&alice, id(&bob), note(&"x".repeat(10_000))).await;
    assert!(matches!(too_long, Err(Error::Invalid { field: "remark", .. })));
}

#[tokio::test]
async fn groups_of_friends_hold_contacts_until_they_go() {
    let world = World::with(AppSettings::default(), Config { friend_groups: 3, ..Config::default() }).await;
    let (alice, bob, cy) = (world.user("alice").await, world.user("bob").await, world.user("cy").await);
    let roster = &world.domain.roster;
    roster.request(&alice, id(&bob), Ask::default()).await.unwrap();
    let names = ["work".to_owned(), "family".to_owned()];
    let inside = roster.add_groups(&alice, &names, &[id(&bob), id(&cy)]).await.unwrap();
    assert_eq!(inside, [id(&bob)], "cy is no contact");
    roster.add_groups(&alice, &names, &[]).await.unwrap();
    let groups = roster.groups(&alice).await.unwrap();
    assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["family", "work"]);
    assert_eq!(roster.get(&alice, id(&bob)).await.unwrap().unwrap().groups, ["family", "work"]);
    let too_many = roster.add_groups(&alice, &["a".to_owned(), "b".to_owned()], &[]).await;
    assert!(matches!(too_many, Err(Error::Denied(Denial::TooMany))));
    let elsewhere = ContactChange { groups: Some(vec!["nowhere".into()]), ..ContactChange::default() };
    assert!(matches!(roster.update(&alice, id(&bob), elsewhere).await, Err(Error::Invalid { field: "groups", .. })));
    roster.delete_groups(&alice, &["work".to_owned(), "nowhere".to_owned()]).await.unwrap();
    assert_eq!(roster.get(&alice, id(&bob)).await.unwrap().unwrap().groups, ["family"]);
    assert_eq!(roster.groups(&alice).await.unwrap().len(), 1);
    assert_eq!(between(&world, &alice, &bob).await, (Relation::Friend, Relation::Friend));
}

#[tokio::test]
async fn an_app_brings_friends_along_whatever_they_want() {
    let world = World::new().await;
    let (alice, bob, cy) = (world.user("alice").await, world.user("bob").await, world.user("cy").await);
    let roster = &world.domain.roster;
    set_policy(&world, &bob, FriendPolicy::Closed, "", "").await;
    let friend = |user: UserRef, remark: &str| Imported { user, remark: remark.into(), extension: String::new() };
    let friends = [
        friend(UserRef::Uid("bob".into()), "Bobby"),
        friend(UserRef::Uid("nobody".into()), ""),
        friend(UserRef::Uid("alice".into()), ""),
        friend(UserRef::Uid("cy".into()), ""),
    ];
    assert!(matches!(roster.import(&alice, &friends).await, Err(Error::Denied(Denial::Credential))));
    let app = world.domain.tokens.act_as(&world.server, id(&alice)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(roster.import(&app, &friends).await.unwrap(), [true, false, false, true]);
    }
    for other in [&bob, &cy] {
        assert_eq!(between(&world, &alice, other).await, (Relation::Friend, Relation::Friend));
        assert_eq!(notices(&world, other).await, [(Kind::FriendAccepted, id(&alice))], "once");
    }
    assert_eq!(notices(&world, &alice).await, [(Kind::FriendAccepted, id(&alice))], "one notice for all");
    assert_eq!(roster.get(&alice, id(&bob)).await.unwrap().unwrap().remark, "Bobby");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_ask_each_other_at_the_same_time_are_friends() {
    for _ in 0..50 {
        let world = World::new().await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        for user in [&alice, &bob] {
            set_policy(&world, user, FriendPolicy::Confirm, "", "").await;
        }
        let ask = |one: &Caller, other: &Caller| {
            let (domain, one, other) = (world.domain.clone(), one.clone(), id(other));
            tokio::spawn(async move { domain.roster.request(&one, other, Ask::default()).await })
        };
        let (one, other) = (ask(&alice, &bob), ask(&bob, &alice));
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
        assert_eq!(between(&world, &alice, &bob).await, (Relation::Friend, Relation::Friend));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_taken_back_while_it_is_accepted_leaves_both_sides_alike() {
    for _ in 0..50 {
        let world = World::new().await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        set_policy(&world, &bob, FriendPolicy::Confirm, "", "").await;
        world.domain.roster.request(&alice, id(&bob), Ask::default()).await.unwrap();
        let (domain, caller, other) = (world.domain.clone(), alice.clone(), id(&bob));
        let back = tokio::spawn(async move { domain.roster.remove(&caller, other).await });
        let (domain, caller, other) = (world.domain.clone(), bob.clone(), id(&alice));
        let accepted = tokio::spawn(async move { domain.roster.accept(&caller, other).await });
        let (back, accepted) = (back.await.unwrap(), accepted.await.unwrap());
        let (mine, theirs) = between(&world, &alice, &bob).await;
        assert_eq!(mine, theirs, "{back:?} {accepted:?}");
    }
}
