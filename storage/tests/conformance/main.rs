//! What every engine must do, case by case, over every engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod model;

use storage::testing::{ClusterOptions, RedisCluster};
use support::{Bench, Engine};

/// One test per engine and case, so that a failure names both.
macro_rules! conformance {
    ($($case:ident)*) => {
        conformance!(@engine memory Memory $($case)*);
        conformance!(@engine rocks Rocks $($case)*);
        conformance!(@engine remote_over_memory RemoteMemory $($case)*);
        conformance!(@engine remote_over_rocks RemoteRocks $($case)*);
        conformance!(@cluster $($case)*);
    };
    // One cluster for all cases, since a start takes seconds.
    (@cluster $($case:ident)*) => {
        async fn every_case(cluster: &RedisCluster) {
            $(
                println!("{}", stringify!($case));
                cases::$case(&Bench::over(cluster)).await;
            )*
        }
    };
    (@engine $module:ident $engine:ident $($case:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    cases::$case(&Bench::new(Engine::$engine)).await;
                }
            )*
        }
    };
}

conformance! {
    a_row_is_there_from_put_to_delete
    many_rows_come_in_the_order_asked
    a_scan_keeps_to_its_range
    a_scan_keeps_to_its_home
    a_long_scan_is_whole
    an_expectation_that_fails_changes_nothing
    expectations_see_the_row_and_nothing_else
    deletes_apply_before_puts
    an_expired_row_is_gone_in_every_respect
    commits_apply_in_the_order_of_the_calls
    a_commit_whose_future_is_dropped_applies
    of_rival_commits_one_wins
    a_batch_without_changes_only_judges
    values_may_be_large_or_empty
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis() {
    every_case(&RedisCluster::start(3, 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_8() {
    every_case_over("redis-8.2.3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey_9() {
    every_case_over("valkey-9.1.2").await;
}

/// Over another server, if `scripts/setup.sh test` could fetch it.
async fn every_case_over(name: &str) {
    let Some(server) = support::server(name) else {
        println!("SKIPPED: {name} is not on this machine; `scripts/setup.sh test` fetches it where it can");
        return;
    };
    every_case(&RedisCluster::start_with(ClusterOptions { server, ..ClusterOptions::new(3, 1) }).unwrap()).await;
}
