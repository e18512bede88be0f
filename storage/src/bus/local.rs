//! The bus within one process, and the end of every other bus that this process listens to.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::metrics;

/// Something that lives as long as a subscription does.
pub(crate) type Keep = Arc<dyn std::any::Any + Send + Sync>;

/// Publications were missed; whoever depended on them has to look into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{missed} or more publications were missed")]
pub struct Lagged {
    /// How many for certain. Zero when the connection was away and nobody can tell.
    pub missed: u64,
}

/// Hears what is published on a [`Bus`](crate::Bus).
pub struct Subscription {
    mailbox: Arc<Mutex<Mailbox>>,
    _keep: Keep,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl Subscription {
    /// The next publication, once there is one. Safe to drop and call again.
    ///
    /// # Errors
    /// [`Lagged`] in the place of publications that were missed; those that follow come with the next calls.
    pub async fn recv(&mut self) -> Result<Bytes, Lagged> {
        poll_fn(|context| self.mailbox.lock().poll(context)).await
    }
}

#[derive(Debug)]
struct Mailbox {
    waiting: VecDeque<Bytes>,
    capacity: usize,
    lost: Option<u64>,
    waker: Option<Waker>,
}

impl Mailbox {
    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Bytes, Lagged>> {
        // What was lost is older than what waits.
        if let Some(missed) = self.lost.take() {
            return Poll::Ready(Err(Lagged { missed }));
        }
        if let Some(payload) = self.waiting.pop_front() {
            return Poll::Ready(Ok(payload));
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn put(&mut self, payload: Bytes) -> Option<Waker> {
        if self.waiting.len() == self.capacity {
            self.waiting.pop_front();
            self.lose(1);
            metrics::publications_dropped(1);
        }
        self.waiting.push_back(payload);
        self.waker.take()
    }

    fn lose(&mut self, missed: u64) {
        *self.lost.get_or_insert(0) += missed;
    }
}

/// The subscriptions of this process.
#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<Vec<Weak<Mutex<Mailbox>>>>);

impl Hub {
    pub(crate) fn publish(&self, payload: &Bytes) {
        self.each(|mailbox| mailbox.put(payload.clone()));
    }

    /// Tells every subscription that it missed something.
    pub(crate) fn lose(&self, missed: u64) {
        self.each(|mailbox| {
            // What waits came before the gap and would be read after the notice: the notice covers it as well.
            let dropped = std::mem::take(&mut mailbox.waiting).len();
            mailbox.lose(missed + dropped as u64);
            mailbox.waker.take()
        });
    }

    pub(crate) fn subscribe(&self, capacity: usize, keep: Keep) -> Subscription {
        let mailbox = Mailbox { waiting: VecDeque::new(), capacity: capacity.max(1), lost: None, waker: None };
        let mailbox = Arc::new(Mutex::new(mailbox));
        self.0.lock().push(Arc::downgrade(&mailbox));
        Subscription { mailbox, _keep: keep }
    }

    fn each(&self, mut tell: impl FnMut(&mut Mailbox) -> Option<Waker>) {
        // Under the lock, so that all subscriptions hear in one order; a waker only marks its task as ready.
        self.0.lock().retain(|mailbox| {
            let Some(mailbox) = mailbox.upgrade() else { return false };
            let waker = tell(&mut mailbox.lock());
            if let Some(waker) = waker {
                waker.wake();
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bus;

    #[tokio::test]
    async fn a_slow_subscriber_loses_the_oldest_and_is_told() {
        let bus = Bus::local();
        let (mut slow, mut quick) = (bus.subscribe(2), bus.subscribe(8));
        for text in ["a", "b", "c", "d"] {
            bus.publish(&[], Bytes::from(text));
        }
        assert_eq!(slow.recv().await, Err(Lagged { missed: 2 }));
        assert_eq!(slow.recv().await, Ok(Bytes::from("c")));
        assert_eq!(slow.recv().await, Ok(Bytes::from("d")));
        for text in ["a", "b", "c", "d"] {
            assert_eq!(quick.recv().await, Ok(Bytes::from(text)));
        }
    }

    #[tokio::test]
    async fn a_waiting_subscriber_wakes_up() {
        let bus = Bus::local();
        let mut subscription = bus.subscribe(1);
        let waiting = tokio::spawn(async move { subscription.recv().await });
        tokio::task::yield_now().await;
        bus.publish(&[], Bytes::from("x"));
        assert_eq!(waiting.await.unwrap(), Ok(Bytes::from("x")));
    }

    #[test]
    fn a_dropped_subscription_is_forgotten() {
        let hub = Hub::default();
        drop(hub.subscribe(1, Arc::new(())));
        hub.publish(&Bytes::from("x"));
        assert!(hub.0.lock().is_empty());
    }
}
