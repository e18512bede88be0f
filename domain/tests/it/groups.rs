//! Groups: examples of every rule. Random operations are in `groups_model.rs`.

use crate::world::{self, World, id};
use domain::entry::entry::Body;
use domain::entry::tip::Kind;
use domain::groups::{Added, GroupChange, MemberChange, NewGroup, gid_of};
use domain::record::{GroupKind, JoinPolicy, Role};
use domain::users::NewUser;
use domain::{Caller, Config, ConversationId, Denial, Error, GroupId, GroupRef, Noun, Result, UserId};

fn named(gid: &str) -> NewGroup {
    NewGroup { gid: Some(gid.into()), name: "group".into(), ..NewGroup::default() }
}

fn plain(users: &[&Caller]) -> Vec<(UserId, String)> {
    users.iter().map(|user| (id(user), String::new())).collect()
}

async fn members(world: &World, group: GroupId) -> Vec<(UserId, Role)> {
    let page = world.domain.groups.members(&world.server, group, None, 500).await.unwrap();
    assert!(page.next.is_none());
    page.items.iter().map(|member| (UserId(member.user), member.role())).collect()
}

/// The groups that a user sees, and the count that each keeps of its members.
async fn groups_of(world: &World, user: &Caller) -> Vec<u64> {
    let page = world.domain.groups.list(user, None, 500).await.unwrap();
    page.items.iter().map(|group| group.id).collect()
}

/// The kinds of the tips in a conversation.
async fn tips(world: &World, reader: &Caller, conversation: ConversationId) -> Vec<Kind> {
    let entries = world.all(reader, conversation).await;
    let kinds = entries.into_iter().filter_map(|entry| match entry.body {
        Some(Body::Tip(tip)) => Some(tip.kind()),
        _ => None,
    });
    kinds.collect()
}

fn denied<T: std::fmt::Debug>(outcome: Result<T>, why: Denial) {
    match outcome {
        Err(Error::Denied(denial)) if denial == why => {}
        other => panic!("expected {why:?}, not {other:?}"),
    }
}

#[tokio::test]
async fn a_user_who_creates_a_group_owns_it_and_is_in_it() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let group = world.group(&alice, &[&bob]).await;
    assert_eq!(members(&world, group).await, [(id(&alice), Role::Owner), (id(&bob), Role::Member)]);
    let record = world.domain.groups.find(&bob, &GroupRef::Id(group)).await.unwrap();
    assert_eq!((record.owner, record.members, gid_of(&record)), (id(&alice).0, 2, group.to_string()));
    assert_eq!(record.created, world::START);
    for user in [&alice, &bob] {
        assert_eq!(groups_of(&world, user).await, [group.0]);
        assert_eq!(tips(&world, user, ConversationId::Group(group)).await, [Kind::GroupCreated]);
    }
}

#[tokio::test]
async fn the_app_names_an_owner_or_none_who_need_not_be_a_member() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    let listed = |role| vec![(id(&alice), role), (id(&bob), Role::Member)];
    let nobodys = groups.create(&world.server, NewGroup { members: listed(Role::Member), ..NewGroup::default() }).await;
    assert_eq!(nobodys.unwrap().owner, 0);
    let masters = NewGroup { owner: Some(id(&alice)), members: vec![(id(&bob), Role::Member)], ..NewGroup::default() };
    let masters = groups.create(&world.server, masters).await.unwrap();
    assert_eq!((masters.owner, masters.members), (id(&alice).0, 1));
    // The master leads the group all the same.
    groups.add_members(&alice, GroupId(masters.id), &plain(&[&alice])).await.unwrap();
    assert_eq!(members(&world, GroupId(masters.id)).await[0], (id(&alice), Role::Owner));
    let by_role = groups.create(&world.server, NewGroup { members: listed(Role::Owner), ..NewGroup::default() }).await;
    assert_eq!(by_role.unwrap().owner, id(&alice).0);

    let two = NewGroup { owner: Some(id(&bob)), members: listed(Role::Owner), ..NewGroup::default() };
    let refused = groups.create(&world.server, two).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "members", .. })));
    let others = NewGroup { owner: Some(id(&alice)), ..NewGroup::default() };
    denied(groups.create(&bob, others).await, Denial::Credential);
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    denied(groups.create(&nobody, NewGroup::default()).await, Denial::Credential);
}

#[tokio::test]
async fn groups_are_found_by_every_name() {
    let world = World::new().await;
    let groups = &world.domain.groups;
    let first = groups.create(&world.server, NewGroup::default()).await.unwrap();
    let second = groups.create(&world.server, NewGroup::default()).await.unwrap();
    assert_eq!((first.id, second.id), (1, 2));
    let five = groups.create(&world.server, named("5")).await.unwrap();
    let word = groups.create(&world.server, named("word")).await.unwrap();
    let odd = groups.create(&world.server, named("007")).await.unwrap();
    assert_eq!(five.id, 5);
    for group in [&first, &second, &five, &word, &odd] {
        for name in [GroupRef::Id(GroupId(group.id)), GroupRef::Gid(gid_of(group)), GroupRef::Number(group.id)] {
            assert_eq!(groups.find(&world.server, &name).await.unwrap().id, group.id, "{name:?}");
        }
    }
    for gid in ["1", "5", "word"] {
        let again = groups.create(&world.server, named(gid)).await;
        assert!(matches!(again, Err(Error::Exists(Noun::Group))), "{gid}: {again:?}");
    }
    for _ in 0..10 {
        groups.create(&world.server, NewGroup::default()).await.unwrap();
    }
    let absent = [
        GroupRef::Id(GroupId(0)),
        GroupRef::Id(GroupId(999)),
        GroupRef::Gid("nothing".into()),
        GroupRef::Gid(word.id.to_string()),
        GroupRef::Number(u64::MAX),
    ];
    for name in absent {
        let outcome = groups.find(&world.server, &name).await;
        assert!(matches!(outcome, Err(Error::NotFound(Noun::Group))), "{name:?}");
    }
}

#[tokio::test]
async fn strangers_see_public_groups_only() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    for (kind, seen) in [(GroupKind::Private, false), (GroupKind::Public, true), (GroupKind::Super, false)] {
        let group = groups.create(&alice, NewGroup { kind, ..NewGroup::default() }).await.unwrap();
        let group = GroupId(group.id);
        assert_eq!(groups.find(&bob, &GroupRef::Id(group)).await.is_ok(), seen, "{kind:?}");
        denied(groups.members(&bob, group, None, 10).await, Denial::NotMember);
        denied(groups.member(&bob, group, id(&alice)).await, Denial::NotMember);
        assert_eq!(groups.member(&bob, group, id(&bob)).await.unwrap(), None);
        denied(groups.add_members(&bob, group, &plain(&[&bob])).await, Denial::NotMember);
        denied(groups.remove_members(&bob, group, &[id(&alice)]).await, Denial::NotMember);
        denied(groups.update(&bob, group, GroupChange::default()).await, Denial::NotMember);
        denied(groups.dismiss(&bob, group).await, Denial::NotMember);
        denied(groups.leave(&bob, group).await, Denial::NotMember);
        denied(groups.transfer(&bob, group, id(&bob)).await, Denial::NotMember);
        denied(groups.update_member(&bob, group, id(&alice), MemberChange::default()).await, Denial::NotMember);
    }
}

#[tokio::test]
async fn adding_says_what_became_of_each() {
    let config = Config { group_capacity: 4, ..Config::default() };
    let world = World::with(domain::record::AppSettings::default(), config).await;
    let (a, b, c) = (world.user("1").await, world.user("2").await, world.user("3").await);
    let (d, e) = (world.user("4").await, world.user("5").await);
    let group = world.group(&a, &[&b]).await;
    world.events.take();
    let asked: Vec<(UserId, String)> = [&a, &c, &c, &d, &e]
        .iter()
        .map(|user| (id(user), format!("card of {}", id(user))))
        .chain([(UserId(42), String::new())])
        .collect();
    let results = world.domain.groups.add_members(&b, group, &asked).await.unwrap();
    let users: Vec<UserId> = results.iter().map(|(user, _)| *user).collect();
    assert_eq!(users, asked.iter().map(|(user, _)| *user).collect::<Vec<_>>());
    let expected = ["Already", "Yes", "Already", "Yes", "Failed(Denied(GroupFull))", "Failed(NotFound(User))"];
    let results: Vec<String> = results.iter().map(|(_, result)| format!("{result:?}")).collect();
    assert_eq!(results, expected);
    let record = world.domain.groups.find(&a, &GroupRef::Id(group)).await.unwrap();
    assert_eq!(record.members, 4);
    let member = world.domain.groups.member(&a, group, id(&c)).await.unwrap().unwrap();
    assert_eq!((member.card.as_str(), member.join_seq), ("card of 3", 2));
    assert_eq!(groups_of(&world, &e).await, [0u64; 0]);

    let told = world.events.take_entries();
    assert_eq!(told.len(), 1, "one entry for all of them: {told:?}");
    let (audience, conversation, entry) = &told[0];
    assert_eq!(*conversation, ConversationId::Group(group));
    assert_eq!(*audience, [id(&a), id(&b), id(&c), id(&d)], "the new ones are told too");
    assert!(matches!(&entry.body, Some(Body::Tip(tip)) if tip.kind() == Kind::MembersAdded && tip.users == [3, 4]));
    assert_eq!(entry.sender, id(&b).0);

    let again = world.domain.groups.add_members(&b, group, &plain(&[&c, &d])).await.unwrap();
    assert!(again.iter().all(|(_, result)| matches!(result, Added::Already)));
    assert!(world.events.take().is_empty(), "nothing happened, so nothing is told");
}

#[tokio::test]
async fn who_may_add_depends_on_the_group() {
    let world = World::new().await;
    let (alice, bob, cy) = (world.user("alice").await, world.user("bob").await, world.user("cy").await);
    let groups = &world.domain.groups;
    for (kind, asked, may) in [
        (GroupKind::Private, None, true),
        (GroupKind::Private, Some(false), false),
        (GroupKind::Public, None, false),
        (GroupKind::Public, Some(true), true),
    ] {
        let members = vec![(id(&bob), Role::Member)];
        let new = NewGroup { kind, members_may_invite: asked, members, ..NewGroup::default() };
        let group = GroupId(groups.create(&alice, new).await.unwrap().id);
        let outcome = groups.add_members(&bob, group, &plain(&[&cy])).await;
        if may {
            drop(outcome.unwrap())
        } else {
            denied(outcome, Denial::NotAdmin)
        }
        groups.add_members(&world.server, group, &plain(&[&cy])).await.unwrap();
    }
    let group = world.group(&alice, &[]).await;
    let many: Vec<(UserId, String)> = (1..=501).map(|user| (UserId(user), String::new())).collect();
    let refused = groups.add_members(&alice, group, &many).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "users", .. })));
    let absent = groups.add_members(&world.server, GroupId(999), &plain(&[&bob])).await;
    assert!(matches!(absent, Err(Error::NotFound(Noun::Group))));
}

#[tokio::test]
async fn five_hundred_join_in_one_entry() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let group = world.group(&alice, &[]).await;
    let mut users = Vec::new();
    for n in 1..=500u64 {
        let new = NewUser { uid: Some(n.to_string()), ..NewUser::default() };
        world.domain.users.create(&world.server, new).await.unwrap();
        users.push((UserId(n), String::new()));
    }
    let results = world.domain.groups.add_members(&alice, group, &users).await.unwrap();
    assert!(results.iter().all(|(_, result)| matches!(result, Added::Yes)));
    let record = world.domain.groups.find(&alice, &GroupRef::Id(group)).await.unwrap();
    assert_eq!(record.members, 501);
    assert_eq!(world.all(&alice, ConversationId::Group(group)).await.len(), 2);
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = world.domain.groups.members(&alice, group, cursor.as_deref(), 77).await.unwrap();
        seen.extend(page.items.iter().map(|member| member.user));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, (1..=500).chain([id(&alice).0]).collect::<Vec<_>>());
    let users: Vec<UserId> = users.iter().map(|(user, _)| *user).collect();
    world.domain.groups.remove_members(&alice, group, &users).await.unwrap();
    assert_eq!(members(&world, group).await, [(id(&alice), Role::Owner)]);
}

#[tokio::test]
async fn who_was_removed_sees_nothing_and_is_told() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let group = world.group(&alice, &[&bob]).await;
    let conversation = ConversationId::Group(group);
    world.send(&bob, conversation, "1", "hello").await.unwrap();
    world.events.take();
    world.domain.groups.remove_members(&alice, group, &[id(&bob), id(&bob), UserId(42)]).await.unwrap();
    let told = world.events.take_entries();
    let audiences: Vec<&[UserId]> = told.iter().map(|(users, ..)| &users[..]).collect();
    assert_eq!(audiences, [&[id(&alice)][..], &[id(&bob)][..]], "the rest through the group, bob through the notices");
    assert!(
        matches!(&told[1].2.body, Some(Body::Tip(tip)) if tip.kind() == Kind::MembersRemoved && tip.group == group.0)
    );

    denied(world.send(&bob, conversation, "2", "still here?").await, Denial::NotMember);
    assert!(world.domain.conversations.get(&bob, conversation).await.is_err());
    assert_eq!(groups_of(&world, &bob).await, [0u64; 0]);
    let found = world.domain.groups.find(&bob, &GroupRef::Id(group)).await;
    assert!(matches!(found, Err(Error::NotFound(Noun::Group))));
    assert_eq!(members(&world, group).await, [(id(&alice), Role::Owner)]);

    // Whoever comes back reads from there on, and nothing of what was said in between.
    world.send(&alice, conversation, "1", "he is gone").await.unwrap();
    world.domain.groups.add_members(&alice, group, &plain(&[&bob])).await.unwrap();
    world.send(&alice, conversation, "2", "welcome back").await.unwrap();
    let seen: Vec<u64> = world.all(&bob, conversation).await.iter().map(|entry| entry.seq).collect();
    assert_eq!(seen, [5, 6]);
}

#[tokio::test]
async fn new_members_read_the_past_where_the_group_says_so() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let new = NewGroup { history_visible: true, ..NewGroup::default() };
    let group = GroupId(world.domain.groups.create(&alice, new).await.unwrap().id);
    world.send(&alice, ConversationId::Group(group), "1", "before").await.unwrap();
    world.domain.groups.join(&bob, group).await.unwrap();
    assert_eq!(world::seqs(&world.all(&bob, ConversationId::Group(group)).await), [1, 2, 3]);
}

#[tokio::test]
async fn ranks_decide_who_may_remove_whom() {
    let world = World::new().await;
    let (owner, admin, member) = (world.user("1").await, world.user("2").await, world.user("3").await);
    let (other_admin, other) = (world.user("4").await, world.user("5").await);
    let members = vec![
        (id(&admin), Role::Admin),
        (id(&other_admin), Role::Admin),
        (id(&member), Role::Member),
        (id(&other), Role::Member),
    ];
    let groups = &world.domain.groups;
    let group = GroupId(groups.create(&owner, NewGroup { members, ..NewGroup::default() }).await.unwrap().id);
    denied(groups.remove_members(&member, group, &[id(&other)]).await, Denial::NotAdmin);
    denied(groups.remove_members(&admin, group, &[id(&other_admin)]).await, Denial::NotOwner);
    denied(groups.remove_members(&admin, group, &[id(&other), id(&owner)]).await, Denial::NotOwner);
    denied(groups.remove_members(&owner, group, &[id(&owner)]).await, Denial::OwnerCannotLeave);
    assert_eq!(self::members(&world, group).await.len(), 5, "all of them or none");
    groups.remove_members(&admin, group, &[id(&other)]).await.unwrap();
    groups.remove_members(&owner, group, &[id(&other_admin)]).await.unwrap();
    groups.remove_members(&world.server, group, &[id(&owner)]).await.unwrap();
    assert_eq!(self::members(&world, group).await, [(id(&admin), Role::Admin), (id(&member), Role::Member)]);
}

#[tokio::test]
async fn joining_is_for_open_groups_and_leaving_not_for_owners() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    for policy in [JoinPolicy::Approval, JoinPolicy::Closed] {
        let new = NewGroup { join_policy: policy, ..NewGroup::default() };
        let group = GroupId(groups.create(&alice, new).await.unwrap().id);
        denied(groups.join(&bob, group).await, Denial::JoinClosed);
        let acting = world.domain.tokens.act_as(&world.server, id(&bob)).await.unwrap();
        groups.join(&acting, group).await.unwrap();
    }
    let group = world.group(&alice, &[]).await;
    groups.join(&bob, group).await.unwrap();
    groups.join(&bob, group).await.unwrap();
    denied(groups.leave(&alice, group).await, Denial::OwnerCannotLeave);
    groups.leave(&bob, group).await.unwrap();
    denied(groups.leave(&bob, group).await, Denial::NotMember);
    let expected = [Kind::GroupCreated, Kind::MembersAdded, Kind::MemberLeft];
    assert_eq!(tips(&world, &alice, ConversationId::Group(group)).await, expected);
    assert_eq!(tips(&world, &bob, ConversationId::Notices(id(&bob))).await, [Kind::MemberLeft]);
    let acting = world.domain.tokens.act_as(&world.server, id(&bob)).await.unwrap();
    assert!(matches!(groups.join(&acting, GroupId(999)).await, Err(Error::NotFound(Noun::Group))));
}

#[tokio::test]
async fn a_full_group_takes_nobody() {
    let config = Config { group_capacity: 3, ..Config::default() };
    let world = World::with(domain::record::AppSettings::default(), config).await;
    let (a, b, c) = (world.user("1").await, world.user("2").await, world.user("3").await);
    let groups = &world.domain.groups;
    let small = NewGroup { capacity: 2, members: vec![(id(&b), Role::Member)], ..NewGroup::default() };
    let group = GroupId(groups.create(&a, small.clone()).await.unwrap().id);
    denied(groups.join(&c, group).await, Denial::GroupFull);
    groups.leave(&b, group).await.unwrap();
    groups.join(&c, group).await.unwrap();
    let crowded = NewGroup { capacity: 1, ..small.clone() };
    denied(groups.create(&a, crowded).await, Denial::GroupFull);
    let refused = groups.create(&a, NewGroup { capacity: 4, ..small }).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "capacity", .. })));
}

#[tokio::test]
async fn a_dismissed_group_is_over_and_its_past_stays() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    let new = NewGroup { members: vec![(id(&bob), Role::Admin)], ..named("club") };
    let group = GroupId(groups.create(&alice, new).await.unwrap().id);
    let conversation = ConversationId::Group(group);
    world.send(&bob, conversation, "1", "hello").await.unwrap();
    denied(groups.dismiss(&bob, group).await, Denial::NotOwner);
    groups.dismiss(&alice, group).await.unwrap();
    let absent = [
        groups.find(&alice, &GroupRef::Id(group)).await.map(|_| ()),
        groups.find(&world.server, &GroupRef::Gid("club".into())).await.map(|_| ()),
        groups.add_members(&world.server, group, &[]).await.map(|_| ()),
        groups.join(&bob, group).await,
        groups.leave(&bob, group).await,
        groups.dismiss(&alice, group).await,
        groups.update(&alice, group, GroupChange::default()).await.map(|_| ()),
        world.send(&bob, conversation, "2", "anyone?").await.map(|_| ()),
    ];
    for outcome in absent {
        assert!(matches!(outcome, Err(Error::NotFound(Noun::Group))), "{outcome:?}");
    }
    assert_eq!(groups_of(&world, &bob).await, [0u64; 0]);
    assert_eq!(tips(&world, &bob, conversation).await, [Kind::GroupCreated, Kind::GroupDismissed]);
    assert!(matches!(groups.create(&alice, named("club")).await, Err(Error::Exists(Noun::Group))));
}

#[tokio::test]
async fn changes_are_told_and_sameness_is_not() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let group = world.group(&alice, &[&bob]).await;
    let groups = &world.domain.groups;
    world.events.take();
    let change = GroupChange { name: Some("club".into()), announcement: Some("hi".into()), ..GroupChange::default() };
    denied(groups.update(&bob, group, change.clone()).await, Denial::NotAdmin);
    let changed = groups.update(&alice, group, change.clone()).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.announcement.as_str()), ("club", "hi"));
    groups.update(&alice, group, change).await.unwrap();
    let told = world.events.take_entries();
    assert_eq!(told.len(), 1);
    let Some(Body::Tip(tip)) = &told[0].2.body else { panic!("{told:?}") };
    assert_eq!(
        (tip.kind(), tip.text.as_str(), tip.data.as_str()),
        (Kind::GroupChanged, "club", r#"{"name":"club","announcement":"hi"}"#)
    );
    let long = GroupChange { introduction: Some("x".repeat(100_000)), ..GroupChange::default() };
    assert!(matches!(groups.update(&alice, group, long).await, Err(Error::Invalid { field: "introduction", .. })));
    let wrong = GroupChange { muted_until: Some(-2), ..GroupChange::default() };
    assert!(matches!(groups.update(&alice, group, wrong).await, Err(Error::Invalid { field: "muted_until", .. })));

    let editable = NewGroup { members_may_edit: true, members: vec![(id(&bob), Role::Member)], ..NewGroup::default() };
    let group = GroupId(groups.create(&alice, editable).await.unwrap().id);
    groups.update(&bob, group, GroupChange { name: Some("x".into()), ..GroupChange::default() }).await.unwrap();
    let rules = GroupChange { muted_until: Some(-1), ..GroupChange::default() };
    denied(groups.update(&bob, group, rules).await, Denial::NotAdmin);
}

#[tokio::test]
async fn who_is_muted_is_silent_until_then() {
    let world = World::new().await;
    let (owner, admin, member) = (world.user("1").await, world.user("2").await, world.user("3").await);
    let members = vec![(id(&admin), Role::Admin), (id(&member), Role::Member)];
    let groups = &world.domain.groups;
    let group = GroupId(groups.create(&owner, NewGroup { members, ..NewGroup::default() }).await.unwrap().id);
    let conversation = ConversationId::Group(group);
    let until = |until| MemberChange { muted_until: Some(until), ..MemberChange::default() };
    denied(groups.update_member(&member, group, id(&admin), until(-1)).await, Denial::NotAdmin);
    denied(groups.update_member(&admin, group, id(&owner), until(-1)).await, Denial::NotOwner);
    groups.update_member(&admin, group, id(&member), until(world::START + 5_000)).await.unwrap();
    denied(world.send(&member, conversation, "1", "x").await, Denial::Muted);
    world.pass(5_001);
    world.send(&member, conversation, "1", "x").await.unwrap();

    let all = |until| GroupChange { muted_until: Some(until), ..GroupChange::default() };
    groups.update(&admin, group, all(-1)).await.unwrap();
    denied(world.send(&member, conversation, "2", "x").await, Denial::Muted);
    world.send(&admin, conversation, "2", "x").await.unwrap();
    groups.update(&admin, group, all(0)).await.unwrap();
    world.send(&member, conversation, "2", "x").await.unwrap();
}

#[tokio::test]
async fn roles_are_the_owners_to_give_and_cards_ones_own() {
    let world = World::new().await;
    let (owner, admin, member) = (world.user("1").await, world.user("2").await, world.user("3").await);
    let groups = &world.domain.groups;
    let group = world.group(&owner, &[&admin, &member]).await;
    let role = |role| MemberChange { role: Some(role), ..MemberChange::default() };
    let card = |card: &str| MemberChange { card: Some(card.into()), ..MemberChange::default() };
    denied(groups.update_member(&admin, group, id(&admin), role(Role::Admin)).await, Denial::NotOwner);
    groups.update_member(&owner, group, id(&admin), role(Role::Admin)).await.unwrap();
    denied(groups.update_member(&admin, group, id(&member), role(Role::Admin)).await, Denial::NotOwner);
    denied(groups.update_member(&owner, group, id(&owner), role(Role::Member)).await, Denial::OwnerCannotLeave);
    let refused = groups.update_member(&owner, group, id(&member), role(Role::Owner)).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "role", .. })));
    groups.update_member(&member, group, id(&member), card("me")).await.unwrap();
    denied(groups.update_member(&member, group, id(&admin), card("x")).await, Denial::NotAdmin);
    let changed = groups.update_member(&admin, group, id(&member), card("you")).await.unwrap();
    assert_eq!((changed.card.as_str(), changed.role()), ("you", Role::Member));
    let stranger = groups.update_member(&owner, group, UserId(42), card("x")).await;
    assert!(matches!(stranger, Err(Error::NotFound(Noun::Member))));
}

#[tokio::test]
async fn the_owner_hands_the_group_over() {
    let world = World::new().await;
    let (alice, bob, cy) = (world.user("1").await, world.user("2").await, world.user("3").await);
    let groups = &world.domain.groups;
    let group = world.group(&alice, &[&bob]).await;
    denied(groups.transfer(&bob, group, id(&bob)).await, Denial::NotOwner);
    let stranger = groups.transfer(&alice, group, id(&cy)).await;
    assert!(matches!(stranger, Err(Error::NotFound(Noun::Member))));
    assert_eq!(groups.transfer(&alice, group, id(&bob)).await.unwrap().owner, id(&bob).0);
    assert_eq!(members(&world, group).await, [(id(&alice), Role::Member), (id(&bob), Role::Owner)]);
    groups.leave(&alice, group).await.unwrap();
    let expected = [Kind::GroupCreated, Kind::OwnerChanged, Kind::MemberLeft];
    assert_eq!(tips(&world, &bob, ConversationId::Group(group)).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_join_at_once_through_two_processes_are_all_in() {
    let world = World::new().await;
    let (elsewhere, _) = world.another().await;
    let owner = world.user("owner").await;
    let group = world.group(&owner, &[]).await;
    let mut tasks = Vec::new();
    for n in 1..=40u64 {
        let user = world.user(&n.to_string()).await;
        let domain = if n % 2 == 0 { world.domain.clone() } else { elsewhere.clone() };
        tasks.push(tokio::spawn(async move { domain.groups.join(&user, group).await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let record = world.domain.groups.find(&owner, &GroupRef::Id(group)).await.unwrap();
    assert_eq!(record.members, 41);
    assert_eq!(members(&world, group).await.len(), 41);
    assert_eq!(world.all(&owner, ConversationId::Group(group)).await.len(), 41);
}
