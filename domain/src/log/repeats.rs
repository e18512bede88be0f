//! Messages that are sent again under the same client_msg_id.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use proto::store;
use storage::Millis;

use super::lanes::{Lane, Slot};
use super::{EntryKey, Log, SentKey};
use crate::counters::Sequence;
use crate::error::{Error, Result};
use crate::ids::{Epoch, MessageId, Seq, UserId};
use crate::messages::Sent;

/// How old a message may be that is told once more. Older ones, their readers have asked for long ago.
const NEWS: Duration = Duration::from_secs(600);

impl Log {
    /// Which of these entries were stored earlier, by the ids that they have now. One read, however many there are.
    pub(super) fn known(&self, lane: &Lane, slots: &VecDeque<Box<Slot>>) -> impl Future<Output = Result<HashSet<u64>>> {
        let named = slots.iter().map(|slot| &slot.entry).filter(|entry| !entry.client_msg_id.is_empty());
        let named: Vec<_> = named.map(|entry| (entry.message_id, entry.sender, entry.client_msg_id.clone())).collect();
        let (app, conversation) = (lane.app, lane.conversation);
        async move {
            let keys: Vec<SentKey<'_>> = named
                .iter()
                .map(|(_, sender, client_msg_id)| SentKey { app, conversation, sender: UserId(*sender), client_msg_id })
                .collect();
            let found = self.store.get_many(&keys).await?;
            Ok(named.iter().zip(found).filter(|(_, found)| found.is_some()).map(|(entry, _)| entry.0).collect())
        }
    }

    /// What an earlier send under the same client_msg_id was answered with.
    pub(super) async fn earlier(&self, key: &SentKey<'_>, digest: u64) -> Result<Option<Sent>> {
        let Some(sent) = self.store.get(key).await? else { return Ok(None) };
        if sent.digest != digest {
            return Err(Error::Reused);
        }
        self.repeats.increment(1);
        let epoch = match self.lanes.lane(key.app, key.conversation).epoch() {
            Some(epoch) => epoch,
            None => self.head(key.app, key.conversation).await?.map_or(Epoch(0), |head| Epoch(head.epoch)),
        };
        Ok(Some(Sent {
            conversation: key.conversation,
            epoch,
            seq: Seq(sent.seq),
            message_id: MessageId(sent.message_id),
            time: sent.time,
        }))
    }

    /// Tells a message that was stored earlier to its audience, unless this process has.
    ///
    /// Whoever stored it may not have: it never learnt that it was stored, or died before it told. Readers who have the message drop it.
    pub(super) async fn tell_again(&self, key: &SentKey<'_>, sent: &Sent) -> Result<()> {
        let is_own = self.counters.is_own(key.app, Sequence::Messages, sent.message_id.0);
        let is_news = Millis(sent.time).plus(NEWS) > self.clock.now();
        let lane = self.lanes.lane(key.app, key.conversation);
        if !is_news || (is_own && !lane.lock().take_unsure(sent.message_id)) {
            return Ok(());
        }
        let at = EntryKey { app: key.app, conversation: key.conversation, seq: sent.seq };
        let head = self.head(key.app, key.conversation).await?;
        let (Some(entry), Some(head)) = (self.store.get(&at).await?, head) else { return Ok(()) };
        if entry.message_id != sent.message_id.0 {
            return Ok(());
        }
        let appended = store::Appended {
            conversation: Some(key.conversation.to_wire()),
            epoch: head.epoch,
            members_version: head.members_version,
            entry: Some(entry),
            ..store::Appended::default()
        };
        self.events.tell(key.app, store::event::Body::Appended(appended)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::ConversationId;
    use crate::testing::{World, message};

    #[tokio::test]
    async fn a_repeat_is_told_where_it_may_not_have_been() {
        let world = World::new().await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        let conversation = ConversationId::direct(alice.user().unwrap(), bob.user().unwrap());
        let first = world.domain.messages.send(&alice, message(conversation, "a")).await.unwrap();
        assert_eq!(world.told.take(), [1]);
        let again = world.domain.messages.send(&alice, message(conversation, "a")).await.unwrap();
        assert_eq!((again.seq, world.told.take()), (first.seq, vec![]), "this process has told it");

        // Had it not learnt the outcome, it would have told nobody.
        world.domain.log().lanes.lane(alice.app(), conversation).lock().unsure.push(first.message_id.0);
        world.domain.messages.send(&alice, message(conversation, "a")).await.unwrap();
        assert_eq!(world.told.take(), [1]);
        world.domain.messages.send(&alice, message(conversation, "a")).await.unwrap();
        assert!(world.told.take().is_empty(), "once is enough");

        // The process that stored it may have died before it told.
        let (other, told) = world.another().await;
        other.messages.send(&alice, message(conversation, "a")).await.unwrap();
        assert_eq!(told.take(), [1]);
        // What is old, everybody has asked for since.
        world.clock.set(storage::Millis(world.clock.now().0 + 3_600_000));
        other.messages.send(&alice, message(conversation, "a")).await.unwrap();
        assert!(told.take().is_empty());
    }
}
