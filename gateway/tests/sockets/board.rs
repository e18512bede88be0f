//! What a group shows its members, and what its leaders do about it.

use domain::ConversationId;
use proto::wire;
use wire::error::Code;
use wire::frame::Body;

use crate::client::Client;
use crate::world::{User, World};

async fn group(client: &mut Client, members: &[&User]) -> wire::Group {
    let members = members.iter().map(|user| user.id.0).collect();
    answer!(client, Body::CreateGroup(wire::CreateGroup { name: "g".into(), members, ..Default::default() }), Group)
}

#[tokio::test]
async fn announcements_are_the_leaders_to_make_and_the_members_to_read() {
    let world = World::new().await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let mut hers = world.device(&owner, "o").await;
    let mut his = world.device(&bob, "b").await;
    let mut other = world.device(&eve, "e").await;
    let group = group(&mut hers, &[&bob]).await.id;
    let announce =
        |content: &str| Body::Announce(wire::Announce { group, title: "News".into(), content: content.into() });
    assert_eq!(refusal!(his, announce("mine")).code(), Code::Denied);
    let first = answer!(hers, announce("first"), Announcement);
    assert_eq!((first.author, first.title.as_str(), first.content.as_str()), (owner.id.0, "News", "first"));
    answer!(hers, announce("second"), Announcement);
    let list = || Body::ListAnnouncements(wire::ListAnnouncements { group });
    let contents = async |client: &mut Client| {
        let all = answer!(client, list(), AnnouncementList).announcements;
        all.into_iter().map(|one| one.content).collect::<Vec<_>>()
    };
    assert_eq!(contents(&mut his).await, ["second", "first"]);
    assert_eq!(refusal!(other, list()).code(), Code::Denied);
    let remove = |id| Body::RemoveAnnouncement(wire::RemoveAnnouncement { group, id });
    assert_eq!(refusal!(his, remove(first.id)).code(), Code::Denied);
    answer!(hers, remove(first.id), Ok);
    assert_eq!(refusal!(hers, remove(first.id)).code(), Code::NotFound);
    assert_eq!(contents(&mut his).await, ["second"]);
}

#[tokio::test]
async fn shared_files_are_listed_renamed_and_taken_off() {
    let world = World::new().await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let mut hers = world.device(&owner, "o").await;
    let mut his = world.device(&bob, "b").await;
    let mut theirs = world.device(&eve, "e").await;
    let group = group(&mut hers, &[&bob, &eve]).await.id;
    let (name, kind) = ("plan.pdf".to_owned(), "pdf".to_owned());
    let share = wire::ShareFile { group, name, size: 9, r#type: kind, url: "https://x/plan".into() };
    let file = answer!(his, Body::ShareFile(share), SharedFile);
    assert_eq!((file.uploader, file.size, file.r#type.as_str()), (bob.id.0, 9, "pdf"));
    let rename = || Body::RenameSharedFile(wire::RenameSharedFile { group, id: file.id, name: "b.pdf".into() });
    assert_eq!(refusal!(theirs, rename()).code(), Code::Denied);
    answer!(his, rename(), Ok);
    let list = || Body::ListSharedFiles(wire::ListSharedFiles { group });
    let files = answer!(theirs, list(), SharedFileList).files;
    assert_eq!((files.len(), files[0].name.as_str(), files[0].url.as_str()), (1, "b.pdf", "https://x/plan"));
    let remove = || Body::RemoveSharedFiles(wire::RemoveSharedFiles { group, ids: vec![file.id] });
    assert_eq!(refusal!(theirs, remove()).code(), Code::Denied);
    answer!(hers, remove(), Ok);
    assert!(answer!(theirs, list(), SharedFileList).files.is_empty());
}

#[tokio::test]
async fn leaders_list_who_leads_and_who_is_silent_and_sweep_what_one_said() {
    let world = World::new().await;
    let (owner, bob, eve) = (world.user("owner").await, world.user("bob").await, world.user("eve").await);
    let mut hers = world.device(&owner, "o").await;
    let mut his = world.device(&bob, "b").await;
    let group = group(&mut hers, &[&bob, &eve]).await.id;
    let conversation = ConversationId::Group(domain::GroupId(group));
    let update = |user: &User, role, muted_until| {
        let update = wire::UpdateMember { group, user: user.id.0, role, muted_until, ..Default::default() };
        let field = wire::CustomField { key: "k".into(), value: "v".into() };
        Body::UpdateMember(wire::UpdateMember { custom_fields: vec![field], ..update })
    };
    answer!(hers, update(&bob, Some(wire::GroupRole::Admin.into()), None), Ok);
    answer!(hers, update(&eve, None, Some(-1)), Ok);
    for (which, user) in [(wire::list_members::Which::Admins, &bob), (wire::list_members::Which::Muted, &eve)] {
        let list = wire::ListMembers { id: group, which: which.into(), ..Default::default() };
        let members = answer!(hers, Body::ListMembers(list), MemberPage).members;
        assert_eq!((members.len(), members[0].user.as_ref().unwrap().id), (1, user.id.0));
        assert_eq!(members[0].custom_fields[0].value, "v");
    }

    for number in 0..3 {
        his.say(conversation, &number.to_string(), "noise").await;
    }
    let get = || Body::GetConversation(wire::GetConversation { conversation: Some(conversation.to_wire()) });
    assert_eq!(answer!(hers, get(), Conversation).unread, 3);
    assert_eq!(answer!(hers, Body::CountUnread(wire::CountUnread {}), UnreadCount).count, 3);
    let sweep = Body::SweepMessages(wire::SweepMessages { group, user: bob.id.0, from_seq: 0 });
    let swept = answer!(hers, sweep.clone(), Swept);
    assert_eq!((swept.recalled, swept.next_seq), (3, 0));
    assert_eq!(answer!(hers, sweep, Swept).recalled, 0);
    assert_eq!(answer!(hers, get(), Conversation).unread, 0, "what was withdrawn does not count");

    let upgraded = answer!(hers, Body::UpgradeGroup(wire::UpgradeGroup { id: group }), Group);
    assert_eq!(upgraded.kind(), wire::GroupKind::Super);
    assert_eq!(refusal!(his, Body::UpgradeGroup(wire::UpgradeGroup { id: group })).code(), Code::Denied);
    assert_eq!(refusal!(his, Body::CountRoom(wire::CountRoom { id: group })).code(), Code::NotFound, "it is no room");
}

#[tokio::test]
async fn rights_to_files_are_for_who_takes_part() {
    let world = World::new().await;
    let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
    let mut hers = world.device(&alice, "a").await;
    let mut others = world.device(&eve, "e").await;
    let group = group(&mut hers, &[&bob]).await.id;
    let upload = |r#for| Body::GetUpload(wire::GetUpload { r#for, kind: wire::FileKind::Image.into() });
    use wire::get_upload::For;
    let into = crate::world::direct(&alice, &bob).to_wire();
    let right = answer!(hers, upload(Some(For::Conversation(into))), Upload);
    assert!(right.path.starts_with("/media/") && right.url_path.ends_with(&right.share) && right.ticket.contains('.'));
    assert_eq!(refusal!(others, upload(Some(For::Conversation(into)))).code(), Code::NotFound);
    assert_eq!(refusal!(others, upload(Some(For::GroupAvatar(group)))).code(), Code::Denied);
    answer!(hers, upload(Some(For::GroupAvatar(group))), Upload);
    answer!(others, upload(None), Upload);
    // Nothing was uploaded: there is no such file, for anyone.
    for client in [&mut hers, &mut others] {
        let get = wire::GetFileLink { share: right.share.clone(), size: 0 };
        assert_eq!(refusal!(client, Body::GetFileLink(get)).code(), Code::NotFound);
    }
    let to = Some(crate::world::direct(&alice, &eve).to_wire());
    let forward = |share: &str| Body::ForwardFile(wire::ForwardFile { share: share.to_owned(), to });
    let share = answer!(hers, forward(&right.share), FileShare);
    assert_ne!(share.share, right.share);
    assert_eq!(refusal!(others, forward(&right.share)).code(), Code::NotFound);
}
