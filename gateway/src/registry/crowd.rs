//! Waking very many connections without keeping everybody else waiting.
//!
//! A message to ten thousand sessions makes ten thousand tasks ready to run. The runtime runs tasks in the order in which they became ready,
//! so that a message between two others would wait until all of these have written theirs. Of a crowd, only the first few are woken at once;
//! the rest follow a few at a time, each time behind whatever else became ready meanwhile. What they are told is in their sessions at once, in
//! its order: only the writing waits.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Event, Hub, Slot};

/// Connections that are woken together: some hundred microseconds of work.
const TOGETHER: usize = 32;

/// Connections that have something to write, and will be woken soon.
#[derive(Debug, Default)]
pub(super) struct Crowds {
    waiting: Mutex<VecDeque<Waker>>,
    more: Notify,
}

/// Those who are told of one event.
pub(super) struct Crowd<'a> {
    crowds: &'a Crowds,
    woken: usize,
    later: Vec<Waker>,
}

impl Crowds {
    pub(super) fn gather(&self) -> Crowd<'_> {
        Crowd { crowds: self, woken: 0, later: Vec::new() }
    }

    /// Wakes a few. Whether there were any.
    fn wake_some(&self) -> bool {
        let some: Vec<Waker> = {
            let mut waiting = self.waiting.lock();
            let count = waiting.len().min(TOGETHER);
            waiting.drain(..count).collect()
        };
        let any = !some.is_empty();
        some.into_iter().for_each(Waker::wake);
        any
    }

    async fn wake_until(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.more.notified()).await.is_some() {
            while self.wake_some() {
                tokio::task::yield_now().await;
            }
        }
        while self.wake_some() {}
    }
}

impl Crowd<'_> {
    /// Hands an event to a session, and wakes its connection now or soon.
    pub(super) fn tell(&mut self, now: Instant, slot: &Slot, event: &Event<'_>) {
        if let Some(waker) = slot.hand(now, event) {
            self.wake(waker);
        }
    }

    fn wake(&mut self, waker: Waker) {
        if self.woken < TOGETHER {
            self.woken += 1;
            waker.wake();
        } else {
            self.later.push(waker);
        }
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        if !self.later.is_empty() {
            self.crowds.waiting.lock().extend(self.later.drain(..));
            self.crowds.more.notify_one();
        }
    }
}

impl Hub {
    /// Wakes those who wait in crowds, until told to stop; then, all that are left.
    pub(crate) async fn wake_crowds(&self, stop: CancellationToken) {
        self.crowds.wake_until(stop).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::task::AtomicWaker;
    use tokio::sync::oneshot;

    use super::*;

    const MANY: usize = 1_000;

    /// Tasks that count when they are woken, and what wakes them.
    fn members(ran: &Arc<AtomicUsize>) -> Vec<Arc<AtomicWaker>> {
        let member = |_| {
            let (waker, ran) = (Arc::new(AtomicWaker::new()), Arc::clone(ran));
            let own = Arc::clone(&waker);
            let mut polls = 0;
            tokio::spawn(std::future::poll_fn(move |cx| {
                own.register(cx.waker());
                polls += 1;
                if polls == 1 {
                    return std::task::Poll::Pending;
                }
                ran.fetch_add(1, Ordering::Relaxed);
                std::task::Poll::Ready(())
            }));
            waker
        };
        (0..MANY).map(member).collect()
    }

    #[tokio::test]
    async fn a_crowd_does_not_keep_others_waiting_and_all_of_it_is_woken() {
        let (crowds, ran, stop) = (Arc::new(Crowds::default()), Arc::default(), CancellationToken::new());
        let waking = Arc::clone(&crowds);
        let until = stop.clone();
        let pacer = tokio::spawn(async move { waking.wake_until(until).await });
        let members = members(&ran);
        let (give, turn) = oneshot::channel();
        let seen = Arc::clone(&ran);
        let other = tokio::spawn(async move {
            turn.await.unwrap();
            seen.load(Ordering::Relaxed)
        });
        // Everyone has begun and waits.
        tokio::task::yield_now().await;
        {
            let mut crowd = crowds.gather();
            members.iter().filter_map(|member| member.take()).for_each(|waker| crowd.wake(waker));
        }
        give.send(()).unwrap();
        let before = other.await.unwrap();
        assert!(before <= 2 * TOGETHER, "{before} of the crowd came first");
        while ran.load(Ordering::Relaxed) < MANY {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        pacer.await.unwrap();
    }

    #[tokio::test]
    async fn whoever_still_waits_at_the_end_is_woken_then() {
        let (crowds, ran, stop) = (Crowds::default(), Arc::default(), CancellationToken::new());
        let members = members(&ran);
        tokio::task::yield_now().await;
        {
            let mut crowd = crowds.gather();
            members.iter().filter_map(|member| member.take()).for_each(|waker| crowd.wake(waker));
        }
        stop.cancel();
        crowds.wake_until(stop).await;
        tokio::task::yield_now().await;
        assert_eq!(ran.load(Ordering::Relaxed), MANY);
    }
}
