//! Entries of a conversation as sentences.

use linnet_sdk::content::{Body, Content, Entry, Kind, Tip, TipKind};

/// What one entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Somebody's words.
    Message(String),
    /// Something that the sender did.
    Act(String),
}

/// Puts an entry into words; `None` where there is nothing to show.
pub(super) fn entry(entry: &Entry) -> Option<Said> {
    Some(match entry.body.as_ref()? {
        Body::Message(content) => Said::Message(said(content)?),
        Body::Edit(edit) => {
            let text = edit.content.as_ref().and_then(said).unwrap_or_default();
            Said::Act(format!("changed #{} to: {text}", edit.seq))
        }
        Body::Recall(recall) => Said::Act(format!("took back #{}", recall.seq)),
        Body::Tip(tip) => Said::Act(happened(tip)),
    })
}

fn said(content: &Content) -> Option<String> {
    Some(match content.kind.as_ref()? {
        Kind::Text(text) => text.text.clone(),
        Kind::Image(_) => "[an image]".to_owned(),
        Kind::Voice(voice) => format!("[a voice message of {} s]", voice.duration_ms / 1_000),
        Kind::Video(_) => "[a video]".to_owned(),
        Kind::File(file) => format!("[the file {}]", file.media.as_ref().map_or("", |media| media.name.as_str())),
        Kind::Location(location) => format!("[a place: {}]", location.address),
        Kind::Face(_) => "[a sticker]".to_owned(),
        Kind::Custom(custom) => format!("[custom: {}]", custom.data),
        Kind::Forward(forward) => format!("[{} forwarded messages: {}]", forward.items.len(), forward.title),
        // For the app's own code, not for people.
        Kind::Command(_) => return None,
    })
}

fn happened(tip: &Tip) -> String {
    let text = &tip.text;
    match tip.kind() {
        TipKind::GroupCreated => "created the group".to_owned(),
        TipKind::GroupChanged => format!("changed the group: {text}"),
        TipKind::GroupDismissed => "dismissed the group".to_owned(),
        TipKind::MembersAdded => format!("added {} to the group", people(tip.users.len())),
        TipKind::MemberLeft => "left the group".to_owned(),
        TipKind::MembersRemoved => format!("removed {} from the group", people(tip.users.len())),
        TipKind::MemberChanged => "changed a member".to_owned(),
        TipKind::MembersBlocked => format!("blocked {} from the group", people(tip.users.len())),
        TipKind::MembersUnblocked => format!("lets {} into the group again", people(tip.users.len())),
        TipKind::OwnerChanged => "handed the group over".to_owned(),
        TipKind::FriendRequested => format!("wants to be friends: {text}"),
        TipKind::FriendAccepted => "is now a friend".to_owned(),
        TipKind::FriendDeclined => "declined to be friends".to_owned(),
        TipKind::FriendRemoved => "is no longer a friend".to_owned(),
        TipKind::BlockChanged => "was blocked or unblocked".to_owned(),
        TipKind::ConversationChanged => "changed a conversation on another device".to_owned(),
        TipKind::ContactChanged => "changed a contact on another device".to_owned(),
        TipKind::DeviceLoggedIn => "logged in on another device".to_owned(),
        TipKind::GroupApplied => format!("asks to join a group: {text}"),
        TipKind::ApplicationAccepted => "let you into a group".to_owned(),
        TipKind::ApplicationDeclined => format!("did not let you into a group: {text}"),
        TipKind::GroupInvited => format!("invites you into a group: {text}"),
        TipKind::InvitationAccepted => "took your invitation".to_owned(),
        TipKind::InvitationDeclined => "declined your invitation".to_owned(),
        TipKind::FilesChanged => "changed the group's files".to_owned(),
        TipKind::System | TipKind::Unspecified => text.clone(),
    }
}

fn people(count: usize) -> String {
    if count == 1 { "somebody".to_owned() } else { format!("{count} people") }
}
