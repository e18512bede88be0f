//! Keeping the words.

use bytes::Bytes;
use proto::store::{FilterWord, WordAction};
use storage::{Batch, Scan};

use super::fold::fold;
use super::{FilterWordKey, Rules};
use crate::caller::Caller;
use crate::conversations::Page;
use crate::error::{Error, Result};
use crate::tables;

/// Longest word, in bytes.
const LONGEST_WORD: usize = 128;

impl Rules {
    /// Adds words, or gives those that are there another action. All of them or, if one is no word, none.
    ///
    /// # Errors
    /// `Invalid`; `Denied(Credential)` unless the caller is privileged.
    pub async fn add_words(&self, caller: &Caller, words: &[String], action: WordAction) -> Result<()> {
        let folded = self.check(caller, words)?;
        let app = caller.app();
        let version = self.read(app).await?.map_or(0, |rules| rules.words_version);
        let kept = if version == 0 { 0 } else { self.filters.get(app, version).await?.len() };
        if kept + words.len() > self.limits.words {
            return Err(invalid(format!("would be more than {}", self.limits.words)));
        }
        self.change_with(app, |rules, batch| {
            rules.words_version += 1;
            for (word, written) in folded.iter().zip(words) {
                let row = FilterWord { word: written.trim().to_owned(), action: action as i32 };
                batch.put(&FilterWordKey { app, word }, &row);
            }
        })
        .await
    }

    /// Removes words; those that are not there are passed over.
    ///
    /// # Errors
    /// `Invalid`; `Denied(Credential)` unless the caller is privileged.
    pub async fn remove_words(&self, caller: &Caller, words: &[String]) -> Result<()> {
        let folded = self.check(caller, words)?;
        let app = caller.app();
        self.change_with(app, |rules, batch: &mut Batch| {
            rules.words_version += 1;
            for word in &folded {
                batch.delete(&FilterWordKey { app, word });
            }
        })
        .await
    }

    /// The words, in the order of their spelling.
    ///
    /// # Errors
    /// `Invalid`; `Denied(Credential)` unless the caller is privileged.
    pub async fn words(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<FilterWord>> {
        caller.require_privileged()?;
        if !(1..=self.limits.page).contains(&limit) {
            return Err(Error::Invalid { field: "limit", message: format!("must be 1 to {}", self.limits.page) });
        }
        let cursor = cursor.unwrap_or_default();
        if cursor.len() > LONGEST_WORD + 1 {
            return Err(Error::Invalid { field: "cursor", message: "must be one that a page gave".to_owned() });
        }
        let scan = Scan::<FilterWordKey<'_>>::new(tables::rules(caller.app()), limit + 1).from(|rest| {
            rest.bytes(cursor);
        });
        let mut rows = self.store.scan(scan).await?;
        let next = rows.get(limit).map(|row| Bytes::copy_from_slice(&row.rest));
        rows.truncate(limit);
        Ok(Page { items: rows.into_iter().map(|row| row.record).collect(), next })
    }

    /// The words as the filter looks for them.
    fn check(&self, caller: &Caller, words: &[String]) -> Result<Vec<String>> {
        caller.require_privileged()?;
        let most = self.limits.words_per_call;
        if !(1..=most).contains(&words.len()) {
            return Err(invalid(format!("must be 1 to {most}")));
        }
        let folded: Vec<String> = words.iter().map(|word| fold(word)).collect();
        let wrong = |word: &&String| word.is_empty() || word.len() > LONGEST_WORD;
        match folded.iter().find(wrong) {
            Some(word) if word.is_empty() => Err(invalid("hold one without a letter".to_owned())),
            Some(_) => Err(invalid(format!("hold one that is longer than {LONGEST_WORD} bytes"))),
            None => Ok(folded),
        }
    }
}

fn invalid(message: String) -> Error {
    Error::Invalid { field: "words", message }
}
