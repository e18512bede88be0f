//! Names of the metrics of the REST service.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, gauge, histogram};

/// Requests answered, by `dialect`, `route` and `status`.
pub const REQUESTS: &str = "linnet_rest_requests_total";
/// Seconds from the end of a request's head to its answer, by `dialect` and `route`.
pub const SECONDS: &str = "linnet_rest_request_seconds";
/// Connections open.
pub const CONNECTIONS: &str = "linnet_rest_connections";
/// Connections refused, by `reason`.
pub const REFUSED: &str = "linnet_rest_connections_refused_total";
/// Handlers that failed in a way that is our fault.
pub const PANICS: &str = "linnet_rest_panics_total";

/// Says what the metrics are, for whoever shows them.
pub fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests answered, by dialect, route and status");
    metrics::describe_histogram!(SECONDS, metrics::Unit::Seconds, "Time from a request's head to its answer");
    metrics::describe_gauge!(CONNECTIONS, "Connections open");
    metrics::describe_counter!(REFUSED, "Connections refused, by reason");
    metrics::describe_counter!(PANICS, "Handlers that failed in a way that is our fault");
}

/// The metrics of one route. Those that every good answer needs are looked up by their names once.
#[derive(Default)]
pub(crate) struct Answers {
    good: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
}

impl Answers {
    /// A request was answered.
    pub(crate) fn count(&self, dialect: &'static str, route: &'static str, status: u16, took: Duration) {
        let counted = |status: u16| {
            let status = status.to_string();
            counter!(REQUESTS, "dialect" => dialect, "route" => route, "status" => status)
        };
        match status {
            200 => self.good.get_or_init(|| counted(200)).increment(1),
            other => counted(other).increment(1),
        }
        let seconds = || histogram!(SECONDS, "dialect" => dialect, "route" => route);
        self.seconds.get_or_init(seconds).record(took);
    }
}

pub(crate) fn opened() {
    gauge!(CONNECTIONS).increment(1.0);
}

pub(crate) fn closed() {
    gauge!(CONNECTIONS).decrement(1.0);
}

pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

pub(crate) fn panicked() {
    counter!(PANICS).increment(1);
}
