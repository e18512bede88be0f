//! A device: holds what it was told and what it asked for, and shows it as a client would.

use std::collections::{BTreeMap, HashMap};

use domain::conversations::{Have, Synced, Verdict};
use domain::entry::Entry;
use domain::entry::entry::Body;
use domain::messages::{HistoryRange, is_recalled};
use domain::{Caller, ConversationId, Epoch, MessageId, Seq, UserId};

use super::naive::{Shown, Shows};
use crate::world::{World, id, said};

/// Entries of a conversation whose ids it tells when it synchronises.
const KNOWN: usize = 8;

pub struct Device {
    caller: Caller,
    /// Takes what is told; what it misses while it is not, it must ask for.
    pub online: bool,
    held: HashMap<ConversationId, Held>,
}

#[derive(Default)]
struct Held {
    epoch: u64,
    /// Has every entry up to here that it may have.
    to: u64,
    entries: BTreeMap<u64, Entry>,
}

impl Device {
    pub fn new(caller: Caller) -> Self {
        Self { caller, online: false, held: HashMap::new() }
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    pub fn user(&self) -> UserId {
        id(&self.caller)
    }

    pub fn conversations(&self) -> Vec<ConversationId> {
        self.held.keys().copied().collect()
    }

    /// Takes an entry that it is told, if that joins on to what it holds. After a gap, only asking helps.
    pub fn take(&mut self, conversation: ConversationId, entry: &Entry) {
        if let Some(held) = self.held.get_mut(&conversation)
            && entry.seq == held.to + 1
        {
            held.entries.insert(entry.seq, entry.clone());
            held.to = entry.seq;
        }
    }

    /// Compares everything. A device that is `lost` believes in another history.
    pub async fn sync(&mut self, world: &World, entries: usize, lost: bool) {
        let have = self.held.iter().map(|(conversation, held)| {
            let newest = held.entries.values().rev().zip((1..=held.to).rev());
            let newest = newest.take_while(|(entry, seq)| entry.seq == *seq).take(KNOWN);
            let mut message_ids: Vec<_> = newest.map(|(entry, _)| MessageId(entry.message_id)).collect();
            message_ids.reverse();
            (*conversation, Have { epoch: Epoch(held.epoch ^ u64::from(lost)), seq: Seq(held.to), message_ids })
        });
        let have: HashMap<_, _> = have.collect();
        let mut before = std::mem::take(&mut self.held);
        for synced in world.sync(&self.caller, &have, entries).await {
            let held = before.remove(&synced.conversation.id);
            assert_eq!(synced.verdict == Verdict::Reset, held.is_some() && lost);
            let held = self.merge(world, held.unwrap_or_default(), synced).await;
            self.held.insert(held.0, held.1);
        }
    }

    async fn merge(&self, world: &World, mut held: Held, synced: Synced) -> (ConversationId, Held) {
        let conversation = synced.conversation.id;
        if synced.verdict == Verdict::Reset {
            held = Held::default();
        }
        assert!(synced.entries.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
        let first = synced.conversation.first_seq.0;
        let last = synced.conversation.head.last_seq;
        let mut below = synced.entries.first().map_or(last + 1, |entry| entry.seq);
        let gap_ends = match synced.verdict {
            Verdict::Complete => None,
            Verdict::Truncated { from } => Some(from.0),
            Verdict::Reset => Some(below),
        };
        held.entries.extend(synced.entries.into_iter().map(|entry| (entry.seq, entry)));
        // What the page had no room for is asked for, from the newer to the older.
        while gap_ends.is_some() && below > first && below > held.to + 1 {
            let range = HistoryRange { from: Seq(below - 1), ascending: false, limit: 3 };
            let page = world.domain.messages.history(&self.caller, conversation, range).await.unwrap();
            below = page.entries.last().map_or(first, |entry| entry.seq);
            held.entries.extend(page.entries.into_iter().map(|entry| (entry.seq, entry)));
        }
        held.entries.retain(|seq, _| *seq >= first);
        held.epoch = synced.conversation.head.epoch;
        held.to = last;
        (conversation, held)
    }

    /// What the device shows: each edit and recall applied to the message that it names, in order.
    pub fn shows(&self) -> Shows {
        let conversations = self.held.iter().map(|(conversation, held)| {
            let mut shown: BTreeMap<u64, (UserId, Shown)> = BTreeMap::new();
            for (&seq, entry) in &held.entries {
                match &entry.body {
                    Some(Body::Edit(edit)) => {
                        let new = Entry { body: edit.content.clone().map(Body::Message), ..Entry::default() };
                        replace(&mut shown, edit.seq, Shown::Said(said(&new).unwrap().to_owned()));
                    }
                    Some(Body::Recall(recall)) => replace(&mut shown, recall.seq, Shown::Recalled),
                    _ => {}
                }
                let own = match said(entry) {
                    Some(text) => Shown::Said(text.to_owned()),
                    None if is_recalled(entry) => Shown::Recalled,
                    None => Shown::Note,
                };
                shown.insert(seq, (UserId(entry.sender), own));
            }
            let shown = shown.into_iter().map(|(seq, (sender, shown))| (seq, sender, shown)).collect();
            (*conversation, shown)
        });
        conversations.collect()
    }
}

/// Whoever may not see a message is told of its change all the same, and has nothing to change. What is withdrawn stays so.
fn replace(shown: &mut BTreeMap<u64, (UserId, Shown)>, seq: u64, new: Shown) {
    if let Some((_, shown)) = shown.get_mut(&seq)
        && *shown != Shown::Recalled
    {
        *shown = new;
    }
}
