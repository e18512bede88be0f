//! Users: who exists in an app, under which names, with which profile.

use proto::store;

use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{UserId, UserRef};

/// What a new user starts with.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// The app's own id, 1 to 64 bytes; none leaves the user with the internal id only.
    pub uid: Option<String>,
    /// Login name, unique in the app.
    pub username: Option<String>,
    /// Password for the login name, at most 1 KiB.
    pub password: Option<String>,
    /// Everything else.
    pub profile: store::Profile,
}

/// Changes to a profile; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    pub name: Option<String>,
    pub avatar: Option<String>,
    pub gender: Option<u32>,
    pub signature: Option<String>,
    pub extension: Option<String>,
    pub private_extension: Option<String>,
    pub mobile: Option<String>,
    pub email: Option<String>,
    pub birth: Option<String>,
    pub location: Option<String>,
    pub language: Option<String>,
    pub attributes: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Users {}

impl Users {
    /// Creates a user. Open to anonymous callers with username and password (registration), else privileged.
    /// A numeric uid below `UserId::FIRST_GENERATED` becomes the internal id too.
    ///
    /// # Errors
    /// `Exists(User)` for the uid, `Exists(Username)`, `Invalid`.
    pub async fn create(&self, caller: &Caller, new: NewUser) -> Result<store::User> { todo!() }

    /// The user with this uid, created if there is none. Privileged.
    pub async fn ensure(&self, caller: &Caller, new: NewUser) -> Result<store::User> { todo!() }

    /// Checks a login name and password; same time and error whether or not the name exists.
    ///
    /// # Errors
    /// `Unauthenticated`; `Denied(Disabled)`.
    pub async fn verify_password(&self, caller: &Caller, username: &str, password: &str) -> Result<store::User> { todo!() }

    /// As [`Self::verify_password`], for a user found by id.
    pub async fn verify_password_of(&self, caller: &Caller, user: &UserRef, password: &str) -> Result<store::User> { todo!() }

    /// Finds one user. # Errors: `NotFound(User)`.
    pub async fn find(&self, caller: &Caller, user: &UserRef) -> Result<store::User> { todo!() }

    /// Finds many; unknown ones are `None`.
    pub async fn find_many(&self, caller: &Caller, users: &[UserRef]) -> Result<Vec<Option<store::User>>> { todo!() }

    /// Changes a profile: one's own, or anyone's for a privileged caller.
    pub async fn update(&self, caller: &Caller, user: UserId, change: ProfileChange) -> Result<store::User> { todo!() }

    /// Disables or enables. Disabling ends open sessions. Privileged.
    pub async fn set_disabled(&self, caller: &Caller, user: UserId, disabled: bool) -> Result<()> { todo!() }
}

/// What string dialects call a user: the app's own uid, or the decimal id.
#[must_use]
pub fn uid_of(user: &store::User) -> String {
    if user.uid.is_empty() { user.id.to_string() } else { user.uid.clone() }
}
