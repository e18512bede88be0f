//! Carries a session's decisions out: one task per client, one loop.
//!
//! It moves bytes, tells the time and waits; every decision is [`Session`]'s. Reading and writing go on side by side, so that two
//! ends that both have much to say never wait for each other. While events wait for the app, nothing is read.

use std::collections::HashMap;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use proto::frame::{self, Decoder};
use proto::wire::frame::Body;
use proto::wire::{Bye, Frame};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

use crate::error::Result;
use crate::event::Event;
use crate::network::Network;
use crate::options::Options;
use crate::outlet::{Listener, Outlet};
use crate::session::{Action, CallId, Session};
use crate::wire::{self, Route, Wire};

/// Bytes gathered for one write.
const WRITE_SIZE: usize = 64 * 1024;
/// Calls taken at once, so that their frames leave in one write.
const COMMAND_BATCH: usize = 64;

/// How long the server may take to hear a goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// Far enough away to stand for never.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// How calls come back.
type Reply = oneshot::Sender<Result<Box<Body>>>;
/// A connection being made. Boxed, because it is large and soon over.
type Connecting = Pin<Box<dyn Future<Output = std::result::Result<Wire, String>> + Send>>;

/// What the handles ask of the driver.
pub(crate) enum Command {
    /// A request that is answered.
    Request(Box<Body>, Reply),
    /// Something that is not.
    Notice(Box<Body>),
    /// Answered with `Welcome` once the session is open.
    AwaitLogin(Reply),
    /// The app wants no events, from now on.
    IgnoreEvents,
    /// The app is called with events from now on, first with those that wait.
    Listen(Listener, Option<mpsc::Receiver<Event>>),
    /// The network changed.
    Wake,
    /// The network is to have failed.
    Cut,
    /// The app is done; told when the server knows.
    Close(oneshot::Sender<()>),
}

/// Starts a client's task.
pub(crate) fn spawn(options: &Options, commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) -> Result<()> {
    tokio::spawn(Driver::new(options, commands, events)?.run());
    Ok(())
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

struct Driver {
    session: Session,
    network: Network,
    route: Route,
    commands: mpsc::Receiver<Command>,
    events: Outlet,
    calls: HashMap<CallId, Reply>,
    next_call: CallId,
    wire: Option<Wire>,
    connecting: Option<Connecting>,
    decoder: Decoder,
    out: BytesMut,
    /// Whether the app was ever seen to be behind; told once.
    lagged: bool,
    finished: bool,
    /// The connection to say goodbye on, and what is still to be written to it.
    leaving: Option<(Wire, BytesMut)>,
    /// Who waits for the end.
    closers: Vec<oneshot::Sender<()>>,
}

impl Driver {
    fn new(options: &Options, commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) -> Result<Self> {
        let network = match &options.network {
            Some(network) => network.clone(),
            None => Network::new(&options.trust)?,
        };
        Ok(Self {
            session: Session::new(now(), options.session(), &options.cursors),
            network,
            route: Route::new(options)?,
            commands,
            events: Outlet::Queue(events),
            calls: HashMap::new(),
            next_call: 0,
            wire: None,
            connecting: None,
            decoder: Decoder::new(0),
            out: BytesMut::new(),
            lagged: false,
            finished: false,
            leaving: None,
            closers: Vec::new(),
        })
    }

    async fn run(mut self) {
        let mut alarm = Alarm::new();
        let mut app_listens = true;
        loop {
            self.carry_out();
            if self.finished {
                break;
            }
            self.gather();
            if let Err(error) = self.write_now().await {
                self.lose(&error.to_string());
                continue;
            }
            alarm.set(self.session.poll_timeout());
            let behind = self.session.has_events();
            self.session.handle_reading(now(), !behind);
            let (reader, writer) = match &mut self.wire {
                Some(wire) => (Some(&mut wire.reader), Some(&mut wire.writer)),
                None => (None, None),
            };
            tokio::select! {
                read = wire::read(reader, &mut self.decoder), if !behind => self.handle_read(read),
                wrote = wire::write(writer, &mut self.out) => {
                    if let Err(error) = wrote {
                        self.lose(&error.to_string());
                    }
                }
                command = self.commands.recv(), if self.session.has_room() => {
                    if !self.calls.is_empty() {
                        // Where answers came together, those who waited for them may all be about to ask for more.
                        let_others_run().await;
                    }
                    self.handle_command(command);
                }
                room = self.events.has_room(), if behind && app_listens => app_listens = room,
                connected = connected(&mut self.connecting) => {
                    self.connecting = None;
                    self.handle_connected(connected);
                }
                () = alarm.wait() => self.session.handle_timeout(now()),
            }
        }
        self.finish().await;
    }

    /// Hands out replies and events, and does what the session decided.
    fn carry_out(&mut self) {
        while let Some((call, answer)) = self.session.poll_reply() {
            if let Some(reply) = self.calls.remove(&call) {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(answer);
            }
        }
        while self.session.has_events() {
            if !self.events.offer(|| self.session.poll_event()) {
                if !self.lagged {
                    self.lagged = true;
                    tracing::warn!("the app does not take its events: the client stops reading until it does");
                }
                break;
            }
        }
        while let Some(action) = self.session.poll_action() {
            match action {
                Action::Connect => {
                    let (network, route) = (self.network.clone(), self.route.clone());
                    self.connecting = Some(Box::pin(async move { wire::connect(&network, &route).await }));
                }
                Action::Disconnect => {
                    // Whatever the session still had to say about it, such as a last acknowledgement, is in `out` and lost.
                    self.wire = None;
                    self.connecting = None;
                    self.out = BytesMut::new();
                }
                Action::Leave => {
                    let mut out = std::mem::take(&mut self.out);
                    frame::encode(&Frame { id: 0, body: Some(Body::Bye(Bye {})) }, &mut out);
                    self.leaving = self.wire.take().map(|wire| (wire, out));
                }
                Action::Finish => self.finished = true,
            }
        }
    }

    /// Encodes what is to be said, up to one write's worth.
    fn gather(&mut self) {
        if self.wire.is_none() {
            return;
        }
        let now = now();
        while self.out.len() < WRITE_SIZE && self.session.poll_transmit(now, &mut self.out) {}
    }

    /// Writes what the wire takes at once, which is nearly always all. To wait for the rest is the loop's.
    async fn write_now(&mut self) -> std::io::Result<()> {
        let Some(wire) = &mut self.wire else { return Ok(()) };
        let mut write = pin!(wire::write(Some(&mut wire.writer), &mut self.out));
        match poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await {
            Poll::Ready(wrote) => wrote,
            Poll::Pending => Ok(()),
        }
    }

    fn handle_connected(&mut self, connected: std::result::Result<Wire, String>) {
        match connected {
            Ok(wire) => {
                self.wire = Some(wire);
                self.decoder = Decoder::new(self.session.max_frame());
                self.out = BytesMut::new();
                self.session.handle_connected(now());
            }
            Err(reason) => self.session.handle_disconnected(now(), &reason),
        }
    }

    fn handle_read(&mut self, read: std::io::Result<usize>) {
        match read {
            Ok(0) => return self.lose("the server closed the connection"),
            Ok(bytes) => self.network.note_received(bytes),
            Err(error) => return self.lose(&error.to_string()),
        }
        let now = now();
        loop {
            match self.decoder.next_message::<Frame>() {
                Ok(Some(frame)) => self.session.handle_frame(now, frame),
                Ok(None) => break,
                Err(error) => return self.lose(&error.to_string()),
            }
        }
        self.decoder.set_limit(self.session.max_frame());
    }

    /// The connection is gone.
    fn lose(&mut self, reason: &str) {
        self.wire = None;
        self.out = BytesMut::new();
        self.session.handle_disconnected(now(), reason);
    }

    fn handle_command(&mut self, command: Option<Command>) {
        let now = now();
        let Some(command) = command else { return self.session.handle_close() };
        self.take_command(now, command);
        for _ in 1..COMMAND_BATCH {
            if !self.session.has_room() {
                break;
            }
            let Ok(command) = self.commands.try_recv() else { break };
            self.take_command(now, command);
        }
    }

    fn take_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Request(body, reply) => {
                let call = self.note_call(reply);
                self.session.handle_request(now, call, body);
            }
            Command::Notice(body) => self.session.handle_notice(now, *body),
            Command::AwaitLogin(reply) => {
                let call = self.note_call(reply);
                self.session.handle_login_wait(call);
            }
            Command::IgnoreEvents => self.events = Outlet::Nobody,
            Command::Listen(listener, waiting) => self.events.listen(listener, waiting),
            Command::Wake => self.session.handle_wake(now),
            // Without a connection there is none to lose, and an attempt to make one goes on.
            Command::Cut if self.wire.is_some() => self.lose("the connection was cut"),
            Command::Cut => {}
            Command::Close(closer) => {
                self.closers.push(closer);
                self.session.handle_close();
            }
        }
    }

    fn note_call(&mut self, reply: Reply) -> CallId {
        self.next_call += 1;
        self.calls.insert(self.next_call, reply);
        self.next_call
    }

    /// Says goodbye, and tells the app what is left to tell, for as long as it listens.
    async fn finish(&mut self) {
        self.commands.close();
        if let Some((wire, out)) = self.leaving.take() {
            // A server that does not answer finds out by itself, later.
            let _ = tokio::time::timeout(FAREWELL, farewell(wire, out)).await;
        }
        for closer in self.closers.drain(..) {
            let _ = closer.send(());
        }
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Request(_, reply) | Command::AwaitLogin(reply) = command {
                let _ = reply.send(Err(crate::Error::Closed));
            }
        }
        while let Some(event) = self.session.poll_event() {
            if !self.events.hand_over(event).await {
                return;
            }
        }
    }
}

/// Writes the last bytes, and waits until the server has ended the connection: until then they may not have arrived.
async fn farewell(mut wire: Wire, mut out: BytesMut) -> std::io::Result<()> {
    while !out.is_empty() {
        wire::write(Some(&mut wire.writer), &mut out).await?;
    }
    while wire::read(Some(&mut wire.reader), &mut Decoder::new(0)).await? > 0 {}
    Ok(())
}

/// Lets the tasks run that are ready on this thread.
async fn let_others_run() {
    let mut ran = false;
    poll_fn(|context| {
        if std::mem::replace(&mut ran, true) {
            return Poll::Ready(());
        }
        // A task that wakes itself goes behind the others; `yield_now` would also wait until there are none.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn connected(connecting: &mut Option<Connecting>) -> std::result::Result<Wire, String> {
    match connecting {
        Some(connecting) => connecting.await,
        None => pending().await,
    }
}

/// Wakes the driver at the session's deadline.
///
/// A deadline that moves later costs nothing: the alarm goes off early and is set again. An active session's deadline moves with
/// every frame, and the timer would otherwise be the most expensive part of handling one.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    deadline: Option<tokio::time::Instant>,
}

impl Alarm {
    fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(NEVER)), deadline: None }
    }

    fn set(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline.map(tokio::time::Instant::from_std);
        if let Some(deadline) = self.deadline
            && (deadline < self.sleep.deadline() || self.sleep.is_elapsed())
        {
            self.sleep.as_mut().reset(deadline);
        }
    }

    async fn wait(&mut self) {
        loop {
            self.sleep.as_mut().await;
            match self.deadline {
                Some(deadline) if deadline <= tokio::time::Instant::now() => return,
                Some(deadline) => self.sleep.as_mut().reset(deadline),
                None => self.sleep.as_mut().reset(tokio::time::Instant::now() + NEVER),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process may hold tens of thousands of clients, so what each costs at rest is a budget.
    #[tokio::test]
    async fn an_idle_client_is_small() {
        let options = Options::new("127.0.0.1:1", "token");
        let (_commands, commands) = mpsc::channel(1);
        let (events, _events) = mpsc::channel(1);
        let driver = Driver::new(&options, commands, events).unwrap();
        let task = driver.run();
        let size = std::mem::size_of_val(&task);
        assert!(size <= 4096, "{size} bytes");
    }

    #[tokio::test]
    async fn who_is_about_to_ask_does_so_first() {
        let (order, mut came) = mpsc::channel(2);
        let asks = order.clone();
        tokio::spawn(async move {
            let_others_run().await;
            order.send("writes").await.unwrap();
        });
        tokio::spawn(async move { asks.send("asks").await.unwrap() });
        assert_eq!((came.recv().await, came.recv().await), (Some("asks"), Some("writes")));
    }
}
