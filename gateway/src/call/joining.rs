//! Who comes into a group: applications, invitations, codes.

use domain::groups::{Applied, Counted};
use domain::{Error, GroupId, GroupRef, UserId};
use proto::wire;
use wire::frame::Body;

use super::groups::with_role;
use super::{Context, ok};
use crate::answer;
use crate::session::{JoinRequest, PageOf};

pub(super) async fn serve(cx: &Context, request: JoinRequest) -> Result<Body, Error> {
    let (groups, caller) = (&cx.domain.groups, &cx.caller);
    match request {
        JoinRequest::Apply { group, reason } => apply(cx, &group, &reason).await,
        JoinRequest::Applications { groups, page } => applications(cx, &groups, &page).await,
        JoinRequest::AnswerApplication { group, user, accept, answer } => {
            ok(groups.answer_application(caller, group, user, accept, &answer).await.map(drop))
        }
        JoinRequest::Invite { group, users, reason } => {
            let invited = groups.invite(caller, group, &users, &reason).await?;
            Ok(Body::InvitedList(answer::invited(invited)))
        }
        JoinRequest::Invitations(page) => invitations(cx, &page).await,
        JoinRequest::AnswerInvitation { group, inviter, accept } => {
            ok(groups.answer_invitation(caller, group, inviter, accept).await)
        }
        JoinRequest::Code(group) => Ok(Body::JoinCode(answer::join_code(groups.join_code(caller, group).await?))),
        JoinRequest::ByCode(code) => {
            let group = groups.join_by_code(caller, &code).await?;
            with_role(cx, &groups.find(caller, &GroupRef::Id(group)).await?).await.map(Body::Group)
        }
    }
}

async fn apply(cx: &Context, group: &GroupRef, reason: &str) -> Result<Body, Error> {
    let id = cx.domain.groups.id_of(&cx.caller, group).await?;
    let outcome = match cx.domain.groups.apply(&cx.caller, id, reason).await? {
        Applied::Joined => wire::applied::Outcome::Joined,
        Applied::Already => wire::applied::Outcome::Already,
        Applied::Waits => wire::applied::Outcome::Waits,
    };
    Ok(Body::Applied(wire::Applied { outcome: outcome.into(), group: id.0 }))
}

async fn applications(cx: &Context, groups: &[GroupId], page: &PageOf) -> Result<Body, Error> {
    let Counted { page, total } =
        cx.domain.groups.applications(&cx.caller, groups, page.cursor.as_deref(), page.limit).await?;
    let users = cx.people(page.items.iter().map(|one| UserId(one.user))).await?;
    let applications = page.items.into_iter().zip(users);
    let applications = applications.map(|(one, user)| answer::application(one, user.as_ref())).collect();
    let (next, total) = (page.next.unwrap_or_default(), u32::try_from(total).unwrap_or(u32::MAX));
    Ok(Body::ApplicationPage(wire::ApplicationPage { applications, next, total }))
}

async fn invitations(cx: &Context, page: &PageOf) -> Result<Body, Error> {
    let Counted { page, total } = cx.domain.groups.invitations(&cx.caller, page.cursor.as_deref(), page.limit).await?;
    let inviters = cx.people(page.items.iter().map(|one| UserId(one.inviter))).await?;
    let invitations = page.items.into_iter().zip(inviters);
    let invitations = invitations.map(|(one, inviter)| answer::invitation(one, inviter.as_ref())).collect();
    let (next, total) = (page.next.unwrap_or_default(), u32::try_from(total).unwrap_or(u32::MAX));
    Ok(Body::InvitationPage(wire::InvitationPage { invitations, next, total }))
}
