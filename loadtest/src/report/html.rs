//! t
/// t
pub fn page(_: &crate::outcome::Outcome) -> String {
    String::new()
}
