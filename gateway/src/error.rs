//! What a client is told when something cannot be done: the one place that knows the wire's error codes.

use std::time::Duration;

use proto::{frame, wire};
use wire::error::Code;

/// The answer to a request that the domain refused or could not serve.
///
/// Causes are logged here and nowhere else; the client gets the message alone.
pub(crate) fn from_domain(error: &domain::Error) -> wire::Error {
    match error {
        domain::Error::Invalid { field, message } => {
            wire::Error { field: (*field).to_owned(), ..coded(Code::Invalid, message) }
        }
        domain::Error::Unauthenticated(message) => coded(Code::Unauthenticated, message),
        domain::Error::Denied(denial) => coded(Code::Denied, &denial.to_string()),
        domain::Error::NotFound(_) => coded(Code::NotFound, &error.to_string()),
        domain::Error::Exists(_) => coded(Code::Exists, &error.to_string()),
        domain::Error::Reused => coded(Code::Conflict, &error.to_string()),
        domain::Error::Limited { retry_after } => retry_later(*retry_after),
        domain::Error::Unavailable(cause) => {
            tracing::warn!(error = %cause, "a request found the store unavailable");
            coded(Code::Unavailable, &error.to_string())
        }
        domain::Error::Full => coded(Code::DiskFull, &error.to_string()),
    }
}

/// The last words to a client whose bytes are no frames.
pub(crate) fn from_frame(error: &frame::Error) -> wire::Error {
    match error {
        frame::Error::TooLarge { .. } => coded(Code::TooLarge, &error.to_string()),
        frame::Error::Prefix | frame::Error::Message(_) => coded(Code::Malformed, &error.to_string()),
    }
}

/// A field is at fault.
pub(crate) fn invalid(field: &str, message: &str) -> wire::Error {
    wire::Error { field: field.to_owned(), ..coded(Code::Invalid, message) }
}

/// Not now.
pub(crate) fn retry_later(after: Duration) -> wire::Error {
    let millis = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
    wire::Error { retry_after_ms: millis.max(1), ..coded(Code::RetryLater, "too many requests") }
}

/// An error with a code and a message.
pub(crate) fn coded(code: Code, message: &str) -> wire::Error {
    wire::Error { code: code.into(), message: message.to_owned(), ..wire::Error::default() }
}
