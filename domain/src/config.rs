//! Settings of the product's rules.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage::units::{ByteSize, duration};

use crate::files::FilesConfig;

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
    /// Most messages that one call brings in from elsewhere. Default 500.
    pub import_batch: usize,
    /// Most entries that one call looks through to withdraw what a user said in a group. Default 1000.
    ///
    /// Worst case: so many commits, one after the other.
    pub sweep_limit: usize,
    /// Most entries that one call reads of a conversation. Default 200.
    pub history_limit: usize,
    /// Most messages that one call reads over all conversations of a user. Default 1024.
    pub recent_limit: usize,
    /// Most conversations on one page of a list or a comparison. Default 200.
    pub page_limit: usize,
    /// How many of a conversation's newest entries are looked at to count what is unread. Default 999.
    ///
    /// So no count is larger, and a comparison reads at most this many entries for each conversation of the page.
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
    /// Longest that a text left under a code may wait to be taken. Default 10m.
    #[serde(with = "duration")]
    pub handover_window: Duration,
    /// Passwords that are hashed at the same time. Default 4. Worst case: `password_memory` and one core for each.
    pub password_hashes: usize,
    /// Memory that hashing one password takes, 8 KiB to 1 GiB. Default 19 MiB. Less lets who has stolen the hashes guess faster.
    ///
    /// Passwords that were hashed before keep what they cost then.
    pub password_memory: ByteSize,
    /// How often hashing goes over that memory, at least once. Default 2. Less lets who has stolen the hashes guess faster.
    pub password_rounds: u32,
    /// Logins and registrations that wait for that; more are told to come back. Default 256.
    pub password_queue: usize,
    /// Most members of a group, where the group itself does not say less. Default 10000.
    ///
    /// Worst case: a list of them is kept at hand for each active group, at 8 bytes a member.
    pub group_capacity: u32,
    /// Most members of a super group, where that is more. Default 100000.
    ///
    /// Worst case: each change of the members lets the list be read anew, once.
    pub super_group_capacity: u32,
    /// Most users on a group's block list. Default 1000.
    pub group_blocked: usize,
    /// Most members on one page of a list, and most in a list that has no pages. Default 1000.
    pub members_page: usize,
    /// How long a count of connected members is good for. Default 10s. Worst case: it asks for the sessions of every member so often.
    #[serde(with = "duration")]
    pub online_count_window: Duration,
    /// Most users that one call may add to a group or remove from it. Default 500.
    pub group_batch: usize,
    /// Most devices that one user is pushed to on. Default 20.
    pub push_devices: usize,
    /// Most tags that a user carries. Default 100.
    pub push_tags: usize,
    /// Most users, labels or tokens that one notice to many names. Default 500.
    pub push_audience: usize,
    /// Users that pushes are worked out for at a time. Default 200. Worst case: three reads for each of them at once.
    pub push_page: usize,
    /// Largest notice to many, as it is stored. Default 16KiB. A larger one is refused.
    pub push_notice_limit: ByteSize,
    /// How long it can be asked what became of a notice to many. Default 30d.
    #[serde(with = "duration")]
    pub push_task_kept: Duration,
    /// When a push looks again at users who were connected. Default 90s, which is longer than a session outlives its connection; 0ms for never.
    #[serde(with = "duration")]
    pub push_second_look: Duration,
    /// Which zone the hours are of in which users do not want to be notified: hours east of UTC. Default 8.
    pub push_zone: i32,
    /// What a push says to users who do not want messages on their lock screen. Default `You have a new message`.
    pub push_hidden_text: String,
    /// How long a friend request can be answered. Default 7d. After that, it is as if nobody had asked.
    #[serde(with = "duration")]
    pub friend_request_window: Duration,
    /// How long friend requests are listed after their last change. Default 30d. After that, they are gone.
    #[serde(with = "duration")]
    pub friend_request_kept: Duration,
    /// Wrong answers to a user's question that one asker may give within `answer_window`. Default 5; further ones are not looked at.
    pub answer_attempts: u32,
    /// How long wrong answers count. Default 1h.
    #[serde(with = "duration")]
    pub answer_window: Duration,
    /// Most contacts or friend requests on one page of a list. Default 1000.
    pub roster_page: usize,
    /// Most users whom one call may look up, block, or make friends of one user. Default 1000.
    pub roster_batch: usize,
    /// Most groups of friends that one user may have. Default 64.
    pub friend_groups: usize,
    /// Most desks of customer service that an app may have. Default 100.
    pub support_stores: usize,
    /// Most supporters of one desk. Default 200. Worst case: looking for one who is online reads the presence of them all.
    pub supporters: usize,
    /// How long an application to a group, or an invitation into one, can be answered. Default 7d.
    #[serde(with = "duration")]
    pub join_request_window: Duration,
    /// How long applications and invitations are listed after their last change. Default 30d. After that, they are gone.
    #[serde(with = "duration")]
    pub join_request_kept: Duration,
    /// How long a code lets users join a group, as it is shown in a QR code. Default 7d.
    #[serde(with = "duration")]
    pub join_code_lifetime: Duration,
    /// Most announcements that a group keeps. Default 100. The oldest makes room for a new one.
    pub group_announcements: usize,
    /// How long a gateway's word for how many are in a chat room holds. Default 1m; gateways say it again three times in that while.
    #[serde(with = "duration")]
    pub room_count_window: Duration,
    /// Most files that members of a group share. Default 1000. One more is refused.
    pub group_files: usize,
    /// Most words of an app's filter. Default 200000. Worst case: about 100 bytes of memory for each, in every process.
    pub filter_words: usize,
    /// Most words that one call adds to a filter, removes or lists. Default 1000.
    pub filter_words_per_call: usize,
    /// Users whose pace is remembered where their app limits it. Default 100000, at about 100 bytes each.
    pub paced_users: u64,
    /// How long an app's server may take to say whether a message passes, where its webhook does not say. Default 2s.
    #[serde(with = "duration")]
    pub webhook_timeout: Duration,
    /// Where files lie, and how large they may be.
    pub files: FilesConfig,
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
            import_batch: 500,
            sweep_limit: 1000,
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
            handover_window: Duration::from_secs(600),
            password_hashes: 4,
            password_memory: ByteSize::mib(19),
            password_rounds: 2,
            password_queue: 256,
            group_capacity: 10_000,
            super_group_capacity: 100_000,
            group_blocked: 1_000,
            members_page: 1_000,
            online_count_window: Duration::from_secs(10),
            group_batch: 500,
            push_devices: 20,
            push_tags: 100,
            push_audience: 500,
            push_page: 200,
            push_notice_limit: ByteSize(16 << 10),
            push_task_kept: Duration::from_secs(30 * 86_400),
            push_second_look: Duration::from_secs(90),
            push_zone: 8,
            push_hidden_text: "You have a new message".into(),
            friend_request_window: Duration::from_secs(7 * 86_400),
            friend_request_kept: Duration::from_secs(30 * 86_400),
            answer_attempts: 5,
            answer_window: Duration::from_secs(3600),
            roster_page: 1_000,
            roster_batch: 1_000,
            friend_groups: 64,
            support_stores: 100,
            supporters: 200,
            join_request_window: Duration::from_secs(7 * 86_400),
            join_request_kept: Duration::from_secs(30 * 86_400),
            join_code_lifetime: Duration::from_secs(7 * 86_400),
            group_announcements: 100,
            room_count_window: Duration::from_secs(60),
            group_files: 1_000,
            filter_words: 200_000,
            filter_words_per_call: 1_000,
            paced_users: 100_000,
            webhook_timeout: Duration::from_secs(2),
            files: FilesConfig::default(),
        }
    }
}
