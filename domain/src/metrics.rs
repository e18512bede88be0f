//! The names of every metric of this crate.

/// Entries that became durable.
pub(crate) const ENTRIES: &str = "linnet_entries_total";
/// Retries under a client_msg_id that was used before.
pub(crate) const REPEATS: &str = "linnet_repeats_total";
/// Entries that lost a race for their place and were placed anew.
pub(crate) const PLACED_AGAIN: &str = "linnet_placed_again_total";
/// Events that were told to connected sessions or to the bus.
pub(crate) const EVENTS: &str = "linnet_events_total";
/// Conversations whose state is at hand.
pub(crate) const LANES: &str = "linnet_active_conversations";
/// Webhooks that were asked about a message and did not answer.
pub(crate) const WEBHOOKS_SILENT: &str = "linnet_webhooks_silent_total";

/// Tells the recorder, if there is one, what the names mean.
pub fn describe() {
    use metrics::{describe_counter, describe_gauge};

    describe_counter!(ENTRIES, "Entries that became durable.");
    describe_counter!(REPEATS, "Retries under a client_msg_id that was used before.");
    describe_counter!(PLACED_AGAIN, "Entries that lost a race for their place and were placed anew.");
    describe_counter!(EVENTS, "Events that were told to connected sessions or to the bus.");
    describe_counter!(WEBHOOKS_SILENT, "Webhooks that were asked about a message and did not answer.");
    describe_gauge!(LANES, "Conversations whose state is at hand.");
}
