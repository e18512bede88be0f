//! Waking very many connections without keeping everybody else waiting.
//!
//! A message to ten thousand sessions makes ten thousand tasks ready to run. The runtime runs tasks in the order in which they became ready,
//! so that a message between two others would wait until all of these have written theirs. Of a crowd, only the first few are woken at once;
//! the rest follow a few at a time, each time behind whatever else became ready meanwhile. What they are told is in their sessions at once, in
//! its order: only the writing waits. Connections that are over stand in line in the same way, to be closed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Event, Hub, Slot};

/// Connections that are woken together: some hundred microseconds of work.
const TOGETHER: usize = 32;

/// Connections that will be woken soon.
#[derive(Debug, Default)]
pub(crate) struct Crowds {
    waiting: Mutex<VecDeque<Waker>>,
    more: Notify,
    /// Nobody stands in line any more.
    over: AtomicBool,
}

/// Those who are told of one event.
pub(super) struct Crowd<'a> {
    crowds: &'a Crowds,
    woken: usize,
    later: VecDeque<Waker>,
}

impl Crowds {
    pub(super) fn gather(&self) -> Crowd<'_> {
        Crowd { crowds: self, woken: 0, later: VecDeque::new() }
    }

    /// Has somebody woken in turn, behind those who wait already.
    pub(crate) fn wait(&self, waker: Waker) {
        self.line_up(VecDeque::from([waker]));
    }

    fn line_up(&self, mut wakers: VecDeque<Waker>) {
        {
            let mut waiting = self.waiting.lock();
            if waiting.is_empty() {
                *waiting = wakers;
            } else {
                waiting.append(&mut wakers);
            }
        }
        if self.over.load(Ordering::SeqCst) {
            self.wake_all();
        } else {
            self.more.notify_one();
        }
    }

    fn wake_all(&self) {
        while self.wake_some() {}
    }

    /// Wakes a few. Whether more wait.
    fn wake_some(&self) -> bool {
        let next = || self.waiting.lock().pop_front();
        std::iter::from_fn(next).take(TOGETHER).for_each(Waker::wake);
        let mut waiting = self.waiting.lock();
        if waiting.is_empty() {
            *waiting = VecDeque::new();
        }
        !waiting.is_empty()
    }

    async fn wake_until(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.more.notified()).await.is_some() {
            while self.wake_some() {
                tokio::task::yield_now().await;
            }
        }
        self.over.store(true, Ordering::SeqCst);
        self.wake_all();
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
            self.later.push_back(waker);
        }
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        if !self.later.is_empty() {
            self.crowds.line_up(std::mem::take(&mut self.later));
        }
    }
}

impl Hub {
    /// Wakes those who wait in crowds, until told to stop; then, all that are left.
    pub(crate) async fn wake_crowds(&self, stop: CancellationToken) {
        tokio::join!(self.crowds.wake_until(stop.clone()), self.leaving.wake_until(stop));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Poll;

    use tokio::sync::oneshot;

    use super::*;

    const MANY: usize = 1_000;

    /// What wakes as many tasks as wait for it, each of which then counts itself.
    async fn crowd(ran: &Arc<AtomicUsize>) -> Vec<Waker> {
        let wakers = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..MANY {
            let (wakers, ran) = (Arc::clone(&wakers), Arc::clone(ran));
            let mut begun = false;
            tokio::spawn(std::future::poll_fn(move |cx| {
                if !std::mem::replace(&mut begun, true) {
                    wakers.lock().push(cx.waker().clone());
                    return Poll::Pending;
                }
                ran.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(())
            }));
        }
        while wakers.lock().len() < MANY {
            tokio::task::yield_now().await;
        }
        std::mem::take(&mut *wakers.lock())
    }

    #[tokio::test]
    async fn a_crowd_does_not_keep_others_waiting_and_all_of_it_is_woken() {
        let (crowds, ran, stop) = (Arc::new(Crowds::default()), Arc::default(), CancellationToken::new());
        let waking = Arc::clone(&crowds);
        let until = stop.clone();
        let pacer = tokio::spawn(async move { waking.wake_until(until).await });
        let members = crowd(&ran).await;
        let (give, turn) = oneshot::channel();
        let seen = Arc::clone(&ran);
        let other = tokio::spawn(async move {
            turn.await.unwrap();
            seen.load(Ordering::Relaxed)
        });
        // It waits from here on: what becomes ready before the crowd would run before it in any case.
        tokio::task::yield_now().await;
        {
            let mut crowd = crowds.gather();
            members.into_iter().for_each(|waker| crowd.wake(waker));
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
    async fn whoever_waits_at_the_end_or_later_is_woken_then() {
        let (crowds, ran, stop) = (Crowds::default(), Arc::default(), CancellationToken::new());
        let mut members = crowd(&ran).await;
        let late = members.split_off(MANY / 2);
        members.into_iter().for_each(|waker| crowds.wait(waker));
        stop.cancel();
        crowds.wake_until(stop).await;
        late.into_iter().for_each(|waker| crowds.wait(waker));
        while ran.load(Ordering::Relaxed) < MANY {
            tokio::task::yield_now().await;
        }
    }
}
