//! Everything that goes wrong with bytes: a status, a word for programs and a sentence for people.

use serde::Serialize;

use crate::dialect::Fault;

/// The statuses, and what each means.
pub(super) const STATUSES: &[(u16, &str)] = &[
    (400, "The request or the file is not as it should be"),
    (403, "What was shown is wrong or has expired"),
    (404, "There is no such file"),
    (405, "No such method here"),
    (408, "The body did not arrive in time"),
    (409, "This right to upload was used"),
    (413, "The body is too large"),
    (416, "The file has no such bytes"),
    (429, "Too many at once; ask again a moment later"),
    (500, "An error of the server's"),
    (503, "The store cannot be reached, or the server is too busy"),
];

/// An error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request, or the framework's view of it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What the domain says.
    #[error(transparent)]
    Domain(#[from] domain::Error),
}

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Body {
    error: &'static str,
    message: String,
}

impl Error {
    pub(super) fn cause(&self) -> Option<&domain::Error> {
        if let Self::Domain(error) = self { Some(error) } else { None }
    }

    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Fault(fault) => fault.status(),
            Self::Domain(error) => of_domain(error),
        }
    }

    pub(super) fn body(&self) -> Body {
        let error = match self.status() {
            400 => "invalid",
            403 => "refused",
            404 => "not_found",
            405 => "method_not_allowed",
            408 => "slow",
            409 => "used",
            413 => "too_large",
            416 => "out_of_range",
            429 => "busy",
            503 => "unavailable",
            _ => "internal",
        };
        let message = match self {
            Self::Domain(domain::Error::Unauthenticated(why)) => (*why).to_owned(),
            other => other.to_string(),
        };
        Body { error, message }
    }
}

fn of_domain(error: &domain::Error) -> u16 {
    match error {
        domain::Error::Invalid { field: "range", .. } => 416,
        domain::Error::Invalid { .. } => 400,
        domain::Error::Unauthenticated(_) | domain::Error::Denied(_) => 403,
        domain::Error::NotFound(_) => 404,
        domain::Error::Exists(_) | domain::Error::Reused => 409,
        domain::Error::Limited { .. } => 429,
        domain::Error::Unavailable(_) | domain::Error::Full => 503,
    }
}
