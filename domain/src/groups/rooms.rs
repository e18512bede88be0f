//! Chat rooms: groups that keep no members and no history.
//!
//! Users come into a room with the sessions that they have, and are gone with them; the gateways know who is there, and report how many.
//! What is said in a room, and what happens to it, is told to those sessions and kept by nobody. The room's own record is kept like any group's.

use proto::entry::entry::Body;
use proto::store::{GroupKind, RoomCount};
use proto::{entry, store};
use storage::{Batch, Home, Key, Rest, Scan, Table};

use super::Groups;
use crate::caller::Caller;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, BootId, ConversationId, GroupId, Seq};
use crate::log::{Changes, Place};
use crate::tables;

/// Gateways whose reports are read for one room.
const MOST_GATEWAYS: usize = 10_000;

/// How many sessions of one gateway are in a room.
///
/// home: the room's, which is the group's conversation.  rest: the gateway's run as u64.  value: `store.RoomCount`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomCountKey {
    pub(crate) app: AppNumber,
    pub(crate) room: GroupId,
    pub(crate) boot: BootId,
}

impl Key for RoomCountKey {
    const TABLE: Table = tables::ROOM_COUNT;
    type Record = RoomCount;
    fn home(&self) -> Home {
        tables::group(self.app, self.room)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.boot.0);
    }
}

impl Groups {
    /// A room, if the caller may come in. What makes a session hear it is the gateway's.
    ///
    /// # Errors
    /// `NotFound(Group)`, also for a group that is no room; `Denied(Barred)`.
    pub async fn room(&self, caller: &Caller, room: GroupId) -> Result<store::Group> {
        let user = caller.user()?;
        let record = self.record(caller.app(), room).await?;
        if record.kind() != GroupKind::Room {
            return Err(Error::NotFound(Noun::Group));
        }
        if !self.barred_among(caller.app(), &record, &[user]).await?.is_empty() {
            return Err(Error::Denied(Denial::Barred));
        }
        Ok(record)
    }

    /// Brings all sessions that the caller has now into a room.
    ///
    /// # Errors
    /// As [`Self::room`].
    pub async fn enter(&self, caller: &Caller, room: GroupId) -> Result<()> {
        self.room(caller, room).await?;
        self.move_sessions(caller, room, true).await
    }

    /// Takes all sessions of the caller out of a room.
    ///
    /// # Errors
    /// `Denied(Credential)` unless the caller is a user.
    pub async fn exit(&self, caller: &Caller, room: GroupId) -> Result<()> {
        self.move_sessions(caller, room, false).await
    }

    /// Takes a gateway's word for how many of its sessions are in a room. It holds for the configured while.
    ///
    /// # Errors
    /// What the store says.
    pub async fn report_room(&self, app: AppNumber, room: GroupId, boot: BootId, sessions: u32) -> Result<()> {
        let key = RoomCountKey { app, room, boot };
        let mut batch = Batch::new(key.home());
        if sessions == 0 {
            batch.delete(&key);
        } else {
            let expires = self.clock.now().plus(self.limits.room_count_window);
            batch.put_expiring(&key, &RoomCount { boot: boot.0, sessions }, expires);
        }
        Ok(self.store.commit(batch).await?)
    }

    /// How long a gateway's word holds.
    #[must_use]
    pub fn room_count_window(&self) -> std::time::Duration {
        self.limits.room_count_window
    }

    /// How many sessions are in a room, as the gateways last said.
    ///
    /// # Errors
    /// `NotFound(Group)`.
    pub async fn in_room(&self, caller: &Caller, room: GroupId) -> Result<u32> {
        let record = self.record(caller.app(), room).await?;
        if record.kind() != GroupKind::Room {
            return Err(Error::NotFound(Noun::Group));
        }
        let scan = Scan::<RoomCountKey>::new(tables::group(caller.app(), room), MOST_GATEWAYS);
        let rows = self.store.scan(scan).await?;
        Ok(rows.iter().fold(0, |sum, row| sum.saturating_add(row.record.sessions)))
    }

    /// Commits a change of a room's record, and tells whoever is in it.
    ///
    /// # Errors
    /// [`Error::is_conflict`] when the room changed meanwhile.
    pub(super) async fn write_room(
        &self,
        caller: &Caller,
        room: GroupId,
        earliest: i64,
        tip: entry::Tip,
        more: Changes,
    ) -> Result<()> {
        let app = caller.app();
        // A room has no log to place this in: its time, which is unique among the room's changes, stands for the place.
        let time = storage::Millis(self.clock.now().0.max(earliest));
        let seq = Seq(u64::try_from(time.0).unwrap_or_default());
        let mut batch = Batch::new(tables::group(app, room));
        more(&mut batch, &mut Place { seq, time, head: &mut store::Head::default() });
        self.store.commit(batch).await?;
        let entry = entry::Entry {
            message_id: self.log.message_id(app).await?.0,
            sender: caller.user().unwrap_or_default().0,
            time: time.0,
            body: Some(Body::Tip(tip)),
            ..entry::Entry::default()
        };
        let conversation = Some(ConversationId::Group(room).to_wire());
        let told = store::Appended {
            conversation,
            entry: Some(entry),
            online_only: true,
            room: true,
            ..store::Appended::default()
        };
        self.log.tell(app, store::event::Body::Appended(told)).await;
        Ok(())
    }

    async fn move_sessions(&self, caller: &Caller, room: GroupId, entered: bool) -> Result<()> {
        let moved = store::RoomMoved { user: caller.user()?.0, room: room.0, entered };
        self.log.tell(caller.app(), store::event::Body::RoomMoved(moved)).await;
        Ok(())
    }
}
