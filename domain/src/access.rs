//! Who may read a conversation, from where on, and who may write to it.
//!
//! What is not the caller's to see is answered exactly as what does not exist.

use proto::store;
use storage::{Clock, Scan, Store};

use crate::apps::Directory;
use crate::caller::{Caller, Subject};
use crate::conversations::MembershipKey;
use crate::error::{Denial, Error, Noun, Result};
use crate::groups::{BarredKey, GroupKey, MemberKey, role_in};
use crate::ids::{AppNumber, ConversationId, GroupId, Seq, UserId};
use crate::log::{EntryKey, HeadKey};
use crate::roster::ContactKey;
use crate::support::are_customer_and_supporter;
use crate::tables;
use crate::users::UserKey;

/// What one user may read of a conversation.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) conversation: ConversationId,
    pub(crate) head: store::Head,
    pub(crate) membership: store::Membership,
    /// First entry that this user may read, whether or not retention has left it.
    pub(crate) granted: Seq,
    /// First entry that is there to read; one past the last where there is none.
    pub(crate) first: Seq,
}

impl View {
    /// The newest entry's seq.
    pub(crate) fn last(&self) -> Seq {
        Seq(self.head.last_seq)
    }

    /// Whether the user may read this entry.
    pub(crate) fn shows(&self, seq: Seq) -> bool {
        (self.first..=self.last()).contains(&seq)
    }
}

/// Whether what is said in a conversation is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// As an entry of its log.
    InLog,
    /// In a chat room: whoever is there hears it.
    Nowhere,
}

/// Whether a member is the group's owner or an admin.
fn leads(group: &store::Group, member: &store::Member) -> bool {
    matches!(role_in(group, member), store::Role::Admin | store::Role::Owner)
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    store: Store,
    clock: Clock,
    directory: Directory,
}

impl Access {
    pub(crate) fn new(store: Store, clock: Clock, directory: Directory) -> Self {
        Self { store, clock, directory }
    }

    /// An app's settings as they are now, or were a second ago.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn settings(&self, app: AppNumber) -> Result<store::AppSettings> {
        self.directory.settings(app).await
    }

    /// What a user may read of a conversation.
    ///
    /// # Errors
    /// `NotFound(Conversation)` unless the user is a member and something was ever said.
    pub(crate) async fn view(&self, app: AppNumber, user: UserId, conversation: ConversationId) -> Result<View> {
        let key = MembershipKey { app, user, conversation };
        let membership = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::Conversation))?;
        self.views(app, user, vec![(conversation, membership)]).await?.pop().ok_or(Error::NotFound(Noun::Conversation))
    }

    /// What a user may read, by the rows that say what the user is in. Rows of conversations without an entry, and of groups that the user
    /// is not a member of (or not yet), are passed over: they are what a crash leaves behind.
    pub(crate) async fn views(
        &self,
        app: AppNumber,
        user: UserId,
        rows: Vec<(ConversationId, store::Membership)>,
    ) -> Result<Vec<View>> {
        let head_keys: Vec<_> = rows.iter().map(|&(conversation, _)| HeadKey { app, conversation }).collect();
        let heads = self.store.get_many(&head_keys).await?;
        let group_of = |conversation: &ConversationId| match conversation {
            ConversationId::Group(group) => Some(MemberKey { app, group: *group, user }),
            ConversationId::Direct { .. } | ConversationId::Notices(_) => None,
        };
        let member_keys: Vec<_> = rows.iter().filter_map(|(conversation, _)| group_of(conversation)).collect();
        let mut members = match member_keys.as_slice() {
            [] => Vec::new(),
            keys => self.store.get_many(keys).await?,
        }
        .into_iter();
        let mut views = Vec::with_capacity(rows.len());
        for ((conversation, membership), head) in rows.into_iter().zip(heads) {
            let join_seq = match conversation {
                ConversationId::Group(_) => members.next().flatten().map(|member| member.join_seq),
                ConversationId::Direct { .. } | ConversationId::Notices(_) => Some(1),
            };
            let (Some(head), Some(join_seq)) = (head, join_seq) else { continue };
            let granted = Seq(join_seq.max(membership.deleted_to + 1).max(1));
            let first = if head.expiring { self.oldest(app, conversation, granted, &head).await? } else { granted };
            views.push(View { app, user, conversation, head, membership, granted, first });
        }
        Ok(views)
    }

    /// The first entry at or after `from` that retention has left.
    async fn oldest(&self, app: AppNumber, conversation: ConversationId, from: Seq, head: &store::Head) -> Result<Seq> {
        let scan = Scan::<EntryKey>::new(tables::conversation(app, conversation), 1).from(|rest| {
            rest.u64(from.0);
        });
        let found = self.store.scan(scan).await?;
        Ok(Seq(found.first().map_or(head.last_seq + 1, |row| row.record.seq)))
    }

    /// Who the author is if the caller writes to this conversation. `known` says that it has entries, so that its users need no looking up.
    ///
    /// # Errors
    /// `NotFound(User)`, `NotFound(Group)`, `NotFound(Conversation)`, and every `Denied` of sending.
    pub(crate) async fn author(&self, caller: &Caller, conversation: ConversationId, known: bool) -> Result<UserId> {
        self.author_where(caller, conversation, known).await.map(|(author, _)| author)
    }

    /// As [`Self::author`], and whether what is said is kept.
    pub(crate) async fn author_where(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        known: bool,
    ) -> Result<(UserId, Kept)> {
        match conversation {
            ConversationId::Direct { .. } => {
                let sender = caller.user()?;
                let receiver = conversation.peer_of(sender).ok_or(Error::NotFound(Noun::Conversation))?;
                self.may_address(caller, sender, receiver, known).await?;
                Ok((sender, Kept::InLog))
            }
            ConversationId::Group(group) => Box::pin(self.may_speak(caller, group)).await,
            ConversationId::Notices(user) => {
                caller.require_privileged()?;
                if !known {
                    Box::pin(self.must_exist(caller.app(), user)).await?;
                }
                Ok((caller.user().unwrap_or_default(), Kept::InLog))
            }
        }
    }

    /// Whether a user may write to another. `known` says that the receiver needs no looking up.
    /// Where only friends may, a customer and who serves the customer may too.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Blocked)`, `Denied(NotFriends)`.
    pub(crate) async fn may_address(
        &self,
        caller: &Caller,
        sender: UserId,
        receiver: UserId,
        known: bool,
    ) -> Result<()> {
        if receiver == sender {
            return Ok(());
        }
        let app = caller.app();
        if !known {
            Box::pin(self.must_exist(app, receiver)).await?;
        }
        let contact = self.store.get(&ContactKey { app, user: receiver, contact: sender }).await?;
        if contact.as_ref().is_some_and(|contact| contact.blocked) {
            return Err(Error::Denied(Denial::Blocked));
        }
        let settings = self.settings(app).await?;
        let friends = contact.is_some_and(|contact| contact.relation() == store::Relation::Friend);
        let may = !settings.friends_only || friends;
        if !may && !Box::pin(are_customer_and_supporter(&self.store, app, [sender, receiver])).await? {
            return Err(Error::Denied(Denial::NotFriends));
        }
        Ok(())
    }

    async fn must_exist(&self, app: AppNumber, user: UserId) -> Result<()> {
        match self.store.get(&UserKey { app, user }).await? {
            Some(_) => Ok(()),
            None => Err(Error::NotFound(Noun::User)),
        }
    }

    /// Whether a user is the owner or an admin of a group.
    pub(crate) async fn leads(&self, app: AppNumber, group: GroupId, user: UserId) -> Result<bool> {
        let Some(record) = self.store.get(&GroupKey { app, group }).await? else { return Ok(false) };
        let member = self.store.get(&MemberKey { app, group, user }).await?;
        Ok(member.is_some_and(|member| leads(&record, &member)))
    }

    /// Whether the caller takes part in a conversation now. The app's server takes part in all of them, and every user in chat rooms,
    /// which keep no members.
    pub(crate) async fn takes_part(&self, caller: &Caller, conversation: ConversationId) -> Result<bool> {
        let app = caller.app();
        let user = match caller.subject() {
            Subject::Server => return Ok(true),
            Subject::User { id, .. } => id,
            Subject::Anonymous => return Ok(false),
        };
        match conversation {
            ConversationId::Direct { .. } => Ok(conversation.peer_of(user).is_some()),
            ConversationId::Notices(owner) => Ok(owner == user),
            ConversationId::Group(group) => {
                if self.store.get(&MemberKey { app, group, user }).await?.is_some() {
                    return Ok(true);
                }
                let record = self.store.get(&GroupKey { app, group }).await?;
                Ok(record.is_some_and(|record| record.kind() == store::GroupKind::Room && !record.dismissed))
            }
        }
    }

    /// Who the author is if the caller changes a group's name or picture.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember|NotAdmin|Credential)`.
    pub(crate) async fn group_editor(&self, caller: &Caller, group: GroupId) -> Result<UserId> {
        let app = caller.app();
        let record = self.store.get(&GroupKey { app, group }).await?.filter(|record| !record.dismissed);
        let Some(record) = record else { return Err(Error::NotFound(Noun::Group)) };
        let user = match caller.subject() {
            Subject::Server => return Ok(UserId(0)),
            Subject::User { id, .. } => id,
            Subject::Anonymous => return Err(Error::Denied(Denial::Credential)),
        };
        match self.store.get(&MemberKey { app, group, user }).await? {
            None if record.owner != user.0 => Err(Error::Denied(Denial::NotMember)),
            Some(member) if !record.members_may_edit && !leads(&record, &member) => {
                Err(Error::Denied(Denial::NotAdmin))
            }
            _ => Ok(user),
        }
    }

    async fn may_speak(&self, caller: &Caller, group: GroupId) -> Result<(UserId, Kept)> {
        let app = caller.app();
        let record = self.store.get(&GroupKey { app, group }).await?.filter(|record| !record.dismissed);
        let Some(record) = record else { return Err(Error::NotFound(Noun::Group)) };
        let kept = if record.kind() == store::GroupKind::Room { Kept::Nowhere } else { Kept::InLog };
        let user = match caller.subject() {
            // The app itself speaks in any of its groups, as user 0.
            Subject::Server => return Ok((UserId(0), kept)),
            Subject::User { id, .. } => id,
            Subject::Anonymous => return Err(Error::Denied(Denial::Credential)),
        };
        let now = self.clock.now().0;
        let silent = |until: i64| until == -1 || until > now;
        if kept == Kept::Nowhere {
            self.may_speak_in_room(app, &record, user, silent(record.muted_until)).await?;
            return Ok((user, kept));
        }
        let Some(member) = self.store.get(&MemberKey { app, group, user }).await? else {
            return Err(Error::Denied(Denial::NotMember));
        };
        if silent(member.muted_until) || (silent(record.muted_until) && !leads(&record, &member)) {
            return Err(Error::Denied(Denial::Muted));
        }
        Ok((user, kept))
    }

    /// Whether a user may speak in a chat room, where everybody may who is not on its block list.
    async fn may_speak_in_room(&self, app: AppNumber, room: &store::Group, user: UserId, silent: bool) -> Result<()> {
        if room.owner == user.0 {
            return Ok(());
        }
        if silent {
            return Err(Error::Denied(Denial::Muted));
        }
        let key = BarredKey { app, group: GroupId(room.id), user };
        if room.blocked > 0 && self.store.get(&key).await?.is_some() {
            return Err(Error::Denied(Denial::Barred));
        }
        Ok(())
    }
}
