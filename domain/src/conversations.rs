//! Conversations: what a user is in, how far it has been read, and what a device lacks.
//!
//! One row per user and conversation says that the user is in it; it is written before the first entry and never per message. Nothing is counted
//! ahead: what is unread follows from how far the user has read, which stands in one place, the conversation's home.

mod change;
mod sync;
mod view;

use std::cmp::Reverse;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use proto::{entry, store};
use storage::{Batch, Clock, Home, Key, Rest, Scan, Store, Table};

use crate::access::{Access, View};
use crate::caller::Caller;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::groups::MemberKey;
use crate::ids::{AppNumber, ConversationId, GroupId, Seq, UserId};
use crate::log::Log;
use crate::retry::Tries;
use crate::tables;

pub use change::ViewChange;
pub use sync::{Have, Synced, Verdict};
pub(crate) use view::describe_all;

/// Rows that are read at a time where all are wanted.
const ROWS_PER_READ: usize = 1_000;

/// What a user is in.
///
/// home: the user.  rest: the conversation.  value: `store.Membership`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MembershipKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) conversation: ConversationId,
}

impl Key for MembershipKey {
    const TABLE: Table = tables::MEMBERSHIP;
    type Record = store::Membership;

    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }

    fn rest(&self, out: &mut Rest) {
        self.conversation.append_to(out);
    }
}

/// How far a member has read.
///
/// home: the conversation.  rest: user id as u64.  value: `store.Watermark`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatermarkKey {
    pub(crate) app: AppNumber,
    pub(crate) conversation: ConversationId,
    pub(crate) user: UserId,
}

impl Key for WatermarkKey {
    const TABLE: Table = tables::WATERMARK;
    type Record = store::Watermark;

    fn home(&self) -> Home {
        tables::conversation(self.app, self.conversation)
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.user.0);
    }
}

/// A conversation as one user sees it.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Which one.
    pub id: ConversationId,
    /// The state of its log.
    pub head: store::Head,
    /// The user's own view of it.
    pub membership: store::Membership,
    /// Oldest entry that the user may read; one past the last where there is none.
    pub first_seq: Seq,
    /// How far the user has read.
    pub read_seq: Seq,
    /// Messages by others after that, without withdrawn ones; counted up to the configured cap.
    pub unread: u64,
    /// In 1:1 conversations: how far the other one has read.
    pub peer_read_seq: Seq,
    /// The newest entry, if any is visible. Not filled by [`Conversations::sync`], whose entries tell.
    pub last: Option<entry::Entry>,
}

/// A page, and where the next one starts.
#[derive(Debug, Clone, Default)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Opaque; `None` on the last page.
    pub next: Option<Bytes>,
}

/// See the module.
#[derive(Debug)]
pub struct Conversations {
    store: Store,
    clock: Clock,
    access: Access,
    log: Arc<Log>,
    events: Arc<Events>,
    config: Arc<Config>,
}

impl Conversations {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        access: Access,
        log: Arc<Log>,
        events: Arc<Events>,
        config: Arc<Config>,
    ) -> Self {
        Self { store, clock, access, log, events, config }
    }

    /// Every group that the caller is a member of, or was about to become one of.
    ///
    /// # Errors
    /// `Denied(Credential)` unless the caller is a user; `Unavailable`.
    pub async fn groups(&self, caller: &Caller) -> Result<Vec<GroupId>> {
        let (app, user) = (caller.app(), caller.user()?);
        let mut groups: Vec<GroupId> = Vec::new();
        let mut first = GroupId(0);
        loop {
            let from = MembershipKey { app, user, conversation: ConversationId::Group(first) };
            // Notices come behind all groups.
            let end = MembershipKey { app, user, conversation: ConversationId::Notices(UserId(0)) };
            let scan = Scan::<MembershipKey>::new(tables::user(app, user), ROWS_PER_READ)
                .from(|rest| from.rest(rest))
                .to(|rest| end.rest(rest));
            let rows = self.store.scan(scan).await?;
            let found = rows.iter().filter_map(|row| row.record.conversation.as_ref());
            groups.extend(found.filter_map(|found| match ConversationId::from_wire(found) {
                Some(ConversationId::Group(group)) => Some(group),
                _ => None,
            }));
            match groups.last() {
                Some(last) if rows.len() == ROWS_PER_READ => first = GroupId(last.0 + 1),
                _ => return Ok(groups),
            }
        }
    }

    /// The caller's conversations, one's own notices among them: pinned first, then the most recently active.
    /// Those without anything to read, deleted ones among them, are left out.
    ///
    /// # Errors
    /// `Invalid` for the limit or the cursor.
    pub async fn list(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<Conversation>> {
        self.check_limit(limit)?;
        let after = cursor.map(Place::decode).transpose()?;
        let (app, user) = (caller.app(), caller.user()?);
        let rows = memberships(&self.store, app, user).await?;
        let mut views = self.access.views(app, user, rows).await?;
        views.retain(|view| view.first <= view.last());
        views.sort_by_cached_key(Place::of);
        let start = after.map_or(0, |after| views.partition_point(|view| Place::of(view) <= after));
        let more = views.len() - start > limit;
        let page: Vec<View> = views.into_iter().skip(start).take(limit).collect();
        let next = page.last().filter(|_| more).map(|view| Place::of(view).encode());
        let mut items = describe_all(&self.store, &page, self.config.unread_cap).await?;
        for (item, view) in items.iter_mut().zip(&page) {
            item.last = view::newest(&self.store, view).await?;
        }
        Ok(Page { items, next })
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound(Conversation)`.
    pub async fn get(&self, caller: &Caller, id: ConversationId) -> Result<Conversation> {
        let view = self.access.view(caller.app(), caller.user()?, id).await?;
        let mut described = describe_all(&self.store, std::slice::from_ref(&view), self.config.unread_cap).await?;
        let mut conversation = described.pop().ok_or(Error::NotFound(crate::Noun::Conversation))?;
        conversation.last = view::newest(&self.store, &view).await?;
        Ok(conversation)
    }

    /// How much the caller has not read over all conversations, each counted up to the configured cap; what is muted wholly is not counted.
    ///
    /// # Errors
    /// `Denied(Credential)` unless the caller is a user.
    pub async fn unread_total(&self, caller: &Caller) -> Result<u64> {
        let (app, user) = (caller.app(), caller.user()?);
        let rows = memberships(&self.store, app, user).await?;
        let mut total = 0;
        for rows in rows.chunks(self.config.page_limit) {
            let views = self.access.views(app, user, rows.to_vec()).await?;
            let described = describe_all(&self.store, &views, self.config.unread_cap).await?;
            total += described.iter().map(|conversation| conversation.unread).sum::<u64>();
        }
        Ok(total)
    }

    /// Marks as read up to `seq`; never goes back, and not past the newest entry. Tells the members, the caller's own devices among them
    /// (at most once).
    ///
    /// A crash in between leaves the read mark moved, which alone voids what the app said about unread messages.
    ///
    /// # Errors
    /// `NotFound(Conversation)`.
    pub async fn read(&self, caller: &Caller, id: ConversationId, seq: Seq) -> Result<()> {
        let (app, user) = (caller.app(), caller.user()?);
        let view = self.access.view(app, user, id).await?;
        let seq = seq.min(view.last());
        let key = WatermarkKey { app, conversation: id, user };
        let mut tries = Tries::default();
        let time = self.clock.now().0;
        loop {
            let before = self.store.get(&key).await?;
            if before.as_ref().map_or(0, |mark| mark.seq) >= seq.0 {
                return self.drop_unread_mark(caller, &view).await;
            }
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, before.as_ref()).put(&key, &store::Watermark { seq: seq.0, time });
            if tries.settled(self.store.commit(batch).await).await? {
                break;
            }
        }
        let moved = store::ReadMoved { conversation: Some(id.to_wire()), user: user.0, seq: seq.0, time };
        self.events.tell(app, store::event::Body::ReadMoved(moved)).await;
        self.drop_unread_mark(caller, &view).await
    }

    /// How far the members have read; only those at or past `seq`, and none who have not read anything.
    ///
    /// # Errors
    /// `NotFound(Conversation)`.
    pub async fn receipts(
        &self,
        caller: &Caller,
        id: ConversationId,
        seq: Seq,
    ) -> Result<Vec<(UserId, store::Watermark)>> {
        let app = caller.app();
        self.access.view(app, caller.user()?, id).await?;
        let mut receipts = Vec::new();
        let mut next = 0;
        loop {
            let scan = Scan::<WatermarkKey>::new(tables::conversation(app, id), ROWS_PER_READ).from(|rest| {
                rest.u64(next);
            });
            let rows = self.store.scan(scan).await?;
            let read = rows.len();
            for mut row in rows {
                let user = UserId(row.rest.try_get_u64().map_err(|_| damaged("watermark"))?);
                next = user.0 + 1;
                if row.record.seq >= seq.0 {
                    receipts.push((user, row.record));
                }
            }
            if read < ROWS_PER_READ {
                break;
            }
        }
        match id {
            ConversationId::Group(group) => self.only_members(app, group, receipts).await,
            ConversationId::Direct { .. } | ConversationId::Notices(_) => Ok(receipts),
        }
    }

    /// Leaves out those who are not members any more: their marks stay, for they may come back.
    async fn only_members(
        &self,
        app: AppNumber,
        group: GroupId,
        receipts: Vec<(UserId, store::Watermark)>,
    ) -> Result<Vec<(UserId, store::Watermark)>> {
        let keys: Vec<_> = receipts.iter().map(|&(user, _)| MemberKey { app, group, user }).collect();
        let members = self.store.get_many(&keys).await?;
        Ok(receipts.into_iter().zip(members).filter_map(|(receipt, member)| member.map(|_| receipt)).collect())
    }

    /// Tells the others that the caller is writing; at most once, never stored. Only where the caller may write.
    ///
    /// # Errors
    /// Those of sending.
    pub async fn typing(&self, caller: &Caller, id: ConversationId, active: bool) -> Result<()> {
        let user = caller.user()?;
        self.access.author(caller, id, self.log.is_started(caller.app(), id)).await?;
        let typed = store::Typed { conversation: Some(id.to_wire()), user: user.0, active };
        self.events.tell(caller.app(), store::event::Body::Typed(typed)).await;
        Ok(())
    }

    fn check_limit(&self, limit: usize) -> Result<()> {
        if (1..=self.config.page_limit).contains(&limit) {
            return Ok(());
        }
        Err(Error::Invalid { field: "limit", message: format!("must be 1 to {}", self.config.page_limit) })
    }
}

/// Everything that a user is in, by key.
pub(crate) async fn memberships(
    store: &Store,
    app: AppNumber,
    user: UserId,
) -> Result<Vec<(ConversationId, store::Membership)>> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let (rows, next) = memberships_page(store, app, user, cursor, ROWS_PER_READ).await?;
        all.extend(rows);
        match next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

type MembershipPage = (Vec<(ConversationId, store::Membership)>, Option<Bytes>);

/// A page of what a user is in, by key, and where the next one starts.
async fn memberships_page(
    store: &Store,
    app: AppNumber,
    user: UserId,
    cursor: Option<Bytes>,
    limit: usize,
) -> Result<MembershipPage> {
    let mut scan = Scan::<MembershipKey>::new(tables::user(app, user), limit);
    if let Some(cursor) = cursor {
        scan = scan.from(|rest| {
            rest.bytes(&cursor);
        });
    }
    let rows = store.scan(scan).await?;
    let full = rows.len() == limit;
    // The next page starts at the first key after the last one: the same bytes with a zero behind.
    let next = rows.last().filter(|_| full).map(|row| [&row.rest[..], &[0]].concat().into());
    let parsed = rows.into_iter().map(|row| {
        let id = row.record.conversation.as_ref().and_then(ConversationId::from_wire);
        id.map(|id| (id, row.record)).ok_or_else(|| damaged("membership"))
    });
    Ok((parsed.collect::<Result<_>>()?, next))
}

/// A conversation's place in its user's list, from the top.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    unpinned: bool,
    newest: Reverse<i64>,
    rest: Bytes,
}

impl Place {
    fn of(view: &View) -> Self {
        let key = MembershipKey { app: view.app, user: view.user, conversation: view.conversation };
        Self { unpinned: !view.membership.pinned, newest: Reverse(view.head.last_time), rest: key.address().rest }
    }

    fn encode(&self) -> Bytes {
        [&[u8::from(self.unpinned)][..], &self.newest.0.to_be_bytes(), &self.rest].concat().into()
    }

    fn decode(mut cursor: &[u8]) -> Result<Self> {
        let wrong = |_| Error::Invalid { field: "cursor", message: "is none that was given out".to_owned() };
        let unpinned = cursor.try_get_u8().map_err(wrong)? != 0;
        let newest = Reverse(cursor.try_get_i64().map_err(wrong)?);
        Ok(Self { unpinned, newest, rest: Bytes::copy_from_slice(cursor) })
    }
}

fn damaged(table: &str) -> Error {
    Error::Unavailable(storage::Error::Corrupt(format!("table {table}: a row names nothing")))
}
