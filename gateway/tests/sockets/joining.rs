//! Coming into groups: asking, being asked, codes, and what the leaders see of it.

use domain::GroupId;
use proto::wire;
use wire::error::Code;
use wire::frame::Body;

use crate::client::Client;
use crate::world::{User, World};

async fn group(client: &mut Client, policy: wire::JoinPolicy) -> wire::Group {
    let create = wire::CreateGroup { name: "Readers".into(), gid: "readers".into(), ..Default::default() };
    let create = wire::CreateGroup { join_policy: policy.into(), members_may_invite: Some(false), ..create };
    answer!(client, Body::CreateGroup(create), Group)
}

async fn members(world: &World, group: u64) -> Vec<u64> {
    let page = world.domain.groups.members(&world.server, GroupId(group), None, 100).await.unwrap();
    page.items.iter().map(|member| member.user).collect()
}

#[tokio::test]
async fn who_asks_waits_for_the_leaders_answer() {
    let world = World::new().await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let mut hers = world.device(&owner, "o").await;
    let mut his = world.device(&bob, "b").await;
    let mut other = world.device(&eve, "e").await;
    let group = group(&mut hers, wire::JoinPolicy::Approval).await;
    assert_eq!((group.join_policy(), group.role()), (wire::JoinPolicy::Approval, wire::GroupRole::Owner));

    let apply =
        |reason: &str| wire::ApplyToGroup { gid: "readers".into(), reason: reason.into(), ..Default::default() };
    for client in [&mut his, &mut other] {
        let applied = answer!(client, Body::ApplyToGroup(apply("I read")), Applied);
        assert_eq!((applied.outcome(), applied.group), (wire::applied::Outcome::Waits, group.id));
    }
    let list = wire::ListApplications { groups: vec![group.id], limit: 1, ..Default::default() };
    assert_eq!(refusal!(his, Body::ListApplications(list.clone())).code(), Code::Denied);
    let first = answer!(hers, Body::ListApplications(list.clone()), ApplicationPage);
    assert_eq!((first.applications.len(), first.total), (1, 2));
    let page = wire::ListApplications { cursor: first.next, ..list };
    let second = answer!(hers, Body::ListApplications(page), ApplicationPage);
    assert!(second.next.is_empty());
    let shown: Vec<_> = first.applications.iter().chain(&second.applications).collect();
    let of = |user: &User| *shown.iter().find(|one| one.user.as_ref().is_some_and(|of| of.id == user.id.0)).unwrap();
    assert_eq!((of(&bob).reason.as_str(), of(&bob).status()), ("I read", wire::RequestStatus::Pending));
    assert_eq!(of(&eve).user.as_ref().unwrap().uid, "eve");

    let answer = |user: &User, accept| {
        let answer = wire::AnswerApplication { group: group.id, user: user.id.0, accept, answer: "so".into() };
        Body::AnswerApplication(answer)
    };
    assert_eq!(refusal!(other, answer(&bob, true)).code(), Code::Denied, "not a member");
    answer!(hers, answer(&bob, true), Ok);
    answer!(hers, answer(&eve, false), Ok);
    assert_eq!(refusal!(hers, answer(&eve, true)).code(), Code::Denied, "answered once");
    assert_eq!(members(&world, group.id).await.len(), 2);
    let applied = answer!(his, Body::ApplyToGroup(apply("")), Applied);
    assert_eq!(applied.outcome(), wire::applied::Outcome::Already);
}

#[tokio::test]
async fn the_join_policy_is_the_leaders_to_change() {
    let world = World::new().await;
    let (owner, bob) = (world.user("owner").await, world.user("bob").await);
    let mut hers = world.device(&owner, "o").await;
    let mut his = world.device(&bob, "b").await;
    let group = group(&mut hers, wire::JoinPolicy::Closed).await;
    let apply = || Body::ApplyToGroup(wire::ApplyToGroup { id: group.id, ..Default::default() });
    assert_eq!(refusal!(his, apply()).code(), Code::Denied);
    let update = wire::UpdateGroup {
        id: group.id,
        join_policy: Some(wire::JoinPolicy::Open.into()),
        members_hidden: Some(true),
        receipts: Some(true),
        extension: Some("e".into()),
        custom_fields: vec![wire::CustomField { key: "topic".into(), value: "books".into() }],
        ..Default::default()
    };
    assert_eq!(refusal!(his, Body::UpdateGroup(update.clone())).code(), Code::Denied);
    answer!(hers, Body::UpdateGroup(update), Ok);
    let applied = answer!(his, apply(), Applied);
    assert_eq!(applied.outcome(), wire::applied::Outcome::Joined);
    let get = wire::GetGroup { id: group.id, gid: String::new() };
    let seen = answer!(his, Body::GetGroup(get), Group);
    assert_eq!((seen.join_policy(), seen.members_hidden, seen.receipts), (wire::JoinPolicy::Open, true, true));
    assert_eq!((seen.extension.as_str(), seen.custom_fields[0].value.as_str()), ("e", "books"));
    assert!(seen.capacity > 0 && seen.members == 2);
    // Plain members cannot list the others now, and find those whom they know of.
    let list = wire::ListMembers { id: group.id, ..Default::default() };
    assert_eq!(refusal!(his, Body::ListMembers(list)).code(), Code::Denied);
    let find = wire::FindMembers { id: group.id, users: vec![owner.id.0, 77] };
    let found = answer!(his, Body::FindMembers(find), MemberPage);
    assert_eq!(found.members.len(), 1);
    assert_eq!(found.members[0].role(), wire::GroupRole::Owner);
}

#[tokio::test]
async fn who_wants_to_be_asked_answers_an_invitation() {
    let world = World::new().await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let mut hers = world.device(&owner, "o").await;
    let mut his = world.device(&bob, "b").await;
    let group = group(&mut hers, wire::JoinPolicy::Closed).await;
    let confirm = wire::UpdateSettings { group_confirm: Some(true), ..Default::default() };
    assert!(answer!(his, Body::UpdateSettings(confirm), Settings).group_confirm);

    let users = vec![bob.id.0, eve.id.0, 77, owner.id.0];
    let invite = wire::InviteToGroup { id: group.id, users, reason: "come".into() };
    assert_eq!(refusal!(his, Body::InviteToGroup(invite.clone())).code(), Code::Denied);
    let invited = answer!(hers, Body::InviteToGroup(invite), InvitedList).invited;
    use wire::invited::Outcome;
    let outcomes: Vec<_> = invited.iter().map(wire::Invited::outcome).collect();
    assert_eq!(outcomes, [Outcome::Waits, Outcome::Added, Outcome::Failed, Outcome::Already]);
    assert_eq!(invited[2].error.as_ref().unwrap().code(), Code::NotFound);

    let page = answer!(his, Body::ListInvitations(wire::ListInvitations::default()), InvitationPage);
    assert_eq!((page.invitations.len(), page.total), (1, 1));
    let one = &page.invitations[0];
    assert_eq!((one.group, one.reason.as_str(), one.status()), (group.id, "come", wire::RequestStatus::Pending));
    assert_eq!(one.inviter.as_ref().unwrap().id, owner.id.0);
    let answer = |inviter| Body::AnswerInvitation(wire::AnswerInvitation { group: group.id, inviter, accept: true });
    assert_eq!(refusal!(his, answer(eve.id.0)).code(), Code::NotFound, "she invited nobody");
    answer!(his, answer(0), Ok);
    assert!(members(&world, group.id).await.contains(&bob.id.0));
    assert_eq!(refusal!(his, answer(0)).code(), Code::Denied, "answered once");
}

#[tokio::test]
async fn a_code_lets_whoever_has_it_in() {
    let world = World::new().await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let mut hers = world.device(&owner, "o").await;
    let mut his = world.device(&bob, "b").await;
    let mut other = world.device(&eve, "e").await;
    let group = group(&mut hers, wire::JoinPolicy::Closed).await;
    let get = || Body::GetJoinCode(wire::GetJoinCode { id: group.id });
    assert_eq!(refusal!(his, get()).code(), Code::Denied);
    let code = answer!(hers, get(), JoinCode);
    assert!(code.expires > code.created);
    let join = |text: &str| Body::JoinByCode(wire::JoinByCode { text: text.to_owned() });
    assert_eq!(refusal!(his, join("0")).code(), Code::NotFound);
    let joined = answer!(his, join(&code.text), Group);
    assert_eq!((joined.id, joined.role()), (group.id, wire::GroupRole::Member));

    let block = wire::BlockMembers { id: group.id, users: vec![bob.id.0, eve.id.0], blocked: true };
    answer!(hers, Body::BlockMembers(block), Ok);
    assert_eq!(refusal!(other, join(&code.text)).code(), Code::Denied);
    let list = || Body::ListBlocked(wire::ListBlocked { id: group.id, ..Default::default() });
    let blocked = answer!(hers, list(), BlockedPage).blocked;
    let uids: Vec<_> = blocked.iter().map(|one| one.user.as_ref().unwrap().uid.as_str()).collect();
    assert_eq!((uids, blocked[0].by), (vec!["bob", "eve"], owner.id.0));
    assert_eq!(refusal!(other, list()).code(), Code::Denied);
}
