//! Tasks: notices to many, sent a page at a time.
//!
//! A task and its place in the queue lie in one home, so they change together. What a page has done is counted in the commit that moves the
//! task's cursor on: a crash in between leaves the page to be sent again, to devices that recognise it by its collapse id.

use std::collections::HashMap;
use std::sync::Arc;

use proto::entry::{self, entry::Body};
use proto::store::{self, PushAudience, PushCount, PushKind, PushNotice, PushProvider, PushStrategy, PushTask};
use storage::{Batch, Key, Millis, Scan, State};

use super::keys::{QueuedKey, RequestKey, TaskKey, pushes};
use super::targets::{Delivery, Preference};
use super::{Push, invalid};
use crate::apps::AppKey;
use crate::caller::Caller;
use crate::counters::Sequence;
use crate::error::Result;
use crate::ids::{AppNumber, ConversationId, UserId, UserRef};
use crate::log::Draft;
use crate::retry::Tries;
use crate::tables;
use crate::text::check_text;
use crate::users::UserKey;

/// Most tasks that are taken up at once.
const MOST_DUE: usize = 100;

/// A notice to send to many.
#[derive(Debug, Clone, Default)]
pub struct NewTask {
    /// To whom; `users` stays empty.
    pub audience: PushAudience,
    /// Users of the audience. Those who do not exist are passed over.
    pub users: Vec<UserRef>,
    /// What.
    pub notice: PushNotice,
    /// How.
    pub strategy: PushStrategy,
    /// Which provider is tried where a device has several; without any, the domestic ones and then FCM.
    pub sequence: Vec<PushProvider>,
    /// A request under the same id is the same task; empty for none.
    pub request_id: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Accepted,
    /// It was sent, and the provider did not want it.
    Refused,
}

/// Some deliveries of a task, to be sent now.
#[derive(Debug)]
pub struct TaskPage {
    /// Whose.
    pub app: AppNumber,
    /// The task, as it was read.
    pub task: PushTask,
    /// What to send over providers.
    pub deliveries: Vec<Delivery>,
    /// To whom it goes over our own connections.
    own: Vec<UserId>,
    next: Option<store::PushCursor>,
}

impl Push {
    /// Takes up a notice to many, and answers its task's id. Privileged.
    ///
    /// Two homes change: the request id is claimed for a task first. A crash in between leaves a claim without a task; the same request
    /// once more makes it.
    ///
    /// # Errors
    /// `Invalid`, `Denied(Credential)`.
    pub async fn notify(&self, caller: &Caller, new: NewTask) -> Result<u64> {
        caller.require_privileged()?;
        self.check(&new)?;
        let app = caller.app();
        let fresh = self.parts.counters.next(app, Sequence::PushTasks).await?;
        let id = if new.request_id.is_empty() { fresh } else { self.claim(app, &new.request_id, fresh).await? };
        let now = self.parts.clock.now();
        let mut audience = new.audience;
        if !new.users.is_empty() {
            let found = self.parts.users.find_many(caller, &new.users).await?;
            audience.users = found.into_iter().flatten().map(|user| user.id).collect();
        }
        let nobody = audience == PushAudience::default();
        let due = new.notice.show_from.max(now.0);
        let sequence = new.sequence.iter().map(|provider| *provider as i32).collect();
        let collapse = format!("task-{id}");
        let task = PushTask {
            id,
            audience: Some(audience),
            notice: Some(PushNotice { collapse, ..new.notice }),
            strategy: new.strategy as i32,
            sequence,
            created: now.0,
            due,
            finished: nobody,
            ..PushTask::default()
        };
        let key = TaskKey { app, task: id };
        let mut batch = Batch::new(key.home());
        batch.expect(&key, State::Absent).put_expiring(&key, &task, self.gone_at(&task));
        if !nobody {
            batch.put(&QueuedKey { app, due, task: id }, &store::PushQueued { task: id });
        }
        match self.parts.store.commit(batch).await {
            // The request was there before: nothing is sent again.
            Ok(()) | Err(storage::Error::Conflict) => Ok(id),
            Err(error) => Err(error.into()),
        }
    }

    /// How tasks stand. Those that do not exist, or not any more, are left out. Privileged.
    ///
    /// # Errors
    /// `Invalid` for too many ids, `Denied(Credential)`.
    pub async fn tasks(&self, caller: &Caller, ids: &[u64]) -> Result<Vec<PushTask>> {
        caller.require_privileged()?;
        let most = self.parts.config.push_audience;
        if ids.len() > most {
            return Err(invalid("list", format!("must be at most {most}")));
        }
        let keys: Vec<_> = ids.iter().map(|&task| TaskKey { app: caller.app(), task }).collect();
        Ok(self.parts.store.get_many(&keys).await?.into_iter().flatten().collect())
    }

    /// Tasks whose time has come, for the machine's own workers.
    ///
    /// # Errors
    /// What the store says.
    pub async fn due_tasks(&self) -> Result<Vec<(AppNumber, u64)>> {
        let apps = self.parts.store.scan(Scan::<AppKey<'_>>::new(tables::root(), usize::MAX)).await?;
        let now = u64::try_from(self.parts.clock.now().0).unwrap_or_default();
        let mut due = Vec::new();
        for app in apps.iter().map(|row| AppNumber(row.record.number)) {
            let scan = Scan::<QueuedKey>::new(pushes(app), MOST_DUE).to(|rest| {
                rest.u64(now + 1);
            });
            due.extend(self.parts.store.scan(scan).await?.into_iter().map(|row| (app, row.record.task)));
        }
        Ok(due)
    }

    /// The next page of a task; `None` once there is none.
    ///
    /// # Errors
    /// What the store says.
    pub async fn page_of_task(&self, app: AppNumber, id: u64) -> Result<Option<TaskPage>> {
        let Some(task) = self.parts.store.get(&TaskKey { app, task: id }).await?.filter(|task| !task.finished) else {
            return Ok(None);
        };
        let mut notice = task.notice.clone().unwrap_or_default();
        if task.attempts > 0 && !notice.badge_set {
            // Another attempt counts no further.
            notice.badge = 0;
        }
        let notice = Arc::new(notice);
        let mut page = TaskPage { app, task, deliveries: Vec::new(), own: Vec::new(), next: None };
        let late = notice.show_until > 0 && self.parts.clock.now().0 >= notice.show_until;
        if late {
            return Ok(Some(page));
        }
        let part = {
            let task = &page.task;
            let audience = task.audience.clone().unwrap_or_default();
            self.part(app, &audience, &task.cursor.clone().unwrap_or_default()).await?
        };
        page.next = part.next;
        let channels = self.channels_of(app).await?;
        let users: Vec<_> = part.targets.iter().map(|&(user, _)| UserKey { app, user }).collect();
        let users = self.parts.store.get_many(&users).await?;
        for (user, (id, device)) in users.into_iter().zip(part.targets) {
            let Some(user) = user.filter(|user| self.may_disturb(user, notice.kind())) else { continue };
            let idle = self.split(&mut page, id, device.as_deref()).await?;
            let sequence: Vec<_> = page.task.sequence().collect();
            let preference = Preference::Sequence(if sequence.is_empty() { &SEQUENCE } else { &sequence });
            let idle: Vec<_> = idle.iter().collect();
            let made = self.deliveries(app, &channels, (&user, &idle), &notice, preference).await?;
            // Nothing else reaches this user: the notice waits in the log.
            let waits = made.is_empty() && page.task.strategy() == PushStrategy::Combined;
            if waits && page.own.last() != Some(&id) {
                page.own.push(id);
            }
            page.deliveries.extend(made);
        }
        Ok(Some(page))
    }

    /// Puts a user onto the page's own list, if our own connections serve, and tells the devices that providers are for.
    async fn split(&self, page: &mut TaskPage, user: UserId, device: Option<&str>) -> Result<Vec<store::PushDevice>> {
        if page.task.strategy() == PushStrategy::Own {
            page.own.push(user);
            return Ok(Vec::new());
        }
        let devices = self.devices_now(page.app, user).await?;
        let to_all = page.task.strategy() == PushStrategy::Providers;
        let meant = devices.all.into_iter().filter(|(kept, _)| device.is_none_or(|device| kept.name == device));
        let (connected, idle): (Vec<_>, Vec<_>) = meant.partition(|(_, connected)| *connected && !to_all);
        if !to_all && (!connected.is_empty() || (device.is_none() && devices.online && idle.is_empty())) {
            page.own.push(user);
        }
        Ok(idle.into_iter().map(|(device, _)| device).collect())
    }

    /// Notes what became of a page, in the order of its deliveries, and moves on; says whether there is more to do.
    ///
    /// # Errors
    /// What the store says; the page is then sent once more.
    pub async fn settle_page(&self, page: TaskPage, outcomes: &[Outcome]) -> Result<bool> {
        let notice = page.task.notice.clone().unwrap_or_default();
        for user in &page.own {
            self.hand_over(page.app, *user, page.task.id, &notice).await?;
        }
        let mut counts: HashMap<i32, PushCount> =
            page.task.counts.iter().map(|count| (count.provider, *count)).collect();
        let mut count = |provider: PushProvider, received: bool| {
            let kept = counts.entry(provider as i32).or_default();
            kept.provider = provider as i32;
            kept.target += 1;
            kept.sent += 1;
            kept.received += u64::from(received);
        };
        page.own.iter().for_each(|_| count(PushProvider::Unspecified, true));
        for (delivery, outcome) in page.deliveries.iter().zip(outcomes) {
            count(delivery.channel.provider(), *outcome == Outcome::Accepted);
        }
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_by_key(|count| count.provider);
        let finished = page.next.is_none();
        let after = PushTask { counts, cursor: page.next, attempts: 0, finished, ..page.task.clone() };
        self.move_on(page.app, &page.task, after).await?;
        Ok(!finished)
    }

    /// Notes that nothing of a page could be sent, and that it is to be tried again at `due`.
    ///
    /// # Errors
    /// What the store says; it is then tried again at once.
    pub async fn postpone_page(&self, page: &TaskPage, due: Millis) -> Result<()> {
        let attempts = page.task.attempts + 1;
        self.move_on(page.app, &page.task, PushTask { attempts, due: due.0, ..page.task.clone() }).await
    }

    async fn move_on(&self, app: AppNumber, before: &PushTask, after: PushTask) -> Result<()> {
        let key = TaskKey { app, task: before.id };
        let mut batch = Batch::new(key.home());
        batch.expect_unchanged(&key, Some(before)).put_expiring(&key, &after, self.gone_at(&after));
        if after.finished || after.due != before.due {
            batch.delete(&QueuedKey { app, due: before.due, task: before.id });
        }
        if !after.finished && after.due != before.due {
            batch.put(&QueuedKey { app, due: after.due, task: before.id }, &store::PushQueued { task: before.id });
        }
        match self.parts.store.commit(batch).await {
            // Another worker was faster.
            Ok(()) | Err(storage::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// From when on nobody can ask what became of a task.
    fn gone_at(&self, task: &PushTask) -> Millis {
        Millis(task.created.max(task.due)).plus(self.parts.config.push_task_kept)
    }

    /// Takes a task out of the queue whose own row is gone: it was kept for its time only.
    ///
    /// # Errors
    /// What the store says.
    pub async fn drop_task(&self, app: AppNumber, id: u64) -> Result<()> {
        let rows = self.parts.store.scan(Scan::<QueuedKey>::new(pushes(app), usize::MAX)).await?;
        let mut batch = Batch::new(pushes(app));
        for row in rows.iter().filter(|row| row.record.task == id) {
            let due = row.rest.first_chunk().map_or(0, |due| u64::from_be_bytes(*due));
            batch.delete(&QueuedKey { app, due: i64::try_from(due).unwrap_or(i64::MAX), task: id });
        }
        if !batch.is_empty() {
            self.parts.store.commit(batch).await?;
        }
        Ok(())
    }

    /// Tells a user's connected devices, now or when they come back, through the user's notices. Once, however often it is called.
    async fn hand_over(&self, app: AppNumber, user: UserId, task: u64, notice: &PushNotice) -> Result<()> {
        let Some(record) = self.parts.directory.by_number(app).await? else { return Ok(()) };
        let command = notice.kind() == PushKind::Command;
        let text = if notice.body.is_empty() || command { notice.title.clone() } else { notice.body.clone() };
        let data = serde_json::json!({
            "push": task,
            "type": match notice.kind() { PushKind::Text => "text", PushKind::Image => "image", PushKind::Command => "cmd" },
            "title": notice.title,
            "body": notice.body,
            "attachment_url": notice.attachment,
            "ext": serde_json::from_str::<serde_json::Value>(&notice.extension).unwrap_or_default(),
        });
        let kind = entry::tip::Kind::System.into();
        let tip = entry::Tip { kind, users: vec![user.0], text, data: data.to_string(), ..entry::Tip::default() };
        let draft =
            Draft { sender: UserId(0), client_msg_id: format!("push-{task}"), body: Body::Tip(tip), more: None };
        self.parts.log.write(&record, ConversationId::Notices(user), draft).await.map(|_| ())
    }

    /// The task that a request id stands for: `fresh`, if it is new.
    async fn claim(&self, app: AppNumber, request: &str, fresh: u64) -> Result<u64> {
        let key = RequestKey::new(app, request);
        let mut tries = Tries::default();
        loop {
            if let Some(claimed) = self.parts.store.get(&key).await? {
                return Ok(claimed.task);
            }
            let expires = self.parts.clock.now().plus(self.parts.config.dedupe_window);
            let mut batch = Batch::new(key.home());
            batch.expect(&key, State::Absent).put_expiring(&key, &store::PushRequest { task: fresh }, expires);
            if tries.settled(self.parts.store.commit(batch).await).await? {
                return Ok(fresh);
            }
        }
    }

    fn check(&self, new: &NewTask) -> Result<()> {
        let PushAudience { all, tags, aliases, push_tokens, .. } = &new.audience;
        let lengths = [tags.len(), aliases.len(), push_tokens.len(), new.users.len()];
        if usize::from(*all) + lengths.iter().filter(|length| **length > 0).count() != 1 {
            return Err(invalid("audience", "must be all, or one list that is not empty"));
        }
        let most = self.parts.config.push_audience;
        if lengths.iter().any(|length| *length > most) {
            return Err(invalid("audience", format!("must name at most {most}")));
        }
        check_text("request_id", &new.request_id, 128)?;
        let limit = self.parts.config.push_notice_limit.bytes();
        if proto::Message::encoded_len(&new.notice) > limit {
            return Err(invalid("message", format!("is longer than {limit} bytes")));
        }
        let PushNotice { show_from, show_until, .. } = new.notice;
        if show_until > 0 && show_until <= show_from.max(self.parts.clock.now().0) {
            return Err(invalid("show_until", "must be in the future, and after the begin"));
        }
        Ok(())
    }
}

/// Domestic providers first, as maxim's document says.
const SEQUENCE: [PushProvider; 6] = [
    PushProvider::Xiaomi,
    PushProvider::Huawei,
    PushProvider::Meizu,
    PushProvider::Oppo,
    PushProvider::Vivo,
    PushProvider::Fcm,
];
