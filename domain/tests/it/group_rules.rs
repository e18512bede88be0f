//! Groups: block lists, admins and silence, what is public, what is hidden, super groups, and results for each of many users.

use domain::entry::entry::Body;
use domain::entry::tip::Kind;
use domain::groups::{Added, CustomField, GroupChange, MemberChange, NewGroup, read_fields};
use domain::record::{Group, GroupKind, JoinPolicy, Role};
use domain::{Caller, Config, ConversationId, Denial, Error, GroupId, GroupRef, Noun, Result, UserId};

use crate::world::{self, World, id};

fn why(outcome: &Result<()>) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned())
}

fn reasons<T>(results: Vec<(UserId, Result<T>)>) -> Vec<String> {
    results.into_iter().map(|(_, result)| why(&result.map(drop))).collect()
}

fn field(key: &str, value: &str) -> CustomField {
    CustomField { key: key.into(), value: value.into() }
}

/// A group whose owner, admin and member are these.
async fn trio(world: &World) -> (GroupId, Caller, Caller, Caller) {
    let (owner, admin, member) = (world.user("owner").await, world.user("admin").await, world.user("member").await);
    let group = world.group(&owner, &[&admin, &member]).await;
    let role = MemberChange { role: Some(Role::Admin), ..MemberChange::default() };
    world.domain.groups.update_member(&owner, group, id(&admin), role).await.unwrap();
    (group, owner, admin, member)
}

async fn record(world: &World, group: GroupId) -> Group {
    world.domain.groups.find(&world.server, &GroupRef::Id(group)).await.unwrap()
}

/// The last thing that a group was told, and about whom.
async fn last_tip(world: &World, reader: &Caller, group: GroupId) -> (Kind, Vec<u64>) {
    let entry = world.all(reader, ConversationId::Group(group)).await.pop().unwrap();
    match entry.body {
        Some(Body::Tip(tip)) => (tip.kind(), tip.users),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_is_blocked_leaves_and_cannot_come_back() {
    let world = World::new().await;
    let (group, owner, admin, member) = trio(&world).await;
    let stranger = world.user("stranger").await;
    let groups = &world.domain.groups;
    let users = [id(&member), id(&stranger), id(&owner), UserId(42), id(&member)];
    let results = groups.block(&admin, group, &users).await.unwrap();
    assert_eq!(reasons(results), ["done", "done", "the owner cannot leave the group", "user not found", "done"]);
    assert_eq!(last_tip(&world, &owner, group).await, (Kind::MembersBlocked, vec![id(&member).0, id(&stranger).0]));
    assert_eq!((record(&world, group).await.members, record(&world, group).await.blocked), (2, 2));
    assert!(groups.list(&member, None, 10).await.unwrap().items.is_empty());
    let listed = groups.blocked(&admin, group, None, 10).await.unwrap().items;
    let listed: Vec<_> = listed.iter().map(|row| (row.user, row.by, row.created)).collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|(_, by, created)| (*by, *created >= world::START) == (id(&admin).0, true)));

    // Whoever asks, and however.
    let open = GroupChange { join_policy: Some(JoinPolicy::Open), ..GroupChange::default() };
    groups.update(&owner, group, open).await.unwrap();
    assert!(matches!(groups.join(&member, group).await, Err(Error::Denied(Denial::Barred))));
    for caller in [&owner, &world.server] {
        let added = groups.add_members(caller, group, &[(id(&member), String::new())]).await.unwrap();
        assert!(matches!(added[0].1, Added::Failed(Error::Denied(Denial::Barred))));
    }

    let results = groups.unblock(&admin, group, &[id(&member), id(&owner)]).await.unwrap();
    assert_eq!(reasons(results), ["done", "user not found"]);
    assert_eq!(last_tip(&world, &owner, group).await, (Kind::MembersUnblocked, vec![id(&member).0]));
    assert_eq!(record(&world, group).await.blocked, 1);
    groups.join(&member, group).await.unwrap();
}

#[tokio::test]
async fn the_block_list_is_for_owner_and_admins_and_has_a_length() {
    let config = Config { group_blocked: 1, ..Config::default() };
    let world = World::with(domain::record::AppSettings::default(), config).await;
    let (group, owner, admin, member) = trio(&world).await;
    let (one, other) = (world.user("one").await, world.user("other").await);
    let groups = &world.domain.groups;
    for outcome in [groups.block(&member, group, &[id(&one)]).await, groups.unblock(&member, group, &[]).await] {
        assert!(matches!(outcome, Err(Error::Denied(Denial::NotAdmin))));
    }
    assert!(matches!(groups.blocked(&member, group, None, 10).await, Err(Error::Denied(Denial::NotAdmin))));
    assert!(matches!(groups.block(&one, group, &[id(&other)]).await, Err(Error::Denied(Denial::NotMember))));
    // Admins stand above members only.
    assert_eq!(reasons(groups.block(&admin, group, &[id(&admin)]).await.unwrap()), ["only the owner may do that"]);
    let results = groups.block(&owner, group, &[id(&one), id(&other), id(&one)]).await.unwrap();
    assert_eq!(reasons(results), ["done", "there are as many as there may be", "done"]);
}

#[tokio::test]
async fn admins_and_the_silent_are_listed() {
    let world = World::new().await;
    let (group, owner, admin, member) = trio(&world).await;
    let groups = &world.domain.groups;
    let ids = |members: Vec<domain::record::Member>| members.iter().map(|row| UserId(row.user)).collect::<Vec<_>>();
    let until = |until| MemberChange { muted_until: Some(until), ..MemberChange::default() };
    assert_eq!(ids(groups.admins(&member, group).await.unwrap()), [id(&admin)]);
    assert!(matches!(groups.muted(&member, group, None, 10).await, Err(Error::Denied(Denial::NotAdmin))));

    let everyone = [id(&owner), id(&admin), id(&member), UserId(42)];
    let results = groups.update_members(&owner, group, &everyone, until(world::START + 5_000)).await.unwrap();
    // Owners stand above everybody but owners.
    assert_eq!(reasons(results)[1..], ["done", "done", "member not found"]);
    let silent = groups.muted(&owner, group, None, 1).await.unwrap();
    let total = silent.total;
    let mut all = ids(silent.page.items);
    let next = groups.muted(&owner, group, silent.page.next.as_deref(), 10).await.unwrap();
    all.extend(ids(next.page.items));
    assert!(next.page.next.is_none());
    assert_eq!(all.len(), total);
    assert!(all.contains(&id(&admin)) && all.contains(&id(&member)));

    groups.update_member(&owner, group, id(&admin), until(-1)).await.unwrap();
    world.pass(10_000);
    assert_eq!(
        ids(groups.muted(&owner, group, None, 10).await.unwrap().page.items),
        [id(&admin)],
        "the others' is over"
    );
    groups.transfer(&owner, group, id(&admin)).await.unwrap();
    assert!(groups.admins(&member, group).await.unwrap().is_empty(), "an owner is no admin");
    assert_eq!(groups.muted(&admin, group, None, 10).await.unwrap().total, 0, "an owner is not silent");
    let role = MemberChange { role: Some(Role::Admin), muted_until: Some(-1), ..MemberChange::default() };
    groups.update_member(&admin, group, id(&member), role).await.unwrap();
    groups.remove_members(&admin, group, &[id(&member)]).await.unwrap();
    assert!(groups.admins(&owner, group).await.unwrap().is_empty());
    assert_eq!(groups.muted(&admin, group, None, 10).await.unwrap().total, 0);
}

#[tokio::test]
async fn many_are_removed_one_by_one() {
    let world = World::new().await;
    let (group, owner, admin, member) = trio(&world).await;
    let other = world.user("other").await;
    let groups = &world.domain.groups;
    groups.add_members(&owner, group, &[(id(&other), String::new())]).await.unwrap();
    let users = [id(&owner), id(&member), id(&admin), UserId(42), id(&other), id(&member)];
    let results = reasons(groups.remove_each(&admin, group, &users).await.unwrap());
    let not_owner = "only the owner may do that";
    assert_eq!(results, [not_owner, "done", not_owner, "member not found", "done", "done"]);
    assert_eq!(last_tip(&world, &owner, group).await, (Kind::MembersRemoved, vec![id(&member).0, id(&other).0]));
    assert_eq!(record(&world, group).await.members, 2);
}

#[tokio::test]
async fn public_groups_are_found_by_the_beginning_of_their_names() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let groups = &world.domain.groups;
    let new = |name: &str, kind| NewGroup { name: name.into(), kind, ..NewGroup::default() };
    let mut made = Vec::new();
    for name in ["Zebra", " chess Club", "Cheese", "chess"] {
        made.push(GroupId(groups.create(&alice, new(name, GroupKind::Public)).await.unwrap().id));
    }
    groups.create(&alice, new("cherry", GroupKind::Private)).await.unwrap();
    let found = async |beginning: &str| -> Vec<String> {
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let page = groups.search(&alice, beginning, cursor.as_deref(), 1).await.unwrap();
            names.extend(page.items.into_iter().map(|group| group.name));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return names,
            }
        }
    };
    assert_eq!(found("").await, ["Cheese", "chess", " chess Club", "Zebra"]);
    assert_eq!(found("CHE").await, ["Cheese", "chess", " chess Club"]);
    assert_eq!(found("chess ").await, ["chess", " chess Club"]);
    assert!(found("x").await.is_empty());

    let rename = |name: &str| GroupChange { name: Some(name.to_owned()), ..GroupChange::default() };
    groups.update(&alice, made[0], rename("Chestnut")).await.unwrap();
    assert_eq!(found("").await, ["Cheese", "chess", " chess Club", "Chestnut"]);
    groups.dismiss(&alice, made[1]).await.unwrap();
    groups.upgrade(&alice, made[2]).await.unwrap();
    assert_eq!(found("").await, ["chess", "Chestnut"]);
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    assert!(matches!(groups.search(&nobody, "", None, 10).await, Err(Error::Denied(Denial::Credential))));
}

#[tokio::test]
async fn members_can_be_hidden_from_each_other() {
    let world = World::new().await;
    let (group, owner, admin, member) = trio(&world).await;
    let groups = &world.domain.groups;
    let hide = GroupChange { members_hidden: Some(true), ..GroupChange::default() };
    assert!(matches!(groups.update(&member, group, hide.clone()).await, Err(Error::Denied(Denial::NotAdmin))));
    groups.update(&owner, group, hide).await.unwrap();
    assert!(matches!(groups.members(&member, group, None, 10).await, Err(Error::Denied(Denial::NotAdmin))));
    assert!(matches!(groups.members_at(&member, group, 0, 10).await, Err(Error::Denied(Denial::NotAdmin))));
    // Who somebody is that speaks can be asked all the same.
    assert!(groups.members_of(&member, group, &[id(&owner)]).await.unwrap()[0].is_some());
    for reader in [&owner, &admin, &world.server] {
        assert_eq!(groups.members(reader, group, None, 10).await.unwrap().items.len(), 3);
    }
}

#[tokio::test]
async fn members_are_counted_off() {
    let world = World::new().await;
    let (group, owner, ..) = trio(&world).await;
    let groups = &world.domain.groups;
    let all = groups.members(&owner, group, None, 10).await.unwrap().items;
    for (offset, limit) in [(0, 1), (0, 2), (1, 2), (2, 5), (3, 1), (99, 1), (usize::MAX, 1)] {
        let expected: Vec<_> = all.iter().skip(offset).take(limit).cloned().collect();
        assert_eq!(groups.members_at(&owner, group, offset, limit).await.unwrap(), expected, "{offset} {limit}");
    }
    let asked = [id(&owner), UserId(42)];
    let found = groups.members_of(&owner, group, &asked).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_super_group_takes_more_members() {
    let config = Config { group_capacity: 2, super_group_capacity: 3, ..Config::default() };
    let world = World::with(domain::record::AppSettings::default(), config).await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let group = world.group(&alice, &[&bob]).await;
    let groups = &world.domain.groups;
    let add = async || groups.add_members(&alice, group, &[(id(&carol), String::new())]).await.unwrap().remove(0).1;
    assert!(matches!(add().await, Added::Failed(Error::Denied(Denial::GroupFull))));
    assert!(matches!(groups.upgrade(&bob, group).await, Err(Error::Denied(Denial::NotOwner))));
    for _ in 0..2 {
        assert_eq!(groups.upgrade(&alice, group).await.unwrap().kind(), GroupKind::Super);
    }
    assert_eq!(groups.capacity(&record(&world, group).await), 3);
    assert!(matches!(add().await, Added::Yes));
}

#[tokio::test]
async fn custom_fields_are_set_one_by_one() {
    let world = World::new().await;
    let (group, owner, _, member) = trio(&world).await;
    let groups = &world.domain.groups;
    let set = |fields: &[CustomField]| GroupChange { custom_fields: fields.to_vec(), ..GroupChange::default() };
    groups.update(&owner, group, set(&[field("a", "1"), field("b", "2")])).await.unwrap();
    let after = groups.update(&owner, group, set(&[field("b", "3")])).await.unwrap();
    assert_eq!(read_fields(&after.custom_fields), [field("a", "1"), field("b", "3")]);
    let long = groups.update(&owner, group, set(&[field("c", &"x".repeat(100_000))])).await;
    assert!(matches!(long, Err(Error::Invalid { field: "custom_fields", .. })));
    let change = MemberChange { custom_fields: vec![field("k", "v")], ..MemberChange::default() };
    let changed = groups.update_member(&member, group, id(&member), change.clone()).await.unwrap();
    assert_eq!(read_fields(&changed.custom_fields), [field("k", "v")]);
    assert!(matches!(
        groups.update_member(&member, group, id(&owner), change).await,
        Err(Error::Denied(Denial::NotAdmin))
    ));
}

#[tokio::test]
async fn rules_are_changed_by_owner_and_admins_and_told() {
    let world = World::new().await;
    let (group, _, admin, member) = trio(&world).await;
    let groups = &world.domain.groups;
    let change = GroupChange {
        history_visible: Some(true),
        members_may_invite: Some(false),
        members_may_edit: Some(true),
        receipts: Some(true),
        ..GroupChange::default()
    };
    assert!(matches!(groups.update(&member, group, change.clone()).await, Err(Error::Denied(Denial::NotAdmin))));
    let after = groups.update(&admin, group, change).await.unwrap();
    assert!(after.history_visible && !after.members_may_invite && after.members_may_edit && after.receipts);
    let entry = world.all(&member, ConversationId::Group(group)).await.pop().unwrap();
    let Some(Body::Tip(tip)) = entry.body else { panic!("no tip") };
    let told = r#"{"history_visible":true,"members_may_invite":false,"members_may_edit":true,"receipts":true}"#;
    assert_eq!(tip.data, told);
    // Now any member may rename it, but not change the rules back.
    groups.update(&member, group, GroupChange { name: Some("x".into()), ..GroupChange::default() }).await.unwrap();
    let back = GroupChange { members_may_edit: Some(false), ..GroupChange::default() };
    assert!(matches!(groups.update(&member, group, back).await, Err(Error::Denied(Denial::NotAdmin))));
}

#[tokio::test]
async fn many_groups_are_found_as_the_caller_may_see_them() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    let own = world.group(&alice, &[]).await;
    let open = NewGroup { kind: GroupKind::Public, gid: Some("open".into()), ..NewGroup::default() };
    groups.create(&bob, open).await.unwrap();
    let closed = world.group(&bob, &[]).await;
    let gone = world.group(&alice, &[]).await;
    groups.dismiss(&alice, gone).await.unwrap();
    let asked = [GroupRef::Id(own), GroupRef::Gid("open".into()), GroupRef::Id(closed), GroupRef::Number(gone.0)];
    let seen = async |caller: &Caller| -> Vec<bool> {
        groups.find_many(caller, &asked).await.unwrap().iter().map(Option::is_some).collect()
    };
    assert_eq!(seen(&alice).await, [true, true, false, false]);
    assert_eq!(seen(&world.server).await, [true, true, true, false]);
    let many = vec![GroupRef::Id(own); 501];
    assert!(matches!(groups.find_many(&alice, &many).await, Err(Error::Invalid { field: "groups", .. })));
    assert_eq!(groups.list_all(&bob).await.unwrap().len(), 2);
    assert!(matches!(groups.find(&alice, &asked[2]).await, Err(Error::NotFound(Noun::Group))));
}

#[tokio::test]
async fn everybody_in_a_group_is_told_of_its_end() {
    let world = World::new().await;
    let (group, owner, admin, member) = trio(&world).await;
    let name = record(&world, group).await.name;
    world.domain.groups.dismiss(&owner, group).await.unwrap();
    for user in [&owner, &admin, &member] {
        let last = world.all(user, ConversationId::Notices(id(user))).await.pop().unwrap();
        let Some(Body::Tip(tip)) = last.body else { panic!("{last:?}") };
        assert_eq!((tip.kind(), tip.group, &tip.text), (Kind::GroupDismissed, group.0, &name));
    }
}
