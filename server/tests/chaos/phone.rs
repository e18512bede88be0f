//! A device: an SDK client that writes down everything that it is shown, for [`crate::checker`] to judge.

use std::sync::Arc;
use std::time::Duration;

use linnet_sdk::content::{Entry, text_of};
use linnet_sdk::{Client, ConversationId, Error, Event, Options, Range};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::checker::Stored;
use crate::ledger::{Ledger, Name, Notebook, Shown};

/// Entries that one page of history holds, at most.
const PAGE: u32 = 200;
/// How often a page is asked for before its store counts as gone for good.
const ATTEMPTS: u32 = 600;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

/// See the module.
pub(crate) struct Phone {
    pub(crate) client: Client,
    pub(crate) name: String,
    notes: Arc<Mutex<Notebook>>,
    listener: JoinHandle<()>,
}

impl Phone {
    /// Logs in, and listens from then on.
    pub(crate) async fn connect(name: String, options: Options, ledger: Arc<Ledger>) -> Self {
        let client = Client::connect(options).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let notes = Arc::default();
        let listener = tokio::spawn(listen(client.clone(), Arc::clone(&notes), ledger));
        Self { client, name, notes, listener }
    }

    /// How far it has been shown a conversation.
    pub(crate) fn reached(&self, conversation: ConversationId) -> u64 {
        self.notes.lock().reached(conversation)
    }

    /// Reads the newest entries of a conversation and writes down that they were seen. Says nothing if there is no answer.
    pub(crate) async fn glimpse(&self, conversation: ConversationId) {
        let Ok(page) = self.client.history(conversation, Range::Newest, 20).await else { return };
        let seen = page.entries.iter().map(|entry| (entry.seq, name_of(entry)));
        self.notes.lock().glimpses.entry(conversation).or_default().extend(seen);
    }

    /// What it was shown so far.
    pub(crate) fn notebook(&self) -> Notebook {
        self.notes.lock().clone()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(client: Client, notes: Arc<Mutex<Notebook>>, ledger: Arc<Ledger>) {
    let mut events = client.events();
    while let Some(event) = events.next().await {
        match event {
            Event::Entry(delivered) => {
                let shown = shown(&delivered.entry, &ledger);
                notes.lock().show(delivered.conversation, [shown]);
            }
            Event::Gap { conversation, from_seq, to_seq } => {
                // What an app does that wants everything: more was missed than synchronisation brings.
                let missed = read(&client, conversation, from_seq, to_seq).await;
                let missed = missed.iter().map(|entry| shown(entry, &ledger));
                notes.lock().show(conversation, missed);
            }
            Event::Reset { conversation, .. } => notes.lock().show(conversation, [Shown::Reset]),
            Event::Connected { resumed, .. } => {
                let mut notes = notes.lock();
                notes.connections += 1;
                notes.resumed += u64::from(resumed);
            }
            Event::Closed(error) => notes.lock().closed = Some(error.to_string()),
            _ => {}
        }
    }
}

fn shown(entry: &Entry, ledger: &Ledger) -> Shown {
    Shown::Entry { seq: entry.seq, name: name_of(entry), at: ledger.now() }
}

/// What an entry's text says. Entries that no writer wrote have none.
fn name_of(entry: &Entry) -> Option<Name> {
    text_of(entry)?.parse().ok()
}

/// A whole conversation, as the server holds it.
pub(crate) async fn read_log(client: &Client, conversation: ConversationId) -> Vec<Stored> {
    let stored = |entry: &Entry| Stored {
        seq: entry.seq,
        name: name_of(entry),
        sent: (entry.sender, entry.client_msg_id.clone()),
    };
    read(client, conversation, 1, u64::MAX).await.iter().map(stored).collect()
}

/// Entries of a conversation. Tries again as long as a patient app would.
async fn read(client: &Client, conversation: ConversationId, from: u64, to: u64) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    let mut attempts = 0;
    loop {
        let next = all.last().map_or(from, |last| last.seq + 1);
        if next > to {
            return all;
        }
        let page = match client.history(conversation, Range::Forward(next), PAGE).await {
            Ok(page) => page,
            Err(Error::NotFound(_) | Error::Closed) => return all,
            Err(error) => {
                attempts += 1;
                assert!(attempts < ATTEMPTS, "history of {conversation}: {error}");
                tokio::time::sleep(BETWEEN_ATTEMPTS).await;
                continue;
            }
        };
        all.extend(page.entries.into_iter().filter(|entry| entry.seq <= to));
        if page.complete || all.last().is_none_or(|last| last.seq < next) {
            return all;
        }
    }
}
