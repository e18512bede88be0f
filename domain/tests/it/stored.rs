//! Stores that earlier versions wrote: whatever was stored once is read for ever.
//!
//! Each file of `tests/stores` holds the rows of such a store, as one version wrote them; a file is never changed, and a version that stores
//! something new adds one. A row is a line: table, home and rest in hex (`-` for nothing), when it expires (`-` for never), the value in hex.

use bytes::Bytes;
use domain::messages::HistoryRange;
use domain::outbox::Purpose;
use domain::push::{Binding, DeviceRef, NewTask};
use domain::record::{AppSettings, PushAudience, PushChannel, PushNotice, PushProvider, Role, Silence, WordAction};
use domain::roster::{Ask, Which};
use domain::users::{NewUser, ProfileChange};
use domain::{AppNumber, Clock, Config, ConversationId, Error, GroupId, Millis, Seq, TABLES, UserRef};
use storage::{Cursor, Home, RawRow, Shelf, Store};

use crate::world::{START, World, direct, id, issue, said, seqs, text};

const FIRST: &str = include_str!("../stores/1.rows");
/// The token of Alice in the first store.
const TOKEN: &str = include_str!("../stores/1.token");

/// What the first version was told to store.
async fn first() -> (World, String) {
    let settings = AppSettings { push: true, webhook_after: true, ..AppSettings::default() };
    let world = World::with(settings, Config::default()).await;
    let (server, domain) = (&world.server, &world.domain);
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let login = NewUser { username: Some("dora".into()), password: Some("secret".into()), ..NewUser::default() };
    domain.users.create(server, login).await.unwrap();
    let profile = ProfileChange {
        name: Some("Alice A.".into()),
        signature: Some("Per aspera".into()),
        mobile: Some("+491701234".into()),
        ..ProfileChange::default()
    };
    domain.users.update(&alice, id(&alice), profile).await.unwrap();
    domain.roster.request(&alice, id(&bob), Ask::because("hello")).await.unwrap();
    domain.roster.add_groups(&alice, &["family".into()], &[id(&bob)]).await.unwrap();

    let here = direct(&alice, &bob);
    for (n, words) in ["one", "two", "three"].into_iter().enumerate() {
        world.send(&alice, here, &n.to_string(), words).await.unwrap();
        world.pass(1_000);
    }
    domain.messages.edit(&alice, here, Seq(1), text("uno")).await.unwrap();
    domain.messages.recall(&alice, here, Seq(2)).await.unwrap();
    domain.conversations.read(&bob, here, Seq(1)).await.unwrap();
    let group = world.group(&alice, &[&bob]).await;
    world.send(&bob, ConversationId::Group(group), "g", "in the group").await.unwrap();
    domain.groups.announce(&alice, group, "title", "announced").await.unwrap();

    let channel = PushChannel {
        name: "main".into(),
        provider: PushProvider::Xiaomi.into(),
        app_id: "com.app".into(),
        app_secret: "secret".into(),
        ..PushChannel::default()
    };
    domain.push.set_channel(server, channel).await.unwrap();
    let binding = Binding { provider: PushProvider::Xiaomi, token: "device-token".into(), channel: String::new() };
    domain.push.bind(&bob, DeviceRef::Id("phone"), binding).await.unwrap();
    domain.push.add_tags(&bob, &["vip".into()]).await.unwrap();
    let task = NewTask {
        audience: PushAudience { all: true, ..PushAudience::default() },
        users: Vec::new(),
        notice: PushNotice { title: "News".into(), body: "for all".into(), ..PushNotice::default() },
        strategy: domain::record::PushStrategy::Combined,
        sequence: Vec::new(),
        request_id: "request".into(),
    };
    domain.push.notify(server, task).await.unwrap();

    let silence = Silence { group_until: START + 3_600_000, ..Silence::default() };
    domain.rules.set_silence(server, Some(id(&carol)), silence).await.unwrap();
    domain.rules.add_words(server, &["rude".into()], WordAction::Mask).await.unwrap();
    let store = domain.support.create_store(server, "Help").await.unwrap();
    domain.support.add_supporters(server, store.id, &[id(&bob)]).await.unwrap();
    let token = domain.tokens.issue(server, id(&alice), issue()).await.unwrap().text;
    (world, token)
}

/// A process of today over the rows of a store, at the time at which they were written.
async fn load(rows: &str) -> World {
    let clock = Clock::manual(Millis(START + 10_000));
    let store = Store::memory(clock.clone());
    for line in rows.lines() {
        let (shelf, row) = parse(line);
        store.put_rows(&shelf, vec![row]).await.unwrap();
    }
    World::over(store, clock).await
}

fn parse(line: &str) -> (Shelf, RawRow) {
    let bytes = |text: &str| Bytes::from(if text == "-" { Vec::new() } else { hex::decode(text).unwrap() });
    let [code, home, rest, expires, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let code: u8 = code.parse().unwrap();
    let table = *TABLES.iter().find(|table| table.code == code).expect("a table is never taken away");
    let expires = (expires != "-").then(|| Millis(expires.parse().unwrap()));
    (Shelf { table, home: Home::new(bytes(home)) }, RawRow { rest: bytes(rest), value: bytes(value), expires })
}

/// The rows of a store, as lines.
async fn lines(store: &Store) -> String {
    let text = |bytes: &[u8]| if bytes.is_empty() { "-".to_owned() } else { hex::encode(bytes) };
    let mut lines = String::new();
    for shelf in store.shelves(TABLES, &Cursor::default(), usize::MAX).await.unwrap().items {
        for row in store.shelf(&shelf, &Cursor::default(), usize::MAX, usize::MAX).await.unwrap().items {
            let expires = row.expires.map_or_else(|| "-".to_owned(), |at| at.0.to_string());
            let (home, rest, value) = (text(shelf.home.as_bytes()), text(&row.rest), text(&row.value));
            lines += &format!("{} {home} {rest} {expires} {value}\n", shelf.table.code);
        }
    }
    lines
}

#[tokio::test]
async fn the_first_store_is_read() {
    let world = load(FIRST).await;
    let domain = &world.domain;
    let alice = domain.tokens.authenticate(TOKEN.trim()).await.unwrap();
    let profile = domain.users.find(&alice, &UserRef::Uid("alice".into())).await.unwrap().profile.unwrap();
    assert_eq!(
        (&profile.name[..], &profile.signature[..], &profile.mobile[..]),
        ("Alice A.", "Per aspera", "+491701234")
    );
    domain.users.verify_password(&world.server, "dora", "secret").await.unwrap();
    let act_as = async |uid: &str| {
        let user = domain.users.find(&world.server, &UserRef::Uid(uid.into())).await.unwrap();
        domain.tokens.act_as(&world.server, domain::UserId(user.id)).await.unwrap()
    };
    let (bob, carol) = (act_as("bob").await, act_as("carol").await);
    let friends = domain.roster.list(&alice, Which::Friends, None, 10).await.unwrap().items;
    assert_eq!(friends.len(), 1);
    assert_eq!(domain.roster.groups(&alice).await.unwrap().len(), 1);

    let here = direct(&alice, &bob);
    let range = HistoryRange { from: Seq(0), ascending: true, limit: 100 };
    let entries = domain.messages.history(&bob, here, range).await.unwrap().entries;
    let told: Vec<_> = entries.iter().filter_map(said).collect();
    assert_eq!((told, entries.len()), (vec!["uno", "three"], 5), "what was edited, withdrawn, and that it was");
    assert!(domain.conversations.unread_total(&bob).await.unwrap() >= 1);
    // What was said goes on, and nothing is said twice.
    let again = world.send(&alice, here, "2", "three").await.unwrap();
    assert_eq!(again.seq, Seq(3));
    let next = world.send(&alice, here, "3", "four").await.unwrap();
    assert_eq!(next.seq, Seq(entries.len() as u64 + 1));
    assert_eq!(seqs(&world.all(&bob, here).await), (1..=next.seq.0).collect::<Vec<_>>());

    let groups = domain.groups.list(&bob, None, 10).await.unwrap().items;
    let group = GroupId(groups[0].id);
    let members = domain.groups.members(&bob, group, None, 10).await.unwrap();
    assert_eq!(members.items.len(), 2);
    assert_eq!(members.items.iter().filter(|member| member.role() == Role::Owner).count(), 1);
    assert_eq!(domain.groups.announcements(&bob, group).await.unwrap()[0].content, "announced");

    assert_eq!(domain.push.channels(&world.server).await.unwrap().len(), 1);
    assert_eq!(domain.push.devices(&bob).await.unwrap()[0].bindings.len(), 1);
    assert_eq!(domain.push.tags(&bob).await.unwrap(), ["vip"]);
    assert_eq!(domain.push.due_tasks().await.unwrap().len(), 1);
    let due = domain.outbox.work(AppNumber(7), ConversationId::Group(group), 10).await.unwrap().due;
    assert!(due.iter().any(|task| task.purpose == Purpose::Webhook && task.seq.0 > 0), "{due:?}");
    domain.outbox.sweep().await.unwrap();

    assert_eq!(domain.rules.silence(&world.server, Some(id(&carol))).await.unwrap().group_until, START + 3_600_000);
    assert_eq!(domain.rules.words(&world.server, None, 10).await.unwrap().items.len(), 1);
    let stores = domain.support.stores(&world.server).await.unwrap();
    assert_eq!(domain.support.supporters(&world.server, stores[0].id).await.unwrap().len(), 1);
}

/// During an upgrade, older processes meet rows with fields that they do not know. They read them; and where they would write such a row anew,
/// which would lose those fields, their commit fails, because it expects the row as they know it.
#[tokio::test]
async fn an_older_version_does_not_write_over_what_it_does_not_know() {
    let world = load(FIRST).await;
    let user = TABLES.iter().find(|table| table.name == "user").unwrap();
    let mut newer = Vec::new();
    for (shelf, mut row) in FIRST.lines().map(parse).filter(|(shelf, _)| shelf.table.code == user.code) {
        // Field 1000, a number: 7.
        row.value = [&row.value[..], &[0xc0, 0x3e, 0x07]].concat().into();
        world.store.put_rows(&shelf, vec![row.clone()]).await.unwrap();
        newer.push((shelf, row));
    }
    let alice = world.domain.tokens.authenticate(TOKEN.trim()).await.unwrap();
    let found = world.domain.users.find(&alice, &UserRef::Id(id(&alice))).await.unwrap();
    assert_eq!(found.profile.unwrap().name, "Alice A.");
    let change = ProfileChange { name: Some("Al".into()), ..ProfileChange::default() };
    let refused = world.domain.users.update(&alice, id(&alice), change).await;
    assert!(matches!(refused, Err(Error::Limited { .. })), "{refused:?}");
    for (shelf, row) in newer {
        let kept = world.store.shelf(&shelf, &Cursor::default(), 10, usize::MAX).await.unwrap().items;
        assert_eq!(kept, [row]);
    }
}

/// Writes the files of a new version's store, for whoever adds one.
#[tokio::test]
#[ignore = "writes files"]
async fn write_a_store() {
    let (world, token) = first().await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("new.rows"), lines(&world.store).await).unwrap();
    std::fs::write(folder.join("new.token"), token + "\n").unwrap();
}
