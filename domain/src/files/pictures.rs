//! Smaller forms of pictures.
//!
//! A picture from a stranger is read within a memory limit, beside the runtime, and no more at once than the configuration says:
//! a few bytes can claim to be a huge picture.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use tokio::sync::Semaphore;

use super::config::FilesConfig;
use crate::error::{Error, Result};

/// Widest and highest picture that is read.
const LONGEST_SIDE: u32 = 20_000;
/// JPEG's own scale, to 100.
const QUALITY: u8 = 82;

/// Makes pictures smaller.
#[derive(Debug)]
pub(super) struct Pictures {
    running: Arc<Semaphore>,
    /// Those that run and those that wait.
    admitted: Arc<Semaphore>,
    memory: u64,
}

impl Pictures {
    pub(super) fn new(config: &FilesConfig) -> Self {
        let at_once = config.pictures.max(1);
        Self {
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + config.picture_queue)),
            memory: config.picture_memory.0,
        }
    }

    /// The picture as PNG or JPEG, with its longer side at most `side` pixels; `None` for what is no picture, or one that needs too much memory.
    ///
    /// # Errors
    /// `Limited` when too many wait.
    pub(super) async fn shrink(&self, source: Bytes, side: u32) -> Result<Option<Bytes>> {
        let busy = Error::Limited { retry_after: Duration::from_secs(1) };
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| busy.clone())?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| busy.clone())?;
        let memory = self.memory;
        // The permits move along: work that nobody waits for any more still takes its memory and its core.
        let work = move || {
            let _held = (admitted, running);
            shrink(&source, side, memory).inspect_err(|error| tracing::debug!(%error, "a picture cannot be read")).ok()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| busy)
    }
}

fn shrink(source: &[u8], side: u32, memory: u64) -> image::ImageResult<Bytes> {
    let mut reader = ImageReader::new(Cursor::new(source)).with_guessed_format()?;
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(memory);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    // The decoder counts what it needs itself, not what it makes.
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    if picture.width().max(picture.height()) > side {
        picture = picture.thumbnail(side, side);
    }
    // A camera that was held sideways says so beside the picture, which is lost here; so the picture itself is turned.
    picture.apply_orientation(orientation);
    let mut bytes = Vec::new();
    if picture.color().has_alpha() {
        picture.into_rgba8().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
        return Ok(bytes.into());
    }
    picture.into_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, RgbaImage};

    use super::super::kinds::sniff;
    use super::*;

    fn png(picture: &DynamicImage) -> Bytes {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes.into()
    }

    #[tokio::test]
    async fn the_longer_side_is_what_was_asked() {
        let pictures = Pictures::new(&FilesConfig::default());
        let wide = png(&RgbImage::from_pixel(800, 400, Rgb([200, 10, 10])).into());
        let small = pictures.shrink(wide, 240).await.unwrap().unwrap();
        let read = image::load_from_memory(&small).unwrap();
        assert_eq!((read.width(), read.height(), sniff(&small)), (240, 120, "image/jpeg"));

        let clear = png(&RgbaImage::new(10, 20).into());
        let small = pictures.shrink(clear, 240).await.unwrap().unwrap();
        let read = image::load_from_memory(&small).unwrap();
        assert_eq!((read.width(), read.height(), sniff(&small)), (10, 20, "image/png"), "small ones stay as they are");
    }

    #[tokio::test]
    async fn what_is_no_picture_has_no_smaller_form() {
        let pictures = Pictures::new(&FilesConfig::default());
        for source in [&b""[..], b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0 broken"] {
            assert!(pictures.shrink(Bytes::from_static(source), 240).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_picture_that_needs_too_much_memory_is_not_read() {
        let config = FilesConfig { picture_memory: storage::units::ByteSize(1 << 20), ..FilesConfig::default() };
        let large = png(&RgbImage::new(2_000, 2_000).into());
        assert!(large.len() < 100_000, "few bytes make a large picture");
        assert!(Pictures::new(&config).shrink(large, 240).await.unwrap().is_none());
    }
}
