//! What a notice of a message says.

use proto::entry::content::Kind;
use proto::entry::{Content, Media};

/// Longest body, in characters; phones show less.
const LONGEST: usize = 200;

/// A message as one short line.
pub(super) fn line(content: &Content) -> String {
    let text = match content.kind.as_ref() {
        Some(Kind::Text(text)) => text.text.clone(),
        Some(Kind::Image(_)) => "[image]".to_owned(),
        Some(Kind::Voice(_)) => "[voice]".to_owned(),
        Some(Kind::Video(_)) => "[video]".to_owned(),
        Some(Kind::File(file)) => named("[file]", file.media.as_ref()),
        Some(Kind::Location(place)) => format!("[location] {}", place.address),
        Some(Kind::Face(_)) => "[sticker]".to_owned(),
        Some(Kind::Custom(custom)) if !custom.description.is_empty() => custom.description.clone(),
        Some(Kind::Custom(_)) => "[message]".to_owned(),
        Some(Kind::Forward(forward)) => format!("[forwarded] {}", forward.title),
        Some(Kind::Command(_)) | None => String::new(),
    };
    cut(text.trim_end())
}

fn named(label: &str, media: Option<&Media>) -> String {
    media.map_or_else(|| label.to_owned(), |media| format!("{label} {}", media.name))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proto::entry::{Custom, File, Text};

    use super::*;

    fn said(kind: Kind) -> String {
        line(&Content { kind: Some(kind), ..Content::default() })
    }

    #[test]
    fn a_message_is_one_short_line() {
        assert_eq!(said(Kind::Text(Text { text: "hi".into() })), "hi");
        let long = said(Kind::Text(Text { text: "好".repeat(300) }));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true));
        let media = Media { name: "a.pdf".into(), ..Media::default() };
        assert_eq!(said(Kind::File(File { media: Some(media) })), "[file] a.pdf");
        assert_eq!(said(Kind::Custom(Custom { data: "{}".into(), ..Custom::default() })), "[message]");
    }
}
