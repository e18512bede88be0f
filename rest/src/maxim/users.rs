//! Users: registering, what they tell of themselves, how they want to be treated, and what they log in from.

mod batch;
mod devices;
mod profile;
mod register;
mod settings;

use domain::UserId;
use domain::record::User;
use domain::users::ProfileChange;

use super::error::at_profile;
use super::{Access, Error, Maxim, Reply};
use crate::context::Cx;
use crate::route::{DELETE, GET, POST, PUT, Route, on, public};

pub(super) use profile::mobile;
pub(super) use register::check_username;
pub(super) use settings::Settings;

/// The document's chapter on users, but for what concerns pushes.
pub(super) fn routes() -> Vec<Route<Maxim>> {
    vec![
        on(POST | PUT, "/user/authmode", settings::auth_mode).says(
            "Sets how friend requests are answered",
            "0 by friendship, 1 the user is asked, 2 by a question, 3 by refusal.",
        ),
        on(POST | PUT, "/user/avatar", profile::avatar).says("Sets the picture", ""),
        on(POST | PUT, "/user/avatar/batch", batch::avatars).says("Sets users' pictures", BATCH),
        on(GET, "/user/bind_openid", profile::bind_openid).says("Binds an account of another system", BIND),
        on(POST, "/user/change_password", profile::change_password).says("Changes the password", PASSWORD),
        on(POST, "/user/delete", profile::delete).access(Access::OfDisabledToo).says("Deletes the user", DELETION),
        on(GET, "/user/device/list", devices::list)
            .shape(super::Shape::Beside)
            .says("Lists devices", "What opened a connection, or logged in with a `device_guid`. All are on one page."),
        on(POST | DELETE, "/user/device/remove", devices::remove).says(
            "Forgets a device",
            "Its connections end within a second, and so do tokens that were issued for its `device_guid`.",
        ),
        on(PUT, "/user/disable", batch::disable).says("Disables users", DISABLE),
        on(POST | PUT, "/user/download", settings::download)
            .says("Sets whether clients fetch pictures and files by themselves", ""),
        on(PUT, "/user/enable", batch::enable)
            .says("Enables users", "For admins. An unknown user is an error, and nobody is enabled."),
        on(POST | PUT, "/user/kick", devices::kick).says(
            "Ends a device's connections",
            "All of them without `device_sn`. They may log in again; `/user/device/remove` prevents that.",
        ),
        on(POST | PUT, "/user/mobile", profile::mobile)
            .says("Sets the mobile number", "It must be nobody else's (11012). One that is empty is removed."),
        on(POST | PUT, "/user/nickname", profile::nickname).says("Sets the name to show", ""),
        on(GET, "/user/online_status", devices::online_status).says("Tells whether the user is connected", ""),
        on(POST | PUT, "/user/private", profile::private)
            .says("Sets what only the user sees", "The body is the text itself."),
        on(GET, "/user/profile", profile::get).says("Tells one's own data", ""),
        on(POST | PUT, "/user/profile", profile::update)
            .says("Changes one's own data", "What is left out stays as it is."),
        on(POST | PUT, "/user/profile/batch", batch::profiles).says("Changes users' data", BATCH),
        on(POST | PUT, "/user/public", profile::public)
            .says("Sets what everybody sees", "The body is the text itself."),
        on(POST | PUT, "/user/push", settings::push).says("Sets whether pushes are off", ""),
        on(POST | PUT, "/user/push/detail", settings::push_detail)
            .says("Sets whether pushes leave out what was said", ""),
        on(POST | PUT, "/user/push/limit", settings::push_limit)
            .says("Sets when pushes pause", "Hours of the day, 0 to 24. What is left out stays as it is."),
        on(POST | PUT, "/user/push/nickname", settings::push_nickname)
            .says("Sets the name that pushes to others show", ""),
        public(POST, "/user/register", register::register).says("Makes a user", REGISTER),
        public(POST, "/user/register/anonymous", register::anonymous).says(
            "Makes a guest",
            "`username` is how the name begins; digits are added. The answer's `user_id` logs in.",
        ),
        on(POST, "/user/register/batch", batch::register).says("Makes users", BATCH),
        public(POST, "/user/register/v2", register::register_v2)
            .says("Makes a user", "Answers the user's settings, which are the defaults."),
        on(GET, "/user/settings", settings::get).says("Tells one's settings", ""),
        on(POST | PUT, "/user/settings", settings::update).says("Changes one's settings", SETTINGS),
        on(POST | PUT, "/user/sounds", settings::sounds).says("Sets whether messages make no sound", ""),
        on(POST | PUT, "/user/username", profile::username).says("Changes the login name", "The old one is free then."),
        on(POST | PUT, "/user/vibratory", settings::vibratory).says("Sets whether messages make devices vibrate", ""),
    ]
}

const BATCH: &str = "For admins. One result for each row: what goes wrong with one leaves the others alone.";

const BIND: &str = "`type` tells which system; 0 where it is left out. Binding the same account again changes nothing, another one takes its \
    place, and one that is somebody else's is error 10011.";

const PASSWORD: &str = "Every token is void then, the caller's own too, and open connections end: log in again. \
    Admins who act for a user may leave out `old_password`.";

const DELETION: &str = "For good, by `password`; admins who act for a user may leave it out, and the user may be disabled. What the user said \
    stays, the groups that the user owns go to the admin or member who joined first, and the id is never given again.";

const DISABLE: &str = "For admins. Whoever is disabled cannot log in, and open connections end within a second. An unknown user is an error, \
    and nobody is disabled.";

const REGISTER: &str = "`mobile` and `email` must be nobody else's; one can log in by them. `verification_code` is taken and not checked: this \
    server sends none.";

const SETTINGS: &str = "What is left out stays as it is. `id` and `push_token` change nothing; `user_id` must be the caller's, where it is there.";

/// The user whom the call is about: the caller, or whom an admin acts for.
fn own(cx: &Cx) -> Reply<UserId> {
    Ok(cx.caller.user()?)
}

/// Changes one user's profile.
async fn change_profile(cx: &Cx, user: UserId, change: ProfileChange) -> Result<User, Error> {
    cx.domain.users.update(&cx.caller, user, change).await.map_err(at_profile)
}
