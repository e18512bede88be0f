//! The worker of the outbox: pushes and webhook calls that messages left to be done.
//!
//! Conversations are worked on side by side, and each by one task of a process at a time. What is under way when the process ends is in the
//! store still.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::entry::Entry;
use domain::outbox::{Purpose, Task};
use domain::push::Delivery;
use domain::{AppNumber, ConversationId, Millis, UserId};
use futures_util::FutureExt as _;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Share;
use crate::metrics::GIVEN_UP;
use crate::provider::Verdict;
use crate::sender::Sender;

/// Rows that are read at a time.
const ROWS: usize = 100;
/// Most conversations that wait for their time in memory; the sweep finds the others.
const MOST_WAITING: usize = 65_536;

type Place = (AppNumber, ConversationId);

/// How a conversation that is known stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In line.
    Waiting,
    /// Being worked on.
    Busy,
    /// Being worked on, and something came since.
    BusyAgain,
}

/// Which conversations are worked on, and which are next.
#[derive(Debug, Default)]
struct Line {
    known: HashMap<Place, State>,
    waiting: VecDeque<Place>,
    later: BinaryHeap<Reverse<(Millis, Place)>>,
}

impl Line {
    fn add(&mut self, place: Place) {
        match self.known.get_mut(&place) {
            None => {
                self.known.insert(place, State::Waiting);
                self.waiting.push_back(place);
            }
            Some(state @ State::Busy) => *state = State::BusyAgain,
            Some(State::Waiting | State::BusyAgain) => {}
        }
    }

    fn take(&mut self) -> Option<Place> {
        let place = self.waiting.pop_front()?;
        self.known.insert(place, State::Busy);
        Some(place)
    }

    /// Notes that a conversation was worked on, and when it wants to be again.
    fn finished(&mut self, place: Place, next: Option<Millis>) {
        if self.known.remove(&place) == Some(State::BusyAgain) {
            self.add(place);
        }
        if let Some(due) = next
            && self.later.len() < MOST_WAITING
        {
            self.later.push(Reverse((due, place)));
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Moves those whose time has come into the line; how long until the next one's.
    fn advance(&mut self, now: Millis) -> Option<Duration> {
        while let Some(Reverse((due, place))) = self.later.peek().copied() {
            if due > now {
                return Some(Duration::from_millis((due.0 - now.0).unsigned_abs()));
            }
            self.later.pop();
            self.add(place);
        }
        None
    }
}

/// Works until it is told to stop, and then finishes what is under way. Beside other processes, it also tries what waits in line: this run does
/// not come back, and the others would wait until its claims are over.
pub(crate) async fn run(sender: Arc<Sender>, share: Share, stop: CancellationToken) {
    let mut line = Line::default();
    let mut tasks: JoinSet<Option<Millis>> = JoinSet::new();
    let mut places: HashMap<Id, Place> = HashMap::new();
    let mut sweep = tokio::time::interval(sender.config.sweep.max(Duration::from_millis(10)));
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let goes_on = |line: &Line| !stop.is_cancelled() || (share != Share::Alone && !line.is_empty());
    loop {
        let wait = if stop.is_cancelled() {
            sender.domain.outbox.hinted().now_or_never().into_iter().flatten().for_each(|place| line.add(place));
            Duration::ZERO
        } else {
            line.advance(sender.now()).unwrap_or(sender.config.longest_pause)
        };
        while goes_on(&line)
            && tasks.len() < sender.config.conversations.max(1)
            && let Some(place) = line.take()
        {
            let sender = Arc::clone(&sender);
            let task = tasks.spawn(async move { work_on(&sender, place).await });
            places.insert(task.id(), place);
        }
        if stop.is_cancelled() && tasks.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            Some(done) = tasks.join_next_with_id() => {
                let (id, next) = done.unwrap_or_else(|error| {
                    tracing::error!(%error, "work on a conversation's outbox broke off");
                    (error.id(), Some(sender.retry_at(u32::MAX)))
                });
                if let Some(place) = places.remove(&id) {
                    line.finished(place, next);
                }
            }
            hints = sender.domain.outbox.hinted() => hints.into_iter().for_each(|place| line.add(place)),
            () = stop.cancelled(), if !stop.is_cancelled() => {}
            _ = sweep.tick(), if !stop.is_cancelled() => {
                if let Err(error) = look(&sender).await {
                    tracing::warn!(%error, "the outbox could not be swept");
                }
            }
            () = tokio::time::sleep(wait), if !stop.is_cancelled() => {}
        }
    }
}

/// Looks for what was left undone, if it is this process that does so.
async fn look(sender: &Sender) -> domain::Result<()> {
    if sender.domain.outbox.leads().await? { sender.domain.outbox.sweep().await } else { Ok(()) }
}

/// Does what is due in a conversation; when the next of it will be.
async fn work_on(sender: &Sender, (app, conversation): Place) -> Option<Millis> {
    match attempt(sender, app, conversation).await {
        Ok(next) => next,
        Err(error) => {
            tracing::warn!(app = app.0, %error, "a conversation's outbox could not be worked on");
            Some(sender.retry_at(3))
        }
    }
}

async fn attempt(sender: &Sender, app: AppNumber, conversation: ConversationId) -> domain::Result<Option<Millis>> {
    loop {
        let work = sender.domain.outbox.work(app, conversation, ROWS).await?;
        if work.due.is_empty() {
            return Ok(work.next);
        }
        let (mut pushes, mut hooks): (Vec<_>, Vec<_>) =
            work.due.into_iter().partition(|task| task.purpose == Purpose::Push);
        // What never failed goes first, so that one message that its receiver cannot bear does not hold up the others.
        hooks.sort_by_key(|task| (task.state.attempts, task.seq));
        let (pushed, told) = futures_util::join!(push_all(sender, &mut pushes), tell_all(sender, &mut hooks));
        pushed?;
        if let Some(due) = told? {
            return Ok(Some(work.next.map_or(due, |next| next.min(due))));
        }
    }
}

async fn push_all(sender: &Sender, tasks: &mut [Task]) -> domain::Result<()> {
    for task in tasks {
        if let Some(entry) = entry_of(sender, task).await? {
            push(sender, task, &entry).await?;
        }
    }
    Ok(())
}

/// Tells an app's server of messages, until it does not answer; when to go on then.
async fn tell_all(sender: &Sender, tasks: &mut [Task]) -> domain::Result<Option<Millis>> {
    for task in tasks {
        let Some(entry) = entry_of(sender, task).await? else { continue };
        let Some((hook, body)) = sender.domain.webhooks.after(task.app, task.conversation, &entry).await? else {
            sender.domain.outbox.done(task).await?;
            continue;
        };
        if !sender.domain.outbox.hold(task).await? {
            continue;
        }
        match sender.domain.webhooks.tell(&hook, body).await {
            Ok(()) => sender.domain.outbox.done(task).await?,
            Err(why) => {
                tracing::info!(app = task.app.0, why, "a webhook did not take a message, and is told again");
                let due = sender.retry_at(task.state.attempts);
                sender.domain.outbox.failed(task, due).await?;
                return Ok(Some(due));
            }
        }
    }
    Ok(None)
}

/// The entry that a task is about. A task that has lost its point, or was tried for too long, is dropped.
async fn entry_of(sender: &Sender, task: &Task) -> domain::Result<Option<Entry>> {
    let late = Millis(task.state.left).plus(sender.config.give_up) < sender.now();
    let entry = if late { None } else { sender.domain.outbox.entry(task).await? };
    if entry.is_none() {
        if late {
            metrics::counter!(GIVEN_UP).increment(1);
            tracing::warn!(app = task.app.0, purpose = ?task.purpose, "what was tried for too long is dropped");
        }
        sender.domain.outbox.done(task).await?;
    }
    Ok(entry)
}

/// Sends a message's push to all whom it goes to. Users to whom it could not be sent are kept for another attempt.
async fn push(sender: &Sender, task: &mut Task, entry: &Entry) -> domain::Result<()> {
    let mut after: Option<UserId> = None;
    let (mut connected, mut failed) = (Vec::new(), Vec::new());
    loop {
        if !sender.domain.outbox.hold(task).await? {
            return Ok(());
        }
        let page = sender.domain.push.page_of_message(task, entry, after).await?;
        let verdicts = sender.send_all(task.app, &page.deliveries).await;
        connected.extend(page.connected);
        failed.extend(not_yet(&page.deliveries, &verdicts));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let again = sender.retry_at(task.state.attempts);
    sender.domain.push.message_done(task, connected, (failed, again)).await
}

fn not_yet<'a>(deliveries: &'a [Delivery], verdicts: &'a [Verdict]) -> impl Iterator<Item = UserId> + 'a {
    let sent = deliveries.iter().zip(verdicts);
    sent.filter(|(_, verdict)| matches!(verdict, Verdict::Later { .. })).map(|(delivery, _)| delivery.user)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = (AppNumber(1), ConversationId::Notices(UserId(1)));
    const THERE: Place = (AppNumber(1), ConversationId::Notices(UserId(2)));

    #[test]
    fn a_conversation_is_worked_on_once_at_a_time_and_again_if_something_came() {
        let mut line = Line::default();
        line.add(HERE);
        line.add(HERE);
        assert_eq!((line.take(), line.take()), (Some(HERE), None));
        line.add(HERE);
        line.add(HERE);
        assert_eq!(line.take(), None, "it is busy");
        line.finished(HERE, None);
        assert_eq!((line.take(), line.take()), (Some(HERE), None));
        line.finished(HERE, None);
        assert_eq!(line.take(), None);
        assert!(line.known.is_empty());
    }

    #[test]
    fn what_waits_for_its_time_comes_in_time() {
        let mut line = Line::default();
        line.add(HERE);
        line.take();
        line.finished(HERE, Some(Millis(500)));
        line.add(THERE);
        line.take();
        line.finished(THERE, Some(Millis(300)));
        assert_eq!(line.advance(Millis(100)), Some(Duration::from_millis(200)));
        assert_eq!(line.advance(Millis(300)), Some(Duration::from_millis(200)));
        assert_eq!(line.take(), Some(THERE));
        assert_eq!(line.advance(Millis(600)), None);
        assert_eq!(line.take(), Some(HERE));
    }
}
