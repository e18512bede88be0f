//! How far another process's clock is from this one's: asked several times, the quickest answer counts.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::crew::Worker;
use super::message::{FromWorker, ToWorker};
use super::wall;

/// How often a worker is asked.
const QUESTIONS: usize = 8;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What another clock shows beyond this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// Microseconds; negative when the other is behind.
    pub us: i64,
    /// How far the truth may be from that, microseconds: half of the way there and back.
    pub error_us: u64,
}

impl Offset {
    /// What a question sent and answered then (microseconds of this clock) tells, when the answer shows the other clock.
    fn seen(sent_us: u64, answered_us: u64, other_us: u64) -> Self {
        let way = answered_us.saturating_sub(sent_us);
        let middle = sent_us.saturating_add(way / 2);
        let away = i64::try_from(other_us.abs_diff(middle)).unwrap_or(i64::MAX);
        Self { us: if other_us >= middle { away } else { -away }, error_us: way.div_ceil(2) }
    }

    /// What the other clock shows when this one shows `here_us`.
    #[must_use]
    pub fn there(self, here_us: u64) -> u64 {
        here_us.saturating_add_signed(self.us)
    }
}

/// Asks a worker that has not started yet. Fails when it does not answer.
pub(crate) async fn estimate(worker: &mut Worker) -> anyhow::Result<Offset> {
    let mut best: Option<Offset> = None;
    for _ in 0..QUESTIONS {
        let (begun, sent_us) = (Instant::now(), wall::now_us());
        worker.inbox.send(ToWorker::Ping).await.context("it is gone")?;
        let answer = tokio::time::timeout(PATIENCE, worker.outbox.recv()).await.context("it does not answer")?;
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        match answer {
            Some(FromWorker::Pong { clock_us }) => {
                let seen = Offset::seen(sent_us, sent_us.saturating_add(took), clock_us);
                if best.is_none_or(|best| seen.error_us < best.error_us) {
                    best = Some(seen);
                }
            }
            Some(FromWorker::Failed(reason)) => bail!("{reason}"),
            Some(_) => bail!("it speaks before it is asked"),
            None => bail!("it is gone"),
        }
    }
    best.context("it was not asked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_way_is_compared() {
        assert_eq!(Offset::seen(1_000, 1_200, 6_100), Offset { us: 5_000, error_us: 100 });
        assert_eq!(Offset::seen(6_000, 6_200, 1_100), Offset { us: -5_000, error_us: 100 });
        assert_eq!(Offset { us: -5_000, error_us: 100 }.there(6_000), 1_000);
    }

    #[tokio::test]
    async fn a_skewed_clock_is_found_within_the_bound() {
        for skew in [-7_200_000_000_i64, 0, 3_600_000_000] {
            let (mut worker, mut commands, reports) = Worker::imagined("skewed");
            tokio::spawn(async move {
                while let Some(ToWorker::Ping) = commands.recv().await {
                    let clock_us = wall::now_us().saturating_add_signed(skew);
                    let _ = reports.send(FromWorker::Pong { clock_us }).await;
                }
            });
            let offset = estimate(&mut worker).await.unwrap();
            // The wall clock itself is read in whole microseconds, at both ends.
            assert!(offset.us.abs_diff(skew) <= offset.error_us + 2, "{skew}: {offset:?}");
        }
    }

    #[tokio::test]
    async fn who_cannot_answer_says_why() {
        let (mut worker, commands, reports) = Worker::imagined("broken");
        reports.send(FromWorker::Failed("no memory".into())).await.unwrap();
        assert_eq!(estimate(&mut worker).await.unwrap_err().to_string(), "no memory");
        drop((commands, reports));
        assert_eq!(estimate(&mut worker).await.unwrap_err().to_string(), "it is gone");
    }
}
