//! Where a message is in its log, by its id.
//!
//! Ids mostly ascend with the seqs, as long as one process writes to a conversation, and then a search finds them. So the head remembers one
//! stretch of the log whose ids ascend. Only an entry outside of it has a row that says where it is: one whose id came late, every entry after
//! such a one, what is written where other processes write too, and what was written before there were stretches. A row for each entry would
//! be a fourth of what the store has to do for it.

use proto::store;
use storage::Scan;

use super::{EntryKey, Log, PositionKey};
use crate::error::Result;
use crate::ids::{AppNumber, ConversationId, MessageId, Seq};
use crate::tables;

/// Takes the entry at the head's last seq into the head's stretch. False if it does not go on there, and needs a row.
///
/// `before` is the id of the entry before.
pub(super) fn extend_stretch(head: &mut store::Head, before: u64, message: MessageId) -> bool {
    if head.stretch_end == 0 {
        head.stretch_begin = head.last_seq;
    } else if head.stretch_end + 1 != head.last_seq || message.0 <= before {
        return false;
    }
    head.stretch_end = head.last_seq;
    true
}

impl Log {
    /// Where a message is; `None` where it is not, or has vanished.
    pub(crate) async fn position(
        &self,
        app: AppNumber,
        conversation: ConversationId,
        message: MessageId,
    ) -> Result<Option<Seq>> {
        if let Some(position) = self.store.get(&PositionKey { app, conversation, message }).await? {
            return Ok(Some(Seq(position.seq)));
        }
        let Some(head) = self.head(app, conversation).await? else { return Ok(None) };
        if head.stretch_end == 0 {
            return Ok(None);
        }
        let (mut low, mut high) = (head.stretch_begin, head.stretch_end);
        // It is asked for what was said lately, most often: so first in growing steps from the end.
        let mut step = Some(1);
        while low <= high {
            let probe = step.map_or(low + (high - low) / 2, |step| high.saturating_sub(step).max(low));
            step = step.map(|step: u64| step.saturating_mul(2));
            // Some may have vanished, so it is the first from there on.
            let scan = Scan::<EntryKey>::new(tables::conversation(app, conversation), 1)
                .from(|rest| {
                    rest.u64(probe);
                })
                .to(|rest| {
                    rest.u64(high + 1);
                });
            match self.store.scan(scan).await?.pop().map(|row| row.record) {
                Some(entry) if entry.message_id == message.0 => return Ok(Some(Seq(entry.seq))),
                Some(entry) if entry.message_id < message.0 => (low, step) = (entry.seq + 1, None),
                Some(_) | None => high = probe - 1,
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::HeadKey;
    use crate::testing::{World, message};
    use crate::{Caller, Domain};

    async fn head(world: &World, app: AppNumber, conversation: ConversationId) -> store::Head {
        world.store.get(&HeadKey { app, conversation }).await.unwrap().unwrap()
    }

    async fn rows(world: &World, app: AppNumber, conversation: ConversationId, ids: &[u64]) -> Vec<bool> {
        let keys: Vec<_> = ids.iter().map(|&id| PositionKey { app, conversation, message: MessageId(id) }).collect();
        world.store.get_many(&keys).await.unwrap().iter().map(Option::is_some).collect()
    }

    /// Sends so many messages; answers their ids.
    async fn say(domain: &Domain, from: &Caller, to: ConversationId, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let name = rand::random::<u64>().to_string();
            ids.push(domain.messages.send(from, message(to, &name)).await.unwrap().message_id.0);
        }
        ids
    }

    #[test]
    fn a_stretch_ends_where_an_id_came_late() {
        let mut head = store::Head { last_seq: 5, ..store::Head::default() };
        assert!(extend_stretch(&mut head, 90, MessageId(10)), "the first one, whatever came before");
        head.last_seq = 6;
        assert!(extend_stretch(&mut head, 10, MessageId(11)));
        head.last_seq = 7;
        assert!(!extend_stretch(&mut head, 11, MessageId(4)));
        head.last_seq = 8;
        assert!(!extend_stretch(&mut head, 4, MessageId(12)), "it is not next to the stretch");
        assert_eq!((head.stretch_begin, head.stretch_end), (5, 6));
    }

    #[tokio::test]
    async fn every_message_is_found_with_and_without_a_row() {
        let world = World::new().await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        let (app, conversation) = (alice.app(), ConversationId::direct(alice.user().unwrap(), bob.user().unwrap()));
        let log = world.domain.messages.log();
        let mut ids = say(&world.domain, &alice, conversation, 40).await;
        // Ids of other conversations lie between.
        say(&world.domain, &alice, ConversationId::direct(alice.user().unwrap(), alice.user().unwrap()), 3).await;
        ids.extend(say(&world.domain, &bob, conversation, 40).await);
        assert!(!rows(&world, app, conversation, &ids).await.contains(&true));
        let ahead = head(&world, app, conversation).await;
        assert_eq!((ahead.stretch_begin, ahead.stretch_end), (1, 80));
        // As if another process, whose ids are higher, had written the last one.
        let key = HeadKey { app, conversation };
        let mut batch = storage::Batch::new(tables::conversation(app, conversation));
        let late = store::Head { last_message_id: ids[79] + 1_000_000, ..ahead };
        batch.put(&key, &late);
        world.store.commit(batch).await.unwrap();
        let (again, _) = world.another().await;
        let after = say(&again, &alice, conversation, 3).await;
        assert_eq!(rows(&world, app, conversation, &after).await, [true; 3]);
        ids.extend(after);
        for (place, id) in ids.iter().enumerate() {
            let found = log.position(app, conversation, MessageId(*id)).await.unwrap();
            assert_eq!(found, Some(Seq(place as u64 + 1)), "{id}");
        }
        for strange in [0, ids[0] - 1, ids[39] + 1, ids[79] + 500, u64::MAX] {
            assert_eq!(log.position(app, conversation, MessageId(strange)).await.unwrap(), None, "{strange}");
        }
    }

    #[tokio::test]
    async fn among_others_every_message_has_a_row_and_the_head_stays_as_it_was() {
        let world = World::new().await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        let (app, conversation) = (alice.app(), ConversationId::direct(alice.user().unwrap(), bob.user().unwrap()));
        let mut ids = say(&world.domain, &alice, conversation, 3).await;
        let among = world.among_others().await;
        ids.extend(say(&among, &alice, conversation, 3).await);
        assert_eq!(rows(&world, app, conversation, &ids).await, [false, false, false, true, true, true]);
        let left = head(&world, app, conversation).await;
        assert_eq!((left.stretch_begin, left.stretch_end), (1, 3));
        for (place, id) in ids.iter().enumerate() {
            let found = among.messages.log().position(app, conversation, MessageId(*id)).await.unwrap();
            assert_eq!(found, Some(Seq(place as u64 + 1)));
        }
    }

    #[tokio::test]
    async fn gaps_do_not_mislead_the_search() {
        let world = World::new().await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        let (app, conversation) = (alice.app(), ConversationId::direct(alice.user().unwrap(), bob.user().unwrap()));
        let ids = say(&world.domain, &alice, conversation, 60).await;
        let vanished = |place: usize| place < 7 || place.is_multiple_of(5) || (20..30).contains(&place) || place == 59;
        let mut batch = storage::Batch::new(tables::conversation(app, conversation));
        for place in (0..60).filter(|place| vanished(*place)) {
            batch.delete(&EntryKey { app, conversation, seq: Seq(place as u64 + 1) });
        }
        world.store.commit(batch).await.unwrap();
        for (place, id) in ids.iter().enumerate() {
            let found = world.domain.messages.log().position(app, conversation, MessageId(*id)).await.unwrap();
            assert_eq!(found, (!vanished(place)).then_some(Seq(place as u64 + 1)));
        }
    }
}
