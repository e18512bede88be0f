//! Random operations on the rosters of a few users, against a naive model of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{World, id};
use domain::record::{FriendPolicy, Relation};
use domain::roster::{Ask, Friendship, Imported, Which};
use domain::users::SettingsChange;
use domain::{Caller, Error, UserId, UserRef};
use proptest::prelude::*;

const USERS: usize = 4;

#[derive(Debug, Clone)]
enum Op {
    Ask(usize, usize),
    Accept(usize, usize),
    Decline(usize, usize),
    Remove(usize, usize),
    RemoveAll(usize),
    Block(usize, usize, bool),
    Unblock(usize, usize),
    Import(usize, usize),
    Policy(usize, bool),
    /// Days pass, and with them the time to answer.
    Wait(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let pair = (0..USERS, 1..USERS).prop_map(|(one, step)| (one, (one + step) % USERS));
    prop_oneof![
        4 => pair.clone().prop_map(|(one, other)| Op::Ask(one, other)),
        3 => pair.clone().prop_map(|(one, other)| Op::Accept(one, other)),
        1 => pair.clone().prop_map(|(one, other)| Op::Decline(one, other)),
        2 => pair.clone().prop_map(|(one, other)| Op::Remove(one, other)),
        1 => (0..USERS).prop_map(Op::RemoveAll),
        2 => (pair.clone(), any::<bool>()).prop_map(|((one, other), end)| Op::Block(one, other, end)),
        1 => pair.clone().prop_map(|(one, other)| Op::Unblock(one, other)),
        1 => pair.prop_map(|(one, other)| Op::Import(one, other)),
        2 => (0..USERS, any::<bool>()).prop_map(|(user, open)| Op::Policy(user, open)),
        1 => (1..9i64).prop_map(Op::Wait),
    ]
}

/// What is true, as plainly as can be.
#[derive(Debug, Default)]
struct Model {
    day: i64,
    friends: BTreeSet<(usize, usize)>,
    /// Asker and asked, and when.
    asked: BTreeMap<(usize, usize), i64>,
    blocked: BTreeSet<(usize, usize)>,
    closed: BTreeSet<usize>,
}

impl Model {
    fn are_friends(&self, one: usize, other: usize) -> bool {
        self.friends.contains(&(one.min(other), one.max(other)))
    }

    fn waits(&self, asker: usize, asked: usize) -> bool {
        self.asked.get(&(asker, asked)).is_some_and(|day| self.day < day + 7)
    }

    fn befriend(&mut self, one: usize, other: usize) {
        self.part(one, other);
        self.friends.insert((one.min(other), one.max(other)));
    }

    /// Whether there was something between the two.
    fn part(&mut self, one: usize, other: usize) -> bool {
        let waited = self.waits(one, other) || self.waits(other, one);
        self.asked.remove(&(one, other));
        self.asked.remove(&(other, one));
        self.friends.remove(&(one.min(other), one.max(other))) || waited
    }

    /// Whether the operation succeeds.
    fn apply(&mut self, op: &Op) -> bool {
        match *op {
            Op::Ask(one, other) => {
                if self.are_friends(one, other) || self.blocked.contains(&(other, one)) {
                    return false;
                }
                if self.waits(other, one) || !self.closed.contains(&other) {
                    self.befriend(one, other);
                } else if !self.waits(one, other) {
                    self.asked.insert((one, other), self.day);
                }
                true
            }
            Op::Accept(one, other) => {
                let waits = self.waits(other, one);
                if waits {
                    self.befriend(one, other);
                }
                waits
            }
            Op::Decline(one, other) => self.waits(other, one) && self.part(one, other),
            Op::Remove(one, other) => self.part(one, other),
            Op::RemoveAll(one) => {
                self.friends.retain(|&(low, high)| low != one && high != one);
                true
            }
            Op::Block(one, other, end) => {
                self.blocked.insert((one, other));
                if end {
                    self.part(one, other);
                }
                true
            }
            Op::Unblock(one, other) => {
                self.blocked.remove(&(one, other));
                true
            }
            Op::Import(one, other) => {
                self.befriend(one, other);
                true
            }
            Op::Policy(user, open) => {
                if open {
                    self.closed.remove(&user)
                } else {
                    self.closed.insert(user)
                };
                true
            }
            Op::Wait(days) => {
                self.day += days;
                true
            }
        }
    }

    fn relation(&self, one: usize, other: usize) -> Relation {
        match () {
            () if self.are_friends(one, other) => Relation::Friend,
            () if self.waits(one, other) => Relation::Requested,
            () if self.waits(other, one) => Relation::Pending,
            () => Relation::None,
        }
    }
}

async fn perform(world: &World, users: &[Caller], op: &Op) -> Result<(), Error> {
    let roster = &world.domain.roster;
    let who = |user: usize| id(&users[user]);
    match *op {
        Op::Ask(one, other) => roster.request(&users[one], who(other), Ask::default()).await.map(|_| ()),
        Op::Accept(one, other) => roster.accept(&users[one], who(other)).await,
        Op::Decline(one, other) => roster.decline(&users[one], who(other), "").await,
        Op::Remove(one, other) => roster.remove(&users[one], who(other)).await,
        Op::RemoveAll(one) => roster.remove_all(&users[one]).await.map(|_| ()),
        Op::Block(one, other, end) => {
            let friendship = if end { Friendship::Ended } else { Friendship::Kept };
            roster.block_all(&users[one], &[who(other)], friendship).await.map(|_| ())
        }
        Op::Unblock(one, other) => roster.unblock(&users[one], who(other)).await,
        Op::Import(one, other) => {
            let app = world.domain.tokens.act_as(&world.server, who(one)).await?;
            let friend = Imported { user: UserRef::Id(who(other)), remark: String::new(), extension: String::new() };
            roster.import(&app, &[friend]).await.map(|_| ())
        }
        Op::Policy(user, open) => {
            let policy = if open { FriendPolicy::Open } else { FriendPolicy::Confirm };
            let change = SettingsChange { friend_policy: Some(policy), ..SettingsChange::default() };
            world.domain.users.update_settings(&users[user], who(user), change).await.map(|_| ())
        }
        Op::Wait(days) => {
            world.pass(days * 86_400_000);
            Ok(())
        }
    }
}

async fn compare(world: &World, users: &[Caller], model: &Model, after: &Op) {
    let roster = &world.domain.roster;
    for (one, caller) in users.iter().enumerate() {
        let others: Vec<usize> = (0..USERS).filter(|&other| other != one).collect();
        let ids = |keep: &dyn Fn(usize) -> bool| -> BTreeSet<UserId> {
            others.iter().copied().filter(|&other| keep(other)).map(|other| id(&users[other])).collect()
        };
        for &other in &others {
            let row = roster.get(caller, id(&users[other])).await.unwrap().unwrap_or_default();
            assert_eq!(row.relation(), model.relation(one, other), "{one} to {other} after {after:?}");
            assert_eq!(row.blocked, model.blocked.contains(&(one, other)), "{one} blocks {other} after {after:?}");
            let may = roster.may_message(caller, id(caller), id(&users[other])).await.unwrap();
            assert_eq!(may, !model.blocked.contains(&(other, one)), "{one} may write to {other} after {after:?}");
        }
        let expected = [
            (Which::Friends, ids(&|other| model.are_friends(one, other))),
            (Which::Blocked, ids(&|other| model.blocked.contains(&(one, other)))),
        ];
        for (which, expected) in expected {
            let page = roster.list(caller, which, None, 100).await.unwrap();
            let listed: BTreeSet<UserId> = page.items.iter().map(|contact| UserId(contact.user)).collect();
            assert_eq!(listed, expected, "{which:?} of {one} after {after:?}");
        }
        let now = world.clock.now().0;
        let waiting = |request: &&domain::record::FriendRequest| {
            request.status() == domain::record::RequestStatus::Pending && request.expires > now
        };
        let page = roster.requests(caller, None, 100).await.unwrap();
        let listed: BTreeSet<UserId> = page.items.iter().filter(waiting).map(|request| UserId(request.user)).collect();
        assert_eq!(listed, ids(&|other| model.waits(other, one)), "requests to {one} after {after:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_roster_is_what_the_model_says(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let mut users = Vec::new();
            for user in 0..USERS {
                users.push(world.user(&format!("user{user}")).await);
            }
            let mut model = Model::default();
            for op in &ops {
                let real = perform(&world, &users, op).await;
                let said = model.apply(op);
                assert_eq!(real.is_ok(), said, "{op:?}: {real:?}");
                compare(&world, &users, &model, op).await;
            }
        });
    }
}
