//! The handle that an app holds. The calls by topic are in the modules of their nouns.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use proto::wire::FindUsers;
use proto::wire::frame::Body;
use tokio::sync::{mpsc, oneshot};

use crate::driver::{self, Command};
use crate::error::{Error, Result};
use crate::event::{Cursor, Event};
use crate::network::Network;
use crate::options::Options;
use crate::outlet::{Cursors, Events, Queue};

/// Uids remembered with their user ids.
const MAX_REMEMBERED_UIDS: usize = 1024;
/// Calls on their way to the driver.
const COMMAND_QUEUE: usize = 32;

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The user id.
    pub user: u64,
    /// The app's own id of the user; the decimal user id where there is none.
    pub uid: String,
}

/// A device of one user, connected as long as this lives.
///
/// It connects, logs in, synchronises and reconnects by itself. Clones are the same client; it ends with [`close`](Self::close),
/// or when the last clone and the last [`Events`] are dropped. Every method may be called at any time, also while there is no
/// connection: it then waits for one, within its timeout.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    commands: mpsc::Sender<Command>,
    pub(crate) events: Queue,
    /// What the app has taken.
    pub(crate) cursors: Arc<Cursors>,
    me: OnceLock<Me>,
    uids: Mutex<HashMap<String, u64>>,
    network: Network,
    /// Address of the REST service.
    files: Option<String>,
}

/// Asks something and takes the one kind of answer that fits.
macro_rules! answer {
    ($client:expr, $body:expr, $kind:ident) => {
        match $client.ask($body).await? {
            proto::wire::frame::Body::$kind(answer) => answer,
            _ => return Err(crate::error::Error::Protocol(concat!("not a ", stringify!($kind)).to_owned())),
        }
    };
}

impl Client {
    /// Connects and logs in. Answers once the session is open; synchronisation goes on behind it.
    ///
    /// Fails when the server refuses the token, or when there is no session within [`Options::login_timeout`].
    pub async fn connect(options: Options) -> Result<Self> {
        let timeout = options.login_timeout;
        let client = Self::start(options)?;
        match tokio::time::timeout(timeout, client.me()).await {
            Ok(Ok(_)) => Ok(client),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let reason = client.last_failure();
                client.close().await;
                Err(Error::Connect(reason))
            }
        }
    }

    /// Starts connecting and returns at once, for an app that may be started without a network.
    ///
    /// Must be called within a tokio runtime.
    pub fn start(options: Options) -> Result<Self> {
        options.check()?;
        let network = options.network.clone().map_or_else(|| Network::new(&options.trust), Ok)?;
        let options = Options { network: Some(network.clone()), ..options };
        let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
        let (event_queue, events) = mpsc::channel(options.limits.event_queue);
        let cursors = Arc::new(Cursors::new(&options.cursors));
        driver::spawn(&options, command_queue, event_queue)?;
        let shared = Shared {
            commands,
            events: Queue::new(Some(events)),
            cursors,
            me: OnceLock::new(),
            uids: Mutex::default(),
            network,
            files: options.files,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What happens, in order. All handles share one stream: each event goes to one of them.
    #[must_use]
    pub fn events(&self) -> Events {
        Events { client: self.clone() }
    }

    /// Has `listener` called with what happens, in order, from now on: first with the events that wait, and instead of
    /// [`events`](Self::events). A later listener takes the place of an earlier one.
    ///
    /// It is called on the client's own task, which spares an app of very many clients a queue and a task for each. While it works,
    /// this client does nothing else, so it must not block; and the client lives on while its listener holds a clone of it, until
    /// [`close`](Self::close). Waits for whoever is waiting in [`Events::next`].
    pub async fn listen(&self, mut listener: impl FnMut(Event) + Send + 'static) -> Result<()> {
        let waiting = self.shared.events.lock().await.take();
        let cursors = Arc::clone(&self.shared.cursors);
        let listener = Box::new(move |event| {
            cursors.note(&event);
            listener(event);
        });
        self.command(Command::Listen(listener, waiting)).await
    }

    /// Wants no events, from now on: for an app that only sends or asks. Without this, events that nobody takes fill their queue,
    /// and the client stops reading, answers included.
    pub async fn ignore_events(&self) -> Result<()> {
        self.command(Command::IgnoreEvents).await
    }

    /// Who the caller is. Waits for the first login.
    pub async fn me(&self) -> Result<Me> {
        if let Some(me) = self.shared.me.get() {
            return Ok(me.clone());
        }
        let (reply, answer) = oneshot::channel();
        self.command(Command::AwaitLogin(reply)).await?;
        match *answer.await.unwrap_or(Err(Error::Closed))? {
            Body::Welcome(welcome) => {
                let me = Me { user: welcome.user, uid: welcome.uid };
                Ok(self.shared.me.get_or_init(|| me).clone())
            }
            _ => Err(Error::Protocol("a login was not answered with Welcome".to_owned())),
        }
    }

    /// How far the app has got in each conversation: the entries that it took from [`events`](Self::events).
    ///
    /// Kept by the app and given back as [`Options::cursors`], they spare the next run what is had already.
    #[must_use]
    pub fn cursors(&self) -> Vec<Cursor> {
        self.shared.cursors.all()
    }

    /// Tells that the network may have changed: connects at once instead of waiting, or finds out whether the connection still works.
    pub async fn wake(&self) -> Result<()> {
        self.command(Command::Wake).await
    }

    /// Loses the connection, as if the network had: without a word to the server, and the client comes back as it would then.
    ///
    /// For tests and load generators. The socket is closed, so a server on a living machine learns of it at once.
    pub async fn cut(&self) -> Result<()> {
        self.command(Command::Cut).await
    }

    /// Ends the session and tells the server, so that others see the user gone at once; returns when that is done, within a second.
    /// What is unanswered fails with [`Error::Closed`]; the last event is [`Event::Closed`].
    pub async fn close(&self) {
        let (closed, wait) = oneshot::channel();
        // A client that is closed already has nobody to tell.
        if self.command(Command::Close(closed)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// The user id behind one of the app's own ids.
    pub(crate) async fn user_id(&self, uid: &str) -> Result<u64> {
        let known = self.shared.uids.lock().get(uid).copied();
        if let Some(user) = known {
            return Ok(user);
        }
        let find = FindUsers { ids: Vec::new(), uids: vec![uid.to_owned()] };
        let list = answer!(self, Body::FindUsers(find), UserList);
        let user = list.users.first().ok_or_else(|| Error::NotFound(format!("user {uid}")))?.id;
        let mut uids = self.shared.uids.lock();
        if uids.len() >= MAX_REMEMBERED_UIDS {
            uids.clear();
        }
        uids.insert(uid.to_owned(), user);
        Ok(user)
    }

    pub(crate) fn network(&self) -> &Network {
        &self.shared.network
    }

    /// Address of the REST service.
    pub(crate) fn files(&self) -> Option<&str> {
        self.shared.files.as_deref()
    }

    /// Asks something, to be answered later.
    pub(crate) async fn submit_request(&self, body: Body) -> Result<oneshot::Receiver<Result<Box<Body>>>> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Request(Box::new(body), reply)).await?;
        Ok(answer)
    }

    /// Asks something and waits for the answer.
    pub(crate) async fn ask(&self, body: Body) -> Result<Body> {
        self.submit_request(body).await?.await.unwrap_or(Err(Error::Closed)).map(|body| *body)
    }

    /// Asks for something that is answered with `Ok`.
    pub(crate) async fn ask_ok(&self, body: Body) -> Result<()> {
        answer!(self, body, Ok);
        Ok(())
    }

    /// Says something that needs no answer.
    pub(crate) async fn notice(&self, body: Body) -> Result<()> {
        self.command(Command::Notice(Box::new(body))).await
    }

    async fn command(&self, command: Command) -> Result<()> {
        self.shared.commands.send(command).await.map_err(|_| Error::Closed)
    }

    /// Why there is no connection, from the events that nobody has taken.
    fn last_failure(&self) -> String {
        let mut reason = "no session in time".to_owned();
        if let Ok(mut events) = self.shared.events.try_lock()
            && let Some(events) = events.as_mut()
        {
            while let Ok(event) = events.try_recv() {
                if let Event::Disconnected { reason: last, .. } = event {
                    reason = last;
                }
            }
        }
        reason
    }
}
