//! An app's words as one automaton, which reads a text once however many words there are.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use parking_lot::Mutex;
use proto::store::{FilterWord, WordAction};
use storage::{Scan, Store};

use super::FilterWordKey;
use super::fold::{Folded, fold};
use crate::error::{Error, Result};
use crate::ids::AppNumber;
use crate::tables;

/// Words that are read at a time.
const WORDS_PER_READ: usize = 5_000;

/// What a text holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// A word for which the message is refused.
    pub(super) rejected: bool,
    /// A word for which it is marked.
    pub(super) flagged: bool,
    /// Where words lie that are to be shown as asterisks.
    pub(super) masked: Vec<Range<usize>>,
}

/// The words of an app, at a version of them.
#[derive(Debug)]
pub(super) struct Filter {
    version: u64,
    automaton: AhoCorasick,
    words: Vec<Word>,
}

#[derive(Debug)]
struct Word {
    action: WordAction,
    /// Whether the word begins, and ends, with a letter or digit of ASCII: then it must stand alone there, or "class" would hold a bad word.
    bounds: (bool, bool),
}

impl Filter {
    fn new(version: u64, rows: &[FilterWord]) -> Result<Self> {
        let folded: Vec<(String, WordAction)> =
            rows.iter().map(|row| (fold(&row.word), row.action())).filter(|(word, _)| !word.is_empty()).collect();
        let is_plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let words = folded.iter().map(|(word, action)| Word {
            action: *action,
            bounds: (is_plain(word.as_bytes().first()), is_plain(word.as_bytes().last())),
        });
        let words = words.collect();
        let built = AhoCorasick::builder().match_kind(MatchKind::Standard).build(folded.iter().map(|(word, _)| word));
        let automaton = built.map_err(|error| Error::Invalid { field: "words", message: error.to_string() })?;
        Ok(Self { version, automaton, words })
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// Looks through a text.
    pub(super) fn look(&self, written: &str) -> Found {
        let mut found = Found::default();
        let folded = Folded::new(written);
        for hit in self.automaton.find_overlapping_iter(&folded.text) {
            let word = &self.words[hit.pattern().as_usize()];
            if !stands_alone(folded.text.as_bytes(), hit.range(), word.bounds) {
                continue;
            }
            match word.action {
                WordAction::Reject => {
                    found.rejected = true;
                    return found;
                }
                WordAction::Mask => found.masked.push(folded.origin(hit.range(), written)),
                WordAction::Flag => found.flagged = true,
            }
        }
        found
    }
}

fn stands_alone(text: &[u8], range: Range<usize>, (begins, ends): (bool, bool)) -> bool {
    let is_plain = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    !(begins && is_plain(range.start.checked_sub(1)) || ends && is_plain(Some(range.end)))
}

/// A text with asterisks in the place of each character of these ranges.
pub(super) fn mask(written: &str, ranges: &[Range<usize>]) -> String {
    let hidden = |at: usize| ranges.iter().any(|range| range.contains(&at));
    written.char_indices().map(|(at, letter)| if hidden(at) { '*' } else { letter }).collect()
}

/// The filters of the apps that have words, built when they are first needed.
#[derive(Debug)]
pub(super) struct Filters {
    store: Store,
    built: Mutex<HashMap<AppNumber, Arc<Filter>>>,
    building: tokio::sync::Mutex<()>,
}

impl Filters {
    pub(super) fn new(store: Store) -> Self {
        Self { store, built: Mutex::default(), building: tokio::sync::Mutex::default() }
    }

    /// The filter of an app at a version of its words or later. While a newer one is being built, others go on with the one before.
    pub(super) async fn get(&self, app: AppNumber, version: u64) -> Result<Arc<Filter>> {
        let built = || self.built.lock().get(&app).cloned();
        let before = built();
        let _turn = match (before, self.building.try_lock()) {
            (Some(filter), _) if filter.version >= version => return Ok(filter),
            (_, Ok(turn)) => turn,
            (Some(filter), Err(_)) => return Ok(filter),
            (None, Err(_)) => self.building.lock().await,
        };
        if let Some(filter) = built().filter(|filter| filter.version >= version) {
            return Ok(filter);
        }
        let rows = self.rows(app).await?;
        // Large lists take a good part of a second.
        let filter = tokio::task::spawn_blocking(move || Filter::new(version, &rows)).await;
        let filter = Arc::new(filter.map_err(|_| Error::Unavailable(interrupted()))??);
        self.built.lock().insert(app, Arc::clone(&filter));
        Ok(filter)
    }

    /// Every word. Read after the version was, so that the list is that version's or later.
    async fn rows(&self, app: AppNumber) -> Result<Vec<FilterWord>> {
        let mut words = Vec::new();
        let mut from = Vec::new();
        loop {
            let scan = Scan::<FilterWordKey<'_>>::new(tables::rules(app), WORDS_PER_READ).from(|rest| {
                rest.bytes(&from);
            });
            let rows = self.store.scan(scan).await?;
            let last = rows.last().map(|row| row.rest.clone());
            let complete = rows.len() < WORDS_PER_READ;
            words.extend(rows.into_iter().map(|row| row.record));
            match last {
                Some(last) if !complete => from = [&last[..], &[0]].concat(),
                _ => return Ok(words),
            }
        }
    }
}

fn interrupted() -> storage::Error {
    storage::Error::Unavailable("the process is stopping".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(words: &[(&str, WordAction)]) -> Filter {
        let rows: Vec<_> =
            words.iter().map(|(word, action)| FilterWord { word: (*word).into(), action: *action as i32 }).collect();
        Filter::new(1, &rows).unwrap()
    }

    #[test]
    fn words_are_found_however_they_are_spelled() {
        let filter = filter(&[("坏词", WordAction::Reject), ("ass", WordAction::Mask), ("坏", WordAction::Flag)]);
        for text in ["坏词", "这是坏词吗", "坏 词", "坏\u{200b}词", "坏*词"] {
            assert!(filter.look(text).rejected, "{text}");
        }
        for text in ["坏。词", "词坏"] {
            assert_eq!(filter.look(text), Found { flagged: true, ..Found::default() }, "{text}");
        }
        assert_eq!(filter.look("class, assess"), Found::default());
        let found = filter.look("an ASS, a ａｓｓ");
        assert_eq!(mask("an ASS, a ａｓｓ", &found.masked), "an ***, a ***");
        assert_eq!(mask("是ass吗", &filter.look("是ass吗").masked), "是***吗", "letters of another script part words");
    }

    #[test]
    fn overlapping_words_are_all_masked() {
        let filter = filter(&[("一二", WordAction::Mask), ("二三", WordAction::Mask), ("二", WordAction::Flag)]);
        let found = filter.look("〇一二三四");
        assert!(found.flagged);
        assert_eq!(mask("〇一二三四", &found.masked), "〇***四");
    }

    #[test]
    fn a_hundred_thousand_words_are_one_automaton() {
        let rows: Vec<_> = (0..100_000u32)
            .map(|number| {
                let letters = [0x4e00 + number % 20_000, 0x4e00 + number / 5, 0x4e00 + (number * 7) % 20_000];
                FilterWord { word: letters.into_iter().filter_map(char::from_u32).collect(), action: 0 }
            })
            .collect();
        let filter = Filter::new(1, &rows).unwrap();
        assert_eq!(filter.len(), 100_000);
        assert!(filter.look(&format!("你好{}再见", rows[77_777].word)).rejected);
        assert!(!filter.look("hello").rejected);
    }

    proptest! {
        /// Against the plainest way to do it.
        #[test]
        fn finds_what_a_search_for_each_word_finds(text in "[甲乙丙。]{0,12}", words in prop::collection::vec("[甲乙丙]{1,3}", 0..6)) {
            let listed: Vec<_> = words.iter().map(|word| (word.as_str(), WordAction::Mask)).collect();
            let found = filter(&listed).look(&text);
            let mut hidden = vec![false; text.len()];
            for word in &words {
                for start in 0..text.len() {
                    if text.is_char_boundary(start) && text[start..].starts_with(word.as_str()) {
                        hidden[start..start + word.len()].fill(true);
                    }
                }
            }
            let expected: String = text.char_indices().map(|(at, letter)| if hidden[at] { '*' } else { letter }).collect();
            prop_assert_eq!(mask(&text, &found.masked), expected);
        }
    }
}
