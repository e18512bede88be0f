//! How events reach the app: through a queue that it takes them from, or by a call for each.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::conversations::ConversationId;
use crate::event::{Cursor, Delivered, Event};

/// Called with each event, on the client's own task.
pub(crate) type Listener = Box<dyn FnMut(Event) + Send>;

/// The stream of a client's events.
#[derive(Debug)]
pub struct Events {
    pub(crate) client: Client,
}

/// Events that wait for the app; `None` once they go to a listener.
pub(crate) type Queue = tokio::sync::Mutex<Option<mpsc::Receiver<Event>>>;

impl Events {
    /// The next event; `None` once every event was taken and no more come: the client is closed, they go to a
    /// [listener](crate::Client::listen), or the app [wants none](crate::Client::ignore_events).
    ///
    /// When the app takes none, [`Limits::event_queue`](crate::Limits::event_queue) of them wait and the client stops reading.
    /// Dropping the future takes nothing.
    pub async fn next(&mut self) -> Option<Event> {
        let shared = &self.client.shared;
        let event = shared.events.lock().await.as_mut()?.recv().await?;
        shared.cursors.note(&event);
        Some(event)
    }
}

/// Where the driver takes events.
pub(crate) enum Outlet {
    /// To where the app takes them from.
    Queue(mpsc::Sender<Event>),
    /// To the app itself.
    Listener(Listener),
    /// Nowhere: the app wants none.
    Nobody,
}

impl Outlet {
    /// Hands the next event over. False if there is no room for it; it is not taken then.
    pub(crate) fn offer(&mut self, next: impl FnOnce() -> Option<Event>) -> bool {
        match self {
            Self::Queue(queue) => {
                let Ok(permit) = queue.try_reserve() else { return false };
                if let Some(event) = next() {
                    permit.send(event);
                }
            }
            Self::Listener(listener) => {
                if let Some(event) = next() {
                    listener(event);
                }
            }
            Self::Nobody => drop(next()),
        }
        true
    }

    /// Waits until the app has taken an event; false when nobody ever will.
    pub(crate) async fn has_room(&mut self) -> bool {
        match self {
            Self::Queue(queue) => queue.reserve().await.is_ok(),
            Self::Listener(_) | Self::Nobody => true,
        }
    }

    /// Hands over an event however long that takes. Whether anybody still listens.
    pub(crate) async fn hand_over(&mut self, event: Event) -> bool {
        match self {
            Self::Queue(queue) => queue.send(event).await.is_ok(),
            Self::Listener(_) | Self::Nobody => self.offer(|| Some(event)),
        }
    }

    /// Has a listener called from now on, first with what waits in the queue.
    pub(crate) fn listen(&mut self, mut listener: Listener, waiting: Option<mpsc::Receiver<Event>>) {
        if let Some(mut waiting) = waiting {
            while let Ok(event) = waiting.try_recv() {
                listener(event);
            }
        }
        *self = Self::Listener(listener);
    }
}

/// How far the app has got in each conversation.
#[derive(Debug, Default)]
pub(crate) struct Cursors(Mutex<HashMap<ConversationId, Cursor>>);

impl Cursors {
    pub(crate) fn new(cursors: &[Cursor]) -> Self {
        Self(Mutex::new(cursors.iter().map(|&cursor| (cursor.conversation, cursor)).collect()))
    }

    pub(crate) fn all(&self) -> Vec<Cursor> {
        self.0.lock().values().copied().collect()
    }

    /// Moves the cursor to what the app has now taken.
    pub(crate) fn note(&self, event: &Event) {
        let (conversation, epoch, seq, message_id) = match event {
            Event::Entry(delivered) => {
                let Delivered { conversation, epoch, entry } = &**delivered;
                (*conversation, Some(*epoch), entry.seq, entry.message_id)
            }
            Event::Gap { conversation, to_seq, .. } => (*conversation, None, *to_seq, 0),
            Event::Reset { conversation, epoch } => {
                let cursor = Cursor { conversation: *conversation, epoch: *epoch, seq: 0, message_id: 0 };
                self.0.lock().insert(*conversation, cursor);
                return;
            }
            // Settles the epoch of a conversation that came without entries, or with a gap only.
            Event::Conversation(state) => (state.id, Some(state.epoch), 0, 0),
            _ => return,
        };
        let mut cursors = self.0.lock();
        let begun = Cursor { conversation, epoch: epoch.unwrap_or(0), seq: 0, message_id: 0 };
        let cursor = cursors.entry(conversation).or_insert(begun);
        match epoch {
            // A gap may be the first that is heard of a conversation; the epoch comes with what follows.
            Some(epoch) if cursor.epoch == 0 => cursor.epoch = epoch,
            Some(epoch) if cursor.epoch != epoch => *cursor = begun,
            _ => {}
        }
        if seq > cursor.seq {
            (cursor.seq, cursor.message_id) = (seq, message_id);
        }
    }
}
