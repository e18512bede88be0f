//! Every command of the wire can be said, and its answer is understood.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
mod fake;

use fake::Fake;
use linnet_sdk::{
    Applied, Client, ContactChange, ConversationChange, ConversationId, Error, FileFor, FileSize, FriendPolicy,
    FriendRequest, Gender, GroupChange, GroupKind, Invited, MemberChange, Mute, NewGroup, NewSharedFile, Options,
    Outgoing, Platform, ProfileChange, PushProvider, Range, Role, Search, Settings, SettingsChange, Target, Transport,
    content,
};

const C: ConversationId = ConversationId::Group(900);

/// Commands that the session says by itself, or that the gateway says.
const NOT_CALLS: [&str; 48] = [
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
    "Swept",
    "Sync",
    "SyncPage",
    "ConversationPage",
    "Conversation",
    "UnreadCount",
    "Receipt",
    "ReceiptList",
    "PresenceList",
    "UserList",
    "Profile",
    "Settings",
    "DeviceList",
    "RosterPage",
    "FriendRequestPage",
    "FriendGroupList",
    "Group",
    "MemberPage",
    "GroupPage",
    "RoomCount",
    "Applied",
    "ApplicationPage",
    "InvitedList",
    "InvitationPage",
    "JoinCode",
    "BlockedPage",
    "Announcement",
    "AnnouncementList",
    "SharedFile",
    "SharedFileList",
    "PushTagList",
    "Upload",
    "FileLink",
    "FileShare",
];

#[tokio::test]
async fn every_command_is_reachable() {
    let fake = Fake::start().await;
    // Nobody listens there.
    let nowhere = Some("http://127.0.0.1:1".to_owned());
    let options =
        Options { transport: Transport::Tcp, files: nowhere, ..Options::new(fake.tcp.to_string(), "alice:1") };
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
    client.profile().await.unwrap();
    assert_eq!(client.settings().await.unwrap(), Settings::default());
    let closed = SettingsChange { friend_policy: Some(FriendPolicy::Closed), ..Default::default() };
    assert_eq!(client.update_settings(closed).await.unwrap().friend_policy, FriendPolicy::Closed);
    client.change_password("old", "new").await.unwrap();
    client.friend_requests(None, 0).await.unwrap();
    assert_eq!(client.friend_groups().await.unwrap()[0].name, "work");
    client.add_friend_groups(&["work"], &[2]).await.unwrap();
    client.delete_friend_groups(&["work"]).await.unwrap();
    assert_eq!(client.conversation(C).await.unwrap().id, C);
    assert_eq!(client.unread_count().await.unwrap(), 4);
    assert_eq!(client.sweep_messages(900, 2).await.unwrap(), 3);
    coming_in(&client).await;
    board(&client).await;
    files(&client).await;
    client.bind_push(PushProvider::Fcm, "token", "").await.unwrap();
    client.add_push_tags(&["beta"]).await.unwrap();
    assert_eq!(client.push_tags().await.unwrap(), ["beta"]);
    client.remove_push_tags(&["beta"]).await.unwrap();
    client.clear_push_tags().await.unwrap();
    client.set_push_alias("al").await.unwrap();
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
    assert!(checked > 70, "the contract was not understood: {checked} commands");
}

async fn coming_in(client: &Client) {
    assert_eq!(client.upgrade_group(900).await.unwrap().kind, GroupKind::Super);
    assert_eq!(client.count_room(900).await.unwrap(), 6);
    assert_eq!(client.blocked_members(900, None, 0).await.unwrap().items[0].by, 1);
    assert_eq!(client.find_members(900, &[2, 3]).await.unwrap().len(), 2);
    client.admins(900).await.unwrap();
    client.muted_members(900, None, 0).await.unwrap();
    assert_eq!(client.apply_to_group(900, "why").await.unwrap(), Applied::Waits);
    assert_eq!(client.applications(&[900], None, 0).await.unwrap().items[0].group, 900);
    client.accept_application(900, 2, "yes").await.unwrap();
    client.decline_application(900, 3, "no").await.unwrap();
    let invited = client.invite_to_group(900, &[2, 3, 4, 5], "come").await.unwrap();
    let failed = Invited::Failed(Error::NotFound("no such user".to_owned()));
    assert_eq!(invited, [(2, Invited::Added), (3, Invited::Waits), (4, Invited::Already), (5, failed)]);
    assert!(client.invitations(None, 0).await.unwrap().items[0].inviter.is_none());
    client.accept_invitation(900, None).await.unwrap();
    client.decline_invitation(900, Some(2)).await.unwrap();
    assert_eq!(client.join_code(900).await.unwrap().text, "c0de");
    assert_eq!(client.join_by_code("c0de").await.unwrap().id, 900);
}

async fn board(client: &Client) {
    assert_eq!(client.announce(900, "t", "c").await.unwrap().content, "c");
    client.announcements(900).await.unwrap();
    client.remove_announcement(900, 1).await.unwrap();
    let file = NewSharedFile { name: "f".to_owned(), ..Default::default() };
    assert_eq!(client.share_file(900, file).await.unwrap().name, "f");
    client.shared_files(900).await.unwrap();
    client.rename_shared_file(900, 1, "g").await.unwrap();
    client.remove_shared_files(900, &[1]).await.unwrap();
}

/// The bytes need a REST service, which is not here: an upload that cannot begin still asks for its right.
async fn files(client: &Client) {
    let refused = client.upload(FileFor::OwnAvatar, "a.png", &b"bytes"[..]).await;
    assert!(matches!(refused, Err(Error::Connect(_))), "{refused:?}");
    let refused = client.download("share", FileSize::Original, 10).await;
    assert!(matches!(refused, Err(Error::Connect(_))), "{refused:?}");
    let again = client.forward_file("http://elsewhere/file?file_sign=share", C).await.unwrap();
    assert!(again.ends_with("/file?file_sign=share-again"), "{again}");
}
