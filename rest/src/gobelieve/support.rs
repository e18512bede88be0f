//! gobelieve's customer service: customers' tokens, and who serves them. The desks themselves are in `stores`.

use std::collections::HashSet;

use domain::apps::Credential;
use domain::record::{Profile, User};
use domain::{AppNumber, Caller, Domain, Noun, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::refused;
use super::tokens::TOKEN;
use super::{Error, Reply, decoded};
use crate::context::{Anonymous, Call, Cx};
use crate::input::{Json, Query, from_json};
use crate::lenient;
use crate::names::number_of_user;

/// A customer.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct RegisterRequest {
    /// The app.
    #[serde(rename = "appid", deserialize_with = "lenient::u64")]
    _appid: u64,
    /// What the app calls the customer; whoever has none is new each time.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    customer_id: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    avatar: String,
    /// Taken and not used: one token serves all platforms.
    #[serde(default, rename = "platform_id")]
    _platform_id: Option<i64>,
    /// Taken and not used.
    #[serde(default, rename = "device_id")]
    _device_id: Option<String>,
}

/// A customer's token, and where to go with it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RegisterReply {
    /// 30 characters `[A-Za-z0-9]`.
    token: String,
    /// The desk.
    store_id: u64,
    /// The customer, as a user.
    client_id: u64,
}

/// Which desk.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct SupportersQuery {
    /// From `/auth/customer`.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    store_id: Option<u64>,
}

/// Who serves the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Supporter {
    /// A user.
    seller_id: u64,
    /// What stands before an `@` in the user's name.
    name: String,
    avatar: String,
    /// `online` or `offline`.
    status: &'static str,
}

/// Which app a customer is of.
#[derive(Debug, Deserialize)]
struct AppOf {
    #[serde(deserialize_with = "lenient::u64")]
    appid: u64,
}

/// The app of a customer who registers: named in the body; if a credential is shown, it must be that app's number and key.
///
/// The document asks for no credential, its later versions for this one: `key_needed` says which.
pub(super) async fn authenticate(domain: &Domain, call: &Call, key_needed: bool) -> Reply<Caller> {
    let number = u32::try_from(from_json::<AppOf>(&call.body)?.appid).map_err(|_| Error::WrongApp)?;
    let shown = call.header("authorization").filter(|header| !header.is_empty());
    let caller = match shown {
        None if key_needed => return Err(Error::WrongApp),
        None => domain.apps.operator(AppNumber(number)).await,
        Some(header) => {
            let (number, key) = header.get(6..).and_then(decoded).ok_or(Error::WrongApp)?;
            domain.apps.authenticate(&Credential::Key { number, key }).await
        }
    };
    let caller = caller.map_err(|error| refused(error, Error::WrongApp))?;
    if caller.app().0 == number { Ok(caller) } else { Err(Error::WrongApp) }
}

/// `POST /auth/customer`: a customer's token.
pub(super) async fn register_openly(cx: Anonymous, Json(request): Json<RegisterRequest>) -> Reply<RegisterReply> {
    // Only the app makes users; here it lets its customers come by themselves.
    let app = cx.domain.apps.operator(cx.nobody.app()).await?;
    give_token(&cx.domain, &app, request).await
}

/// `POST /customer/register`: a customer's token.
pub(super) async fn register(cx: Cx, Json(request): Json<RegisterRequest>) -> Reply<RegisterReply> {
    give_token(&cx.domain, &cx.caller, request).await
}

/// A customer's token. A crash in between leaves the customer without one; the same call again gives it.
async fn give_token(domain: &Domain, app: &Caller, request: RegisterRequest) -> Reply<RegisterReply> {
    let profile = Profile { name: request.name, avatar: request.avatar, ..Profile::default() };
    let id = request.customer_id.filter(|id| !id.is_empty());
    let made = domain.support.customer(app, id.as_deref(), &profile).await;
    let (customer, desk) = made.map_err(without_desk("app do not support customer"))?;
    let issued = domain.tokens.issue(app, UserId(customer.id), TOKEN).await?;
    Ok(RegisterReply { token: issued.text, store_id: desk.id, client_id: number_of_user(&customer) })
}

/// `GET /supporters`: who serves the caller at a desk.
pub(super) async fn supporter(cx: Cx, Query(query): Query<SupportersQuery>) -> Reply<Supporter> {
    let store = query.store_id.filter(|store| *store != 0).ok_or(Error::Refused("require store_id param"))?;
    let served = cx.domain.support.supporter(&cx.caller, store).await.map_err(without_desk(NOBODY))?;
    let served = served.ok_or(Error::Refused(NOBODY))?;
    Ok(Supporter::of(served.by, served.online))
}

/// Who serves at a desk; nobody where there is none.
pub(super) async fn sellers(cx: &Cx, store: u64) -> Reply<HashSet<UserId>> {
    match cx.domain.support.supporters(&cx.caller, store).await {
        Ok(users) => Ok(users.into_iter().map(|user| UserId(user.id)).collect()),
        Err(domain::Error::NotFound(Noun::Store)) => Ok(HashSet::new()),
        Err(error) => Err(error.into()),
    }
}

/// Nobody serves at a desk, or there is no such desk.
const NOBODY: &str = "store no supporter";

/// The original's words where there is no desk.
fn without_desk(words: &'static str) -> impl FnOnce(domain::Error) -> Error {
    move |error| match error {
        domain::Error::NotFound(Noun::Store) => Error::Refused(words),
        other => other.into(),
    }
}

impl Supporter {
    fn of(user: User, online: bool) -> Self {
        let seller_id = number_of_user(&user);
        let profile = user.profile.unwrap_or_default();
        let name = profile.name.split('@').next().unwrap_or_default().to_owned();
        Self { seller_id, name, avatar: profile.avatar, status: if online { "online" } else { "offline" } }
    }
}
