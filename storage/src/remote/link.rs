//! One connection to the owner of the store, kept up: calls go in, answers come out, in whatever order.
//!
//! Reads that were under way when the connection broke are asked again; commits are not, since the owner may have them already.
//! Calls that were never sent wait for the next connection. Nothing waits longer than its deadline.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use proto::frame::{self, Decoder};
use proto::store as pb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::{RemoteConfig, wire};
use crate::bus::Hub;
use crate::{Error, Result, metrics};

/// How exactly deadlines are kept.
const TICK: Duration = Duration::from_millis(50);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Bytes handed to the socket at a time; more stay in the queue.
const OUT_BYTES: usize = 1 << 20;
const IN_BYTES: usize = 64 << 10;

pub(crate) type Answer = pb::response::Result;
type Reply = oneshot::Sender<Result<Answer>>;

/// The near end. The connection is given up when it is dropped and everything has been answered.
#[derive(Debug)]
pub(crate) struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: RemoteConfig,
    state: Mutex<State>,
    wake: Notify,
    connected: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Call>,
    // Of all calls without an answer, whether still queued or sent.
    calls: usize,
    bytes: usize,
    last_id: u64,
    closed: bool,
}

#[derive(Debug)]
struct Call {
    id: u64,
    frame: Bytes,
    reply: Option<Reply>,
    deadline: Instant,
    repeatable: bool,
}

impl Link {
    /// Connects in the background. What is published goes to `hub`, if there is one.
    pub(crate) fn connect(config: &RemoteConfig, hub: Option<Arc<Hub>>) -> Self {
        let shared = Arc::new(Shared {
            config: config.clone(),
            state: Mutex::default(),
            wake: Notify::new(),
            connected: AtomicBool::new(false),
        });
        let driver = Driver {
            shared: Arc::clone(&shared),
            hub,
            sent: BTreeMap::new(),
            out: BytesMut::new(),
            subscribing: 0,
            pause: FIRST_PAUSE,
        };
        tokio::spawn(driver.run());
        Self(shared)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.0.connected.load(Ordering::Acquire)
    }

    /// Queues a call during this call, so that calls are sent in the order in which they were made.
    pub(crate) fn call(&self, call: pb::request::Call, timeout: Duration) -> Result<oneshot::Receiver<Result<Answer>>> {
        use pb::request::Call as C;
        let repeatable = matches!(call, C::GetMany(_) | C::Scan(_));
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + timeout;
        self.0.push(call, |id, frame| Call { id, frame, reply: Some(reply), deadline, repeatable })?;
        Ok(answer)
    }

    /// Sends something that nobody waits for; false if it was dropped.
    pub(crate) fn post(&self, call: pb::request::Call) -> bool {
        let deadline = Instant::now() + self.0.config.timeout;
        let make = |_, frame| Call { id: 0, frame, reply: None, deadline, repeatable: false };
        self.is_connected() && self.0.push(call, make).is_ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn push(&self, call: pb::request::Call, make: impl FnOnce(u64, Bytes) -> Call) -> Result<()> {
        let wanted = !matches!(call, pb::request::Call::Publish(_));
        let mut request = pb::Request { id: 0, call: Some(call) };
        let mut state = self.state.lock();
        if wanted {
            state.last_id += 1;
            request.id = state.last_id;
        }
        let frame = frame::encode_to_bytes(&request);
        if frame.len() > self.config.frame_limit.bytes() {
            return Err(wire::refused(format!("a call of {} bytes is longer than the frame limit", frame.len())));
        }
        let too_many = state.calls >= self.config.queue_calls;
        let too_much = state.calls > 0 && state.bytes + frame.len() > self.config.queue_bytes.bytes();
        if too_many || too_much {
            return Err(Error::Overloaded);
        }
        state.calls += 1;
        state.bytes += frame.len();
        state.queue.push_back(make(request.id, frame));
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    fn answer(&self, call: Call, answer: Result<Answer>) {
        let mut state = self.state.lock();
        state.calls -= 1;
        state.bytes -= call.frame.len();
        drop(state);
        if let Some(reply) = call.reply {
            // Nobody may be waiting any more, which changes nothing.
            let _ = reply.send(answer);
        }
    }

    fn is_closed(&self) -> bool {
        let state = self.state.lock();
        state.closed && state.calls == 0
    }
}

/// The task behind a link.
struct Driver {
    shared: Arc<Shared>,
    hub: Option<Arc<Hub>>,
    sent: BTreeMap<u64, Call>,
    out: BytesMut,
    subscribing: u64,
    pause: Duration,
}

impl Driver {
    async fn run(mut self) {
        while !self.shared.is_closed() {
            match UnixStream::connect(&self.shared.config.socket).await {
                Ok(stream) => {
                    self.set_connected(true);
                    let ended = self.talk(stream).await;
                    self.set_connected(false);
                    self.give_up_sent();
                    if let Err(reason) = ended {
                        tracing::warn!(socket = %self.shared.config.socket.display(), reason, "lost the owner of the store");
                    }
                }
                Err(error) => tracing::debug!(%error, "the owner of the store is away"),
            }
            self.rest().await;
        }
    }

    fn set_connected(&self, connected: bool) {
        self.shared.connected.store(connected, Ordering::Release);
        metrics::remote_connected(connected);
    }

    /// Waits before the next attempt, each time longer until the owner has answered something.
    async fn rest(&mut self) {
        let until = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(self.shared.config.reconnect_pause);
        while Instant::now() < until && !self.shared.is_closed() {
            tokio::time::sleep_until(until.min(Instant::now() + TICK)).await;
            self.expire();
        }
    }

    /// Sends and receives until the connection breaks (an error) or nobody needs it any more.
    async fn talk(&mut self, stream: UnixStream) -> std::result::Result<(), String> {
        let (mut reader, mut writer) = stream.into_split();
        let mut decoder = Decoder::new(self.shared.config.frame_limit.bytes());
        let mut input = BytesMut::with_capacity(IN_BYTES);
        let mut tick = tokio::time::interval(TICK);
        self.greet();
        while !self.shared.is_closed() {
            self.fill();
            tokio::select! {
                read = reader.read_buf(&mut input) => {
                    if read.map_err(|error| error.to_string())? == 0 {
                        return Err("the owner closed the connection".into());
                    }
                    decoder.feed(&input);
                    input.clear();
                    while let Some(response) = decoder.next_message().map_err(|error| error.to_string())? {
                        self.handle(response);
                    }
                }
                written = writer.write(&self.out), if !self.out.is_empty() => {
                    let written = written.map_err(|error| error.to_string())?;
                    self.out.advance(written);
                }
                () = self.shared.wake.notified() => {}
                _ = tick.tick() => self.expire(),
            }
        }
        Ok(())
    }

    /// What a new connection begins with: the subscription, and the reads that the last one did not answer.
    fn greet(&mut self) {
        self.out.clear();
        if self.hub.is_some() {
            let mut state = self.shared.state.lock();
            state.last_id += 1;
            self.subscribing = state.last_id;
            drop(state);
            let call = Some(pb::request::Call::Subscribe(pb::Subscribe {}));
            frame::encode(&pb::Request { id: self.subscribing, call }, &mut self.out);
        }
        for call in self.sent.values() {
            self.out.extend_from_slice(&call.frame);
        }
    }

    /// Moves calls from the queue to the socket's buffer.
    fn fill(&mut self) {
        while self.out.len() < OUT_BYTES {
            let Some(call) = self.shared.state.lock().queue.pop_front() else { return };
            self.out.extend_from_slice(&call.frame);
            if call.reply.is_some() {
                self.sent.insert(call.id, call);
            } else {
                self.shared.answer(call, Ok(done()));
            }
        }
    }

    fn handle(&mut self, response: pb::Response) {
        self.pause = FIRST_PAUSE;
        if !self.shared.connected.load(Ordering::Relaxed) {
            self.set_connected(true);
        }
        let Some(result) = response.result else { return };
        match (&self.hub, result) {
            (Some(hub), Answer::Published(payload)) if response.id == 0 => hub.publish(&payload),
            // From here on nothing is missed; what was published before may have been.
            (Some(hub), Answer::Done(_)) if response.id == self.subscribing => hub.lose(0),
            (Some(hub), Answer::Failure(_)) if response.id == 0 => hub.lose(0),
            (_, result) => {
                // An answer to a call that has run out of time is nobody's.
                if let Some(call) = self.sent.remove(&response.id) {
                    let answer = match result {
                        Answer::Failure(failure) => Err(wire::error(failure)),
                        result => Ok(result),
                    };
                    self.shared.answer(call, answer);
                }
            }
        }
    }

    /// Answers the calls whose outcome went down with the connection; reads stay, to be asked again.
    fn give_up_sent(&mut self) {
        let (again, lost): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.sent).into_iter().partition(|(_, call)| call.repeatable);
        self.sent = again;
        metrics::remote_failed(lost.len());
        for call in lost.into_values() {
            let lost = "the connection to the owner of the store broke: whether the call took effect is unknown";
            self.shared.answer(call, Err(Error::Unavailable(lost.into())));
        }
    }

    /// Answers the calls that have run out of time.
    fn expire(&mut self) {
        let now = Instant::now();
        let mut late: Vec<Call> =
            self.sent.extract_if(.., |_, call| call.deadline <= now).map(|(_, call)| call).collect();
        if !late.is_empty() {
            // The owner hangs, as far as anyone can tell; its next answer proves otherwise.
            self.set_connected(false);
        }
        let mut state = self.shared.state.lock();
        if state.queue.iter().any(|call| call.deadline <= now) {
            let (queued_late, queued): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(&mut state.queue).into_iter().partition(|call| call.deadline <= now);
            state.queue = queued;
            late.extend(queued_late);
        }
        drop(state);
        metrics::remote_failed(late.len());
        for call in late {
            self.shared.answer(call, Err(Error::Unavailable("the owner of the store did not answer in time".into())));
        }
    }
}

fn done() -> Answer {
    Answer::Done(pb::Done {})
}
