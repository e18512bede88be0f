//! Keeping the words.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::store::{FilterWord, WordAction};
use storage::{Batch, Key as _, Scan};

use super::fold::fold;
use super::{FilterWordKey, Rules, RulesKey};
use crate::caller::Caller;
use crate::conversations::Page;
use crate::error::{Error, Result};
use crate::ids::AppNumber;
use crate::retry::Tries;
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
        let row = |written: &String| FilterWord { word: written.trim().to_owned(), action: action as i32 };
        let rows = folded.into_iter().zip(words).map(|(word, written)| (word, Some(row(written))));
        self.change_words(caller.app(), rows.collect()).await
    }

    /// Removes words; those that are not there are passed over.
    ///
    /// # Errors
    /// `Invalid`; `Denied(Credential)` unless the caller is privileged.
    pub async fn remove_words(&self, caller: &Caller, words: &[String]) -> Result<()> {
        let folded = self.check(caller, words)?;
        self.change_words(caller.app(), folded.into_iter().map(|word| (word, None)).collect()).await
    }

    /// Puts words, and removes those without a row. One commit, which expects the rules as they were read, so that their count is right.
    async fn change_words(&self, app: AppNumber, wanted: BTreeMap<String, Option<FilterWord>>) -> Result<()> {
        let key = RulesKey { app };
        let keys: Vec<_> = wanted.keys().map(|word| FilterWordKey { app, word }).collect();
        let mut tries = Tries::default();
        loop {
            let before = self.read(app).await?;
            let found = self.store.get_many(&keys).await?;
            let mut after = before.clone().unwrap_or_default();
            let mut batch = Batch::new(key.home());
            for ((key, row), there) in keys.iter().zip(wanted.values()).zip(found) {
                match (row, there) {
                    (Some(row), there) if there.as_ref() != Some(row) => {
                        after.words += u32::from(there.is_none());
                        batch.put(key, row);
                    }
                    (None, Some(_)) => {
                        after.words = after.words.saturating_sub(1);
                        batch.delete(key);
                    }
                    _ => {}
                }
            }
            if batch.is_empty() {
                return Ok(());
            }
            if after.words as usize > self.limits.words {
                return Err(invalid(format!("would be more than {}", self.limits.words)));
            }
            after.words_version += 1;
            batch.expect_unchanged(&key, before.as_ref()).put(&key, &after);
            if tries.settled(self.store.commit(batch).await).await? {
                self.fresh.forget(app);
                return Ok(());
            }
        }
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
