//! Makes the calls that sessions ask for: one domain call each, and its answer in the wire's words.
//!
//! Messages and conversations are here; each other noun has a module of its own.

mod board;
mod files;
mod groups;
mod joining;
mod push;
mod roster;
mod users;

use std::collections::HashMap;
use std::sync::Arc;

use domain::conversations::{Have, Page};
use domain::messages::HistoryRange;
use domain::{Caller, ConversationId, Domain, Error, GroupRef, UserId, UserRef, record};
use proto::wire;
use wire::frame::Body;

use crate::answer;
use crate::registry::{Arrival, Hub, Slot};
use crate::session::{Identity, Login, PageOf, Request};

/// Entries read at once for a page.
const STEP: usize = 100;

/// What a call needs besides its request.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) domain: Domain,
    pub(crate) hub: Arc<Hub>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) caller: Caller,
}

/// Who logs in, and what keeps this gateway listening until that is done.
pub(crate) type Authenticated = (Box<Identity>, Option<Arrival>);

/// Whom a token belongs to, to whom this gateway listens from then on.
pub(crate) async fn authenticate(
    domain: Domain,
    hub: Arc<Hub>,
    slot: Arc<Slot>,
    login: Login,
) -> Result<Authenticated, Error> {
    let (caller, record) = domain.tokens.authenticate_user(&login.token).await?;
    let user = UserId(record.id);
    // A token that was issued for a platform decides what the device counts as, whatever the device says.
    let platform = match caller.platform() {
        0 => login.platform,
        platform => i32::try_from(platform).unwrap_or_default(),
    };
    let mut arrival = hub.expect(&domain, &caller).await?;
    let identity = Identity {
        caller,
        user,
        uid: domain::users::uid_of(&record).into(),
        generation: record.token_generation,
        session: slot.id,
        device_id: login.device_id,
        platform,
        client: login.client,
    };
    if let Some(arrival) = &mut arrival {
        arrival.open(&domain, &slot, &identity).await?;
    }
    Ok((Box::new(identity), arrival))
}

/// Serves any request but a send, whose two halves the driver keeps apart.
pub(crate) async fn ask(cx: Context, request: Request) -> Result<Box<Body>, Error> {
    serve(&cx, request).await.map(Box::new)
}

async fn serve(cx: &Context, request: Request) -> Result<Body, Error> {
    let (domain, caller) = (&cx.domain, &cx.caller);
    let most = cx.hub.config.max_frame.bytes();
    match request {
        Request::Send(message, chain) => {
            let sent = domain.messages.submit_in(caller, *message, &chain).await?.durable().await?;
            Ok(Body::SendAck(answer::send_ack(&sent)))
        }
        Request::Recall { conversation, seq } => ok(domain.messages.recall(caller, conversation, seq).await),
        Request::Edit { conversation, seq, content } => {
            ok(domain.messages.edit(caller, conversation, seq, *content).await)
        }
        Request::Sweep { group, user, from } => {
            let swept = domain.messages.sweep(caller, group, user, from).await?;
            Ok(Body::Swept(answer::swept(swept)))
        }
        Request::History { conversation, range } => history(cx, conversation, range, most).await,
        Request::Sync { have, page, entries } => sync(cx, &have, page, entries, most).await,
        Request::ListConversations(page) => list_conversations(cx, &page, most).await,
        Request::GetConversation(id) => {
            let found = domain.conversations.get(caller, id).await?;
            Ok(Body::Conversation(answer::conversation(found, None)))
        }
        Request::CountUnread => {
            let count = domain.conversations.unread_total(caller).await?;
            Ok(Body::UnreadCount(wire::UnreadCount { count }))
        }
        Request::Read { conversation, seq } => ok(domain.conversations.read(caller, conversation, seq).await),
        Request::UpdateConversation { conversation, change } => {
            ok(domain.conversations.update(caller, conversation, change).await)
        }
        Request::DeleteConversation(conversation) => ok(domain.conversations.delete(caller, conversation).await),
        Request::Receipts { conversation, seq } => {
            let receipts = domain.conversations.receipts(caller, conversation, seq).await?;
            Ok(Body::ReceiptList(answer::receipts(conversation, &receipts)))
        }
        Request::Typing { conversation, active } => ok(domain.conversations.typing(caller, conversation, active).await),
        Request::PresenceQuery(users) => {
            let states = domain.presence.query(caller, &users).await?;
            Ok(Body::PresenceList(answer::presences(&states)))
        }
        Request::PresenceSubscribe(users) => {
            // Watching starts before asking, so that no change falls between.
            cx.hub.watch(&cx.slot, caller.app(), &users);
            cx.hub.settle_interests().await;
            let states = domain.presence.query(caller, &users).await?;
            Ok(Body::PresenceList(answer::presences(&states)))
        }
        Request::Users(request) => users::serve(cx, request).await,
        Request::Roster(request) => roster::serve(cx, request).await,
        Request::Groups(request) => groups::serve(cx, request).await,
        Request::Joining(request) => joining::serve(cx, request).await,
        Request::Board(request) => board::serve(cx, request).await,
        Request::Files(request) => files::serve(cx, request).await,
        Request::Push(request) => push::serve(cx, request).await,
    }
}

impl Context {
    /// The users with these ids, in their order; `None` for who is no more.
    async fn people(&self, ids: impl Iterator<Item = UserId>) -> Result<Vec<Option<record::User>>, Error> {
        let refs: Vec<UserRef> = ids.map(UserRef::Id).collect();
        self.domain.users.find_many(&self.caller, &refs).await
    }
}

fn ok(outcome: Result<(), Error>) -> Result<Body, Error> {
    outcome.map(|()| Body::Ok(wire::Ok {}))
}

/// One that cannot be served fails the request; the others were served, and asking again changes nothing for them.
fn first_failure<T>(results: impl IntoIterator<Item = (T, Result<(), Error>)>) -> Result<Body, Error> {
    ok(results.into_iter().try_for_each(|(_, result)| result))
}

/// Reads step by step, so that no more is in memory than a frame carries and a step.
async fn history(cx: &Context, id: ConversationId, mut range: HistoryRange, most: usize) -> Result<Body, Error> {
    let mut wanted = range.limit;
    let mut page = answer::HistoryPage::new(range.ascending, most);
    loop {
        range.limit = wanted.min(STEP);
        let step = cx.domain.messages.history(&cx.caller, id, range).await?;
        wanted -= range.limit;
        match page.add(step) {
            Some(next) if wanted > 0 => range.from = next,
            _ => return Ok(Body::HistoryPage(page.finish(id))),
        }
    }
}

/// Compares step by step, for the same reason.
async fn sync(
    cx: &Context,
    have: &HashMap<ConversationId, Have>,
    page: PageOf,
    entries: usize,
    most: usize,
) -> Result<Body, Error> {
    let step = (STEP / entries.max(1)).max(1);
    let mut wanted = page.limit;
    let mut cursor = page.cursor;
    let mut answer = answer::SyncPage::new(most);
    loop {
        let limit = wanted.min(step);
        let compared = cx.domain.conversations.sync(&cx.caller, have, cursor.as_deref(), limit, entries).await?;
        let next = compared.next.clone();
        if !answer.add(compared.items) {
            // These did not fit any more: the next page begins with them.
            return Ok(Body::SyncPage(answer.finish(cursor)));
        }
        wanted -= limit;
        if next.is_none() || wanted == 0 {
            return Ok(Body::SyncPage(answer.finish(next)));
        }
        cursor = next;
    }
}

async fn list_conversations(cx: &Context, page: &PageOf, most: usize) -> Result<Body, Error> {
    let Page { items, next } = cx.domain.conversations.list(&cx.caller, page.cursor.as_deref(), page.limit).await?;
    let me = cx.caller.user()?;
    let peers: Vec<UserRef> = items.iter().filter_map(|item| item.id.peer_of(me)).map(UserRef::Id).collect();
    let mut peers = cx.domain.users.find_many(&cx.caller, &peers).await?.into_iter();
    let mut conversations = Vec::with_capacity(items.len());
    for item in items {
        let title = match item.id {
            ConversationId::Direct { .. } => {
                peers.next().flatten().and_then(|peer| peer.profile).map(|peer| (peer.name, peer.avatar))
            }
            ConversationId::Group(group) => {
                // A group that is gone, or that the caller left meanwhile, is listed without a name.
                cx.domain
                    .groups
                    .find(&cx.caller, &GroupRef::Id(group))
                    .await
                    .ok()
                    .map(|group| (group.name, group.avatar))
            }
            ConversationId::Notices(_) => None,
        };
        conversations.push(answer::conversation(item, title));
    }
    Ok(Body::ConversationPage(answer::conversation_page(conversations, next, most)))
}
