//! Registering.

use domain::record::Profile;
use domain::users::NewUser;
use rand::Rng as _;
use serde::Deserialize;
use utoipa::ToSchema;

use super::settings::Settings;
use crate::context::Anonymous;
use crate::input::Json;
use crate::lenient;
use crate::maxim::{Error, Reply};

/// Digits that a guest's name gets.
const GUEST_DIGITS: u32 = 10;

/// Who registers.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Registrant {
    /// Letters (of any script), digits and underscores; not all digits; does not begin with `maxim` or `mta`.
    pub(super) username: String,
    pub(super) password: String,
}

/// Who registers, and how else to reach them.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FullRegistrant {
    #[serde(default)]
    email: Option<String>,
    #[serde(default, deserialize_with = "lenient::opt_string")]
    mobile: Option<String>,
    password: String,
    /// Letters (of any script), digits and underscores; not all digits; does not begin with `maxim` or `mta`.
    username: String,
    /// Changes nothing.
    #[serde(default, deserialize_with = "lenient::opt_string")]
    #[expect(dead_code, reason = "checked for its type only")]
    verification_code: Option<String>,
}

/// `POST /user/register/v2`: makes a user.
pub(crate) async fn register_v2(cx: Anonymous, Json(req): Json<Registrant>) -> Reply<Settings> {
    create(&cx, req.into_user()?).await
}

/// `POST /user/register`: makes a user who can be reached.
pub(crate) async fn register(cx: Anonymous, Json(req): Json<FullRegistrant>) -> Reply<Settings> {
    let (email, mobile) = (req.email.unwrap_or_default(), req.mobile.unwrap_or_default());
    let user = Registrant { username: req.username, password: req.password }.into_user()?;
    create(&cx, NewUser { profile: Profile { email, mobile, ..Profile::default() }, exclusive: true, ..user }).await
}

/// `POST /user/register/anonymous`: makes a guest, whose name begins as asked for.
pub(crate) async fn anonymous(cx: Anonymous, Json(req): Json<Registrant>) -> Reply<Settings> {
    check_username(&req.username)?;
    let digits = rand::rng().random_range(0..10_u64.pow(GUEST_DIGITS));
    let username = format!("{}{digits:0width$}", req.username, width = GUEST_DIGITS as usize);
    create(&cx, Registrant { username, ..req }.into_user()?).await
}

async fn create(cx: &Anonymous, new: NewUser) -> Reply<Settings> {
    let user = cx.domain.users.create(&cx.nobody, new).await?;
    Ok(Settings::from(&user))
}

impl Registrant {
    pub(super) fn into_user(self) -> Reply<NewUser> {
        check_username(&self.username)?;
        if self.password.is_empty() {
            return Err(Error::parameter("the password must not be empty"));
        }
        Ok(NewUser { username: Some(self.username), password: Some(self.password), ..NewUser::default() })
    }
}

/// The system's own rules for usernames, with the texts that its clients show.
pub(crate) fn check_username(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::parameter("the username must not be empty"));
    }
    if !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
        return Err(Error::parameter("the username may hold letters, digits and underscores only"));
    }
    if name.chars().all(|letter| letter.is_ascii_digit()) {
        return Err(Error::parameter("the username must not be all digits"));
    }
    if ["maxim", "mta"].iter().any(|reserved| name.to_ascii_lowercase().starts_with(reserved)) {
        return Err(Error::parameter("the username must not begin with maxim or mta"));
    }
    Ok(())
}
