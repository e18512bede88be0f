//! Contacts, requests, and groups of friends.

use domain::conversations::Page;
use domain::roster::Which;
use domain::{Error, UserId};
use proto::wire;
use wire::frame::Body;

use super::{Context, ok};
use crate::answer;
use crate::session::{PageOf, RosterRequest};

pub(super) async fn serve(cx: &Context, request: RosterRequest) -> Result<Body, Error> {
    let (roster, caller) = (&cx.domain.roster, &cx.caller);
    match request {
        RosterRequest::List(page) => list(cx, &page).await,
        RosterRequest::Ask { user, ask } => ok(roster.request(caller, user, *ask).await.map(drop)),
        RosterRequest::Accept(user) => ok(roster.accept(caller, user).await),
        RosterRequest::Decline { user, reason } => ok(roster.decline(caller, user, &reason).await),
        RosterRequest::Requests(page) => requests(cx, &page).await,
        RosterRequest::Update { user, change } => ok(roster.update(caller, user, *change).await),
        RosterRequest::Remove(user) => ok(roster.remove(caller, user).await),
        RosterRequest::Block { user, blocked: true } => ok(roster.block(caller, user).await.map(drop)),
        RosterRequest::Block { user, blocked: false } => ok(roster.unblock(caller, user).await),
        RosterRequest::Groups => Ok(Body::FriendGroupList(answer::friend_groups(roster.groups(caller).await?))),
        RosterRequest::AddGroups { names, users } => ok(roster.add_groups(caller, &names, &users).await.map(drop)),
        RosterRequest::DeleteGroups(names) => ok(roster.delete_groups(caller, &names).await),
    }
}

async fn list(cx: &Context, page: &PageOf) -> Result<Body, Error> {
    let Page { items, next } =
        cx.domain.roster.list(&cx.caller, Which::All, page.cursor.as_deref(), page.limit).await?;
    let users = cx.people(items.iter().map(|contact| UserId(contact.user))).await?;
    let contacts = items.iter().zip(users).map(|(contact, user)| answer::contact(contact, user.as_ref())).collect();
    Ok(Body::RosterPage(wire::RosterPage { contacts, next: next.unwrap_or_default() }))
}

async fn requests(cx: &Context, page: &PageOf) -> Result<Body, Error> {
    let Page { items, next } = cx.domain.roster.requests(&cx.caller, page.cursor.as_deref(), page.limit).await?;
    let users = cx.people(items.iter().map(|request| UserId(request.user))).await?;
    let requests = items.into_iter().zip(users);
    let requests = requests.map(|(request, user)| answer::friend_request(request, user.as_ref())).collect();
    Ok(Body::FriendRequestPage(wire::FriendRequestPage { requests, next: next.unwrap_or_default() }))
}
