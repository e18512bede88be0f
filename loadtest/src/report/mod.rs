//! How an outcome is told: as text, as a page, as files for other programs; and two outcomes beside each other.

pub mod compare;
pub mod hlog;
pub mod html;
mod summary;
pub mod text;
pub mod units;

#[cfg(test)]
pub(crate) mod fixture;
