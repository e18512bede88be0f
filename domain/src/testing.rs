//! A small app for tests that reach inside. What can be tested from outside is in `tests/`, which has its own.

use std::sync::Arc;

use parking_lot::Mutex;
use proto::{entry, store};
use storage::{Bus, Clock, Millis, Store};

use crate::apps::NewApp;
use crate::messages::Outgoing;
use crate::tokens::Issue;
use crate::users::NewUser;
use crate::{AppNumber, Audience, Caller, Config, ConversationId, Deliver, Domain, Outlet, UserId};

/// Connects nobody, and remembers which entries there were.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<entry::Entry>>);

impl Deliver for Told {
    fn deliver(&self, _app: AppNumber, _audience: &Audience, event: &store::event::Body) {
        if let store::event::Body::Appended(appended) = event {
            self.0.lock().extend(appended.entry.clone());
        }
    }
}

impl Told {
    /// The seqs of the entries since the last call.
    pub(crate) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock()).iter().map(|entry| entry.seq).collect()
    }
}

/// App 7, over the store that keeps nothing.
pub(crate) struct World {
    pub(crate) domain: Domain,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) told: Arc<Told>,
    pub(crate) server: Caller,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Clock::manual(Millis(1_700_000_000_000));
        let store = Store::memory(clock.clone());
        let (domain, told) = Self::open(&store, &clock).await;
        domain.apps.create(NewApp { number: Some(7), ..NewApp::default() }).await.unwrap();
        let server = domain.apps.operator(AppNumber(7)).await.unwrap();
        Self { domain, store, clock, told, server }
    }

    /// Another process over the same store.
    pub(crate) async fn another(&self) -> (Domain, Arc<Told>) {
        Self::open(&self.store, &self.clock).await
    }

    /// Another process over the same store, which knows that there are others.
    pub(crate) async fn among_others(&self) -> Domain {
        let outlet = Outlet::Both(Arc::new(Told::default()), Bus::local());
        Domain::open(self.store.clone(), self.clock.clone(), outlet, Config::default()).await.unwrap()
    }

    async fn open(store: &Store, clock: &Clock) -> (Domain, Arc<Told>) {
        let told = Arc::new(Told::default());
        let outlet = Outlet::Here(told.clone());
        (Domain::open(store.clone(), clock.clone(), outlet, Config::default()).await.unwrap(), told)
    }

    /// A new user, logged in.
    pub(crate) async fn user(&self, uid: &str) -> Caller {
        let new = NewUser { uid: Some(uid.into()), ..NewUser::default() };
        let user = self.domain.users.create(&self.server, new).await.unwrap();
        let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
        let token = self.domain.tokens.issue(&self.server, UserId(user.id), issue).await.unwrap();
        self.domain.tokens.authenticate(&token.text).await.unwrap()
    }
}

/// A message that says its own name.
pub(crate) fn message(conversation: ConversationId, name: &str) -> Outgoing {
    Outgoing {
        conversation,
        client_msg_id: name.to_owned(),
        content: entry::Content {
            kind: Some(entry::content::Kind::Text(entry::Text { text: name.to_owned() })),
            ..entry::Content::default()
        },
        online_only: false,
    }
}
