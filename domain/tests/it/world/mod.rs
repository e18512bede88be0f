//! A small app with a few users, over the store that keeps nothing, in a time that stands still until it is set.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::apps::NewApp;
use domain::conversations::{Have, Synced};
use domain::entry::entry::Body;
use domain::entry::{Content, Entry, Text, content};
use domain::groups::NewGroup;
use domain::messages::{HistoryRange, Outgoing, Sent};
use domain::record::{AppSettings, Event, event};
use domain::tokens::Issue;
use domain::users::NewUser;
use domain::{
    AppNumber, Audience, Caller, Clock, Config, ConversationId, Deliver, Domain, GroupId, Millis, Outlet, Result, Seq,
    UserId,
};
use futures_util::FutureExt;
use storage::{Bus, Store, Subscription};

/// When every test begins.
pub const START: i64 = 1_700_000_000_000;

/// Remembers every event, in the order in which it came.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<(Vec<UserId>, event::Body)>>);

impl Deliver for Recorder {
    fn deliver(&self, _app: AppNumber, audience: &Audience, event: &event::Body) {
        let users = match audience {
            Audience::Users(users) => users.clone(),
            Audience::Members(users) => users.to_vec(),
            Audience::Watchers(user) => vec![*user],
            // Who is there, the gateway knows.
            Audience::Room(_) => Vec::new(),
            Audience::Everyone => Vec::new(),
        };
        self.0.lock().unwrap().push((users, event.clone()));
    }
}

impl Recorder {
    /// Everything since the last call.
    pub fn take(&self) -> Vec<(Vec<UserId>, event::Body)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The entries among it, with their audiences.
    pub fn take_entries(&self) -> Vec<(Vec<UserId>, ConversationId, Entry)> {
        let entries = self.take().into_iter().filter_map(|(users, body)| match body {
            event::Body::Appended(event) => {
                Some((users, ConversationId::from_wire(&event.conversation?).unwrap(), event.entry.unwrap()))
            }
            _ => None,
        });
        entries.collect()
    }
}

/// See the module.
pub struct World {
    pub domain: Domain,
    pub store: Store,
    pub clock: Clock,
    pub events: Arc<Recorder>,
    /// The app's own server.
    pub server: Caller,
}

impl World {
    pub async fn new() -> Self {
        Self::with(AppSettings::default(), Config::default()).await
    }

    pub async fn with(settings: AppSettings, config: Config) -> Self {
        let clock = Clock::manual(Millis(START));
        let store = Store::memory(clock.clone());
        let events = Arc::new(Recorder::default());
        let domain = open(&store, &clock, &events, config).await;
        let new = NewApp { id: Some("demo".into()), number: Some(7), settings, ..NewApp::default() };
        domain.apps.create(new).await.unwrap();
        let server = domain.apps.operator(AppNumber(7)).await.unwrap();
        Self { domain, store, clock, events, server }
    }

    /// A process over a store that has the app already.
    pub async fn over(store: Store, clock: Clock) -> Self {
        let events = Arc::new(Recorder::default());
        let domain = open(&store, &clock, &events, Config::default()).await;
        let server = domain.apps.operator(AppNumber(7)).await.unwrap();
        Self { domain, store, clock, events, server }
    }

    /// Another process over the same store.
    pub async fn another(&self) -> (Domain, Arc<Recorder>) {
        let events = Arc::new(Recorder::default());
        (open(&self.store, &self.clock, &events, Config::default()).await, events)
    }

    /// Another process over the same store, with sessions of its own, that tells the others and hears them.
    pub async fn process(&self, bus: &Bus) -> Process {
        let events = Arc::new(Recorder::default());
        let outlet = Outlet::Both(events.clone(), bus.clone());
        let domain = Domain::open(self.store.clone(), self.clock.clone(), outlet, Config::default()).await.unwrap();
        Process { domain, events, heard: bus.subscribe(1_000_000) }
    }

    /// A new user, logged in.
    pub async fn user(&self, uid: &str) -> Caller {
        let new = NewUser { uid: Some(uid.into()), ..NewUser::default() };
        let user = self.domain.users.create(&self.server, new).await.unwrap();
        let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
        let token = self.domain.tokens.issue(&self.server, UserId(user.id), issue).await.unwrap();
        self.domain.tokens.authenticate(&token.text).await.unwrap()
    }

    /// A new group with an owner and further members.
    pub async fn group(&self, owner: &Caller, members: &[&Caller]) -> GroupId {
        let members = members.iter().map(|member| (id(member), domain::record::Role::Member)).collect();
        let new = NewGroup { name: "group".into(), owner_is_member: true, members, ..NewGroup::default() };
        GroupId(self.domain.groups.create(owner, new).await.unwrap().id)
    }

    pub async fn send(&self, from: &Caller, to: ConversationId, client_msg_id: &str, text: &str) -> Result<Sent> {
        self.domain.messages.send(from, outgoing(to, client_msg_id, text)).await
    }

    /// All that a caller can read of a conversation, oldest first.
    pub async fn all(&self, caller: &Caller, conversation: ConversationId) -> Vec<Entry> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let from = Seq(all.last().map_or(0, |last| last.seq + 1));
            let range = HistoryRange { from, ascending: true, limit: 7 };
            let page = self.domain.messages.history(caller, conversation, range).await.unwrap();
            all.extend(page.entries);
            if page.complete {
                return all;
            }
        }
    }

    /// Every conversation of a caller, compared with what a device has.
    pub async fn sync(&self, caller: &Caller, have: &HashMap<ConversationId, Have>, entries: usize) -> Vec<Synced> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.domain.conversations.sync(caller, have, cursor.as_deref(), 2, entries).await.unwrap();
            all.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }

    pub fn pass(&self, millis: i64) {
        self.clock.set(Millis(self.clock.now().0 + millis));
    }
}

/// One of several processes that share a store and a bus.
pub struct Process {
    pub domain: Domain,
    pub events: Arc<Recorder>,
    heard: Subscription,
}

impl Process {
    /// Takes from the bus what is there by now.
    pub async fn hear(&mut self) {
        while let Some(payload) = self.heard.recv().now_or_never() {
            let event: Event = proto::Message::decode(payload.unwrap()).unwrap();
            self.domain.receive(event).await;
        }
    }
}

async fn open(store: &Store, clock: &Clock, events: &Arc<Recorder>, config: Config) -> Domain {
    Domain::open(store.clone(), clock.clone(), Outlet::Here(events.clone()), config).await.unwrap()
}

/// A token for the wire protocol that never ends.
pub fn issue() -> Issue {
    Issue { dialect: "", platform: 0, lifetime: None, repeatable: false }
}

pub fn id(caller: &Caller) -> UserId {
    caller.user().unwrap()
}

pub fn direct(one: &Caller, other: &Caller) -> ConversationId {
    ConversationId::direct(id(one), id(other))
}

pub fn text(text: &str) -> Content {
    Content { kind: Some(content::Kind::Text(Text { text: text.to_owned() })), ..Content::default() }
}

pub fn outgoing(conversation: ConversationId, client_msg_id: &str, said: &str) -> Outgoing {
    Outgoing { conversation, client_msg_id: client_msg_id.to_owned(), content: text(said), online_only: false }
}

/// What an entry says; `None` for what is no text, and for what was withdrawn.
pub fn said(entry: &Entry) -> Option<&str> {
    match entry.body.as_ref()? {
        Body::Message(Content { kind: Some(content::Kind::Text(text)), .. }) => Some(&text.text),
        _ => None,
    }
}

pub fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}
