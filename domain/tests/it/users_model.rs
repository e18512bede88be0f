//! Random operations on users against a naive model: who has which name, and whom a search finds.

use std::collections::BTreeMap;

use crate::world::World;
use domain::record::Profile;
use domain::users::{NewUser, ProfileChange, Search};
use domain::{Error, Noun, UserId, UserRef};
use proptest::prelude::*;

/// Few names, so that they are fought for. The first is none.
const NAMES: [&str; 4] = ["", "a", "b", "c"];
const UIDS: [&str; 4] = ["5", "6", "alice", "bob"];

#[derive(Debug, Clone)]
enum Op {
    Create { uid: usize, username: usize, mobile: usize },
    Rename { user: usize, username: usize },
    Tell { user: usize, name: usize, mobile: usize, exclusive: bool },
    Delete { user: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let user = || 0usize..6;
    let name = || 0usize..NAMES.len();
    prop_oneof![
        4 => (0usize..UIDS.len(), name(), name())
            .prop_map(|(uid, username, mobile)| Op::Create { uid, username, mobile }),
        4 => (user(), 1usize..NAMES.len()).prop_map(|(user, username)| Op::Rename { user, username }),
        4 => (user(), name(), name(), any::<bool>())
            .prop_map(|(user, name, mobile, exclusive)| Op::Tell { user, name, mobile, exclusive }),
        2 => user().prop_map(|user| Op::Delete { user }),
    ]
}

/// A user as anybody would picture one.
#[derive(Debug, Clone, Default)]
struct Person {
    uid: String,
    username: String,
    name: String,
    mobile: String,
}

struct Pair {
    world: World,
    people: BTreeMap<u64, Person>,
    /// Ids in the order in which they came, those that are gone among them.
    ids: Vec<u64>,
}

impl Pair {
    fn has(&self, what: impl Fn(&Person) -> &str, text: &str, but: Option<u64>) -> bool {
        !text.is_empty() && self.people.iter().any(|(id, person)| what(person) == text && Some(*id) != but)
    }

    async fn apply(&mut self, op: &Op) {
        let (domain, server) = (self.world.domain.clone(), self.world.server.clone());
        match *op {
            Op::Create { uid, username, mobile } => {
                let (uid, username, mobile) = (UIDS[uid], NAMES[username], NAMES[mobile]);
                let new = NewUser {
                    uid: Some(uid.into()),
                    username: Some(username.to_owned()).filter(|name| !name.is_empty()),
                    profile: Profile { mobile: mobile.into(), ..Profile::default() },
                    ..NewUser::default()
                };
                match domain.users.create(&server, new).await {
                    Ok(user) => {
                        assert!(!self.has(|person| &person.uid, uid, None));
                        assert!(!self.has(|person| &person.username, username, None));
                        assert!(!self.ids.contains(&user.id), "an id is given once");
                        self.ids.push(user.id);
                        let (uid, username, mobile) = (uid.into(), username.into(), mobile.into());
                        self.people.insert(user.id, Person { uid, username, mobile, name: String::new() });
                    }
                    Err(Error::Exists(Noun::User)) => assert!(self.has(|person| &person.uid, uid, None)),
                    Err(Error::Exists(Noun::Username)) => {
                        assert!(self.has(|person| &person.username, username, None))
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            Op::Rename { user, username } => {
                let (id, username) = (self.id(user), NAMES[username]);
                let taken = self.has(|person| &person.username, username, Some(id));
                match domain.users.rename(&server, UserId(id), username).await {
                    Ok(()) => {
                        assert!(!taken);
                        self.people.get_mut(&id).unwrap().username = username.into();
                    }
                    Err(Error::Exists(Noun::Username)) => assert!(taken),
                    Err(Error::NotFound(Noun::User)) => assert!(!self.people.contains_key(&id)),
                    Err(other) => panic!("{other:?}"),
                }
            }
            Op::Tell { user, name, mobile, exclusive } => {
                let (id, name, mobile) = (self.id(user), NAMES[name], NAMES[mobile]);
                let change = ProfileChange {
                    name: Some(name.into()),
                    mobile: Some(mobile.into()),
                    exclusive,
                    ..ProfileChange::default()
                };
                match domain.users.update(&server, UserId(id), change).await {
                    Ok(_) => {
                        let person = self.people.get_mut(&id).unwrap();
                        (person.name, person.mobile) = (name.into(), mobile.into());
                    }
                    Err(Error::Exists(Noun::Mobile)) => {
                        assert!(exclusive && self.has(|person| &person.mobile, mobile, Some(id)));
                    }
                    Err(Error::NotFound(Noun::User)) => assert!(!self.people.contains_key(&id)),
                    Err(other) => panic!("{other:?}"),
                }
            }
            Op::Delete { user } => {
                let id = self.id(user);
                let there = self.people.remove(&id).is_some();
                assert_eq!(domain.delete_user(&server, UserId(id)).await.is_ok(), there);
            }
        }
    }

    /// One of those who came, or somebody unknown.
    fn id(&self, user: usize) -> u64 {
        self.ids.get(user).copied().unwrap_or(77)
    }

    async fn compare(&self) {
        let (users, server) = (&self.world.domain.users, &self.world.server);
        for name in &NAMES[1..] {
            let holder = users.find(server, &UserRef::Username((*name).into())).await.ok().map(|user| user.id);
            let meant = self.people.iter().find(|(_, person)| person.username == *name).map(|(id, _)| *id);
            assert_eq!(holder, meant, "the login name {name}");
            assert_eq!(users.is_username_free(server, name).await.unwrap(), meant.is_none());
            for by in [Search::Name, Search::Mobile] {
                let found: Vec<u64> =
                    users.search(server, by, name).await.unwrap().iter().map(|user| user.id).collect();
                let is =
                    |person: &Person| if by == Search::Name { person.name == *name } else { person.mobile == *name };
                let meant: Vec<u64> = self.people.iter().filter(|(_, person)| is(person)).map(|(id, _)| *id).collect();
                assert_eq!(found, meant, "{by:?} {name}");
            }
        }
        for uid in UIDS {
            let holder = users.find(server, &UserRef::Uid(uid.into())).await.ok().map(|user| user.id);
            let meant = self.people.iter().find(|(_, person)| person.uid == uid).map(|(id, _)| *id);
            assert_eq!(holder, meant, "the uid {uid}");
        }
        let mut listed: Vec<u64> =
            users.list(server, None, 100).await.unwrap().items.iter().map(|user| user.id).collect();
        listed.sort_unstable();
        assert_eq!(listed, self.people.keys().copied().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn users_are_who_the_model_says(ops in proptest::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair { world: World::new().await, people: BTreeMap::new(), ids: Vec::new() };
            for op in &ops {
                pair.apply(op).await;
                pair.compare().await;
            }
        });
    }
}
