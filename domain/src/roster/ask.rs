//! Becoming friends: asking, and answering.

use std::time::Duration;

use proto::store::{Contact, FriendPolicy, FriendRequest, Relation, UserSettings};
use proto::{entry, store};
use storage::{Batch, Home, Key, Rest, Scan, Table};

use super::{ContactKey, Roster};
use crate::caller::Caller;
use crate::conversations::Page;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::retry::Tries;
use crate::text::check_text;
use crate::{page, tables};

/// What goes with a request.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Why.
    pub reason: String,
    /// What the caller wants to call the other one; `None` leaves that as it is.
    pub remark: Option<String>,
    /// The answer to the other's question. `None` where the caller was not asked one: then the other is asked instead.
    pub answer: Option<String>,
}

impl Ask {
    /// A request with a reason, and nothing else.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

/// Somebody's request to a user, answered or not.
///
/// home: the user.  rest: the asker's id as u64.  value: `store.FriendRequest`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) asker: UserId,
}

impl Key for RequestKey {
    const TABLE: Table = tables::FRIEND_REQUEST;
    type Record = FriendRequest;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.asker.0);
    }
}

/// How often somebody answered a user's question wrongly of late.
///
/// home: the user.  rest: the asker's id as u64.  value: `store.AnswerAttempts`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttemptKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) asker: UserId,
}

impl Key for AttemptKey {
    const TABLE: Table = tables::ANSWER_ATTEMPT;
    type Record = store::AnswerAttempts;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.asker.0);
    }
}

/// What a request comes to.
enum Verdict {
    Befriend,
    AskThem,
}

impl Roster {
    /// Asks to become friends: at once where the other's policy is open or its question is answered, or where the other asked before.
    /// Answers [`Relation::Friend`] or [`Relation::Requested`].
    ///
    /// Asking again while the first request waits changes nothing but the remark.
    ///
    /// # Errors
    /// `NotFound(User)`; `Exists(Contact)` between friends; `Denied(Blocked)`, `Denied(RefusesFriends)`, `Denied(WrongAnswer)`;
    /// `Denied(MayNotAsk)` where the app forbids it to the caller; `Limited` after too many wrong answers; `Invalid`.
    pub async fn request(&self, caller: &Caller, user: UserId, ask: Ask) -> Result<Relation> {
        check_text("reason", &ask.reason, self.config.text_limit)?;
        check_text("remark", ask.remark.as_deref().unwrap_or_default(), self.config.name_limit)?;
        let (own, other) = self.two(caller, user)?;
        let asked = self.record(caller.app(), user).await?.settings.unwrap_or_default();
        let (mine, theirs) = (self.row(&own).await?, self.row(&other).await?);
        if mine.relation() == Relation::Friend && theirs.relation() == Relation::Friend {
            return Err(Error::Exists(Noun::Contact));
        }
        if theirs.blocked {
            return Err(Error::Denied(Denial::Blocked));
        }
        if self.record(caller.app(), own.user).await?.settings.is_some_and(|settings| settings.may_not_befriend) {
            return Err(Error::Denied(Denial::MayNotAsk));
        }
        // Somebody who asked, or who is a friend on the other side already, has consented.
        let consented = mine.relation() == Relation::Pending || theirs.relation() == Relation::Friend;
        let verdict = if consented { Verdict::Befriend } else { self.judge(&other, &asked, &ask).await? };
        let remark = |row: &mut Contact| {
            if let Some(remark) = &ask.remark {
                row.remark.clone_from(remark);
            }
        };
        if let Verdict::Befriend = verdict {
            self.befriend(caller, &own, &other, remark).await?;
            return Ok(Relation::Friend);
        }
        self.ask(caller, &own, &other, &ask, remark).await
    }

    /// Accepts a request.
    ///
    /// # Errors
    /// `NotFound(Request)` if there is none, or none any more; `Exists(Contact)` between friends.
    pub async fn accept(&self, caller: &Caller, user: UserId) -> Result<()> {
        let (own, other) = self.two(caller, user)?;
        match self.row(&own).await?.relation() {
            Relation::Pending => {}
            Relation::Friend => return Err(Error::Exists(Noun::Contact)),
            Relation::None | Relation::Requested => return Err(Error::NotFound(Noun::Request)),
        }
        self.change(&other, own.user, |row| row.relation = Relation::Friend as i32).await?;
        self.change(&own, own.user, |row| become_after(row, Relation::Pending)).await?;
        if self.row(&own).await?.relation() != Relation::Friend {
            // It was taken back in between.
            self.part(&own, &other).await?;
            return Err(Error::NotFound(Noun::Request));
        }
        self.tell(caller, user, entry::tip::Kind::FriendAccepted, "").await
    }

    /// Declines a request, and tells why.
    ///
    /// # Errors
    /// `NotFound(Request)` if there is none, or none any more; `Invalid`.
    pub async fn decline(&self, caller: &Caller, user: UserId, reason: &str) -> Result<()> {
        check_text("reason", reason, self.config.text_limit)?;
        let (own, other) = self.two(caller, user)?;
        if self.row(&own).await?.relation() != Relation::Pending {
            return Err(Error::NotFound(Noun::Request));
        }
        self.part(&own, &other).await?;
        self.tell(caller, user, entry::tip::Kind::FriendDeclined, reason).await
    }

    /// Requests to the caller by the asker's id, answered ones among them, for as long as they are kept.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is none.
    pub async fn requests(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<FriendRequest>> {
        let limit = limit.clamp(1, self.config.roster_page);
        let from = page::after(cursor)?;
        let scan = Scan::<RequestKey>::new(tables::user(caller.app(), caller.user()?), limit + 1).from(|rest| {
            rest.u64(from);
        });
        let requests = self.store.scan(scan).await?.into_iter().map(|row| row.record).collect();
        Ok(page::cut(requests, limit, |request: &FriendRequest| request.user))
    }

    /// Asks the other one. Two who ask each other at the same time are friends, in whatever order their rows are written.
    async fn ask(
        &self,
        caller: &Caller,
        own: &ContactKey,
        other: &ContactKey,
        ask: &Ask,
        remark: impl Fn(&mut Contact),
    ) -> Result<Relation> {
        let set = |row: &mut Contact| match row.relation() {
            Relation::None => {
                row.relation = Relation::Pending as i32;
                row.reason.clone_from(&ask.reason);
            }
            Relation::Requested => row.relation = Relation::Friend as i32,
            Relation::Friend | Relation::Pending => {}
        };
        let theirs_is_news = self.change(other, own.user, set).await?;
        let asked_before = self.row(own).await?.relation() == Relation::Requested;
        let set = |row: &mut Contact| {
            if row.relation() == Relation::None {
                row.relation = Relation::Requested as i32;
            }
            become_after(row, Relation::Pending);
            remark(row);
        };
        self.change(own, own.user, set).await?;
        if self.row(own).await?.relation() == Relation::Friend {
            self.befriend(caller, own, other, |_| ()).await?;
            return Ok(Relation::Friend);
        }
        if theirs_is_news || !asked_before {
            self.tell(caller, own.contact, entry::tip::Kind::FriendRequested, &ask.reason).await?;
        }
        Ok(Relation::Requested)
    }

    async fn befriend(
        &self,
        caller: &Caller,
        own: &ContactKey,
        other: &ContactKey,
        also: impl Fn(&mut Contact),
    ) -> Result<()> {
        let set = |row: &mut Contact| row.relation = Relation::Friend as i32;
        self.change(other, own.user, set).await?;
        let set = |row: &mut Contact| {
            row.relation = Relation::Friend as i32;
            also(row);
        };
        self.change(own, own.user, set).await?;
        self.tell(caller, own.contact, entry::tip::Kind::FriendAccepted, "").await
    }

    /// What the policy of the user who is asked comes to.
    async fn judge(&self, asked: &ContactKey, settings: &UserSettings, ask: &Ask) -> Result<Verdict> {
        match (settings.friend_policy(), &ask.answer) {
            (FriendPolicy::Open, _) => Ok(Verdict::Befriend),
            (FriendPolicy::Closed, _) => Err(Error::Denied(Denial::RefusesFriends)),
            // A question that has no answer cannot be answered rightly.
            (FriendPolicy::Question, Some(answer)) if !settings.auth_answer.is_empty() => {
                self.check_answer(asked, answer.trim() == settings.auth_answer.trim()).await
            }
            (FriendPolicy::Question | FriendPolicy::Confirm, _) => Ok(Verdict::AskThem),
        }
    }

    /// Lets a right answer pass, and counts a wrong one, so that answers cannot be found by trying.
    async fn check_answer(&self, asked: &ContactKey, right: bool) -> Result<Verdict> {
        let key = AttemptKey { app: asked.app, user: asked.user, asker: asked.contact };
        let mut tries = Tries::default();
        loop {
            let read = self.store.get(&key).await?;
            let wrong = read.as_ref().map_or(0, |attempts| attempts.wrong);
            if wrong >= self.config.answer_attempts {
                return Err(Error::Limited { retry_after: self.config.answer_window.min(Duration::from_secs(3600)) });
            }
            if right {
                return Ok(Verdict::Befriend);
            }
            let mut batch = Batch::new(key.home());
            let until = self.clock.now().plus(self.config.answer_window);
            batch.expect_unchanged(&key, read.as_ref()).put_expiring(
                &key,
                &store::AnswerAttempts { wrong: wrong + 1 },
                until,
            );
            if tries.settled(self.store.commit(batch).await).await? {
                return Err(Error::Denied(Denial::WrongAnswer));
            }
        }
    }
}

/// Makes a friend of somebody who is in this relation now.
fn become_after(row: &mut Contact, now: Relation) {
    if row.relation() == now {
        row.relation = Relation::Friend as i32;
    }
}
