//! Groups and their members.

use domain::conversations::Page;
use domain::groups::Added;
use domain::{Error, GroupId, UserId, record};
use proto::wire;
use wire::frame::Body;

use super::{Context, first_failure, ok};
use crate::answer;
use crate::session::{GroupRequest, Members, PageOf};

pub(super) async fn serve(cx: &Context, request: GroupRequest) -> Result<Body, Error> {
    let (groups, caller) = (&cx.domain.groups, &cx.caller);
    match request {
        GroupRequest::Create(new) => with_role(cx, &groups.create(caller, *new).await?).await.map(Body::Group),
        GroupRequest::Get(group) => with_role(cx, &groups.find(caller, &group).await?).await.map(Body::Group),
        GroupRequest::Update { group, change } => ok(groups.update(caller, group, *change).await.map(drop)),
        GroupRequest::Dismiss(group) => ok(groups.dismiss(caller, group).await),
        GroupRequest::Upgrade(group) => with_role(cx, &groups.upgrade(caller, group).await?).await.map(Body::Group),
        GroupRequest::AddMembers { group, users } => {
            let users: Vec<_> = users.into_iter().map(|user| (user, String::new())).collect();
            let added = groups.add_members(caller, group, &users).await?.into_iter();
            first_failure(added.map(|(user, added)| match added {
                Added::Yes | Added::Already => (user, Ok(())),
                Added::Failed(error) => (user, Err(error)),
            }))
        }
        GroupRequest::RemoveMembers { group, users } => ok(groups.remove_members(caller, group, &users).await),
        GroupRequest::Join(group) => ok(groups.join(caller, group).await),
        GroupRequest::Leave(group) => ok(groups.leave(caller, group).await),
        GroupRequest::List(page) => {
            group_page(cx, groups.list(caller, page.cursor.as_deref(), page.limit).await?).await
        }
        GroupRequest::Search { beginning, page } => {
            group_page(cx, groups.search(caller, &beginning, page.cursor.as_deref(), page.limit).await?).await
        }
        GroupRequest::Members { group, which, page } => member_page(cx, members(cx, group, which, &page).await?).await,
        GroupRequest::FindMembers { group, users } => {
            let found = groups.members_of(caller, group, &users).await?;
            member_page(cx, Page { items: found.into_iter().flatten().collect(), next: None }).await
        }
        GroupRequest::UpdateMember { group, user, change } => {
            ok(groups.update_member(caller, group, user, *change).await.map(drop))
        }
        GroupRequest::Transfer { group, user } => ok(groups.transfer(caller, group, user).await.map(drop)),
        GroupRequest::Block { group, users, blocked: true } => {
            first_failure(groups.block(caller, group, &users).await?)
        }
        GroupRequest::Block { group, users, blocked: false } => {
            first_failure(groups.unblock(caller, group, &users).await?)
        }
        GroupRequest::Blocked { group, page } => blocked_page(cx, group, &page).await,
        GroupRequest::CountRoom(room) => {
            Ok(Body::RoomCount(wire::RoomCount { sessions: groups.in_room(caller, room).await? }))
        }
    }
}

/// A group, with the role in it of whoever asks.
pub(super) async fn with_role(cx: &Context, group: &record::Group) -> Result<wire::Group, Error> {
    let member = cx.domain.groups.member(&cx.caller, GroupId(group.id), cx.caller.user()?).await?;
    Ok(answer::group(group, cx.domain.groups.capacity(group), member.as_ref()))
}

async fn group_page(cx: &Context, page: Page<record::Group>) -> Result<Body, Error> {
    let Page { items, next } = page;
    let mut groups = Vec::with_capacity(items.len());
    for group in &items {
        groups.push(with_role(cx, group).await?);
    }
    Ok(Body::GroupPage(wire::GroupPage { groups, next: next.unwrap_or_default() }))
}

async fn members(cx: &Context, group: GroupId, which: Members, page: &PageOf) -> Result<Page<record::Member>, Error> {
    let (groups, cursor) = (&cx.domain.groups, page.cursor.as_deref());
    match which {
        Members::All => groups.members(&cx.caller, group, cursor, page.limit).await,
        Members::Admins => Ok(Page { items: groups.admins(&cx.caller, group).await?, next: None }),
        Members::Muted => Ok(groups.muted(&cx.caller, group, cursor, page.limit).await?.page),
    }
}

async fn member_page(cx: &Context, page: Page<record::Member>) -> Result<Body, Error> {
    let Page { items, next } = page;
    let users = cx.people(items.iter().map(|member| UserId(member.user))).await?;
    let members = items.iter().zip(users).map(|(member, user)| answer::member(member, user.as_ref())).collect();
    Ok(Body::MemberPage(wire::MemberPage { members, next: next.unwrap_or_default() }))
}

async fn blocked_page(cx: &Context, group: GroupId, page: &PageOf) -> Result<Body, Error> {
    let Page { items, next } = cx.domain.groups.blocked(&cx.caller, group, page.cursor.as_deref(), page.limit).await?;
    let users = cx.people(items.iter().map(|row| UserId(row.user))).await?;
    let blocked = items.iter().zip(users).map(|(row, user)| answer::blocked(row, user.as_ref())).collect();
    Ok(Body::BlockedPage(wire::BlockedPage { blocked, next: next.unwrap_or_default() }))
}
