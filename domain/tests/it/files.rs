//! Files: who may upload and read, what is refused while it comes in, and what is given out.

use domain::files::{Download, FilesConfig, Part, Piece, Size, Ticket};
use domain::record::{FileKind, Role};
use domain::units::ByteSize;
use domain::{Caller, Config, ConversationId, Denial, Error, GroupId, Noun, Result, record};
use futures_util::{TryStreamExt as _, stream};
use image::{DynamicImage, ImageFormat, RgbImage};

use crate::world::{World, direct, id};

async fn world() -> World {
    let files = FilesConfig { location: "memory:".into(), max_size: ByteSize(4_096), ..FilesConfig::default() };
    World::with(record::AppSettings::default(), Config { files, ..Config::default() }).await
}

fn pieces(bytes: &[u8]) -> impl futures_util::Stream<Item = Piece> + Send + use<> {
    let pieces: Vec<Piece> = bytes.chunks(700).map(|piece| Ok(piece.to_vec().into())).collect();
    stream::iter(pieces)
}

async fn upload(world: &World, ticket: &Ticket, bytes: &[u8]) -> Result<record::File> {
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    world.domain.files.upload(&nobody, &ticket.text, "a.bin", pieces(bytes)).await
}

async fn read(download: Download) -> Vec<u8> {
    download.bytes.map_ok(|piece| piece.to_vec()).try_concat().await.unwrap()
}

/// What a caller gets who was told of a share.
async fn load(world: &World, caller: &Caller, share: &str, part: Part) -> Result<Vec<u8>> {
    let link = world.domain.files.link(caller, share, Size::Original).await?;
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    Ok(read(world.domain.files.open(&nobody, &link, part).await?).await)
}

async fn shared(world: &World, caller: &Caller, to: ConversationId, bytes: &[u8]) -> String {
    let ticket = world.domain.files.chat_ticket(caller, to, FileKind::Any).await.unwrap();
    upload(world, &ticket, bytes).await.unwrap();
    ticket.share
}

#[tokio::test]
async fn those_who_take_part_read_what_was_uploaded() {
    let world = world().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let bytes: Vec<u8> = (0..3_000u32).map(|n| n as u8).collect();
    let share = shared(&world, &alice, direct(&alice, &bob), &bytes).await;
    for reader in [&alice, &bob, &world.server] {
        assert_eq!(load(&world, reader, &share, Part::Whole).await.unwrap(), bytes);
    }
    assert_eq!(load(&world, &bob, &share, Part::Span(10, 19)).await.unwrap(), bytes[10..20]);
    assert_eq!(load(&world, &bob, &share, Part::Last(5)).await.unwrap(), bytes[2_995..]);
    assert!(matches!(load(&world, &bob, &share, Part::From(3_000)).await, Err(Error::Invalid { field: "range", .. })));
    let outside = load(&world, &carol, &share, Part::Whole).await;
    assert!(matches!(outside, Err(Error::NotFound(Noun::File))), "who may not read it is not told that it exists");
    let broken = load(&world, &bob, &share.replace('.', "A."), Part::Whole).await;
    assert!(matches!(broken, Err(Error::NotFound(Noun::File))));
}

#[tokio::test]
async fn a_member_who_left_reads_no_more() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let group = world.group(&alice, &[&bob]).await;
    let share = shared(&world, &alice, ConversationId::Group(group), b"hello").await;
    assert_eq!(load(&world, &bob, &share, Part::Whole).await.unwrap(), b"hello");
    world.domain.groups.leave(&bob, group).await.unwrap();
    assert!(matches!(load(&world, &bob, &share, Part::Whole).await, Err(Error::NotFound(Noun::File))));
    let refused = world.domain.files.chat_ticket(&bob, ConversationId::Group(group), FileKind::Any).await;
    assert!(matches!(refused, Err(Error::Denied(Denial::NotMember))));
}

#[tokio::test]
async fn passing_on_makes_another_share_and_no_copy() {
    let world = world().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let share = shared(&world, &alice, direct(&alice, &bob), b"hello").await;
    let passed = world.domain.files.forward(&bob, &share, direct(&bob, &carol)).await.unwrap();
    assert_eq!(load(&world, &carol, &passed, Part::Whole).await.unwrap(), b"hello");
    let stolen = world.domain.files.forward(&carol, &share, direct(&bob, &carol)).await;
    assert!(matches!(stolen, Err(Error::NotFound(Noun::File))));
    world.domain.roster.block(&carol, id(&bob)).await.unwrap();
    let blocked = world.domain.files.forward(&bob, &share, direct(&bob, &carol)).await;
    assert!(matches!(blocked, Err(Error::Denied(Denial::Blocked))));
}

#[tokio::test]
async fn a_ticket_is_good_once_and_for_a_while() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let ticket = async || world.domain.files.chat_ticket(&alice, direct(&alice, &bob), FileKind::Any).await.unwrap();
    let used = ticket().await;
    assert!(matches!(
        world.domain.files.link(&bob, &used.share, Size::Original).await,
        Err(Error::NotFound(Noun::File))
    ));
    upload(&world, &used, b"hello").await.unwrap();
    assert!(matches!(upload(&world, &used, b"other").await, Err(Error::Exists(Noun::File))));
    assert_eq!(load(&world, &bob, &used.share, Part::Whole).await.unwrap(), b"hello");

    let late = ticket().await;
    let link = world.domain.files.link(&bob, &used.share, Size::Original).await.unwrap();
    world.pass(15 * 60 * 1_000);
    assert!(matches!(upload(&world, &late, b"hello").await, Err(Error::Unauthenticated(_))));
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    assert!(matches!(world.domain.files.open(&nobody, &link, Part::Whole).await, Err(Error::Unauthenticated(_))));
}

#[tokio::test]
async fn what_is_too_large_or_of_another_type_is_refused_while_it_comes() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let ticket = async |kind| world.domain.files.chat_ticket(&alice, direct(&alice, &bob), kind).await.unwrap();
    for (kind, bytes, problem) in [
        (FileKind::Any, vec![7; 4_097], "is larger than 4096 bytes"),
        (FileKind::Any, Vec::new(), "is empty"),
        (FileKind::Image, b"<svg onload='alert(1)'/>".to_vec(), "is of another type"),
        (FileKind::Voice, b"\x89PNG\r\n\x1a\n".to_vec(), "is of another type"),
    ] {
        let ticket = ticket(kind).await;
        match upload(&world, &ticket, &bytes).await {
            Err(Error::Invalid { field: "file", message }) => assert!(message.starts_with(problem), "{message}"),
            other => panic!("{other:?}"),
        }
        // A refused upload uses up no ticket.
        let again: &[u8] = if kind == FileKind::Voice { b"#!AMR\n..." } else { b"GIF89a" };
        upload(&world, &ticket, again).await.unwrap();
    }
    let broken = stream::iter([Ok(b"hello".to_vec().into()), Err("broke off".to_owned())]);
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    let cut = world.domain.files.upload(&nobody, &ticket(FileKind::Any).await.text, "", broken).await;
    assert!(matches!(cut, Err(Error::Invalid { field: "file", message }) if message == "broke off"));
}

#[tokio::test]
async fn pictures_have_smaller_forms() {
    let world = world().await;
    let alice = world.user("alice").await;
    let mut png = Vec::new();
    let picture = DynamicImage::from(RgbImage::new(600, 300));
    picture.write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png).unwrap();
    let ticket = world.domain.files.user_avatar_ticket(&alice).unwrap();
    let file = upload(&world, &ticket, &png).await.unwrap();
    assert_eq!((file.mime.as_str(), file.size), ("image/png", png.len() as u64));
    let bob = world.user("bob").await;
    for _ in 0..2 {
        let link = world.domain.files.link(&bob, &ticket.share, Size::Thumbnail).await.unwrap();
        let small = world.domain.files.open(&bob, &link, Part::Whole).await.unwrap();
        assert!(small.shown);
        let read = image::load_from_memory(&read(small).await).unwrap();
        assert_eq!((read.width(), read.height()), (240, 120));
    }
    let share = shared(&world, &alice, direct(&alice, &bob), b"no picture").await;
    let link = world.domain.files.link(&bob, &share, Size::Thumbnail).await.unwrap();
    assert!(matches!(world.domain.files.open(&bob, &link, Part::Whole).await, Err(Error::NotFound(Noun::File))));
}

#[tokio::test]
async fn a_group_picture_is_for_those_who_may_change_the_group() {
    let world = world().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("carol").await);
    let group = world.group(&alice, &[&bob]).await;
    let files = &world.domain.files;
    files.group_avatar_ticket(&alice, group).await.unwrap();
    let denied = async |caller: &Caller, group| match files.group_avatar_ticket(caller, group).await {
        Err(error) => error,
        Ok(_) => panic!("was allowed"),
    };
    assert!(matches!(denied(&bob, group).await, Error::Denied(Denial::NotAdmin)));
    assert!(matches!(denied(&carol, group).await, Error::Denied(Denial::NotMember)));
    assert!(matches!(denied(&alice, GroupId(99)).await, Error::NotFound(Noun::Group)));
    let change = domain::groups::MemberChange { role: Some(Role::Admin), ..Default::default() };
    world.domain.groups.update_member(&alice, group, id(&bob), change).await.unwrap();
    files.group_avatar_ticket(&bob, group).await.unwrap();
}

#[tokio::test]
async fn an_open_file_is_for_whoever_knows_its_name() {
    let world = world().await;
    let alice = world.user("alice").await;
    let nobody = world.domain.apps.anonymous("demo").await.unwrap();
    let refused = world.domain.files.upload_open(&nobody, FileKind::Any, "", pieces(b"hello")).await;
    assert!(matches!(refused, Err(Error::Denied(Denial::Credential))));
    let file = world.domain.files.upload_open(&alice, FileKind::Any, "../a b.txt", pieces(b"hello")).await.unwrap();
    let file = domain::files::FileId::from_bytes(&file.id).unwrap();
    let open = world.domain.files.open_public(&nobody, file, Size::Original, Part::Whole).await.unwrap();
    assert_eq!((open.name.as_str(), open.mime.as_str(), open.shown), ("a b.txt", "application/octet-stream", false));
    assert_eq!(read(open).await, b"hello");

    let bob = world.user("bob").await;
    let ticket = world.domain.files.chat_ticket(&alice, direct(&alice, &bob), FileKind::Any).await.unwrap();
    upload(&world, &ticket, b"hello").await.unwrap();
    let closed = world.domain.files.open_public(&nobody, ticket.file, Size::Original, Part::Whole).await;
    assert!(matches!(closed, Err(Error::NotFound(Noun::File))), "a file of a conversation is not open");
}

#[tokio::test]
async fn nothing_of_one_app_opens_in_another() {
    let world = world().await;
    let new = domain::apps::NewApp { id: Some("other".into()), number: Some(8), ..Default::default() };
    world.domain.apps.create(new).await.unwrap();
    let other = world.domain.apps.operator(domain::AppNumber(8)).await.unwrap();
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let share = shared(&world, &alice, direct(&alice, &bob), b"hello").await;
    let link = world.domain.files.link(&alice, &share, Size::Original).await.unwrap();
    let ticket = world.domain.files.chat_ticket(&alice, direct(&alice, &bob), FileKind::Any).await.unwrap();
    assert!(matches!(load(&world, &other, &share, Part::Whole).await, Err(Error::NotFound(Noun::File))));
    assert!(matches!(world.domain.files.open(&other, &link, Part::Whole).await, Err(Error::Unauthenticated(_))));
    let upload = world.domain.files.upload(&other, &ticket.text, "", pieces(b"hello")).await;
    assert!(matches!(upload, Err(Error::Unauthenticated(_))));
}

#[tokio::test]
async fn a_folder_keeps_files_between_runs() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("files").to_str().unwrap().to_owned();
    let files = FilesConfig { location, ..FilesConfig::default() };
    let world = World::with(record::AppSettings::default(), Config { files, ..Config::default() }).await;
    let alice = world.user("alice").await;
    // More than one part, so that it is written piece by piece.
    let bytes = vec![5; 12 << 20];
    let file = world.domain.files.upload_open(&alice, FileKind::Any, "", pieces(&bytes)).await.unwrap();
    assert_eq!(std::fs::metadata(folder.path().join("files").join(&file.object)).unwrap().len(), bytes.len() as u64);
    let file = domain::files::FileId::from_bytes(&file.id).unwrap();
    let open = world.domain.files.open_public(&alice, file, Size::Original, Part::Last(3)).await.unwrap();
    assert_eq!(read(open).await, [5, 5, 5]);
}
