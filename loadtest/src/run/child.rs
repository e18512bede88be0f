//! Worker processes: this program started again, spoken to over its standard input and output.

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::crew::Worker;
use super::link::{self, LONGEST};
use super::message::FromWorker;
use super::worker;

/// How much of what a process complained of is kept: the end.
const TAIL: usize = 4096;
/// How long a process that has closed its output may take to end by itself.
const END: Duration = Duration::from_secs(2);

/// A running worker process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) input: pipe::Sender,
    pub(crate) output: pipe::Receiver,
    pub(crate) life: Life,
}

/// The process itself, without its pipes.
#[derive(Debug)]
pub(crate) struct Life {
    child: Child,
    complaints: Arc<Mutex<VecDeque<u8>>>,
    _listening: AbortOnDropHandle<()>,
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, as it should.
    Well,
    /// By itself, in these words.
    Badly(String),
    /// It was killed, since it did not end by itself.
    Hastened,
}

/// How this program is started as a worker, with so many threads; 0 means one per core.
pub(crate) fn command(threads: usize) -> Command {
    // Also right when the file was replaced since: both ends must be of the same build.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("linnet-loadtest").args(["worker", "--threads", &threads.to_string()]);
    command
}

impl Process {
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        // Ctrl-C is for the coordinator, which then asks its workers to end: in a group of their own, they do not hear it themselves.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start a worker process")?;
        let input = OwnedFd::from(child.stdin.take().context("a worker has no input")?);
        let output = OwnedFd::from(child.stdout.take().context("a worker has no output")?);
        let errors = OwnedFd::from(child.stderr.take().context("a worker has no place for errors")?);
        let mut errors = pipe::Receiver::from_owned_fd(errors)?;
        let complaints = Arc::new(Mutex::new(VecDeque::new()));
        let heard = Arc::clone(&complaints);
        let listening = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = errors.read(&mut buffer).await {
                let mut heard = heard.lock();
                heard.extend(&buffer[..read]);
                let surplus = heard.len().saturating_sub(TAIL);
                heard.drain(..surplus);
            }
        });
        let life = Life { child, complaints, _listening: AbortOnDropHandle::new(listening) };
        Ok(Self { input: pipe::Sender::from_owned_fd(input)?, output: pipe::Receiver::from_owned_fd(output)?, life })
    }
}

impl Life {
    /// Waits for its end, but not long.
    pub(crate) async fn end(mut self) -> End {
        let mut ended = None;
        for _ in 0..END.as_millis() / 20 {
            ended = self.child.try_wait().ok().flatten();
            if ended.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let how = match ended {
            None => return End::Hastened,
            Some(status) if status.success() => return End::Well,
            Some(status) => described(status),
        };
        // What it complained of last may still be on its way.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let complaints = self.complaints.lock().iter().copied().collect::<Vec<_>>();
        let complaints = String::from_utf8_lossy(&complaints).trim().to_owned();
        End::Badly(if complaints.is_empty() { how } else { format!("{how}: {complaints}") })
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Both fail only when it has ended. What was killed is gone at once.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn described(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(9), _) => "killed (signal 9), perhaps for want of memory".to_owned(),
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, code) => format!("ended with code {}", code.unwrap_or_default()),
    }
}

/// Starts a worker process for the coordinator.
pub(crate) fn worker(name: String, command: Command) -> anyhow::Result<Worker> {
    let Process { input, output, life } = Process::start(command)?;
    Ok(Worker::elsewhere(name, |commands, reports| async move {
        let led = link::lead(link::reading(output, LONGEST), link::writing(input), commands, &reports).await;
        if let Err(error) = led {
            let reason = match life.end().await {
                End::Badly(how) => how,
                End::Well | End::Hastened => format!("{error:#}"),
            };
            // Nobody listens any more when the run has failed already.
            let _ = reports.send(FromWorker::Failed(reason)).await;
        }
    }))
}

/// Is a worker process, until its work is done or the coordinator is gone.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let input = pipe::Receiver::from_owned_fd(std::io::stdin().as_fd().try_clone_to_owned()?);
    let output = pipe::Sender::from_owned_fd(std::io::stdout().as_fd().try_clone_to_owned()?);
    let (input, output) = input.and_then(|input| Ok((input, output?))).context("only a coordinator starts workers")?;
    let (commands, inbox) = mpsc::channel(worker::QUEUE);
    let (outbox, reports) = mpsc::channel(worker::QUEUE);
    let working = AbortOnDropHandle::new(tokio::spawn(worker::work(inbox, outbox)));
    let followed = link::follow(link::reading(input, LONGEST), link::writing(output), commands, reports).await;
    drop(working);
    followed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::message::ToWorker;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn last_words(script: &str) -> String {
        let mut worker = worker("shell".into(), shell(script)).unwrap();
        match worker.outbox.recv().await {
            Some(FromWorker::Failed(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_worker_that_dies_says_why() {
        assert_eq!(last_words("echo no more memory >&2; exit 3").await, "ended with code 3: no more memory");
        assert_eq!(last_words("kill -9 $$").await, "killed (signal 9), perhaps for want of memory");
        assert_eq!(last_words("exit 0").await, "ended without a word");
        let long = last_words("head -c 100000 /dev/zero | tr '\\0' x >&2; echo THE END >&2; exit 1").await;
        assert!(long.len() < TAIL + 100 && long.ends_with("xTHE END"), "{long}");
    }

    #[tokio::test]
    async fn a_worker_that_raves_is_ended() {
        // Four bytes of length that no message has, and then silence.
        let reason = last_words("printf '\\377\\377\\377\\377'; exec sleep 100").await;
        assert!(reason.contains("frame size"), "{reason}");
    }

    #[tokio::test]
    async fn a_worker_that_is_dropped_ends() {
        let process = Process::start(shell("exec sleep 100")).unwrap();
        let id = process.life.child.id();
        assert!(crate::measure::process::sample(id).is_ok());
        drop(process);
        assert!(crate::measure::process::sample(id).is_err());
    }

    #[tokio::test]
    async fn a_worker_does_not_hear_what_its_coordinators_group_is_told() {
        let process = Process::start(shell("cut -d' ' -f5 /proc/$$/stat >&2; exit 1")).unwrap();
        let id = process.life.child.id();
        assert_eq!(process.life.end().await, End::Badly(format!("ended with code 1: {id}")));
    }

    #[tokio::test]
    async fn it_is_told_what_to_do() {
        // A message is four bytes of length and then JSON.
        let worker = worker("shell".into(), shell("head -c 10 >&2; exit 1")).unwrap();
        worker.inbox.send(ToWorker::Ping).await.unwrap();
        let mut outbox = worker.outbox;
        let Some(FromWorker::Failed(reason)) = outbox.recv().await else { panic!("still alive") };
        assert!(reason.ends_with("\"Ping\""), "{reason}");
    }
}
