//! One of every request that a client may make, for the tests that try them all.

use super::*;

/// All but [`typing`], which nobody answers.
pub(super) fn every_request() -> Vec<Body> {
    let conversation = Some(conversation().to_wire());
    let mut all = vec![
        send("1"),
        Body::Recall(wire::Recall { conversation, seq: 1 }),
        Body::Edit(wire::Edit { conversation, seq: 1, content: Some(content()) }),
        Body::SweepMessages(wire::SweepMessages { group: 1, user: 2, from_seq: 0 }),
        history(),
        Body::Sync(wire::Sync::default()),
        Body::ListConversations(wire::ListConversations::default()),
        Body::GetConversation(wire::GetConversation { conversation }),
        Body::CountUnread(wire::CountUnread {}),
        Body::Read(wire::Read { conversation, seq: 1 }),
        Body::UpdateConversation(wire::UpdateConversation { conversation, pinned: Some(true), ..Default::default() }),
        Body::DeleteConversation(wire::DeleteConversation { conversation }),
        Body::Receipts(wire::Receipts { conversation, seq: 0 }),
        Body::PresenceQuery(wire::PresenceQuery { users: vec![1] }),
        Body::PresenceSubscribe(wire::PresenceSubscribe { users: vec![1] }),
        Body::GetUpload(wire::GetUpload { r#for: None, kind: 0 }),
        Body::GetFileLink(wire::GetFileLink { share: "s".into(), size: 1 }),
        Body::ForwardFile(wire::ForwardFile { share: "s".into(), to: conversation }),
        Body::BindPush(wire::BindPush { token: "t".into(), ..Default::default() }),
        Body::SetBadge(wire::SetBadge { badge: 1 }),
        Body::ListPushTags(wire::ListPushTags {}),
        Body::AddPushTags(wire::AddPushTags { tags: vec!["t".into()] }),
        Body::RemovePushTags(wire::RemovePushTags { tags: vec![] }),
        Body::SetPushAlias(wire::SetPushAlias { alias: "a".into() }),
    ];
    all.extend(about_users());
    all.extend(about_groups());
    all.extend(about_joining());
    all
}

fn about_users() -> Vec<Body> {
    vec![
        Body::FindUsers(wire::FindUsers { ids: vec![1], uids: vec!["a".into()] }),
        Body::SearchUsers(wire::SearchUsers::default()),
        Body::GetProfile(wire::GetProfile {}),
        Body::UpdateProfile(wire::UpdateProfile::default()),
        Body::GetSettings(wire::GetSettings {}),
        Body::UpdateSettings(wire::UpdateSettings { friend_policy: Some(3), ..Default::default() }),
        Body::ChangePassword(wire::ChangePassword { old: "o".into(), new: "n".into() }),
        Body::ListDevices(wire::ListDevices {}),
        Body::RemoveDevice(wire::RemoveDevice { id: "phone".into() }),
        Body::ListRoster(wire::ListRoster::default()),
        Body::RequestFriend(wire::RequestFriend { user: 1, ..Default::default() }),
        Body::AnswerFriend(wire::AnswerFriend { user: 1, accept: true, ..Default::default() }),
        Body::AnswerFriend(wire::AnswerFriend { user: 1, ..Default::default() }),
        Body::ListFriendRequests(wire::ListFriendRequests::default()),
        Body::UpdateContact(wire::UpdateContact { user: 1, ..Default::default() }),
        Body::RemoveFriend(wire::RemoveFriend { user: 1 }),
        Body::Block(wire::Block { user: 1, blocked: true }),
        Body::ListFriendGroups(wire::ListFriendGroups {}),
        Body::AddFriendGroups(wire::AddFriendGroups { names: vec!["n".into()], users: vec![1] }),
        Body::DeleteFriendGroups(wire::DeleteFriendGroups { names: vec!["n".into()] }),
    ]
}

fn about_groups() -> Vec<Body> {
    vec![
        Body::CreateGroup(wire::CreateGroup::default()),
        Body::GetGroup(wire::GetGroup { id: 1, gid: String::new() }),
        Body::UpdateGroup(wire::UpdateGroup { id: 1, join_policy: Some(1), ..Default::default() }),
        Body::DismissGroup(wire::DismissGroup { id: 1 }),
        Body::UpgradeGroup(wire::UpgradeGroup { id: 1 }),
        Body::AddMembers(wire::AddMembers { id: 1, users: vec![2] }),
        Body::RemoveMembers(wire::RemoveMembers { id: 1, users: vec![2] }),
        Body::JoinGroup(wire::JoinGroup { id: 1 }),
        Body::LeaveGroup(wire::LeaveGroup { id: 1 }),
        Body::ListGroups(wire::ListGroups::default()),
        Body::SearchGroups(wire::SearchGroups::default()),
        Body::ListMembers(wire::ListMembers { id: 1, ..Default::default() }),
        Body::FindMembers(wire::FindMembers { id: 1, users: vec![2] }),
        Body::UpdateMember(wire::UpdateMember { group: 1, user: 2, ..Default::default() }),
        Body::TransferGroup(wire::TransferGroup { id: 1, user: 2 }),
        Body::BlockMembers(wire::BlockMembers { id: 1, users: vec![2], blocked: true }),
        Body::ListBlocked(wire::ListBlocked { id: 1, ..Default::default() }),
        Body::CountRoom(wire::CountRoom { id: 1 }),
        Body::Announce(wire::Announce { group: 1, ..Default::default() }),
        Body::ListAnnouncements(wire::ListAnnouncements { group: 1 }),
        Body::RemoveAnnouncement(wire::RemoveAnnouncement { group: 1, id: 2 }),
        Body::ShareFile(wire::ShareFile { group: 1, ..Default::default() }),
        Body::ListSharedFiles(wire::ListSharedFiles { group: 1 }),
        Body::RenameSharedFile(wire::RenameSharedFile { group: 1, id: 2, name: "n".into() }),
        Body::RemoveSharedFiles(wire::RemoveSharedFiles { group: 1, ids: vec![2] }),
    ]
}

fn about_joining() -> Vec<Body> {
    vec![
        Body::ApplyToGroup(wire::ApplyToGroup { gid: "g".into(), ..Default::default() }),
        Body::ListApplications(wire::ListApplications { groups: vec![1], ..Default::default() }),
        Body::AnswerApplication(wire::AnswerApplication { group: 1, user: 2, ..Default::default() }),
        Body::InviteToGroup(wire::InviteToGroup { id: 1, users: vec![2], ..Default::default() }),
        Body::ListInvitations(wire::ListInvitations::default()),
        Body::AnswerInvitation(wire::AnswerInvitation { group: 1, ..Default::default() }),
        Body::GetJoinCode(wire::GetJoinCode { id: 1 }),
        Body::JoinByCode(wire::JoinByCode { text: "c".into() }),
    ]
}

pub(super) fn typing() -> Body {
    Body::Typing(wire::Typing { conversation: Some(conversation().to_wire()), user: 0, active: true })
}
