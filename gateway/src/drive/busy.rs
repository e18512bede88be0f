//! What is under way on a connection: messages on their way to their places in the order, and everything else.
//!
//! Messages get their places in the order in which the client sent them. Where the store is remote, what each of them may do is asked
//! there at the same time as for those before it; then it waits for its turn. Where the store answers at once, there is never one that
//! waits, and a message costs no more than its own work.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use domain::messages::{Chain, Outgoing, Submitted};
use domain::{Caller, Error};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::Done;
use crate::Hub;
use crate::gateway::Shared;
use crate::session::Reply;

/// Messages of one connection that are on their way to their places at once. Each is a few KiB meanwhile.
const ABREAST: usize = 16;

/// See the module.
#[derive(Default)]
pub(super) struct Busy {
    /// Messages that nothing has been done about.
    sends: VecDeque<Unsent>,
    /// Until when the user may not send.
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether a message has its turn.
    placing: bool,
    /// How those hear that it is their turn that are behind that message, in their order.
    line: VecDeque<oneshot::Sender<()>>,
    running: FuturesUnordered<Running>,
}

/// A message with its key, its sender, and what it must not overtake.
pub(super) type Unsent = (u32, Caller, Box<Outgoing>, Chain);

/// Something that is being done.
enum Running {
    /// A message is on its way to its place in the order.
    Submit(BoxFuture<'static, Placed>),
    /// A message waits to be durable. There are more of these than of anything else, so they do without a box.
    Send {
        key: u32,
        since: Instant,
        submitted: Submitted,
    },
    Other(BoxFuture<'static, Done>),
}

/// Which message has its place in the order, since when it was tried, and how to wait for the rest.
type Placed = (u32, Instant, Result<Submitted, Error>);

enum Step {
    Placed(Placed),
    Done(Done),
}

impl Busy {
    /// Takes a message, to be sent behind those that were taken before.
    pub(super) fn send(&mut self, send: Unsent) {
        self.sends.push_back(send);
    }

    pub(super) fn run(&mut self, work: BoxFuture<'static, Done>) {
        self.running.push(Running::Other(work));
    }

    /// The next thing that is done; `None` when nothing is under way.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, shared: &Arc<Shared>) -> Poll<Option<Done>> {
        loop {
            if let Some(done) = self.begin(cx, shared) {
                return Poll::Ready(Some(done));
            }
            match self.running.poll_next_unpin(cx) {
                Poll::Ready(Some(Step::Placed(placed))) => {
                    self.pass_turn();
                    if let Some(done) = self.await_durable(placed) {
                        return Poll::Ready(Some(done));
                    }
                }
                Poll::Ready(Some(Step::Done(done))) => return Poll::Ready(Some(done)),
                Poll::Ready(None) if self.sends.is_empty() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Begins with as many messages as may be on their way at once. The first is done with at once where nothing has to be waited for;
    /// if it is refused, that is what is answered.
    fn begin(&mut self, cx: &mut Context<'_>, shared: &Arc<Shared>) -> Option<Done> {
        while self.line.len() + 1 < ABREAST {
            let since = self.may_send(cx, &shared.hub)?;
            let send = self.sends.pop_front()?;
            if self.placing {
                let (give, turn) = oneshot::channel();
                self.line.push_back(give);
                self.running.push(Running::Submit(submit(shared, since, send, Some(turn))));
                continue;
            }
            let mut work = submit(shared, since, send, None);
            match work.as_mut().poll(cx) {
                Poll::Ready(placed) => {
                    if let Some(done) = self.await_durable(placed) {
                        return Some(done);
                    }
                }
                Poll::Pending => {
                    self.placing = true;
                    self.running.push(Running::Submit(work));
                }
            }
        }
        None
    }

    /// Since when the next message is tried: now, unless there is none, or its user has to wait.
    ///
    /// The connection's later messages wait behind, and once enough do, nothing more is read. Refusing some instead would let those
    /// that come after the pause overtake those that the client sends again.
    fn may_send(&mut self, cx: &mut Context<'_>, hub: &Hub) -> Option<Instant> {
        let (_, caller, ..) = self.sends.front()?;
        let user = (caller.app(), caller.user().unwrap_or_default());
        loop {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(cx).is_pending() {
                    return None;
                }
                self.pause = None;
            }
            let now = Instant::now();
            match hub.take_send(now, &user) {
                Ok(()) => return Some(now),
                Err(wait) => self.pause = Some(Box::pin(tokio::time::sleep(wait))),
            }
        }
    }

    /// The message whose turn it was has its answer.
    fn pass_turn(&mut self) {
        match self.line.pop_front() {
            // Who waits is in `running`, as long as this is.
            Some(next) => {
                let _ = next.send(());
            }
            None => self.placing = false,
        }
    }

    /// Waits for a message to be durable that has its place. If it has none, that is what is answered.
    fn await_durable(&mut self, (key, since, outcome): Placed) -> Option<Done> {
        match outcome {
            Ok(submitted) => {
                self.running.push(Running::Send { key, since, submitted });
                None
            }
            Err(error) => Some(Done::Replied(Reply::Sent { key, outcome: Err(error) })),
        }
    }
}

/// Takes a message to its place, once it is its turn; without one, it is.
fn submit(
    shared: &Arc<Shared>,
    since: Instant,
    (key, caller, message, chain): Unsent,
    turn: Option<oneshot::Receiver<()>>,
) -> BoxFuture<'static, Placed> {
    let shared = Arc::clone(shared);
    Box::pin(async move {
        let turn = async {
            // Nobody gives a turn any more when the connection ends, and this with it.
            if let Some(turn) = turn
                && turn.await.is_err()
            {
                std::future::pending::<()>().await;
            }
        };
        (key, since, shared.domain.messages.submit_in_turn(&caller, message, &chain, turn).await)
    })
}

impl Future for Running {
    type Output = Step;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        match self.get_mut() {
            Self::Submit(work) => work.as_mut().poll(cx).map(Step::Placed),
            Self::Send { key, since, submitted } => Pin::new(submitted)
                .poll(cx)
                .map(|outcome| Step::Done(Done::Sent(*since, Reply::Sent { key: *key, outcome }))),
            Self::Other(work) => work.as_mut().poll(cx).map(Step::Done),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::apps::NewApp;
    use domain::tokens::Issue;
    use domain::users::NewUser;
    use domain::{Clock, ConversationId, Domain, Millis, Outlet, UserId, entry};
    use parking_lot::Mutex;
    use storage::Store;

    use super::*;
    use crate::Config;

    const MESSAGES: u32 = 40;

    /// Reads of contacts, which wait until their time has passed.
    type Waiting = Arc<Mutex<Vec<oneshot::Sender<()>>>>;

    fn hold(store: &Store) -> Waiting {
        let waiting = Waiting::default();
        let asked = Arc::clone(&waiting);
        store.hold_reads(move |table| {
            if table.name != "contact" {
                return Box::pin(async { Ok(()) });
            }
            let (answer, answered) = oneshot::channel();
            asked.lock().push(answer);
            Box::pin(async move {
                answered.await.unwrap();
                Ok(())
            })
        });
        waiting
    }

    async fn user(domain: &Domain, server: &Caller, uid: &str) -> Caller {
        let new = NewUser { uid: Some(uid.into()), ..NewUser::default() };
        let user = domain.users.create(server, new).await.unwrap();
        let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
        let token = domain.tokens.issue(server, UserId(user.id), issue).await.unwrap();
        domain.tokens.authenticate(&token.text).await.unwrap()
    }

    fn message(conversation: ConversationId, name: String) -> Outgoing {
        let kind = Some(entry::content::Kind::Text(entry::Text { text: name.clone() }));
        let content = entry::Content { kind, ..entry::Content::default() };
        Outgoing { conversation, client_msg_id: name, content, online_only: false }
    }

    /// Every read takes a while, in which the last to be asked is answered first. Sixteen messages take one while, and not sixteen.
    #[tokio::test]
    async fn messages_are_looked_at_together_and_placed_in_order() {
        let (clock, hub) = (Clock::manual(Millis(1_700_000_000_000)), Hub::new(Config::default()));
        let store = Store::memory(clock.clone());
        let outlet = Outlet::Here(hub.clone());
        let domain = Domain::open(store.clone(), clock.clone(), outlet, domain::Config::default()).await.unwrap();
        let app = domain.apps.create(NewApp::default()).await.unwrap().app;
        let server = domain.apps.operator(domain::AppNumber(app.number)).await.unwrap();
        let (alice, bob) = (user(&domain, &server, "alice").await, user(&domain, &server, "bob").await);
        let conversation = ConversationId::direct(alice.user().unwrap(), bob.user().unwrap());
        domain.messages.send(&alice, message(conversation, "first".to_owned())).await.unwrap();

        let waiting = hold(&store);
        let shared = Arc::new(Shared::new(domain, hub, clock));
        let (mut busy, chain) = (Busy::default(), Chain::default());
        for key in 0..MESSAGES {
            let message = Box::new(message(conversation, format!("message {key}")));
            busy.send((key, alice.clone(), message, chain.clone()));
        }
        let (mut asked, mut sent, mut idle) = (Vec::new(), Vec::new(), 0);
        loop {
            match std::future::poll_fn(|cx| Poll::Ready(busy.poll(cx, &shared))).await {
                Poll::Ready(Some(Done::Sent(_, Reply::Sent { key, outcome }))) => {
                    sent.push((key, outcome.unwrap().seq.0));
                    idle = 0;
                }
                Poll::Ready(Some(_)) => panic!("something else was done"),
                Poll::Ready(None) => break,
                // What the messages wait for is done by other tasks, and only when nothing else can happen does time pass.
                Poll::Pending if idle < 20 => {
                    idle += 1;
                    tokio::task::yield_now().await;
                }
                Poll::Pending => {
                    let reads = std::mem::take(&mut *waiting.lock());
                    assert!(!reads.is_empty(), "nothing happens any more");
                    asked.push(reads.len());
                    reads.into_iter().rev().for_each(|read| read.send(()).unwrap());
                    idle = 0;
                }
            }
        }
        assert_eq!(asked, [ABREAST, ABREAST, MESSAGES as usize - 2 * ABREAST]);
        sent.sort_unstable();
        assert!(sent.iter().copied().eq((0..MESSAGES).map(|key| (key, u64::from(key) + 2))), "{sent:?}");
    }
}
