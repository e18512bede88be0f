//! One worker: does its assignment, and tells every second what it saw.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::context::{Context, Signal};
use super::message::{Assignment, FromWorker, Milestone, Part, ToWorker};
use super::wall;
use crate::measure::ledger::Books;
use crate::measure::meters::Meters;
use crate::scenario;

/// Messages between the coordinator and one worker that may wait.
pub(crate) const QUEUE: usize = 64;
const SECOND: Duration = Duration::from_secs(1);

/// Works until the assignment is done, or the coordinator is gone. The last message is `Done` or `Failed`.
pub(crate) async fn work(mut inbox: mpsc::Receiver<ToWorker>, outbox: mpsc::Sender<FromWorker>) {
    let assignment = loop {
        match inbox.recv().await {
            Some(ToWorker::Start(assignment)) => break assignment,
            Some(ToWorker::Ping) => pong(&outbox).await,
            Some(ToWorker::Go { .. }) => {}
            Some(ToWorker::Stop) | None => return,
        }
    };
    let (stop, stopped) = watch::channel(false);
    let Assignment { plan, users, authorities, begin_us, run } = *assignment;
    let begin = wall::instant(begin_us);
    let (go, going) = watch::channel(Signal { milestone: Milestone::Start, at: begin });
    let context = Arc::new(Context {
        plan,
        users,
        authorities,
        run,
        start: begin,
        meters: Meters::default(),
        books: Books::default(),
        stop: stopped,
        go: going,
        outbox: outbox.clone(),
    });
    let mut work = tokio::spawn({
        let context = Arc::clone(&context);
        async move {
            context.sleep(begin.saturating_duration_since(Instant::now())).await;
            scenario::run(context).await
        }
    });
    let mut second = 0;
    let mut clock = tokio::time::interval_at(tokio::time::Instant::from_std(begin) + SECOND, SECOND);
    // A second that was slept over is not made up for: what happened in it is told with the next.
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            due = clock.tick() => {
                let since = due.into_std().saturating_duration_since(begin);
                second = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
                tell(&outbox, FromWorker::Tick(Box::new(context.meters.tick(second)))).await;
            }
            message = inbox.recv() => match message {
                // The context holds receivers of its own, so neither can fail.
                Some(ToWorker::Go { milestone, at_us }) => drop(go.send(Signal { milestone, at: wall::instant(at_us) })),
                Some(ToWorker::Stop) | None => drop(stop.send(true)),
                Some(ToWorker::Ping) => pong(&outbox).await,
                Some(ToWorker::Start(_)) => {}
            },
        }
    };
    tell(&outbox, FromWorker::Tick(Box::new(context.meters.tick(second.saturating_add(1))))).await;
    let last = match ended.map_err(anyhow::Error::from).and_then(|ended| ended) {
        Ok(()) => FromWorker::Done(Box::new(Part {
            verdict: context.books.verdict(),
            errors: context.meters.errors(),
            figures: context.meters.figures(),
        })),
        Err(error) => FromWorker::Failed(format!("{error:#}")),
    };
    tell(&outbox, last).await;
}

/// A coordinator that is gone hears nothing, and the inbox tells so.
async fn tell(outbox: &mpsc::Sender<FromWorker>, message: FromWorker) {
    let _ = outbox.send(message).await;
}

async fn pong(outbox: &mpsc::Sender<FromWorker>) {
    tell(outbox, FromWorker::Pong { clock_us: wall::now_us() }).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::plan::credentials::User;

    /// Whatever the number of users, a run that nobody answers ends with the first logins that fail, which are given 30 s.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_not_there_is_told_at_once() {
        // Bound and closed: nobody listens there.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for scenario in ["[scenario.peer]\npairs = 1000", "[scenario.connect]\nconnections = 2000"] {
            let plan = format!("[target]\naddress = [\"{address}\"]\ncredentials = \"none\"\n{scenario}");
            let user = |id: u64| User { uid: format!("load{id}"), id, token: "token".to_owned() };
            let assignment = Assignment {
                plan: Plan::parse(&plan).unwrap(),
                users: (1..=2000).map(user).collect(),
                authorities: None,
                begin_us: wall::now_us(),
                run: 1,
            };
            let (orders, inbox) = mpsc::channel(QUEUE);
            let (outbox, mut told) = mpsc::channel(QUEUE);
            let begun = tokio::time::Instant::now();
            tokio::spawn(work(inbox, outbox));
            orders.send(ToWorker::Start(Box::new(assignment))).await.unwrap();
            let reason = loop {
                match told.recv().await.expect("a last message") {
                    FromWorker::Failed(reason) => break reason,
                    FromWorker::Done(_) | FromWorker::Reached { .. } => panic!("{scenario}: nobody was there"),
                    _ => {}
                }
            };
            assert!(reason.contains("refused"), "{reason}");
            assert!(begun.elapsed() < Duration::from_secs(45), "{scenario}: {:?}", begun.elapsed());
        }
    }
}
