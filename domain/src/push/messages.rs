//! Messages: whom a message's push goes to, and what it says.

use std::sync::Arc;

use proto::entry::entry::Body;
use proto::entry::{Content, Entry};
use proto::store::{self, PushNotice};
use storage::Millis;

use super::targets::{Delivery, Preference};
use super::{Push, words};
use crate::conversations::{MembershipKey, WatermarkKey};
use crate::error::Result;
use crate::groups::{GroupKey, MemberKey, role_in};
use crate::ids::{AppNumber, ConversationId, GroupId, UserId};
use crate::outbox::Task;
use crate::users::{UserKey, uid_of};

/// The deliveries of a message to some of its recipients.
#[derive(Debug, Default)]
pub struct MessagePage {
    /// What to send.
    pub deliveries: Vec<Delivery>,
    /// Users of this page who have a device that was connected, and got the message that way.
    pub connected: Vec<UserId>,
    /// The last user of this page, if there are more.
    pub next: Option<UserId>,
}

/// A message on its way to phones.
struct Message<'a> {
    app: AppNumber,
    conversation: ConversationId,
    entry: &'a Entry,
    content: &'a Content,
    channels: Vec<Arc<store::PushChannel>>,
    /// Whether its author leads the group.
    by_leader: bool,
    shown: Arc<PushNotice>,
    /// For users who do not want to read it on the lock screen.
    hidden: Arc<PushNotice>,
}

impl Push {
    /// Whom a message's push goes to, after one user of it. Not to its author, to whoever has read it or does not want it, and not to devices
    /// that are connected.
    ///
    /// # Errors
    /// What the store says.
    pub async fn page_of_message(&self, task: &Task, entry: &Entry, after: Option<UserId>) -> Result<MessagePage> {
        let Some(Body::Message(content)) = &entry.body else { return Ok(MessagePage::default()) };
        let channels = self.channels_of(task.app).await?;
        let users = self.recipients(task, after).await?;
        if channels.is_empty() || users.is_empty() {
            return Ok(MessagePage::default());
        }
        let size = self.parts.config.push_page;
        let next = (users.len() > size).then(|| users[size - 1]);
        let users = &users[..users.len().min(size)];
        let message = self.message(task, entry, content, channels).await?;
        let mut page = MessagePage { next, ..MessagePage::default() };
        for user in self.willing(&message, users).await? {
            let id = UserId(user.id);
            let devices = self.devices_now(task.app, id).await?;
            if devices.all.iter().any(|(_, connected)| *connected) {
                page.connected.push(id);
            }
            let idle: Vec<_> =
                devices.all.iter().filter(|(_, connected)| !connected).map(|(device, _)| device).collect();
            let hides = user.settings.as_ref().is_some_and(|settings| settings.no_push_detail);
            let notice = if hides { &message.hidden } else { &message.shown };
            let sent = (&user, &idle[..]);
            let made = self.deliveries(task.app, &message.channels, sent, notice, Preference::Latest).await?;
            page.deliveries.extend(made);
        }
        Ok(page)
    }

    /// Notes that a message's push is done, but for users to whom it could not be sent: they are tried again at a time of their own.
    /// Users who were connected are looked at once more: a phone that fell asleep counts as connected for a while, and then has got nothing.
    ///
    /// # Errors
    /// What the store says; it is then done once more.
    pub async fn message_done(
        &self,
        task: &Task,
        connected: Vec<UserId>,
        (failed, retry): (Vec<UserId>, Millis),
    ) -> Result<()> {
        let second_look = self.parts.config.push_second_look;
        let looked_again = task.state.looked_again || second_look.is_zero();
        let connected = if looked_again { Vec::new() } else { connected };
        let has_failed = !failed.is_empty();
        let mut left: Vec<u64> = connected.into_iter().chain(failed).map(|user| user.0).collect();
        left.sort_unstable();
        left.dedup();
        if left.is_empty() {
            return self.parts.outbox.done(task).await;
        }
        let state = if has_failed {
            let attempts = task.state.attempts + 1;
            store::Outbox { users: left, due: retry.0, attempts, looked_again, ..task.state.clone() }
        } else {
            let due = self.parts.clock.now().plus(second_look).0;
            store::Outbox { users: left, due, looked_again: true, ..task.state.clone() }
        };
        self.parts.outbox.keep(task, state).await
    }

    /// One more user than fit onto a page, if there are that many.
    async fn recipients(&self, task: &Task, after: Option<UserId>) -> Result<Vec<UserId>> {
        let members: Arc<[UserId]> = match task.conversation {
            _ if !task.state.users.is_empty() => task.state.users.iter().map(|user| UserId(*user)).collect(),
            ConversationId::Direct { low, high } => [low, high].into(),
            ConversationId::Notices(user) => [user].into(),
            ConversationId::Group(group) => self.parts.events.members(task.app, group, None).await?,
        };
        let first = after.map_or(0, |after| members.partition_point(|user| *user <= after));
        Ok(members[first..].iter().take(self.parts.config.push_page + 1).copied().collect())
    }

    async fn message<'a>(
        &self,
        task: &Task,
        entry: &'a Entry,
        content: &'a Content,
        channels: Vec<Arc<store::PushChannel>>,
    ) -> Result<Message<'a>> {
        let Task { app, conversation, .. } = *task;
        let group = match conversation {
            ConversationId::Group(group) => self.parts.store.get(&GroupKey { app, group }).await?,
            ConversationId::Direct { .. } | ConversationId::Notices(_) => None,
        };
        let sender = self.parts.store.get(&UserKey { app, user: UserId(entry.sender) }).await?;
        let name = sender.as_ref().map(shown_name).unwrap_or_default();
        let title = group.as_ref().map_or_else(|| name.clone(), |group| group.name.clone());
        let said = words::line(content);
        let body = if group.is_some() && !name.is_empty() { format!("{name}: {said}") } else { said };
        let notice = PushNotice {
            title,
            body,
            // Another attempt counts no further.
            badge: i32::from(task.state.attempts == 0),
            extension: extension(conversation, entry),
            collapse: entry.message_id.to_string(),
            ..PushNotice::default()
        };
        let hidden =
            PushNotice { title: String::new(), body: self.parts.config.push_hidden_text.clone(), ..notice.clone() };
        let by_leader = match &group {
            Some(record) => entry.sender == 0 || self.leads(app, record, UserId(entry.sender)).await?,
            None => false,
        };
        let (shown, hidden) = (Arc::new(notice), Arc::new(hidden));
        Ok(Message { app, conversation, entry, content, channels, by_leader, shown, hidden })
    }

    async fn leads(&self, app: AppNumber, group: &store::Group, user: UserId) -> Result<bool> {
        let member = self.parts.store.get(&MemberKey { app, group: GroupId(group.id), user }).await?;
        Ok(member.is_some_and(|member| role_in(group, &member) != store::Role::Member))
    }

    /// Those of these users who want to hear of the message.
    async fn willing(&self, message: &Message<'_>, users: &[UserId]) -> Result<Vec<store::User>> {
        let Message { app, conversation, entry, .. } = *message;
        let (keys, memberships): (Vec<_>, Vec<_>) =
            users.iter().map(|&user| (UserKey { app, user }, MembershipKey { app, user, conversation })).unzip();
        let marks: Vec<_> = users.iter().map(|&user| WatermarkKey { app, conversation, user }).collect();
        let records = self.parts.store.get_many(&keys).await?;
        let memberships = self.parts.store.get_many(&memberships).await?;
        let marks = self.parts.store.get_many(&marks).await?;
        let candidates = records.into_iter().zip(memberships).zip(marks);
        let wants = |((user, membership), mark): ((Option<store::User>, Option<store::Membership>), Option<_>)| {
            let (user, membership) = (user?, membership?);
            let read = mark.is_some_and(|mark: store::Watermark| mark.seq >= entry.seq);
            let wanted = user.id != entry.sender && !read && message.is_wanted(&user, &membership);
            (wanted && self.may_disturb(&user, message.shown.kind())).then_some(user)
        };
        Ok(candidates.filter_map(wants).collect())
    }
}

impl Message<'_> {
    /// Whether a member wants to hear of it, by the conversation's own settings. Whoever is mentioned by name hears of it in spite of a mute.
    fn is_wanted(&self, user: &store::User, membership: &store::Membership) -> bool {
        use store::{Mute, PushMode};

        let named = self.content.mentions.contains(&user.id);
        let mentioned = named || self.content.mention_all;
        match membership.push_mode() {
            PushMode::All => named || membership.mute() == Mute::None,
            PushMode::None => false,
            PushMode::AdminsAndMentions => self.by_leader || mentioned,
            PushMode::Admins => self.by_leader,
            PushMode::Mentions => mentioned,
        }
    }
}

/// What a sender is called on other people's phones.
fn shown_name(user: &store::User) -> String {
    let settings = user.settings.as_ref().map(|settings| settings.push_nick_name.as_str());
    let profile = user.profile.as_ref().map(|profile| profile.name.as_str());
    let named = [settings, profile].into_iter().flatten().find(|name| !name.is_empty());
    named.map_or_else(|| uid_of(user), str::to_owned)
}

/// What the app needs to open the conversation.
fn extension(conversation: ConversationId, entry: &Entry) -> String {
    let (kind, id) = match conversation {
        ConversationId::Direct { .. } => ("direct", entry.sender),
        ConversationId::Group(group) => ("group", group.0),
        ConversationId::Notices(user) => ("notices", user.0),
    };
    let linnet = serde_json::json!({
        "conversation": kind, "id": id, "seq": entry.seq, "message_id": entry.message_id, "sender": entry.sender,
    });
    serde_json::json!({ "linnet": linnet }).to_string()
}
