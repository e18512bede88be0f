//! Users: finding them, and the caller's own profile.

use proto::wire::frame::Body;
use proto::wire::{self, FindUsers, UpdateProfile};

use crate::client::Client;
use crate::error::Result;

/// A user as everybody sees them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Unique within the app, below 2^53.
    pub id: u64,
    /// The app's own id of the user; the decimal `id` where there is none.
    pub uid: String,
    /// Name to show.
    pub name: String,
    /// Address of a picture.
    pub avatar: String,
    /// What they call themselves.
    pub gender: Gender,
    /// A line about themselves.
    pub signature: String,
    /// Public, the app's own.
    pub extension: String,
    /// What whoever wants to be a friend must answer; empty where nothing is asked.
    pub question: String,
}

/// A user's gender, as far as told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Gender {
    /// Not told.
    #[default]
    Unknown,
    /// Male.
    Male,
    /// Female.
    Female,
}

impl From<wire::User> for User {
    fn from(wire: wire::User) -> Self {
        let gender = match wire.gender {
            1 => Gender::Male,
            2 => Gender::Female,
            _ => Gender::Unknown,
        };
        let wire::User { id, uid, name, avatar, signature, extension, question, .. } = wire;
        Self { id, uid, name, avatar, gender, signature, extension, question }
    }
}

/// Changes to the caller's own profile. `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// Name to show.
    pub name: Option<String>,
    /// Address of a picture.
    pub avatar: Option<String>,
    /// What they call themselves.
    pub gender: Option<Gender>,
    /// A line about themselves.
    pub signature: Option<String>,
    /// Public, the app's own.
    pub extension: Option<String>,
}

impl Client {
    /// Users by id and by the app's own uid, at most 200 together. Unknown ones are left out.
    pub async fn find_users(&self, ids: &[u64], uids: &[&str]) -> Result<Vec<User>> {
        let uids = uids.iter().map(|&uid| uid.to_owned()).collect();
        let list = answer!(self, Body::FindUsers(FindUsers { ids: ids.to_vec(), uids }), UserList);
        Ok(list.users.into_iter().map(User::from).collect())
    }

    /// Changes the caller's own profile.
    pub async fn update_profile(&self, change: ProfileChange) -> Result<()> {
        let ProfileChange { name, avatar, gender, signature, extension } = change;
        let gender = gender.map(|gender| match gender {
            Gender::Unknown => 0,
            Gender::Male => 1,
            Gender::Female => 2,
        });
        self.ask_ok(Body::UpdateProfile(UpdateProfile { name, avatar, gender, signature, extension })).await
    }
}
