//! What can go wrong, named by what the caller can do about it.

use std::time::Duration;

use proto::wire;

use crate::event::KickReason;

/// Why a call failed.
///
/// Most errors are definite: what was asked did not happen and will not. [`Error::is_definite`] tells them from the few
/// after which the outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field is missing, too long or out of range.
    #[error("invalid {field}: {message}")]
    Invalid {
        /// The field at fault; empty where it is not one field's.
        field: String,
        /// For people.
        message: String,
    },
    /// Not allowed. Also for what exists but is not the caller's to see.
    #[error("denied: {0}")]
    Denied(String),
    /// There is no such user, group or conversation.
    #[error("not found: {0}")]
    NotFound(String),
    /// It exists already.
    #[error("exists already: {0}")]
    Exists(String),
    /// The same `client_msg_id` was used before for another content.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Too fast, or the server is too busy. Nothing happened; ask again later.
    #[error("try again in {after:?}: {message}")]
    RetryLater {
        /// When to ask again.
        after: Duration,
        /// For people.
        message: String,
    },
    /// The server cannot reach its store. Whether the request took effect is unknown.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The server cannot write anything; reading goes on.
    #[error("the server's disk is full: {0}")]
    DiskFull(String),
    /// The request does not fit in a frame.
    #[error("a request of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Size of the request, bytes.
        size: usize,
        /// Limit, bytes.
        limit: usize,
    },
    /// This server does not know the command.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The token is wrong, expired or revoked. The client is closed.
    #[error("unauthenticated: {0}")]
    Unauthenticated(String),
    /// The server ended the session for good. The client is closed.
    #[error("kicked ({reason:?}): {message}")]
    Kicked {
        /// Why.
        reason: KickReason,
        /// For people.
        message: String,
    },
    /// No answer in time. Whether the request took effect is unknown.
    #[error("no answer in time")]
    TimedOut,
    /// The connection was lost before the answer came. Whether the request took effect is unknown.
    #[error("the connection was lost before the answer came")]
    Disconnected,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The options contradict each other or cannot be used.
    #[error("unusable options: {0}")]
    Options(String),
    /// The server answered with something else than what was asked.
    #[error("unexpected answer: {0}")]
    Protocol(String),
}

/// What most functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether it is certain that what was asked did not happen and will not.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        !matches!(
            self,
            Self::Unavailable(_)
                | Self::TimedOut
                | Self::Disconnected
                | Self::Closed
                | Self::Kicked { .. }
                | Self::Protocol(_)
        )
    }
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        use wire::error::Code;
        let code = error.code();
        let message = error.message;
        match code {
            Code::Invalid | Code::Malformed => Self::Invalid { field: error.field, message },
            Code::Denied => Self::Denied(message),
            Code::NotFound => Self::NotFound(message),
            Code::Exists => Self::Exists(message),
            Code::Conflict => Self::Conflict(message),
            Code::RetryLater => {
                Self::RetryLater { after: Duration::from_millis(u64::from(error.retry_after_ms)), message }
            }
            Code::Unavailable => Self::Unavailable(message),
            Code::DiskFull => Self::DiskFull(message),
            Code::TooLarge => Self::TooLarge { size: 0, limit: 0 },
            Code::Unsupported => Self::Unsupported(message),
            Code::Unauthenticated => Self::Unauthenticated(message),
            Code::Timeout | Code::SlowConsumer | Code::StaleTicket => Self::Disconnected,
            Code::Unknown => Self::Protocol(message),
        }
    }
}
