//! What an app on a phone does besides talking, by the SDK, with gateway and REST in two processes: files go by the one, all else by the other.

use std::time::Duration;

use linnet_sdk::content::{self, Body, Image, Kind, TipKind};
use linnet_sdk::{
    Applied, Client, ConversationId, Error, Event, FileFor, FileKind, FileSize, FriendPolicy, FriendRequest,
    GroupChange, Invited, JoinPolicy, NewGroup, Options, RequestStatus, SettingsChange, Target, Transport,
};

use crate::harness::http::{AppServer, DIALECTS, SHOP};
use crate::harness::{Role, Server, Site};

/// Longest that anything takes.
const WAIT: Duration = Duration::from_secs(30);

/// A picture of 3 times 2 pixels.
fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(3, 2, image::Rgb([200, 30, 30])).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

struct Phones {
    alice: Client,
    bob: Client,
    eve: Client,
    /// By uid.
    ids: [u64; 3],
    tokens: Vec<String>,
    app_server: AppServer,
    _servers: [Server; 2],
    _site: Site,
}

impl Phones {
    async fn new() -> Self {
        let site = Site::new();
        let create = ["app", "create", "--id", SHOP.id, "--number", SHOP.number, "--key", SHOP.key];
        site.run(&[&create[..], &["--secret", SHOP.secret, "--admin", SHOP.admin]].concat());
        let gateway = site.start(Role::Gateway);
        let rest = site.start(Role::Rest);
        let app_server = AppServer::new(rest.url(""));
        let (mut clients, mut ids, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        for dialect in &DIALECTS[..3] {
            let person = SHOP.register(&app_server, *dialect);
            let options = Options {
                transport: Transport::Tcp,
                files: Some(rest.url("")),
                ..Options::new(gateway.gateway().tcp.to_string(), person.token.clone())
            };
            let client = Client::connect(options).await.unwrap();
            ids.push(client.me().await.unwrap().user);
            tokens.push(person.token);
            clients.push(client);
        }
        let [alice, bob, eve] = clients.try_into().unwrap();
        let ids = ids.try_into().unwrap();
        Self { alice, bob, eve, ids, tokens, app_server, _servers: [gateway, rest], _site: site }
    }
}

/// Waits for a notice of some kind, and answers the group that it is about.
async fn notice(client: &Client, kind: TipKind) -> u64 {
    let mut events = client.events();
    let wait = async {
        while let Some(event) = events.next().await {
            if let Event::Entry(new) = event
                && matches!(new.conversation, ConversationId::Notices(_))
                && let Some(Body::Tip(tip)) = new.entry.body
                && tip.kind() == kind
            {
                return tip.group;
            }
        }
        panic!("the client was closed");
    };
    tokio::time::timeout(WAIT, wait).await.unwrap_or_else(|_| panic!("no notice of {kind:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_reach_whoever_takes_part_and_nobody_else() {
    let phones = Phones::new().await;
    let Phones { alice, bob, eve, ids, .. } = &phones;
    for client in [alice, bob, eve] {
        client.ignore_events().await.unwrap();
    }
    let with_bob = alice.conversation_with(Target::User(ids[1])).await.unwrap();
    let image = FileFor::Conversation(with_bob, FileKind::Image);

    let picture = alice.upload(image, "cat.png", png()).await.unwrap();
    assert_eq!((picture.mime.as_str(), picture.size), ("image/png", png().len() as u64));
    let said = Image { media: Some(picture.media()), ..Image::default() };
    alice.send(with_bob, content::of(Kind::Image(said))).await.unwrap();
    for form in [FileSize::Original, FileSize::Thumbnail, FileSize::Cover] {
        let bytes = bob.download(&picture.url, form, 1 << 20).await.unwrap();
        assert_eq!(image::load_from_memory(&bytes).unwrap().width(), 3, "{form:?}");
    }
    assert_eq!(alice.download(&picture.url, FileSize::Original, 1 << 20).await.unwrap(), png());
    let limited = bob.download(&picture.url, FileSize::Original, 10).await;
    assert!(matches!(limited, Err(Error::TooLarge { limit: 10, .. })), "{limited:?}");
    let refused = eve.download(&picture.url, FileSize::Original, 1 << 20).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");

    // Passed on, it is hers too; nothing was copied.
    let with_eve = alice.conversation_with(Target::User(ids[2])).await.unwrap();
    let again = alice.forward_file(&picture.url, with_eve).await.unwrap();
    assert_eq!(eve.download(&again, FileSize::Original, 1 << 20).await.unwrap(), png());
    let refused = eve.forward_file(&picture.url, with_eve).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");

    // The URL is what other systems' clients load, with a token of their own.
    let path = &picture.url[picture.url.find("/file/").unwrap()..];
    for (token, led) in [(&phones.tokens[1], true), (&phones.tokens[2], false)] {
        let bytes = phones.app_server.fetch(path, &[("access-token", token), ("app_id", SHOP.id)]);
        assert_eq!(bytes == png(), led, "only who takes part is led to the bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_taken_in_as_they_come_and_refused_as_early() {
    let phones = Phones::new().await;
    let Phones { alice, bob, ids, .. } = &phones;
    for client in [alice, bob] {
        client.ignore_events().await.unwrap();
    }
    let with_bob = alice.conversation_with(Target::User(ids[1])).await.unwrap();
    let film: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    let any = FileFor::Conversation(with_bob, FileKind::Any);
    let sent = alice.upload_from(any, "data.bin", &film[..], film.len() as u64).await.unwrap();
    let mut received = Vec::new();
    assert_eq!(bob.download_to(&sent.url, FileSize::Original, &mut received).await.unwrap(), film.len() as u64);
    assert!(received == film);

    let image = FileFor::Conversation(with_bob, FileKind::Image);
    for (bytes, why) in [(film, "no picture"), (Vec::new(), "empty")] {
        let refused = alice.upload(image, "cat.png", bytes).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{why}: {refused:?}");
    }
    let short = alice.upload_from(image, "cat.png", &png()[..], 1_000).await;
    assert!(matches!(short, Err(Error::Options(_))), "{short:?}");

    let face = alice.upload(FileFor::OwnAvatar, "me.png", png()).await.unwrap();
    assert_eq!(bob.download(&face.url, FileSize::Original, 1 << 20).await.unwrap(), png());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_let_in_and_everybody_hears_of_the_end() {
    let phones = Phones::new().await;
    let Phones { alice, bob, eve, ids, .. } = &phones;
    let new = NewGroup { name: "Readers".to_owned(), join_policy: JoinPolicy::Approval, ..NewGroup::default() };
    let group = alice.create_group(new).await.unwrap().id;
    assert_eq!(bob.apply_to_group(group, "I read").await.unwrap(), Applied::Waits);
    assert_eq!(notice(alice, TipKind::GroupApplied).await, group);
    let waiting = alice.applications(&[group], None, 0).await.unwrap().items;
    assert_eq!((waiting[0].user.id, waiting[0].status), (ids[1], RequestStatus::Pending));
    alice.accept_application(group, ids[1], "welcome").await.unwrap();
    assert_eq!(notice(bob, TipKind::ApplicationAccepted).await, group);

    let confirm = SettingsChange { group_confirm: Some(true), ..SettingsChange::default() };
    assert!(eve.update_settings(confirm).await.unwrap().group_confirm);
    let invited = alice.invite_to_group(group, &[ids[2]], "come").await.unwrap();
    assert_eq!(invited, [(ids[2], Invited::Waits)]);
    assert_eq!(notice(eve, TipKind::GroupInvited).await, group);
    eve.accept_invitation(group, Some(ids[0])).await.unwrap();
    assert_eq!(notice(alice, TipKind::InvitationAccepted).await, group);
    assert_eq!(eve.group(group).await.unwrap().members, 3);

    let open = GroupChange { join_policy: Some(JoinPolicy::Open), ..GroupChange::default() };
    let refused = bob.update_group(group, open).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    alice.dismiss_group(group).await.unwrap();
    for client in [alice, bob, eve] {
        assert_eq!(notice(client, TipKind::GroupDismissed).await, group);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_arrange_their_friends() {
    let phones = Phones::new().await;
    let Phones { alice, bob, ids, .. } = &phones;
    let confirm = SettingsChange { friend_policy: Some(FriendPolicy::Confirm), ..SettingsChange::default() };
    bob.update_settings(confirm).await.unwrap();
    let request = FriendRequest { reason: "hi".to_owned(), ..FriendRequest::default() };
    alice.request_friend(ids[1], request).await.unwrap();
    notice(bob, TipKind::FriendRequested).await;
    assert_eq!(bob.friend_requests(None, 0).await.unwrap().items[0].user.id, ids[0]);
    bob.accept_friend(ids[0]).await.unwrap();
    alice.add_friend_groups(&["work"], &[ids[1]]).await.unwrap();
    assert_eq!(alice.friend_groups().await.unwrap()[0].name, "work");
    assert_eq!(alice.roster(None, 0).await.unwrap().items[0].groups, ["work"]);
    assert_eq!(alice.profile().await.unwrap().user.id, ids[0]);
}
