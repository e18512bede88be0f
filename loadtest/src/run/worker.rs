//! One worker: does its assignment, and tells every second what it saw.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::context::Context;
use super::message::{Assignment, FromWorker, Milestone, Part, ToWorker};
use super::wall;
use crate::measure::ledger::Books;
use crate::measure::meters::Meters;
use crate::scenario;

/// Works until the assignment is done, or the coordinator is gone. The last message is `Done` or `Failed`.
pub(crate) async fn work(mut inbox: mpsc::Receiver<ToWorker>, outbox: mpsc::Sender<FromWorker>) {
    let assignment = loop {
        match inbox.recv().await {
            Some(ToWorker::Start(assignment)) => break assignment,
            Some(ToWorker::Ping) => pong(&outbox).await,
            Some(ToWorker::Go(_)) => {}
            Some(ToWorker::Stop) | None => return,
        }
    };
    let (stop, stopped) = watch::channel(false);
    let (go, going) = watch::channel(Milestone::Start);
    let Assignment { plan, users, run } = *assignment;
    let context = Arc::new(Context {
        plan,
        users,
        run,
        start: Instant::now(),
        meters: Meters::default(),
        books: Books::default(),
        stop: stopped,
        go: going,
        outbox: outbox.clone(),
    });
    let mut work = tokio::spawn(scenario::run(Arc::clone(&context)));
    let mut second = 0;
    let mut clock =
        tokio::time::interval_at(tokio::time::Instant::now() + Duration::from_secs(1), Duration::from_secs(1));
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            _ = clock.tick() => {
                second += 1;
                tell(&outbox, FromWorker::Tick(Box::new(context.meters.tick(second)))).await;
            }
            message = inbox.recv() => match message {
                // The context holds receivers of its own, so neither can fail.
                Some(ToWorker::Go(milestone)) => drop(go.send(milestone)),
                Some(ToWorker::Stop) | None => drop(stop.send(true)),
                Some(ToWorker::Ping) => pong(&outbox).await,
                Some(ToWorker::Start(_)) => {}
            },
        }
    };
    tell(&outbox, FromWorker::Tick(Box::new(context.meters.tick(second + 1)))).await;
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
