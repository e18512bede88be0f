//! What a group keeps for its members: announcements and shared files.

use domain::entry::entry::Body;
use domain::entry::tip::Kind;
use domain::groups::{GroupChange, NewGroup, NewSharedFile};
use domain::record::Role;
use domain::{Caller, Config, ConversationId, Denial, Error, GroupId, GroupRef, Noun, Result};

use crate::world::{World, id};

/// A group of alice's with bob in it; eve is not.
struct Club {
    world: World,
    alice: Caller,
    bob: Caller,
    eve: Caller,
    group: GroupId,
}

impl Club {
    async fn new(config: Config) -> Self {
        let world = World::with(domain::record::AppSettings::default(), config).await;
        let (alice, bob, eve) = (world.user("alice").await, world.user("bob").await, world.user("eve").await);
        let members = vec![(id(&bob), Role::Member)];
        let new = NewGroup { name: "club".into(), members, ..NewGroup::default() };
        let group = GroupId(world.domain.groups.create(&alice, new).await.unwrap().id);
        Self { world, alice, bob, eve, group }
    }

    /// What the group's record shows, and the titles and texts of the list.
    async fn board(&self) -> (String, Vec<(String, String)>) {
        let groups = &self.world.domain.groups;
        let record = groups.find(&self.bob, &GroupRef::Id(self.group)).await.unwrap();
        let list = groups.announcements(&self.bob, self.group).await.unwrap();
        (record.announcement, list.into_iter().map(|one| (one.title, one.content)).collect())
    }

    async fn announce(&self, title: &str, content: &str) -> u64 {
        self.world.domain.groups.announce(&self.alice, self.group, title, content).await.unwrap().id
    }

    async fn tips(&self) -> Vec<(Kind, String)> {
        let entries = self.world.all(&self.bob, ConversationId::Group(self.group)).await;
        let tips = entries.into_iter().filter_map(|entry| match entry.body {
            Some(Body::Tip(tip)) => Some((tip.kind(), tip.data)),
            _ => None,
        });
        tips.collect()
    }

    async fn share(&self, by: &Caller, name: &str) -> Result<u64> {
        let new = NewSharedFile { name: name.into(), size: 3, kind: "100".into(), url: format!("https://x/{name}") };
        self.world.domain.groups.share_file(by, self.group, new).await.map(|file| file.id)
    }

    async fn files(&self) -> Vec<String> {
        let files = self.world.domain.groups.files(&self.bob, self.group).await.unwrap();
        files.into_iter().map(|file| file.name).collect()
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

fn denied<T: std::fmt::Debug>(outcome: Result<T>, why: Denial) {
    assert!(matches!(&outcome, Err(Error::Denied(denial)) if *denial == why), "expected {why:?}, not {outcome:?}");
}

fn missing<T: std::fmt::Debug>(outcome: Result<T>, what: Noun) {
    assert!(matches!(&outcome, Err(Error::NotFound(noun)) if *noun == what), "expected no {what:?}, not {outcome:?}");
}

#[tokio::test]
async fn announcements_are_kept_newest_first_whoever_changes_the_text() {
    let club = Club::new(Config::default()).await;
    let groups = &club.world.domain.groups;
    missing(groups.announcement(&club.bob, club.group, None).await, Noun::Announcement);
    let first = club.announce("t", "one").await;
    // As a dialect does that knows of one text only.
    let change = GroupChange { announcement: Some("two".into()), ..GroupChange::default() };
    groups.update(&club.alice, club.group, change).await.unwrap();
    club.announce("", "two").await;
    let list = pairs(&[("", "two"), ("", "two"), ("t", "one")]);
    assert_eq!(club.board().await, ("two".to_owned(), list));
    let told = groups.announcement(&club.bob, club.group, Some(first)).await.unwrap();
    assert_eq!((told.author, told.title.as_str(), told.content.as_str()), (id(&club.alice).0, "t", "one"));
    assert!(club.tips().await.iter().filter(|(kind, _)| *kind == Kind::GroupChanged).count() >= 3);

    let clear = GroupChange { announcement: Some(String::new()), ..GroupChange::default() };
    groups.update(&club.alice, club.group, clear).await.unwrap();
    missing(groups.announcement(&club.bob, club.group, None).await, Noun::Announcement);
    assert_eq!(club.board().await.1.len(), 3, "clearing the text removes none");
}

#[tokio::test]
async fn taking_the_newest_back_shows_the_one_before_it() {
    let club = Club::new(Config::default()).await;
    let groups = &club.world.domain.groups;
    let (one, two, three) =
        (club.announce("", "one").await, club.announce("", "two").await, club.announce("", "three").await);
    denied(groups.remove_announcement(&club.bob, club.group, two).await, Denial::NotAdmin);
    denied(groups.remove_announcement(&club.eve, club.group, two).await, Denial::NotMember);
    groups.remove_announcement(&club.alice, club.group, two).await.unwrap();
    assert_eq!(club.board().await, ("three".to_owned(), pairs(&[("", "three"), ("", "one")])));
    groups.remove_announcement(&club.alice, club.group, three).await.unwrap();
    assert_eq!(club.board().await, ("one".to_owned(), pairs(&[("", "one")])));
    groups.remove_announcement(&club.alice, club.group, one).await.unwrap();
    assert_eq!(club.board().await, (String::new(), Vec::new()));
    missing(groups.remove_announcement(&club.alice, club.group, one).await, Noun::Announcement);
}

#[tokio::test]
async fn the_oldest_announcement_makes_room() {
    let club = Club::new(Config { group_announcements: 2, ..Config::default() }).await;
    for text in ["one", "two", "three"] {
        club.announce("", text).await;
    }
    assert_eq!(club.board().await.1, pairs(&[("", "three"), ("", "two")]));
}

#[tokio::test]
async fn who_may_announce_and_who_may_read() {
    let club = Club::new(Config::default()).await;
    let groups = &club.world.domain.groups;
    denied(groups.announce(&club.bob, club.group, "", "x").await, Denial::NotAdmin);
    denied(groups.announce(&club.eve, club.group, "", "x").await, Denial::NotMember);
    denied(groups.announcements(&club.eve, club.group).await, Denial::NotMember);
    denied(groups.announcement(&club.eve, club.group, None).await, Denial::NotMember);
    for (title, content) in [("", ""), (&*"t".repeat(257), "x"), ("", &*"x".repeat(8193))] {
        let outcome = groups.announce(&club.alice, club.group, title, content).await;
        assert!(matches!(outcome, Err(Error::Invalid { .. })), "{outcome:?}");
    }
    groups.announce(&club.world.server, club.group, "", "from the app").await.unwrap();
    assert_eq!(groups.announcement(&club.bob, club.group, None).await.unwrap().author, 0);
    let free = GroupChange { members_may_edit: Some(true), ..GroupChange::default() };
    groups.update(&club.alice, club.group, free).await.unwrap();
    groups.announce(&club.bob, club.group, "", "mine").await.unwrap();
    let own = groups.announcement(&club.bob, club.group, None).await.unwrap().id;
    groups.remove_announcement(&club.bob, club.group, own).await.unwrap();
}

#[tokio::test]
async fn files_are_shared_by_members_and_changed_by_their_uploader_or_admins() {
    let club = Club::new(Config::default()).await;
    let groups = &club.world.domain.groups;
    let (hers, his) = (club.share(&club.alice, "a").await.unwrap(), club.share(&club.bob, "b").await.unwrap());
    denied(club.share(&club.eve, "e").await, Denial::NotMember);
    denied(groups.files(&club.eve, club.group).await, Denial::NotMember);
    denied(groups.file(&club.eve, club.group, hers).await, Denial::NotMember);
    assert_eq!(club.files().await, ["b", "a"]);

    denied(groups.rename_file(&club.bob, club.group, hers, "x").await, Denial::NotAuthor);
    groups.rename_file(&club.bob, club.group, his, "b2").await.unwrap();
    groups.rename_file(&club.alice, club.group, his, "b3").await.unwrap();
    missing(groups.rename_file(&club.alice, club.group, 999, "x").await, Noun::SharedFile);
    let file = groups.file(&club.alice, club.group, his).await.unwrap();
    assert_eq!((file.name.as_str(), file.uploader, file.size), ("b3", id(&club.bob).0, 3));
    assert!(file.updated > file.created);

    let outcomes = groups.remove_files(&club.bob, club.group, &[hers, his, 999]).await.unwrap();
    assert!(matches!(&outcomes[0], (file, Err(Error::Denied(Denial::NotAuthor))) if *file == hers));
    assert!(matches!(&outcomes[1], (file, Ok(())) if *file == his));
    assert!(matches!(&outcomes[2], (_, Err(Error::NotFound(Noun::SharedFile)))));
    denied(groups.remove_files(&club.eve, club.group, &[hers]).await, Denial::NotMember);
    assert_eq!(club.files().await, ["a"]);
    let changes = club.tips().await.into_iter().filter(|(kind, _)| *kind == Kind::FilesChanged);
    let keys: Vec<String> = changes.map(|(_, data)| data.split('"').nth(1).unwrap_or_default().to_owned()).collect();
    assert_eq!(keys, ["shared", "shared", "renamed", "renamed", "removed"]);
}

#[tokio::test]
async fn a_group_shares_so_many_files() {
    let club = Club::new(Config { group_files: 1, ..Config::default() }).await;
    let first = club.share(&club.alice, "a").await.unwrap();
    denied(club.share(&club.alice, "b").await, Denial::TooMany);
    club.world.domain.groups.remove_files(&club.alice, club.group, &[first]).await.unwrap();
    club.share(&club.alice, "b").await.unwrap();
    for (name, url) in [("", "u"), ("n", ""), ("a\u{0}b", "u"), (&*"n".repeat(257), "u")] {
        let new = NewSharedFile { name: name.into(), url: url.into(), ..NewSharedFile::default() };
        let outcome = club.world.domain.groups.share_file(&club.alice, club.group, new).await;
        assert!(matches!(outcome, Err(Error::Invalid { .. })), "{outcome:?}");
    }
}
