//! Who is asking. A caller is made by authentication only, and carries the tenant with it.

use std::sync::Arc;

use proto::store;

use crate::error::{Denial, Error, Result};
use crate::ids::{AppNumber, UserId};

/// An authenticated caller. Sender and tenant of everything that it does come from here.
#[derive(Debug, Clone)]
pub struct Caller {
    app: Arc<store::App>,
    subject: Subject,
}

/// What kind of caller this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Nobody yet: may register and log in.
    Anonymous,
    /// The app's own server, by the app's secret.
    Server,
    /// A user.
    User {
        id: UserId,
        /// Named in the app's list of admins.
        admin: bool,
        /// `wire.Platform` that the token was issued for; 0 for any.
        platform: u32,
        /// An admin or the app's server acts in this user's name.
        acted_for: bool,
    },
}

impl Caller {
    pub(crate) fn new(app: Arc<store::App>, subject: Subject) -> Self {
        Self { app, subject }
    }

    /// The tenant.
    #[must_use]
    pub fn app(&self) -> AppNumber {
        AppNumber(self.app.number)
    }

    /// The tenant's record.
    #[must_use]
    pub fn app_record(&self) -> &store::App {
        &self.app
    }

    pub(crate) fn app_shared(&self) -> &Arc<store::App> {
        &self.app
    }

    pub(crate) fn subject(&self) -> Subject {
        self.subject
    }

    /// The user who is asking.
    ///
    /// # Errors
    /// [`Denial::Credential`] if the caller is not a user.
    pub fn user(&self) -> Result<UserId> {
        match self.subject {
            Subject::User { id, .. } => Ok(id),
            Subject::Anonymous | Subject::Server => Err(Error::Denied(Denial::Credential)),
        }
    }

    /// The `wire.Platform` that the token was issued for; 0 for any.
    #[must_use]
    pub fn platform(&self) -> u32 {
        match self.subject {
            Subject::User { platform, .. } => platform,
            Subject::Anonymous | Subject::Server => 0,
        }
    }

    /// Whether the caller may do what the app itself may: its server, an admin, or either in a user's name.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        match self.subject {
            Subject::Server => true,
            Subject::User { admin, acted_for, .. } => admin || acted_for,
            Subject::Anonymous => false,
        }
    }

    /// The app itself, on whose behalf a privileged caller speaks.
    ///
    /// # Errors
    /// [`Denial::Credential`] unless [`Self::is_privileged`].
    pub fn as_server(&self) -> Result<Self> {
        self.require_privileged()?;
        Ok(Self { app: Arc::clone(&self.app), subject: Subject::Server })
    }

    /// Whether somebody without a token may become a user of the app.
    ///
    /// # Errors
    /// [`Denial::RegistrationClosed`].
    pub fn require_open_registration(&self) -> Result<()> {
        let closed = self.app.settings.as_ref().is_some_and(|settings| settings.registration_closed);
        if closed { Err(Error::Denied(Denial::RegistrationClosed)) } else { Ok(()) }
    }

    /// # Errors
    /// [`Denial::Credential`] unless [`Self::is_privileged`].
    pub fn require_privileged(&self) -> Result<()> {
        if self.is_privileged() { Ok(()) } else { Err(Error::Denied(Denial::Credential)) }
    }
}
