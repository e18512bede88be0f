//! The table of the bytes of files.

use super::{Media, download, upload};
use crate::route::{GET, POST, RawAnswer, Route, public, raw_public};

/// Every route that is served.
#[must_use]
pub fn routes() -> Vec<Route<Media>> {
    vec![
        public(POST, "/media/{app}", upload::upload).streams().cors().says(
            "Uploads a file",
            "A form with the fields that the client was given for the upload, then the field `file`. Each right to upload is \
             good for one file, within its size and its type, which the file's first bytes tell.",
        ),
        raw_public(GET, "/media/{app}/{link}", BYTES, download::by_link).cors().says("Gives a file's bytes", LINK),
        raw_public(GET, "/images/{name}", BYTES, download::image).cors().says("Gives an open picture", OPEN_IMAGE),
        raw_public(GET, "/audios/{name}", BYTES, download::by_name).cors().says("Gives an open voice file", OPEN),
        raw_public(GET, "/files/{name}", BYTES, download::by_name).cors().says("Gives an open file", OPEN),
    ]
}

const BYTES: &[RawAnswer] = &[
    RawAnswer { status: 200, meaning: "The file", content_type: Some("application/octet-stream") },
    RawAnswer {
        status: 206,
        meaning: "The bytes that the header Range asked for",
        content_type: Some("application/octet-stream"),
    },
    RawAnswer { status: 304, meaning: "The client has it", content_type: None },
];

const LINK: &str = "The link is signed and expires. The content type is what the file's first bytes tell; what a browser could run \
    comes as a download. One range of bytes may be asked for.";

const OPEN: &str = "gobelieve's uploads. Whoever knows the name may read the file.";

const OPEN_IMAGE: &str = "gobelieve's uploads. Whoever knows the name may read the picture. What follows an `@` in the name, as its clients \
    write it (`…@256w_256h_0c`), asks for the thumbnail.";
