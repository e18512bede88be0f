//! The outbox: what messages leave to be done, and how it is found again.

use crate::world::{World, direct, outgoing};
use domain::entry::content::Kind;
use domain::entry::{Command, Content};
use domain::messages::Outgoing;
use domain::outbox::{Purpose, Task};
use domain::record::AppSettings;
use domain::{AppNumber, Config, ConversationId, Domain, Millis, Seq};

const APP: AppNumber = AppNumber(7);

async fn world(push: bool, webhook_after: bool) -> World {
    World::with(AppSettings { push, webhook_after, ..AppSettings::default() }, Config::default()).await
}

async fn due(domain: &Domain, conversation: ConversationId) -> Vec<Task> {
    domain.outbox.work(APP, conversation, 100).await.unwrap().due
}

fn purposes(tasks: &[Task]) -> Vec<(u64, Purpose)> {
    tasks.iter().map(|task| (task.seq.0, task.purpose)).collect()
}

/// Hints that wait, without waiting for one.
async fn hinted(domain: &Domain) -> Vec<(AppNumber, ConversationId)> {
    let nothing = async {
        tokio::task::yield_now().await;
        Vec::new()
    };
    tokio::select! { biased; hints = domain.outbox.hinted() => hints, none = nothing => none }
}

#[tokio::test]
async fn an_app_that_wants_nothing_leaves_nothing() {
    let world = world(false, false).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    world.send(&alice, direct(&alice, &bob), "1", "hi").await.unwrap();
    assert!(due(&world.domain, direct(&alice, &bob)).await.is_empty());
    world.domain.outbox.sweep().await.unwrap();
    assert!(hinted(&world.domain).await.is_empty());
}

#[tokio::test]
async fn a_message_leaves_what_its_app_wants() {
    let world = world(true, true).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let here = direct(&alice, &bob);
    world.send(&alice, here, "1", "hi").await.unwrap();
    world.send(&alice, here, "1", "hi").await.unwrap();
    let command = Content { kind: Some(Kind::Command(Command { data: "x".into() })), ..Content::default() };
    let command = Outgoing { content: command, ..outgoing(here, "2", "") };
    world.domain.messages.send(&alice, command).await.unwrap();
    world.domain.messages.send(&alice, Outgoing { online_only: true, ..outgoing(here, "3", "psst") }).await.unwrap();

    assert_eq!(hinted(&world.domain).await, [(APP, here)]);
    let tasks = due(&world.domain, here).await;
    assert_eq!(purposes(&tasks), [(1, Purpose::Push), (1, Purpose::Webhook), (2, Purpose::Webhook)]);
    assert_eq!(world.domain.outbox.entry(&tasks[0]).await.unwrap().unwrap().seq, 1);

    world.domain.outbox.done(&tasks[0]).await.unwrap();
    assert_eq!(purposes(&due(&world.domain, here).await), [(1, Purpose::Webhook), (2, Purpose::Webhook)]);
    world.domain.messages.recall(&alice, here, Seq(1)).await.unwrap();
    assert_eq!(world.domain.outbox.entry(&tasks[1]).await.unwrap(), None, "what was withdrawn is not told any more");
}

#[tokio::test]
async fn what_a_process_left_undone_is_found_by_the_next() {
    let world = world(true, false).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let group = ConversationId::Group(world.group(&alice, &[&bob]).await);
    for conversation in [direct(&alice, &bob), group] {
        world.send(&alice, conversation, "1", "hi").await.unwrap();
    }
    let (next, _) = world.another().await;
    assert!(hinted(&next).await.is_empty());
    next.outbox.sweep().await.unwrap();
    let mut found = hinted(&next).await;
    found.sort();
    assert_eq!(found, [(APP, direct(&alice, &bob)), (APP, group)]);
}

#[tokio::test]
async fn a_line_of_the_journal_goes_once_it_can_serve_nobody() {
    let world = world(true, false).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let here = direct(&alice, &bob);
    world.send(&alice, here, "1", "hi").await.unwrap();
    world.pass(3_600_000);
    world.domain.outbox.sweep().await.unwrap();
    assert_eq!(hinted(&world.domain).await, [(APP, here)], "however late");
    for task in due(&world.domain, here).await {
        world.domain.outbox.done(&task).await.unwrap();
    }
    world.domain.outbox.sweep().await.unwrap();

    // Now that the line is gone, a new message must write another one.
    world.send(&alice, here, "2", "hi").await.unwrap();
    let (next, _) = world.another().await;
    next.outbox.sweep().await.unwrap();
    assert_eq!(hinted(&next).await, [(APP, here)]);
}

#[tokio::test]
async fn a_line_of_a_period_that_goes_on_stays() {
    let world = world(true, false).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let here = direct(&alice, &bob);
    world.send(&alice, here, "1", "hi").await.unwrap();
    for task in due(&world.domain, here).await {
        world.domain.outbox.done(&task).await.unwrap();
    }
    world.domain.outbox.sweep().await.unwrap();
    // The sender knows of the line and writes none.
    world.send(&alice, here, "2", "hi").await.unwrap();
    let (next, _) = world.another().await;
    next.outbox.sweep().await.unwrap();
    assert_eq!(hinted(&next).await, [(APP, here)]);
}

#[tokio::test]
async fn what_failed_waits_for_its_time() {
    let world = world(true, false).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let here = direct(&alice, &bob);
    world.send(&alice, here, "1", "hi").await.unwrap();
    let task = due(&world.domain, here).await.remove(0);
    let later = Millis(world.clock.now().0 + 5_000);
    world.domain.outbox.failed(&task, later).await.unwrap();
    let work = world.domain.outbox.work(APP, here, 100).await.unwrap();
    assert_eq!((work.due, work.next), (vec![], Some(later)));
    world.pass(5_000);
    let again = due(&world.domain, here).await.remove(0);
    assert_eq!((again.seq, again.state.attempts), (task.seq, 1));
}
