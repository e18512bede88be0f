//! What a message of a run says about itself, in its text, so that whoever receives it can enter it into the books.

use linnet_sdk::content::{self, Body, Content, Kind};

/// `run stream number nanos`, and then filling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Tells this run's messages from those of earlier ones.
    pub(crate) run: u64,
    /// The [`Stream`](super::ledger::Stream).
    pub(crate) stream: u32,
    /// Number within the stream, from 0.
    pub(crate) number: u64,
    /// When it was meant to be sent, nanoseconds from the run's start.
    pub(crate) nanos: u64,
}

/// What texts are filled up with, a piece at a time.
const FILLING: &str = "................................................................";

impl Mark {
    /// Text of at least `length` bytes that carries the mark.
    pub(crate) fn text(self, length: usize) -> String {
        use std::fmt::Write as _;
        let Self { run, stream, number, nanos } = self;
        let mut text = String::with_capacity(length.max(48));
        // Writing to a string cannot fail.
        let _ = write!(text, "{run} {stream} {number} {nanos} ");
        while text.len() < length {
            text.push_str(&FILLING[..FILLING.len().min(length - text.len())]);
        }
        text
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, ' ');
        let mut next = || fields.next()?.parse::<u64>().ok();
        Some(Self { run: next()?, stream: u32::try_from(next()?).ok()?, number: next()?, nanos: next()? })
    }

    /// What an entry says about itself, if it is of this run.
    pub(crate) fn of(entry: &content::Entry, run: u64) -> Option<Self> {
        let text = content::text_of(entry).or_else(|| match entry.body.as_ref()? {
            // How what an app server wrote by REST comes, in dialects whose messages are the app's own data.
            Body::Message(Content { kind: Some(Kind::Custom(custom)), .. }) => Some(&custom.data),
            _ => None,
        });
        text.and_then(Self::parse).filter(|mark| mark.run == run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_text() {
        let mark = Mark { run: 7, stream: 3, number: 123, nanos: 9_000_000_001 };
        for length in [0, 40, 200] {
            let text = mark.text(length);
            assert!(text.len() >= length);
            assert_eq!(Mark::parse(&text), Some(mark));
        }
        assert_eq!(Mark::parse("hello there, old friend"), None);
    }
}
