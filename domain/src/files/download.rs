//! Giving a file's bytes out.

use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use proto::store;
use storage::Millis;

use super::{FileId, Files, kinds};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::seal::{self, Purpose};

/// Which form of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Size {
    /// As it was uploaded.
    #[default]
    Original = 1,
    /// Small, for lists.
    Thumbnail = 2,
    /// Large enough for a screen.
    Cover = 3,
}

impl Size {
    fn from_number(number: u32) -> Self {
        match number {
            2 => Self::Thumbnail,
            3 => Self::Cover,
            _ => Self::Original,
        }
    }
}

/// Which of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// All.
    #[default]
    Whole,
    /// From here to the end.
    From(u64),
    /// From the first to the last, both included.
    Span(u64, u64),
    /// So many at the end.
    Last(u64),
}

impl Part {
    /// The range within a file of this size; `None` where it has no such bytes.
    fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::Whole => 0..size,
            Self::From(first) => first..size,
            Self::Span(first, last) => first..last.saturating_add(1).min(size),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// A file on its way out.
pub struct Download {
    /// Which file.
    pub id: FileId,
    /// As the uploader called it; may be empty.
    pub name: String,
    /// Its type, by its first bytes.
    pub mime: String,
    /// Whether a browser may show it in a page. What it may not show, it must save.
    pub shown: bool,
    /// Size of the whole, in bytes.
    pub size: u64,
    /// Which bytes come.
    pub range: Range<u64>,
    /// The bytes.
    pub bytes: BoxStream<'static, std::io::Result<Bytes>>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Download").field("id", &self.id).field("range", &self.range).finish_non_exhaustive()
    }
}

impl Files {
    /// The bytes that a link leads to. The link is all that is asked of the caller.
    ///
    /// # Errors
    /// `Unauthenticated` for a link that is wrong or has expired; `NotFound(File)`; `Invalid` for bytes that the file does not have.
    pub async fn open(&self, caller: &Caller, link: &str, part: Part) -> Result<Download> {
        let opened: Option<store::FileLink> = seal::open(&caller.app_record().signing_key, Purpose::Link, link);
        let link = opened.filter(|link| Millis(link.expires) > self.clock.now());
        let link = link.ok_or(Error::Unauthenticated("the link is wrong or has expired"))?;
        let id = FileId::from_bytes(&link.file).ok_or(Error::NotFound(Noun::File))?;
        let file = self.record(caller.app(), id).await?;
        self.give(id, file, Size::from_number(link.size), part).await
    }

    /// The bytes of an open file, which anyone may read.
    ///
    /// # Errors
    /// `NotFound(File)` also for a file that is not open; `Invalid` for bytes that the file does not have.
    pub async fn open_public(&self, caller: &Caller, id: FileId, size: Size, part: Part) -> Result<Download> {
        let file = self.record(caller.app(), id).await?;
        if !file.open {
            return Err(Error::NotFound(Noun::File));
        }
        self.give(id, file, size, part).await
    }

    async fn give(&self, id: FileId, file: store::File, size: Size, part: Part) -> Result<Download> {
        if size != Size::Original {
            if !file.mime.starts_with("image/") {
                return Err(Error::NotFound(Noun::File));
            }
            // What is a picture but cannot be made smaller is given as it is.
            if let Some(small) = self.small(&file, size).await? {
                return Ok(Download {
                    id,
                    name: String::new(),
                    mime: kinds::sniff(&small).to_owned(),
                    shown: true,
                    size: small.len() as u64,
                    range: 0..small.len() as u64,
                    bytes: stream::once(async { Ok(small) }).boxed(),
                });
            }
        }
        let range = part.within(file.size).ok_or_else(|| Error::Invalid {
            field: "range",
            message: format!("is outside of the file's {} bytes", file.size),
        })?;
        let wanted = (part != Part::Whole).then(|| range.clone());
        let (_, bytes) = self.objects.read(&file.object, wanted).await?.ok_or(Error::NotFound(Noun::File))?;
        let shown = kinds::is_shown(&file.mime);
        Ok(Download { id, name: file.name, mime: file.mime, shown, size: file.size, range, bytes })
    }

    /// A picture's smaller form, made when it is first asked for and kept beside the picture.
    /// Two who ask at the same time may both make it, which gives the same bytes.
    async fn small(&self, file: &store::File, size: Size) -> Result<Option<Bytes>> {
        let name = format!("{}.{}", file.object, size as u32);
        if let Some(kept) = self.objects.read_all(&name).await? {
            return Ok(Some(kept));
        }
        if file.size > self.config.picture_source.0 {
            return Ok(None);
        }
        let Some(source) = self.objects.read_all(&file.object).await? else { return Ok(None) };
        let side = if size == Size::Cover { self.config.cover_side } else { self.config.thumbnail_side };
        let Some(small) = self.pictures.shrink(source, side.max(1)).await? else { return Ok(None) };
        self.objects.put(&name, small.clone()).await?;
        Ok(Some(small))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_within_the_file() {
        assert_eq!(Part::Whole.within(10), Some(0..10));
        assert_eq!(Part::From(4).within(10), Some(4..10));
        assert_eq!(Part::Span(0, 0).within(10), Some(0..1));
        assert_eq!(Part::Span(4, u64::MAX).within(10), Some(4..10));
        assert_eq!(Part::Last(3).within(10), Some(7..10));
        assert_eq!(Part::Last(30).within(10), Some(0..10));
        for nothing in [Part::From(10), Part::Span(5, 4), Part::Span(10, 20), Part::Last(0)] {
            assert_eq!(nothing.within(10), None, "{nothing:?}");
        }
    }
}
