//! The names of every metric of this crate.

/// Entries that became durable.
pub(crate) const ENTRIES: &str = "linnet_entries_total";
/// Retries under a client_msg_id that was used before.
pub(crate) const REPEATS: &str = "linnet_repeats_total";
/// Entries that lost a race for their place and were placed anew.
pub(crate) const PLACED_AGAIN: &str = "linnet_placed_again_total";
/// Conversations that the store had lost the end of.
pub(crate) const EPOCHS: &str = "linnet_epochs_begun_total";
/// Events that were told to connected sessions or to the bus.
pub(crate) const EVENTS: &str = "linnet_events_total";
/// Conversations whose state is at hand.
pub(crate) const LANES: &str = "linnet_active_conversations";
/// Files that were taken in.
pub(crate) const FILES: &str = "linnet_files_total";
/// Bytes of files that were taken in.
pub(crate) const FILE_BYTES: &str = "linnet_file_bytes_total";
/// Messages that were refused for their words, or by the app's own server.
pub(crate) const CENSORED: &str = "linnet_censored_total";
/// Webhooks that were asked about a message and did not answer.
pub(crate) const WEBHOOKS_SILENT: &str = "linnet_webhooks_silent_total";

/// Tells the recorder, if there is one, what the names mean.
pub fn describe() {
    use metrics::{describe_counter, describe_gauge};

    describe_counter!(ENTRIES, "Entries that became durable.");
    describe_counter!(REPEATS, "Retries under a client_msg_id that was used before.");
    describe_counter!(PLACED_AGAIN, "Entries that lost a race for their place and were placed anew.");
    describe_counter!(EPOCHS, "Conversations that the store had lost the end of: their devices start anew.");
    describe_counter!(EVENTS, "Events that were told to connected sessions or to the bus.");
    describe_counter!(FILES, "Files that were taken in.");
    describe_counter!(FILE_BYTES, "Bytes of files that were taken in.");
    describe_counter!(CENSORED, "Messages that were refused for their words, or by the app's own server.");
    describe_counter!(WEBHOOKS_SILENT, "Webhooks that were asked about a message and did not answer.");
    describe_gauge!(LANES, "Conversations whose state is at hand.");
}
