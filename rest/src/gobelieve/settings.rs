//! gobelieve's settings of a user: `POST` or `PATCH /users/{uid}`.

use domain::UserId;
use domain::record::{Mute, Silence};
use domain::users::SettingsChange;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::users::{ensure_uid, rename_uid};
use super::{Error, Reply};
use crate::context::Cx;
use crate::dialect::Fault;
use crate::input::{Json, Path};
use crate::lenient;

/// The field that names the other user.
const PEER: &str = "do_not_disturb.peer_uid";
/// For ever, where a time is meant.
const FOR_EVER: i64 = -1;

/// Whose settings.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct UserPath {
    uid: u64,
}

/// One setting: the first of these that is there.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct SettingsRequest {
    /// The name to show.
    #[serde(default)]
    name: Option<String>,
    /// Whether the user is silent everywhere.
    #[serde(default, deserialize_with = "lenient::opt_boolean")]
    forbidden: Option<bool>,
    #[serde(default)]
    do_not_disturb: Option<DoNotDisturb>,
    /// Whether messages make no sound on the user's phone.
    #[serde(default, deserialize_with = "lenient::opt_boolean")]
    mute: Option<bool>,
}

/// Whether messages of one other user come without a notification.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct DoNotDisturb {
    #[serde(deserialize_with = "lenient::u64")]
    peer_uid: u64,
    #[serde(deserialize_with = "lenient::boolean")]
    on: bool,
}

/// What to change.
enum Change {
    Name(String),
    Forbidden(bool),
    DoNotDisturb(DoNotDisturb),
    Mute(bool),
}

/// `POST|PATCH /users/{uid}`: changes one setting of a user.
pub(super) async fn change(cx: Cx, (Path(path), Json(request)): (Path<UserPath>, Json<SettingsRequest>)) -> Reply<()> {
    let change = request.first()?;
    let user = ensure_uid(&cx, "uid", path.uid).await?;
    match change {
        Change::Name(name) => rename_uid(&cx, user, name).await,
        Change::Forbidden(on) => forbid(&cx, user, on).await,
        Change::DoNotDisturb(peer) => do_not_disturb(&cx, user, peer).await,
        Change::Mute(on) => mute(&cx, user, on).await,
    }
}

async fn forbid(cx: &Cx, user: UserId, on: bool) -> Reply<()> {
    let until = if on { FOR_EVER } else { 0 };
    let silence = Silence { direct_until: until, group_until: until };
    Ok(cx.domain.rules.set_silence(&cx.caller, Some(user), silence).await?)
}

async fn do_not_disturb(cx: &Cx, user: UserId, peer: DoNotDisturb) -> Reply<()> {
    let other = ensure_uid(cx, PEER, peer.peer_uid).await?;
    let owner = cx.domain.tokens.act_as(&cx.caller, user).await?;
    let mute = if peer.on { Mute::Notifications } else { Mute::None };
    cx.domain.roster.set_mute(&owner, other, mute).await.map_err(|error| match error {
        domain::Error::Invalid { message, .. } => Fault::invalid(PEER, message).into(),
        error => Error::from(error),
    })
}

async fn mute(cx: &Cx, user: UserId, on: bool) -> Reply<()> {
    let change = SettingsChange { no_sounds: Some(on), ..SettingsChange::default() };
    cx.domain.users.update_settings(&cx.caller, user, change).await?;
    Ok(())
}

impl SettingsRequest {
    /// The first that is there, in the order of the original.
    fn first(self) -> Result<Change, Fault> {
        let name = self.name.map(Change::Name);
        let forbidden = self.forbidden.map(Change::Forbidden);
        let do_not_disturb = self.do_not_disturb.map(Change::DoNotDisturb);
        let mute = self.mute.map(Change::Mute);
        let first = name.or(forbidden).or(do_not_disturb).or(mute);
        first.ok_or_else(|| Fault::invalid("body", "must hold name, forbidden, do_not_disturb or mute"))
    }
}
