//! Isolation: whatever one app's caller does with another app's ids, the answer is the one for what does not exist, and nothing changes.

use std::collections::HashMap;
use std::fmt::Debug;

use crate::world::{self, World, direct, id, issue, outgoing, text};
use domain::conversations::{Have, ViewChange};
use domain::groups::{GroupChange, MemberChange, NewGroup, NewSharedFile};
use domain::messages::{HistoryRange, Imported};
use domain::presence::Opening;
use domain::record::{FileKind, Role, Silence};
use domain::roster::{Ask, ContactChange, Friendship, Which};
use domain::users::{NewUser, ProfileChange};
use domain::{
    AppNumber, BootId, Caller, ConversationId, Domain, Epoch, GroupId, GroupRef, MessageId, Seq, SessionId, UserId,
    UserRef,
};

/// What a caller of one app may know, guess or steal of another one's.
struct Ids {
    users: [UserId; 2],
    uid: String,
    username: String,
    group: GroupId,
    gid: String,
    message: MessageId,
    session: SessionId,
    device: String,
}

/// What came of every call, by name.
struct Outcomes {
    ids: Ids,
    found: Vec<(&'static str, String)>,
}

impl Outcomes {
    /// Notes an outcome, with the ids themselves blotted out: both sets of them must be answered alike.
    fn note(&mut self, name: &'static str, outcome: impl Debug) {
        let Ids { users, uid, username, group, gid, message, session, device } = &self.ids;
        let mut text = format!("{outcome:?}");
        for number in [users[0].0, users[1].0, group.0, message.0, session.0] {
            text = text.replace(&number.to_string(), "<id>");
        }
        for name in [uid, username, gid, device] {
            text = text.replace(name.as_str(), "<name>");
        }
        self.found.push((name, text));
    }
}

/// The other app: more of everything, so that its ids are none of the first app's.
async fn other_app(world: &World) -> World {
    let new = domain::apps::NewApp { id: Some("other".into()), number: Some(8), ..Default::default() };
    world.domain.apps.create(new).await.unwrap();
    let server = world.domain.apps.operator(AppNumber(8)).await.unwrap();
    let (domain, store) = (world.domain.clone(), world.store.clone());
    let other = World { domain, store, clock: world.clock.clone(), events: world.events.clone(), server };
    for _ in 0..50 {
        other.domain.users.create(&other.server, NewUser::default()).await.unwrap();
        other.domain.groups.create(&other.server, NewGroup::default()).await.unwrap();
    }
    other
}

/// Every method that takes an id, with these ids.
async fn try_everything(world: &World, caller: &Caller, ids: Ids) -> Vec<(&'static str, String)> {
    let [one, two] = ids.users;
    let (uid, username, group, gid) = (ids.uid.clone(), ids.username.clone(), ids.group, ids.gid.clone());
    let (message, session, device) = (ids.message, ids.session, ids.device.clone());
    let mut outcomes = Outcomes { ids, found: Vec::new() };
    let note = &mut outcomes;
    let domain = &world.domain;

    let names = [
        UserRef::Id(one),
        UserRef::Number(one.0),
        UserRef::Uid(one.to_string()),
        UserRef::Uid(uid),
        UserRef::Username(username.clone()),
    ];
    for name in &names {
        note.note("users.find", domain.users.find(caller, name).await);
        note.note("users.verify_password_of", domain.users.verify_password_of(caller, name, "secret").await);
    }
    note.note("users.find_many", domain.users.find_many(caller, &names).await);
    note.note("users.verify_password", domain.users.verify_password(caller, &username, "secret").await);
    note.note("users.update", domain.users.update(caller, one, ProfileChange::default()).await);
    note.note("users.set_disabled", domain.users.set_disabled(caller, one, true).await);
    note.note("tokens.issue", domain.tokens.issue(caller, one, issue()).await);
    note.note("tokens.act_as", domain.tokens.act_as(caller, one).await.map(|_| ()));
    note.note("tokens.revoke_all", domain.tokens.revoke_all(caller, one).await);
    note.note("devices.list", domain.devices.list(caller, one).await);
    note.note("devices.kick", domain.devices.kick(caller, one, None, 2, "").await);
    note.note("devices.kick one", domain.devices.kick(caller, one, Some(&device), 2, "").await);

    note.note("roster.get", domain.roster.get(caller, one).await);
    note.note("roster.request", domain.roster.request(caller, one, Ask::because("")).await);
    note.note("roster.accept", domain.roster.accept(caller, one).await);
    note.note("roster.decline", domain.roster.decline(caller, one, "").await);
    note.note("roster.remove", domain.roster.remove(caller, one).await);
    note.note("roster.block", domain.roster.block(caller, one).await);
    note.note("roster.unblock", domain.roster.unblock(caller, one).await);
    note.note("roster.list", domain.roster.list(caller, Which::All, None, 100).await);
    note.note("roster.people", domain.roster.people(caller, &[UserRef::Id(one)]).await);
    note.note("roster.may_message", domain.roster.may_message(caller, one, two).await);
    note.note("roster.update", domain.roster.update(caller, one, ContactChange::default()).await);
    note.note("roster.block_all", domain.roster.block_all(caller, &[one], Friendship::Ended).await);
    note.note("roster.requests", domain.roster.requests(caller, None, 100).await);
    note.note("support.supporters", domain.support.supporters(caller, 1).await);
    note.note("support.supporter", domain.support.supporter(caller, 1).await);
    note.note("support.find_customer", domain.support.find_customer(caller, "visitor").await);

    let groups = &domain.groups;
    for name in [GroupRef::Id(group), GroupRef::Number(group.0), GroupRef::Gid(group.to_string()), GroupRef::Gid(gid)] {
        note.note("groups.find", groups.find(caller, &name).await);
    }
    let owned = NewGroup { members: vec![(one, Role::Member)], ..NewGroup::default() };
    note.note("groups.create", groups.create(caller, owned).await);
    note.note("groups.update", groups.update(caller, group, GroupChange::default()).await);
    note.note("groups.dismiss", groups.dismiss(caller, group).await);
    note.note("groups.add_members", groups.add_members(caller, group, &[(one, String::new())]).await);
    note.note("groups.remove_members", groups.remove_members(caller, group, &[one]).await);
    note.note("groups.join", groups.join(caller, group).await);
    note.note("groups.leave", groups.leave(caller, group).await);
    note.note("groups.members", groups.members(caller, group, None, 10).await);
    note.note("groups.member", groups.member(caller, group, one).await);
    note.note("groups.update_member", groups.update_member(caller, group, one, MemberChange::default()).await);
    note.note("groups.transfer", groups.transfer(caller, group, one).await);
    note.note("groups.list", groups.list(caller, None, 100).await);
    try_to_come_in(note, domain, caller, group, one).await;
    let ticket = domain.files.group_avatar_ticket(caller, group).await;
    note.note("files.group_avatar_ticket", ticket.map(|_| ()));
    note.note("rules.silence", domain.rules.silence(caller, Some(one)).await);
    note.note("rules.set_silence", domain.rules.set_silence(caller, Some(one), Silence::default()).await);

    let mut conversations = vec![
        ConversationId::direct(one, two),
        ConversationId::Group(group),
        ConversationId::Notices(one),
        ConversationId::Direct { low: one, high: one },
    ];
    conversations.extend(caller.user().map(|own| ConversationId::direct(own, one)));
    for (n, conversation) in conversations.into_iter().enumerate() {
        let range = HistoryRange { from: Seq(0), ascending: true, limit: 10 };
        note.note("messages.history", domain.messages.history(caller, conversation, range).await);
        note.note("messages.position", domain.messages.position(caller, conversation, message).await);
        note.note("messages.recall", domain.messages.recall(caller, conversation, Seq(1)).await);
        note.note("messages.edit", domain.messages.edit(caller, conversation, Seq(1), text("mine")).await);
        note.note("messages.append", domain.messages.append(caller, conversation, Seq(1), "a", "mine").await);
        let old =
            Imported { sender: note.ids.users[0], client_msg_id: "old".into(), content: text("mine"), said_at: 1 };
        note.note("messages.import", domain.messages.import(caller, conversation, vec![old]).await.map(|_| ()));
        let notice = domain.messages.notify(caller, outgoing(conversation, &format!("n{n}"), "mine")).await;
        note.note("messages.notify", notice.map(|_| ()));
        if let ConversationId::Group(group) = conversation {
            note.note("messages.sweep", domain.messages.sweep(caller, group, note.ids.users[0], Seq(0)).await);
        }
        let ticket = domain.files.chat_ticket(caller, conversation, FileKind::Any).await;
        note.note("files.chat_ticket", ticket.map(|_| ()));
        let set = domain.conversations.set_unread(caller, note.ids.users[0], conversation, 1).await;
        note.note("conversations.set_unread", set);
        note.note("conversations.get", domain.conversations.get(caller, conversation).await);
        note.note("conversations.read", domain.conversations.read(caller, conversation, Seq(1)).await);
        note.note("conversations.receipts", domain.conversations.receipts(caller, conversation, Seq(0)).await);
        let pin = ViewChange { pinned: Some(true), ..ViewChange::default() };
        note.note("conversations.update", domain.conversations.update(caller, conversation, pin).await);
        note.note("conversations.delete", domain.conversations.delete(caller, conversation).await);
        note.note("conversations.typing", domain.conversations.typing(caller, conversation, true).await);
        let sent = domain.messages.send(caller, outgoing(conversation, &format!("{n}"), "mine")).await;
        note.note("messages.send", sent.map(|_| ()));
        let have =
            HashMap::from([(conversation, Have { epoch: Epoch(1), seq: Seq(1), message_ids: vec![MessageId(1)] })]);
        let synced = domain.conversations.sync(caller, &have, None, 100, 10).await;
        note.note("conversations.sync", synced.map(|page| page.items.len()));
    }
    note.note("presence.close", domain.presence.close(caller, session, BootId(1)).await);
    note.note("presence.query", domain.presence.query(caller, &[one, two]).await);
    outcomes.found
}

/// Every way into a group, and what it keeps for its members.
async fn try_to_come_in(note: &mut Outcomes, domain: &Domain, caller: &Caller, group: GroupId, user: UserId) {
    let groups = &domain.groups;
    note.note("groups.id_of", groups.id_of(caller, &GroupRef::Id(group)).await);
    note.note("groups.apply", groups.apply(caller, group, "").await);
    note.note("groups.answer_application", groups.answer_application(caller, group, user, true, "").await);
    note.note("groups.applications", groups.applications(caller, &[group], None, 10).await.map(|_| ()));
    note.note("groups.invite", groups.invite(caller, group, &[user], "").await.map(|_| ()));
    note.note("groups.answer_invitation", groups.answer_invitation(caller, group, None, true).await);
    note.note("groups.invitations", groups.invitations(caller, None, 10).await.map(|listed| listed.page.items));
    note.note("groups.join_code", groups.join_code(caller, group).await.map(|_| ()));
    note.note("groups.quit", groups.quit(caller, group).await);
    note.note("groups.enter", groups.enter(caller, group).await);
    note.note("groups.in_room", groups.in_room(caller, group).await);
    note.note("groups.announce", groups.announce(caller, group, "", "mine").await);
    note.note("groups.announcements", groups.announcements(caller, group).await);
    note.note("groups.announcement", groups.announcement(caller, group, None).await);
    note.note("groups.remove_announcement", groups.remove_announcement(caller, group, 1).await);
    let file = NewSharedFile { name: "f".into(), url: "https://x".into(), ..NewSharedFile::default() };
    note.note("groups.share_file", groups.share_file(caller, group, file).await);
    note.note("groups.files", groups.files(caller, group).await);
    note.note("groups.file", groups.file(caller, group, 1).await);
    note.note("groups.rename_file", groups.rename_file(caller, group, 1, "mine").await);
    note.note("groups.remove_files", groups.remove_files(caller, group, &[1]).await.map(|_| ()));
}

/// Everything that the other app's people can see, as text.
async fn look(world: &World, alice: &Caller, bob: &Caller, group: GroupId) -> String {
    let domain = &world.domain;
    let mut seen = Vec::new();
    for (user, other) in [(alice, bob), (bob, alice)] {
        seen.push(format!("{:?}", domain.users.find(user, &UserRef::Id(id(user))).await));
        seen.push(format!("{:?}", domain.devices.list(user, id(user)).await));
        seen.push(format!("{:?}", domain.roster.list(user, Which::All, None, 100).await));
        seen.push(format!("{:?}", domain.groups.list(user, None, 100).await));
        seen.push(format!("{:?}", domain.groups.members(user, group, None, 100).await));
        seen.push(format!("{:?}", domain.conversations.list(user, None, 100).await));
        seen.push(format!("{:?}", domain.presence.query(user, &[id(user), id(other)]).await));
        for conversation in [direct(alice, bob), ConversationId::Group(group), ConversationId::Notices(id(user))] {
            seen.push(format!("{:?}", world.all(user, conversation).await));
        }
    }
    seen.join("\n")
}

#[tokio::test]
async fn another_apps_ids_are_nobodys() {
    let world = World::new().await;
    let mallory = world.user("mallory").await;
    let acting = world.domain.tokens.act_as(&world.server, id(&mallory)).await.unwrap();

    let other = other_app(&world).await;
    let (alice, bob) = (other.user("alice-uid").await, other.user("bob").await);
    let login = NewUser { username: Some("al-login".into()), password: Some("secret".into()), ..NewUser::default() };
    other.domain.users.create(&other.server, login).await.unwrap();
    let members = vec![(id(&bob), Role::Member)];
    let new = NewGroup { gid: Some("club-gid".into()), members, ..NewGroup::default() };
    let group = GroupId(other.domain.groups.create(&alice, new).await.unwrap().id);
    let sent = other.send(&alice, direct(&alice, &bob), "1", "secret-canary").await.unwrap();
    other.send(&bob, ConversationId::Group(group), "1", "secret-canary").await.unwrap();
    other.domain.roster.request(&alice, id(&bob), Ask::because("secret-canary")).await.unwrap();
    let device = "phone-of-alice".to_owned();
    let opening = Opening {
        boot: BootId(1),
        session: SessionId(77_001),
        platform: 1,
        device_id: device,
        client: String::new(),
        devices_allowed: None,
        again: false,
    };
    other.domain.presence.renew(BootId(1)).await.unwrap();
    other.domain.presence.open(&alice, opening).await.unwrap();

    let before = look(&other, &alice, &bob, group).await;
    world.events.take();
    for caller in [&mallory, &world.server, &acting] {
        let theirs = Ids {
            users: [id(&alice), id(&bob)],
            uid: "alice-uid".into(),
            username: "al-login".into(),
            group,
            gid: "club-gid".into(),
            message: sent.message_id,
            session: SessionId(77_001),
            device: "phone-of-alice".into(),
        };
        let absent = Ids {
            users: [UserId(1_000_000_900_001), UserId(1_000_000_900_002)],
            uid: "nobody-at-all".into(),
            username: "no-login".into(),
            group: GroupId(900_003),
            gid: "nothing".into(),
            message: MessageId(900_004),
            session: SessionId(900_005),
            device: "no-device".into(),
        };
        let theirs = try_everything(&world, caller, theirs).await;
        let absent = try_everything(&world, caller, absent).await;
        assert!(theirs.len() > 60);
        for ((name, theirs), (_, absent)) in theirs.iter().zip(&absent) {
            assert_eq!(theirs, absent, "{name} tells one from the other");
            assert!(!theirs.contains("canary"), "{name}");
        }
        assert!(theirs.iter().any(|(_, outcome)| outcome.contains("NotFound")), "the calls did get through");
    }
    assert_eq!(look(&other, &alice, &bob, group).await, before);
    for (users, event) in world.events.take() {
        assert!(!users.contains(&id(&alice)) && !users.contains(&id(&bob)), "{event:?} reached the other app");
    }
}

#[tokio::test]
async fn the_same_names_and_numbers_are_different_things_in_two_apps() {
    let world = World::new().await;
    let other = other_app(&world).await;
    let (here, there) = (world.user("5").await, other.user("5").await);
    let (friend, stranger) = (world.user("6").await, other.user("6").await);
    assert_eq!((id(&here), id(&friend)), (id(&there), id(&stranger)));
    world.send(&here, direct(&here, &friend), "1", "for this app").await.unwrap();
    let sent = other.send(&there, direct(&there, &stranger), "1", "for the other").await.unwrap();
    assert_eq!(sent.seq, Seq(1), "the same client_msg_id in another app is another message");
    for (world, reader, said) in [(&world, &friend, "for this app"), (&other, &stranger, "for the other")] {
        let read = world.all(reader, direct(&here, &friend)).await;
        assert_eq!(read.iter().map(world::said).collect::<Vec<_>>(), [Some(said)]);
    }
    world.domain.users.set_disabled(&world.server, id(&here), true).await.unwrap();
    let token = other.domain.tokens.issue(&there, id(&there), issue()).await.unwrap();
    other.domain.tokens.authenticate(&token.text).await.unwrap();
}
