//! Random operations by several users and devices, in one process or in turn in several that share a store, against a model too simple to be wrong.
//!
//! The model keeps every log as a plain list and works out from it what each user may see. After every operation its answer must be the domain's,
//! and exactly the new entries must have been told, to exactly the members. Devices take what they are told while they are online, and compare now
//! and then; in the end each must hold exactly what its user may see.

mod device;
mod naive;

use std::collections::HashSet;
use std::sync::Arc;

use self::device::Device;
use self::naive::{Model, No};
use crate::world::{Recorder, World, id, outgoing, text};
use domain::{Caller, ConversationId, Denial, Domain, Error, GroupId, Noun, Result, Seq};
use proptest::prelude::*;

const USERS: usize = 4;
const GROUPS: usize = 2;
const DEVICES_EACH: usize = 2;

/// Something that somebody does. Numbers are reduced to what exists when it is done.
#[derive(Debug, Clone)]
enum Op {
    Send { user: usize, to: usize, name: u8, said: u8 },
    Recall { user: usize, at: usize, seq: u64 },
    Edit { user: usize, at: usize, seq: u64, said: u8 },
    Append { user: usize, at: usize, seq: u64, said: u8 },
    Unread { user: usize, at: usize, count: u64 },
    Read { user: usize, at: usize, seq: u64 },
    Delete { user: usize, at: usize },
    Join { user: usize, group: usize },
    Leave { user: usize, group: usize },
    Kick { user: usize, group: usize },
    Block { user: usize, other: usize, blocked: bool },
    Pass { millis: i64 },
    Sync { device: usize, entries: usize, lost: bool },
    Connect { device: usize, online: bool },
}

fn op() -> impl Strategy<Value = Op> {
    let user = || 0..USERS;
    // A user's conversations: with each user, oneself included, in each group, and the notices.
    let place = || 0..USERS + GROUPS + 1;
    let group = || 0..GROUPS;
    let device = || 0..USERS * DEVICES_EACH;
    let seq = || 0..40_u64;
    prop_oneof![
        12 => (user(), 0..USERS + GROUPS, 0..12_u8, 0..3_u8).prop_map(|(user, to, name, said)| Op::Send { user, to, name, said }),
        3 => (user(), place(), seq()).prop_map(|(user, at, seq)| Op::Recall { user, at, seq }),
        3 => (user(), place(), seq(), 0..9_u8).prop_map(|(user, at, seq, said)| Op::Edit { user, at, seq, said }),
        2 => (user(), place(), seq(), 0..9_u8).prop_map(|(user, at, seq, said)| Op::Append { user, at, seq, said }),
        2 => (user(), place(), 0..9_u64).prop_map(|(user, at, count)| Op::Unread { user, at, count }),
        3 => (user(), place(), seq()).prop_map(|(user, at, seq)| Op::Read { user, at, seq }),
        2 => (user(), place()).prop_map(|(user, at)| Op::Delete { user, at }),
        2 => (user(), group()).prop_map(|(user, group)| Op::Join { user, group }),
        1 => (user(), group()).prop_map(|(user, group)| Op::Leave { user, group }),
        1 => (user(), group()).prop_map(|(user, group)| Op::Kick { user, group }),
        2 => (user(), user(), any::<bool>()).prop_map(|(user, other, blocked)| Op::Block { user, other, blocked }),
        1 => (0..200_000_i64).prop_map(|millis| Op::Pass { millis }),
        4 => (device(), 1..6_usize, prop::bool::weighted(0.1)).prop_map(|(device, entries, lost)| Op::Sync { device, entries, lost }),
        2 => (device(), any::<bool>()).prop_map(|(device, online)| Op::Connect { device, online }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_device_ends_with_exactly_what_it_may_see(processes in 1..4_usize, ops in prop::collection::vec(op(), 1..160)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut play = Play::new(processes).await;
            for op in ops {
                play.perform(&op).await;
            }
            play.finish().await;
        });
    }
}

/// A world, its model, and the devices.
struct Play {
    world: World,
    /// The processes over its store, and what each told.
    processes: Vec<(Domain, Arc<Recorder>)>,
    /// How many operations there were; each is the next process's.
    turn: usize,
    /// Entries that were told. One whose sender tries again in another process may be told once more.
    told: HashSet<(ConversationId, u64)>,
    users: Vec<Caller>,
    groups: Vec<GroupId>,
    devices: Vec<Device>,
    model: Model,
}

impl Play {
    async fn new(processes: usize) -> Self {
        let world = World::new().await;
        let mut all = vec![(world.domain.clone(), world.events.clone())];
        while all.len() < processes {
            all.push(world.another().await);
        }
        let mut users = Vec::new();
        for number in 0..USERS {
            users.push(world.user(&format!("u{number}")).await);
        }
        let devices = (0..USERS * DEVICES_EACH).map(|number| Device::new(users[number % USERS].clone())).collect();
        let mut play = Self {
            world,
            processes: all,
            turn: 0,
            told: HashSet::new(),
            users,
            groups: Vec::new(),
            devices,
            model: Model::default(),
        };
        for number in 0..GROUPS {
            let (owner, member) = (number, number + 1);
            let group = play.world.group(&play.users[owner], &[&play.users[member]]).await;
            play.groups.push(group);
            play.model.now = play.world.clock.now().0;
            play.model.create_group(group, id(&play.users[owner]), id(&play.users[member]));
            play.check_told();
        }
        play
    }

    fn place(&self, user: usize, number: usize) -> ConversationId {
        match number {
            other if other < USERS => ConversationId::direct(id(&self.users[user]), id(&self.users[other])),
            group if group < USERS + GROUPS => ConversationId::Group(self.groups[group - USERS]),
            _ => ConversationId::Notices(id(&self.users[user])),
        }
    }

    async fn perform(&mut self, op: &Op) {
        self.model.now = self.world.clock.now().0;
        self.turn += 1;
        let domain = self.processes[self.turn % self.processes.len()].0.clone();
        match *op {
            Op::Send { user, to, name, said } => {
                let (to, name, said) = (self.place(user, to), name.to_string(), said.to_string());
                let real = domain.messages.send(&self.users[user], outgoing(to, &name, &said)).await;
                let model = self.model.send(id(&self.users[user]), to, &name, &said);
                same(op, real.map(|sent| (sent.seq.0, sent.time)), model);
            }
            Op::Recall { user, at, seq } => {
                let at = self.place(user, at);
                let real = domain.messages.recall(&self.users[user], at, Seq(seq)).await;
                same(op, real, self.model.recall(id(&self.users[user]), at, seq));
            }
            Op::Edit { user, at, seq, said } => {
                let (at, said) = (self.place(user, at), format!("edit {said}"));
                let real = domain.messages.edit(&self.users[user], at, Seq(seq), text(&said)).await;
                same(op, real, self.model.edit(id(&self.users[user]), at, seq, &said));
            }
            Op::Append { user, at, seq, said } => {
                let (at, said) = (self.place(user, at), format!("+{said}"));
                let real = domain.messages.append(&self.users[user], at, Seq(seq), "", &said).await;
                same(op, real, self.model.extend(id(&self.users[user]), at, seq, &said));
            }
            Op::Unread { user, at, count } => {
                let (at, caller) = (self.place(user, at), &self.users[user]);
                let real = domain.conversations.set_unread(caller, id(caller), at, count).await;
                same(op, real, self.model.set_unread(id(caller), at, count));
            }
            Op::Read { user, at, seq } => {
                let at = self.place(user, at);
                let real = domain.conversations.read(&self.users[user], at, Seq(seq)).await;
                same(op, real, self.model.read(id(&self.users[user]), at, seq));
            }
            Op::Delete { user, at } => {
                let at = self.place(user, at);
                let real = domain.conversations.delete(&self.users[user], at).await;
                same(op, real, self.model.delete(id(&self.users[user]), at));
            }
            Op::Join { user, group } => {
                let real = domain.groups.join(&self.users[user], self.groups[group]).await;
                same(op, real, self.model.join(id(&self.users[user]), self.groups[group]));
            }
            Op::Leave { user, group } => {
                let real = domain.groups.leave(&self.users[user], self.groups[group]).await;
                same(op, real, self.model.leave(id(&self.users[user]), self.groups[group]));
            }
            Op::Kick { user, group } => {
                // The owner of a group has its number.
                let users = [id(&self.users[user])];
                let real = domain.groups.remove_members(&self.users[group], self.groups[group], &users).await;
                same(op, real, self.model.kick(id(&self.users[user]), self.groups[group]));
            }
            Op::Block { user, other, blocked } if user != other => {
                let (roster, other) = (&domain.roster, id(&self.users[other]));
                let caller = &self.users[user];
                let real = if blocked {
                    roster.block(caller, other).await.map(drop)
                } else {
                    roster.unblock(caller, other).await
                };
                real.unwrap();
                self.model.block(id(caller), other, blocked);
            }
            Op::Block { .. } => {}
            Op::Pass { millis } => self.world.pass(millis),
            Op::Sync { device, entries, lost } => {
                self.devices[device].sync(&self.world, entries, lost).await;
                self.check_device(device).await;
            }
            Op::Connect { device, online } => self.devices[device].online = online,
        }
        self.check_told();
    }

    /// Exactly the new entries were told, in order, to exactly those who may see them; devices that are online take them.
    fn check_told(&mut self) {
        let told = self.processes.iter().flat_map(|(_, events)| events.take_entries());
        let mut seen = Vec::new();
        for (mut audience, conversation, entry) in told {
            audience.sort();
            assert_eq!(audience, self.model.members(conversation), "audience of {conversation:?} {}", entry.seq);
            for device in &mut self.devices {
                if device.online && audience.contains(&device.user()) {
                    device.take(conversation, &entry);
                }
            }
            if self.told.insert((conversation, entry.seq)) {
                seen.push((conversation, entry.seq));
            } else {
                assert!(self.processes.len() > 1, "{conversation:?} {} is told twice", entry.seq);
            }
        }
        let mut expected = self.model.take_new();
        // Operations that write to several conversations may do so in any order.
        expected.sort();
        seen.sort();
        assert_eq!(seen, expected);
    }

    /// What a device shows, and what the server says of its user's conversations, is what the model says.
    async fn check_device(&self, number: usize) {
        let device = &self.devices[number];
        let user = device.user();
        assert_eq!(device.shows(), self.model.visible(user), "device {number}");
        for conversation in device.conversations() {
            let real = self.world.domain.conversations.get(device.caller(), conversation).await.unwrap();
            let (read, unread) = self.model.unread(user, conversation);
            assert_eq!((real.read_seq.0, real.unread), (read, unread), "{user} in {conversation:?}");
        }
    }

    async fn finish(mut self) {
        for number in 0..self.devices.len() {
            self.devices[number].sync(&self.world, 1 + number % 4, false).await;
            self.check_device(number).await;
        }
        for user in &self.users {
            let listed = self.world.domain.conversations.list(user, None, 200).await.unwrap().items;
            let mut listed: Vec<_> = listed.into_iter().map(|conversation| conversation.id).collect();
            listed.sort();
            let visible = self.model.visible(id(user));
            let expected: Vec<_> =
                visible.into_iter().filter(|(_, shown)| !shown.is_empty()).map(|(at, _)| at).collect();
            assert_eq!(listed, expected);
        }
    }
}

/// Both say yes with the same answer, or both say the same no.
fn same<T: std::fmt::Debug + PartialEq>(op: &Op, real: Result<T>, model: std::result::Result<T, No>) {
    let real = real.map_err(|error| match error {
        Error::Denied(Denial::Blocked) => No::Blocked,
        Error::Denied(Denial::NotMember) => No::NotMember,
        Error::Denied(Denial::NotAuthor) => No::NotAuthor,
        Error::Denied(Denial::TooLate) => No::TooLate,
        Error::Denied(Denial::OwnerCannotLeave) => No::OwnerCannotLeave,
        Error::NotFound(Noun::Conversation) => No::Conversation,
        Error::NotFound(Noun::Message) => No::Message,
        Error::Reused => No::Reused,
        other => panic!("{op:?}: {other}"),
    });
    assert_eq!(real, model, "{op:?}");
}
