//! Logs that went backwards.
//!
//! A store that copies what it has written to other machines later than it says so can lose the end of a log when a machine fails; so can one that
//! was brought back from a copy. Seqs would then be given again, to other entries. Whoever has seen more than there is proves it: the log then
//! gets another epoch, and devices start anew with it instead of believing that they have what they have not.

use std::cmp::Ordering;
use std::time::Duration;

use proto::store;
use storage::{Batch, Millis};

use super::lanes::Lane;
use super::{HeadKey, Log, new_epoch};
use crate::error::Result;
use crate::ids::{AppNumber, ConversationId, Seq};
use crate::metrics::EPOCHS;
use crate::retry::Tries;
use crate::tables;

/// How often what devices claim to have seen can begin an epoch: a dishonest one must not make all others start anew without end.
const CLAIMS: Duration = Duration::from_secs(600);

/// What a log does not hold any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// What stood up to there: the log ends before.
    End(Seq),
    /// Entries in whose places there are others.
    Entries,
}

/// What says that a log was another once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witness {
    /// This process has seen it durable.
    Own,
    /// A member's device says so.
    Device,
}

impl Log {
    /// The head for a lane to go on from.
    pub(super) async fn head_of(&self, lane: &Lane) -> Result<Option<store::Head>> {
        let head = self.head(lane.app, lane.conversation).await?;
        let durable = lane.lock().durable;
        let Some(head) = head.filter(|head| head.epoch == durable.epoch) else { return Ok(head) };
        let lost = match durable.seq.cmp(&head.last_seq) {
            Ordering::Greater => Lost::End(Seq(durable.seq)),
            Ordering::Equal if durable.message_id != head.last_message_id => Lost::Entries,
            _ => return Ok(Some(head)),
        };
        self.begin_epoch(lane.app, lane.conversation, head, lost, Witness::Own).await.map(Some)
    }

    /// A device of a member has seen what is not there, in the epoch of this head. Answers with the head as it is then.
    pub(crate) async fn has_lost(
        &self,
        app: AppNumber,
        conversation: ConversationId,
        head: store::Head,
        lost: Lost,
    ) -> Result<store::Head> {
        self.begin_epoch(app, conversation, head, lost, Witness::Device).await
    }

    async fn begin_epoch(
        &self,
        app: AppNumber,
        conversation: ConversationId,
        mut head: store::Head,
        lost: Lost,
        witness: Witness,
    ) -> Result<store::Head> {
        let key = HeadKey { app, conversation };
        let epoch = head.epoch;
        let mut tries = Tries::default();
        loop {
            let now = self.clock.now();
            let is_too_soon = head.epoch_began > 0 && Millis(head.epoch_began).plus(CLAIMS) > now;
            let is_there = matches!(lost, Lost::End(seq) if head.last_seq >= seq.0);
            if head.epoch != epoch || is_there || (witness == Witness::Device && is_too_soon) {
                return Ok(head);
            }
            let after = store::Head { epoch: new_epoch(), epoch_began: now.0, ..head };
            let mut batch = Batch::new(tables::conversation(app, conversation));
            batch.expect_unchanged(&key, Some(&head)).put(&key, &after);
            if tries.settled(self.store.commit(batch).await).await? {
                metrics::counter!(EPOCHS).increment(1);
                tracing::error!(
                    app = app.0,
                    ?conversation,
                    ?witness,
                    ?lost,
                    left = head.last_seq,
                    "the store has lost a part of a conversation: its devices start anew"
                );
                return Ok(after);
            }
            head = self.head(app, conversation).await?.unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use storage::Scan;

    use super::super::{EntryKey, PositionKey, SentKey};
    use super::*;
    use crate::conversations::{Have, Verdict};
    use crate::ids::{Epoch, MessageId};
    use crate::testing::{World, message};
    use crate::{Caller, Domain};

    /// Two people, of whom Alice has said "a".
    struct Talk {
        world: World,
        alice: Caller,
        bob: Caller,
        conversation: ConversationId,
        at: HeadKey,
        /// The head as "a" left it.
        before: store::Head,
    }

    impl Talk {
        async fn begun() -> Self {
            let world = World::new().await;
            let (alice, bob) = (world.user("alice").await, world.user("bob").await);
            let conversation = ConversationId::direct(alice.user().unwrap(), bob.user().unwrap());
            let at = HeadKey { app: alice.app(), conversation };
            send(&world.domain, &alice, conversation, "a").await;
            let before = head(&world, at).await;
            Self { world, alice, bob, conversation, at, before }
        }
    }

    async fn head(world: &World, at: HeadKey) -> store::Head {
        world.store.get(&at).await.unwrap().unwrap()
    }

    /// As a store does whose newest writes are lost: everything since `before` is gone.
    async fn lose(world: &World, at: HeadKey, before: &store::Head) {
        let HeadKey { app, conversation } = at;
        let home = tables::conversation(app, conversation);
        let mut batch = Batch::new(home.clone());
        for row in world.store.scan(Scan::<EntryKey>::new(home, 1_000)).await.unwrap() {
            let entry = row.record;
            if entry.seq > before.last_seq {
                let (sender, client_msg_id) = (crate::UserId(entry.sender), entry.client_msg_id.as_str());
                batch
                    .delete(&EntryKey { app, conversation, seq: Seq(entry.seq) })
                    .delete(&PositionKey { app, conversation, message: MessageId(entry.message_id) })
                    .delete(&SentKey { app, conversation, sender, client_msg_id });
            }
        }
        batch.put(&at, before);
        world.store.commit(batch).await.unwrap();
    }

    async fn send(domain: &Domain, from: &Caller, to: ConversationId, name: &str) -> (u64, u64) {
        let sent = domain.messages.send(from, message(to, name)).await.unwrap();
        (sent.epoch.0, sent.seq.0)
    }

    async fn compare(domain: &Domain, of: &Caller, to: ConversationId, held: (u64, u64)) -> (Verdict, u64) {
        compare_all(domain, of, to, held, &[]).await
    }

    /// As a device does that knows the ids of the newest entries that it holds.
    async fn compare_all(
        domain: &Domain,
        of: &Caller,
        to: ConversationId,
        (epoch, seq): (u64, u64),
        ids: &[u64],
    ) -> (Verdict, u64) {
        let message_ids = ids.iter().copied().map(MessageId).collect();
        let have = HashMap::from([(to, Have { epoch: Epoch(epoch), seq: Seq(seq), message_ids })]);
        let mut synced = domain.conversations.sync(of, &have, None, 10, 10).await.unwrap().items;
        synced.retain(|synced| synced.conversation.id == to);
        (synced[0].verdict, synced[0].conversation.head.epoch)
    }

    #[tokio::test]
    async fn a_process_that_has_seen_more_begins_an_epoch() {
        let Talk { world, alice, bob, conversation, at, before } = Talk::begun().await;
        let held = send(&world.domain, &alice, conversation, "b").await;
        lose(&world, at, &before).await;
        // The same seq, and another message: nobody may take the one for the other.
        let (epoch, seq) = send(&world.domain, &bob, conversation, "c").await;
        assert_eq!(seq, held.1);
        assert_ne!(epoch, held.0);
        assert_eq!(compare(&world.domain, &bob, conversation, held).await, (Verdict::Reset, epoch));
        assert_eq!(compare(&world.domain, &alice, conversation, (epoch, seq)).await, (Verdict::Complete, epoch));
        // What was lost can be sent again.
        assert_eq!(send(&world.domain, &alice, conversation, "b").await, (epoch, seq + 1));
    }

    #[tokio::test]
    async fn a_process_whose_last_entry_gave_way_to_another_begins_an_epoch() {
        let Talk { world, alice, bob, conversation, at, before } = Talk::begun().await;
        let held = send(&world.domain, &alice, conversation, "b").await;
        lose(&world, at, &before).await;
        let (other, _) = world.another().await;
        assert_eq!(send(&other, &bob, conversation, "c").await, held, "it knows of nothing");
        let (epoch, seq) = send(&world.domain, &alice, conversation, "d").await;
        assert_eq!(seq, held.1 + 1);
        assert_ne!(epoch, held.0);
    }

    #[tokio::test]
    async fn a_device_that_holds_what_another_process_has_written_over_begins_an_epoch() {
        let Talk { world, alice, bob, conversation, at, before } = Talk::begun().await;
        send(&world.domain, &alice, conversation, "b").await;
        let held = send(&world.domain, &alice, conversation, "c").await;
        let ids = [before.last_message_id, head(&world, at).await.last_message_id];
        lose(&world, at, &before).await;
        let other = world.among_others().await;
        for name in ["d", "e", "f"] {
            send(&other, &bob, conversation, name).await;
        }
        let newest = (held.0, held.1 + 1);
        let after = head(&world, at).await;
        assert_eq!((after.epoch, after.last_seq), newest, "it knows of nothing");
        // Whoever holds what is there goes on, and so does whoever cannot tell.
        let there = [after.last_message_id];
        assert_eq!(compare_all(&other, &bob, conversation, newest, &there).await, (Verdict::Complete, held.0));
        assert_eq!(compare(&other, &bob, conversation, held).await, (Verdict::Complete, held.0));
        // The entry at the end of what it holds is another one. And where that is the log's last, nothing has to be read.
        let (verdict, epoch) = compare_all(&other, &alice, conversation, held, &ids[1..]).await;
        assert_eq!((verdict, head(&world, at).await.epoch), (Verdict::Reset, epoch));
        assert_ne!(epoch, held.0);
        assert_eq!(compare(&other, &bob, conversation, held).await, (Verdict::Reset, epoch), "and all others are told");
        // So soon after, only the device itself begins anew; a lie about an entry further up is no better.
        let last = (epoch, newest.1);
        for ids in [vec![1], vec![1, after.last_message_id]] {
            assert_eq!(compare_all(&other, &bob, conversation, last, &ids).await, (Verdict::Reset, epoch), "{ids:?}");
        }
    }

    #[tokio::test]
    async fn a_device_that_has_seen_more_begins_an_epoch_for_all_but_not_without_end() {
        let Talk { world, alice, bob, conversation, at, before } = Talk::begun().await;
        let held = send(&world.domain, &alice, conversation, "b").await;
        lose(&world, at, &before).await;
        let (other, _) = world.another().await;
        let (verdict, epoch) = compare(&other, &bob, conversation, held).await;
        assert_eq!((verdict, head(&world, at).await.epoch), (Verdict::Reset, epoch));
        assert_ne!(epoch, held.0);
        // Now what another device holds is void too, though as much has been said again.
        send(&other, &bob, conversation, "c").await;
        assert_eq!(compare(&other, &alice, conversation, held).await, (Verdict::Reset, epoch));
        // A device that lies starts anew itself, and nobody else does.
        assert_eq!(compare(&other, &bob, conversation, (epoch, 1_000_000)).await, (Verdict::Reset, epoch));
        assert_eq!(head(&world, at).await.epoch, epoch);
    }
}
