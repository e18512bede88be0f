//! Profiles: what users tell of themselves, and how they answer who wants to be a friend.

use std::collections::BTreeMap;

use domain::UserRef;
use domain::record::{FriendPolicy, Profile as Stored, User, UserSettings};
use domain::users::{ProfileChange, SettingsChange, uid_of};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::at_profile;
use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Json;
use crate::lenient;

/// Most custom fields of one user.
const MOST_CUSTOM_FIELDS: usize = 20;

/// A user, as others see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    #[serde(rename = "userID")]
    user_id: String,
    nick: String,
    /// `Gender_Type_Unknown`, `Gender_Type_Female` or `Gender_Type_Male`.
    gender: &'static str,
    /// As `yyyymmdd`; 0 where it is not told.
    birthday: u32,
    location: String,
    self_signature: String,
    /// `AllowType_Type_AllowAny`, `AllowType_Type_NeedConfirm` or `AllowType_Type_DenyAny`.
    allow_type: &'static str,
    language: u32,
    avatar: String,
    message_settings: u32,
    /// `AdminForbid_Type_None` or `AdminForbid_Type_SendOut`.
    admin_forbid_type: &'static str,
    level: u32,
    role: u32,
    /// Unix seconds of the last change; 0 where there was none.
    last_updated_time: i64,
    profile_custom_field: Vec<CustomField>,
}

/// A field of the app's own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CustomField {
    key: String,
    value: String,
}

/// A user in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Row {
    userinfo: Profile,
}

/// Who is looked for.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FindRequest {
    /// Their userIDs; the document's name.
    #[serde(default, deserialize_with = "lenient::vec_string")]
    user_id: Vec<String>,
    /// In its place: the SDK's name.
    #[serde(default, rename = "userIDList", deserialize_with = "lenient::vec_string")]
    user_id_list: Vec<String>,
}

/// What changes. Numbers may be strings, as the document types them.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UpdateRequest {
    nick: Option<String>,
    avatar: Option<String>,
    /// `Gender_Type_Unknown`, `Gender_Type_Female` or `Gender_Type_Male`.
    gender: Option<String>,
    self_signature: Option<String>,
    /// `AllowType_Type_AllowAny`, `AllowType_Type_NeedConfirm` or `AllowType_Type_DenyAny`.
    allow_type: Option<String>,
    /// As `yyyymmdd`.
    #[serde(deserialize_with = "lenient::opt_u64")]
    birthday: Option<u64>,
    location: Option<String>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    language: Option<u64>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    message_settings: Option<u64>,
    /// `AdminForbid_Type_None` or `AdminForbid_Type_SendOut`. For administrators.
    admin_forbid_type: Option<String>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    level: Option<u64>,
    #[serde(deserialize_with = "lenient::opt_u64")]
    role: Option<u64>,
    profile_custom_field: Option<CustomFields>,
}

/// Fields of the app's own; each replaces the one with the same key, and the others stay.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a list of {key, value}, or an object of texts")]
pub(crate) enum CustomFields {
    /// As the SDK sends them.
    List(Vec<CustomField>),
    /// As the document types them.
    Object(BTreeMap<String, String>),
}

/// `POST /user/getMyProfile`: one's own profile.
pub(crate) async fn mine(cx: Cx, (): ()) -> Reply<Row> {
    let user = cx.domain.users.find(&cx.caller, &UserRef::Id(cx.caller.user()?)).await?;
    Ok(Row { userinfo: profile(&user) })
}

/// `POST /user/getUserProfile`: users' profiles.
pub(crate) async fn find(cx: Cx, Json(req): Json<FindRequest>) -> Reply<Vec<Row>> {
    let asked = if req.user_id.is_empty() { req.user_id_list } else { req.user_id };
    let most = cx.config.max_users_per_call;
    if asked.is_empty() || asked.len() > most {
        return Err(Error::parameter(format!("user_id: holds {}; 1 to {most} are allowed", asked.len())));
    }
    let asked: Vec<UserRef> = asked.into_iter().map(UserRef::Uid).collect();
    let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
    Ok(found.into_iter().flatten().map(|user| Row { userinfo: profile(&user) }).collect())
}

/// `POST /user/updateMyProfile`: changes one's own profile.
pub(crate) async fn update(cx: Cx, Json(req): Json<UpdateRequest>) -> Reply<Vec<Row>> {
    let own = cx.caller.user()?;
    let user = cx.domain.users.find(&cx.caller, &UserRef::Id(own)).await?;
    let (profile_change, settings_change) = req.into_changes(&user)?;
    if settings_change.may_not_befriend.is_some() {
        cx.caller.require_privileged()?;
    }
    let user = cx.domain.users.update(&cx.caller, own, profile_change).await.map_err(at_profile)?;
    let settings = cx.domain.users.update_settings(&cx.caller, own, settings_change).await?;
    Ok(vec![Row { userinfo: profile(&User { settings: Some(settings), ..user }) }])
}

impl UpdateRequest {
    fn into_changes(self, user: &User) -> Reply<(ProfileChange, SettingsChange)> {
        let forbidden = user.settings.as_ref().is_some_and(|settings| settings.may_not_befriend);
        let settings = SettingsChange {
            friend_policy: self.allow_type.as_deref().map(|name| policy_of(name, user)).transpose()?,
            // Clients may send all of a profile, so what is as it was is no change.
            may_not_befriend: self
                .admin_forbid_type
                .as_deref()
                .map(forbids)
                .transpose()?
                .filter(|new| *new != forbidden),
            ..SettingsChange::default()
        };
        let profile = ProfileChange {
            name: self.nick,
            avatar: self.avatar,
            gender: self.gender.as_deref().map(gender_of).transpose()?,
            signature: self.self_signature,
            birth: self.birthday.map(birth_of).transpose()?,
            location: self.location,
            language: number("language", self.language)?.map(|number| number.to_string()),
            level: number("level", self.level)?,
            role: number("role", self.role)?,
            message_settings: number("messageSettings", self.message_settings)?,
            custom_fields: self.profile_custom_field.map(|fields| merged(user, fields)).transpose()?,
            ..ProfileChange::default()
        };
        Ok((profile, settings))
    }
}

/// A user as this dialect shows it.
pub(super) fn profile(user: &User) -> Profile {
    let stored = user.profile.clone().unwrap_or_default();
    let settings = user.settings.clone().unwrap_or_default();
    Profile {
        user_id: uid_of(user),
        gender: match stored.gender {
            1 => "Gender_Type_Male",
            2 => "Gender_Type_Female",
            _ => "Gender_Type_Unknown",
        },
        birthday: stored.birth.replace('-', "").parse().unwrap_or_default(),
        allow_type: name_of(&settings),
        language: stored.language.parse().unwrap_or_default(),
        message_settings: stored.message_settings,
        admin_forbid_type: if settings.may_not_befriend { FORBIDS } else { FORBIDS_NOT },
        level: stored.level,
        role: stored.role,
        last_updated_time: user.updated / 1000,
        profile_custom_field: listed(custom_fields(&stored)),
        nick: stored.name,
        location: stored.location,
        self_signature: stored.signature,
        avatar: stored.avatar,
    }
}

const FORBIDS: &str = "AdminForbid_Type_SendOut";
const FORBIDS_NOT: &str = "AdminForbid_Type_None";

fn name_of(settings: &UserSettings) -> &'static str {
    match settings.friend_policy() {
        FriendPolicy::Open => "AllowType_Type_AllowAny",
        FriendPolicy::Confirm | FriendPolicy::Question => "AllowType_Type_NeedConfirm",
        FriendPolicy::Closed => "AllowType_Type_DenyAny",
    }
}

/// A policy by its name. Asking by a question, which is not among this dialect's, shows as asking, and stays when that is set again.
fn policy_of(name: &str, user: &User) -> Reply<FriendPolicy> {
    let now = user.settings.as_ref().map_or(FriendPolicy::Open, |settings| settings.friend_policy());
    match name {
        "AllowType_Type_AllowAny" => Ok(FriendPolicy::Open),
        "AllowType_Type_NeedConfirm" if now == FriendPolicy::Question => Ok(now),
        "AllowType_Type_NeedConfirm" => Ok(FriendPolicy::Confirm),
        "AllowType_Type_DenyAny" => Ok(FriendPolicy::Closed),
        _ => Err(Error::parameter(
            "allowType: must be AllowType_Type_AllowAny, AllowType_Type_NeedConfirm or AllowType_Type_DenyAny",
        )),
    }
}

fn forbids(name: &str) -> Reply<bool> {
    match name {
        FORBIDS => Ok(true),
        FORBIDS_NOT => Ok(false),
        _ => Err(Error::parameter("adminForbidType: must be AdminForbid_Type_None or AdminForbid_Type_SendOut")),
    }
}

fn gender_of(name: &str) -> Reply<u32> {
    match name {
        "Gender_Type_Unknown" => Ok(0),
        "Gender_Type_Male" => Ok(1),
        "Gender_Type_Female" => Ok(2),
        _ => Err(Error::parameter("gender: must be Gender_Type_Unknown, Gender_Type_Male or Gender_Type_Female")),
    }
}

/// A birthday as it is kept, and as other dialects write it: with dashes. 0 takes it away.
fn birth_of(day: u64) -> Reply<String> {
    let (year, month, of_month) = (day / 10_000, day / 100 % 100, day % 100);
    match (year, month, of_month) {
        (0, 0, 0) => Ok(String::new()),
        (1..=9999, 1..=12, 1..=31) => Ok(format!("{year:04}-{month:02}-{of_month:02}")),
        _ => Err(Error::parameter("birthday: must be a day as yyyymmdd")),
    }
}

fn number(field: &str, number: Option<u64>) -> Reply<Option<u32>> {
    let convert = |number| u32::try_from(number).map_err(|_| Error::parameter(format!("{field}: must be below 2^32")));
    number.map(convert).transpose()
}

fn custom_fields(stored: &Stored) -> BTreeMap<String, String> {
    serde_json::from_str(&stored.custom_fields).unwrap_or_default()
}

fn listed(fields: BTreeMap<String, String>) -> Vec<CustomField> {
    fields.into_iter().map(|(key, value)| CustomField { key, value }).collect()
}

/// The custom fields once these are set.
fn merged(user: &User, changes: CustomFields) -> Reply<String> {
    let mut fields = user.profile.as_ref().map(custom_fields).unwrap_or_default();
    match changes {
        CustomFields::List(list) => fields.extend(list.into_iter().map(|field| (field.key, field.value))),
        CustomFields::Object(object) => fields.extend(object),
    }
    if fields.len() > MOST_CUSTOM_FIELDS {
        return Err(Error::parameter(format!("profileCustomField: at most {MOST_CUSTOM_FIELDS} fields are kept")));
    }
    serde_json::to_string(&fields).map_err(|error| Error::parameter(format!("profileCustomField: {error}")))
}
