//! Messages over a stream of bytes: JSON, each behind its length. So a coordinator speaks with other processes, near and far.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::message::{FromWorker, ToWorker};

/// Longest message, bytes. The longest are assignments: 200,000 users with their tokens take some 20 MiB.
pub(crate) const LONGEST: usize = 64 << 20;
/// After how long without a word the other end counts as gone. Workers speak every second, and are spoken to every few.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);

pub(crate) type Reading<R> = FramedRead<R, LengthDelimitedCodec>;
pub(crate) type Writing<W> = FramedWrite<W, LengthDelimitedCodec>;

fn codec(longest: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(longest).new_codec()
}

/// Reads messages no longer than that.
pub(crate) fn reading<R: AsyncRead>(stream: R, longest: usize) -> Reading<R> {
    FramedRead::new(stream, codec(longest))
}

/// Writes messages.
pub(crate) fn writing<W: AsyncWrite>(stream: W) -> Writing<W> {
    FramedWrite::new(stream, codec(LONGEST))
}

/// The next message; none when the other end has closed.
pub(crate) async fn receive<R: AsyncRead + Unpin, T: DeserializeOwned>(
    from: &mut Reading<R>,
) -> anyhow::Result<Option<T>> {
    let Some(frame) = from.next().await else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&frame?).context("not a message of this protocol")?))
}

/// Sends one.
pub(crate) async fn send<W: AsyncWrite + Unpin>(to: &mut Writing<W>, message: &impl Serialize) -> anyhow::Result<()> {
    Ok(to.send(Bytes::from(serde_json::to_vec(message)?)).await?)
}

/// The coordinator's side: passes messages on until the worker has said its last. Fails when it did not come so far.
pub(crate) async fn lead<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    mut from: Reading<R>,
    mut to: Writing<W>,
    mut commands: mpsc::Receiver<ToWorker>,
    reports: &mpsc::Sender<FromWorker>,
) -> anyhow::Result<()> {
    let writing = async {
        while let Some(command) = commands.recv().await {
            if send(&mut to, &command).await.is_err() {
                break;
            }
        }
        // Who cannot be written to is not heard either, and what is heard says more.
        std::future::pending::<()>().await;
    };
    let reading = async {
        loop {
            let Some(report) = receive::<_, FromWorker>(&mut from).await? else { bail!("ended without a word") };
            let last = report.is_last();
            if reports.send(report).await.is_err() || last {
                return Ok(());
            }
        }
    };
    tokio::select! {
        () = writing => Ok(()),
        ended = reading => ended,
    }
}

/// The worker's side: passes messages on until the last was sent, or the coordinator is gone.
pub(crate) async fn follow<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    mut from: Reading<R>,
    mut to: Writing<W>,
    commands: mpsc::Sender<ToWorker>,
    mut reports: mpsc::Receiver<FromWorker>,
) -> anyhow::Result<()> {
    let writing = async {
        while let Some(report) = reports.recv().await {
            send(&mut to, &report).await?;
            if report.is_last() {
                break;
            }
        }
        Ok(())
    };
    let reading = async {
        while let Some(command) = receive(&mut from).await? {
            if commands.send(command).await.is_err() {
                // The work is done, and its last words are on their way.
                std::future::pending::<()>().await;
            }
        }
        bail!("the coordinator is gone")
    };
    tokio::select! {
        written = writing => written,
        read = reading => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::process::Sample;
    use crate::measure::tick::Tick;
    use crate::plan::Plan;
    use crate::plan::credentials::User;
    use crate::run::message::{Assignment, Milestone, Part};

    fn plan() -> Plan {
        Plan::parse("[target]\ncredentials = \"x\"\n[scenario.peer]\npairs = 3\n[load]\nrate = 7.5").unwrap()
    }

    #[tokio::test]
    async fn messages_survive_the_way_in_both_directions() {
        let (here, there) = tokio::io::duplex(64);
        let ((here_read, here_write), (there_read, there_write)) = (tokio::io::split(here), tokio::io::split(there));
        let (commands, to_send) = mpsc::channel(8);
        let (heard, mut reports) = mpsc::channel(8);
        let (passed_on, mut inbox) = mpsc::channel(8);
        let (outbox, told) = mpsc::channel(8);
        let leading =
            tokio::spawn(async move { lead(reading(here_read, LONGEST), writing(here_write), to_send, &heard).await });
        let following = tokio::spawn(follow(reading(there_read, LONGEST), writing(there_write), passed_on, told));

        let users = vec![User { uid: "load1".into(), id: 1, token: "secret".into() }; 100];
        let assignment =
            Assignment { plan: plan(), users, authorities: Some(vec![0, 255]), begin_us: u64::MAX, run: 4 };
        let sent = [
            ToWorker::Ping,
            ToWorker::Start(Box::new(assignment)),
            ToWorker::Go { milestone: Milestone::Loaded, at_us: 1 },
            ToWorker::Stop,
        ];
        for command in &sent {
            commands.send(command.clone()).await.unwrap();
            assert_eq!(format!("{:?}", inbox.recv().await.unwrap()), format!("{command:?}"));
        }
        let told = [
            FromWorker::Pong { clock_us: 5 },
            FromWorker::Reached {
                milestone: Milestone::Connected,
                generator: Sample { rss: 1, cpu_us: 2, ..Sample::default() },
            },
            FromWorker::Tick(Box::new(Tick { second: 3, span: 1, ..Tick::default() })),
            FromWorker::Done(Box::new(Part { figures: [("x".into(), 1.5)].into(), ..Part::default() })),
        ];
        for report in &told {
            outbox.send(report.clone()).await.unwrap();
            assert_eq!(format!("{:?}", reports.recv().await.unwrap()), format!("{report:?}"));
        }
        leading.await.unwrap().unwrap();
        following.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_too_long_or_no_message_is_refused() {
        for (bytes, reason) in [(&[0, 1, 0, 0][..], "frame size"), (&[0, 0, 0, 2, b'{', b'x'], "not a message")] {
            let (mut here, there) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut here, bytes).await.unwrap();
            let error = receive::<_, ToWorker>(&mut reading(there, 1000)).await.unwrap_err();
            assert!(format!("{error:#}").contains(reason), "{error:#}");
        }
    }
}
