//! Every error of this dialect, by number. They come with status 200, but for what a proxy or a load balancer should see too.

use std::borrow::Cow;

use domain::{Denial, Noun};

use crate::dialect::Fault;

const NO_USER: u32 = 10000;
const PARAMETER: u32 = 10002;
const NO_TOKEN: u32 = 10003;
const USER_EXISTS: u32 = 10004;
const ALREADY_FRIENDS: u32 = 10005;
const BLOCKED: u32 = 10006;
const TOKEN: u32 = 10008;
const STORAGE: u32 = 10009;
const PERMISSION: u32 = 10010;
const REFUSES_FRIENDS: u32 = 10012;
const TOO_FREQUENT: u32 = 10028;
const PASSWORD: u32 = 11001;
const USERNAME_TAKEN: u32 = 11011;
const NO_GROUP: u32 = 20001;
const NOT_MEMBER: u32 = 20002;
const OWNER_CANNOT_LEAVE: u32 = 20004;
const GROUP_FULL: u32 = 20007;
const NOT_ADMIN: u32 = 20012;
const NOT_OWNER: u32 = 20013;
const ALREADY_MEMBER: u32 = 20017;
const NO_APP: u32 = 40000;

/// Statuses other than 200 are for those who do not read bodies.
pub(super) const STATUSES: &[(u16, &str)] = &[
    (200, "An error told by the code in the body"),
    (405, "The path exists, but not with this method"),
    (408, "The body did not arrive in time"),
    (413, "The body is too large"),
    (500, "Our fault"),
    (503, "Too busy, or the store cannot be reached; whether the call took effect is then unknown"),
];

/// An error, as it is answered.
#[derive(Debug)]
pub(crate) struct Error {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) message: Cow<'static, str>,
    pub(super) cause: Option<domain::Error>,
}

impl Error {
    fn new(code: u32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 200, code, message: message.into(), cause: None }
    }

    /// The header `access-token` is absent.
    pub(super) fn no_token() -> Self {
        Self::new(NO_TOKEN, "the header access-token is missing")
    }

    /// The token is another app's: answered as any wrong token.
    pub(super) fn foreign_token() -> Self {
        domain::Error::Unauthenticated("the token is wrong, expired or revoked").into()
    }

    /// Whether the user or group that was named does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self.cause, Some(domain::Error::NotFound(_)))
    }

    /// A parameter is wrong in a way that only this dialect knows. Clients show this text to people.
    pub(super) fn parameter(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PARAMETER, message)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let (status, code) = match &fault {
            Fault::Malformed(_) | Fault::Field { .. } => (200, PARAMETER),
            Fault::Method { .. } | Fault::TooLarge { .. } | Fault::Slow => (fault.status(), PARAMETER),
            Fault::Busy => (fault.status(), TOO_FREQUENT),
            Fault::Internal => (fault.status(), STORAGE),
        };
        Self { status, ..Self::new(code, fault.to_string()) }
    }
}

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        let mut message = error.to_string();
        let code = match &error {
            domain::Error::Invalid { field, message: problem } => {
                message = format!("{}: {problem}", spelled(field));
                PARAMETER
            }
            domain::Error::Reused => {
                "this transaction_id was used for another message".clone_into(&mut message);
                PARAMETER
            }
            domain::Error::Unauthenticated(_) => TOKEN,
            domain::Error::Denied(denial) => denied(*denial),
            domain::Error::NotFound(noun) => not_found(*noun),
            domain::Error::Exists(noun) => exists(*noun),
            domain::Error::Limited { .. } => TOO_FREQUENT,
            domain::Error::Unavailable(_) | domain::Error::Full => STORAGE,
        };
        let status = if code == STORAGE { 503 } else { 200 };
        Self { status, cause: Some(error), ..Self::new(code, message) }
    }
}

/// What this dialect calls a field of the domain's.
fn spelled(field: &'static str) -> &'static str {
    match field {
        "introduction" => "description",
        "extension" => "ext",
        "client_msg_id" => "transaction_id",
        "mentions" => "config",
        field => field,
    }
}

fn denied(denial: Denial) -> u32 {
    match denial {
        Denial::Blocked => BLOCKED,
        Denial::RefusesFriends => REFUSES_FRIENDS,
        Denial::NotMember => NOT_MEMBER,
        Denial::NotAdmin => NOT_ADMIN,
        Denial::NotOwner => NOT_OWNER,
        Denial::OwnerCannotLeave => OWNER_CANNOT_LEAVE,
        Denial::GroupFull => GROUP_FULL,
        Denial::Credential
        | Denial::Disabled
        | Denial::NotFriends
        | Denial::Muted
        | Denial::NotAuthor
        | Denial::TooLate
        | Denial::JoinClosed => PERMISSION,
    }
}

fn not_found(noun: Noun) -> u32 {
    match noun {
        Noun::App => NO_APP,
        Noun::User | Noun::Username | Noun::Contact => NO_USER,
        Noun::Group => NO_GROUP,
        Noun::Member => NOT_MEMBER,
        Noun::Device | Noun::Conversation | Noun::Message => PARAMETER,
    }
}

fn exists(noun: Noun) -> u32 {
    match noun {
        Noun::User => USER_EXISTS,
        Noun::Username => USERNAME_TAKEN,
        Noun::Contact => ALREADY_FRIENDS,
        Noun::Member => ALREADY_MEMBER,
        Noun::App | Noun::Device | Noun::Group | Noun::Conversation | Noun::Message => PARAMETER,
    }
}

/// A wrong name or password, which is not a wrong token.
pub(super) fn at_login(error: domain::Error) -> Error {
    let mut error = Error::from(error);
    if error.code == TOKEN {
        error.code = PASSWORD;
    }
    error
}
