//! A conversation, described for one user.

use proto::{entry, store};
use storage::Store;

use super::{Conversation, WatermarkKey};
use crate::access::View;
use crate::error::Result;
use crate::ids::Seq;
use crate::log::EntryKey;
use crate::messages::{counts_as_unread, read};

/// Entries that are read at a time to count what is unread.
const ENTRIES_PER_READ: usize = 256;

/// Describes conversations, in their order, each without its newest entry.
pub(crate) async fn describe_all(store: &Store, views: &[View], unread_cap: u64) -> Result<Vec<Conversation>> {
    // Two marks for each: the user's own, and the peer's (or, where there is none, the user's once more).
    let keys: Vec<WatermarkKey> = views
        .iter()
        .flat_map(|view| {
            let key = WatermarkKey { app: view.app, conversation: view.conversation, user: view.user };
            [key, WatermarkKey { user: view.conversation.peer_of(view.user).unwrap_or(view.user), ..key }]
        })
        .collect();
    let marks = store.get_many(&keys).await?;
    let mut described = Vec::with_capacity(views.len());
    for (view, marks) in views.iter().zip(marks.chunks_exact(2)) {
        let seq_of = |mark: usize| Seq(marks[mark].map_or(0, |mark| mark.seq));
        let is_direct = view.conversation.peer_of(view.user).is_some();
        described.push(Conversation {
            id: view.conversation,
            head: view.head,
            membership: view.membership.clone(),
            first_seq: view.first,
            read_seq: seq_of(0),
            unread: unread(store, view, seq_of(0), unread_cap).await?,
            peer_read_seq: if is_direct { seq_of(1) } else { Seq(0) },
            last: None,
        });
    }
    Ok(described)
}

/// The newest entry that the user may read.
pub(super) async fn newest(store: &Store, view: &View) -> Result<Option<entry::Entry>> {
    if !view.shows(view.last()) {
        return Ok(None);
    }
    Ok(store.get(&EntryKey { app: view.app, conversation: view.conversation, seq: view.last() }).await?)
}

/// Counts what is unread among the newest `cap` entries. No counter could drift, because there is none.
async fn unread(store: &Store, view: &View, read_to: Seq, cap: u64) -> Result<u64> {
    if view.membership.mute() == store::Mute::Messages {
        return Ok(0);
    }
    let newest = Seq(view.last().0.saturating_sub(cap) + 1);
    let mut count = 0;
    let mut low = view.first.max(unread_from(&view.membership, read_to)).max(newest);
    while low <= view.last() {
        let entries = read(store, view, low, view.last(), false, ENTRIES_PER_READ).await?;
        let Some(end) = entries.last() else { break };
        low = Seq(end.seq + 1);
        count += entries.iter().filter(|entry| counts_as_unread(entry, view.user)).count() as u64;
    }
    Ok(count)
}

/// The first entry that may be unread: the one after the read mark, unless the app said otherwise since that mark was set.
fn unread_from(membership: &store::Membership, read_to: Seq) -> Seq {
    match &membership.unread_mark {
        Some(mark) if mark.read == read_to.0 => Seq(mark.from),
        Some(_) | None => Seq(read_to.0 + 1),
    }
}
