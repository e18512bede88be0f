//! A row of messages that must not overtake each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Ties together the messages that one client sends into one conversation without waiting for each to be durable.
///
/// Once one of them was refused for now ([`Error::Limited`], [`Error::Unavailable`]), the chain is broken, and those behind it are
/// refused as well: their sender sends all of them again, in order, under a new chain.
#[derive(Debug, Clone, Default)]
pub struct Chain(Arc<AtomicBool>);

impl Chain {
    /// Whether a message of it was refused for now.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Whether another message may be placed behind those of it.
    ///
    /// # Errors
    /// `Limited`, once it is broken.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_broken() { Err(super::cut_off()) } else { Ok(()) }
    }

    /// Breaks, if this outcome is one after which the message will be sent again.
    pub fn note(&self, error: &Error) {
        if matches!(error, Error::Limited { .. } | Error::Unavailable(_)) {
            self.0.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ConversationId;
    use crate::testing::{World, message};

    #[tokio::test]
    async fn nothing_is_placed_behind_a_break() {
        let world = World::new().await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        let conversation = ConversationId::direct(alice.user().unwrap(), bob.user().unwrap());
        let messages = &world.domain.messages;
        let chain = Chain::default();
        messages.submit_in(&alice, message(conversation, "a"), &chain).await.unwrap().durable().await.unwrap();
        chain.note(&Error::Limited { retry_after: Duration::ZERO });
        let behind = messages.submit_in(&alice, message(conversation, "c"), &chain).await;
        assert!(matches!(behind, Err(Error::Limited { .. })), "{behind:?}");
        let anew = Chain::default();
        for (name, seq) in [("b", 2), ("c", 3)] {
            let sent =
                messages.submit_in(&alice, message(conversation, name), &anew).await.unwrap().durable().await.unwrap();
            assert_eq!(sent.seq.0, seq, "{name}");
        }
    }
}
