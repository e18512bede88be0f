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
    #[error("accounts[{row}]: {error}")]
    Row {
        /// Which row, from 0.
        row: usize,
        /// What is wrong with it.
        error: Box<Self>,
    },
}

impl Error {
    /// Names the row of a batch.
    pub(super) fn at(row: usize) -> impl FnOnce(Self) -> Self {
        move |error| Self::Row { row, error: Box::new(error) }
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
            Self::Row { row, error } => format!("accounts[{row}]: {}", error.message()),
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
        domain::Error::Unavailable(_) | domain::Error::Full => "0001",
        domain::Error::Invalid { .. }
        | domain::Error::NotFound(
            Noun::Device | Noun::Contact | Noun::Group | Noun::Member | Noun::Conversation | Noun::Message,
        )
        | domain::Error::Exists(
            Noun::App | Noun::Device | Noun::Contact | Noun::Group | Noun::Member | Noun::Conversation | Noun::Message,
        )
        | domain::Error::Reused
        | domain::Error::Limited { .. } => "9999",
    }
}
