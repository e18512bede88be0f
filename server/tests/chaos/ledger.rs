//! What clients did and what they were shown, written down outside the system.
//!
//! Writers enter each operation when it is over; devices enter what they are shown as it comes. Nobody asks the server about it:
//! [`crate::checker`] compares these books with the logs that a fresh process reads back.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;
use std::time::{Duration, Instant};

use linnet_sdk::ConversationId;
use parking_lot::Mutex;

/// A message: who wrote it, and the how manieth of that writer it is. Its text says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    pub(crate) writer: u32,
    pub(crate) number: u32,
}

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "w{}-{}", self.writer, self.number)
    }
}

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (writer, number) = text.strip_prefix('w').and_then(|text| text.split_once('-')).ok_or(())?;
        Ok(Self { writer: writer.parse().map_err(|_| ())?, number: number.parse().map_err(|_| ())? })
    }
}

/// Nanoseconds since the run began, by the one clock that everybody here reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0 + u64::try_from(time.as_nanos()).expect("a run ends within centuries"))
    }

    pub(crate) fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(time.as_nanos()).expect("a run ends within centuries")))
    }
}

/// The place that an acknowledgement named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
}

/// How a message ended for its writer, after all that the writer tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Acknowledged; REST names no place.
    Acked(Option<Place>),
    /// Refused for good, and never anything else: it must not be there.
    Refused,
    /// Nobody knows: it may be there, once.
    Unknown,
}

/// One message of one writer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: Name,
    pub(crate) invoked: Moment,
    pub(crate) answered: Moment,
    pub(crate) outcome: Outcome,
}

/// Something that a device was shown of one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// An entry. Entries that no writer wrote (a group's tips) have no name.
    Entry { seq: u64, name: Option<Name>, at: Moment },
    /// Everything before is void.
    Reset,
}

/// What one device was shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notebook {
    /// By conversation, in the order in which it came.
    pub(crate) streams: BTreeMap<ConversationId, Vec<Shown>>,
    /// What a look into the newest history showed, in between.
    pub(crate) glimpses: BTreeMap<ConversationId, Vec<(u64, Option<Name>)>>,
    pub(crate) connections: u64,
    /// Connections that went on with the session before.
    pub(crate) resumed: u64,
    /// Why the client ended, if it did.
    pub(crate) closed: Option<String>,
}

impl Notebook {
    pub(crate) fn show(&mut self, conversation: ConversationId, shown: impl IntoIterator<Item = Shown>) {
        self.streams.entry(conversation).or_default().extend(shown);
    }

    /// The last seq shown of a conversation; 0 for none.
    pub(crate) fn reached(&self, conversation: ConversationId) -> u64 {
        match self.streams.get(&conversation).and_then(|stream| stream.last()) {
            Some(Shown::Entry { seq, .. }) => *seq,
            Some(Shown::Reset) | None => 0,
        }
    }
}

/// The writers' books, by conversation.
pub(crate) struct Ledger {
    start: Instant,
    books: BTreeMap<ConversationId, Mutex<Vec<Operation>>>,
}

impl Ledger {
    pub(crate) fn new(conversations: impl IntoIterator<Item = ConversationId>) -> Self {
        let books = conversations.into_iter().map(|conversation| (conversation, Mutex::default())).collect();
        Self { start: Instant::now(), books }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(0).plus(self.start.elapsed())
    }

    /// Enters what is over. The conversation must be one of those that the ledger began with.
    pub(crate) fn enter(&self, conversation: ConversationId, operation: Operation) {
        self.books[&conversation].lock().push(operation);
    }

    pub(crate) fn conversations(&self) -> impl Iterator<Item = ConversationId> {
        self.books.keys().copied()
    }

    pub(crate) fn operations(&self, conversation: ConversationId) -> Vec<Operation> {
        self.books[&conversation].lock().clone()
    }

    /// Messages acknowledged so far.
    pub(crate) fn acked(&self) -> usize {
        let acked = |operation: &&Operation| matches!(operation.outcome, Outcome::Acked(_));
        self.books.values().map(|book| book.lock().iter().filter(acked).count()).sum()
    }

    /// Whether a message that was written after `moment` was acknowledged in each of these conversations.
    pub(crate) fn all_acked_since(&self, conversations: &[ConversationId], moment: Moment) -> bool {
        conversations.iter().all(|conversation| {
            let book = self.books[conversation].lock();
            // What was entered last was answered last, or nearly so.
            book.iter()
                .rev()
                .take(1000)
                .any(|operation| operation.invoked > moment && matches!(operation.outcome, Outcome::Acked(_)))
        })
    }

    /// Every operation, a line each: conversation, message, nanoseconds of invocation and answer, outcome.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for (conversation, book) in &self.books {
            for Operation { name, invoked, answered, outcome } in book.lock().iter() {
                writeln!(text, "{conversation}\t{name}\t{}\t{}\t{outcome:?}", invoked.0, answered.0)
                    .expect("a string takes all");
            }
        }
        text
    }
}
