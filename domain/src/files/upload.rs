//! Taking a file in.

use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use proto::store;
use proto::store::FileKind;
use storage::{Batch, Key as _, Millis, State};

use super::{FileId, FileKey, Files, kinds, objects, uploader_of};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, UserId};
use crate::metrics::{FILE_BYTES, FILES};
use crate::seal::{self, Purpose};
use crate::secret;

/// Longest name of a file, in bytes: what file systems take.
const LONGEST_NAME: usize = 255;

/// A file that is to be.
struct New {
    id: FileId,
    uploader: UserId,
    kind: FileKind,
    limit: u64,
    open: bool,
}

impl Files {
    /// Takes in the file that a ticket allows. The ticket is all that is asked of the caller; it can be used once.
    ///
    /// The bytes are written first, then the record that names them. A crash in between leaves an object that nothing names, and a ticket that
    /// can be used again.
    ///
    /// # Errors
    /// `Unauthenticated` for a ticket that is wrong or has expired; `Exists(File)` for one that was used;
    /// `Invalid` if the file is empty, too large or of another type; `Limited`, `Unavailable`.
    pub async fn upload(
        &self,
        caller: &Caller,
        ticket: &str,
        name: &str,
        pieces: impl Stream<Item = objects::Piece> + Send,
    ) -> Result<store::File> {
        let opened: Option<store::FileTicket> = seal::open(&caller.app_record().signing_key, Purpose::Ticket, ticket);
        let ticket = opened.filter(|ticket| Millis(ticket.expires) > self.clock.now());
        let new = ticket.and_then(|ticket| {
            let (id, kind) = (FileId::from_bytes(&ticket.file)?, ticket.kind());
            Some(New { id, uploader: UserId(ticket.uploader), kind, limit: ticket.limit, open: false })
        });
        let new = new.ok_or(Error::Unauthenticated("the right to upload is wrong or has expired"))?;
        if self.store.get(&FileKey { app: caller.app(), file: new.id }).await?.is_some() {
            return Err(Error::Exists(Noun::File));
        }
        self.take(caller.app(), new, name, pieces).await
    }

    /// Takes in an open file, from any user or the app's server: whoever learns its id may read it, for ever and without logging in.
    ///
    /// # Errors
    /// `Denied(Credential)` for nobody; else as [`Self::upload`].
    pub async fn upload_open(
        &self,
        caller: &Caller,
        kind: FileKind,
        name: &str,
        pieces: impl Stream<Item = objects::Piece> + Send,
    ) -> Result<store::File> {
        let uploader = uploader_of(caller)?;
        let new = New { id: FileId::random(), uploader, kind, limit: self.config.max_size.0, open: true };
        self.take(caller.app(), new, name, pieces).await
    }

    async fn take(
        &self,
        app: AppNumber,
        new: New,
        name: &str,
        pieces: impl Stream<Item = objects::Piece> + Send,
    ) -> Result<store::File> {
        let busy = Error::Limited { retry_after: Duration::from_secs(1) };
        let _place = self.uploads.try_acquire().map_err(|_| busy)?;
        // Of two uploads under one ticket, each writes an object of its own, and the first record wins.
        let object = format!("{app}/{}/{}", new.id, hex::encode(secret::random_bytes::<4>()));
        let admit = |mime| match kinds::fits(new.kind, mime) {
            true => Ok(()),
            false => Err(objects::invalid(&format!("is of another type than it should be: {mime}"))),
        };
        let written = self.objects.write(&object, new.limit, pieces, admit).await?;
        let file = store::File {
            id: Bytes::copy_from_slice(&new.id.0),
            uploader: new.uploader.0,
            kind: new.kind as i32,
            name: clean(name),
            mime: written.mime.to_owned(),
            size: written.size,
            object,
            created: self.clock.now().0,
            sha256: Bytes::copy_from_slice(&written.sha256),
            open: new.open,
        };
        let key = FileKey { app, file: new.id };
        let mut batch = Batch::new(key.home());
        batch.expect(&key, State::Absent).put(&key, &file);
        match self.store.commit(batch).await {
            Ok(()) => {
                metrics::counter!(FILES).increment(1);
                metrics::counter!(FILE_BYTES).increment(file.size);
                Ok(file)
            }
            Err(storage::Error::Conflict) => {
                self.objects.discard(&file.object).await;
                Err(Error::Exists(Noun::File))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A file's name without its folders and without what no file system takes.
fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut kept = String::new();
    for letter in last.chars().filter(|letter| !letter.is_control()) {
        if kept.len() + letter.len_utf8() > LONGEST_NAME {
            break;
        }
        kept.push(letter);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_folders_and_what_cannot_be_written() {
        assert_eq!(clean("../../etc/passwd"), "passwd");
        assert_eq!(clean("C:\\temp\\照片 1.png"), "照片 1.png");
        assert_eq!(clean("a\r\nSet-Cookie: x"), "aSet-Cookie: x");
        assert_eq!(clean(&"字".repeat(200)).len(), 255);
        assert_eq!(clean(""), "");
    }
}
