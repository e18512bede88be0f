//! Who comes into a group: applications, invitations, codes.

use domain::{GroupId, GroupRef, UserId};
use proto::wire;
use wire::frame::Body;

use super::{MOST_MEMBERS, MOST_ROWS, PageOf, at_most, group, group_ref, no_request, page, user, users};
use crate::error::invalid;

/// A request about coming into groups.
#[derive(Debug, Clone)]
pub enum JoinRequest {
    Apply { group: GroupRef, reason: String },
    Applications { groups: Vec<GroupId>, page: PageOf },
    AnswerApplication { group: GroupId, user: UserId, accept: bool, answer: String },
    Invite { group: GroupId, users: Vec<UserId>, reason: String },
    Invitations(PageOf),
    AnswerInvitation { group: GroupId, inviter: Option<UserId>, accept: bool },
    Code(GroupId),
    ByCode(String),
}

impl JoinRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply_to_group",
            Self::Applications { .. } => "list_applications",
            Self::AnswerApplication { .. } => "answer_application",
            Self::Invite { .. } => "invite_to_group",
            Self::Invitations(_) => "list_invitations",
            Self::AnswerInvitation { .. } => "answer_invitation",
            Self::Code(_) => "get_join_code",
            Self::ByCode(_) => "join_by_code",
        }
    }

    pub(super) fn asks_for_a_page(&self) -> bool {
        matches!(self, Self::Applications { .. } | Self::Invitations(_))
    }

    pub(super) fn parse(body: Body) -> Result<Self, wire::Error> {
        Ok(match body {
            Body::ApplyToGroup(apply) => Self::Apply { group: group_ref(apply.id, apply.gid)?, reason: apply.reason },
            Body::ListApplications(list) => {
                if list.groups.is_empty() {
                    return Err(invalid("groups", "is missing"));
                }
                let groups = at_most("groups", list.groups, MOST_MEMBERS)?;
                let groups = groups.into_iter().map(group).collect::<Result<_, _>>()?;
                Self::Applications { groups, page: page(list.cursor, list.limit, MOST_ROWS) }
            }
            Body::AnswerApplication(answer) => Self::AnswerApplication {
                group: group(answer.group)?,
                user: user(answer.user)?,
                accept: answer.accept,
                answer: answer.answer,
            },
            Body::InviteToGroup(invite) => Self::Invite {
                group: group(invite.id)?,
                users: users(&invite.users, MOST_MEMBERS)?,
                reason: invite.reason,
            },
            Body::ListInvitations(list) => Self::Invitations(page(list.cursor, list.limit, MOST_ROWS)),
            Body::AnswerInvitation(answer) => Self::AnswerInvitation {
                group: group(answer.group)?,
                inviter: (answer.inviter != 0).then_some(UserId(answer.inviter)),
                accept: answer.accept,
            },
            Body::GetJoinCode(get) => Self::Code(group(get.id)?),
            Body::JoinByCode(join) => Self::ByCode(join.text),
            _ => return Err(no_request()),
        })
    }
}
