//! Devices: SDK clients that write down everything they are told, and notice what they should not be told.

use std::collections::BTreeMap;
use std::time::Duration;

use linnet_sdk::content::{Body, Content, Entry, Kind, text_of};
use linnet_sdk::{Client, ConversationId, Error, Event, Limits, Network, Options, Platform, Range, Transport};
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
    pub(crate) async fn connect(
        gateway: &Gateway,
        network: &Network,
        token: &str,
        transport: (Transport, Platform),
    ) -> Self {
        let client = Client::connect(options(gateway, network, token, transport)).await;
        let transport = transport.0;
        let client = client.unwrap_or_else(|error| panic!("{transport:?}: {error}"));
        let me = client.me().await.expect("logged in");
        let name = format!("{} over {transport:?}", me.uid);
        let (write, notes) = watch::channel(Notebook::default());
        let mut events = client.events();
        let asking = client.clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::Gap { conversation, from_seq, to_seq } = event {
                    // What an app does that wants everything: more was missed than synchronisation brings.
                    let missed = between(&asking, conversation, from_seq, to_seq).await;
                    write.send_modify(|notes| notes.fill(conversation, missed));
                } else {
                    write.send_if_modified(|notes| notes.note(&event));
                }
            }
        });
        Self { client, name, notes }
    }

    /// Waits until a conversation is known up to a seq; answers what was seen of it.
    pub(crate) async fn until(&self, conversation: ConversationId, seq: u64) -> Vec<Seen> {
        let there = |notes: &Notebook| {
            notes.closed.is_some()
                || notes.entries.get(&conversation).and_then(|all| all.last()).is_some_and(|last| last.seq >= seq)
        };
        let mut notes = self.notes.clone();
        // The guard must go at once: it locks the notebook, and a second look would queue behind the writer that waits for the first.
        let in_time = tokio::time::timeout(Duration::from_secs(60), notes.wait_for(there)).await.is_ok();
        assert!(in_time, "{} did not get to #{seq} of {conversation}: {:?}", self.name, self.seen(conversation).last());
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
        between(&self.client, conversation, 1, u64::MAX).await
    }

    /// Whether exactly these entries were seen; the first difference if not.
    pub(crate) async fn must_have_seen(&self, conversation: ConversationId, log: &[Seen]) {
        let seen = self.until(conversation, log.len() as u64).await;
        let differs = seen.iter().zip(log).find(|(seen, there)| seen != there);
        assert!(differs.is_none(), "{} saw something else in {conversation}: {differs:?}", self.name);
        assert_eq!(seen.len(), log.len(), "{} saw more of {conversation} than is there", self.name);
    }
}

/// Options of a device that gives up nothing and is soon back.
pub(crate) fn options(
    gateway: &Gateway,
    network: &Network,
    token: &str,
    (transport, platform): (Transport, Platform),
) -> Options {
    let address = match transport {
        Transport::Tcp => gateway.tcp,
        Transport::Tls | Transport::Auto => gateway.tls,
        Transport::Quic => gateway.quic,
    };
    Options {
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
    }
}

/// Entries of a conversation, as the server holds them. Tries again as long as an app would.
async fn between(client: &Client, conversation: ConversationId, from: u64, to: u64) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::new();
    let mut patience = 100;
    loop {
        let next = all.last().map_or(from, |last| last.seq + 1);
        if next > to {
            return all;
        }
        let page = match client.history(conversation, Range::Forward(next), 200).await {
            Ok(page) => page,
            Err(Error::NotFound(_)) => return all,
            Err(error) if patience > 0 => {
                patience -= 1;
                let after = if let Error::RetryLater { after, .. } = error { after } else { Duration::from_millis(50) };
                tokio::time::sleep(after).await;
                continue;
            }
            Err(error) => panic!("history of {conversation}: {error}"),
        };
        all.extend(page.entries.iter().filter(|entry| entry.seq <= to).map(Seen::from));
        if page.complete || page.entries.is_empty() {
            return all;
        }
    }
}

impl Notebook {
    fn note(&mut self, event: &Event) -> bool {
        match event {
            Event::Entry(delivered) => self.fill(delivered.conversation, vec![Seen::from(&delivered.entry)]),
            Event::Reset { conversation, .. } => self.violations.push(format!("{conversation}: the epoch changed")),
            Event::Closed(error) => self.closed = Some(error.to_string()),
            _ => return false,
        }
        true
    }

    fn fill(&mut self, conversation: ConversationId, entries: Vec<Seen>) {
        let all = self.entries.entry(conversation).or_default();
        for seen in entries {
            let expected = all.last().map_or(1, |last| last.seq + 1);
            if seen.seq != expected {
                self.violations.push(format!("{conversation}: #{} where #{expected} was due", seen.seq));
            }
            all.push(seen);
        }
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
