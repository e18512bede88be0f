//! Finding the conversation with a user or a group by number.
//!
//! The system gives users and groups numbers from one range, so it asks for a number only. Linnet's ranges overlap where an app chose so:
//! then `type` decides, and without it the user does, unless the caller talks with the group only.

use domain::{ConversationId, Denial, GroupId, GroupRef, Noun, UserId, UserRef};

use super::{Error, Reply};
use crate::context::Cx;
use crate::names::{number_of_group, number_of_user};

/// What a number is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
}

impl Kind {
    /// 1 or 2.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Group => 2,
        }
    }

    /// From 1 or 2.
    pub(super) fn parse(number: u64) -> Result<Self, Error> {
        match number {
            1 => Ok(Self::User),
            2 => Ok(Self::Group),
            _ => Err(Error::parameter("type: must be 1 (user) or 2 (group)")),
        }
    }
}

/// A conversation, with the number of whom it is with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub id: ConversationId,
    pub number: u64,
}

/// The conversation with a user.
pub(super) async fn with_user(cx: &Cx, number: u64) -> Reply<Target> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Number(number)).await?;
    let id = ConversationId::direct(cx.caller.user()?, UserId(user.id));
    Ok(Target { id, number: number_of_user(&user) })
}

/// The number of the conversation in which the app itself speaks.
pub(super) const SYSTEM: u64 = 0;

/// The caller's own notices.
pub(super) fn system(cx: &Cx) -> Reply<Target> {
    Ok(Target { id: ConversationId::Notices(cx.caller.user()?), number: SYSTEM })
}

/// A user's notices.
pub(super) async fn notices_of(cx: &Cx, number: u64) -> Reply<Target> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Number(number)).await?;
    Ok(Target { id: ConversationId::Notices(UserId(user.id)), number: SYSTEM })
}

/// The conversation of a group. Whether the caller is in it, using it tells.
pub(super) async fn with_group(cx: &Cx, number: u64) -> Reply<Target> {
    let group = cx.domain.groups.find(&cx.caller, &GroupRef::Number(number)).await?;
    Ok(Target { id: ConversationId::Group(GroupId(group.id)), number: number_of_group(&group) })
}

/// The conversation with whatever has this number.
pub(super) async fn with(cx: &Cx, number: u64, kind: Option<Kind>) -> Reply<Target> {
    match kind {
        Some(Kind::User) => return with_user(cx, number).await,
        Some(Kind::Group) => return with_group(cx, number).await,
        None if number == SYSTEM => return system(cx),
        None => {}
    }
    let user = found(with_user(cx, number).await)?;
    let group = found(with_group(cx, number).await)?;
    match (user, group) {
        (Some(user), None) => Ok(user),
        (None, Some(group)) => Ok(group),
        (Some(user), Some(group)) => {
            let takes_group = !is_open(cx, user).await? && is_open(cx, group).await?;
            Ok(if takes_group { group } else { user })
        }
        (None, None) => Err(domain::Error::NotFound(Noun::User).into()),
    }
}

/// What it means that the caller has no such conversation: nothing was said yet, or the caller is not in the group.
pub(super) fn unless_outside(target: Target) -> Result<(), Error> {
    match target.id {
        ConversationId::Group(_) => Err(domain::Error::Denied(Denial::NotMember).into()),
        ConversationId::Direct { .. } | ConversationId::Notices(_) => Ok(()),
    }
}

/// An outcome of using a conversation; nothing where nothing was said yet, which is no error to ask about.
pub(super) fn unless_new<T: Default>(target: Target, outcome: domain::Result<T>) -> Reply<T> {
    match outcome {
        Err(domain::Error::NotFound(Noun::Conversation)) => unless_outside(target).map(|()| T::default()),
        outcome => Ok(outcome?),
    }
}

async fn is_open(cx: &Cx, target: Target) -> Reply<bool> {
    match cx.domain.conversations.get(&cx.caller, target.id).await {
        Ok(_) => Ok(true),
        Err(domain::Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn found(outcome: Reply<Target>) -> Reply<Option<Target>> {
    match outcome {
        Ok(target) => Ok(Some(target)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
