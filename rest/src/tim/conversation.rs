//! Naming conversations: `C2C` and a userID, `GROUP` and a groupID, `@TIM#SYSTEM`.

use domain::groups::gid_of;
use domain::users::uid_of;
use domain::{ConversationId, Denial, GroupId, GroupRef, Noun, UserId, UserRef, record};

use super::Error;
use crate::context::Cx;

/// The kind of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Direct,
    Group,
    System,
}

impl Kind {
    /// Its name, which also begins a conversationID.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "C2C",
            Self::Group => "GROUP",
            Self::System => "@TIM#SYSTEM",
        }
    }

    /// By its name, or by the name of the SDK's constant, which the document gives too.
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "C2C" | "TIM.TYPES.CONV_C2C" => Ok(Self::Direct),
            "GROUP" | "TIM.TYPES.CONV_GROUP" => Ok(Self::Group),
            "@TIM#SYSTEM" | "TIM.TYPES.CONV_SYSTEM" => Ok(Self::System),
            _ => Err(Error::parameter("conversationType: must be C2C, GROUP or @TIM#SYSTEM")),
        }
    }
}

/// A conversation, with what it is called.
#[derive(Debug)]
pub(super) struct Target {
    pub id: ConversationId,
    /// Whom it is with.
    pub with: With,
}

/// Whom a conversation is with, from the caller's side.
#[derive(Debug)]
pub(super) enum With {
    User(Box<record::User>),
    Group(Box<record::Group>),
    System,
}

impl Target {
    pub(super) fn kind(&self) -> Kind {
        match self.with {
            With::User(_) => Kind::Direct,
            With::Group(_) => Kind::Group,
            With::System => Kind::System,
        }
    }

    /// The userID or groupID.
    pub(super) fn name(&self) -> String {
        match &self.with {
            With::User(user) => uid_of(user),
            With::Group(group) => gid_of(group),
            With::System => String::new(),
        }
    }

    /// The conversationID.
    pub(super) fn full_name(&self) -> String {
        format!("{}{}", self.kind().name(), self.name())
    }
}

/// What the SDK calls how much a user wants to hear of a conversation.
pub(super) fn remind_type(mute: record::Mute) -> &'static str {
    match mute {
        record::Mute::None => "AcceptAndNotify",
        record::Mute::Notifications => "AcceptNotNotify",
        record::Mute::Messages => "Discard",
    }
}

/// Finds a conversation by its kind and whom it is with.
pub(super) async fn find(cx: &Cx, kind: Kind, name: &str) -> Result<Target, Error> {
    let me = cx.caller.user()?;
    Ok(match kind {
        Kind::Direct => {
            let user = cx.domain.users.find(&cx.caller, &UserRef::Uid(name.to_owned())).await?;
            Target { id: ConversationId::direct(me, UserId(user.id)), with: With::User(Box::new(user)) }
        }
        Kind::Group => {
            let group = cx.domain.groups.find(&cx.caller, &GroupRef::Gid(name.to_owned())).await?;
            Target { id: ConversationId::Group(GroupId(group.id)), with: With::Group(Box::new(group)) }
        }
        Kind::System => Target { id: ConversationId::Notices(me), with: With::System },
    })
}

/// Finds a conversation by its conversationID.
pub(super) async fn find_by_id(cx: &Cx, id: &str) -> Result<Target, Error> {
    for kind in [Kind::System, Kind::Direct, Kind::Group] {
        match id.strip_prefix(kind.name()) {
            Some("") if kind != Kind::System => break,
            Some(name) => return find(cx, kind, name).await,
            None => {}
        }
    }
    Err(Error::parameter("conversationID: must be C2C and a userID, GROUP and a groupID, or @TIM#SYSTEM"))
}

/// An outcome of using a conversation; nothing where nothing was said yet, which is no error to ask about.
///
/// A group's log begins with the group, so who does not find it is outside.
pub(super) fn unless_new<T: Default>(target: &Target, outcome: domain::Result<T>) -> Result<T, Error> {
    match outcome {
        Err(domain::Error::NotFound(Noun::Conversation)) if target.kind() == Kind::Group => {
            Err(domain::Error::Denied(Denial::NotMember).into())
        }
        Err(domain::Error::NotFound(Noun::Conversation)) => Ok(T::default()),
        outcome => Ok(outcome?),
    }
}
