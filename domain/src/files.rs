//! Files: pictures, voices and whatever else people send each other, and the pictures that stand for them and their groups.
//!
//! The bytes lie in an object store, a local folder unless configured otherwise; what is known of them lies in the store.
//! Who may upload is given a *ticket*, who may read a *share*, and who may fetch the bytes now a *link*. Each is signed under the app's key
//! and kept nowhere. A share names the conversation whose members may read: passing a file on makes another share, and no copy.
//! An *open* file needs none of them: whoever knows its id, which nobody guesses, may read it.

pub mod config;
mod download;
mod kinds;
mod objects;
pub mod paths;
mod pictures;
mod upload;

use std::sync::Arc;

use proto::store;
use proto::store::FileKind;
use storage::{Clock, Home, Key, Rest, Store, Table};
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::caller::{Caller, Subject};
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, ConversationId, GroupId, UserId};
use crate::seal::{self, Purpose};
use crate::{secret, tables};

pub use config::FilesConfig;
pub use download::{Download, Part, Size};
pub use kinds::extension;
pub use objects::Piece;

/// A file. Random, so that knowing one tells nothing of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId([u8; 16]);

impl FileId {
    fn random() -> Self {
        Self(secret::random_bytes())
    }

    /// From the bytes of a record.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From its 32 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        Self::from_bytes(&hex::decode(text).ok().filter(|_| lower)?)
    }
}

impl std::fmt::Display for FileId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

/// What is known of a file.
///
/// home: the file.  rest: empty.  value: `store.File`.
pub(crate) struct FileKey {
    pub(crate) app: AppNumber,
    pub(crate) file: FileId,
}

impl Key for FileKey {
    const TABLE: Table = tables::FILE;
    type Record = store::File;
    fn home(&self) -> Home {
        tables::file(self.app, &self.file.0)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// A right to upload, and what will name the file then.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// To be shown with the upload.
    pub text: String,
    /// Names the file for those who may read it.
    pub share: String,
    /// The file that it will be.
    pub file: FileId,
}

/// See the module.
#[derive(Debug)]
pub struct Files {
    store: Store,
    clock: Clock,
    access: Access,
    objects: objects::Objects,
    pictures: pictures::Pictures,
    uploads: Arc<Semaphore>,
    config: FilesConfig,
}

impl Files {
    pub(crate) fn new(store: Store, clock: Clock, access: Access, config: FilesConfig) -> Self {
        Self {
            store,
            clock,
            access,
            objects: objects::Objects::new(&config),
            pictures: pictures::Pictures::new(&config),
            uploads: Arc::new(Semaphore::new(config.uploads.max(1))),
            config,
        }
    }

    /// A right to upload a file into a conversation, for whoever may write there.
    ///
    /// # Errors
    /// Those of sending a message.
    pub async fn chat_ticket(&self, caller: &Caller, conversation: ConversationId, kind: FileKind) -> Result<Ticket> {
        let uploader = self.access.author(caller, conversation, false).await?;
        Ok(self.ticket(caller, uploader, kind, self.config.max_size.0, Some(conversation)))
    }

    /// A right to upload a picture that is to stand for the caller. Every user of the app may see it.
    ///
    /// # Errors
    /// `Denied(Credential)` unless the caller is a user.
    pub fn user_avatar_ticket(&self, caller: &Caller) -> Result<Ticket> {
        Ok(self.ticket(caller, caller.user()?, FileKind::Image, self.config.max_avatar.0, None))
    }

    /// A right to upload a picture that is to stand for a group, for whoever may change the group. Every user of the app may see it.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember|NotAdmin)`.
    pub async fn group_avatar_ticket(&self, caller: &Caller, group: GroupId) -> Result<Ticket> {
        let uploader = self.access.group_editor(caller, group).await?;
        Ok(self.ticket(caller, uploader, FileKind::Image, self.config.max_avatar.0, None))
    }

    /// The same file for another conversation, for whoever may read it here and write there. Nothing is copied.
    ///
    /// # Errors
    /// `NotFound(File)` also for what the caller may not read; those of sending a message.
    pub async fn forward(&self, caller: &Caller, share: &str, to: ConversationId) -> Result<String> {
        let file = self.readable(caller, share).await?;
        self.access.author(caller, to, false).await?;
        Ok(share_of(caller, file, Some(to)))
    }

    /// A link to a file's bytes, good for `link_lifetime` in anyone's hands.
    ///
    /// # Errors
    /// `NotFound(File)` also for what the caller may not read.
    pub async fn link(&self, caller: &Caller, share: &str, size: Size) -> Result<String> {
        let file = self.readable(caller, share).await?;
        self.record(caller.app(), file).await?;
        let expires = self.clock.now().plus(self.config.link_lifetime).0;
        let link = store::FileLink { file: file.0.to_vec().into(), size: size as u32, expires };
        Ok(seal::seal(&caller.app_record().signing_key, Purpose::Link, &link))
    }

    fn ticket(
        &self,
        caller: &Caller,
        uploader: UserId,
        kind: FileKind,
        limit: u64,
        readers: Option<ConversationId>,
    ) -> Ticket {
        let file = FileId::random();
        let ticket = store::FileTicket {
            file: file.0.to_vec().into(),
            uploader: uploader.0,
            kind: kind as i32,
            limit,
            expires: self.clock.now().plus(self.config.upload_lifetime).0,
        };
        let text = seal::seal(&caller.app_record().signing_key, Purpose::Ticket, &ticket);
        Ticket { text, share: share_of(caller, file, readers), file }
    }

    /// The file that a share names, if the caller may read it. What the caller may not read is answered as what does not exist.
    async fn readable(&self, caller: &Caller, share: &str) -> Result<FileId> {
        let missing = Error::NotFound(Noun::File);
        let opened: Option<store::FileShare> = seal::open(&caller.app_record().signing_key, Purpose::Share, share);
        let share = opened.ok_or_else(|| missing.clone())?;
        let file = FileId::from_bytes(&share.file).ok_or_else(|| missing.clone())?;
        let may = match share.conversation {
            None => caller.subject() != Subject::Anonymous,
            Some(conversation) => match ConversationId::from_wire(&conversation) {
                Some(conversation) => self.access.takes_part(caller, conversation).await?,
                None => false,
            },
        };
        if may { Ok(file) } else { Err(missing) }
    }

    async fn record(&self, app: AppNumber, file: FileId) -> Result<store::File> {
        self.store.get(&FileKey { app, file }).await?.ok_or(Error::NotFound(Noun::File))
    }
}

fn share_of(caller: &Caller, file: FileId, readers: Option<ConversationId>) -> String {
    let conversation = readers.map(|conversation| conversation.to_wire());
    let share = store::FileShare { file: file.0.to_vec().into(), conversation };
    seal::seal(&caller.app_record().signing_key, Purpose::Share, &share)
}

/// Whoever is nobody yet may not upload, ticket or not asked for.
fn uploader_of(caller: &Caller) -> Result<UserId> {
    match caller.subject() {
        Subject::Server => Ok(UserId(0)),
        Subject::User { id, .. } => Ok(id),
        Subject::Anonymous => Err(Error::Denied(Denial::Credential)),
    }
}
