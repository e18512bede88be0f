//! A message as one line of plain text, for a dialect that cannot show its kind.

use domain::entry::content::Kind;
use domain::entry::{Content, Media};

/// The content as plain text: what was said, or what was sent with a link to it.
#[must_use]
pub fn preview(content: &Content) -> String {
    match content.kind.as_ref() {
        Some(Kind::Text(text)) => text.text.clone(),
        Some(Kind::Image(image)) => media("image", image.media.as_ref()),
        Some(Kind::Voice(voice)) => media("voice", voice.media.as_ref()),
        Some(Kind::Video(video)) => media("video", video.media.as_ref()),
        Some(Kind::File(file)) => media("file", file.media.as_ref()),
        Some(Kind::Location(place)) => {
            let point = format!("{},{}", place.latitude, place.longitude);
            labelled("location", &[&place.address, &point])
        }
        Some(Kind::Face(face)) => labelled("face", &[&face.index]),
        Some(Kind::Custom(custom)) if !custom.description.is_empty() => custom.description.clone(),
        Some(Kind::Custom(custom)) => custom.data.clone(),
        Some(Kind::Forward(forward)) => labelled("forward", &[&forward.title]),
        Some(Kind::Command(command)) => command.data.clone(),
        None => String::new(),
    }
}

fn media(label: &str, media: Option<&Media>) -> String {
    media.map_or_else(|| labelled(label, &[]), |media| labelled(label, &[&media.name, &media.url]))
}

fn labelled(label: &str, parts: &[&str]) -> String {
    let mut line = format!("[{label}]");
    for part in parts.iter().filter(|part| !part.is_empty()) {
        line.push(' ');
        line.push_str(part);
    }
    line
}

#[cfg(test)]
mod tests {
    use domain::entry;

    use super::*;

    #[test]
    fn says_what_was_sent() {
        let media = Media { url: "https://x/a.png".into(), name: "a.png".into(), ..Media::default() };
        let image = Kind::Image(entry::Image { media: Some(media), ..entry::Image::default() });
        assert_eq!(preview(&Content { kind: Some(image), ..Content::default() }), "[image] a.png https://x/a.png");
        let text = Kind::Text(entry::Text { text: "hi".into() });
        assert_eq!(preview(&Content { kind: Some(text), ..Content::default() }), "hi");
        assert_eq!(preview(&Content::default()), "");
    }
}
