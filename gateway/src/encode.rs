//! Frames that many sessions share, each encoded once.

use bytes::Bytes;
use domain::record;
use proto::{frame, push, wire};
use wire::frame::Body;

/// A new entry.
pub(crate) fn push(appended: &record::Appended) -> Bytes {
    let entry = appended.entry.as_ref();
    push::frame(appended.conversation.as_ref(), appended.epoch, entry, appended.online_only)
}

/// Someone has read.
pub(crate) fn receipt(moved: &record::ReadMoved) -> Bytes {
    unasked(Body::Receipt(wire::Receipt {
        conversation: moved.conversation,
        user: moved.user,
        seq: moved.seq,
        time: moved.time,
    }))
}

/// Someone is writing.
pub(crate) fn typing(typed: &record::Typed) -> Bytes {
    unasked(Body::Typing(wire::Typing { conversation: typed.conversation, user: typed.user, active: typed.active }))
}

/// Someone came or went.
pub(crate) fn presence(moved: &record::PresenceMoved) -> Bytes {
    let presence = wire::Presence {
        user: moved.user,
        online: moved.online,
        platforms: moved.platforms.iter().map(|platform| i32::try_from(*platform).unwrap_or_default()).collect(),
        last_seen: moved.time,
    };
    unasked(Body::PresenceList(wire::PresenceList { presences: vec![presence] }))
}

/// A frame that the gateway sends of its own accord.
fn unasked(body: Body) -> Bytes {
    frame::encode_to_bytes(&wire::Frame { id: 0, body: Some(body) })
}
