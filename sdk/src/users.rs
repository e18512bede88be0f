//! Users: finding them, and the caller's own profile.

use proto::wire::frame::Body;
use proto::wire::{self, FindUsers, SearchUsers, UpdateProfile, search_users};

use crate::client::Client;
use crate::error::Result;
use crate::presence::Platform;

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

/// What users are searched by. All are compared as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Search {
    /// The name to show.
    Name,
    /// The phone number.
    Mobile,
    /// The mail address, in either case of its letters.
    Email,
}

/// What a user logged in from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The installation's own id.
    pub id: String,
    /// What kind of device it is.
    pub platform: Platform,
    /// Name and version of the app and SDK.
    pub client: String,
    /// Unix milliseconds of the first login.
    pub first_seen: i64,
    /// Unix milliseconds of the last login.
    pub last_seen: i64,
}

impl From<wire::Device> for Device {
    fn from(wire: wire::Device) -> Self {
        let platform = wire.platform();
        let wire::Device { id, client, first_seen, last_seen, .. } = wire;
        Self { id, platform, client, first_seen, last_seen }
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
    /// The app's own, for the caller alone.
    pub private_extension: Option<String>,
    /// Phone number.
    pub mobile: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Birthday, as the app writes it.
    pub birth: Option<String>,
    /// Where the caller is, as the app writes it.
    pub location: Option<String>,
    /// Language, as the app writes it.
    pub language: Option<String>,
}

impl Client {
    /// Users by id and by the app's own uid, at most 200 together. Unknown ones are left out.
    pub async fn find_users(&self, ids: &[u64], uids: &[&str]) -> Result<Vec<User>> {
        let uids = uids.iter().map(|&uid| uid.to_owned()).collect();
        let list = answer!(self, Body::FindUsers(FindUsers { ids: ids.to_vec(), uids }), UserList);
        Ok(list.users.into_iter().map(User::from).collect())
    }

    /// Users who have exactly this name, number or address, by id; at most 200.
    pub async fn search_users(&self, by: Search, text: &str) -> Result<Vec<User>> {
        let by = match by {
            Search::Name => search_users::By::Name,
            Search::Mobile => search_users::By::Mobile,
            Search::Email => search_users::By::Email,
        };
        let list = answer!(self, Body::SearchUsers(SearchUsers { by: by.into(), text: text.to_owned() }), UserList);
        Ok(list.users.into_iter().map(User::from).collect())
    }

    /// The caller's own devices.
    pub async fn devices(&self) -> Result<Vec<Device>> {
        let list = answer!(self, Body::ListDevices(wire::ListDevices {}), DeviceList);
        Ok(list.devices.into_iter().map(Device::from).collect())
    }

    /// Forgets one of the caller's own devices and ends its sessions. It is on the list again once it logs in.
    pub async fn remove_device(&self, id: &str) -> Result<()> {
        self.ask_ok(Body::RemoveDevice(wire::RemoveDevice { id: id.to_owned() })).await
    }

    /// Changes the caller's own profile.
    pub async fn update_profile(&self, change: ProfileChange) -> Result<()> {
        let gender = change.gender.map(|gender| match gender {
            Gender::Unknown => 0,
            Gender::Male => 1,
            Gender::Female => 2,
        });
        let update = UpdateProfile {
            name: change.name,
            avatar: change.avatar,
            gender,
            signature: change.signature,
            extension: change.extension,
            private_extension: change.private_extension,
            mobile: change.mobile,
            email: change.email,
            birth: change.birth,
            location: change.location,
            language: change.language,
        };
        self.ask_ok(Body::UpdateProfile(update)).await
    }
}
