//! Devices: SDK clients that write down everything they are told, and notice what they should not be told.

use std::collections::BTreeMap;
use std::time::Duration;

use linnet_sdk::content::{Body, Content, Entry, Kind, text_of};
use linnet_sdk::{Client, ConversationId, Event, Limits, Network, Options, Platform, Transport};
use tokio::sync::watch;

use super::Gateway;

/// One entry as a device saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) seq: u64,
    pub(crate) sender: u64,
    pub(crate) client_msg_id: String,
    pub(crate) text: String,
}

/// Everything a device was told, by conversation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notebook {
    pub(crate) entries: BTreeMap<ConversationId, Vec<Seen>>,
    /// Entries that came twice, too early or out of order, in words.
    pub(crate) violations: Vec<String>,
    /// Why the session is over, if it is.
    pub(crate) closed: Option<String>,
}

/// An SDK client, and its notebook.
pub(crate) struct Device {
    pub(crate) client: Client,
    pub(crate) name: String,
    notes: watch::Receiver<Notebook>,
}

/// How to connect.
pub(crate) const TRANSPORTS: [(Transport, Platform); 3] =
    [(Transport::Tcp, Platform::Linux), (Transport::Tls, Platform::Ios), (Transport::Quic, Platform::Android)];

impl Device {
    /// Logs a user in.
    pub(crate) async fn connect(gateway: &Gateway, network: &Network, token: &str, transport: (Transport, Platform)) -> Self {
        let (transport, platform) = transport;
        let address = match transport {
            Transport::Tcp => gateway.tcp,
            Transport::Tls | Transport::Auto => gateway.tls,
            Transport::Quic => gateway.quic,
        };
        let options = Options {
            transport,
            platform,
            quic_address: Some(gateway.quic.to_string()),
            network: Some(network.clone()),
            device_id: format!("device-{platform:?}"),
            login_timeout: Duration::from_secs(30),
            // A server that was killed is back within a second or two.
            limits: Limits {
                backoff_base: Duration::from_millis(20),
                backoff_cap: Duration::from_millis(300),
                max_gap: 1_000_000,
                max_held: 1_000_000,
                event_queue: 65_536,
                ..Limits::default()
            },
            ..Options::new(address.to_string(), token)
        };
        let client = Client::connect(options).await.unwrap_or_else(|error| panic!("{transport:?}: {error}"));
        let me = client.me().await.expect("logged in");
        let name = format!("{} over {transport:?}", me.uid);
        let (write, notes) = watch::channel(Notebook::default());
        let mut events = client.events();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                write.send_if_modified(|notes| notes.note(&event));
            }
        });
        Self { client, name, notes }
    }

    /// Waits until a conversation is known up to a seq; answers what was seen of it.
    pub(crate) async fn until(&self, conversation: ConversationId, seq: u64) -> Vec<Seen> {
        let there = |notes: &Notebook| {
            notes.closed.is_some() || notes.entries.get(&conversation).and_then(|all| all.last()).is_some_and(|last| last.seq >= seq)
        };
        let mut notes = self.notes.clone();
        let waited = tokio::time::timeout(Duration::from_secs(60), notes.wait_for(there)).await;
        assert!(waited.is_ok(), "{} did not get to #{seq} of {conversation}: {:?}", self.name, self.seen(conversation).last());
        assert_eq!(self.notebook().closed, None, "{}", self.name);
        self.seen(conversation)
    }

    /// What was seen of a conversation.
    pub(crate) fn seen(&self, conversation: ConversationId) -> Vec<Seen> {
        self.notes.borrow().entries.get(&conversation).cloned().unwrap_or_default()
    }

    /// Everything.
    pub(crate) fn notebook(&self) -> Notebook {
        self.notes.borrow().clone()
    }

    /// A whole conversation, as the server holds it.
    pub(crate) async fn history(&self, conversation: ConversationId) -> Vec<Seen> {
        let mut all = Vec::new();
        let mut from = 1;
        loop {
            let range = linnet_sdk::Range::Forward(from);
            let page = match self.client.history(conversation, range, 200).await {
                Ok(page) => page,
                Err(linnet_sdk::Error::NotFound(_)) => return all,
                Err(linnet_sdk::Error::RetryLater { after, .. }) => {
                    tokio::time::sleep(after).await;
                    continue;
                }
                Err(error) => panic!("{}: history of {conversation}: {error}", self.name),
            };
            all.extend(page.entries.iter().map(Seen::from));
            from = all.last().map_or(1, |last: &Seen| last.seq + 1);
            if page.complete || page.entries.is_empty() {
                return all;
            }
        }
    }
}

impl Notebook {
    fn note(&mut self, event: &Event) -> bool {
        match event {
            Event::Entry(delivered) => {
                let all = self.entries.entry(delivered.conversation).or_default();
                let expected = all.last().map_or(1, |last| last.seq + 1);
                let seen = Seen::from(&delivered.entry);
                if seen.seq != expected {
                    self.violations.push(format!("{}: #{} where #{expected} was due", delivered.conversation, seen.seq));
                }
                all.push(seen);
            }
            Event::Gap { conversation, from_seq, to_seq } => {
                self.violations.push(format!("{conversation}: #{from_seq} to #{to_seq} are missing"));
            }
            Event::Reset { conversation, .. } => self.violations.push(format!("{conversation}: the epoch changed")),
            Event::Closed(error) => self.closed = Some(error.to_string()),
            _ => return false,
        }
        true
    }
}

impl From<&Entry> for Seen {
    fn from(entry: &Entry) -> Self {
        let text = match text_of(entry) {
            Some(text) => text.to_owned(),
            None => match entry.body.as_ref() {
                Some(Body::Message(Content { kind: Some(Kind::Custom(custom)), .. })) => custom.data.clone(),
                other => format!("{other:?}"),
            },
        };
        Self { seq: entry.seq, sender: entry.sender, client_msg_id: entry.client_msg_id.clone(), text }
    }
}
