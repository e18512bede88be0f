//! What messages and entries hold.
//!
//! These are the contract's own structs, which the server stores as they are. The functions make the usual ones.

pub use proto::entry::{
    Command, Content, Custom, Edit, Entry, Face, File, Forward, Forwarded, Image, Location, Media, Priority, Recall,
    Text, Tip, Video, Voice, content::Kind, entry::Body, tip::Kind as TipKind,
};

/// A text.
pub fn text(text: impl Into<String>) -> Content {
    of(Kind::Text(Text { text: text.into() }))
}

/// The app's own data, carried unread.
pub fn custom(data: impl Into<String>) -> Content {
    of(Kind::Custom(Custom { data: data.into(), ..Custom::default() }))
}

/// Content of any kind, without anything that may accompany it.
#[must_use]
pub fn of(kind: Kind) -> Content {
    Content { kind: Some(kind), ..Content::default() }
}

/// An entry's text, if it is a text message.
#[must_use]
pub fn text_of(entry: &Entry) -> Option<&str> {
    match entry.body.as_ref()? {
        Body::Message(Content { kind: Some(Kind::Text(text)), .. }) => Some(&text.text),
        _ => None,
    }
}
