//! Where files are reached at the REST service: what whoever hands out rights and whoever serves the bytes must agree on.

use crate::ids::AppNumber;

/// Where a file is posted to.
#[must_use]
pub fn upload(app: AppNumber) -> String {
    format!("/media/{app}")
}

/// Where the bytes are that a link leads to.
#[must_use]
pub fn link(app: AppNumber, link: &str) -> String {
    format!("/media/{app}/{link}")
}

/// Where a file of a conversation is asked for, for as long as it lives.
#[must_use]
pub fn chat(share: &str) -> String {
    format!("/file/download/chat?file_sign={share}")
}

/// Where a picture of somebody is asked for, for as long as it lives.
#[must_use]
pub fn avatar(share: &str) -> String {
    format!("/file/download/avatar?object_name={share}")
}
