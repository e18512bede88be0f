//! What a crash between the commits of one call leaves behind, and what completes it.

use storage::Batch;

use super::*;
use crate::conversations::MembershipKey;
use crate::ids::GroupRef;
use crate::names::Space;
use crate::retry::Tries;
use crate::testing::World;

fn new(gid: &str, members: &[&Caller]) -> NewGroup {
    let members = members.iter().map(|member| (member.user().unwrap(), Role::Member)).collect();
    NewGroup { gid: Some(gid.to_owned()), members, ..NewGroup::default() }
}

impl World {
    async fn groups_of(&self, user: &Caller) -> Vec<u64> {
        let page = self.domain.groups.list(user, None, 100).await.unwrap();
        page.items.iter().map(|group| group.id).collect()
    }

    async fn has_row(&self, user: &Caller, group: GroupId) -> bool {
        let conversation = ConversationId::Group(group);
        let key = MembershipKey { app: user.app(), user: user.user().unwrap(), conversation };
        self.store.get(&key).await.unwrap().is_some()
    }

    /// How many notices a user has.
    async fn notices(&self, user: &Caller) -> u64 {
        let conversation = ConversationId::Notices(user.user().unwrap());
        let head = self.domain.groups.log.head(user.app(), conversation).await.unwrap();
        head.map_or(0, |head| head.last_seq)
    }
}

#[tokio::test]
async fn a_creation_cut_short_is_invisible_and_completed_by_the_next() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    for gid in ["club", "5"] {
        let id = groups.claim_id(alice.app(), Some(gid)).await.unwrap().unwrap();
        groups.add_memberships(alice.app(), id, vec![alice.user().unwrap(), bob.user().unwrap()]).await.unwrap();

        assert!(matches!(groups.find(&world.server, &GroupRef::Gid(gid.into())).await, Err(Error::NotFound(_))));
        assert!(!world.groups_of(&bob).await.contains(&id.0));
        let conversation = ConversationId::Group(id);
        assert!(world.domain.conversations.get(&bob, conversation).await.is_err());
        let listed = world.domain.conversations.list(&bob, None, 100).await.unwrap().items;
        assert!(listed.iter().all(|listed| listed.id != conversation));

        let group = groups.create(&alice, new(gid, &[&bob])).await.unwrap();
        assert_eq!(GroupId(group.id), id, "the id that was reserved is used");
        assert!(world.groups_of(&bob).await.contains(&id.0));
        assert!(matches!(groups.create(&alice, new(gid, &[])).await, Err(Error::Exists(Noun::Group))));
    }
}

#[tokio::test]
async fn an_adding_cut_short_adds_nobody_and_is_completed_by_another() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    let id = GroupId(groups.create(&alice, new("club", &[])).await.unwrap().id);
    groups.add_memberships(alice.app(), id, vec![bob.user().unwrap()]).await.unwrap();
    assert!(world.has_row(&bob, id).await);
    assert!(world.groups_of(&bob).await.is_empty());
    assert!(world.domain.conversations.get(&bob, ConversationId::Group(id)).await.is_err());
    assert_eq!(groups.find(&alice, &GroupRef::Id(id)).await.unwrap().members, 1);

    let results = groups.add_members(&alice, id, &[(bob.user().unwrap(), String::new())]).await.unwrap();
    assert!(matches!(results[..], [(_, Added::Yes)]));
    assert_eq!(world.groups_of(&bob).await, [id.0]);
}

/// The first commit of a removal, as a crash right after it would leave things.
async fn cut_short(world: &World, caller: &Caller, id: GroupId, user: UserId) {
    let groups = &world.domain.groups;
    let before = groups.record(caller.app(), id).await.unwrap();
    let row = groups.member_row(caller.app(), id, user).await.unwrap().unwrap();
    let kind = entry::tip::Kind::MembersRemoved;
    assert!(groups.dismiss_members(caller, before, &[row], kind, &mut Tries::default()).await.unwrap());
}

#[tokio::test]
async fn a_removal_cut_short_removes_and_another_tells() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    let id = GroupId(groups.create(&alice, new("club", &[&bob])).await.unwrap().id);
    cut_short(&world, &alice, id, bob.user().unwrap()).await;
    assert!(world.has_row(&bob, id).await);
    assert!(world.groups_of(&bob).await.is_empty(), "the row alone proves nothing");
    assert!(world.domain.conversations.get(&bob, ConversationId::Group(id)).await.is_err());
    assert_eq!(world.notices(&bob).await, 0);

    for _ in 0..2 {
        groups.remove_members(&alice, id, &[bob.user().unwrap()]).await.unwrap();
        assert!(!world.has_row(&bob, id).await);
        assert_eq!(world.notices(&bob).await, 1, "told once");
    }
}

#[tokio::test]
async fn a_leaving_cut_short_is_completed_by_another() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    let id = GroupId(groups.create(&alice, new("club", &[&bob])).await.unwrap().id);
    cut_short(&world, &bob_acting(&world, &bob).await, id, bob.user().unwrap()).await;
    groups.leave(&bob, id).await.unwrap();
    assert!(!world.has_row(&bob, id).await);
    assert!(matches!(groups.leave(&bob, id).await, Err(Error::Denied(Denial::NotMember))));
}

async fn bob_acting(world: &World, bob: &Caller) -> Caller {
    world.domain.tokens.act_as(&world.server, bob.user().unwrap()).await.unwrap()
}

#[tokio::test]
async fn who_is_added_again_during_a_removal_keeps_the_row() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let groups = &world.domain.groups;
    let id = GroupId(groups.create(&alice, new("club", &[&bob])).await.unwrap().id);
    let user = bob.user().unwrap();
    cut_short(&world, &alice, id, user).await;
    groups.add_members(&alice, id, &[(user, String::new())]).await.unwrap();
    // Only now does the removal get to its second commit.
    groups.see_off_one(&alice, id, user, entry::tip::Kind::MembersRemoved).await.unwrap();
    assert!(world.has_row(&bob, id).await);
    assert_eq!(world.groups_of(&bob).await, [id.0]);
    assert_eq!(world.notices(&bob).await, 0);
}

#[tokio::test]
async fn a_change_that_was_decided_on_an_older_group_is_refused() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let groups = &world.domain.groups;
    let id = GroupId(groups.create(&alice, new("club", &[])).await.unwrap().id);
    let before = groups.record(alice.app(), id).await.unwrap();
    let rename = |name: &str| GroupChange { name: Some(name.to_owned()), ..GroupChange::default() };
    groups.update(&alice, id, rename("there")).await.unwrap();
    groups.update(&alice, id, rename("")).await.unwrap();
    // The group is as it was, but for the time of the last change; the clock has not moved meanwhile.
    let after = store::Group { name: "late".into(), ..before.clone() };
    let change = Change { before: Some(before), after, members: Vec::new() };
    let refused = groups.write(&alice, change, entry::Tip::default()).await.unwrap_err();
    assert!(refused.is_conflict());
    assert_eq!(groups.record(alice.app(), id).await.unwrap().name, "");
}

#[tokio::test]
async fn a_name_of_a_group_that_never_was_can_be_given_away() {
    let world = World::new().await;
    let groups = &world.domain.groups;
    let app = world.server.app();
    // "club" points at a group that then got another gid.
    let other = GroupId(groups.create(&world.server, new("other", &[])).await.unwrap().id);
    assert!(groups.names.claim(app, Space::Gid, "club", None, other.0).await.unwrap());
    assert!(groups.find(&world.server, &GroupRef::Gid("club".into())).await.is_err());
    let club = groups.create(&world.server, new("club", &[])).await.unwrap();
    assert_ne!(club.id, other.0);
    assert_eq!(groups.find(&world.server, &GroupRef::Gid("club".into())).await.unwrap().id, club.id);

    // A membership row without a group, in the middle of a list, is no gap in it.
    let alice = world.user("alice").await;
    let key = MembershipKey { app, user: alice.user().unwrap(), conversation: ConversationId::Group(GroupId(other.0)) };
    let mut batch = Batch::new(storage::Key::home(&key));
    let conversation = Some(key.conversation.to_wire());
    batch.put(&key, &store::Membership { conversation, ..store::Membership::default() });
    world.store.commit(batch).await.unwrap();
    let last = groups.create(&alice, new("last", &[])).await.unwrap();
    assert_eq!(world.groups_of(&alice).await, [last.id]);
}

#[tokio::test]
async fn an_acceptance_cut_short_leaves_the_application_waiting() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (groups, user) = (&world.domain.groups, bob.user().unwrap());
    let asks = NewGroup { join_policy: store::JoinPolicy::Approval, ..new("club", &[]) };
    let group = GroupId(groups.create(&alice, asks).await.unwrap().id);
    groups.apply(&bob, group, "").await.unwrap();
    groups.add_memberships(alice.app(), group, vec![user]).await.unwrap();

    assert!(!world.groups_of(&bob).await.contains(&group.0));
    let listed = groups.applications(&alice, &[group], None, 10).await.unwrap().page.items;
    assert_eq!(listed[0].status(), store::RequestStatus::Pending);
    groups.answer_application(&alice, group, user, true, "").await.unwrap();
    assert!(world.groups_of(&bob).await.contains(&group.0));
}

#[tokio::test]
async fn an_invitation_taken_but_not_settled_is_settled_by_taking_it_again() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (groups, user) = (&world.domain.groups, bob.user().unwrap());
    let group = GroupId(groups.create(&alice, new("club", &[])).await.unwrap().id);
    let asked = crate::users::SettingsChange { group_confirm: Some(true), ..Default::default() };
    world.domain.users.update_settings(&bob, user, asked).await.unwrap();
    groups.invite(&alice, group, &[user], "").await.unwrap();
    groups.admit_by(&bob, group, user, alice.user().unwrap()).await.unwrap();

    let waits = async || groups.invitations(&bob, None, 10).await.unwrap().page.items[0].status();
    assert_eq!(waits().await, store::RequestStatus::Pending);
    groups.answer_invitation(&bob, group, None, true).await.unwrap();
    assert_eq!(waits().await, store::RequestStatus::Accepted);
    assert!(world.groups_of(&bob).await.contains(&group.0));
}
