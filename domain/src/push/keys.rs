//! Where everything about pushes is kept.

use proto::store::{self, PushProvider};
use sha2::{Digest, Sha256};
use storage::{Home, Key, Rest, Table};

use crate::ids::{AppNumber, UserId};
use crate::tables::{self, Outbound};

/// A device of a user.
///
/// home: the user.  rest: the device's name.  value: `store.PushDevice`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceKey<'a> {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) device: &'a str,
}

impl Key for DeviceKey<'_> {
    const TABLE: Table = tables::PUSH_DEVICE;
    type Record = store::PushDevice;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.bytes(self.device.as_bytes());
    }
}

/// What a user's pushes are labelled and counted with.
///
/// home: the user.  rest: empty.  value: `store.PushUser`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
}

impl Key for UserKey {
    const TABLE: Table = tables::PUSH_USER;
    type Record = store::PushUser;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// Whose a token is.
///
/// home: the token, hashed.  rest: empty.  value: `store.PushOwner`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnerKey {
    pub(crate) app: AppNumber,
    hash: [u8; 32],
}

impl OwnerKey {
    /// Of a provider's token; [`PushProvider::Unspecified`] for one of our own.
    pub(crate) fn new(app: AppNumber, provider: PushProvider, token: &str) -> Self {
        let code = u32::try_from(provider as i32).unwrap_or_default();
        Self { app, hash: Sha256::new().chain_update(code.to_be_bytes()).chain_update(token).finalize().into() }
    }
}

impl Key for OwnerKey {
    const TABLE: Table = tables::PUSH_OWNER;
    type Record = store::PushOwner;
    fn home(&self) -> Home {
        tables::outbound(self.app, Outbound::Token, &self.hash)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// What many can be called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelKey<'a> {
    /// Of users.
    Tag(&'a str),
    /// Of users and of devices.
    Alias(&'a str),
}

impl LabelKey<'_> {
    pub(crate) fn home(&self, app: AppNumber) -> Home {
        let (of, name) = match self {
            Self::Tag(name) => (Outbound::Tag, name),
            Self::Alias(name) => (Outbound::Alias, name),
        };
        tables::outbound(app, of, &Sha256::digest(name))
    }
}

/// That a user or a device may carry a label.
///
/// home: the label.  rest: user id as u64, then the device's name, which is empty for the user.  value: `store.PushLabelled`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LabelledKey<'a> {
    pub(crate) app: AppNumber,
    pub(crate) label: LabelKey<'a>,
    pub(crate) user: UserId,
    pub(crate) device: &'a str,
}

impl Key for LabelledKey<'_> {
    const TABLE: Table = tables::PUSH_LABELLED;
    type Record = store::PushLabelled;
    fn home(&self) -> Home {
        self.label.home(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.user.0).bytes(self.device.as_bytes());
    }
}

/// How many homes the users with devices are spread over.
pub(crate) const REACHES: u8 = 16;

/// That a user has had devices.
///
/// home: one of [`REACHES`], by the user id.  rest: user id as u64.  value: `store.PushReached`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReachedKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
}

impl Key for ReachedKey {
    const TABLE: Table = tables::PUSH_REACHED;
    type Record = store::PushReached;
    fn home(&self) -> Home {
        reach(self.app, u8::try_from(self.user.0 % u64::from(REACHES)).unwrap_or_default())
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.user.0);
    }
}

/// One of the homes that the users with devices are spread over.
pub(crate) fn reach(app: AppNumber, number: u8) -> Home {
    tables::outbound(app, Outbound::Reach, &[number])
}

/// What a provider knows of an app.
///
/// home: the app's pushes.  rest: the channel's name.  value: `store.PushChannel`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChannelKey<'a> {
    pub(crate) app: AppNumber,
    pub(crate) name: &'a str,
}

impl Key for ChannelKey<'_> {
    const TABLE: Table = tables::PUSH_CHANNEL;
    type Record = store::PushChannel;
    fn home(&self) -> Home {
        pushes(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.bytes(self.name.as_bytes());
    }
}

/// A notice on its way to many.
///
/// home: the app's pushes.  rest: its id as u64.  value: `store.PushTask`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TaskKey {
    pub(crate) app: AppNumber,
    pub(crate) task: u64,
}

impl Key for TaskKey {
    const TABLE: Table = tables::PUSH_TASK;
    type Record = store::PushTask;
    fn home(&self) -> Home {
        pushes(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.task);
    }
}

/// A task that waits for its time.
///
/// home: the app's pushes.  rest: when it is due as u64, then its id as u64.  value: `store.PushQueued`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueuedKey {
    pub(crate) app: AppNumber,
    pub(crate) due: i64,
    pub(crate) task: u64,
}

impl Key for QueuedKey {
    const TABLE: Table = tables::PUSH_QUEUED;
    type Record = store::PushQueued;
    fn home(&self) -> Home {
        pushes(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(u64::try_from(self.due).unwrap_or_default()).u64(self.task);
    }
}

/// The home of an app's channels and tasks.
pub(crate) fn pushes(app: AppNumber) -> Home {
    tables::outbound(app, Outbound::Pushes, &[])
}

/// Which task a request id was used for.
///
/// home: the request id, hashed.  rest: empty.  value: `store.PushRequest`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestKey {
    app: AppNumber,
    hash: [u8; 32],
}

impl RequestKey {
    pub(crate) fn new(app: AppNumber, request: &str) -> Self {
        Self { app, hash: Sha256::digest(request).into() }
    }
}

impl Key for RequestKey {
    const TABLE: Table = tables::PUSH_REQUEST;
    type Record = store::PushRequest;
    fn home(&self) -> Home {
        tables::outbound(self.app, Outbound::Request, &self.hash)
    }
    fn rest(&self, _out: &mut Rest) {}
}
