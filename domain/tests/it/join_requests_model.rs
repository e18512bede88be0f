//! Random applications, invitations and answers against a naive model: the same answers, the same members, the same lists.

use std::collections::{BTreeMap, BTreeSet};

use domain::groups::{Applied, GroupChange, Invited, NewGroup};
use domain::record::{JoinPolicy, RequestStatus, Role};
use domain::users::SettingsChange;
use domain::{Caller, Error, GroupId, UserId};
use proptest::prelude::*;

use crate::world::{World, id};

/// The owner is user 0, an admin user 1 until they leave; the others come and go. Users from 4 on want to be asked before they are added.
const USERS: usize = 7;
const ASKED_FROM: usize = 4;
const DAY: i64 = 86_400_000;
const WINDOW: i64 = 7 * DAY;
const KEPT: i64 = 30 * DAY;

#[derive(Debug, Clone)]
enum Op {
    Apply { user: usize },
    AnswerApplication { by: usize, user: usize, accept: bool },
    Invite { by: usize, user: usize },
    AnswerInvitation { user: usize, inviter: usize, accept: bool },
    Leave { user: usize },
    Block { user: usize },
    Open(bool),
    Pass { days: i64 },
}

fn op() -> impl Strategy<Value = Op> {
    let user = || 0..USERS;
    prop_oneof![
        5 => user().prop_map(|user| Op::Apply { user }),
        5 => (user(), user(), any::<bool>()).prop_map(|(by, user, accept)| Op::AnswerApplication { by, user, accept }),
        5 => (user(), user()).prop_map(|(by, user)| Op::Invite { by, user }),
        6 => (ASKED_FROM..USERS, user(), any::<bool>())
            .prop_map(|(user, inviter, accept)| Op::AnswerInvitation { user, inviter, accept }),
        3 => (1..USERS).prop_map(|user| Op::Leave { user }),
        1 => (2..USERS).prop_map(|user| Op::Block { user }),
        1 => any::<bool>().prop_map(Op::Open),
        2 => (1..9i64).prop_map(|days| Op::Pass { days }),
    ]
}

/// An application or invitation: how it stands, and when that was last said.
type Request = (RequestStatus, i64);

/// The group as anybody would picture it.
#[derive(Debug)]
struct Club {
    members: BTreeSet<usize>,
    /// User 1; who leaves and comes back is a member like any other.
    has_admin: bool,
    blocked: BTreeSet<usize>,
    open: bool,
    now: i64,
    applications: BTreeMap<usize, Request>,
    /// By who is invited, and by whom.
    invitations: BTreeMap<(usize, usize), Request>,
}

type Answer = Result<&'static str, String>;

fn no(why: &str) -> Answer {
    Err(why.to_owned())
}

impl Club {
    fn new() -> Self {
        let members = BTreeSet::from([0, 1]);
        let (applications, invitations) = (BTreeMap::new(), BTreeMap::new());
        Self { members, has_admin: true, blocked: BTreeSet::new(), open: false, now: 0, applications, invitations }
    }

    fn leads(&self, user: usize) -> bool {
        user == 0 || (user == 1 && self.has_admin)
    }

    fn apply(&mut self, user: usize) -> Answer {
        if self.members.contains(&user) {
            return Ok("already");
        }
        if self.blocked.contains(&user) {
            return no("the group has blocked the user");
        }
        if self.open {
            self.members.insert(user);
            return Ok("joined");
        }
        self.applications.insert(user, (RequestStatus::Pending, self.now));
        Ok("waits")
    }

    fn waits(&self, request: Option<&Request>, what: &str) -> Result<(), String> {
        match request {
            None => Err(format!("{what} not found")),
            Some((_, changed)) if self.now >= changed + KEPT => Err(format!("{what} not found")),
            Some((RequestStatus::Pending, made)) if self.now >= made + WINDOW => Err(format!("{what} not found")),
            Some((RequestStatus::Pending, _)) => Ok(()),
            Some(_) => Err("answered already".to_owned()),
        }
    }

    fn may_lead(&self, user: usize) -> Result<(), String> {
        match (self.members.contains(&user), self.leads(user)) {
            (false, _) => Err("not a member".to_owned()),
            (true, false) => Err("only the owner or an admin may do that".to_owned()),
            (true, true) => Ok(()),
        }
    }

    fn answer_application(&mut self, by: usize, user: usize, accept: bool) -> Answer {
        self.may_lead(by)?;
        self.waits(self.applications.get(&user), "application")?;
        if accept && !self.members.contains(&user) && self.blocked.contains(&user) {
            return no("the group has blocked the user");
        }
        let status = if accept { RequestStatus::Accepted } else { RequestStatus::Declined };
        self.applications.insert(user, (status, self.now));
        if accept {
            self.members.insert(user);
        }
        Ok("done")
    }

    fn invite(&mut self, by: usize, user: usize) -> Answer {
        self.may_lead(by)?;
        if self.members.contains(&user) {
            return Ok("already");
        }
        if self.blocked.contains(&user) {
            return no("the group has blocked the user");
        }
        if user < ASKED_FROM {
            self.members.insert(user);
            return Ok("added");
        }
        self.invitations.insert((user, by), (RequestStatus::Pending, self.now));
        Ok("waits")
    }

    fn answer_invitation(&mut self, user: usize, inviter: usize, accept: bool) -> Answer {
        self.waits(self.invitations.get(&(user, inviter)), "invitation")?;
        if !accept {
            self.invitations.insert((user, inviter), (RequestStatus::Declined, self.now));
            return Ok("done");
        }
        if !self.leads(inviter) {
            return no("invitation not found");
        }
        if !self.members.contains(&user) && self.blocked.contains(&user) {
            return no("the group has blocked the user");
        }
        self.members.insert(user);
        let now = self.now;
        let settled = self.invitations.iter_mut().filter(|((invited, _), (status, made))| {
            *invited == user && *status == RequestStatus::Pending && now < *made + KEPT
        });
        settled.for_each(|(_, request)| *request = (RequestStatus::Accepted, now));
        Ok("done")
    }

    /// Those that are still listed.
    fn listed<K: Ord + Copy>(&self, requests: &BTreeMap<K, Request>) -> BTreeMap<K, RequestStatus> {
        let kept = requests.iter().filter(|(_, (_, changed))| self.now < changed + KEPT);
        kept.map(|(key, (status, _))| (*key, *status)).collect()
    }

    fn play(&mut self, op: &Op) -> Answer {
        match *op {
            Op::Apply { user } => self.apply(user),
            Op::AnswerApplication { by, user, accept } => self.answer_application(by, user, accept),
            Op::Invite { by, user } => self.invite(by, user),
            Op::AnswerInvitation { user, inviter, accept } => self.answer_invitation(user, inviter, accept),
            Op::Leave { user } if !self.members.remove(&user) => no("not a member"),
            Op::Leave { user } => {
                self.has_admin &= user != 1;
                Ok("done")
            }
            Op::Block { user } => {
                self.members.remove(&user);
                self.blocked.insert(user);
                Ok("done")
            }
            Op::Open(open) => {
                self.open = open;
                Ok("done")
            }
            Op::Pass { days } => {
                self.now += days * DAY;
                Ok("done")
            }
        }
    }
}

struct Real {
    world: World,
    users: Vec<Caller>,
    group: GroupId,
}

impl Real {
    async fn new() -> Self {
        let world = World::new().await;
        let mut users = Vec::new();
        for number in 0..USERS {
            users.push(world.user(&format!("u{number}")).await);
        }
        for user in &users[ASKED_FROM..] {
            let change = SettingsChange { group_confirm: Some(true), ..SettingsChange::default() };
            world.domain.users.update_settings(user, id(user), change).await.unwrap();
        }
        let members = vec![(id(&users[1]), Role::Admin)];
        let (join_policy, members_may_invite) = (JoinPolicy::Approval, Some(false));
        let new = NewGroup { join_policy, members, members_may_invite, ..NewGroup::default() };
        let group = GroupId(world.domain.groups.create(&users[0], new).await.unwrap().id);
        Self { world, users, group }
    }

    fn id(&self, user: usize) -> UserId {
        id(&self.users[user])
    }

    async fn play(&self, op: &Op) -> Answer {
        let groups = &self.world.domain.groups;
        let said = |error: Error| error.to_string();
        match *op {
            Op::Apply { user } => match groups.apply(&self.users[user], self.group, "").await.map_err(said)? {
                Applied::Joined => Ok("joined"),
                Applied::Already => Ok("already"),
                Applied::Waits => Ok("waits"),
            },
            Op::AnswerApplication { by, user, accept } => {
                let answer = groups.answer_application(&self.users[by], self.group, self.id(user), accept, "");
                answer.await.map(|_| "done").map_err(said)
            }
            Op::Invite { by, user } => {
                let outcome = groups.invite(&self.users[by], self.group, &[self.id(user)], "").await.map_err(said)?;
                match &outcome[0].1 {
                    Invited::Added => Ok("added"),
                    Invited::Waits => Ok("waits"),
                    Invited::Already => Ok("already"),
                    Invited::Failed(error) => Err(error.to_string()),
                }
            }
            Op::AnswerInvitation { user, inviter, accept } => {
                let inviter = Some(self.id(inviter));
                let answer = groups.answer_invitation(&self.users[user], self.group, inviter, accept);
                answer.await.map(|()| "done").map_err(said)
            }
            Op::Leave { user } => groups.leave(&self.users[user], self.group).await.map(|()| "done").map_err(said),
            Op::Block { user } => {
                let blocked = groups.block(&self.users[0], self.group, &[self.id(user)]).await;
                blocked.map(|_| "done").map_err(said)
            }
            Op::Open(open) => {
                let join_policy = Some(if open { JoinPolicy::Open } else { JoinPolicy::Approval });
                let change = GroupChange { join_policy, ..GroupChange::default() };
                groups.update(&self.users[0], self.group, change).await.map(|_| "done").map_err(said)
            }
            Op::Pass { days } => {
                self.world.pass(days * DAY);
                Ok("done")
            }
        }
    }

    /// The members, the applications, and each user's invitations, as the model writes them down.
    async fn look(&self) -> (BTreeSet<usize>, BTreeMap<usize, RequestStatus>, BTreeMap<(usize, usize), RequestStatus>) {
        let groups = &self.world.domain.groups;
        let number = |user: u64| (0..USERS).find(|number| self.id(*number).0 == user).unwrap();
        let members = groups.members(&self.users[0], self.group, None, 100).await.unwrap().items;
        let applications = groups.applications(&self.users[0], &[self.group], None, 100).await.unwrap().page.items;
        let mut invitations = BTreeMap::new();
        for (invited, user) in self.users.iter().enumerate() {
            for one in groups.invitations(user, None, 100).await.unwrap().page.items {
                invitations.insert((invited, number(one.inviter)), one.status());
            }
        }
        let members = members.iter().map(|member| number(member.user)).collect();
        (members, applications.iter().map(|one| (number(one.user), one.status())).collect(), invitations)
    }
}

fn run(ops: &[Op]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let real = Real::new().await;
        let mut club = Club::new();
        for op in ops {
            assert_eq!(real.play(op).await, club.play(op), "{op:?}");
        }
        let (members, applications, invitations) = real.look().await;
        assert_eq!(members, club.members);
        assert_eq!(applications, club.listed(&club.applications));
        assert_eq!(invitations, club.listed(&club.invitations));
    });
}

/// The history that showed that the model had forgotten it.
#[test]
fn who_comes_back_is_no_admin() {
    let invite = Op::Invite { by: 0, user: 1 };
    run(&[
        Op::Leave { user: 1 },
        invite,
        Op::Apply { user: 2 },
        Op::AnswerApplication { by: 1, user: 2, accept: true },
    ]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_are_answered_as_in_the_model(ops in proptest::collection::vec(op(), 1..25)) {
        run(&ops);
    }
}
