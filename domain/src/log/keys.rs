//! Where a conversation's log is kept.

use proto::{entry, store};
use storage::{Home, Key, Rest, Table};

use crate::ids::{AppNumber, ConversationId, MessageId, Seq, UserId};
use crate::tables;

/// The state of a log.
///
/// home: the conversation.  rest: empty.  value: `store.Head`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadKey {
    pub(crate) app: AppNumber,
    pub(crate) conversation: ConversationId,
}

impl Key for HeadKey {
    const TABLE: Table = tables::HEAD;
    type Record = store::Head;

    fn home(&self) -> Home {
        tables::conversation(self.app, self.conversation)
    }

    fn rest(&self, _out: &mut Rest) {}
}

/// One entry, in conversation order.
///
/// home: the conversation.  rest: seq as u64.  value: `entry.Entry`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryKey {
    pub(crate) app: AppNumber,
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
}

impl Key for EntryKey {
    const TABLE: Table = tables::ENTRY;
    type Record = entry::Entry;

    fn home(&self) -> Home {
        tables::conversation(self.app, self.conversation)
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.seq.0);
    }
}

/// That a sender's client_msg_id was used.
///
/// home: the conversation.  rest: sender as u64, then the client_msg_id.  value: `store.Sent`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentKey<'a> {
    pub(crate) app: AppNumber,
    pub(crate) conversation: ConversationId,
    pub(crate) sender: UserId,
    pub(crate) client_msg_id: &'a str,
}

impl Key for SentKey<'_> {
    const TABLE: Table = tables::SENT;
    type Record = store::Sent;

    fn home(&self) -> Home {
        tables::conversation(self.app, self.conversation)
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.sender.0).bytes(self.client_msg_id.as_bytes());
    }
}

/// Where a message id is in the log, if it is outside of the stretch of ids in order.
///
/// home: the conversation.  rest: message id as u64.  value: `store.Position`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PositionKey {
    pub(crate) app: AppNumber,
    pub(crate) conversation: ConversationId,
    pub(crate) message: MessageId,
}

impl Key for PositionKey {
    const TABLE: Table = tables::POSITION;
    type Record = store::Position;

    fn home(&self) -> Home {
        tables::conversation(self.app, self.conversation)
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.message.0);
    }
}
