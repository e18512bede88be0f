//! Users, the caller's own account, and the caller's devices.

use domain::record::FriendPolicy;
use domain::users::{ProfileChange, Search, SettingsChange};
use domain::{UserId, UserRef};
use proto::wire;
use wire::frame::Body;

use super::{MOST_USERS, no_request};
use crate::error::invalid;

/// A request about users.
#[derive(Debug, Clone)]
pub enum UserRequest {
    Find(Vec<UserRef>),
    Search { by: Search, text: String },
    Profile,
    UpdateProfile(Box<ProfileChange>),
    Settings,
    UpdateSettings(Box<SettingsChange>),
    ChangePassword { old: String, new: String },
    Devices,
    RemoveDevice(String),
}

impl UserRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Find(_) => "find_users",
            Self::Search { .. } => "search_users",
            Self::Profile => "get_profile",
            Self::UpdateProfile(_) => "update_profile",
            Self::Settings => "get_settings",
            Self::UpdateSettings(_) => "update_settings",
            Self::ChangePassword { .. } => "change_password",
            Self::Devices => "list_devices",
            Self::RemoveDevice(_) => "remove_device",
        }
    }

    pub(super) fn asks_for_a_page(&self) -> bool {
        matches!(self, Self::Find(_) | Self::Search { .. } | Self::Devices)
    }

    pub(super) fn parse(body: Body) -> Result<Self, wire::Error> {
        Ok(match body {
            Body::FindUsers(find) => Self::Find(user_refs(&find.ids, find.uids)?),
            Body::SearchUsers(search) => Self::Search { by: searched_by(search.by)?, text: search.text },
            Body::GetProfile(_) => Self::Profile,
            Body::UpdateProfile(update) => Self::UpdateProfile(Box::new(ProfileChange {
                name: update.name,
                avatar: update.avatar,
                gender: update.gender,
                signature: update.signature,
                extension: update.extension,
                private_extension: update.private_extension,
                mobile: update.mobile,
                email: update.email,
                birth: update.birth,
                location: update.location,
                language: update.language,
                ..ProfileChange::default()
            })),
            Body::GetSettings(_) => Self::Settings,
            Body::UpdateSettings(update) => Self::UpdateSettings(Box::new(settings(update)?)),
            Body::ChangePassword(change) => Self::ChangePassword { old: change.old, new: change.new },
            Body::ListDevices(_) => Self::Devices,
            Body::RemoveDevice(remove) => Self::RemoveDevice(remove.id),
            _ => return Err(no_request()),
        })
    }
}

fn settings(update: wire::UpdateSettings) -> Result<SettingsChange, wire::Error> {
    // The record and the contract have the same numbers.
    let policy = |number| FriendPolicy::try_from(number).map_err(|_| invalid("friend_policy", "is no such choice"));
    Ok(SettingsChange {
        friend_policy: update.friend_policy.map(policy).transpose()?,
        auth_question: update.question,
        auth_answer: update.answer,
        auto_download: update.auto_download,
        group_confirm: update.group_confirm,
        no_push: update.no_push,
        no_push_detail: update.no_push_detail,
        no_push_start_hour: update.no_push_start_hour,
        no_push_end_hour: update.no_push_end_hour,
        no_sounds: update.no_sounds,
        push_nick_name: update.push_name,
        silence_start_hour: update.silence_start_hour,
        silence_end_hour: update.silence_end_hour,
        vibratory: update.vibratory,
        ..SettingsChange::default()
    })
}

fn searched_by(by: i32) -> Result<Search, wire::Error> {
    match wire::search_users::By::try_from(by) {
        Ok(wire::search_users::By::Name) => Ok(Search::Name),
        Ok(wire::search_users::By::Mobile) => Ok(Search::Mobile),
        Ok(wire::search_users::By::Email) => Ok(Search::Email),
        Err(_) => Err(invalid("by", "is no such choice")),
    }
}

fn user_refs(ids: &[u64], uids: Vec<String>) -> Result<Vec<UserRef>, wire::Error> {
    if ids.len() + uids.len() > MOST_USERS {
        return Err(invalid("ids", &format!("names at most {MOST_USERS} users")));
    }
    Ok(ids.iter().map(|id| UserRef::Id(UserId(*id))).chain(uids.into_iter().map(UserRef::Uid)).collect())
}
