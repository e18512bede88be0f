//! Which client_msg_ids were used here lately, more or less.
//!
//! Every commit of an entry requires that its client_msg_id was not used before, so nothing has to be looked up for a message that is new,
//! as nearly all are. But a message that is not costs a conflict, and with it all that is on its way in its conversation another place.
//! So what was used in this process a while ago is remembered, in a few bytes, and looked up before it is placed again.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};

use foldhash::quality::RandomState;

use super::SentKey;

/// How many are remembered: the repeats of a minute at a few thousand messages a second, in one MiB.
const PLACES: usize = 1 << 18;

/// See the module. Says "used" of something new now and then, and "new" of something used where it was long ago or in another process.
pub(super) struct Used {
    hasher: RandomState,
    /// What was used last of all that share the place, in 32 bits; 0 for nothing.
    places: Box<[AtomicU32]>,
}

impl Default for Used {
    fn default() -> Self {
        Self { hasher: RandomState::default(), places: (0..PLACES).map(|_| AtomicU32::new(0)).collect() }
    }
}

impl Used {
    /// Notes that an id is used now. Whether it may have been used before.
    pub(super) fn note(&self, key: &SentKey<'_>) -> bool {
        let hash = self.hasher.hash_one((key.app, key.conversation, key.sender, key.client_msg_id));
        // The low bits choose the place, which a pointer's width holds; the high ones tell apart what shares it.
        let place = &self.places[hash as usize % PLACES];
        let mark = (hash >> 32) as u32 | 1;
        place.swap(mark, Ordering::Relaxed) == mark
    }
}

impl std::fmt::Debug for Used {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Used").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AppNumber, ConversationId, UserId};

    #[test]
    fn what_was_used_is_known_and_little_else_is() {
        let used = Used::default();
        let note = |number: u32, sender: u64| {
            let conversation = ConversationId::direct(UserId(1), UserId(2));
            let client_msg_id = &*format!("message {number}");
            used.note(&SentKey { app: AppNumber(1), conversation, sender: UserId(sender), client_msg_id })
        };
        let mistaken = (0..1_000).filter(|number| note(*number, 1)).count();
        assert!(mistaken <= 1, "{mistaken} of a thousand");
        let known = (0..1_000).filter(|number| note(*number, 1)).count();
        assert!(known >= 980, "only {known} of a thousand, though few share their places");
        assert!((0..1_000).filter(|number| note(*number, 2)).count() <= 1, "another sender's are others");
    }
}
