//! The worker of notices to many: takes up those whose time has come, and sends them page by page.

use std::sync::Arc;
use std::time::Duration;

use domain::AppNumber;
use domain::push::{Delivery, Outcome, TaskPage};
use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::metrics::GIVEN_UP;
use crate::provider::Verdict;
use crate::sender::Sender;

/// Notices that are sent side by side.
const AT_ONCE: usize = 8;
/// How often a delivery of a page is tried that others of the page went through beside.
const TRIES: u32 = 3;

/// Works until it is told to stop, and then finishes the pages that are under way.
pub(crate) async fn run(sender: Arc<Sender>, stop: CancellationToken) {
    let mut poll = tokio::time::interval(sender.config.poll.max(Duration::from_millis(10)));
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = poll.tick() => {}
        }
        let due = match due(&sender).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "notices that are due could not be found");
                continue;
            }
        };
        let all: Vec<_> = due.into_iter().map(|(app, task)| send(&sender, app, task, &stop)).collect();
        stream::iter(all).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }
}

/// The notices whose time has come, if it is this process that sends them.
async fn due(sender: &Sender) -> domain::Result<Vec<(AppNumber, u64)>> {
    if sender.domain.outbox.leads().await? { sender.domain.push.due_tasks().await } else { Ok(Vec::new()) }
}

async fn send(sender: &Sender, app: AppNumber, task: u64, stop: &CancellationToken) {
    if let Err(error) = send_pages(sender, app, task, stop).await {
        tracing::warn!(app = app.0, task, %error, "a notice to many could not be sent on");
    }
}

/// Sends a notice, page by page, until it is done, has to wait, or the process stops.
async fn send_pages(sender: &Sender, app: AppNumber, task: u64, stop: &CancellationToken) -> domain::Result<()> {
    while !stop.is_cancelled() && sender.domain.outbox.leads().await? {
        let Some(page) = sender.domain.push.page_of_task(app, task).await? else {
            return sender.domain.push.drop_task(app, task).await;
        };
        let verdicts = try_all(sender, &page).await;
        let stuck = !verdicts.is_empty() && verdicts.iter().all(is_later);
        let since = domain::Millis(page.task.due.min(page.task.created));
        if stuck && since.plus(sender.config.give_up) > sender.now() {
            let due = sender.retry_at(page.task.attempts);
            return sender.domain.push.postpone_page(&page, due).await;
        }
        if stuck {
            metrics::counter!(GIVEN_UP).increment(1);
            tracing::warn!(app = app.0, task, "a page that was tried for too long is dropped");
        }
        let outcomes: Vec<_> = verdicts.iter().map(outcome).collect();
        if !sender.domain.push.settle_page(page, &outcomes).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends a page. What fails while other deliveries go through is tried a few times more.
async fn try_all(sender: &Sender, page: &TaskPage) -> Vec<Verdict> {
    let mut verdicts = sender.send_all(page.app, &page.deliveries).await;
    for attempt in 0..TRIES {
        let left: Vec<usize> = (0..verdicts.len()).filter(|&place| is_later(&verdicts[place])).collect();
        if left.is_empty() || left.len() == verdicts.len() {
            break;
        }
        tokio::time::sleep(sender.config.pause(attempt)).await;
        let again: Vec<Delivery> = left.iter().map(|&place| page.deliveries[place].clone()).collect();
        for (place, verdict) in left.into_iter().zip(sender.send_all(page.app, &again).await) {
            verdicts[place] = verdict;
        }
    }
    verdicts
}

fn is_later(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Later { .. })
}

fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Accepted => Outcome::Accepted,
        Verdict::Gone | Verdict::Refused(_) | Verdict::Later { .. } => Outcome::Refused,
    }
}
