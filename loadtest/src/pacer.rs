//! The open model's clock: messages are due at fixed times, whether or not the server keeps up.
//!
//! A thread of its own, because the runtime's timers are no finer than a millisecond, and latency counts from the time that was
//! meant. What finds no room is counted as dropped rather than sent late without a trace.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// A message is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    /// When it was meant to be sent.
    pub(crate) intended: Instant,
}

/// Hands out `rate` messages a second in all, to the pairs in turn, for as long as `duration`. Returns how many were dropped.
pub(crate) fn pace(pairs: &[mpsc::Sender<Due>], rate: f64, start: Instant, duration: Duration) -> u64 {
    let mut dropped = 0;
    for number in 0u64.. {
        let offset = Duration::from_secs_f64(number as f64 / rate);
        if offset >= duration {
            break;
        }
        let intended = start + offset;
        let wait = intended.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        let pair = &pairs[usize::try_from(number).unwrap_or(0) % pairs.len()];
        match pair.try_send(Due { intended }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => dropped += 1,
            // The run was ended early.
            Err(mpsc::error::TrySendError::Closed(_)) => break,
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_evenly_and_in_turn() {
        let (first, mut one) = mpsc::channel(1000);
        let (second, mut two) = mpsc::channel(1000);
        let start = Instant::now();
        let dropped = pace(&[first, second], 1000.0, start, Duration::from_millis(100));
        assert_eq!(dropped, 0);
        assert!(start.elapsed() >= Duration::from_millis(99));
        let times = |queue: &mut mpsc::Receiver<Due>| {
            std::iter::from_fn(|| queue.try_recv().ok())
                .map(|due| (due.intended - start).as_millis())
                .collect::<Vec<_>>()
        };
        assert_eq!(times(&mut one), (0..100).step_by(2).collect::<Vec<_>>());
        assert_eq!(times(&mut two), (1..100).step_by(2).collect::<Vec<_>>());
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (only, _queue) = mpsc::channel(10);
        assert_eq!(pace(&[only], 10_000.0, Instant::now(), Duration::from_millis(10)), 90);
    }
}
