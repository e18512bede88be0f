//! Everything that goes wrong in gobelieve: a status, and `meta` with a code and a message.

use domain::{Denial, Noun};
use serde::Serialize;

use crate::dialect::Fault;

/// An error of this dialect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request, or the framework's view of it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What the domain says.
    #[error(transparent)]
    Domain(#[from] domain::Error),
    /// The server's credential is missing or wrong, whatever the reason.
    #[error("非法的appid")]
    WrongApp,
    /// The client's token is missing or wrong, whatever the reason.
    #[error("非法的access token")]
    WrongToken,
    /// What the original refuses, in its own words.
    #[error("{0}")]
    Refused(&'static str),
    /// `/messages/offline` was not told whose messages.
    #[error("invalid uid")]
    NoUid,
    /// Whichever credential came where either would do, it is wrong.
    #[error("非法的authorization")]
    WrongAuthorization,
}

/// The answer.
#[derive(Debug, Default, Serialize)]
pub(super) struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    meta: Meta,
}

#[derive(Debug, Default, Serialize)]
struct Meta {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// A failed authentication: `wrong`, unless something else than the credential is at fault.
pub(super) fn refused(error: domain::Error, wrong: Error) -> Error {
    match error {
        domain::Error::Unauthenticated(_) | domain::Error::Denied(_) | domain::Error::NotFound(_) => wrong,
        other => other.into(),
    }
}

impl Error {
    /// A wrong credential, where either kind would do.
    pub(super) fn of_either(self) -> Self {
        match self {
            Self::WrongApp | Self::WrongToken => Self::WrongAuthorization,
            other => other,
        }
    }

    pub(super) fn cause(&self) -> Option<&domain::Error> {
        if let Self::Domain(error) = self { Some(error) } else { None }
    }

    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Fault(fault) => fault.status(),
            Self::Domain(error) => of_domain(error),
            Self::WrongApp | Self::WrongToken | Self::NoUid | Self::WrongAuthorization | Self::Refused(_) => 400,
        }
    }

    pub(super) fn body(&self) -> Body {
        let code = self.status();
        let meta = match self {
            // The original's own words for any wrong parameter; ours say which, beside them.
            Self::Fault(Fault::Field { field, problem }) => Meta {
                message: Some("invalid param".into()),
                field: Some(field.clone()),
                detail: Some(problem.to_string()),
                code,
            },
            Self::Domain(domain::Error::Invalid { field, message }) => Meta {
                message: Some("invalid param".into()),
                field: Some((*field).to_owned()),
                detail: Some(message.clone()),
                code,
            },
            Self::Fault(Fault::Method { .. }) => Meta { code, ..Meta::default() },
            Self::Fault(Fault::Internal) => {
                Meta { message: Some("Server Internal Error!".into()), code, ..Meta::default() }
            }
            Self::Domain(domain::Error::Denied(Denial::NotAdmin | Denial::NotOwner)) => {
                Meta { message: Some("no authority".into()), code, ..Meta::default() }
            }
            Self::Domain(domain::Error::NotFound(Noun::Group)) => {
                Meta { message: Some("group non exists".into()), code, ..Meta::default() }
            }
            other => Meta { message: Some(other.to_string()), code, ..Meta::default() },
        };
        let error = matches!(self, Self::WrongToken).then(|| self.to_string());
        Body { error, meta }
    }
}

/// The document knows 400 for everything that is the caller's mistake.
fn of_domain(error: &domain::Error) -> u16 {
    match error {
        domain::Error::Invalid { .. }
        | domain::Error::Unauthenticated(_)
        | domain::Error::Denied(_)
        | domain::Error::NotFound(_)
        | domain::Error::Exists(_)
        | domain::Error::Reused => 400,
        domain::Error::Limited { .. } => 429,
        domain::Error::Unavailable(_) | domain::Error::Full => 503,
    }
}
