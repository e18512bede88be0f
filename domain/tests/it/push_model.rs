//! Random changes of devices, tokens and labels, against a naive model of whom a notice reaches.

use std::collections::{BTreeMap, BTreeSet};

use domain::push::{Binding, DeviceRef, NewTask, Outcome};
use domain::record::{AppSettings, PushAudience, PushChannel, PushNotice, PushProvider};
use domain::{AppNumber, Caller, Config};
use proptest::prelude::*;

use crate::world::World;

const USERS: usize = 3;
const DEVICES: [&str; 2] = ["phone", "tablet"];
const PROVIDERS: [PushProvider; 2] = [PushProvider::Xiaomi, PushProvider::Fcm];
const TOKENS: [&str; 3] = ["t0", "t1", "t2"];
const LABELS: [&str; 2] = ["x", "y"];

#[derive(Debug, Clone, Copy)]
enum Op {
    Bind(usize, usize, usize, usize),
    UnbindToken(usize, usize, usize),
    UnbindDevice(usize, usize),
    Register(usize, usize),
    Tag(usize, usize),
    Untag(usize, usize),
    Alias(usize, usize),
    DeviceAlias(usize, usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let (user, device, label) = (0..USERS, 0..DEVICES.len(), 0..LABELS.len());
    let (provider, token) = (0..PROVIDERS.len(), 0..TOKENS.len());
    prop_oneof![
        5 => (user.clone(), device.clone(), provider.clone(), token.clone()).prop_map(|(u, d, p, t)| Op::Bind(u, d, p, t)),
        1 => (user.clone(), provider, token).prop_map(|(u, p, t)| Op::UnbindToken(u, p, t)),
        1 => (user.clone(), device.clone()).prop_map(|(u, d)| Op::UnbindDevice(u, d)),
        2 => (user.clone(), device.clone()).prop_map(|(u, d)| Op::Register(u, d)),
        2 => (user.clone(), label.clone()).prop_map(|(u, l)| Op::Tag(u, l)),
        1 => (user.clone(), label).prop_map(|(u, l)| Op::Untag(u, l)),
        1 => (user.clone(), 0..=LABELS.len()).prop_map(|(u, l)| Op::Alias(u, l)),
        2 => (user, device, 0..=LABELS.len()).prop_map(|(u, d, l)| Op::DeviceAlias(u, d, l)),
    ]
}

/// What is true, as plainly as can be. A device is a user's number and its own.
#[derive(Debug, Default)]
struct Model {
    bound: BTreeMap<((usize, usize), usize), usize>,
    owner: BTreeMap<(usize, usize), (usize, usize)>,
    registered: BTreeMap<(usize, usize), String>,
    tags: BTreeSet<(usize, usize)>,
    aliases: BTreeMap<usize, usize>,
    device_aliases: BTreeMap<(usize, usize), usize>,
}

impl Model {
    /// What a notice to a device goes to: its token of the first provider that has one which is still its own.
    fn reached(&self, device: (usize, usize)) -> Option<String> {
        (0..PROVIDERS.len()).find_map(|provider| {
            let token = *self.bound.get(&(device, provider))?;
            (self.owner.get(&(provider, token)) == Some(&device)).then(|| format!("{provider}{}", TOKENS[token]))
        })
    }

    fn all(&self, meant: impl Fn((usize, usize)) -> bool) -> Vec<String> {
        let devices = (0..USERS).flat_map(|user| (0..DEVICES.len()).map(move |device| (user, device)));
        let mut all: Vec<_> =
            devices.filter(|device| meant(*device)).filter_map(|device| self.reached(device)).collect();
        all.sort();
        all
    }

    fn is_called(&self, device: (usize, usize), label: usize) -> bool {
        self.aliases.get(&device.0) == Some(&label) || self.device_aliases.get(&device) == Some(&label)
    }
}

fn named(label: usize) -> String {
    LABELS.get(label).copied().unwrap_or_default().to_owned()
}

async fn apply(world: &World, users: &[Caller], model: &mut Model, op: Op) {
    let push = &world.domain.push;
    world.pass(1);
    match op {
        Op::Bind(user, device, provider, token) => {
            let binding =
                Binding { provider: PROVIDERS[provider], token: TOKENS[token].into(), channel: String::new() };
            push.bind(&users[user], DeviceRef::Id(DEVICES[device]), binding).await.unwrap();
            model.bound.insert(((user, device), provider), token);
            model.owner.insert((provider, token), (user, device));
        }
        Op::UnbindToken(user, provider, token) => {
            push.unbind_token(&users[user], PROVIDERS[provider], TOKENS[token]).await.unwrap();
            if let Some(device) = model.owner.get(&(provider, token)).copied()
                && device.0 == user
                && model.bound.get(&(device, provider)) == Some(&token)
            {
                model.bound.remove(&(device, provider));
            }
        }
        Op::UnbindDevice(user, device) => {
            push.unbind_device(&users[user], DeviceRef::Id(DEVICES[device])).await.unwrap();
            model.bound.retain(|(bound, _), _| *bound != (user, device));
        }
        Op::Register(user, device) => {
            let token = push.register_device(&users[user], DEVICES[device]).await.unwrap();
            model.registered.insert((user, device), token);
        }
        Op::Tag(user, label) => {
            push.add_tags(&users[user], &[named(label)]).await.unwrap();
            model.tags.insert((user, label));
        }
        Op::Untag(user, label) => {
            push.remove_tags(&users[user], Some(&[named(label)])).await.unwrap();
            model.tags.remove(&(user, label));
        }
        Op::Alias(user, label) => {
            push.set_alias(&users[user], &named(label), None).await.unwrap();
            model.aliases.insert(user, label);
        }
        Op::DeviceAlias(user, device, label) => {
            let token = model.registered.get(&(user, device)).map_or("unknown", String::as_str);
            let outcome = push.set_alias(&users[user], &named(label), Some(token)).await;
            assert_eq!(outcome.is_ok(), model.registered.contains_key(&(user, device)));
            if outcome.is_ok() {
                model.device_aliases.insert((user, device), label);
            }
        }
    }
}

/// What a notice goes to, each once.
async fn notified(world: &World, audience: PushAudience) -> Vec<String> {
    let push = &world.domain.push;
    let notice = PushNotice { body: "x".into(), ..PushNotice::default() };
    let task = push.notify(&world.server, NewTask { audience, notice, ..NewTask::default() }).await.unwrap();
    let mut all = BTreeSet::new();
    while let Some(page) = push.page_of_task(AppNumber(7), task).await.unwrap() {
        let place = |provider| PROVIDERS.iter().position(|known| *known == provider).unwrap();
        all.extend(page.deliveries.iter().map(|sent| format!("{}{}", place(sent.channel.provider()), sent.token)));
        let outcomes = vec![Outcome::Accepted; page.deliveries.len()];
        if !push.settle_page(page, &outcomes).await.unwrap() {
            break;
        }
    }
    all.into_iter().collect()
}

async fn run(ops: Vec<Op>) {
    let world = World::with(AppSettings::default(), Config { push_page: 2, ..Config::default() }).await;
    for provider in PROVIDERS {
        let channel = PushChannel {
            name: format!("{provider:?}"),
            provider: provider as i32,
            app_id: "a".into(),
            app_secret: "s".into(),
            certificate: "{}".into(),
            ..PushChannel::default()
        };
        world.domain.push.set_channel(&world.server, channel).await.unwrap();
    }
    let mut users = Vec::new();
    for number in 0..USERS {
        users.push(world.user(&format!("user{number}")).await);
    }
    let mut model = Model::default();
    for op in ops {
        apply(&world, &users, &mut model, op).await;
    }
    let all = PushAudience { all: true, ..PushAudience::default() };
    assert_eq!(notified(&world, all).await, model.all(|_| true));
    for labels in [vec![0], vec![1], vec![0, 1]] {
        let words: Vec<_> = labels.iter().map(|label| named(*label)).collect();
        let tagged = PushAudience { tags: words.clone(), ..PushAudience::default() };
        let carries = |(user, _): (usize, usize)| labels.iter().any(|label| model.tags.contains(&(user, *label)));
        assert_eq!(notified(&world, tagged).await, model.all(carries), "tags {words:?}");
        let called = PushAudience { aliases: words.clone(), ..PushAudience::default() };
        let is_called = |device| labels.iter().any(|label| model.is_called(device, *label));
        assert_eq!(notified(&world, called).await, model.all(is_called), "aliases {words:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_notice_reaches_whom_a_naive_model_reaches(ops in prop::collection::vec(op(), 0..40)) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run(ops));
    }
}
