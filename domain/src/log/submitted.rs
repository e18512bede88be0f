//! An entry between its place and the disk.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::messages::Sent;

/// An entry that has its place in the order but is not durable yet.
#[must_use = "an entry is acknowledged only once it is durable"]
#[derive(Debug)]
pub struct Submitted(Outcome);

#[derive(Debug)]
enum Outcome {
    Known(Sent),
    Awaited(oneshot::Receiver<Result<Sent>>),
}

impl Submitted {
    /// An outcome that needs no waiting.
    pub(crate) fn known(sent: Sent) -> Self {
        Self(Outcome::Known(sent))
    }

    /// An outcome that is told later.
    pub(super) fn awaited(outcome: oneshot::Receiver<Result<Sent>>) -> Self {
        Self(Outcome::Awaited(outcome))
    }

    /// Waits until the entry is durable and has been handed to delivery. Dropping this changes neither.
    ///
    /// # Errors
    /// `Unavailable` if the outcome is unknown; after any other error, the entry does not exist and never will.
    pub async fn durable(self) -> Result<Sent> {
        self.await
    }
}

/// See [`Submitted::durable`].
impl Future for Submitted {
    type Output = Result<Sent>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Outcome::Known(sent) => Poll::Ready(Ok(sent.clone())),
            Outcome::Awaited(outcome) => {
                Pin::new(outcome).poll(context).map(|outcome| outcome.unwrap_or_else(|_| Err(stopped())))
            }
        }
    }
}

/// What those hear who wait when the process ends.
pub(super) fn stopped() -> Error {
    Error::Unavailable(storage::Error::Unavailable("the process is stopping".to_owned()))
}
