//! Everything that goes wrong in tenured, and its four-digit code.

use domain::Noun;

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
    /// The app's key or the sign is wrong.
    #[error("Not allowed access, not certified")]
    NotCertified,
    /// A row of a batch.
    #[error("{list}[{row}]: {error}")]
    Row {
        /// What the request calls the list.
        list: &'static str,
        /// Which row, from 0.
        row: usize,
        /// What is wrong with it.
        error: Box<Self>,
    },
}

impl Error {
    /// Names the row of a batch of accounts.
    pub(super) fn at(row: usize) -> impl FnOnce(Self) -> Self {
        Self::at_row("accounts", row)
    }

    /// Names the row of a list.
    pub(super) fn at_row(list: &'static str, row: usize) -> impl FnOnce(Self) -> Self {
        move |error| Self::Row { list, row, error: Box::new(error) }
    }

    /// The four digits.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Fault(fault) => of_fault(fault),
            Self::Domain(error) => of_domain(error),
            Self::NotCertified => "1000",
            Self::Row { error, .. } => error.code(),
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::Domain(domain::Error::Unauthenticated(_)) => Self::NotCertified.to_string(),
            Self::Domain(domain::Error::Invalid { field, message }) => format!("{}: {message}", spelled(field)),
            Self::Domain(domain::Error::Reused) => "this msgId was used for another message".to_owned(),
            Self::Row { list, row, error } => format!("{list}[{row}]: {}", error.message()),
            other => other.to_string(),
        }
    }

    pub(super) fn cause(&self) -> Option<&domain::Error> {
        match self {
            Self::Domain(error) => Some(error),
            Self::Row { error, .. } => error.cause(),
            Self::Fault(_) | Self::NotCertified => None,
        }
    }
}

/// What this dialect calls a field of the domain's.
fn spelled(field: &'static str) -> &'static str {
    match field {
        "uid" => "userId",
        "gid" => "groupId",
        "client_msg_id" => "msgId",
        "mentions" => "atUserIds",
        field => field,
    }
}

fn of_fault(fault: &Fault) -> &'static str {
    match fault {
        Fault::Method { .. } => "0002",
        Fault::Malformed(_)
        | Fault::Field { .. }
        | Fault::TooLarge { .. }
        | Fault::Slow
        | Fault::Busy
        | Fault::Internal => "9999",
    }
}

fn of_domain(error: &domain::Error) -> &'static str {
    match error {
        domain::Error::Unauthenticated(_) | domain::Error::Denied(_) => "1000",
        domain::Error::NotFound(Noun::App) => "2006",
        domain::Error::NotFound(Noun::User | Noun::Username) => "3002",
        domain::Error::Exists(Noun::User | Noun::Username) => "3001",
        domain::Error::Exists(Noun::Mobile) => "2003",
        domain::Error::Exists(Noun::Email) => "2004",
        domain::Error::Unavailable(_) | domain::Error::Full => "0001",
        // This system has no number for anything else.
        domain::Error::NotFound(_)
        | domain::Error::Exists(_)
        | domain::Error::Invalid { .. }
        | domain::Error::Reused
        | domain::Error::Limited { .. } => "9999",
    }
}
