//! What users change: settings, passwords, names, accounts at other systems; and their end.

use std::time::Duration;

use crate::world::{World, direct, id, issue};
use domain::groups::NewGroup;
use domain::record::{Account, FriendPolicy, Profile, Relation, Role, event};
use domain::roster::{Ask, Which};
use domain::tokens::NewDevice;
use domain::users::{NewUser, ProfileChange, Search, SettingsChange, uid_of};
use domain::{Caller, Denial, Error, GroupId, GroupRef, Noun, UserId, UserRef};

fn registration(username: &str) -> NewUser {
    NewUser { username: Some(username.into()), password: Some("secret".into()), ..NewUser::default() }
}

async fn anonymous(world: &World) -> Caller {
    world.domain.apps.anonymous("demo").await.unwrap()
}

/// A user who registered, and logged in.
async fn registered(world: &World, username: &str) -> Caller {
    let nobody = anonymous(world).await;
    let (_, issued) = world.domain.tokens.register(&nobody, registration(username), issue()).await.unwrap();
    world.domain.tokens.authenticate(&issued.text).await.unwrap()
}

async fn named(world: &World, username: &str) -> Option<u64> {
    let name = UserRef::Username(username.into());
    world.domain.users.find(&world.server, &name).await.ok().map(|user| user.id)
}

async fn found(world: &World, by: Search, text: &str) -> Vec<u64> {
    let found = world.domain.users.search(&world.server, by, text).await.unwrap();
    found.into_iter().map(|user| user.id).collect()
}

fn mobile(number: &str) -> ProfileChange {
    ProfileChange { mobile: Some(number.into()), exclusive: true, ..ProfileChange::default() }
}

fn account(open_id: &str) -> Account {
    Account { kind: 1, id: open_id.into() }
}

#[tokio::test]
async fn settings_change_one_by_one_and_only_by_their_owner_or_the_app() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let users = &world.domain.users;
    let change =
        SettingsChange { friend_policy: Some(FriendPolicy::Closed), no_push: Some(true), ..Default::default() };
    users.update_settings(&alice, id(&alice), change).await.unwrap();
    let change = SettingsChange { no_push_start_hour: Some(22), no_push_end_hour: Some(24), ..Default::default() };
    let settings = users.update_settings(&world.server, id(&alice), change).await.unwrap();
    assert_eq!((settings.friend_policy(), settings.no_push), (FriendPolicy::Closed, true));
    assert_eq!((settings.no_push_start_hour, settings.no_push_end_hour), (22, 24));
    let seen = users.find(&alice, &UserRef::Id(id(&alice))).await.unwrap();
    assert_eq!(seen.settings, Some(settings));

    let wrong = [
        ("no_push_end_hour", SettingsChange { no_push_end_hour: Some(25), ..Default::default() }),
        ("auth_answer", SettingsChange { auth_answer: Some("x".repeat(9000)), ..Default::default() }),
    ];
    for (expected, change) in wrong {
        let refused = users.update_settings(&alice, id(&alice), change).await;
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == expected), "{expected}");
    }
    let theirs = users.update_settings(&bob, id(&alice), SettingsChange::default()).await;
    assert!(matches!(theirs, Err(Error::Denied(Denial::Credential))));
    let forbids = SettingsChange { may_not_befriend: Some(false), ..Default::default() };
    let own = users.update_settings(&alice, id(&alice), forbids).await;
    assert!(matches!(own, Err(Error::Denied(Denial::Credential))), "what the app forbids, it alone allows again");
}

#[tokio::test]
async fn a_new_password_takes_the_old_one_and_lets_everybody_out() {
    let world = World::new().await;
    let nobody = anonymous(&world).await;
    let al = registered(&world, "al").await;
    let token = world.domain.tokens.issue(&al, id(&al), issue()).await.unwrap().text;
    world.events.take();
    let users = &world.domain.users;
    let wrong = users.change_password(&al, id(&al), Some("guess"), "better").await;
    assert!(matches!(wrong, Err(Error::Unauthenticated(_))));
    let without = users.change_password(&al, id(&al), None, "better").await;
    assert!(matches!(without, Err(Error::Denied(Denial::Credential))));
    let empty = users.change_password(&al, id(&al), Some("secret"), "").await;
    assert!(matches!(empty, Err(Error::Invalid { field: "password", .. })));
    world.domain.tokens.authenticate(&token).await.unwrap();
    assert!(world.events.take().is_empty());

    users.change_password(&al, id(&al), Some("secret"), "better").await.unwrap();
    assert!(matches!(world.domain.tokens.authenticate(&token).await, Err(Error::Unauthenticated(_))));
    assert!(matches!(&world.events.take()[..], [(_, event::Body::Kick(kick))] if kick.reason == 3));
    assert!(users.verify_password(&nobody, "al", "secret").await.is_err());
    users.verify_password(&nobody, "al", "better").await.unwrap();

    users.change_password(&world.server, id(&al), None, "best").await.unwrap();
    users.verify_password(&nobody, "al", "best").await.unwrap();
    let other = world.user("bob").await;
    let denied = users.change_password(&other, id(&al), Some("best"), "mine").await;
    assert!(matches!(denied, Err(Error::Denied(Denial::Credential))));
}

#[tokio::test]
async fn a_login_name_moves_and_leaves_the_old_one_free() {
    let world = World::new().await;
    let nobody = anonymous(&world).await;
    let (al, bo) = (registered(&world, "al").await, registered(&world, "bo").await);
    let users = &world.domain.users;
    assert!(matches!(users.rename(&al, id(&al), "bo").await, Err(Error::Exists(Noun::Username))));
    assert_eq!(named(&world, "al").await, Some(id(&al).0), "a refusal changes nothing");
    users.rename(&al, id(&al), "albert").await.unwrap();
    assert_eq!((named(&world, "albert").await, named(&world, "al").await), (Some(id(&al).0), None));
    users.verify_password(&nobody, "albert", "secret").await.unwrap();
    assert!(users.is_username_free(&nobody, "al").await.unwrap());
    assert!(!users.is_username_free(&nobody, "albert").await.unwrap());

    users.rename(&bo, id(&bo), "al").await.unwrap();
    users.rename(&bo, id(&bo), "al").await.unwrap();
    let cy = registered(&world, "bo").await;
    assert_eq!((named(&world, "al").await, named(&world, "bo").await), (Some(id(&bo).0), Some(id(&cy).0)));
    assert!(matches!(users.rename(&al, id(&cy), "x").await, Err(Error::Denied(Denial::Credential))));
    assert!(matches!(users.rename(&al, id(&al), "").await, Err(Error::Invalid { field: "username", .. })));
    users.rename(&world.server, id(&al), "ally").await.unwrap();
    assert_eq!(named(&world, "ally").await, Some(id(&al).0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_one_name_one_gets_it() {
    let world = World::new().await;
    let mut callers = Vec::new();
    for n in 0..6 {
        callers.push(registered(&world, &format!("user_{n}")).await);
    }
    for round in 0..8 {
        let wanted = format!("wanted_{round}");
        let renames = callers.iter().cloned().map(|caller| {
            let (domain, wanted) = (world.domain.clone(), wanted.clone());
            tokio::spawn(async move { domain.users.rename(&caller, id(&caller), &wanted).await })
        });
        let (domain, nobody, new) = (world.domain.clone(), anonymous(&world).await, registration(&wanted));
        let registers = tokio::spawn(async move { domain.users.create(&nobody, new).await.map(drop) });
        let mut had = 0;
        for task in renames.collect::<Vec<_>>().into_iter().chain([registers]) {
            match task.await.unwrap() {
                Ok(()) => had += 1,
                Err(Error::Exists(Noun::Username)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(had <= 1, "{had} have {wanted}");
        let holder = named(&world, &wanted).await;
        assert_eq!(holder.is_some(), had == 1);
        // Everybody still logs in by the name that their record has.
        for caller in &callers {
            let user = world.domain.users.find(caller, &UserRef::Id(id(caller))).await.unwrap();
            assert_eq!(named(&world, &user.username).await, Some(user.id), "{}", user.username);
        }
    }
}

#[tokio::test]
async fn users_are_found_by_what_they_tell_and_not_by_what_they_told_before() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let users = &world.domain.users;
    let name = |name: &str| ProfileChange { name: Some(name.into()), ..ProfileChange::default() };
    users.update(&alice, id(&alice), name("Sam")).await.unwrap();
    users.update(&bob, id(&bob), name("Sam")).await.unwrap();
    let mut both = vec![id(&alice).0, id(&bob).0];
    both.sort_unstable();
    assert_eq!(found(&world, Search::Name, "Sam").await, both);
    users.update(&bob, id(&bob), name("Bob")).await.unwrap();
    assert_eq!(found(&world, Search::Name, "Sam").await, [id(&alice).0]);
    assert_eq!(found(&world, Search::Name, "Bob").await, [id(&bob).0]);
    assert!(found(&world, Search::Name, "bob").await.is_empty());
    assert!(found(&world, Search::Mobile, "").await.is_empty());

    let profile = Profile { email: "Carol@x.org".into(), mobile: "1".into(), ..Profile::default() };
    let carol = users.create(&world.server, NewUser { profile, ..NewUser::default() }).await.unwrap();
    assert_eq!(found(&world, Search::Email, "carol@X.org").await, [carol.id]);
    assert_eq!(found(&world, Search::Mobile, "1").await, [carol.id]);
    let nobody = anonymous(&world).await;
    assert!(matches!(users.search(&nobody, Search::Mobile, "1").await, Err(Error::Denied(Denial::Credential))));
}

#[tokio::test]
async fn a_mobile_logs_in_the_only_one_who_has_it() {
    let world = World::new().await;
    let nobody = anonymous(&world).await;
    let (al, bo) = (registered(&world, "al").await, registered(&world, "bo").await);
    let users = &world.domain.users;
    users.update(&al, id(&al), mobile("138")).await.unwrap();
    assert!(matches!(users.update(&bo, id(&bo), mobile("138")).await, Err(Error::Exists(Noun::Mobile))));
    users.update(&al, id(&al), mobile("138")).await.unwrap();
    let profile = Profile { mobile: "138".into(), ..Profile::default() };
    let new = NewUser { profile, exclusive: true, ..registration("cy") };
    assert!(matches!(users.create(&nobody, new).await, Err(Error::Exists(Noun::Mobile))));

    let log_in = async |login: &str| {
        let outcome = world.domain.tokens.log_in_by_any(&nobody, login, "secret", issue(), None).await;
        outcome.ok().map(|(user, _)| user.id)
    };
    assert_eq!(log_in("138").await, Some(id(&al).0));
    assert_eq!(log_in("bo").await, Some(id(&bo).0));
    assert_eq!(log_in("139").await, None);
    // Where a dialect's numbers need not be anybody's own, they log in nobody.
    let shared = ProfileChange { mobile: Some("138".into()), ..ProfileChange::default() };
    users.update(&bo, id(&bo), shared).await.unwrap();
    assert_eq!(log_in("138").await, None);
    users.update(&al, id(&al), mobile("")).await.unwrap();
    assert_eq!(log_in("138").await, Some(id(&bo).0));
}

#[tokio::test]
async fn an_account_of_another_system_belongs_to_one_user() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let users = &world.domain.users;
    users.bind_account(&alice, id(&alice), &account("wx-1")).await.unwrap();
    users.bind_account(&alice, id(&alice), &account("wx-1")).await.unwrap();
    let taken = users.bind_account(&bob, id(&bob), &account("wx-1")).await;
    assert!(matches!(taken, Err(Error::Exists(Noun::Account))));
    assert_eq!(users.account(&bob, id(&bob), Some(1)).await.unwrap(), None);
    // Another one takes its place, and sets it free.
    users.bind_account(&alice, id(&alice), &account("wx-2")).await.unwrap();
    assert_eq!(users.account(&alice, id(&alice), Some(1)).await.unwrap(), Some(account("wx-2")));
    users.bind_account(&bob, id(&bob), &account("wx-1")).await.unwrap();
    users.unbind_account(&alice, id(&alice), Some(1)).await.unwrap();
    users.unbind_account(&alice, id(&alice), None).await.unwrap();
    assert_eq!(users.account(&alice, id(&alice), Some(1)).await.unwrap(), None);
    assert_eq!(users.account(&world.server, id(&bob), Some(1)).await.unwrap(), Some(account("wx-1")));
    let theirs = users.account(&alice, id(&bob), Some(1)).await;
    assert!(matches!(theirs, Err(Error::Denied(Denial::Credential))));
}

#[tokio::test]
async fn everybody_is_on_one_page_of_the_list() {
    let world = World::new().await;
    let mut all = Vec::new();
    for n in 0..41 {
        all.push(id(&world.user(&format!("user-{n}")).await).0);
    }
    all.sort_unstable();
    for limit in [1, 7, 40, 41, 1000] {
        let mut listed = Vec::new();
        let mut cursor = None;
        loop {
            let page = world.domain.users.list(&world.server, cursor.as_deref(), limit).await.unwrap();
            assert!(page.items.len() <= limit);
            listed.extend(page.items.iter().map(|user| user.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        listed.sort_unstable();
        assert_eq!(listed, all, "{limit} at a time");
    }
    let alice = world.user("alice").await;
    assert!(matches!(world.domain.users.list(&alice, None, 1).await, Err(Error::Denied(Denial::Credential))));
    for cursor in [&b"x"[..], &[0; 8], &[0xff; 9]] {
        let refused = world.domain.users.list(&world.server, Some(cursor), 1).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "cursor", .. })), "{cursor:?}");
    }
}

#[tokio::test]
async fn many_are_disabled_together_or_not_at_all() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let users = &world.domain.users;
    let names = |uids: &[&str]| uids.iter().map(|uid| UserRef::Uid((*uid).into())).collect::<Vec<_>>();
    let unknown = users.set_disabled_all(&world.server, &names(&["alice", "nobody"]), true).await;
    assert!(matches!(unknown, Err(Error::NotFound(Noun::User))));
    world.domain.tokens.issue(&alice, id(&alice), issue()).await.unwrap();
    users.set_disabled_all(&world.server, &names(&["alice", "bob"]), true).await.unwrap();
    for user in [&alice, &bob] {
        let refused = world.domain.tokens.issue(user, id(user), issue()).await;
        assert!(matches!(refused, Err(Error::Denied(Denial::Disabled))));
    }
    let denied = users.set_disabled_all(&alice, &names(&["alice"]), false).await;
    assert!(matches!(denied, Err(Error::Denied(Denial::Credential))));
}

#[tokio::test]
async fn who_is_deleted_is_gone_from_everywhere_but_from_what_was_said() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.user("alice").await, world.user("bob").await, world.user("5").await);
    let users = &world.domain.users;
    let token = world.domain.tokens.issue(&carol, id(&carol), issue()).await.unwrap().text;
    let change = ProfileChange { name: Some("Carol".into()), ..mobile("138") };
    users.update(&carol, id(&carol), change).await.unwrap();
    users.rename(&carol, id(&carol), "caz").await.unwrap();
    users.bind_account(&carol, id(&carol), &account("wx")).await.unwrap();
    world.domain.roster.request(&carol, id(&bob), Ask::default()).await.unwrap();
    let own = world.group(&carol, &[&alice, &bob]).await;
    let lonely = world.group(&carol, &[]).await;
    let elsewhere = world.group(&alice, &[&carol]).await;
    world.send(&carol, direct(&carol, &bob), "1", "hello").await.unwrap();
    world.events.take();

    let denied = world.domain.delete_user(&bob, id(&carol)).await;
    assert!(matches!(denied, Err(Error::Denied(Denial::Credential))));
    world.domain.delete_user(&world.server, id(&carol)).await.unwrap();
    assert!(matches!(world.domain.delete_user(&world.server, id(&carol)).await, Err(Error::NotFound(Noun::User))));

    assert!(world.domain.tokens.authenticate(&token).await.is_err());
    let told = world.events.take();
    assert!(told.iter().any(|(users, body)| *users == [id(&carol)] && matches!(body, event::Body::Kick(_))));
    for name in [UserRef::Id(id(&carol)), UserRef::Uid("5".into()), UserRef::Number(5), UserRef::Username("caz".into())]
    {
        assert!(users.find(&world.server, &name).await.is_err(), "{name:?}");
    }
    assert!(found(&world, Search::Name, "Carol").await.is_empty());
    assert!(found(&world, Search::Mobile, "138").await.is_empty());
    let listed = users.list(&world.server, None, 100).await.unwrap().items;
    assert!(listed.iter().all(|user| user.id != 5));
    let contacts = world.domain.roster.list(&bob, Which::All, None, 100).await.unwrap().items;
    assert!(contacts.iter().all(|contact| contact.relation() == Relation::None), "{contacts:?}");

    let group = world.domain.groups.find(&alice, &GroupRef::Id(own)).await.unwrap();
    assert_eq!(group.owner, id(&alice).0.min(id(&bob).0), "who joined first has the group now");
    for group in [own, elsewhere] {
        let members = world.domain.groups.members(&alice, group, None, 100).await.unwrap().items;
        assert!(members.iter().all(|member| member.user != 5), "{members:?}");
    }
    assert!(world.domain.groups.find(&world.server, &GroupRef::Id(lonely)).await.is_err());
    let said = world.all(&bob, direct(&carol, &bob)).await;
    assert_eq!(said.iter().filter_map(crate::world::said).collect::<Vec<_>>(), ["hello"]);

    // The uid and the login name are free, and whoever takes them is somebody else.
    let again = NewUser { uid: Some("5".into()), ..registration("caz") };
    let again = users.create(&world.server, again).await.unwrap();
    assert_ne!(again.id, 5);
    assert_eq!(uid_of(&again), "5");
    assert_eq!(users.find(&world.server, &UserRef::Number(5)).await.unwrap().id, again.id);
    let next = world.domain.tokens.act_as(&world.server, UserId(again.id)).await.unwrap();
    users.bind_account(&next, UserId(again.id), &account("wx")).await.unwrap();
    let conversations = world.domain.conversations.sync(&next, &std::collections::HashMap::new(), None, 100, 100).await;
    assert!(conversations.unwrap().items.is_empty(), "nothing is inherited");
    world.domain.delete_user(&next, UserId(again.id)).await.unwrap();
}

#[tokio::test]
async fn an_admin_inherits_before_older_members() {
    let world = World::new().await;
    let (owner, old, admin) = (world.user("owner").await, world.user("old").await, world.user("admin").await);
    let members = vec![(id(&old), Role::Member), (id(&admin), Role::Admin)];
    let new = NewGroup { name: "g".into(), owner_is_member: true, members, ..NewGroup::default() };
    let group = GroupId(world.domain.groups.create(&owner, new).await.unwrap().id);
    world.domain.delete_user(&owner, id(&owner)).await.unwrap();
    let record = world.domain.groups.find(&old, &GroupRef::Id(group)).await.unwrap();
    assert_eq!(record.owner, id(&admin).0);
}

#[tokio::test]
async fn a_token_ends_with_the_device_that_it_was_issued_on() {
    let world = World::new().await;
    let nobody = anonymous(&world).await;
    let al = registered(&world, "al").await;
    let name = UserRef::Username("al".into());
    let mut texts = Vec::new();
    for device_id in ["phone", "tablet"] {
        let device = NewDevice { device_id: device_id.into(), platform: 2, client: "test/1".into() };
        let outcome = world.domain.tokens.log_in_from(&nobody, &name, "secret", issue(), Some(&device)).await;
        texts.push(outcome.unwrap().1.text);
    }
    let devices = &world.domain.devices;
    let listed = devices.list(&al, id(&al)).await.unwrap();
    assert_eq!(listed.iter().map(|device| device.device_id.as_str()).collect::<Vec<_>>(), ["phone", "tablet"]);
    let number = domain::devices::serial("phone");
    assert_eq!(devices.find_by_serial(&al, id(&al), number).await.unwrap().device_id, "phone");
    assert!(matches!(devices.find_by_serial(&al, id(&al), 7).await, Err(Error::NotFound(Noun::Device))));
    world.events.take();
    devices.remove(&al, id(&al), "phone").await.unwrap();
    let told = world.events.take();
    assert!(matches!(&told[..], [(_, event::Body::Kick(kick))] if kick.device_id == "phone"), "{told:?}");
    assert!(matches!(world.domain.tokens.authenticate(&texts[0]).await, Err(Error::Unauthenticated(_))));
    world.domain.tokens.authenticate(&texts[1]).await.unwrap();
    assert!(matches!(devices.remove(&al, id(&al), "phone").await, Err(Error::NotFound(Noun::Device))));
    let bob = world.user("bob").await;
    assert!(matches!(devices.remove(&bob, id(&al), "tablet").await, Err(Error::Denied(Denial::Credential))));
}

#[tokio::test]
async fn a_text_is_handed_over_once_and_in_time() {
    let world = World::new().await;
    let nobody = anonymous(&world).await;
    let alice = world.user("alice").await;
    let tokens = &world.domain.tokens;
    let minute = Duration::from_secs(60);
    let code = tokens.leave(&alice, "hello".into(), minute).await.unwrap();
    for wrong in ["", "x", "1-", &code[..code.len() - 1], &code.replace('-', "--")] {
        assert!(matches!(tokens.take(&nobody, wrong).await, Err(Error::NotFound(Noun::Handover))), "{wrong}");
    }
    assert_eq!(tokens.take(&nobody, &code).await.unwrap(), "hello");
    assert!(matches!(tokens.take(&nobody, &code).await, Err(Error::NotFound(Noun::Handover))));
    let late = tokens.leave(&alice, "late".into(), minute).await.unwrap();
    world.pass(60_000);
    assert!(matches!(tokens.take(&nobody, &late).await, Err(Error::NotFound(Noun::Handover))));
    for lifetime in [Duration::ZERO, Duration::from_secs(601)] {
        let refused = tokens.leave(&alice, "x".into(), lifetime).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "lifetime", .. })));
    }
    assert!(matches!(tokens.leave(&nobody, "x".into(), minute).await, Err(Error::Denied(Denial::Credential))));
}
