//! A maxim message's attachment: JSON in a string, with the field names that its clients use.

use domain::entry;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::content::Body;
use crate::seconds::Seconds;

/// A file, a place, or (of Linnet's own making, marked by `type`) what another dialect's message holds besides its text.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attachment {
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(rename = "dName", skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(rename = "fLen", skip_serializing_if = "Whole::is_zero")]
    pub file_length: Whole,
    #[serde(skip_serializing_if = "Whole::is_zero")]
    pub width: Whole,
    #[serde(skip_serializing_if = "Whole::is_zero")]
    pub height: Whole,
    #[serde(skip_serializing_if = "Seconds::is_zero")]
    pub duration: Seconds,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    #[serde(rename = "tUrl", skip_serializing_if = "String::is_empty")]
    pub thumbnail_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub addr: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub index: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub extension: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
}

/// One of several messages that are passed on.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Item {
    pub from: u64,
    /// Unix milliseconds.
    pub timestamp: i64,
    #[serde(flatten)]
    pub body: Body,
}

impl Attachment {
    pub(super) fn into_media(self) -> entry::Media {
        entry::Media { url: self.url, name: self.display_name, size: self.file_length.0, ..entry::Media::default() }
    }

    pub(super) fn into_image(mut self) -> entry::Image {
        let (width, height, thumbnail) = (self.width.pixels(), self.height.pixels(), self.take_thumbnail());
        entry::Image { media: Some(self.into_media()), width, height, thumbnail }
    }

    pub(super) fn into_voice(self) -> entry::Voice {
        let duration_ms = self.duration.ms;
        entry::Voice { media: Some(self.into_media()), duration_ms }
    }

    pub(super) fn into_video(mut self) -> entry::Video {
        let (width, height, duration_ms) = (self.width.pixels(), self.height.pixels(), self.duration.ms);
        let cover = self.take_thumbnail();
        entry::Video { media: Some(self.into_media()), duration_ms, width, height, cover }
    }

    pub(super) fn into_location(self) -> entry::Location {
        let (latitude, longitude) = (self.lat.unwrap_or_default(), self.lon.unwrap_or_default());
        entry::Location { latitude, longitude, address: self.addr }
    }

    fn take_thumbnail(&mut self) -> Option<entry::Media> {
        let url = std::mem::take(&mut self.thumbnail_url);
        if url.is_empty() { None } else { Some(entry::Media { url, ..entry::Media::default() }) }
    }

    pub(super) fn of_media(media: Option<&entry::Media>) -> Self {
        let media = media.cloned().unwrap_or_default();
        Self { display_name: media.name, file_length: Whole(media.size), url: media.url, ..Self::default() }
    }

    pub(super) fn of_image(image: &entry::Image) -> Self {
        Self {
            width: Whole(image.width.into()),
            height: Whole(image.height.into()),
            thumbnail_url: image.thumbnail.as_ref().map(|it| it.url.clone()).unwrap_or_default(),
            ..Self::of_media(image.media.as_ref())
        }
    }

    pub(super) fn of_voice(voice: &entry::Voice) -> Self {
        Self { duration: Seconds { ms: voice.duration_ms }, ..Self::of_media(voice.media.as_ref()) }
    }

    pub(super) fn of_video(video: &entry::Video) -> Self {
        Self {
            duration: Seconds { ms: video.duration_ms },
            width: Whole(video.width.into()),
            height: Whole(video.height.into()),
            thumbnail_url: video.cover.as_ref().map(|it| it.url.clone()).unwrap_or_default(),
            ..Self::of_media(video.media.as_ref())
        }
    }

    pub(super) fn of_location(location: &entry::Location) -> Self {
        let (lat, lon) = (Some(location.latitude), Some(location.longitude));
        Self { lat, lon, addr: location.address.clone(), ..Self::default() }
    }
}

/// A whole number that some clients write with a fraction.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Whole(u64);

impl Whole {
    fn is_zero(&self) -> bool {
        self.0 == 0
    }

    fn pixels(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The cast saturates, and takes what is not a number as 0.
        Ok(Self(f64::deserialize(from)?.round() as u64))
    }
}
