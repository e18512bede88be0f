//! What a file is, by its first bytes. What its uploader calls it does not count: the type decides how browsers treat it.

use proto::store::FileKind;

/// How many bytes tell what a file is.
pub(super) const ENOUGH: usize = 512;

/// What is not known, and what browsers must not try to show.
const UNKNOWN: &str = "application/octet-stream";

/// The type that the first bytes tell.
///
/// Only types that a browser may show safely have names of their own. HTML, SVG and scripts are among what is not known.
pub(super) fn sniff(head: &[u8]) -> &'static str {
    let at = |offset: usize, mark: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(mark));
    match () {
        () if at(0, b"\x89PNG\r\n\x1a\n") => "image/png",
        () if at(0, b"\xff\xd8\xff") => "image/jpeg",
        () if at(0, b"GIF87a") || at(0, b"GIF89a") => "image/gif",
        () if at(0, b"RIFF") && at(8, b"WEBP") => "image/webp",
        () if at(0, b"RIFF") && at(8, b"WAVE") => "audio/wav",
        () if at(0, b"#!AMR-WB\n") => "audio/amr-wb",
        () if at(0, b"#!AMR\n") => "audio/amr",
        () if at(0, b"ID3") || is_mpeg_audio(head) => "audio/mpeg",
        () if at(0, b"OggS") => "audio/ogg",
        () if at(0, b"fLaC") => "audio/flac",
        () if at(0, b"\x1a\x45\xdf\xa3") => "video/webm",
        () if at(4, b"ftyp") => iso_media(head.get(8..12).unwrap_or_default()),
        () if at(0, b"%PDF-") => "application/pdf",
        () if at(0, b"PK\x03\x04") => "application/zip",
        () => UNKNOWN,
    }
}

/// MP4 and its relatives, by their brand.
fn iso_media(brand: &[u8]) -> &'static str {
    match brand {
        b"heic" | b"heix" | b"mif1" | b"msf1" | b"hevc" => "image/heic",
        b"avif" | b"avis" => "image/avif",
        b"M4A " | b"M4B " => "audio/mp4",
        b"qt  " => "video/quicktime",
        [b'3', b'g', ..] => "video/3gpp",
        _ => "video/mp4",
    }
}

/// The sync word of an MPEG or ADTS audio frame, with a layer and a rate that exist.
fn is_mpeg_audio(head: &[u8]) -> bool {
    let [0xff, second, third, ..] = head else { return false };
    let adts = second & 0xf6 == 0xf0;
    let layered = second & 0xe0 == 0xe0 && second & 0x06 != 0 && third & 0xf0 != 0xf0 && third & 0x0c != 0x0c;
    adts || layered
}

/// Whether a file of this type is of the kind that it was announced as.
pub(super) fn fits(kind: FileKind, mime: &str) -> bool {
    let is = |family: &str| mime.starts_with(family);
    match kind {
        FileKind::Any => true,
        FileKind::Image => is("image/"),
        // Phones record voice into MP4 and 3GPP files, whose brand does not tell that there is no picture.
        FileKind::Voice => is("audio/") || matches!(mime, "video/mp4" | "video/3gpp" | "video/webm"),
        FileKind::Video => is("video/"),
    }
}

/// Whether a browser may show this type in a page rather than save it.
pub(super) fn is_shown(mime: &str) -> bool {
    mime.starts_with("image/") || mime.starts_with("audio/") || mime.starts_with("video/")
}

/// The ending of file names of this type; empty where there is none that fits all.
#[must_use]
pub fn extension(mime: &str) -> &'static str {
    match mime {
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "image/heic" => ".heic",
        "image/avif" => ".avif",
        "audio/wav" => ".wav",
        "audio/amr" => ".amr",
        "audio/amr-wb" => ".awb",
        "audio/mpeg" => ".mp3",
        "audio/ogg" => ".ogg",
        "audio/flac" => ".flac",
        "audio/mp4" => ".m4a",
        "video/webm" => ".webm",
        "video/mp4" => ".mp4",
        "video/quicktime" => ".mov",
        "video/3gpp" => ".3gp",
        "application/pdf" => ".pdf",
        "application/zip" => ".zip",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_their_bytes() {
        for (head, mime) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
            (b"#!AMR\n\x3c", "audio/amr"),
            (b"#!AMR-WB\n\x3c", "audio/amr-wb"),
            (b"ID3\x03", "audio/mpeg"),
            (b"\xff\xfb\x90\x44", "audio/mpeg"),
            (b"\0\0\0\x18ftypmp42", "video/mp4"),
            (b"\0\0\0\x18ftypM4A ", "audio/mp4"),
            (b"\0\0\0\x18ftyp3gp5", "video/3gpp"),
            (b"\0\0\0\x18ftypheic", "image/heic"),
            (b"%PDF-1.7", "application/pdf"),
        ] {
            assert_eq!(sniff(head), mime);
        }
    }

    #[test]
    fn what_browsers_could_run_is_not_known() {
        for head in [
            &b"<!DOCTYPE html><script>alert(1)</script>"[..],
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            b"<?xml version='1.0'?>",
            b"alert(1)",
            b"\xff\xff\xff\xff",
            b"RIFF",
            b"",
        ] {
            assert_eq!(sniff(head), UNKNOWN);
            assert!(!is_shown(sniff(head)));
        }
    }

    #[test]
    fn kinds_take_their_types_only() {
        assert!(fits(FileKind::Any, UNKNOWN));
        assert!(fits(FileKind::Image, "image/png") && !fits(FileKind::Image, UNKNOWN));
        assert!(fits(FileKind::Voice, "audio/amr") && fits(FileKind::Voice, "video/mp4"));
        assert!(!fits(FileKind::Voice, "image/png") && !fits(FileKind::Video, "audio/amr"));
    }
}
