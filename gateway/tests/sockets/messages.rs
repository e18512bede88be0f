//! What users do: log in, talk, ask.

use proto::wire;
use wire::error::Code;
use wire::frame::Body;

use crate::client::{Client, content, hello, said, seq_and_text};
use crate::world::{World, direct};

async fn relays(connect: impl AsyncFn(&World) -> Client) {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut sender = connect(&world).await;
    let welcome = sender.log_in(&alice, "a1").await;
    assert_eq!((welcome.user, welcome.uid.as_str()), (alice.id.0, "alice"));
    assert_eq!(welcome.resumed(), wire::Resumed::New);
    assert_eq!((welcome.heartbeat_ms, welcome.max_frame), (300_000, 1 << 20));
    let mut receiver = connect(&world).await;
    receiver.log_in(&bob, "b1").await;

    let conversation = direct(&alice, &bob);
    for number in 1..=3u64 {
        let text = format!("message {number} {}", "x".repeat(20_000));
        let ack = sender.say(conversation, &number.to_string(), &text).await;
        assert_eq!((ack.seq, ack.client_msg_id), (number, number.to_string()));
        assert_eq!(receiver.heard().await, (number, text));
    }
    let ack = receiver.say(conversation, "1", "an answer").await;
    assert_eq!(ack.seq, 4);
    assert_eq!(sender.heard().await, (4, "an answer".to_owned()));
    assert!(matches!(sender.ask(Body::Ping(wire::Ping {})).await, Body::Pong(pong) if pong.server_time > 0));
    world.gateway.stop().await;
}

#[tokio::test]
async fn messages_pass_over_tcp() {
    relays(async |world| Client::tcp(world.gateway.addresses().tcp.unwrap()).await).await;
}

#[tokio::test]
async fn messages_pass_over_tls() {
    relays(async |world| Client::tls(world.gateway.addresses().tls.unwrap()).await).await;
}

#[tokio::test]
async fn messages_pass_over_quic() {
    relays(async |world| Client::quic(world.gateway.addresses().quic.unwrap()).await).await;
}

#[tokio::test]
async fn a_best_effort_message_reaches_whoever_is_connected_and_is_not_answered() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (mut sender, mut receiver) = (world.device(&alice, "a1").await, world.device(&bob, "b1").await);
    let Body::Send(send) = said(direct(&alice, &bob), "1", "here I am") else { unreachable!() };
    let body = Some(Body::Send(wire::Send { online_only: true, ..send }));
    sender.send_raw(&proto::frame::encode_to_bytes(&wire::Frame { id: 0, body })).await;
    assert_eq!(receiver.heard().await, (0, "here I am".to_owned()));
    // The next answer is the first thing that its sender hears.
    let id = sender.send(Body::Ping(wire::Ping {})).await;
    assert!(
        matches!(sender.next().await, Some(wire::Frame { id: answered, body: Some(Body::Pong(_)) }) if answered == id)
    );
    world.gateway.stop().await;
}

#[tokio::test]
async fn every_device_sees_every_seq_once_and_in_order_and_acks_stand_in_for_own_messages() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut phone = world.device(&alice, "phone").await;
    let mut tablet = world.connect().await;
    assert!(matches!(tablet.ask(hello(&alice.token, "tablet", wire::Platform::Ios)).await, Body::Welcome(_)));
    let mut other = world.device(&bob, "b1").await;

    // Both write without waiting for anything.
    const EACH: u64 = 200;
    for number in 0..EACH {
        phone.send(said(conversation, &format!("a{number}"), "from the phone")).await;
        other.send(said(conversation, &format!("b{number}"), "from the other")).await;
    }
    for (client, own) in [(&mut phone, "from the other"), (&mut other, "from the phone")] {
        for expected in 1..=2 * EACH {
            match client.next().await.unwrap().body.unwrap() {
                Body::SendAck(ack) => assert_eq!(ack.seq, expected),
                Body::Push(push) => {
                    let (seq, text) = seq_and_text(push.deliveries[0].entry.as_ref().unwrap());
                    assert_eq!((seq, text.as_str()), (expected, own), "one's own message is not pushed back");
                }
                body => panic!("{body:?}"),
            }
        }
    }
    for expected in 1..=2 * EACH {
        assert_eq!(tablet.heard().await.0, expected);
    }
}

#[tokio::test]
async fn a_retry_is_answered_with_the_first_seq() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut client = world.device(&alice, "a1").await;
    let first = client.say(conversation, "same", "hello").await;
    assert_eq!(client.say(conversation, "same", "hello").await, first);
    match client.ask(said(conversation, "same", "something else")).await {
        Body::Error(error) => assert_eq!(error.code(), Code::Conflict),
        other => panic!("{other:?}"),
    }
    assert_eq!(client.say(conversation, "next", "hello").await.seq, 2);
}

#[tokio::test]
async fn what_was_missed_is_there_to_sync_and_to_read() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut sender = world.device(&alice, "a1").await;
    for number in 1..=30 {
        sender.say(conversation, &number.to_string(), "hello").await;
    }
    let mut receiver = world.device(&bob, "b1").await;
    let sync = wire::Sync { entries: 200, ..wire::Sync::default() };
    let Body::SyncPage(page) = receiver.ask(Body::Sync(sync)).await else { panic!("no page") };
    assert!(page.next.is_empty());
    let synced = page.conversations.iter().find(|synced| synced.entries.len() == 30).unwrap();
    assert_eq!(synced.verdict(), wire::Verdict::Complete);
    assert_eq!(synced.state.as_ref().unwrap().unread, 30);

    let history = wire::History { conversation: Some(conversation.to_wire()), limit: 5, ..wire::History::default() };
    let Body::HistoryPage(page) = receiver.ask(Body::History(history)).await else { panic!("no page") };
    assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [30, 29, 28, 27, 26]);
    assert!(!page.complete);

    let read = wire::Read { conversation: Some(conversation.to_wire()), seq: 30 };
    assert!(matches!(receiver.ask(Body::Read(read)).await, Body::Ok(_)));
    match sender.next().await.unwrap().body.unwrap() {
        Body::Receipt(receipt) => assert_eq!((receipt.user, receipt.seq), (bob.id.0, 30)),
        other => panic!("{other:?}"),
    }
    for (client, peer_read) in [(&mut receiver, 0), (&mut sender, 30)] {
        let list = wire::ListConversations::default();
        let Body::ConversationPage(page) = client.ask(Body::ListConversations(list)).await else { panic!("no page") };
        assert_eq!(page.conversations.len(), 1);
        assert_eq!((page.conversations[0].unread, page.conversations[0].peer_read_seq), (0, peer_read));
    }

    for (unread, mute, shown) in [(Some(2), None, 2), (None, Some(wire::Mute::Messages), 0)] {
        let conversation = Some(conversation.to_wire());
        let mute = mute.map(i32::from);
        let update = wire::UpdateConversation { conversation, unread, mute, ..wire::UpdateConversation::default() };
        assert!(matches!(receiver.ask(Body::UpdateConversation(update)).await, Body::Ok(_)));
        let Body::SyncPage(page) = receiver.ask(Body::Sync(wire::Sync::default())).await else { panic!("no page") };
        let states = page.conversations.into_iter().filter_map(|synced| synced.state);
        let state = states.max_by_key(|state| state.last_seq).unwrap();
        assert_eq!((state.last_seq, state.unread, state.mute), (30, shown, mute.unwrap_or_default()));
    }
}

#[tokio::test]
async fn pages_are_cut_to_a_frame_and_say_so() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut sender = world.device(&alice, "a1").await;
    let text = "x".repeat(60_000);
    for number in 1..=40 {
        sender.say(conversation, &number.to_string(), &text).await;
    }
    let mut receiver = world.device(&bob, "b1").await;
    let history = wire::History {
        conversation: Some(conversation.to_wire()),
        limit: 200,
        forward: true,
        ..wire::History::default()
    };
    let Body::HistoryPage(page) = receiver.ask(Body::History(history)).await else { panic!("no page") };
    assert!(!page.complete && (10..40).contains(&page.entries.len()), "{}", page.entries.len());
    assert_eq!(page.entries[0].seq, 1);

    let sync = wire::Sync { entries: 200, ..wire::Sync::default() };
    let Body::SyncPage(page) = receiver.ask(Body::Sync(sync)).await else { panic!("no page") };
    let synced = page.conversations.iter().find(|synced| !synced.entries.is_empty()).unwrap();
    assert_eq!(synced.verdict(), wire::Verdict::Truncated);
    assert_eq!(synced.entries.last().unwrap().seq, 40);
    assert_eq!(synced.from_seq, synced.entries[0].seq);
    assert!(synced.from_seq > 1);
}

#[tokio::test]
async fn typing_presence_recall_and_edit_reach_the_other_side() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let conversation = direct(&alice, &bob);
    let mut one = world.device(&alice, "a1").await;
    let subscribe = wire::PresenceSubscribe { users: vec![bob.id.0] };
    let Body::PresenceList(list) = one.ask(Body::PresenceSubscribe(subscribe)).await else { panic!("no list") };
    assert!(!list.presences[0].online);

    let mut other = world.device(&bob, "b1").await;
    match one.next().await.unwrap().body.unwrap() {
        Body::PresenceList(list) => assert!(list.presences[0].online && list.presences[0].user == bob.id.0),
        body => panic!("{body:?}"),
    }
    one.say(conversation, "1", "helo").await;
    assert_eq!(other.heard().await.0, 1);

    let typing = wire::Typing { conversation: Some(conversation.to_wire()), user: 99, active: true };
    other.send(Body::Typing(typing)).await;
    match one.next().await.unwrap().body.unwrap() {
        Body::Typing(typing) => assert_eq!((typing.user, typing.active), (bob.id.0, true)),
        body => panic!("{body:?}"),
    }
    let edit = wire::Edit { conversation: Some(conversation.to_wire()), seq: 1, content: Some(content("hello")) };
    assert!(matches!(one.ask(Body::Edit(edit)).await, Body::Ok(_)));
    assert_eq!(other.heard().await.0, 2);
    let recall = wire::Recall { conversation: Some(conversation.to_wire()), seq: 1 };
    assert!(matches!(other.ask(Body::Recall(recall)).await, Body::Error(error) if error.code() == Code::Denied));
    assert!(matches!(one.ask(Body::Recall(recall)).await, Body::Ok(_)));
    assert_eq!(other.heard().await.0, 3);
}

#[tokio::test]
async fn groups_and_rosters_are_kept_over_the_wire() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut one = world.device(&alice, "a1").await;
    let mut other = world.device(&bob, "b1").await;
    let create = wire::CreateGroup { name: "friends".into(), members: vec![bob.id.0], ..wire::CreateGroup::default() };
    let Body::Group(group) = one.ask(Body::CreateGroup(create)).await else { panic!("no group") };
    assert_eq!((group.members, group.role()), (2, wire::GroupRole::Owner));
    let conversation = domain::ConversationId::Group(domain::GroupId(group.id));
    let ack = one.say(conversation, "1", "hello all").await;
    loop {
        let (seq, text) = other.heard().await;
        if text == "hello all" {
            assert_eq!(seq, ack.seq);
            break;
        }
    }
    let Body::MemberPage(page) =
        other.ask(Body::ListMembers(wire::ListMembers { id: group.id, ..Default::default() })).await
    else {
        panic!("no members")
    };
    assert_eq!(page.members.len(), 2);
    let Body::GroupPage(page) = other.ask(Body::ListGroups(wire::ListGroups::default())).await else {
        panic!("no page")
    };
    assert_eq!((page.groups.len(), page.groups[0].role()), (1, wire::GroupRole::Member));
    let silence = wire::UpdateMember { group: group.id, user: bob.id.0, muted_until: Some(-1), ..Default::default() };
    assert!(matches!(one.ask(Body::UpdateMember(silence)).await, Body::Ok(_)));
    match other.ask(said(conversation, "y", "am I heard?")).await {
        Body::Error(error) => assert_eq!(error.code(), Code::Denied),
        body => panic!("{body:?}"),
    }
    let search = wire::SearchGroups { beginning: "g".into(), ..Default::default() };
    assert!(matches!(other.ask(Body::SearchGroups(search)).await, Body::GroupPage(page) if page.groups.is_empty()));
    assert!(matches!(other.ask(Body::LeaveGroup(wire::LeaveGroup { id: group.id })).await, Body::Ok(_)));
    match other.ask(said(conversation, "x", "still here?")).await {
        Body::Error(error) => assert_eq!(error.code(), Code::Denied),
        body => panic!("{body:?}"),
    }
    let block = wire::Block { user: alice.id.0, blocked: true };
    assert!(matches!(other.ask(Body::Block(block)).await, Body::Ok(_)));
    match one.ask(said(direct(&alice, &bob), "y", "hello?")).await {
        Body::Error(error) => assert_eq!(error.code(), Code::Denied),
        body => panic!("{body:?}"),
    }
    let find = wire::FindUsers { ids: vec![bob.id.0], uids: vec!["alice".into(), "nobody".into()] };
    let Body::UserList(list) = one.ask(Body::FindUsers(find)).await else { panic!("no users") };
    assert_eq!(list.users.len(), 2);
    let named = wire::UpdateProfile { name: Some("Bob the Builder".into()), ..Default::default() };
    assert!(matches!(other.ask(Body::UpdateProfile(named)).await, Body::Ok(_)));
    let search = wire::SearchUsers { text: "Bob the Builder".into(), ..Default::default() };
    let Body::UserList(list) = one.ask(Body::SearchUsers(search)).await else { panic!("no users") };
    assert_eq!(list.users.iter().map(|user| user.id).collect::<Vec<_>>(), [bob.id.0]);
    let Body::DeviceList(list) = one.ask(Body::ListDevices(wire::ListDevices {})).await else { panic!("no devices") };
    assert_eq!(list.devices.len(), 1);
    let unknown = one.ask(Body::RemoveDevice(wire::RemoveDevice { id: "toaster".into() })).await;
    assert!(matches!(unknown, Body::Error(error) if error.code() == Code::NotFound));
}
