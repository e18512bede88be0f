//! What dialects with integer ids call users and groups.
//!
//! The app's own id where it is a number, since that is how its server names them; else the internal id.

use domain::record;

/// A user's number.
#[must_use]
pub fn number_of_user(user: &record::User) -> u64 {
    canonical(&user.uid).unwrap_or(user.id)
}

/// A group's number.
#[must_use]
pub fn number_of_group(group: &record::Group) -> u64 {
    canonical(&group.gid).unwrap_or(group.id)
}

/// The number that a text spells in exactly one way: no sign, no leading zero, below 2^53.
fn canonical(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number > 0 && number < domain::ID_END && number.to_string() == text).then_some(number)
}
