//! Spellings of one word: letter case, full-width letters, invisible characters, and marks put between the characters of Chinese words.

use std::ops::Range;

/// A text as the filter reads it, with the way back to the text as it was written.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) text: String,
    /// For each byte of `text`, where the character that it comes from begins.
    origins: Vec<u32>,
}

impl Folded {
    pub(super) fn new(written: &str) -> Self {
        let mut folded =
            Self { text: String::with_capacity(written.len()), origins: Vec::with_capacity(written.len()) };
        let mut letters = written.char_indices().peekable();
        let mut joined = false;
        while let Some((origin, letter)) = letters.next() {
            if is_invisible(letter) {
                continue;
            }
            if joined && is_filler(letter) && next_is_ideograph(&mut letters.clone().map(|(_, letter)| letter)) {
                continue;
            }
            joined = is_ideograph(letter);
            folded.push(narrow(letter), origin);
        }
        folded
    }

    fn push(&mut self, letter: char, origin: usize) {
        let before = self.text.len();
        self.text.extend(letter.to_lowercase());
        // Texts longer than 4 GiB do not pass the limit of a message.
        let origin = u32::try_from(origin).unwrap_or(u32::MAX);
        self.origins.resize(self.origins.len() + self.text.len() - before, origin);
    }

    /// Where in the text as it was written a range of this one comes from. `written` is that text.
    pub(super) fn origin(&self, range: Range<usize>, written: &str) -> Range<usize> {
        let start = self.origins[range.start] as usize;
        let last = self.origins[range.end - 1] as usize;
        let length = written[last..].chars().next().map_or(0, char::len_utf8);
        start..last + length
    }
}

/// A word as the filter looks for it.
pub(super) fn fold(word: &str) -> String {
    Folded::new(word.trim()).text
}

/// Characters that nobody sees.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}')
}

/// Marks that are put between the characters of a word to hide it. Those that end sentences are none.
fn is_filler(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '*' | '-' | '_' | '.' | '·' | '~' | '|' | '/' | '\\' | '+' | '#' | '^' | '&')
}

fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

fn next_is_ideograph(letters: &mut impl Iterator<Item = char>) -> bool {
    letters.find(|letter| !is_invisible(*letter) && !is_filler(*letter)).is_some_and(is_ideograph)
}

/// Full-width forms are the same letters.
fn narrow(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter),
        '\u{3000}' => ' ',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_word_are_alike() {
        for word in ["BadWord", "badword", "ＢａｄＷｏｒｄ", "bad\u{200b}word", " badword "] {
            assert_eq!(fold(word), "badword");
        }
        for word in ["坏词", "坏 词", "坏*词", "坏\u{200b} - 词", "坏　词"] {
            assert_eq!(fold(word), "坏词");
        }
        assert_eq!(fold("坏。词"), "坏。词", "two sentences");
        assert_eq!(fold("bad word"), "bad word");
        assert_eq!(fold("a 坏 b"), "a 坏 b");
    }

    #[test]
    fn ranges_lead_back_to_what_was_written() {
        let written = "是坏 \u{200b}词İ吗";
        let folded = Folded::new(written);
        let at = folded.text.find("坏词").unwrap();
        assert_eq!(&written[folded.origin(at..at + 6, written)], "坏 \u{200b}词");
        let at = folded.text.find('吗').unwrap();
        assert_eq!(&written[folded.origin(at..at + 3, written)], "吗");
    }
}
