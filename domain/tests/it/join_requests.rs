//! Coming into a group by consent: applications, invitations, codes.

use domain::entry::entry::Body;
use domain::entry::tip::Kind;
use domain::groups::{Applied, GroupChange, Invited, NewGroup};
use domain::record::{JoinPolicy, RequestStatus, Role};
use domain::users::SettingsChange;
use domain::{Caller, Config, ConversationId, Denial, Error, GroupId, Noun, Result, UserId};

use crate::world::{World, id};

/// A group of alice's that users ask to join, with one admin and one plain member.
struct Club {
    world: World,
    alice: Caller,
    admin: Caller,
    member: Caller,
    group: GroupId,
}

impl Club {
    async fn new() -> Self {
        Self::with(Config::default(), JoinPolicy::Approval).await
    }

    async fn with(config: Config, join_policy: JoinPolicy) -> Self {
        let world = World::with(domain::record::AppSettings::default(), config).await;
        let (alice, admin, member) = (world.user("alice").await, world.user("ada").await, world.user("mia").await);
        let members = vec![(id(&admin), Role::Admin), (id(&member), Role::Member)];
        let new = NewGroup {
            name: "club".into(),
            join_policy,
            members,
            members_may_invite: Some(false),
            ..NewGroup::default()
        };
        let group = GroupId(world.domain.groups.create(&alice, new).await.unwrap().id);
        Self { world, alice, admin, member, group }
    }

    async fn apply(&self, user: &Caller) -> Result<Applied> {
        self.world.domain.groups.apply(user, self.group, "please").await
    }

    async fn answer(&self, by: &Caller, user: &Caller, accept: bool) -> Result<()> {
        self.world.domain.groups.answer_application(by, self.group, id(user), accept, "so be it").await.map(drop)
    }

    async fn waits(&self, user: &Caller) -> Vec<(u64, RequestStatus)> {
        let listed = self.world.domain.groups.applications(&self.alice, &[self.group], None, 100).await.unwrap();
        let own = listed.page.items.iter().filter(|application| application.user == id(user).0);
        own.map(|application| (application.user, application.status())).collect()
    }

    async fn is_member(&self, user: &Caller) -> bool {
        self.world.domain.groups.member(&self.world.server, self.group, id(user)).await.unwrap().is_some()
    }

    /// What a user was told in the notices: kind, text, whom it is about.
    async fn notices(&self, user: &Caller) -> Vec<(Kind, String, Vec<u64>)> {
        let notices = ConversationId::Notices(id(user));
        if self.world.domain.conversations.get(user, notices).await.is_err() {
            return Vec::new();
        }
        let entries = self.world.all(user, notices).await;
        let tips = entries.into_iter().filter_map(|entry| match entry.body {
            Some(Body::Tip(tip)) => Some((tip.kind(), tip.text.clone(), tip.users)),
            _ => None,
        });
        tips.collect()
    }

    /// Lets a user be asked before being added to groups.
    async fn asks_first(&self, user: &Caller) {
        let change = SettingsChange { group_confirm: Some(true), ..SettingsChange::default() };
        self.world.domain.users.update_settings(user, id(user), change).await.unwrap();
    }

    async fn invite(&self, by: &Caller, users: &[&Caller]) -> Result<Vec<Invited>> {
        let users: Vec<UserId> = users.iter().map(|user| id(user)).collect();
        let outcome = self.world.domain.groups.invite(by, self.group, &users, "come").await?;
        Ok(outcome.into_iter().map(|(_, invited)| invited).collect())
    }
}

fn denied<T: std::fmt::Debug>(outcome: Result<T>, why: Denial) {
    assert!(matches!(&outcome, Err(Error::Denied(denial)) if *denial == why), "expected {why:?}, not {outcome:?}");
}

fn missing<T: std::fmt::Debug>(outcome: Result<T>, what: Noun) {
    assert!(matches!(&outcome, Err(Error::NotFound(noun)) if *noun == what), "expected no {what:?}, not {outcome:?}");
}

#[tokio::test]
async fn an_application_is_told_to_owner_and_admins_and_answered_once() {
    let club = Club::new().await;
    let bob = club.world.user("bob").await;
    assert_eq!(club.apply(&bob).await.unwrap(), Applied::Waits);
    assert_eq!(club.waits(&bob).await, [(id(&bob).0, RequestStatus::Pending)]);
    for leader in [&club.alice, &club.admin] {
        assert_eq!(club.notices(leader).await, [(Kind::GroupApplied, "please".to_owned(), vec![id(&bob).0])]);
    }
    assert!(club.notices(&club.member).await.iter().all(|(kind, ..)| *kind != Kind::GroupApplied));
    denied(club.answer(&club.member, &bob, true).await, Denial::NotAdmin);
    denied(club.answer(&bob, &bob, true).await, Denial::NotMember);
    assert!(!club.is_member(&bob).await);

    club.answer(&club.admin, &bob, true).await.unwrap();
    assert!(club.is_member(&bob).await);
    assert_eq!(club.waits(&bob).await, [(id(&bob).0, RequestStatus::Accepted)]);
    let told = (Kind::ApplicationAccepted, "so be it".to_owned(), vec![id(&bob).0]);
    assert!(club.notices(&bob).await.contains(&told));
    denied(club.answer(&club.alice, &bob, true).await, Denial::Answered);
    assert_eq!(club.apply(&bob).await.unwrap(), Applied::Already);
    // The group's own log tells who came in, and who let them in.
    let entries = club.world.all(&club.member, ConversationId::Group(club.group)).await;
    let last = entries.last().unwrap();
    assert_eq!(last.sender, id(&club.admin).0);
    assert!(
        matches!(&last.body, Some(Body::Tip(tip)) if tip.kind() == Kind::MembersAdded && tip.users == [id(&bob).0])
    );
}

#[tokio::test]
async fn a_declined_applicant_is_told_and_may_ask_again() {
    let club = Club::new().await;
    let bob = club.world.user("bob").await;
    club.apply(&bob).await.unwrap();
    club.answer(&club.alice, &bob, false).await.unwrap();
    assert!(!club.is_member(&bob).await);
    let told = (Kind::ApplicationDeclined, "so be it".to_owned(), vec![id(&bob).0]);
    assert_eq!(club.notices(&bob).await, [told]);
    denied(club.answer(&club.alice, &bob, true).await, Denial::Answered);
    assert_eq!(club.apply(&bob).await.unwrap(), Applied::Waits);
    club.answer(&club.alice, &bob, true).await.unwrap();
    assert!(club.is_member(&bob).await);
}

#[tokio::test]
async fn an_application_waits_for_a_while_only() {
    let club = Club::new().await;
    let bob = club.world.user("bob").await;
    missing(club.answer(&club.alice, &bob, true).await, Noun::Application);
    club.apply(&bob).await.unwrap();
    club.world.pass(7 * 86_400_000);
    missing(club.answer(&club.alice, &bob, true).await, Noun::Application);
    assert_eq!(club.apply(&bob).await.unwrap(), Applied::Waits, "asking again renews it");
    club.answer(&club.alice, &bob, true).await.unwrap();
    club.world.pass(30 * 86_400_000);
    assert_eq!(club.waits(&bob).await, [], "and after a month it is gone");
}

#[tokio::test]
async fn the_policy_decides_who_need_not_ask() {
    let open = Club::with(Config::default(), JoinPolicy::Open).await;
    let bob = open.world.user("bob").await;
    assert_eq!(open.apply(&bob).await.unwrap(), Applied::Joined);
    assert!(open.is_member(&bob).await);

    let closed = Club::with(Config::default(), JoinPolicy::Closed).await;
    let bob = closed.world.user("bob").await;
    denied(closed.apply(&bob).await, Denial::JoinClosed);
    let acting = closed.world.domain.tokens.act_as(&closed.world.server, id(&bob)).await.unwrap();
    denied(closed.apply(&acting).await, Denial::JoinClosed);

    let club = Club::new().await;
    let bob = club.world.user("bob").await;
    club.apply(&bob).await.unwrap();
    let open = GroupChange { join_policy: Some(JoinPolicy::Open), ..GroupChange::default() };
    club.world.domain.groups.update(&club.alice, club.group, open).await.unwrap();
    assert_eq!(club.apply(&bob).await.unwrap(), Applied::Joined);
    club.answer(&club.alice, &bob, true).await.unwrap();
    assert_eq!(club.waits(&bob).await, [(id(&bob).0, RequestStatus::Accepted)], "a member needs the answer only");
}

#[tokio::test]
async fn a_full_group_and_a_block_list_keep_applicants_out() {
    let club = Club::with(Config { group_capacity: 4, ..Config::default() }, JoinPolicy::Approval).await;
    let (bob, eve, dan) = (club.world.user("bob").await, club.world.user("eve").await, club.world.user("dan").await);
    club.world.domain.groups.block(&club.alice, club.group, &[id(&eve)]).await.unwrap();
    denied(club.apply(&eve).await, Denial::Barred);
    club.apply(&bob).await.unwrap();
    club.apply(&dan).await.unwrap();
    club.answer(&club.alice, &bob, true).await.unwrap();
    denied(club.answer(&club.alice, &dan, true).await, Denial::GroupFull);
    assert_eq!(club.waits(&dan).await, [(id(&dan).0, RequestStatus::Pending)], "it still waits");
    club.world.domain.groups.block(&club.alice, club.group, &[id(&dan)]).await.unwrap();
    club.world.domain.groups.leave(&bob, club.group).await.unwrap();
    denied(club.answer(&club.alice, &dan, true).await, Denial::Barred);
}

#[tokio::test]
async fn applications_are_listed_by_page_over_several_groups() {
    let club = Club::new().await;
    let groups = &club.world.domain.groups;
    let new = NewGroup { join_policy: JoinPolicy::Approval, ..NewGroup::default() };
    let second = GroupId(groups.create(&club.alice, new).await.unwrap().id);
    for number in 0..5 {
        let user = club.world.user(&format!("u{number}")).await;
        groups.apply(&user, club.group, "").await.unwrap();
        groups.apply(&user, second, "").await.unwrap();
    }
    // In whatever order and however often they are named.
    let both = [second, club.group, second];
    let mut seen = Vec::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let listed = groups.applications(&club.alice, &both, cursor.as_deref(), 3).await.unwrap();
        assert_eq!(listed.total, 10);
        assert!(listed.page.items.len() <= 3);
        seen.extend(listed.page.items.iter().map(|application| (application.group, application.user)));
        match listed.page.next {
            Some(next) => cursor = Some(next.to_vec()),
            None => break,
        }
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted());
    denied(groups.applications(&club.member, &[club.group], None, 3).await, Denial::NotAdmin);
    denied(groups.applications(&club.admin, &both, None, 3).await, Denial::NotMember);
}

#[tokio::test]
async fn who_need_not_be_asked_is_added_at_once() {
    let club = Club::new().await;
    let (bob, cai) = (club.world.user("bob").await, club.world.user("cai").await);
    club.asks_first(&cai).await;
    let groups = &club.world.domain.groups;
    let users = [id(&cai), id(&bob), id(&club.member), UserId(4)];
    let outcomes = groups.invite(&club.alice, club.group, &users, "come").await.unwrap();
    assert!(matches!(&outcomes[0], (user, Invited::Waits) if *user == id(&cai)), "{outcomes:?}");
    assert!(matches!(&outcomes[1], (user, Invited::Added) if *user == id(&bob)));
    assert!(matches!(&outcomes[2], (_, Invited::Already)));
    assert!(matches!(&outcomes[3], (_, Invited::Failed(Error::NotFound(Noun::User)))));
    assert!(club.is_member(&bob).await && !club.is_member(&cai).await);
    assert_eq!(club.notices(&cai).await, [(Kind::GroupInvited, "come".to_owned(), vec![id(&cai).0])]);
    denied(club.invite(&club.member, &[&bob]).await, Denial::NotAdmin);
    denied(club.invite(&cai, &[&bob]).await, Denial::NotMember);
}

#[tokio::test]
async fn an_invitation_is_answered_once_and_settles_the_others() {
    let club = Club::new().await;
    let cai = club.world.user("cai").await;
    club.asks_first(&cai).await;
    let groups = &club.world.domain.groups;
    for inviter in [&club.alice, &club.admin] {
        assert!(matches!(club.invite(inviter, &[&cai]).await.unwrap()[..], [Invited::Waits]));
    }
    let listed = groups.invitations(&cai, None, 1).await.unwrap();
    assert_eq!((listed.total, listed.page.items.len()), (2, 1));
    let rest = groups.invitations(&cai, listed.page.next.as_deref(), 1).await.unwrap();
    assert_eq!(rest.page.next, None);
    assert_ne!(rest.page.items[0].inviter, listed.page.items[0].inviter);

    missing(groups.answer_invitation(&cai, club.group, Some(id(&club.member)), true).await, Noun::Invitation);
    groups.answer_invitation(&cai, club.group, Some(id(&club.admin)), true).await.unwrap();
    assert!(club.is_member(&cai).await);
    denied(groups.answer_invitation(&cai, club.group, Some(id(&club.alice)), true).await, Denial::Answered);
    let all = groups.invitations(&cai, None, 10).await.unwrap().page.items;
    assert!(all.iter().all(|invitation| invitation.status() == RequestStatus::Accepted));
    assert_eq!(club.notices(&club.admin).await.last().unwrap().0, Kind::InvitationAccepted);
}

#[tokio::test]
async fn a_declined_invitation_is_told_and_can_be_made_again() {
    let club = Club::new().await;
    let cai = club.world.user("cai").await;
    club.asks_first(&cai).await;
    let groups = &club.world.domain.groups;
    club.invite(&club.alice, &[&cai]).await.unwrap();
    groups.answer_invitation(&cai, club.group, None, false).await.unwrap();
    assert_eq!(club.notices(&club.alice).await, [(Kind::InvitationDeclined, String::new(), vec![id(&cai).0])]);
    denied(groups.answer_invitation(&cai, club.group, None, true).await, Denial::Answered);
    club.invite(&club.alice, &[&cai]).await.unwrap();
    groups.answer_invitation(&cai, club.group, None, true).await.unwrap();
    assert!(club.is_member(&cai).await);
}

#[tokio::test]
async fn an_invitation_holds_while_its_inviter_may_invite() {
    let club = Club::new().await;
    let (cai, dan) = (club.world.user("cai").await, club.world.user("dan").await);
    let groups = &club.world.domain.groups;
    for user in [&cai, &dan] {
        club.asks_first(user).await;
    }
    club.invite(&club.admin, &[&cai]).await.unwrap();
    club.invite(&club.world.server, &[&dan]).await.unwrap();
    groups.remove_members(&club.alice, club.group, &[id(&club.admin)]).await.unwrap();
    missing(groups.answer_invitation(&cai, club.group, None, true).await, Noun::Invitation);
    groups.answer_invitation(&dan, club.group, None, true).await.unwrap();
    assert!(club.is_member(&dan).await && !club.is_member(&cai).await);

    club.invite(&club.alice, &[&cai]).await.unwrap();
    club.world.pass(7 * 86_400_000);
    missing(groups.answer_invitation(&cai, club.group, Some(id(&club.alice)), true).await, Noun::Invitation);
    club.invite(&club.alice, &[&cai]).await.unwrap();
    groups.dismiss(&club.alice, club.group).await.unwrap();
    missing(groups.answer_invitation(&cai, club.group, Some(id(&club.alice)), true).await, Noun::Group);
}

#[tokio::test]
async fn a_code_lets_users_join_until_its_time_is_over() {
    let club = Club::new().await;
    let (bob, cai) = (club.world.user("bob").await, club.world.user("cai").await);
    let groups = &club.world.domain.groups;
    denied(groups.join_code(&club.member, club.group).await, Denial::NotAdmin);
    denied(groups.join_code(&bob, club.group).await, Denial::NotMember);
    let code = groups.join_code(&club.admin, club.group).await.unwrap();
    assert_eq!(groups.join_by_code(&bob, &code.text).await.unwrap(), club.group);
    assert!(club.is_member(&bob).await, "no approval is needed");
    groups.join_by_code(&bob, &code.text).await.unwrap();
    for wrong in ["", "x", &code.text[1..]] {
        missing(groups.join_by_code(&cai, wrong).await, Noun::JoinCode);
    }
    club.world.clock.set(domain::Millis(code.expires));
    denied(groups.join_by_code(&cai, &code.text).await, Denial::Expired);
}

#[tokio::test]
async fn a_code_holds_while_its_maker_may_invite() {
    let club = Club::new().await;
    let (bob, cai, eve) = (club.world.user("bob").await, club.world.user("cai").await, club.world.user("eve").await);
    let groups = &club.world.domain.groups;
    let code = groups.join_code(&club.admin, club.group).await.unwrap();
    let apps = groups.join_code(&club.world.server, club.group).await.unwrap();
    groups.block(&club.alice, club.group, &[id(&eve)]).await.unwrap();
    denied(groups.join_by_code(&eve, &code.text).await, Denial::Barred);
    groups.leave(&club.admin, club.group).await.unwrap();
    missing(groups.join_by_code(&bob, &code.text).await, Noun::JoinCode);
    groups.join_by_code(&cai, &apps.text).await.unwrap();
    groups.dismiss(&club.alice, club.group).await.unwrap();
    missing(groups.join_by_code(&bob, &apps.text).await, Noun::Group);
}

#[tokio::test]
async fn an_owner_may_abandon_a_private_group_only() {
    let club = Club::new().await;
    let groups = &club.world.domain.groups;
    denied(groups.leave(&club.alice, club.group).await, Denial::OwnerCannotLeave);
    groups.quit(&club.alice, club.group).await.unwrap();
    assert!(!club.is_member(&club.alice).await);
    let left = groups.find(&club.member, &domain::GroupRef::Id(club.group)).await.unwrap();
    assert_eq!((left.owner, left.members), (0, 2));

    let new = NewGroup { kind: domain::record::GroupKind::Public, ..NewGroup::default() };
    let public = GroupId(groups.create(&club.alice, new).await.unwrap().id);
    denied(groups.quit(&club.alice, public).await, Denial::OwnerCannotLeave);
}
