//! tenured's accounts: `POST /v1/build_account` and `/v1/batch_build_account`.

use std::collections::HashMap;

use domain::record::Profile;
use domain::users::NewUser;
use domain::{Noun, UserRef, record};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Error, Reply, Tenured};
use crate::context::{Call, Cx};
use crate::dialect::Fault;
use crate::input::{Input, Json, from_json};
use crate::lenient;
use crate::openapi::OperationDoc;

/// The vocabulary's limit on `userId`, in characters.
const USER_ID_CHARS: usize = 32;

/// An account.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
pub(crate) struct Account {
    /// The user's id in the app's other system.
    #[serde(deserialize_with = "lenient::string")]
    id: String,
    /// The user's id in the app, at most 32 characters.
    #[serde(rename = "userId", deserialize_with = "lenient::string")]
    #[schema(min_length = 1, max_length = 32)]
    user_id: String,
    #[serde(rename = "aliasName", default)]
    alias_name: String,
    #[serde(rename = "userName", default)]
    user_name: String,
    /// 0 unknown, 1 male, 2 female.
    #[serde(default)]
    #[schema(maximum = 2)]
    sex: u32,
    #[serde(rename = "headImgUrl", default)]
    head_img_url: String,
}

/// `{"accounts": [...]}`; `appId` and `sign` may stand beside the list.
#[derive(Debug, Deserialize, ToSchema)]
struct Named {
    accounts: Vec<Account>,
}

/// A list of accounts, bare or named.
#[derive(Debug)]
pub(crate) struct Accounts(Vec<Account>);

impl Input<Tenured> for Accounts {
    fn read(call: &Call) -> Reply<Self> {
        let bare = call.text()?.trim_start().starts_with('[');
        let accounts = if bare { from_json(&call.body)? } else { from_json::<Named>(&call.body)?.accounts };
        Ok(Self(accounts))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.either_body::<Vec<Account>, Named>();
    }
}

/// `POST /v1/build_account`: creates one account.
pub(super) async fn build(cx: Cx, Json(account): Json<Account>) -> Reply<()> {
    account.check()?;
    create(&cx, account).await
}

/// `POST /v1/batch_build_account`: creates accounts, all or none.
///
/// Accounts live in homes of their own, so the batch is not one commit: everything that can be refused is refused before the first
/// is created, and a crash in between leaves a prefix that the same batch, sent again, completes.
pub(super) async fn build_batch(cx: Cx, Accounts(accounts): Accounts) -> Reply<()> {
    check_batch(&cx, &accounts).await?;
    for (row, account) in accounts.into_iter().enumerate() {
        create(&cx, account).await.map_err(Error::at(row))?;
    }
    Ok(())
}

async fn check_batch(cx: &Cx, accounts: &[Account]) -> Reply<()> {
    let limit = cx.config.max_users_per_call;
    if accounts.is_empty() || accounts.len() > limit {
        return Err(Fault::invalid("accounts", format!("holds {}; 1 to {limit} are allowed", accounts.len())).into());
    }
    let mut seen = HashMap::new();
    for (row, account) in accounts.iter().enumerate() {
        account.check().map_err(Error::at(row))?;
        if seen.insert(&account.user_id, account).is_some_and(|before| before != account) {
            return Err(Error::at(row)(domain::Error::Exists(Noun::User).into()));
        }
    }
    let names: Vec<UserRef> = accounts.iter().map(|account| UserRef::Uid(account.user_id.clone())).collect();
    let found = cx.domain.users.find_many(&cx.caller, &names).await?;
    for (row, (account, user)) in accounts.iter().zip(found).enumerate() {
        user.map_or(Ok(()), |user| account.must_be(&user)).map_err(Error::at(row))?;
    }
    Ok(())
}

async fn create(cx: &Cx, account: Account) -> Reply<()> {
    let new = NewUser { uid: Some(account.user_id.clone()), profile: account.profile(), ..NewUser::default() };
    let user = cx.domain.users.ensure(&cx.caller, new).await?;
    account.must_be(&user)
}

impl Account {
    fn check(&self) -> Reply<()> {
        let chars = self.user_id.chars().count();
        if chars == 0 || chars > USER_ID_CHARS {
            return Err(
                Fault::invalid("userId", format!("has {chars} characters; 1 to {USER_ID_CHARS} are allowed")).into()
            );
        }
        if self.id.is_empty() {
            return Err(Fault::invalid("id", "is empty").into());
        }
        if self.sex > 2 {
            return Err(Fault::invalid("sex", "is 0 for unknown, 1 for male or 2 for female").into());
        }
        Ok(())
    }

    fn profile(&self) -> Profile {
        Profile {
            name: self.user_name.clone(),
            alias: self.alias_name.clone(),
            avatar: self.head_img_url.clone(),
            gender: self.sex,
            external_id: self.id.clone(),
            ..Profile::default()
        }
    }

    /// The account that exists under this id is this one, or else the id is taken.
    fn must_be(&self, user: &record::User) -> Reply<()> {
        let there = user.profile.clone().unwrap_or_default();
        let wanted = self.profile();
        let same = there.name == wanted.name
            && there.alias == wanted.alias
            && there.avatar == wanted.avatar
            && there.gender == wanted.gender
            && there.external_id == wanted.external_id;
        if same { Ok(()) } else { Err(domain::Error::Exists(Noun::User).into()) }
    }
}
