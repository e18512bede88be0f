//! Groups, who is in them, who wants to be, and what they show.

use domain::groups::{Invited, JoinCode, read_fields};
use domain::{UserId, groups, record};
use proto::wire;
use wire::invited::Outcome;

use super::users::user_or_id;
use crate::error::from_domain;

/// A group, and the role in it of whoever asks.
pub(crate) fn group(from: &record::Group, capacity: u32, member: Option<&record::Member>) -> wire::Group {
    wire::Group {
        id: from.id,
        gid: groups::gid_of(from),
        name: from.name.clone(),
        avatar: from.avatar.clone(),
        introduction: from.introduction.clone(),
        announcement: from.announcement.clone(),
        owner: from.owner,
        members: from.members,
        created: from.created,
        role: role(member).into(),
        // The record and the contract have the same numbers.
        kind: from.kind,
        join_policy: from.join_policy,
        muted_until: from.muted_until,
        history_visible: from.history_visible,
        members_may_invite: from.members_may_invite,
        members_may_edit: from.members_may_edit,
        members_hidden: from.members_hidden,
        receipts: from.receipts,
        extension: from.extension.clone(),
        custom_fields: custom_fields(&from.custom_fields),
        capacity,
        blocked: from.blocked,
    }
}

pub(crate) fn member(from: &record::Member, of: Option<&record::User>) -> wire::Member {
    wire::Member {
        user: Some(user_or_id(from.user, of)),
        role: role(Some(from)).into(),
        card: from.card.clone(),
        joined: from.joined,
        muted_until: from.muted_until,
        custom_fields: custom_fields(&from.custom_fields),
    }
}

fn custom_fields(kept: &str) -> Vec<wire::CustomField> {
    let field = |groups::CustomField { key, value }| wire::CustomField { key, value };
    read_fields(kept).into_iter().map(field).collect()
}

fn role(member: Option<&record::Member>) -> wire::GroupRole {
    match member.map(record::Member::role) {
        None => wire::GroupRole::None,
        Some(record::Role::Member) => wire::GroupRole::Member,
        Some(record::Role::Admin) => wire::GroupRole::Admin,
        Some(record::Role::Owner) => wire::GroupRole::Owner,
    }
}

/// A user on a group's block list.
pub(crate) fn blocked(from: &record::Barred, of: Option<&record::User>) -> wire::Blocked {
    wire::Blocked { user: Some(user_or_id(from.user, of)), by: from.by, created: from.created }
}

/// Somebody's wish to join a group.
pub(crate) fn application(from: record::Application, of: Option<&record::User>) -> wire::Application {
    wire::Application {
        group: from.group,
        user: Some(user_or_id(from.user, of)),
        reason: from.reason,
        // The record and the contract have the same numbers.
        status: from.status,
        created: from.created,
        updated: from.updated,
        expires: from.expires,
        handler: from.handler,
        answer: from.answer,
    }
}

/// What became of users who were invited.
pub(crate) fn invited(results: Vec<(UserId, Invited)>) -> wire::InvitedList {
    let one = |(user, invited): (UserId, Invited)| {
        let (outcome, error) = match invited {
            Invited::Added => (Outcome::Added, None),
            Invited::Waits => (Outcome::Waits, None),
            Invited::Already => (Outcome::Already, None),
            Invited::Failed(error) => (Outcome::Failed, Some(from_domain(&error))),
        };
        wire::Invited { user: user.0, outcome: outcome.into(), error }
    };
    wire::InvitedList { invited: results.into_iter().map(one).collect() }
}

/// An invitation; one without an inviter is the app's own.
pub(crate) fn invitation(from: record::Invitation, inviter: Option<&record::User>) -> wire::Invitation {
    wire::Invitation {
        group: from.group,
        inviter: (from.inviter != 0).then(|| user_or_id(from.inviter, inviter)),
        reason: from.reason,
        // The record and the contract have the same numbers.
        status: from.status,
        created: from.created,
        updated: from.updated,
        expires: from.expires,
    }
}

pub(crate) fn join_code(from: JoinCode) -> wire::JoinCode {
    wire::JoinCode { text: from.text, created: from.created, expires: from.expires }
}

pub(crate) fn announcement(from: record::Announcement) -> wire::Announcement {
    let record::Announcement { id, author, title, content, created } = from;
    wire::Announcement { id, author, title, content, created }
}

pub(crate) fn shared_file(from: record::SharedFile) -> wire::SharedFile {
    let record::SharedFile { id, uploader, name, size, r#type, url, created, updated } = from;
    wire::SharedFile { id, uploader, name, size, r#type, url, created, updated }
}
