//! Where outbox rows and journal lines are kept.

use proto::store;
use storage::{Home, Key, Rest, Table};

use super::Purpose;
use crate::ids::{AppNumber, ConversationId, Seq};
use crate::tables::{self, Outbound};

/// Something to do about an entry.
///
/// home: the conversation.  rest: seq as u64, then the purpose as u8.  value: `store.Outbox`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboxKey {
    pub(crate) app: AppNumber,
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    pub(crate) purpose: Purpose,
}

impl Key for OutboxKey {
    const TABLE: Table = tables::OUTBOX;
    type Record = store::Outbox;

    fn home(&self) -> Home {
        tables::conversation(self.app, self.conversation)
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.seq.0).u8(self.purpose as u8);
    }
}

/// The place that a row's rest tells; `None` for a purpose that this version does not know.
pub(super) fn place_of(rest: &[u8]) -> Option<(Seq, Purpose)> {
    let (seq, purpose) = rest.split_first_chunk()?;
    let purpose = Purpose::ALL.into_iter().find(|known| purpose == [*known as u8])?;
    Some((Seq(u64::from_be_bytes(*seq)), purpose))
}

/// That a conversation may have rows.
///
/// home: the app's journal.  rest: the period as u64, then the conversation.  value: `store.OutboxLine`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboxLineKey {
    pub(crate) app: AppNumber,
    pub(crate) period: i64,
    pub(crate) conversation: ConversationId,
}

impl Key for OutboxLineKey {
    const TABLE: Table = tables::OUTBOX_LINE;
    type Record = store::OutboxLine;

    fn home(&self) -> Home {
        tables::outbound(self.app, Outbound::Journal, &[])
    }

    fn rest(&self, out: &mut Rest) {
        self.conversation.append_to(out.u64(self.period.unsigned_abs()));
    }
}

/// The period that a line's rest begins with.
pub(super) fn period_of(rest: &[u8]) -> i64 {
    let period = rest.first_chunk().map_or(0, |period| u64::from_be_bytes(*period));
    i64::try_from(period).unwrap_or(i64::MAX)
}
