//! Why the product says no, named by what a caller can do about it.

use std::time::Duration;

/// The one error of every domain call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A field is missing, too long or out of range.
    #[error("{field}: {message}")]
    Invalid {
        /// Name of the field, as the domain calls it; a dialect may translate.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The credential is wrong, expired or revoked.
    #[error("not authenticated: {0}")]
    Unauthenticated(&'static str),
    /// The caller may not do this.
    #[error("{0}")]
    Denied(Denial),
    /// There is no such thing, or none that the caller may know of.
    #[error("{0} not found")]
    NotFound(Noun),
    /// The thing exists already.
    #[error("{0} exists already")]
    Exists(Noun),
    /// The same client_msg_id was used for another content.
    #[error("this client_msg_id was used for another message")]
    Reused,
    /// Too fast or too busy; nothing happened.
    #[error("too many requests")]
    Limited {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The store cannot be reached; whether the call took effect is unknown.
    #[error("the store is unavailable")]
    Unavailable(#[source] storage::Error),
    /// The disk is full; nothing happened.
    #[error("the disk is full")]
    Full,
}

/// Why a call is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denial {
    /// The caller is not a user, where one is needed, or not the app, where that is needed.
    #[error("this credential may not do that")]
    Credential,
    /// The user is disabled.
    #[error("the user is disabled")]
    Disabled,
    /// The receiver has blocked the sender.
    #[error("the receiver does not accept messages from this user")]
    Blocked,
    /// The app lets friends only talk, and these are none.
    #[error("the users are not friends")]
    NotFriends,
    /// The receiver refuses all friend requests.
    #[error("the user refuses friend requests")]
    RefusesFriends,
    /// The answer to the user's question is wrong.
    #[error("the answer is wrong")]
    WrongAnswer,
    /// The app lets this user ask nobody to become a friend.
    #[error("this user may not ask for friends")]
    MayNotAsk,
    /// The caller is not a member.
    #[error("not a member")]
    NotMember,
    /// A group admin is needed.
    #[error("only the owner or an admin may do that")]
    NotAdmin,
    /// The group's owner is needed.
    #[error("only the owner may do that")]
    NotOwner,
    /// The group's owner cannot do this before handing the group over.
    #[error("the owner cannot leave the group")]
    OwnerCannotLeave,
    /// The member or the whole group is muted.
    #[error("muted")]
    Muted,
    /// A word of the message is not let through, or the app's own server refused it.
    #[error("the message is not let through")]
    Censored,
    /// The message is not the caller's own.
    #[error("not the author")]
    NotAuthor,
    /// The message is too old for this.
    #[error("too late")]
    TooLate,
    /// The group takes no more members.
    #[error("the group is full")]
    GroupFull,
    /// The app makes its users itself.
    #[error("this app lets nobody register")]
    RegistrationClosed,
    /// The group does not let people join by themselves.
    #[error("the group cannot be joined")]
    JoinClosed,
    /// The user is on the group's block list.
    #[error("the group has blocked the user")]
    Barred,
    /// The application or invitation has had its answer.
    #[error("answered already")]
    Answered,
    /// The code has had its time.
    #[error("the code has expired")]
    Expired,
    /// Something has to go before another one can come.
    #[error("there are as many as there may be")]
    TooMany,
}

/// What was not found, or exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noun {
    /// An app.
    App,
    /// A user.
    User,
    /// A login name.
    Username,
    /// A mobile number.
    Mobile,
    /// A mail address.
    Email,
    /// An account at another system.
    Account,
    /// A text that was left under a code.
    Handover,
    /// A device.
    Device,
    /// A contact.
    Contact,
    /// A friend request.
    Request,
    /// A group.
    Group,
    /// A member of a group.
    Member,
    /// A conversation.
    Conversation,
    /// A message.
    Message,
    /// An uploaded file.
    File,
    /// A desk of customer service.
    Store,
    /// A request to join a group.
    Application,
    /// An invitation into a group.
    Invitation,
    /// A code that lets users join a group.
    JoinCode,
    /// A group's announcement.
    Announcement,
    /// A file that members of a group share.
    SharedFile,
}

impl std::fmt::Display for Noun {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::App => "app",
            Self::User => "user",
            Self::Username => "username",
            Self::Mobile => "mobile number",
            Self::Email => "mail address",
            Self::Account => "account",
            Self::Handover => "code",
            Self::Device => "device",
            Self::Contact => "contact",
            Self::Request => "friend request",
            Self::Group => "group",
            Self::Member => "member",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::File => "file",
            Self::Store => "store",
            Self::Application => "application",
            Self::Invitation => "invitation",
            Self::JoinCode => "code",
            Self::Announcement => "announcement",
            Self::SharedFile => "file",
        })
    }
}

impl Error {
    /// Whether a race was lost, and nothing happened. Never leaves this crate: whoever sees it reads again and decides anew.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Unavailable(storage::Error::Conflict))
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Full => Self::Full,
            storage::Error::Overloaded => Self::Limited { retry_after: Duration::from_millis(500) },
            other => Self::Unavailable(other),
        }
    }
}

/// A domain call's outcome.
pub type Result<T> = std::result::Result<T, Error>;
