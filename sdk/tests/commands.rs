//! Every command of the wire can be said, and its answer is understood.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
mod fake;

use fake::Fake;
use linnet_sdk::{
    Client, ContactChange, ConversationChange, ConversationId, Error, FriendRequest, Gender, GroupChange, MemberChange,
    Mute, NewGroup, Options, Outgoing, Platform, ProfileChange, PushProvider, Range, Role, Search, Target, Transport,
    content,
};

const C: ConversationId = ConversationId::Group(900);

/// Commands that the session says by itself, or that the gateway says.
const NOT_CALLS: [&str; 26] = [
    "Hello",
    "Welcome",
    "Resume",
    "Resync",
    "Ping",
    "Pong",
    "Kicked",
    "Drain",
    "Error",
    "Ok",
    "SendAck",
    "Push",
    "PushAck",
    "HistoryPage",
    "Sync",
    "SyncPage",
    "ConversationPage",
    "Receipt",
    "ReceiptList",
    "PresenceList",
    "UserList",
    "DeviceList",
    "RosterPage",
    "Group",
    "MemberPage",
    "GroupPage",
];

#[tokio::test]
async fn every_command_is_reachable() {
    let fake = Fake::start().await;
    let options = Options { transport: Transport::Tcp, ..Options::new(fake.tcp.to_string(), "alice:1") };
    let client = Client::connect(options).await.unwrap();
    let content = content::custom("{}");
    let outgoing =
        Outgoing { conversation: C, content: content.clone(), client_msg_id: "m".to_owned(), online_only: true };
    client.submit(outgoing).await.unwrap().acknowledged().await.unwrap();
    client.send(Target::User(2), content.clone()).await.unwrap();
    client.history(C, Range::Forward(1), 0).await.unwrap();
    client.recall(C, 1).await.unwrap();
    client.edit(C, 1, content).await.unwrap();
    assert!(client.conversations(None, 0).await.unwrap().next.is_none());
    client.mark_read(C, 1).await.unwrap();
    client.receipts(C, 0).await.unwrap();
    let change = ConversationChange { pinned: Some(true), mute: Some(Mute::Messages), unread: Some(1), remark: None };
    client.update_conversation(C, change).await.unwrap();
    client.delete_conversation(C).await.unwrap();
    client.typing(C, true).await.unwrap();
    let presence = &client.presence(&[5]).await.unwrap()[0];
    assert_eq!((presence.user, presence.online, &presence.platforms[..]), (5, true, &[Platform::Android][..]));
    assert_eq!(client.subscribe_presence(&[5]).await.unwrap().len(), 1);
    assert_eq!(client.find_users(&[1], &[]).await.unwrap()[0].uid, "alice");
    client.search_users(Search::Mobile, "138").await.unwrap();
    client.devices().await.unwrap();
    client.remove_device("phone").await.unwrap();
    client.update_profile(ProfileChange { gender: Some(Gender::Female), ..Default::default() }).await.unwrap();
    client.roster(None, 10).await.unwrap();
    let request = FriendRequest { reason: "hi".to_owned(), ..FriendRequest::default() };
    client.request_friend(2, request).await.unwrap();
    client.accept_friend(2).await.unwrap();
    client.decline_friend(2, "no").await.unwrap();
    client.update_contact(2, ContactChange { remark: Some("Bobby".to_owned()), ..Default::default() }).await.unwrap();
    client.remove_friend(2).await.unwrap();
    client.block(2, true).await.unwrap();
    let group = client.create_group(NewGroup { name: "g".to_owned(), ..Default::default() }).await.unwrap();
    assert_eq!(group.conversation(), C);
    assert_eq!(client.group(900).await.unwrap().id, 900);
    assert_eq!(client.group_by_gid("x").await.unwrap().gid, "x");
    client.update_group(900, GroupChange { name: Some("h".to_owned()), ..Default::default() }).await.unwrap();
    client.add_members(900, &[2]).await.unwrap();
    client.remove_members(900, &[2]).await.unwrap();
    client.update_member(900, 2, MemberChange { role: Some(Role::Admin), ..Default::default() }).await.unwrap();
    client.block_members(900, &[2], true).await.unwrap();
    client.transfer_group(900, 2).await.unwrap();
    client.search_groups("g", None, 0).await.unwrap();
    client.join_group(900).await.unwrap();
    client.leave_group(900).await.unwrap();
    client.dismiss_group(900).await.unwrap();
    let page = client.members(900, Some(b"cursor"), 1).await.unwrap();
    assert_eq!(page.next.as_deref(), Some(&b"more"[..]));
    client.groups(None, 0).await.unwrap();
    client.bind_push(PushProvider::Fcm, "token", "").await.unwrap();
    client.unbind_push().await.unwrap();
    client.set_badge(1).await.unwrap();
    assert!(matches!(client.conversation_with("nobody".into()).await, Err(Error::NotFound(_))));

    client.close().await;

    // Held against the contract itself, so that a new command cannot be forgotten here.
    let said = fake.state.commands();
    let contract = include_str!("../../proto/wire.proto");
    let body = contract.split("oneof body {").nth(1).unwrap().split("\n  }").next().unwrap();
    let commands = body.lines().filter_map(|line| line.trim().split_once(' ')).filter(|(kind, _)| *kind != "//");
    let mut checked = 0;
    for (command, _) in commands.filter(|(command, _)| !NOT_CALLS.contains(command)) {
        assert!(said.iter().any(|name| name == command), "{command} was never said");
        checked += 1;
    }
    assert!(checked > 25, "the contract was not understood: {checked} commands");
}
