//! The names of every metric of this crate.

/// Deliveries to providers, by provider and what became of them.
pub(crate) const DELIVERIES: &str = "linnet_push_deliveries_total";
/// What was dropped because it was tried for too long.
pub(crate) const GIVEN_UP: &str = "linnet_outbox_given_up_total";
/// How long a request of ours took.
pub(crate) const REQUEST_SECONDS: &str = "linnet_outbound_request_seconds";

/// Tells the recorder, if there is one, what the names mean.
pub(crate) fn describe() {
    use ::metrics::{describe_counter, describe_histogram};

    describe_counter!(DELIVERIES, "Deliveries to push providers, by provider and outcome.");
    describe_counter!(GIVEN_UP, "Pushes and webhook calls that were dropped because they were tried for too long.");
    describe_histogram!(REQUEST_SECONDS, "How long a request to a provider or to an app's server took.");
}
