//! Every error of this dialect, by number.
//!
//! The document names no codes. Where Tencent's own service has one for the same thing, it is used, since client code knows it;
//! 70101 to 70103 are ours. Errors come with status 200, but for what a proxy or a load balancer should see too.

use std::borrow::Cow;

use domain::{Denial, Noun};
use serde_json::value::RawValue;

use crate::dialect::{Fault, respelled};
use crate::numbers::{Numbered, Numbers};

const JSON_BROKEN: u32 = 60003;
const TOO_FREQUENT: u32 = 60007;
const SERVER: u32 = 10002;
const PARAMETER: u32 = 10004;
const PERMISSION: u32 = 10007;
const OWNER_CANNOT_LEAVE: u32 = 10009;
const NO_GROUP: u32 = 10010;
const ALREADY_MEMBER: u32 = 10013;
const GROUP_FULL: u32 = 10014;
const MUTED: u32 = 10017;
const ANSWERED: u32 = 10024;
const GROUP_ID_TAKEN: u32 = 10021;
const NO_USER: u32 = 20003;
const STORAGE: u32 = 20004;
const BLOCKED: u32 = 20007;
const NOT_FRIENDS: u32 = 20009;
const TOO_LATE: u32 = 20016;
const NO_MESSAGE: u32 = 20018;
const NO_CONTACT: u32 = 30001;
const REFUSES_FRIENDS: u32 = 30516;
const ALREADY_FRIENDS: u32 = 30520;
const TOKEN: u32 = 70003;
const NO_APP: u32 = 70020;
const PASSWORD: u32 = 70101;
const NAME_TAKEN: u32 = 70102;
const DISABLED: u32 = 70103;
const CENSORED: u32 = 80001;

const NUMBERS: Numbers = Numbers {
    malformed: JSON_BROKEN,
    parameter: PARAMETER,
    token: TOKEN,
    too_frequent: TOO_FREQUENT,
    internal: SERVER,
    storage: STORAGE,
    denied,
    not_found,
    exists,
    spelled,
    message_id: "ID",
};

/// An error, as it is answered.
#[derive(Debug)]
pub(crate) struct Error {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) msg: Cow<'static, str>,
    /// `{message}`, where sending one failed.
    pub(super) data: Option<Box<RawValue>>,
    pub(super) cause: Option<domain::Error>,
}

impl Error {
    fn new(code: u32, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 200, code, msg: msg.into(), data: None, cause: None }
    }

    /// The header `token` is absent.
    pub(super) fn no_token() -> Self {
        Self::new(TOKEN, "the header token is missing")
    }

    /// A field is wrong in a way that only this dialect knows.
    pub(super) fn parameter(msg: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PARAMETER, msg)
    }

    /// This method is not for this kind of group, or not for this caller.
    pub(super) fn permission(msg: &'static str) -> Self {
        Self::new(PERMISSION, msg)
    }

    /// There is no such message, or it was kept no longer.
    pub(super) fn no_message() -> Self {
        Self::new(
            NO_MESSAGE,
            "there is no such message; messages that are created but not sent are kept for a while only",
        )
    }

    /// The name cannot be registered.
    pub(super) fn name_taken() -> Self {
        Self::new(NAME_TAKEN, "the username is taken")
    }

    /// Whether the user or group that was named does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self.cause, Some(domain::Error::NotFound(_)))
    }

    /// Adds what the error is about.
    pub(super) fn with_data(mut self, data: Box<RawValue>) -> Self {
        self.data = Some(data);
        self
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
        "uid" => "username",
        "client_msg_id" => "ID",
        "content" => "payload",
        "mentions" => "atUserList",
        "announcement" => "notification",
        "gid" => "groupID",
        "capacity" => "maxMemberNum",
        "custom_fields" => "groupCustomField",
        field => field,
    }
}

fn denied(denial: Denial) -> u32 {
    match denial {
        Denial::Disabled => DISABLED,
        Denial::Blocked => BLOCKED,
        Denial::NotFriends => NOT_FRIENDS,
        Denial::RefusesFriends => REFUSES_FRIENDS,
        Denial::Muted => MUTED,
        Denial::TooLate => TOO_LATE,
        Denial::Censored => CENSORED,
        Denial::GroupFull => GROUP_FULL,
        Denial::Answered => ANSWERED,
        Denial::OwnerCannotLeave => OWNER_CANNOT_LEAVE,
        Denial::Credential
        | Denial::WrongAnswer
        | Denial::MayNotAsk
        | Denial::NotMember
        | Denial::NotAdmin
        | Denial::NotOwner
        | Denial::NotAuthor
        | Denial::RegistrationClosed
        | Denial::JoinClosed
        | Denial::Barred
        | Denial::Expired
        | Denial::TooMany => PERMISSION,
    }
}

fn not_found(noun: Noun) -> u32 {
    match noun {
        Noun::App => NO_APP,
        Noun::User | Noun::Username => NO_USER,
        Noun::Contact | Noun::Request => NO_CONTACT,
        Noun::Group => NO_GROUP,
        Noun::Message => NO_MESSAGE,
        Noun::Device
        | Noun::Mobile
        | Noun::Email
        | Noun::Account
        | Noun::Handover
        | Noun::Store
        | Noun::Member
        | Noun::Conversation
        | Noun::Application
        | Noun::Invitation
        | Noun::JoinCode
        | Noun::Announcement
        | Noun::File
        | Noun::SharedFile => PARAMETER,
    }
}

fn exists(noun: Noun) -> u32 {
    match noun {
        Noun::User | Noun::Username | Noun::Mobile | Noun::Email => NAME_TAKEN,
        Noun::Contact => ALREADY_FRIENDS,
        Noun::Group => GROUP_ID_TAKEN,
        Noun::Member => ALREADY_MEMBER,
        Noun::App
        | Noun::Request
        | Noun::Store
        | Noun::Device
        | Noun::Account
        | Noun::Handover
        | Noun::Conversation
        | Noun::Message
        | Noun::Application
        | Noun::Invitation
        | Noun::JoinCode
        | Noun::Announcement
        | Noun::File
        | Noun::SharedFile => PARAMETER,
    }
}

/// What is wrong with a user's data, whose fields are not called as a group's are.
pub(super) fn at_profile(error: domain::Error) -> Error {
    let spelled = |field| match field {
        "name" => "nick",
        "signature" => "selfSignature",
        "custom_fields" => "profileCustomField",
        field => field,
    };
    respelled(error, spelled).into()
}

/// A wrong name or password, which is not a wrong token.
pub(super) fn at_login(error: domain::Error) -> Error {
    let mut error = Error::from(error);
    if error.code == TOKEN {
        error.code = PASSWORD;
    }
    error
}
