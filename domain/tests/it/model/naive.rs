//! The model: logs as lists, and rules as plain questions to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{ConversationId, GroupId, UserId};

/// How long an author may withdraw a message, by default.
const RECALL_WINDOW: i64 = 120_000;

/// Why not; `Conversation` and `Message` say what was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    Blocked,
    NotMember,
    NotAuthor,
    TooLate,
    OwnerCannotLeave,
    Conversation,
    Message,
    Reused,
}

/// What a reader sees of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    Said(String),
    Recalled,
    /// Anything that is no message.
    Note,
}

/// What a user or a device holds of a conversation: seqs, authors, contents.
pub type Shows = BTreeMap<ConversationId, Vec<(u64, UserId, Shown)>>;

#[derive(Debug, Clone)]
struct Item {
    sender: UserId,
    time: i64,
    shown: Shown,
}

#[derive(Debug, Default)]
pub struct Model {
    pub now: i64,
    logs: BTreeMap<ConversationId, Vec<Item>>,
    owners: HashMap<GroupId, UserId>,
    /// Members and the first seq that each may read.
    members: HashMap<GroupId, BTreeMap<UserId, u64>>,
    blocked: BTreeSet<(UserId, UserId)>,
    deleted_to: HashMap<(UserId, ConversationId), u64>,
    read: HashMap<(UserId, ConversationId), u64>,
    /// From where on messages count as unread, where a user said so and has not read since.
    unread_from: HashMap<(UserId, ConversationId), u64>,
    sent: HashMap<(UserId, ConversationId, String), (String, u64, i64)>,
    new: Vec<(ConversationId, u64)>,
}

impl Model {
    pub fn create_group(&mut self, group: GroupId, owner: UserId, member: UserId) {
        self.owners.insert(group, owner);
        self.members.insert(group, BTreeMap::from([(owner, 1), (member, 1)]));
        self.append(ConversationId::Group(group), owner, Shown::Note);
    }

    pub fn send(&mut self, user: UserId, to: ConversationId, name: &str, said: &str) -> Result<(u64, i64), No> {
        self.may_write(user, to)?;
        let key = (user, to, name.to_owned());
        if let Some((earlier, seq, time)) = self.sent.get(&key) {
            return if earlier == said { Ok((*seq, *time)) } else { Err(No::Reused) };
        }
        let (seq, time) = self.append(to, user, Shown::Said(said.to_owned()));
        self.sent.insert(key, (said.to_owned(), seq, time));
        Ok((seq, time))
    }

    pub fn recall(&mut self, user: UserId, at: ConversationId, seq: u64) -> Result<(), No> {
        let now = self.now;
        let leads = matches!(at, ConversationId::Group(group) if self.owners[&group] == user);
        let target = self.message(user, at, seq)?;
        if target.shown == Shown::Recalled {
            return Ok(());
        }
        if !leads && target.sender != user {
            return Err(No::NotAuthor);
        }
        if !leads && now > target.time + RECALL_WINDOW {
            return Err(No::TooLate);
        }
        target.shown = Shown::Recalled;
        self.append(at, user, Shown::Note);
        Ok(())
    }

    pub fn edit(&mut self, user: UserId, at: ConversationId, seq: u64, said: &str) -> Result<(), No> {
        let allowed = self.may_write(user, at);
        let target = self.message(user, at, seq)?;
        if target.shown == Shown::Recalled {
            return Err(No::Message);
        }
        if target.sender != user {
            return Err(No::NotAuthor);
        }
        allowed?;
        target.shown = Shown::Said(said.to_owned());
        self.append(at, user, Shown::Note);
        Ok(())
    }

    pub fn extend(&mut self, user: UserId, at: ConversationId, seq: u64, more: &str) -> Result<(), No> {
        let before = match self.message(user, at, seq) {
            Ok(Item { shown: Shown::Said(said), .. }) => said.clone(),
            _ => String::new(),
        };
        self.edit(user, at, seq, &format!("{before}{more}"))
    }

    pub fn read(&mut self, user: UserId, at: ConversationId, seq: u64) -> Result<(), No> {
        self.first(user, at).ok_or(No::Conversation)?;
        let last = self.last(at);
        let mark = self.read.entry((user, at)).or_default();
        *mark = (*mark).max(seq.min(last));
        if self.unread_from.remove(&(user, at)).is_some() {
            self.view_changed(user, at);
        }
        Ok(())
    }

    pub fn set_unread(&mut self, user: UserId, at: ConversationId, count: u64) -> Result<(), No> {
        self.first(user, at).ok_or(No::Conversation)?;
        let newest = self.counting(user, at).into_iter().rev().take(usize::try_from(count).unwrap()).next_back();
        let from = newest.unwrap_or_else(|| self.last(at) + 1);
        if self.unread_from.insert((user, at), from) != Some(from) {
            self.view_changed(user, at);
        }
        Ok(())
    }

    pub fn delete(&mut self, user: UserId, at: ConversationId) -> Result<(), No> {
        self.first(user, at).ok_or(No::Conversation)?;
        let last = self.last(at);
        let before = self.deleted_to.insert((user, at), last).unwrap_or(0);
        if before != last {
            self.view_changed(user, at);
        }
        Ok(())
    }

    pub fn join(&mut self, user: UserId, group: GroupId) -> Result<(), No> {
        if !self.members[&group].contains_key(&user) {
            let (seq, _) = self.append(ConversationId::Group(group), user, Shown::Note);
            self.members.get_mut(&group).unwrap().insert(user, seq);
        }
        Ok(())
    }

    pub fn leave(&mut self, user: UserId, group: GroupId) -> Result<(), No> {
        if self.owners[&group] == user {
            return Err(No::OwnerCannotLeave);
        }
        if !self.members[&group].contains_key(&user) {
            return Err(No::NotMember);
        }
        self.remove(user, user, group);
        Ok(())
    }

    /// The owner removes a user.
    pub fn kick(&mut self, user: UserId, group: GroupId) -> Result<(), No> {
        let owner = self.owners[&group];
        if owner == user {
            return Err(No::OwnerCannotLeave);
        }
        if self.members[&group].contains_key(&user) {
            self.remove(owner, user, group);
        }
        Ok(())
    }

    pub fn block(&mut self, user: UserId, other: UserId, blocked: bool) {
        let changed = if blocked { self.blocked.insert((user, other)) } else { self.blocked.remove(&(user, other)) };
        if changed {
            self.notice(user, user);
        }
    }

    /// Who is told of a conversation, in order.
    pub fn members(&self, conversation: ConversationId) -> Vec<UserId> {
        match conversation {
            ConversationId::Direct { low, high } if low == high => vec![low],
            ConversationId::Direct { low, high } => vec![low, high],
            ConversationId::Group(group) => self.members[&group].keys().copied().collect(),
            ConversationId::Notices(user) => vec![user],
        }
    }

    /// All that a user may see.
    pub fn visible(&self, user: UserId) -> Shows {
        let mut visible = Shows::new();
        for (&conversation, log) in &self.logs {
            let Some(first) = self.first(user, conversation) else { continue };
            let items = (1..).zip(log).filter(|(seq, _)| *seq >= first);
            visible.insert(conversation, items.map(|(seq, item)| (seq, item.sender, item.shown.clone())).collect());
        }
        visible
    }

    /// How far a user has read, and how much is unread.
    pub fn unread(&self, user: UserId, at: ConversationId) -> (u64, u64) {
        let read = self.read.get(&(user, at)).copied().unwrap_or(0);
        let from = self.unread_from.get(&(user, at)).copied().unwrap_or(read + 1);
        (read, self.counting(user, at).into_iter().filter(|seq| *seq >= from).count() as u64)
    }

    /// The places of what can be unread to a user: what others said.
    fn counting(&self, user: UserId, at: ConversationId) -> Vec<u64> {
        let first = self.first(user, at).unwrap();
        let counts =
            |(seq, item): &(u64, &Item)| *seq >= first && item.sender != user && matches!(item.shown, Shown::Said(_));
        (1..).zip(&self.logs[&at]).filter(counts).map(|(seq, _)| seq).collect()
    }

    /// The places of the entries that were added since the last call.
    pub fn take_new(&mut self) -> Vec<(ConversationId, u64)> {
        std::mem::take(&mut self.new)
    }

    fn remove(&mut self, actor: UserId, user: UserId, group: GroupId) {
        let conversation = ConversationId::Group(group);
        self.members.get_mut(&group).unwrap().remove(&user);
        self.deleted_to.remove(&(user, conversation));
        self.unread_from.remove(&(user, conversation));
        self.append(conversation, actor, Shown::Note);
        self.notice(user, actor);
    }

    /// One's other devices learn of it; of one's notices they need not.
    fn view_changed(&mut self, user: UserId, at: ConversationId) {
        if !matches!(at, ConversationId::Notices(_)) {
            self.notice(user, user);
        }
    }

    fn notice(&mut self, user: UserId, actor: UserId) {
        self.append(ConversationId::Notices(user), actor, Shown::Note);
    }

    fn append(&mut self, to: ConversationId, sender: UserId, shown: Shown) -> (u64, i64) {
        let log = self.logs.entry(to).or_default();
        let time = log.last().map_or(self.now, |last| self.now.max(last.time + 1));
        log.push(Item { sender, time, shown });
        let seq = log.len() as u64;
        self.new.push((to, seq));
        (seq, time)
    }

    fn last(&self, at: ConversationId) -> u64 {
        self.logs.get(&at).map_or(0, |log| log.len() as u64)
    }

    /// The first seq that a user may read; `None` for who is not in it, and where nothing was ever said.
    fn first(&self, user: UserId, at: ConversationId) -> Option<u64> {
        let join_seq = match at {
            ConversationId::Direct { low, high } => (low == user || high == user).then_some(1),
            ConversationId::Group(group) => self.members[&group].get(&user).copied(),
            ConversationId::Notices(owner) => (owner == user).then_some(1),
        }?;
        self.logs.contains_key(&at).then(|| {
            let deleted_to = self.deleted_to.get(&(user, at)).copied().unwrap_or(0);
            join_seq.max(deleted_to + 1)
        })
    }

    fn message(&mut self, user: UserId, at: ConversationId, seq: u64) -> Result<&mut Item, No> {
        let first = self.first(user, at).ok_or(No::Conversation)?;
        if seq < first || seq > self.last(at) {
            return Err(No::Message);
        }
        let item = &mut self.logs.get_mut(&at).unwrap()[usize::try_from(seq).unwrap() - 1];
        if item.shown == Shown::Note { Err(No::Message) } else { Ok(item) }
    }

    fn may_write(&self, user: UserId, to: ConversationId) -> Result<(), No> {
        match to {
            ConversationId::Direct { .. } => {
                let receiver = to.peer_of(user).unwrap();
                if self.blocked.contains(&(receiver, user)) { Err(No::Blocked) } else { Ok(()) }
            }
            ConversationId::Group(group) => {
                if self.members[&group].contains_key(&user) {
                    Ok(())
                } else {
                    Err(No::NotMember)
                }
            }
            // Never asked for: users do not send to notices, and nothing there is a message that could be edited.
            ConversationId::Notices(_) => Ok(()),
        }
    }
}
