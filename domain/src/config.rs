//! Settings of the product's rules.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage::units::{ByteSize, duration};

/// Every limit that the product's rules know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Largest content of one message, as it is stored. Default 64KiB. A larger one is refused.
    pub content_limit: ByteSize,
    /// Most users that one message may mention by name. Default 100.
    pub mention_limit: usize,
    /// How long a retry under the same client_msg_id is recognised. Default 7d. A retry after that is another message.
    #[serde(with = "duration")]
    pub dedupe_window: Duration,
    /// How long a message that was made in one call may be sent by its id in another. Default 1d, at most `dedupe_window`.
    /// After that, the id is unknown.
    #[serde(with = "duration")]
    pub prepared_window: Duration,
    /// How long authors may withdraw their own messages. Default 2m; 0ms for ever.
    #[serde(with = "duration")]
    pub recall_window: Duration,
    /// How long authors may edit their own messages. Default 0ms, which is for ever.
    #[serde(with = "duration")]
    pub edit_window: Duration,
    /// Most entries that one call reads of a conversation. Default 200.
    pub history_limit: usize,
    /// Most messages that one call reads over all conversations of a user. Default 1024.
    pub recent_limit: usize,
    /// Most conversations on one page of a list or a comparison. Default 200.
    pub page_limit: usize,
    /// Unread messages are counted up to here; what lies beyond shows as this number. Default 999.
    ///
    /// Worst case: a comparison reads this many entries for each conversation of the page.
    pub unread_cap: u64,
    /// Conversations whose state is kept at hand. Default 100000, at about 300 bytes each.
    ///
    /// More may be active at once; the others are read from the store again when they are needed.
    pub active_conversations: usize,
    /// Groups whose member lists are kept at hand, at 8 bytes a member. Default 10000.
    pub member_lists: u64,
    /// How long the sessions of a gateway that has died still count as connected. Default 30s.
    #[serde(with = "duration")]
    pub presence_lease: Duration,
    /// Most users that one call may ask the presence of. Default 200.
    pub presence_limit: usize,
    /// Longest uid, login name or group id that an app may give, in bytes. Default 64.
    pub uid_limit: usize,
    /// Longest name of a user or a group, in bytes. Default 256.
    pub name_limit: usize,
    /// Longest other text of a profile, a group or a friend request, in bytes: an announcement, the app's own JSON. Default 8192.
    pub text_limit: usize,
    /// Passwords that are hashed at the same time. Default 4. Worst case: 19 MiB and one core for each.
    pub password_hashes: usize,
    /// Logins and registrations that wait for that; more are told to come back. Default 256.
    pub password_queue: usize,
    /// Most members of a group, where the group itself does not say less. Default 10000.
    ///
    /// Worst case: a list of them is kept at hand for each active group, at 8 bytes a member.
    pub group_capacity: u32,
    /// Most users that one call may add to a group or remove from it. Default 500.
    pub group_batch: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            content_limit: ByteSize(64 << 10),
            mention_limit: 100,
            dedupe_window: Duration::from_secs(7 * 86_400),
            prepared_window: Duration::from_secs(86_400),
            recall_window: Duration::from_secs(120),
            edit_window: Duration::ZERO,
            history_limit: 200,
            recent_limit: 1024,
            page_limit: 200,
            unread_cap: 999,
            active_conversations: 100_000,
            member_lists: 10_000,
            presence_lease: Duration::from_secs(30),
            presence_limit: 200,
            uid_limit: 64,
            name_limit: 256,
            text_limit: 8192,
            password_hashes: 4,
            password_queue: 256,
            group_capacity: 10_000,
            group_batch: 500,
        }
    }
}
