//! Two attempts at once, the first with a head start; whichever is up first wins, and the other is dropped.

use std::future::Future;
use std::time::Duration;

/// Which attempt won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The one with the head start.
    First,
    /// The other one.
    Second,
}

/// Runs `first`, and `second` beside it once the head start is over or `first` has failed.
///
/// Fails with both errors when both fail.
pub(crate) async fn race<T, E>(
    mut first: impl Future<Output = Result<T, E>> + Unpin,
    mut second: impl Future<Output = Result<T, E>> + Unpin,
    head_start: Duration,
) -> Result<(Lane, T), (E, E)> {
    let mut first_error = tokio::select! {
        result = &mut first => match result {
            Ok(value) => return Ok((Lane::First, value)),
            Err(error) => Some(error),
        },
        () = tokio::time::sleep(head_start) => None,
    };
    let mut second_error = None;
    loop {
        match (first_error, second_error) {
            (Some(one), Some(other)) => return Err((one, other)),
            (one, other) => (first_error, second_error) = (one, other),
        }
        tokio::select! {
            result = &mut first, if first_error.is_none() => match result {
                Ok(value) => return Ok((Lane::First, value)),
                Err(error) => first_error = Some(error),
            },
            result = &mut second, if second_error.is_none() => match result {
                Ok(value) => return Ok((Lane::Second, value)),
                Err(error) => second_error = Some(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const HEAD_START: Duration = Duration::from_millis(200);

    async fn after(millis: u64, result: Result<u32, u32>) -> Result<u32, u32> {
        sleep(Duration::from_millis(millis)).await;
        result
    }

    async fn run(
        first: (u64, Result<u32, u32>),
        second: (u64, Result<u32, u32>),
    ) -> (Result<(Lane, u32), (u32, u32)>, u128) {
        let start = Instant::now();
        let result = race(Box::pin(after(first.0, first.1)), Box::pin(after(second.0, second.1)), HEAD_START).await;
        (result, start.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_wins_within_its_head_start() {
        assert_eq!(run((150, Ok(1)), (1, Ok(2))).await, (Ok((Lane::First, 1)), 150));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_first_loses() {
        assert_eq!(run((10_000, Ok(1)), (50, Ok(2))).await, (Ok((Lane::Second, 2)), 250));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_first_starts_the_second_at_once() {
        assert_eq!(run((10, Err(1)), (50, Ok(2))).await, (Ok((Lane::Second, 2)), 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_second_leaves_the_first() {
        assert_eq!(run((500, Ok(1)), (50, Err(2))).await, (Ok((Lane::First, 1)), 500));
    }

    #[tokio::test(start_paused = true)]
    async fn two_failures_are_both_told() {
        assert_eq!(run((300, Err(1)), (50, Err(2))).await, (Err((1, 2)), 300));
    }
}
