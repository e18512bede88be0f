//! The users whom a message names by the app's own ids, for dialects that name them so.

use std::collections::HashSet;

use domain::entry::Content;
use domain::entry::content::Kind;
use domain::{Error, UserRef};

use crate::context::Cx;

/// Whom a content names, yet to be looked up.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Whom it mentions.
    pub mentioned: Vec<String>,
    /// Who said each of the messages that it passes on, in order.
    pub authors: Vec<String>,
}

impl Named {
    /// How many are to be looked up; a caller checks it against its limit.
    #[must_use]
    pub fn count(&self) -> usize {
        self.mentioned.len() + self.authors.len()
    }

    /// The content with their ids. Who is no user is not mentioned, and has said what is passed on as nobody.
    ///
    /// # Errors
    /// What the store says.
    pub async fn resolve(self, cx: &Cx, mut content: Content) -> Result<Content, Error> {
        if self.count() == 0 {
            return Ok(content);
        }
        let mentioned = self.mentioned.len();
        let asked: Vec<UserRef> = self.mentioned.into_iter().chain(self.authors).map(UserRef::Uid).collect();
        let mut found = cx.domain.users.find_many(&cx.caller, &asked).await?.into_iter();
        content.mentions = found.by_ref().take(mentioned).flatten().map(|user| user.id).collect();
        let mut seen = HashSet::new();
        content.mentions.retain(|user| seen.insert(*user));
        if let Some(Kind::Forward(forward)) = &mut content.kind {
            for (item, author) in forward.items.iter_mut().zip(found) {
                item.sender = author.map_or(0, |author| author.id);
            }
        }
        Ok(content)
    }
}
