//! The desks of customer service, and who serves there.
//!
//! The original keeps them in a system beside its API. These calls are ours, for the app's server, in the document's style.

use domain::{UserId, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use super::users::{Member, ensure_all};
use crate::context::Cx;
use crate::input::{Json, Path};
use crate::names::number_of_user;

/// A new desk.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateRequest {
    #[schema(min_length = 1)]
    name: String,
}

/// A desk.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Store {
    store_id: u64,
    name: String,
}

/// Which desk.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct StorePath {
    store_id: u64,
}

/// Who serves at which desk.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct SupporterPath {
    store_id: u64,
    uid: u64,
}

/// Who shall serve.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct AddRequest {
    members: Vec<Member>,
}

/// Who serves.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Seller {
    seller_id: u64,
    name: String,
    avatar: String,
}

/// `POST /stores`: a new desk.
pub(super) async fn create(cx: Cx, Json(request): Json<CreateRequest>) -> Reply<Store> {
    let desk = cx.domain.support.create_store(&cx.caller, &request.name).await?;
    Ok(Store { store_id: desk.id, name: desk.name })
}

/// `GET /stores`: all desks.
pub(super) async fn list(cx: Cx, (): ()) -> Reply<Vec<Store>> {
    let desks = cx.domain.support.stores(&cx.caller).await?;
    Ok(desks.into_iter().map(|desk| Store { store_id: desk.id, name: desk.name }).collect())
}

/// `DELETE /stores/{store_id}`: ends a desk.
pub(super) async fn delete(cx: Cx, Path(path): Path<StorePath>) -> Reply<bool> {
    cx.domain.support.delete_store(&cx.caller, path.store_id).await?;
    Ok(true)
}

/// `GET /stores/{store_id}/supporters`: who serves at a desk.
pub(super) async fn supporters(cx: Cx, Path(path): Path<StorePath>) -> Reply<Vec<Seller>> {
    let users = cx.domain.support.supporters(&cx.caller, path.store_id).await?;
    let seller = |user: domain::record::User| {
        let seller_id = number_of_user(&user);
        let profile = user.profile.unwrap_or_default();
        Seller { seller_id, name: profile.name, avatar: profile.avatar }
    };
    Ok(users.into_iter().map(seller).collect())
}

/// `POST /stores/{store_id}/supporters`: lets users serve at a desk.
pub(super) async fn add(cx: Cx, (Path(path), Json(request)): (Path<StorePath>, Json<AddRequest>)) -> Reply<bool> {
    let users: Vec<UserId> = ensure_all(&cx, request.members).await?.into_iter().map(|(user, _)| user).collect();
    cx.domain.support.add_supporters(&cx.caller, path.store_id, &users).await?;
    Ok(true)
}

/// `DELETE /stores/{store_id}/supporters/{uid}`: ends somebody's service.
pub(super) async fn remove(cx: Cx, Path(path): Path<SupporterPath>) -> Reply<bool> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Number(path.uid)).await?;
    cx.domain.support.remove_supporter(&cx.caller, path.store_id, UserId(user.id)).await?;
    Ok(true)
}
