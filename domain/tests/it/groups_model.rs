//! Random operations on groups against a naive model: the same answers, the same members, the same story in the log.

mod naive;

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{World, id};
use domain::entry::entry::Body;
use domain::entry::tip::Kind;
use domain::groups::{Added, MemberChange, NewGroup};
use domain::record::{AppSettings, GroupKind, JoinPolicy, Member, Role};
use domain::{Caller, Config, ConversationId, Error, GroupId, GroupRef, UserId};
use naive::{Answer, Group, create, no};
use proptest::prelude::*;

const USERS: u64 = 6;
const CAPACITY: usize = 4;
const NOT_ADMIN: &str = "only the owner or an admin may do that";
const NOT_OWNER: &str = "only the owner may do that";
const BARRED: &str = "the group has blocked the user";

/// Who asks: a user, or the app's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    User(u64),
    Server,
}

#[derive(Debug, Clone)]
enum Op {
    Create { by: By, private: bool, open: bool, members: Vec<u64> },
    Add { by: By, group: usize, users: Vec<u64> },
    Remove { by: By, group: usize, users: Vec<u64> },
    Join { by: u64, group: usize },
    Leave { by: u64, group: usize },
    SetAdmin { by: By, group: usize, user: u64, admin: bool },
    Mute { by: By, group: usize, users: Vec<u64>, muted: bool },
    Block { by: By, group: usize, users: Vec<u64> },
    Unblock { by: By, group: usize, users: Vec<u64> },
    Transfer { by: By, group: usize, to: u64 },
    Dismiss { by: By, group: usize },
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![5 => (1..=USERS).prop_map(By::User), 1 => Just(By::Server)]
}

fn users() -> impl Strategy<Value = Vec<u64>> {
    // One more than there are: the last one is unknown.
    proptest::collection::vec(1..=USERS + 1, 0..4)
}

fn op() -> impl Strategy<Value = Op> {
    let group = || 0usize..3;
    prop_oneof![
        2 => (by(), any::<bool>(), any::<bool>(), proptest::collection::vec(1..=USERS, 0..4))
            .prop_map(|(by, private, open, members)| Op::Create { by, private, open, members }),
        4 => (by(), group(), users()).prop_map(|(by, group, users)| Op::Add { by, group, users }),
        3 => (by(), group(), users()).prop_map(|(by, group, users)| Op::Remove { by, group, users }),
        3 => (1..=USERS, group()).prop_map(|(by, group)| Op::Join { by, group }),
        2 => (1..=USERS, group()).prop_map(|(by, group)| Op::Leave { by, group }),
        2 => (by(), group(), 1..=USERS, any::<bool>())
            .prop_map(|(by, group, user, admin)| Op::SetAdmin { by, group, user, admin }),
        2 => (by(), group(), users(), any::<bool>())
            .prop_map(|(by, group, users, muted)| Op::Mute { by, group, users, muted }),
        2 => (by(), group(), users()).prop_map(|(by, group, users)| Op::Block { by, group, users }),
        1 => (by(), group(), users()).prop_map(|(by, group, users)| Op::Unblock { by, group, users }),
        1 => (by(), group(), 1..=USERS).prop_map(|(by, group, to)| Op::Transfer { by, group, to }),
        1 => (by(), group()).prop_map(|(by, group)| Op::Dismiss { by, group }),
    ]
}

/// The real thing beside the model.
struct Pair {
    world: World,
    users: Vec<Caller>,
    groups: Vec<(GroupId, Group)>,
}

impl Pair {
    async fn new() -> Self {
        let config = Config { group_capacity: u32::try_from(CAPACITY).unwrap(), ..Config::default() };
        let world = World::with(AppSettings::default(), config).await;
        let mut users = Vec::new();
        for n in 1..=USERS {
            users.push(world.user(&n.to_string()).await);
        }
        Self { world, users, groups: Vec::new() }
    }

    fn caller(&self, by: By) -> &Caller {
        match by {
            By::User(user) => &self.users[usize::try_from(user - 1).unwrap()],
            By::Server => &self.world.server,
        }
    }

    async fn apply(&mut self, op: &Op) {
        let (real, expected) = match op {
            Op::Create { by, private, open, members } => {
                let real = self.create(*by, *private, *open, members).await;
                let expected = create(*by, *private, *open, members);
                let answers = (real.clone().map(|_| String::new()), expected.clone().map(|_| String::new()));
                if let (Ok(group), Ok(model)) = (real, expected) {
                    self.groups.push((group, model));
                }
                answers
            }
            Op::Add { group, .. }
            | Op::Remove { group, .. }
            | Op::Join { group, .. }
            | Op::Leave { group, .. }
            | Op::SetAdmin { group, .. }
            | Op::Mute { group, .. }
            | Op::Block { group, .. }
            | Op::Unblock { group, .. }
            | Op::Transfer { group, .. }
            | Op::Dismiss { group, .. } => {
                let Some((group, mut model)) = self.groups.get(*group).cloned() else { return };
                let real = self.change(group, op).await;
                let expected = if model.dismissed { no("group not found") } else { imagine(&mut model, op) };
                self.groups.iter_mut().find(|(id, _)| *id == group).unwrap().1 = model;
                (real, expected)
            }
        };
        assert_eq!(real, expected, "{op:?}");
    }

    async fn create(&self, by: By, private: bool, open: bool, members: &[u64]) -> Result<GroupId, String> {
        let own = |user: &&u64| By::User(**user) != by;
        let new = NewGroup {
            kind: if private { GroupKind::Private } else { GroupKind::Public },
            join_policy: if open { JoinPolicy::Open } else { JoinPolicy::Closed },
            members: members.iter().filter(own).map(|user| (UserId(*user), Role::Member)).collect(),
            ..NewGroup::default()
        };
        let created = self.world.domain.groups.create(self.caller(by), new).await;
        created.map(|group| GroupId(group.id)).map_err(|error| error.to_string())
    }

    async fn change(&self, group: GroupId, op: &Op) -> Answer {
        let groups = &self.world.domain.groups;
        let ids = |users: &[u64]| users.iter().map(|user| UserId(*user)).collect::<Vec<_>>();
        let done = |outcome: Result<(), Error>| outcome.map(|()| String::new()).map_err(|error| error.to_string());
        match op {
            Op::Add { by, users, .. } => {
                let users: Vec<_> = ids(users).into_iter().map(|user| (user, String::new())).collect();
                let results = groups.add_members(self.caller(*by), group, &users).await;
                let results = results.map_err(|error| error.to_string())?;
                let tell = |(_, result): &(UserId, Added)| match result {
                    Added::Yes => "yes".to_owned(),
                    Added::Already => "already".to_owned(),
                    Added::Failed(error) => error.to_string(),
                };
                Ok(results.iter().map(tell).collect::<Vec<_>>().join(", "))
            }
            Op::Remove { by, users, .. } => done(groups.remove_members(self.caller(*by), group, &ids(users)).await),
            Op::Join { by, .. } => done(groups.join(self.caller(By::User(*by)), group).await),
            Op::Leave { by, .. } => done(groups.leave(self.caller(By::User(*by)), group).await),
            Op::SetAdmin { by, user, admin, .. } => {
                let role = Some(if *admin { Role::Admin } else { Role::Member });
                let change = MemberChange { role, ..MemberChange::default() };
                done(groups.update_member(self.caller(*by), group, UserId(*user), change).await.map(drop))
            }
            Op::Mute { by, users, muted, .. } => {
                let change = MemberChange { muted_until: Some(if *muted { -1 } else { 0 }), ..MemberChange::default() };
                each(groups.update_members(self.caller(*by), group, &ids(users), change).await)
            }
            Op::Block { by, users, .. } => each(groups.block(self.caller(*by), group, &ids(users)).await),
            Op::Unblock { by, users, .. } => each(groups.unblock(self.caller(*by), group, &ids(users)).await),
            Op::Transfer { by, to, .. } => done(groups.transfer(self.caller(*by), group, UserId(*to)).await.map(drop)),
            Op::Dismiss { by, .. } => done(groups.dismiss(self.caller(*by), group).await),
            Op::Create { .. } => unreachable!("creates no group that exists"),
        }
    }

    /// Everything that can be seen of the groups is as the model has it.
    async fn compare(&self) {
        let groups = &self.world.domain.groups;
        for (group, model) in self.groups.iter().filter(|(_, model)| !model.dismissed) {
            let record = groups.find(&self.world.server, &GroupRef::Id(*group)).await.unwrap();
            assert_eq!((record.owner, record.members as usize), (model.owner, model.members.len()));
            let page = groups.members(&self.world.server, *group, None, 100).await.unwrap();
            let members: BTreeMap<u64, Role> = page.items.iter().map(|member| (member.user, member.role())).collect();
            assert_eq!(members, model.members);
            let users = |members: Vec<Member>| members.iter().map(|member| member.user).collect::<BTreeSet<u64>>();
            let admins =
                model.members.iter().filter(|(_, role)| **role == Role::Admin).map(|(user, _)| *user).collect();
            assert_eq!(users(groups.admins(&self.world.server, *group).await.unwrap()), admins);
            let muted = groups.muted(&self.world.server, *group, None, 100).await.unwrap();
            assert_eq!(users(muted.page.items), model.muted);
            let blocked = groups.blocked(&self.world.server, *group, None, 100).await.unwrap().items;
            assert_eq!(blocked.iter().map(|row| row.user).collect::<BTreeSet<u64>>(), model.blocked);
            assert_eq!(record.blocked as usize, model.blocked.len());
        }
        for user in &self.users {
            let is_in = |model: &Group| model.members.contains_key(&id(user).0);
            let listed = groups.list(user, None, 100).await.unwrap();
            let listed: Vec<u64> = listed.items.iter().map(|group| group.id).collect();
            let expected: Vec<u64> =
                self.groups.iter().filter(|(_, model)| is_in(model) && !model.dismissed).map(|(id, _)| id.0).collect();
            assert_eq!(listed, expected, "groups of {}", id(user));
            for (group, model) in &self.groups {
                let conversation = ConversationId::Group(*group);
                let readable = self.world.domain.conversations.get(user, conversation).await.is_ok();
                assert_eq!(readable, is_in(model), "whether {} reads {group}", id(user));
                if readable {
                    self.compare_story(user, conversation, model).await;
                }
            }
        }
    }

    async fn compare_story(&self, reader: &Caller, conversation: ConversationId, model: &Group) {
        let entries = self.world.all(reader, conversation).await;
        let first = usize::try_from(entries[0].seq).unwrap();
        let told: Vec<Kind> = entries
            .iter()
            .map(|entry| match &entry.body {
                Some(Body::Tip(tip)) => tip.kind(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, model.story[first - 1..], "a member reads everything since the joining");
        assert!(matches!(told[0], Kind::GroupCreated | Kind::MembersAdded), "starting with it: {told:?}");
    }
}

/// What became of each user.
type Each<T> = Vec<(UserId, Result<T, Error>)>;

fn each<T>(results: Result<Each<T>, Error>) -> Answer {
    let results = results.map_err(|error| error.to_string())?;
    let tell = |(_, result): &(UserId, Result<T, Error>)| match result {
        Ok(_) => "done".to_owned(),
        Err(error) => error.to_string(),
    };
    Ok(results.iter().map(tell).collect::<Vec<_>>().join(", "))
}

fn imagine(model: &mut Group, op: &Op) -> Answer {
    match op {
        Op::Add { by, users, .. } => model.add(*by, users),
        Op::Remove { by, users, .. } => model.remove(*by, users),
        Op::Join { by, .. } => model.join(*by),
        Op::Leave { by, .. } => model.leave(*by),
        Op::SetAdmin { by, user, admin, .. } => model.set_admin(*by, *user, *admin),
        Op::Mute { by, users, muted, .. } => model.mute(*by, users, *muted),
        Op::Block { by, users, .. } => model.block(*by, users),
        Op::Unblock { by, users, .. } => model.unblock(*by, users),
        Op::Transfer { by, to, .. } => model.transfer(*by, *to),
        Op::Dismiss { by, .. } => model.dismiss(*by),
        Op::Create { .. } => unreachable!("creates no group that exists"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn groups_are_what_the_model_says(ops in proptest::collection::vec(op(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new().await;
            for op in &ops {
                pair.apply(op).await;
                pair.compare().await;
            }
        });
    }
}
