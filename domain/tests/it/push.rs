//! Pushes: whom a message or a notice reaches, over what, and what users want of it.

use domain::conversations::ViewChange;
use domain::entry::Content;
use domain::groups::MemberChange;
use domain::messages::{HistoryRange, Outgoing};
use domain::outbox::{Purpose, Task};
use domain::presence::Opening;
use domain::push::{Binding, Delivery, DeviceRef, MessagePage, NewTask, Outcome};
use domain::record::{Mute, PushAudience, PushChannel, PushMode, PushNotice, PushProvider, PushStrategy, Role};
use domain::users::SettingsChange;
use domain::{AppNumber, BootId, Caller, Config, ConversationId, Error, Millis, Seq, SessionId, UserId, UserRef};

use crate::world::{World, direct, id, outgoing, text};

const APP: AppNumber = AppNumber(7);

/// An app that can send over Xiaomi and FCM.
async fn world() -> World {
    world_with(Config::default()).await
}

async fn world_with(config: Config) -> World {
    let world = World::with(domain::record::AppSettings::default(), config).await;
    for provider in [PushProvider::Xiaomi, PushProvider::Fcm] {
        let channel = PushChannel {
            name: format!("{provider:?}"),
            provider: provider as i32,
            app_id: "app".into(),
            app_secret: "secret".into(),
            certificate: "{}".into(),
            ..PushChannel::default()
        };
        world.domain.push.set_channel(&world.server, channel).await.unwrap();
    }
    world
}

async fn bind(world: &World, user: &Caller, device: &str, provider: PushProvider, token: &str) {
    let binding = Binding { provider, token: token.into(), channel: String::new() };
    world.domain.push.bind(user, DeviceRef::Id(device), binding).await.unwrap();
}

/// The push that an entry has left.
async fn task(world: &World, conversation: ConversationId) -> Option<Task> {
    let work = world.domain.outbox.work(APP, conversation, 100).await.unwrap();
    work.due.into_iter().rfind(|task| task.purpose == Purpose::Push)
}

async fn page(world: &World, task: &Task) -> MessagePage {
    let entry = world.domain.outbox.entry(task).await.unwrap().unwrap();
    world.domain.push.page_of_message(task, &entry, None).await.unwrap()
}

/// Sends a text, and tells the tokens that its push goes to.
async fn pushed(world: &World, from: &Caller, to: ConversationId, content: Content) -> Vec<Delivery> {
    let mut message = outgoing(to, &world.clock.now().0.to_string(), "");
    world.pass(1);
    message.content = content;
    world.domain.messages.send(from, Outgoing { ..message }).await.unwrap();
    let task = task(world, to).await.unwrap();
    let deliveries = page(world, &task).await.deliveries;
    world.domain.outbox.done(&task).await.unwrap();
    deliveries
}

fn tokens(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.token.as_str()).collect()
}

async fn connect(world: &World, user: &Caller, device: &str) {
    let boot = BootId(1);
    world.domain.presence.renew(boot).await.unwrap();
    let session = SessionId(id(user).0);
    let opening = Opening {
        boot,
        session,
        platform: 2,
        device_id: device.into(),
        client: String::new(),
        devices_allowed: None,
        again: false,
    };
    world.domain.presence.open(user, opening).await.unwrap();
}

#[tokio::test]
async fn a_message_goes_to_devices_that_are_not_connected() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    bind(&world, &alice, "a", PushProvider::Xiaomi, "alice's").await;
    bind(&world, &bob, "phone", PushProvider::Xiaomi, "phone's").await;
    bind(&world, &bob, "tablet", PushProvider::Fcm, "tablet's").await;
    let here = direct(&alice, &bob);
    let sent = pushed(&world, &alice, here, text("hi")).await;
    assert_eq!(tokens(&sent), ["phone's", "tablet's"], "not to whoever wrote it");
    assert_eq!((sent[0].notice.title.as_str(), sent[0].notice.body.as_str()), ("alice", "hi"));
    assert_eq!((sent[0].badge, sent[0].quiet), (Some(1), false));
    connect(&world, &bob, "phone").await;
    let sent = pushed(&world, &alice, here, text("there?")).await;
    assert_eq!(tokens(&sent), ["tablet's"]);
    assert_eq!(sent[0].badge, Some(2));

    world.domain.push.set_badge(&bob, 0).await.unwrap();
    assert_eq!(pushed(&world, &alice, here, text("?")).await[0].badge, Some(1));
}

#[tokio::test]
async fn a_token_belongs_to_whoever_bound_it_last() {
    let world = world().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    bind(&world, &bob, "phone", PushProvider::Xiaomi, "one").await;
    bind(&world, &carol, "phone", PushProvider::Xiaomi, "one").await;
    assert!(pushed(&world, &alice, direct(&alice, &bob), text("hi")).await.is_empty());
    assert_eq!(tokens(&pushed(&world, &alice, direct(&alice, &carol), text("hi")).await), ["one"]);

    // A new token of the same provider takes the old one's place; unbinding takes all.
    bind(&world, &carol, "phone", PushProvider::Xiaomi, "two").await;
    assert_eq!(tokens(&pushed(&world, &alice, direct(&alice, &carol), text("hi")).await), ["two"]);
    world.domain.push.unbind_token(&carol, PushProvider::Xiaomi, "one").await.unwrap();
    assert_eq!(tokens(&pushed(&world, &alice, direct(&alice, &carol), text("hi")).await), ["two"]);
    world.domain.push.unbind_device(&carol, DeviceRef::Id("phone")).await.unwrap();
    assert!(pushed(&world, &alice, direct(&alice, &carol), text("hi")).await.is_empty());
    assert!(world.domain.push.devices(&carol).await.unwrap().is_empty());
}

#[tokio::test]
async fn users_say_when_they_want_to_be_disturbed() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    bind(&world, &bob, "phone", PushProvider::Xiaomi, "bob's").await;
    let here = direct(&alice, &bob);
    let set = async |change: SettingsChange| {
        world.domain.users.update_settings(&bob, id(&bob), change).await.unwrap();
    };
    // The test's day begins at 6 in the morning of UTC+8.
    set(SettingsChange { no_push_start_hour: Some(6), no_push_end_hour: Some(7), ..SettingsChange::default() }).await;
    assert!(pushed(&world, &alice, here, text("quiet")).await.is_empty());
    world.pass(3_600_000);
    assert_eq!(pushed(&world, &alice, here, text("loud")).await.len(), 1);
    set(SettingsChange { no_push_detail: Some(true), no_sounds: Some(true), ..SettingsChange::default() }).await;
    let hidden = pushed(&world, &alice, here, text("secret")).await.remove(0);
    assert_eq!((hidden.notice.title.as_str(), hidden.notice.body.as_str()), ("", "You have a new message"));
    assert!(hidden.quiet);
    set(SettingsChange { no_push: Some(true), ..SettingsChange::default() }).await;
    assert!(pushed(&world, &alice, here, text("off")).await.is_empty());
}

#[tokio::test]
async fn members_say_what_they_want_to_hear_of_a_group() {
    let world = world().await;
    let (owner, member, bob) = (world.user("owner").await, world.user("member").await, world.user("bob").await);
    bind(&world, &bob, "phone", PushProvider::Xiaomi, "bob's").await;
    let group = world.group(&owner, &[&member, &bob]).await;
    let here = ConversationId::Group(group);
    let set = async |change: ViewChange| world.domain.conversations.update(&bob, here, change).await.unwrap();
    let heard = async |from: &Caller, mention: &[UserId]| {
        let content = Content { mentions: mention.iter().map(|user| user.0).collect(), ..text("x") };
        !pushed(&world, from, here, content).await.is_empty()
    };
    let all = [(&owner, false), (&member, false), (&owner, true), (&member, true)];
    let cases = [
        (PushMode::All, Mute::None, [true, true, true, true]),
        (PushMode::All, Mute::Notifications, [false, false, true, true]),
        (PushMode::None, Mute::None, [false, false, false, false]),
        (PushMode::AdminsAndMentions, Mute::None, [true, false, true, true]),
        (PushMode::Admins, Mute::None, [true, false, true, false]),
        (PushMode::Mentions, Mute::None, [false, false, true, true]),
    ];
    for (mode, mute, wanted) in cases {
        set(ViewChange { push_mode: Some(mode), mute: Some(mute), ..ViewChange::default() }).await;
        for ((from, named), wanted) in all.into_iter().zip(wanted) {
            let mention: &[UserId] = if named { &[id(&bob)] } else { &[] };
            assert_eq!(heard(from, mention).await, wanted, "{mode:?} {mute:?} named: {named}");
        }
    }
    // An admin counts as an owner does.
    let change = MemberChange { role: Some(Role::Admin), ..MemberChange::default() };
    world.domain.groups.update_member(&owner, group, id(&member), change).await.unwrap();
    set(ViewChange { push_mode: Some(PushMode::Admins), ..ViewChange::default() }).await;
    assert!(heard(&member, &[]).await);
}

#[tokio::test]
async fn what_was_read_or_withdrawn_meanwhile_is_not_pushed() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    bind(&world, &bob, "phone", PushProvider::Xiaomi, "bob's").await;
    let here = direct(&alice, &bob);
    let sent = world.send(&alice, here, "1", "hi").await.unwrap();
    let task = task(&world, here).await.unwrap();
    assert_eq!(page(&world, &task).await.deliveries.len(), 1);
    world.domain.conversations.read(&bob, here, sent.seq).await.unwrap();
    assert!(page(&world, &task).await.deliveries.is_empty());
    world.domain.messages.recall(&alice, here, sent.seq).await.unwrap();
    assert_eq!(world.domain.outbox.entry(&task).await.unwrap(), None);
}

#[tokio::test]
async fn whoever_was_connected_is_looked_at_once_more() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    bind(&world, &bob, "phone", PushProvider::Xiaomi, "bob's").await;
    connect(&world, &bob, "phone").await;
    let here = direct(&alice, &bob);
    world.send(&alice, here, "1", "hi").await.unwrap();
    let first = task(&world, here).await.unwrap();
    let found = page(&world, &first).await;
    assert_eq!((tokens(&found.deliveries), &found.connected), (vec![], &vec![id(&bob)]));
    world.domain.push.message_done(&first, found.connected, (vec![], Millis(0))).await.unwrap();
    assert_eq!(task(&world, here).await, None, "not before its time");

    // The phone had fallen asleep, and its session ends.
    world.domain.presence.close(&bob, SessionId(id(&bob).0), BootId(1)).await.unwrap();
    world.pass(90_000);
    let second = task(&world, here).await.unwrap();
    let found = page(&world, &second).await;
    assert_eq!(tokens(&found.deliveries), ["bob's"]);
    world.domain.push.message_done(&second, found.connected, (vec![], Millis(0))).await.unwrap();
    world.pass(900_000);
    assert_eq!(task(&world, here).await, None);
}

#[tokio::test]
async fn only_those_are_tried_again_whom_it_could_not_be_sent_to() {
    let world = world_with(Config { push_page: 2, ..Config::default() }).await;
    let owner = world.user("owner").await;
    let mut members = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let member = world.user(name).await;
        bind(&world, &member, "phone", PushProvider::Xiaomi, name).await;
        members.push(member);
    }
    let group = world.group(&owner, &members.iter().collect::<Vec<_>>()).await;
    let here = ConversationId::Group(group);
    world.send(&owner, here, "1", "hi").await.unwrap();
    let first = task(&world, here).await.unwrap();
    let entry = world.domain.outbox.entry(&first).await.unwrap().unwrap();
    let (mut after, mut all, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = world.domain.push.page_of_message(&first, &entry, after).await.unwrap();
        all.extend(page.deliveries.iter().map(|delivery| delivery.token.clone()));
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
    }
    assert_eq!((all.join(""), pages), ("abcde".to_owned(), 3));
    let failed = vec![id(&members[3]), id(&members[1])];
    let retry = Millis(world.clock.now().0 + 1_000);
    world.domain.push.message_done(&first, vec![], (failed, retry)).await.unwrap();
    world.pass(1_000);
    let again = task(&world, here).await.unwrap();
    let page = page(&world, &again).await;
    assert_eq!(tokens(&page.deliveries), ["b", "d"]);
    assert_eq!(page.deliveries[0].badge, Some(1), "another attempt counts no further");
}

/// Sends a notice as far as it goes, and tells the tokens that it went to.
async fn notified(world: &World, new: NewTask) -> Vec<String> {
    let task = world.domain.push.notify(&world.server, new).await.unwrap();
    let mut all = Vec::new();
    while let Some(page) = world.domain.push.page_of_task(APP, task).await.unwrap() {
        all.extend(page.deliveries.iter().map(|delivery| delivery.token.clone()));
        let outcomes = vec![Outcome::Accepted; page.deliveries.len()];
        if !world.domain.push.settle_page(page, &outcomes).await.unwrap() {
            break;
        }
    }
    all.sort();
    all
}

fn notice() -> PushNotice {
    PushNotice { body: "sale".into(), badge: 1, ..PushNotice::default() }
}

#[tokio::test]
async fn a_notice_finds_its_audience() {
    let world = world_with(Config { push_page: 2, ..Config::default() }).await;
    let push = &world.domain.push;
    let mut users = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let user = world.user(name).await;
        bind(&world, &user, "phone", PushProvider::Xiaomi, name).await;
        users.push(user);
    }
    for user in &users[..3] {
        push.add_tags(user, &["x".into()]).await.unwrap();
    }
    for user in &users[2..] {
        push.add_tags(user, &["y".into()]).await.unwrap();
    }
    push.remove_tags(&users[0], Some(&["x".into()])).await.unwrap();
    push.set_alias(&users[0], "boss", None).await.unwrap();
    push.set_alias(&users[4], "old", None).await.unwrap();
    push.set_alias(&users[4], "boss", None).await.unwrap();
    // A second device, which alone is called so.
    bind(&world, &users[1], "tablet", PushProvider::Xiaomi, "b's tablet").await;
    let tablet = push.register_device(&users[1], "tablet").await.unwrap();
    assert_eq!(push.register_device(&users[1], "tablet").await.unwrap(), tablet, "always the same");
    push.set_alias(&users[1], "screen", Some(&tablet)).await.unwrap();
    assert!(matches!(
        push.set_alias(&users[0], "screen", Some(&tablet)).await,
        Err(Error::Invalid { field: "push_token", .. })
    ));

    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let to = |audience: PushAudience| NewTask { audience, notice: notice(), ..NewTask::default() };
    let tagged = |words: &[&str]| to(PushAudience { tags: list(words), ..PushAudience::default() });
    let called = |words: &[&str]| to(PushAudience { aliases: list(words), ..PushAudience::default() });
    let everybody = to(PushAudience { all: true, ..PushAudience::default() });
    assert_eq!(notified(&world, everybody).await, ["a", "b", "b's tablet", "c", "d", "e"]);
    assert_eq!(notified(&world, tagged(&["x"])).await, ["b", "b's tablet", "c"]);
    assert_eq!(notified(&world, tagged(&["x", "y"])).await, ["b", "b's tablet", "c", "d", "e"], "nobody twice");
    assert_eq!(notified(&world, called(&["boss", "old"])).await, ["a", "e"]);
    assert_eq!(notified(&world, called(&["screen"])).await, ["b's tablet"]);
    let tokens = PushAudience { push_tokens: vec![tablet, "unknown".into()], ..PushAudience::default() };
    assert_eq!(notified(&world, to(tokens)).await, ["b's tablet"]);
    let named = [UserRef::Uid("d".into()), UserRef::Uid("nobody".into()), UserRef::Id(id(&users[0]))];
    let users = NewTask { users: named.into(), notice: notice(), ..NewTask::default() };
    assert_eq!(notified(&world, users).await, ["a", "d"]);
}

#[tokio::test]
async fn a_notice_goes_to_connections_before_providers() {
    let world = world().await;
    let bob = world.user("bob").await;
    bind(&world, &bob, "phone", PushProvider::Xiaomi, "phone's").await;
    bind(&world, &bob, "tablet", PushProvider::Xiaomi, "tablet's").await;
    connect(&world, &bob, "phone").await;
    let notices = ConversationId::Notices(id(&bob));
    let to_bob =
        |strategy| NewTask { users: vec![UserRef::Id(id(&bob))], notice: notice(), strategy, ..NewTask::default() };
    let range = HistoryRange { from: Seq(0), ascending: true, limit: 100 };
    let told = async || {
        let page = world.domain.messages.history(&bob, notices, range).await;
        page.map_or(0, |page| page.entries.len())
    };
    let before = told().await;
    assert_eq!(notified(&world, to_bob(PushStrategy::Providers)).await, ["phone's", "tablet's"]);
    assert_eq!(told().await, before);
    assert_eq!(notified(&world, to_bob(PushStrategy::Combined)).await, ["tablet's"]);
    assert_eq!(told().await, before + 1);
    assert!(notified(&world, to_bob(PushStrategy::Own)).await.is_empty());
    assert_eq!(told().await, before + 2);
    let sequence = vec![PushProvider::Fcm];
    let only_fcm = NewTask { sequence, ..to_bob(PushStrategy::Providers) };
    assert!(notified(&world, only_fcm).await.is_empty());
}

#[tokio::test]
async fn a_notice_is_taken_up_once_and_in_its_time() {
    let world = world().await;
    let bob = world.user("bob").await;
    bind(&world, &bob, "phone", PushProvider::Xiaomi, "bob's").await;
    let push = &world.domain.push;
    let now = world.clock.now().0;
    let new = NewTask {
        users: vec![UserRef::Id(id(&bob))],
        notice: PushNotice { show_from: now + 1_000, show_until: now + 5_000, ..notice() },
        request_id: "r".into(),
        ..NewTask::default()
    };
    let task = push.notify(&world.server, new.clone()).await.unwrap();
    assert_eq!(push.notify(&world.server, new).await.unwrap(), task);
    assert!(push.due_tasks().await.unwrap().is_empty());
    world.pass(1_000);
    assert_eq!(push.due_tasks().await.unwrap(), [(APP, task)]);
    let page = push.page_of_task(APP, task).await.unwrap().unwrap();
    push.postpone_page(&page, Millis(now + 2_000)).await.unwrap();
    assert!(push.due_tasks().await.unwrap().is_empty());
    world.pass(5_000);
    assert_eq!(push.due_tasks().await.unwrap(), [(APP, task)]);
    let page = push.page_of_task(APP, task).await.unwrap().unwrap();
    assert!(page.deliveries.is_empty(), "its end has passed");
    assert!(!push.settle_page(page, &[]).await.unwrap());
    assert!(push.due_tasks().await.unwrap().is_empty());
    let kept = push.tasks(&world.server, &[task]).await.unwrap().remove(0);
    assert!(kept.finished && kept.counts.is_empty());
}

#[tokio::test]
async fn only_the_app_sends_notices_and_sees_secrets() {
    let world = world().await;
    let bob = world.user("bob").await;
    let push = &world.domain.push;
    let audience = PushAudience { all: true, ..PushAudience::default() };
    let new = NewTask { audience, notice: notice(), ..NewTask::default() };
    assert!(matches!(push.notify(&bob, new).await, Err(Error::Denied(_))));
    assert!(matches!(push.tasks(&bob, &[1]).await, Err(Error::Denied(_))));
    assert!(matches!(push.remove_channel(&bob, "Fcm").await, Err(Error::Denied(_))));
    assert!(push.channels(&bob).await.unwrap().iter().all(|channel| channel.app_secret.is_empty()));
    assert!(push.channels(&world.server).await.unwrap().iter().all(|channel| channel.app_secret == "secret"));
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    assert!(push.channels(&nobody).await.is_err());
}

#[tokio::test]
async fn without_a_channel_nothing_is_left_to_be_pushed() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for name in ["Xiaomi", "Fcm"] {
        world.domain.push.remove_channel(&world.server, name).await.unwrap();
    }
    world.send(&alice, direct(&alice, &bob), "1", "hi").await.unwrap();
    assert_eq!(task(&world, direct(&alice, &bob)).await, None);
}
