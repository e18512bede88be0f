//! What texts from callers must be like, whatever dialect they come in.
//!
//! Length and control characters only: which letters a name may have is each dialect's own rule.

use crate::error::{Error, Result};

/// A name: within `most` bytes, not empty, without control characters.
pub(crate) fn check_name(field: &'static str, text: &str, most: usize) -> Result<()> {
    if text.is_empty() {
        return Err(Error::Invalid { field, message: "must not be empty".to_owned() });
    }
    if text.chars().any(char::is_control) {
        return Err(Error::Invalid { field, message: "must not contain control characters".to_owned() });
    }
    check_text(field, text, most)
}

/// Any text, possibly empty: within `most` bytes.
pub(crate) fn check_text(field: &'static str, text: &str, most: usize) -> Result<()> {
    if text.len() > most {
        return Err(Error::Invalid { field, message: format!("must not be longer than {most} bytes") });
    }
    Ok(())
}
