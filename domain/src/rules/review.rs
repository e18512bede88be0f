//! Looking at a message before it is sent: first at who sends it, which may be done for many at once, then at the message itself, in its turn.

use std::sync::Arc;

use proto::entry::content::Kind;
use proto::entry::{Content, Media};
use proto::store;

use super::filter::{Filter, mask};
use super::{Rules, SilenceKey, pace};
use crate::caller::Caller;
use crate::error::{Denial, Error, Result};
use crate::ids::{ConversationId, UserId};
use crate::metrics::CENSORED;
use crate::webhooks::Question;

impl Rules {
    /// The rules that bind the sender, who may speak by them; `None` where there are none. Nothing is counted.
    /// Whether the sender may write there at all, others have looked at.
    ///
    /// # Errors
    /// `Denied(Muted)`, `Unavailable`.
    pub(crate) async fn binding(
        &self,
        caller: &Caller,
        sender: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Arc<store::Rules>>> {
        let Some(rules) = self.current(caller.app()).await? else { return Ok(None) };
        if caller.is_privileged() {
            return Ok(None);
        }
        // Most apps have no rules, and then a message under way should not be as large as this.
        Box::pin(self.must_not_be_silent(caller, sender, conversation, &rules)).await?;
        Ok(Some(rules))
    }

    /// The content as it may be sent by [`Self::binding`] rules. It counts: a sender's messages are reviewed in their order, one at a time.
    ///
    /// # Errors
    /// `Denied(Censored)`, `Limited`, `Unavailable`.
    pub(crate) async fn review(
        &self,
        rules: &store::Rules,
        caller: &Caller,
        sender: UserId,
        conversation: ConversationId,
        content: Content,
    ) -> Result<Content> {
        if let Some(limit) = pace::limit_of(rules) {
            self.paces.take(self.clock.now(), caller.app(), sender, limit)?;
        }
        let passed = self.passed(caller, sender, conversation, rules, content).await;
        if matches!(passed, Err(Error::Denied(Denial::Censored))) {
            metrics::counter!(CENSORED).increment(1);
        }
        passed
    }

    /// The content as the words let it pass, and then the app's own server.
    async fn passed(
        &self,
        caller: &Caller,
        sender: UserId,
        conversation: ConversationId,
        rules: &store::Rules,
        content: Content,
    ) -> Result<Content> {
        let content = self.filtered(caller, rules, content).await?;
        match &rules.before {
            None => Ok(content),
            Some(hook) => {
                let question = Question { app: caller.app_record(), sender, conversation, time: self.clock.now() };
                self.webhooks.ask(hook, &question, content).await
            }
        }
    }

    /// The content as an author may make it, when a message is changed.
    ///
    /// # Errors
    /// `Denied(Censored)`, `Unavailable`.
    pub(crate) async fn review_edit(&self, caller: &Caller, content: Content) -> Result<Content> {
        let Some(rules) = self.current(caller.app()).await? else { return Ok(content) };
        if caller.is_privileged() { Ok(content) } else { self.filtered(caller, &rules, content).await }
    }

    async fn must_not_be_silent(
        &self,
        caller: &Caller,
        sender: UserId,
        conversation: ConversationId,
        rules: &store::Rules,
    ) -> Result<()> {
        let key = SilenceKey { app: caller.app(), user: sender };
        let own = if rules.silences { self.store.get(&key).await? } else { None };
        let now = self.clock.now().0;
        let holds = |silence: &store::Silence| {
            let is_group = matches!(conversation, ConversationId::Group(_));
            let until = if is_group { silence.group_until } else { silence.direct_until };
            until == -1 || until > now
        };
        match own.iter().chain(&rules.app_silence).any(holds) {
            true => Err(Error::Denied(Denial::Muted)),
            false => Ok(()),
        }
    }

    async fn filtered(&self, caller: &Caller, rules: &store::Rules, mut content: Content) -> Result<Content> {
        if rules.words_version == 0 {
            return Ok(content);
        }
        let filter = self.filters.get(caller.app(), rules.words_version).await?;
        apply(&filter, &mut content)?;
        Ok(content)
    }
}

/// Applies a filter to everything in a content that people are shown.
fn apply(filter: &Filter, content: &mut Content) -> Result<()> {
    if filter.len() == 0 {
        return Ok(());
    }
    let (mut rejected, mut flagged) = (false, false);
    each_text(content, &mut |text, role| {
        let found = filter.look(text);
        rejected |= found.rejected;
        flagged |= found.flagged;
        match (found.masked.is_empty(), role) {
            (true, _) => false,
            (false, Role::Shown) => {
                *text = mask(text, &found.masked);
                true
            }
            // A dialect's own text of the same content. Without it, the dialect shows the content as every other does.
            (false, Role::Raw) => {
                text.clear();
                true
            }
        }
    });
    if rejected {
        return Err(Error::Denied(Denial::Censored));
    }
    content.flagged |= flagged;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Shown,
    Raw,
}

/// Gives each text that people are shown to `look`, which may change it and says whether it did. A content whose texts changed loses its raw
/// form, which would show the words. Commands and the app's own fields are shown to nobody.
fn each_text(content: &mut Content, look: &mut dyn FnMut(&mut String, Role) -> bool) -> bool {
    let mut changed = false;
    let mut shown = |text: &mut String| changed |= look(text, Role::Shown);
    match &mut content.kind {
        Some(Kind::Text(text)) => shown(&mut text.text),
        Some(Kind::Image(image)) => name_of(&mut image.media).into_iter().for_each(&mut shown),
        Some(Kind::Voice(voice)) => name_of(&mut voice.media).into_iter().for_each(&mut shown),
        Some(Kind::Video(video)) => name_of(&mut video.media).into_iter().for_each(&mut shown),
        Some(Kind::File(file)) => name_of(&mut file.media).into_iter().for_each(&mut shown),
        Some(Kind::Location(place)) => shown(&mut place.address),
        Some(Kind::Face(face)) => shown(&mut face.data),
        Some(Kind::Custom(custom)) => {
            shown(&mut custom.data);
            shown(&mut custom.description);
        }
        Some(Kind::Forward(forward)) => {
            shown(&mut forward.title);
            for item in forward.items.iter_mut().filter_map(|item| item.content.as_mut()) {
                changed |= each_text(item, look);
            }
        }
        Some(Kind::Command(_)) | None => {}
    }
    if changed {
        content.raw.clear();
    } else if !content.raw.is_empty() {
        changed = look(&mut content.raw, Role::Raw);
    }
    changed
}

fn name_of(media: &mut Option<Media>) -> Option<&mut String> {
    media.as_mut().map(|media| &mut media.name)
}
