//! Every error of this dialect, by number. They come with status 200, but for what a proxy or a load balancer should see too.

use std::borrow::Cow;

use domain::{Denial, Noun};

use crate::dialect::{Fault, respelled};
use crate::numbers::{Numbered, Numbers};

const NO_USER: u32 = 10000;
const PARAMETER: u32 = 10002;
const NO_TOKEN: u32 = 10003;
const USER_EXISTS: u32 = 10004;
const ALREADY_FRIENDS: u32 = 10005;
const BLOCKED: u32 = 10006;
const NO_APPLICATION: u32 = 10007;
const TOKEN: u32 = 10008;
const STORAGE: u32 = 10009;
const PERMISSION: u32 = 10010;
const ACCOUNT_BOUND: u32 = 10011;
const REFUSES_FRIENDS: u32 = 10012;
const TOO_FREQUENT: u32 = 10028;
const PASSWORD: u32 = 11001;
const USERNAME_TAKEN: u32 = 11011;
const MOBILE_TAKEN: u32 = 11012;
const NO_GROUP: u32 = 20001;
const NOT_MEMBER: u32 = 20002;
const OWNER_CANNOT_LEAVE: u32 = 20004;
const HEIR_NOT_MEMBER: u32 = 20005;
const GROUP_FULL: u32 = 20007;
const NOT_ADMIN: u32 = 20012;
const NOT_OWNER: u32 = 20013;
const APPLICATION_ANSWERED: u32 = 20014;
const INVITATION_ANSWERED: u32 = 20015;
const ALREADY_MEMBER: u32 = 20017;
const BARRED: u32 = 20018;
const NO_ANNOUNCEMENT: u32 = 20020;
const NO_FILE: u32 = 20022;
const NOT_ONES_FILE: u32 = 20023;
const WRONG_CODE: u32 = 20024;
const CODE_EXPIRED: u32 = 20025;
const NO_APP: u32 = 40000;

const NUMBERS: Numbers = Numbers {
    malformed: PARAMETER,
    parameter: PARAMETER,
    token: TOKEN,
    too_frequent: TOO_FREQUENT,
    internal: STORAGE,
    storage: STORAGE,
    denied,
    not_found,
    exists,
    spelled,
    message_id: "transaction_id",
};

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
        NUMBERS.of_fault(&fault).into()
    }
}

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        Self { cause: Some(error.clone()), ..NUMBERS.of_domain(&error).into() }
    }
}

impl From<Numbered> for Error {
    fn from(told: Numbered) -> Self {
        Self { status: told.status, ..Self::new(told.code, told.message) }
    }
}

/// What this dialect calls a field of the domain's.
fn spelled(field: &'static str) -> &'static str {
    match field {
        "introduction" => "description",
        "user" => "user_id",
        "remark" => "alias",
        "device_id" | "device" => "device_guid",
        "channel" => "notifier_name",
        "show_until" => "message.show_end_time",
        "token" => "device_token",
        "account" => "open_id",
        "lifetime" => "expire_seconds",
        "text" => "secret_text",
        "silence_start_hour" => "silence_start_time",
        "silence_end_hour" => "silence_end_time",
        "extension" => "ext",
        "groups" => "group_list",
        "users" => "user_list",
        "card" => "value",
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
        Denial::GroupFull | Denial::TooMany => GROUP_FULL,
        Denial::Answered => APPLICATION_ANSWERED,
        Denial::Barred => BARRED,
        Denial::Expired => CODE_EXPIRED,
        Denial::Credential
        | Denial::Disabled
        | Denial::WrongAnswer
        | Denial::MayNotAsk
        | Denial::NotFriends
        | Denial::Muted
        | Denial::Censored
        | Denial::NotAuthor
        | Denial::TooLate
        | Denial::RegistrationClosed
        | Denial::JoinClosed => PERMISSION,
    }
}

fn not_found(noun: Noun) -> u32 {
    match noun {
        Noun::App => NO_APP,
        Noun::User | Noun::Username | Noun::Contact => NO_USER,
        Noun::Group => NO_GROUP,
        Noun::Member => NOT_MEMBER,
        Noun::Application | Noun::Invitation | Noun::Request => NO_APPLICATION,
        Noun::JoinCode => WRONG_CODE,
        Noun::Announcement => NO_ANNOUNCEMENT,
        Noun::SharedFile | Noun::File => NO_FILE,
        Noun::Device
        | Noun::Mobile
        | Noun::Email
        | Noun::Account
        | Noun::Handover
        | Noun::Conversation
        | Noun::Message
        | Noun::Store => PARAMETER,
    }
}

fn exists(noun: Noun) -> u32 {
    match noun {
        Noun::User | Noun::Email => USER_EXISTS,
        Noun::Username => USERNAME_TAKEN,
        Noun::Mobile => MOBILE_TAKEN,
        Noun::Account => ACCOUNT_BOUND,
        Noun::Contact => ALREADY_FRIENDS,
        Noun::Member => ALREADY_MEMBER,
        Noun::App
        | Noun::Device
        | Noun::Handover
        | Noun::Group
        | Noun::Conversation
        | Noun::Message
        | Noun::Request
        | Noun::Store
        | Noun::File
        | Noun::Application
        | Noun::Invitation
        | Noun::JoinCode
        | Noun::Announcement
        | Noun::SharedFile => PARAMETER,
    }
}

/// A group that is handed over to somebody outside, which has a number of its own.
pub(super) fn at_transfer(error: domain::Error) -> Error {
    let outside = matches!(error, domain::Error::NotFound(Noun::Member));
    let mut error = Error::from(error);
    if outside {
        error.code = HEIR_NOT_MEMBER;
    }
    error
}

/// An answer to an invitation that has had one, which is not an application.
pub(super) fn at_invitation(error: domain::Error) -> Error {
    let mut error = Error::from(error);
    if error.code == APPLICATION_ANSWERED {
        error.code = INVITATION_ANSWERED;
    }
    error
}

/// A file that is another's, which has a number of its own.
pub(super) fn at_file(error: domain::Error) -> Error {
    let not_ones = matches!(error, domain::Error::Denied(Denial::NotAuthor));
    let mut error = Error::from(error);
    if not_ones {
        error.code = NOT_ONES_FILE;
    }
    error
}

/// What is wrong with a user's data, whose fields are not called as a group's are.
pub(super) fn at_profile(error: domain::Error) -> Error {
    let spelled = |field| match field {
        "name" => "nick_name",
        "signature" => "description",
        "extension" => "public_info",
        "private_extension" => "private_info",
        field => field,
    };
    respelled(error, spelled).into()
}

/// A password that cannot be the next one, or the wrong one before.
pub(super) fn at_password(error: domain::Error) -> Error {
    let spelled = |field| if field == "password" { "new_password" } else { field };
    at_login(respelled(error, spelled))
}

/// A wrong name or password, which is not a wrong token.
pub(super) fn at_login(error: domain::Error) -> Error {
    let mut error = Error::from(error);
    if error.code == TOKEN {
        error.code = PASSWORD;
    }
    error
}
