//! What users keep for themselves: profile, settings, password, and their own order among contacts.

use domain::tokens::Issue;
use domain::users::NewUser;
use domain::{UserId, UserRef};
use proto::wire;
use wire::error::Code;
use wire::frame::Body;

use crate::world::{User, World};

#[tokio::test]
async fn only_the_user_sees_the_private_part_of_a_profile() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut hers = world.device(&alice, "a").await;
    let mut his = world.device(&bob, "b").await;
    let update = wire::UpdateProfile {
        name: Some("Alice".into()),
        private_extension: Some("secret".into()),
        mobile: Some("138".into()),
        email: Some("a@example.com".into()),
        birth: Some("2000-01-01".into()),
        location: Some("Berlin".into()),
        language: Some("de".into()),
        ..Default::default()
    };
    answer!(hers, Body::UpdateProfile(update), Ok);
    let own = answer!(hers, Body::GetProfile(wire::GetProfile {}), Profile);
    let user = own.user.as_ref().unwrap();
    assert_eq!((user.uid.as_str(), user.name.as_str()), ("alice", "Alice"));
    assert_eq!((own.private_extension.as_str(), own.mobile.as_str()), ("secret", "138"));
    assert_eq!((own.email.as_str(), own.birth.as_str()), ("a@example.com", "2000-01-01"));
    assert_eq!((own.location.as_str(), own.language.as_str()), ("Berlin", "de"));
    assert!(own.created > 0 && own.username.is_empty());
    let find = wire::FindUsers { ids: vec![alice.id.0], uids: vec![] };
    let seen = answer!(his, Body::FindUsers(find), UserList);
    assert!(!format!("{seen:?}").contains("secret"));
}

#[tokio::test]
async fn settings_are_kept_and_rule_how_others_ask() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut hers = world.device(&alice, "a").await;
    let mut his = world.device(&bob, "b").await;
    let fresh = answer!(hers, Body::GetSettings(wire::GetSettings {}), Settings);
    assert_eq!(fresh.friend_policy(), wire::FriendPolicy::Open);
    let update = wire::UpdateSettings {
        friend_policy: Some(wire::FriendPolicy::Question.into()),
        question: Some("who?".into()),
        answer: Some("me".into()),
        no_push_start_hour: Some(22),
        no_push_end_hour: Some(7),
        push_name: Some("A".into()),
        vibratory: Some(true),
        ..Default::default()
    };
    let changed = answer!(hers, Body::UpdateSettings(update), Settings);
    assert_eq!(changed, answer!(hers, Body::GetSettings(wire::GetSettings {}), Settings));
    assert_eq!((changed.no_push_start_hour, changed.no_push_end_hour), (22, 7));
    assert_eq!((changed.push_name.as_str(), changed.vibratory), ("A", true));
    let wrong = wire::UpdateSettings { silence_end_hour: Some(25), ..Default::default() };
    let error = refusal!(hers, Body::UpdateSettings(wrong));
    assert_eq!((error.code(), error.field.as_str()), (Code::Invalid, "silence_end_hour"));

    let ask = |answer: &str| {
        let request = wire::RequestFriend { user: alice.id.0, answer: Some(answer.into()), ..Default::default() };
        Body::RequestFriend(request)
    };
    assert_eq!(refusal!(his, ask("him")).code(), Code::Denied);
    answer!(his, ask("me"), Ok);
}

#[tokio::test]
async fn a_new_password_ends_every_session_and_a_wrong_old_one_none() {
    let world = World::new().await;
    let new = NewUser {
        username: Some("alice".to_owned()),
        password: Some("first password".to_owned()),
        ..NewUser::default()
    };
    let id = UserId(world.domain.users.create(&world.server, new).await.unwrap().id);
    let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
    let token = world.domain.tokens.issue(&world.server, id, issue).await.unwrap().text;
    let mut phone = world.device(&User { id, token: token.clone() }, "phone").await;
    let change =
        |old: &str| Body::ChangePassword(wire::ChangePassword { old: old.into(), new: "second password".into() });
    let error = refusal!(phone, change("wrong"));
    assert_eq!((error.code(), error.field.as_str()), (Code::Invalid, "old"));
    assert!(matches!(phone.ask(Body::Ping(wire::Ping {})).await, Body::Pong(_)));
    phone.send(change("first password")).await;
    while let Some(frame) = phone.next().await {
        assert!(matches!(frame.body, Some(Body::Ok(_) | Body::Kicked(_))), "{frame:?}");
    }
    let of = |name: &str| UserRef::Username(name.to_owned());
    world.domain.users.verify_password_of(&world.server, &of("alice"), "second password").await.unwrap();
    assert!(world.domain.tokens.authenticate(&token).await.is_err());
}

#[tokio::test]
async fn requests_and_groups_of_friends_are_listed() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut hers = world.device(&alice, "a").await;
    let mut his = world.device(&bob, "b").await;
    let confirm = Some(wire::FriendPolicy::Confirm.into());
    answer!(
        hers,
        Body::UpdateSettings(wire::UpdateSettings { friend_policy: confirm, ..Default::default() }),
        Settings
    );
    let ask = wire::RequestFriend { user: alice.id.0, reason: "hello".into(), ..Default::default() };
    answer!(his, Body::RequestFriend(ask), Ok);
    let list = || Body::ListFriendRequests(wire::ListFriendRequests::default());
    let page = answer!(hers, list(), FriendRequestPage);
    let [request] = &page.requests[..] else { panic!("{page:?}") };
    assert_eq!((request.reason.as_str(), request.status()), ("hello", wire::RequestStatus::Pending));
    assert_eq!(request.user.as_ref().unwrap().uid, "bob");
    answer!(hers, Body::AnswerFriend(wire::AnswerFriend { user: bob.id.0, accept: true, ..Default::default() }), Ok);
    assert_eq!(answer!(hers, list(), FriendRequestPage).requests[0].status(), wire::RequestStatus::Accepted);
    assert!(answer!(his, list(), FriendRequestPage).requests.is_empty());

    let add = wire::AddFriendGroups { names: vec!["school".into(), "work".into()], users: vec![bob.id.0, 77] };
    answer!(hers, Body::AddFriendGroups(add), Ok);
    let names = async |client: &mut crate::client::Client| {
        let groups = answer!(client, Body::ListFriendGroups(wire::ListFriendGroups {}), FriendGroupList).groups;
        groups.into_iter().map(|group| group.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut hers).await, ["school", "work"]);
    let into = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let groups = Some(wire::FriendGroupNames { names });
        let mute = Some(wire::Mute::Notifications.into());
        Body::UpdateContact(wire::UpdateContact { user: bob.id.0, groups, mute, ..Default::default() })
    };
    assert_eq!(refusal!(hers, into(&["nowhere"])).field, "groups");
    answer!(hers, into(&["work"]), Ok);
    answer!(hers, Body::DeleteFriendGroups(wire::DeleteFriendGroups { names: vec!["school".into()] }), Ok);
    assert_eq!(names(&mut hers).await, ["work"]);
    let roster = answer!(hers, Body::ListRoster(wire::ListRoster::default()), RosterPage);
    assert_eq!(roster.contacts[0].groups, ["work"]);
    assert!(names(&mut his).await.is_empty());
}

#[tokio::test]
async fn tags_and_an_alias_say_whom_pushes_mean() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let mut phone = world.device(&alice, "phone").await;
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    answer!(phone, Body::AddPushTags(wire::AddPushTags { tags: tags(&["beta", "de"]) }), Ok);
    let list = || Body::ListPushTags(wire::ListPushTags {});
    assert_eq!(answer!(phone, list(), PushTagList).tags, ["beta", "de"]);
    answer!(phone, Body::RemovePushTags(wire::RemovePushTags { tags: tags(&["beta"]) }), Ok);
    assert_eq!(answer!(phone, list(), PushTagList).tags, ["de"]);
    answer!(phone, Body::RemovePushTags(wire::RemovePushTags { tags: vec![] }), Ok);
    assert!(answer!(phone, list(), PushTagList).tags.is_empty());
    answer!(phone, Body::SetPushAlias(wire::SetPushAlias { alias: "al".into() }), Ok);
}
