//! What push providers call the device, and by what the app's server addresses the caller.

use domain::Error;
use domain::push::{Binding, DeviceRef};
use proto::wire;
use wire::frame::Body;

use super::{Context, ok};
use crate::session::PushRequest;

pub(super) async fn serve(cx: &Context, request: PushRequest) -> Result<Body, Error> {
    let (push, caller) = (&cx.domain.push, &cx.caller);
    match request {
        PushRequest::Bind(binding) => bind(cx, binding).await,
        PushRequest::SetBadge(badge) => ok(push.set_badge(caller, badge).await),
        PushRequest::Tags => Ok(Body::PushTagList(wire::PushTagList { tags: push.tags(caller).await? })),
        PushRequest::AddTags(tags) => ok(push.add_tags(caller, &tags).await),
        PushRequest::RemoveTags(tags) => ok(push.remove_tags(caller, tags.as_deref()).await),
        PushRequest::SetAlias(alias) => ok(push.set_alias(caller, &alias, None).await),
    }
}

/// Binds the device that the session is on.
async fn bind(cx: &Context, binding: Option<Box<Binding>>) -> Result<Body, Error> {
    let device = cx.slot.with_session(|session| session.identity().map(|identity| identity.device_id.clone()));
    let device = DeviceRef::Id(device.as_deref().unwrap_or_default());
    ok(match binding {
        Some(binding) => cx.domain.push.bind(&cx.caller, device, *binding).await,
        None => cx.domain.push.unbind_device(&cx.caller, device).await,
    })
}
