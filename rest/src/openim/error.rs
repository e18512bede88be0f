//! Everything that goes wrong in openim: an HTTP status, an `errCode` and an `errMsg`.

use domain::{Denial, Noun};
use serde::Serialize;

use crate::dialect::Fault;

/// A fixed refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    code: i32,
    message: &'static str,
}

impl Refusal {
    /// A wrong token, as most paths say it.
    pub(super) const PARSE_TOKEN: Self = Self::new(200, 200, "Parse token failed");
    /// A wrong token, as paths about users say it: the original passes on what its token library says.
    pub(super) const HANDLE_TOKEN: Self = Self::new(200, 200, "couldn't handle this token");
    /// No administrator's token, as paths about users say it.
    pub(super) const NOT_AUTHORIZED: Self = Self::new(200, 401, "not authorized");
    /// A wrong token at `/manager/send_msg`.
    pub(super) const SEND_TOKEN: Self = Self::new(400, 400, "parse token failed");
    /// No administrator's token at `/manager/send_msg`.
    pub(super) const SEND_NOT_ADMIN: Self = Self::new(400, 400, "not authorized");
    /// A kind of message that `/manager/send_msg` does not take.
    pub(super) const CONTENT_TYPE: Self = Self::new(400, 404, "contentType err");
    /// Neither a 1:1 nor a group message.
    pub(super) const SESSION_TYPE: Self = Self::new(200, 203, "unkonwn sessionType");
    /// A wrong token at `/friend/import_friend`.
    pub(super) const IMPORT_TOKEN: Self = Self::new(200, 606, "Parse token failed");
    /// No administrator's token at `/friend/import_friend`.
    pub(super) const IMPORT_NOT_ADMIN: Self = Self::new(200, 606, "not authorized");
    /// An unknown owner at `/friend/import_friend`. The original's own words.
    pub(super) const IMPORT_NO_OWNER: Self = Self::new(200, 606, "this user not exists,cant not add friend");
    /// Somebody is on the block list already.
    pub(super) const BLOCKED_ALREADY: Self = Self::new(200, 100, "Error 1062: Duplicate entry for key 'PRIMARY'");
    /// Whoever may not do this to a group, or there is no such group.
    pub(super) const NO_PERMISSION: Self = Self::new(200, 800, "no permission");
    /// `/group/kick_group` without a user.
    pub(super) const NO_PARAMS: Self = Self::new(200, 700, "param failed");
    /// `/user/get_user_info` without a user.
    pub(super) const NO_UIDS: Self = Self::new(200, 999, "uidList is nil");

    const fn new(status: u16, code: i32, message: &'static str) -> Self {
        Self { status, code, message }
    }
}

/// An error of this dialect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request, or the framework's view of it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What the domain says.
    #[error(transparent)]
    Domain(#[from] domain::Error),
    /// Rules of a request that were broken, one a line.
    #[error("{0}")]
    Binding(String),
    /// Rules of a message's content that were broken.
    #[error("{0}")]
    Content(String),
    /// Nobody has this uid, where a token is asked for.
    #[error("rpc error: code = Unknown desc = record not found")]
    NoRecord,
    /// There are more users than one answer holds.
    #[error("the app has more than {0} users")]
    TooManyUsers(usize),
    /// A user could not be changed.
    #[error(transparent)]
    NotUpdated(domain::Error),
    /// These users did not become friends, for they do not exist. The others did.
    #[error("some uid establish failed")]
    NotAllFriends(Vec<String>),
    /// A fixed refusal.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    err_code: i32,
    err_msg: String,
    /// Only where a part of what was asked for was done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_uid_list: Vec<String>,
}

impl Error {
    /// For `/user/update_user_info`: the original says in one way that it did not work, whatever the reason.
    pub(super) fn at_update(error: domain::Error) -> Self {
        match error {
            domain::Error::NotFound(_) | domain::Error::Denied(_) => Self::NotUpdated(error),
            other => Self::Domain(other),
        }
    }

    /// For `/friend/import_friend`, which has its own way to say that nobody has the owner's uid.
    pub(super) fn at_import(error: domain::Error) -> Self {
        match error {
            domain::Error::NotFound(Noun::User) => Self::Refused(Refusal::IMPORT_NO_OWNER),
            other => Self::Domain(other),
        }
    }

    /// For `/auth/user_token`, which has its own way to say that nobody has this uid.
    pub(super) fn at_token(error: domain::Error) -> Self {
        if matches!(error, domain::Error::NotFound(Noun::User)) { Self::NoRecord } else { Self::Domain(error) }
    }

    /// For calls about members: whether a group exists is told to nobody who may not change it.
    pub(super) fn at_group(error: domain::Error) -> Self {
        match error {
            domain::Error::NotFound(Noun::Group) | domain::Error::Denied(_) => Self::Refused(Refusal::NO_PERMISSION),
            other => Self::Domain(other),
        }
    }

    pub(super) fn cause(&self) -> Option<&domain::Error> {
        if let Self::Domain(error) = self { Some(error) } else { None }
    }

    /// The HTTP status and the body.
    pub(super) fn answer(&self) -> (u16, Body) {
        let (status, code, message) = match self {
            Self::Fault(fault) => (fault.status(), i32::from(fault.status()), fault.to_string()),
            Self::Domain(error) => of_domain(error),
            Self::Binding(message) => (400, 400, message.clone()),
            Self::Content(message) => (400, 403, message.clone()),
            Self::NoRecord => (500, 500, self.to_string()),
            Self::TooManyUsers(_) => (200, 700, self.to_string()),
            Self::NotUpdated(error) => (200, 616, error.to_string()),
            Self::NotAllFriends(_) => (200, 408, self.to_string()),
            Self::Refused(refusal) => (refusal.status, refusal.code, refusal.message.to_owned()),
        };
        let failed = if let Self::NotAllFriends(failed) = self { failed.clone() } else { Vec::new() };
        (status, Body { err_code: code, err_msg: message, failed_uid_list: failed })
    }
}

/// Codes are those of openim's own list: 600 to 622 for failures of the product, 800 for permissions, 900 for the database.
fn of_domain(error: &domain::Error) -> (u16, i32, String) {
    let (status, code) = match error {
        domain::Error::Invalid { .. } => (400, 400),
        // The original finds out from its database, and says so in its words.
        domain::Error::Exists(Noun::User | Noun::Username) => {
            return (500, 500, "rpc error: code = Unknown desc = Error 1062: Duplicate entry for key 'PRIMARY'".into());
        }
        domain::Error::Unauthenticated(_) => return (400, 401, "not authorized".into()),
        domain::Error::Denied(denial) => (200, of_denial(*denial)),
        domain::Error::NotFound(noun) => (200, of_missing(*noun)),
        // Of all else that exists, this system has nothing to say.
        domain::Error::Exists(_) | domain::Error::Reused => (200, 700),
        domain::Error::Limited { .. } => (429, 429),
        domain::Error::Unavailable(_) | domain::Error::Full => (503, 900),
    };
    (status, code, error.to_string())
}

fn of_missing(noun: Noun) -> i32 {
    match noun {
        Noun::User | Noun::Username => 614,
        Noun::Group | Noun::Member => 618,
        Noun::App
        | Noun::Device
        | Noun::Mobile
        | Noun::Email
        | Noun::Account
        | Noun::Handover
        | Noun::Contact
        | Noun::Request
        | Noun::Store
        | Noun::Conversation
        | Noun::Message
        | Noun::File
        | Noun::Application
        | Noun::Invitation
        | Noun::JoinCode
        | Noun::Announcement
        | Noun::SharedFile => 700,
    }
}

fn of_denial(denial: Denial) -> i32 {
    match denial {
        Denial::NotMember => 618,
        Denial::NotFriends | Denial::Blocked | Denial::RefusesFriends => 606,
        Denial::Credential
        | Denial::Disabled
        | Denial::WrongAnswer
        | Denial::MayNotAsk
        | Denial::NotAdmin
        | Denial::NotOwner
        | Denial::OwnerCannotLeave
        | Denial::Muted
        | Denial::NotAuthor
        | Denial::Censored
        | Denial::TooLate
        | Denial::GroupFull
        | Denial::RegistrationClosed
        | Denial::JoinClosed
        | Denial::Answered
        | Denial::Barred
        | Denial::Expired
        | Denial::TooMany => 800,
    }
}
