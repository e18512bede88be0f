//! A small app for tests that reach inside. What can be tested from outside is in `tests/`, which has its own.

use std::sync::Arc;

use proto::store;
use storage::{Clock, Millis, Store};

use crate::apps::NewApp;
use crate::tokens::Issue;
use crate::users::NewUser;
use crate::{AppNumber, Audience, Caller, Config, Deliver, Domain, Outlet, UserId};

/// Connects nobody.
struct Nobody;

impl Deliver for Nobody {
    fn deliver(&self, _app: AppNumber, _audience: &Audience, _event: &store::event::Body) {}
}

/// App 7, over the store that keeps nothing.
pub(crate) struct World {
    pub(crate) domain: Domain,
    pub(crate) store: Store,
    pub(crate) server: Caller,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Clock::manual(Millis(1_700_000_000_000));
        let store = Store::memory(clock.clone());
        let outlet = Outlet::Here(Arc::new(Nobody));
        let domain = Domain::open(store.clone(), clock, outlet, Config::default()).await.unwrap();
        domain.apps.create(NewApp { number: Some(7), ..NewApp::default() }).await.unwrap();
        let server = domain.apps.operator(AppNumber(7)).await.unwrap();
        Self { domain, store, server }
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
