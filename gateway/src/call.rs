//! Makes the calls that sessions ask for: one domain call each, and its answer in the wire's words.

use std::collections::HashMap;
use std::sync::Arc;

use domain::conversations::{Have, Page};
use domain::groups::Added;
use domain::messages::HistoryRange;
use domain::push::{Binding, DeviceRef};
use domain::roster::Which;
use domain::{Caller, ConversationId, Domain, Error, GroupId, GroupRef, UserRef, users};
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
    let caller = domain.tokens.authenticate(&login.token).await?;
    let user = caller.user()?;
    let record = domain.users.find(&caller, &UserRef::Id(user)).await?;
    // A token that was issued for a platform decides what the device counts as, whatever the device says.
    let platform = match caller.platform() {
        0 => login.platform,
        platform => i32::try_from(platform).unwrap_or_default(),
    };
    let arrival = hub.expect(&domain, &caller).await?;
    let identity = Identity {
        caller,
        user,
        uid: users::uid_of(&record).into(),
        generation: record.token_generation,
        session: slot.id,
        device_id: login.device_id,
        platform,
        client: login.client,
    };
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
        Request::History { conversation, range } => history(cx, conversation, range, most).await,
        Request::Sync { have, page, entries } => sync(cx, &have, page, entries, most).await,
        Request::ListConversations(page) => list_conversations(cx, &page, most).await,
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
        Request::FindUsers(refs) => {
            let found = domain.users.find_many(caller, &refs).await?;
            let users = found.iter().flatten().map(answer::user).collect();
            Ok(Body::UserList(wire::UserList { users }))
        }
        Request::UpdateProfile(change) => ok(domain.users.update(caller, caller.user()?, *change).await.map(drop)),
        Request::SearchUsers { by, text } => {
            let found = domain.users.search(caller, by, &text).await?;
            Ok(Body::UserList(wire::UserList { users: found.iter().map(answer::user).collect() }))
        }
        Request::ListDevices => {
            let devices = domain.devices.list(caller, caller.user()?).await?;
            Ok(Body::DeviceList(answer::devices(devices)))
        }
        Request::RemoveDevice(id) => ok(domain.devices.remove(caller, caller.user()?, &id).await),
        Request::ListRoster(page) => list_roster(cx, &page).await,
        Request::RequestFriend { user, ask } => ok(domain.roster.request(caller, user, *ask).await.map(|_| ())),
        Request::AcceptFriend(user) => ok(domain.roster.accept(caller, user).await),
        Request::DeclineFriend { user, reason } => ok(domain.roster.decline(caller, user, &reason).await),
        Request::UpdateContact { user, change } => ok(domain.roster.update(caller, user, *change).await),
        Request::RemoveFriend(user) => ok(domain.roster.remove(caller, user).await),
        Request::Block { user, blocked: true } => ok(domain.roster.block(caller, user).await.map(|_| ())),
        Request::Block { user, blocked: false } => ok(domain.roster.unblock(caller, user).await),
        Request::CreateGroup(new) => {
            let group = domain.groups.create(caller, *new).await?;
            group_answer(cx, &group).await
        }
        Request::GetGroup(group) => {
            let group = domain.groups.find(caller, &group).await?;
            group_answer(cx, &group).await
        }
        Request::UpdateGroup { group, change } => ok(domain.groups.update(caller, group, *change).await.map(drop)),
        Request::DismissGroup(group) => ok(domain.groups.dismiss(caller, group).await),
        Request::AddMembers { group, users } => {
            let users: Vec<_> = users.into_iter().map(|user| (user, String::new())).collect();
            let added = domain.groups.add_members(caller, group, &users).await?;
            // One who cannot be added fails the request; the others are members, and asking again changes nothing for them.
            added.into_iter().try_for_each(|(_, added)| match added {
                Added::Yes | Added::Already => Ok(()),
                Added::Failed(error) => Err(error),
            })?;
            Ok(Body::Ok(wire::Ok {}))
        }
        Request::RemoveMembers { group, users } => ok(domain.groups.remove_members(caller, group, &users).await),
        Request::JoinGroup(group) => ok(domain.groups.join(caller, group).await),
        Request::LeaveGroup(group) => ok(domain.groups.leave(caller, group).await),
        Request::ListMembers { group, page } => list_members(cx, group, &page).await,
        Request::ListGroups(page) => list_groups(cx, &page).await,
        Request::UpdateMember { group, user, change } => {
            ok(domain.groups.update_member(caller, group, user, *change).await.map(drop))
        }
        Request::TransferGroup { group, user } => ok(domain.groups.transfer(caller, group, user).await.map(drop)),
        Request::BlockMembers { group, users, blocked } => {
            let results = if blocked {
                domain.groups.block(caller, group, &users).await?
            } else {
                domain.groups.unblock(caller, group, &users).await?
            };
            // As with members who are added: the first who cannot be blocked fails the request, the others are.
            ok(results.into_iter().try_for_each(|(_, result)| result))
        }
        Request::SearchGroups { beginning, page } => {
            let found = domain.groups.search(caller, &beginning, page.cursor.as_deref(), page.limit).await?;
            group_page(cx, found).await
        }
        Request::BindPush(binding) => bind_push(cx, binding).await,
        Request::SetBadge(badge) => ok(domain.push.set_badge(caller, badge).await),
    }
}

/// Binds the device that the session is on.
async fn bind_push(cx: &Context, binding: Option<Box<Binding>>) -> Result<Body, Error> {
    let device = cx.slot.with_session(|session| session.identity().map(|identity| identity.device_id.clone()));
    let device = DeviceRef::Id(device.as_deref().unwrap_or_default());
    ok(match binding {
        Some(binding) => cx.domain.push.bind(&cx.caller, device, *binding).await,
        None => cx.domain.push.unbind_device(&cx.caller, device).await,
    })
}

fn ok(outcome: Result<(), Error>) -> Result<Body, Error> {
    outcome.map(|()| Body::Ok(wire::Ok {}))
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

async fn list_roster(cx: &Context, page: &PageOf) -> Result<Body, Error> {
    let Page { items, next } =
        cx.domain.roster.list(&cx.caller, Which::All, page.cursor.as_deref(), page.limit).await?;
    let refs: Vec<UserRef> = items.iter().map(|contact| UserRef::Id(domain::UserId(contact.user))).collect();
    let users = cx.domain.users.find_many(&cx.caller, &refs).await?;
    let contacts = items.iter().zip(users).map(|(contact, user)| answer::contact(contact, user.as_ref())).collect();
    Ok(Body::RosterPage(wire::RosterPage { contacts, next: next.unwrap_or_default() }))
}

async fn list_members(cx: &Context, group: GroupId, page: &PageOf) -> Result<Body, Error> {
    let Page { items, next } = cx.domain.groups.members(&cx.caller, group, page.cursor.as_deref(), page.limit).await?;
    let refs: Vec<UserRef> = items.iter().map(|member| UserRef::Id(domain::UserId(member.user))).collect();
    let users = cx.domain.users.find_many(&cx.caller, &refs).await?;
    let members = items.iter().zip(users).map(|(member, user)| answer::member(member, user.as_ref())).collect();
    Ok(Body::MemberPage(wire::MemberPage { members, next: next.unwrap_or_default() }))
}

async fn list_groups(cx: &Context, page: &PageOf) -> Result<Body, Error> {
    group_page(cx, cx.domain.groups.list(&cx.caller, page.cursor.as_deref(), page.limit).await?).await
}

async fn group_page(cx: &Context, page: Page<domain::record::Group>) -> Result<Body, Error> {
    let Page { items, next } = page;
    let mut groups = Vec::with_capacity(items.len());
    for group in &items {
        groups.push(with_role(cx, group).await?);
    }
    Ok(Body::GroupPage(wire::GroupPage { groups, next: next.unwrap_or_default() }))
}

async fn group_answer(cx: &Context, group: &domain::record::Group) -> Result<Body, Error> {
    with_role(cx, group).await.map(Body::Group)
}

async fn with_role(cx: &Context, group: &domain::record::Group) -> Result<wire::Group, Error> {
    let member = cx.domain.groups.member(&cx.caller, GroupId(group.id), cx.caller.user()?).await?;
    Ok(answer::group(group, member.as_ref()))
}
