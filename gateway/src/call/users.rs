//! Users, the caller's own account, and the caller's devices.

use domain::{Error, UserRef};
use proto::wire;
use wire::frame::Body;

use super::{Context, ok};
use crate::answer;
use crate::session::UserRequest;

pub(super) async fn serve(cx: &Context, request: UserRequest) -> Result<Body, Error> {
    let (users, caller) = (&cx.domain.users, &cx.caller);
    match request {
        UserRequest::Find(refs) => {
            let found = users.find_many(caller, &refs).await?;
            Ok(Body::UserList(wire::UserList { users: found.iter().flatten().map(answer::user).collect() }))
        }
        UserRequest::Search { by, text } => {
            let found = users.search(caller, by, &text).await?;
            Ok(Body::UserList(wire::UserList { users: found.iter().map(answer::user).collect() }))
        }
        UserRequest::Profile => {
            let own = users.find(caller, &UserRef::Id(caller.user()?)).await?;
            Ok(Body::Profile(answer::profile(&own)))
        }
        UserRequest::UpdateProfile(change) => ok(users.update(caller, caller.user()?, *change).await.map(drop)),
        UserRequest::Settings => {
            let own = users.find(caller, &UserRef::Id(caller.user()?)).await?;
            Ok(Body::Settings(answer::settings(own.settings.unwrap_or_default())))
        }
        UserRequest::UpdateSettings(change) => {
            let settings = users.update_settings(caller, caller.user()?, *change).await?;
            Ok(Body::Settings(answer::settings(settings)))
        }
        UserRequest::ChangePassword { old, new } => {
            ok(users.change_password(caller, caller.user()?, Some(&old), &new).await.map_err(of_old_password))
        }
        UserRequest::Devices => {
            Ok(Body::DeviceList(answer::devices(cx.domain.devices.list(caller, caller.user()?).await?)))
        }
        UserRequest::RemoveDevice(id) => ok(cx.domain.devices.remove(caller, caller.user()?, &id).await),
    }
}

/// It is the old password that is wrong, and not the session's token: the session goes on.
fn of_old_password(error: Error) -> Error {
    match error {
        Error::Unauthenticated(message) => Error::Invalid { field: "old", message: message.to_owned() },
        error => error,
    }
}
