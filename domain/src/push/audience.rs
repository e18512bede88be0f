//! Audiences: from "everybody tagged so" to users and devices, a part at a time, so that no list is ever held whole.

use proto::store::{PushAudience, PushCursor, PushProvider};
use storage::Scan;

use super::Push;
use super::keys::{LabelKey, LabelledKey, OwnerKey, REACHES, ReachedKey, UserKey, reach};
use crate::error::Result;
use crate::ids::{AppNumber, UserId};

/// Some of an audience.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// A user, and one device if it is not meant for all of them.
    pub(super) targets: Vec<(UserId, Option<String>)>,
    /// Where the next part begins; `None` after the last.
    pub(super) next: Option<PushCursor>,
}

impl Push {
    /// The part of an audience that a cursor leads to.
    pub(super) async fn part(&self, app: AppNumber, audience: &PushAudience, at: &PushCursor) -> Result<Part> {
        let step = usize::try_from(at.step).unwrap_or(usize::MAX);
        let size = self.parts.config.push_page;
        if audience.all {
            return self.reached(app, at).await;
        }
        if !audience.tags.is_empty() {
            return self.tagged(app, &audience.tags, at).await;
        }
        if !audience.aliases.is_empty() {
            return self.called(app, &audience.aliases, at).await;
        }
        let from_list = |targets: Vec<_>, length: usize| {
            let next = step.saturating_add(size);
            let next = (next < length)
                .then(|| PushCursor { step: u32::try_from(next).unwrap_or(u32::MAX), ..PushCursor::default() });
            Part { targets, next }
        };
        if !audience.users.is_empty() {
            let users = audience.users.iter().skip(step).take(size).map(|user| (UserId(*user), None)).collect();
            return Ok(from_list(users, audience.users.len()));
        }
        let tokens = audience.push_tokens.iter().skip(step).take(size);
        let keys: Vec<_> = tokens.map(|token| OwnerKey::new(app, PushProvider::Unspecified, token)).collect();
        let owners = self.parts.store.get_many(&keys).await?;
        let devices = owners.into_iter().flatten().map(|owner| (UserId(owner.user), Some(owner.device)));
        Ok(from_list(devices.collect(), audience.push_tokens.len()))
    }

    async fn reached(&self, app: AppNumber, at: &PushCursor) -> Result<Part> {
        let number = u8::try_from(at.step).unwrap_or(REACHES);
        let size = self.parts.config.push_page;
        let scan = Scan::<ReachedKey>::new(reach(app, number), size).from(|rest| {
            rest.u64(at.user + 1);
        });
        let rows = self.parts.store.scan(scan).await?;
        let next = match rows.last() {
            Some(last) if rows.len() == size => Some(PushCursor { user: last.record.user, ..at.clone() }),
            _ => next_step(at, usize::from(REACHES)),
        };
        Ok(Part { targets: rows.iter().map(|row| (UserId(row.record.user), None)).collect(), next })
    }

    /// Whoever carries one of these tags; nobody twice.
    async fn tagged(&self, app: AppNumber, tags: &[String], at: &PushCursor) -> Result<Part> {
        let step = usize::try_from(at.step).unwrap_or(usize::MAX);
        let Some(tag) = tags.get(step) else { return Ok(Part::default()) };
        let (found, next) = self.labelled(app, LabelKey::Tag(tag), at, tags.len()).await?;
        let keys: Vec<_> = found.iter().map(|(user, _)| UserKey { app, user: *user }).collect();
        let rows = self.parts.store.get_many(&keys).await?;
        let carries = |row: &super::store::PushUser| {
            row.tags.contains(tag) && !tags[..step].iter().any(|earlier| row.tags.contains(earlier))
        };
        let users = found.into_iter().zip(rows).filter(|(_, row)| row.as_ref().is_some_and(carries));
        Ok(Part { targets: users.map(|((user, _), _)| (user, None)).collect(), next })
    }

    /// Whoever is called by one of these aliases. A user and one of the user's devices may both be.
    async fn called(&self, app: AppNumber, aliases: &[String], at: &PushCursor) -> Result<Part> {
        let step = usize::try_from(at.step).unwrap_or(usize::MAX);
        let Some(alias) = aliases.get(step) else { return Ok(Part::default()) };
        let (found, next) = self.labelled(app, LabelKey::Alias(alias), at, aliases.len()).await?;
        let mut targets = Vec::with_capacity(found.len());
        for (user, device) in found {
            let called = if device.is_empty() {
                self.parts.store.get(&UserKey { app, user }).await?.is_some_and(|row| row.alias == *alias)
            } else {
                let key = super::keys::DeviceKey { app, user, device: &device };
                self.parts.store.get(&key).await?.is_some_and(|row| row.alias == *alias)
            };
            if called {
                targets.push((user, Some(device).filter(|device| !device.is_empty())));
            }
        }
        Ok(Part { targets, next })
    }

    /// The rows of a label behind a cursor, and where the next ones are, of this label or the next of `labels`.
    async fn labelled(
        &self,
        app: AppNumber,
        label: LabelKey<'_>,
        at: &PushCursor,
        labels: usize,
    ) -> Result<(Vec<(UserId, String)>, Option<PushCursor>)> {
        let size = self.parts.config.push_page;
        let scan = Scan::<LabelledKey<'_>>::new(label.home(app), size).from(|rest| {
            // The next possible key: the same bytes and a zero.
            rest.u64(at.user).bytes(at.device.as_bytes()).u8(0);
        });
        let rows = self.parts.store.scan(scan).await?;
        let found: Vec<_> = rows.into_iter().map(|row| (UserId(row.record.user), row.record.device)).collect();
        let next = match found.last() {
            Some((user, device)) if found.len() == size => {
                Some(PushCursor { step: at.step, user: user.0, device: device.clone() })
            }
            _ => next_step(at, labels),
        };
        Ok((found, next))
    }
}

fn next_step(at: &PushCursor, steps: usize) -> Option<PushCursor> {
    let next = at.step + 1;
    (usize::try_from(next).unwrap_or(usize::MAX) < steps).then(|| PushCursor { step: next, ..PushCursor::default() })
}
