//! Users, their devices, and contacts.

use domain::{record, users};
use proto::wire;

pub(crate) fn devices(from: Vec<record::Device>) -> wire::DeviceList {
    let device = |from: record::Device| wire::Device {
        id: from.device_id,
        platform: i32::try_from(from.platform).unwrap_or_default(),
        client: from.client,
        first_seen: from.first_seen,
        last_seen: from.last_seen,
    };
    wire::DeviceList { devices: from.into_iter().map(device).collect() }
}

/// What anyone in the app may know of a user.
pub(crate) fn user(from: &record::User) -> wire::User {
    let profile = from.profile.clone().unwrap_or_default();
    wire::User {
        id: from.id,
        uid: users::uid_of(from),
        name: profile.name,
        avatar: profile.avatar,
        gender: profile.gender,
        signature: profile.signature,
        extension: profile.extension,
        question: question_of(from),
    }
}

/// A user, of whom nothing but the id may be left.
pub(super) fn user_or_id(id: u64, found: Option<&record::User>) -> wire::User {
    found.map_or_else(|| wire::User { id, uid: id.to_string(), ..wire::User::default() }, user)
}

/// What a user asks whoever wants to be a friend.
fn question_of(user: &record::User) -> String {
    let settings = user.settings.clone().unwrap_or_default();
    if settings.friend_policy() == record::FriendPolicy::Question { settings.auth_question } else { String::new() }
}

/// What a user may know of oneself.
pub(crate) fn profile(own: &record::User) -> wire::Profile {
    let profile = own.profile.clone().unwrap_or_default();
    wire::Profile {
        user: Some(user(own)),
        username: own.username.clone(),
        private_extension: profile.private_extension,
        mobile: profile.mobile,
        email: profile.email,
        birth: profile.birth,
        location: profile.location,
        language: profile.language,
        created: own.created,
    }
}

pub(crate) fn settings(own: record::UserSettings) -> wire::Settings {
    wire::Settings {
        // The record and the contract have the same numbers.
        friend_policy: own.friend_policy,
        question: own.auth_question,
        answer: own.auth_answer,
        group_confirm: own.group_confirm,
        auto_download: own.auto_download,
        no_push: own.no_push,
        no_push_detail: own.no_push_detail,
        no_push_start_hour: own.no_push_start_hour,
        no_push_end_hour: own.no_push_end_hour,
        no_sounds: own.no_sounds,
        silence_start_hour: own.silence_start_hour,
        silence_end_hour: own.silence_end_hour,
        vibratory: own.vibratory,
        push_name: own.push_nick_name,
        may_not_befriend: own.may_not_befriend,
    }
}

pub(crate) fn contact(from: &record::Contact, of: Option<&record::User>) -> wire::Contact {
    let relation = match from.relation() {
        record::Relation::None => wire::Relation::None,
        record::Relation::Friend => wire::Relation::Friend,
        record::Relation::Requested => wire::Relation::Requested,
        record::Relation::Pending => wire::Relation::Pending,
    };
    wire::Contact {
        user: Some(user_or_id(from.user, of)),
        relation: relation.into(),
        remark: from.remark.clone(),
        blocked: from.blocked,
        since: from.since,
        reason: from.reason.clone(),
        extension: from.extension.clone(),
        groups: from.groups.clone(),
    }
}

/// A request to become a friend.
pub(crate) fn friend_request(from: record::FriendRequest, asker: Option<&record::User>) -> wire::FriendRequestState {
    wire::FriendRequestState {
        user: Some(user_or_id(from.user, asker)),
        reason: from.reason,
        // The record and the contract have the same numbers.
        status: from.status,
        created: from.created,
        updated: from.updated,
        expires: from.expires,
    }
}

pub(crate) fn friend_groups(from: Vec<record::FriendGroup>) -> wire::FriendGroupList {
    let group = |record::FriendGroup { name, created }| wire::FriendGroup { name, created };
    wire::FriendGroupList { groups: from.into_iter().map(group).collect() }
}
