//! The domain's records in the wire's words. Pages are cut to what one frame may carry; cursors and verdicts say so.
//!
//! Messages and conversations are here, the other nouns in their modules.

mod groups;
mod users;

use bytes::Bytes;
use domain::conversations::{Conversation, Synced, Verdict};
use domain::messages::{History, Sent, Swept};
use domain::presence::State;
use domain::{ConversationId, Seq, UserId, entry, record};
use proto::{Message, wire};

pub(crate) use self::groups::*;
pub(crate) use self::users::*;

/// Room in a frame for what surrounds the entries of a page.
const ENVELOPE: usize = 4 << 10;
/// Room for one conversation's state.
const STATE: usize = 2 << 10;

pub(crate) fn send_ack(sent: &Sent) -> wire::SendAck {
    wire::SendAck {
        client_msg_id: String::new(),
        conversation: Some(sent.conversation.to_wire()),
        epoch: sent.epoch.0,
        seq: sent.seq.0,
        message_id: sent.message_id.0,
        time: sent.time,
    }
}

pub(crate) fn swept(swept: Swept) -> wire::Swept {
    let recalled = u32::try_from(swept.recalled).unwrap_or(u32::MAX);
    wire::Swept { recalled, next_seq: swept.next.map_or(0, |next| next.0) }
}

/// A page of history that grows until it is complete or as large as a frame.
pub(crate) struct HistoryPage {
    page: wire::HistoryPage,
    ascending: bool,
    left: usize,
}

impl HistoryPage {
    /// An empty page for a frame of at most so many bytes.
    pub(crate) fn new(ascending: bool, most: usize) -> Self {
        Self { page: wire::HistoryPage::default(), ascending, left: most.saturating_sub(ENVELOPE) }
    }

    /// Adds what was read. The seq to go on from, if there is more and room for it.
    pub(crate) fn add(&mut self, mut step: History) -> Option<Seq> {
        let whole = fitting(step.entries.iter(), &mut self.left);
        let fits = whole == step.entries.len();
        step.entries.truncate(whole);
        let last = step.entries.last().map(|entry| entry.seq);
        self.page.entries.append(&mut step.entries);
        self.page.epoch = step.epoch;
        self.page.first_seq = step.first_seq;
        self.page.last_seq = step.last_seq;
        self.page.complete = step.complete && fits;
        let last = last.filter(|_| fits && !step.complete)?;
        let next = if self.ascending { last + 1 } else { last.checked_sub(1)? };
        // Below the first entry there is nothing; as a range's start, 0 would mean the newest.
        (next > 0).then_some(Seq(next))
    }

    pub(crate) fn finish(mut self, conversation: ConversationId) -> wire::HistoryPage {
        self.page.conversation = Some(conversation.to_wire());
        self.page
    }
}

/// Conversations compared, until the page is as large as a frame.
pub(crate) struct SyncPage {
    conversations: Vec<wire::ConversationSync>,
    left: usize,
}

impl SyncPage {
    /// An empty page for a frame of at most so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { conversations: Vec::new(), left: most.saturating_sub(ENVELOPE) }
    }

    /// Adds what was compared; false, and nothing is added, where that does not fit and the page is not empty.
    ///
    /// On an empty page, entries that do not fit are left out, the older ones first, and the verdict says so.
    pub(crate) fn add(&mut self, step: Vec<Synced>) -> bool {
        let whole: usize = step.iter().map(size).sum();
        if whole > self.left && !self.conversations.is_empty() {
            return false;
        }
        let count = step.len();
        let share = self.left / count.max(1);
        for (index, synced) in step.into_iter().enumerate() {
            // What earlier conversations did not use is there for later ones, and each later one keeps its share.
            let room = self.left.saturating_sub(share * (count - index - 1));
            let compared = compared(synced, room);
            self.left = self.left.saturating_sub(compared.encoded_len() + 8);
            self.conversations.push(compared);
        }
        true
    }

    pub(crate) fn finish(self, next: Option<Bytes>) -> wire::SyncPage {
        wire::SyncPage { conversations: self.conversations, next: next.unwrap_or_default() }
    }
}

/// About as many bytes as this takes in a frame.
fn size(synced: &Synced) -> usize {
    STATE + synced.entries.iter().map(|entry| entry.encoded_len() + 8).sum::<usize>()
}

fn compared(mut synced: Synced, room: usize) -> wire::ConversationSync {
    // The newest entry is in the list of entries already.
    synced.conversation.last = None;
    let state = conversation(synced.conversation, None);
    let mut left = room.saturating_sub(STATE);
    let cut = synced.entries.len() - fitting(synced.entries.iter().rev(), &mut left);
    let entries = synced.entries.split_off(cut);
    let oldest = entries.first().map_or(state.last_seq + 1, |entry| entry.seq);
    let (verdict, from_seq) = match synced.verdict {
        Verdict::Complete if cut == 0 => (wire::Verdict::Complete, 0),
        Verdict::Complete => (wire::Verdict::Truncated, oldest),
        Verdict::Truncated { from } => (wire::Verdict::Truncated, if cut == 0 { from.0 } else { oldest }),
        // After a reset nothing is held, so that entries starting past the first are a gap that the client sees.
        Verdict::Reset => (wire::Verdict::Reset, oldest),
    };
    wire::ConversationSync { state: Some(state), verdict: verdict.into(), entries, from_seq }
}

/// One conversation; `title` is its name and avatar, in lists.
pub(crate) fn conversation(from: Conversation, title: Option<(String, String)>) -> wire::Conversation {
    let (name, avatar) = title.unwrap_or_default();
    wire::Conversation {
        id: Some(from.id.to_wire()),
        epoch: from.head.epoch,
        last_seq: from.head.last_seq,
        first_seq: from.first_seq.0,
        read_seq: from.read_seq.0,
        unread: from.unread,
        peer_read_seq: from.peer_read_seq.0,
        pinned: from.membership.pinned,
        // The record and the contract have the same numbers.
        mute: from.membership.mute().into(),
        remark: from.membership.remark,
        last: from.last,
        name,
        avatar,
    }
}

/// A page of conversations. Newest entries are left out from where they would no longer fit; History has them.
pub(crate) fn conversation_page(
    mut conversations: Vec<wire::Conversation>,
    next: Option<Bytes>,
    most: usize,
) -> wire::ConversationPage {
    let mut left = most.saturating_sub(ENVELOPE);
    for conversation in conversations.iter_mut().rev() {
        let bare = conversation.encoded_len() - conversation.last.as_ref().map_or(0, Message::encoded_len);
        left = left.saturating_sub(bare + 16);
    }
    for conversation in &mut conversations {
        let entry = conversation.last.as_ref().map_or(0, Message::encoded_len);
        if entry > left {
            conversation.last = None;
        } else {
            left -= entry;
        }
    }
    wire::ConversationPage { conversations, next: next.unwrap_or_default() }
}

pub(crate) fn receipts(conversation: ConversationId, marks: &[(UserId, record::Watermark)]) -> wire::ReceiptList {
    let receipts = marks
        .iter()
        .map(|(user, mark)| wire::Receipt {
            conversation: Some(conversation.to_wire()),
            user: user.0,
            seq: mark.seq,
            time: mark.time,
        })
        .collect();
    wire::ReceiptList { receipts }
}

pub(crate) fn presences(states: &[(UserId, State)]) -> wire::PresenceList {
    let presences = states
        .iter()
        .map(|(user, state)| wire::Presence {
            user: user.0,
            online: state.online,
            platforms: state.platforms.iter().map(|number| i32::try_from(*number).unwrap_or_default()).collect(),
            last_seen: state.last_seen,
        })
        .collect();
    wire::PresenceList { presences }
}

/// How many of these entries fit, in their order; what they take is taken off `left`.
fn fitting<'a>(entries: impl Iterator<Item = &'a entry::Entry>, left: &mut usize) -> usize {
    entries
        .take_while(|entry| {
            let cost = entry.encoded_len() + 8;
            let fits = cost <= *left;
            *left = if fits { *left - cost } else { 0 };
            fits
        })
        .count()
}
