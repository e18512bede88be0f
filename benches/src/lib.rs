//! The hot paths, as functions: timed by criterion (one file each beside `src/`) and counted by valgrind (`counts.rs`).
//!
//! Both measure the same work, so that a regression that noise hides from the clock shows in the instruction count.

pub mod frames;
pub mod rows;
pub mod services;
pub mod sessions;
pub mod world;

/// Bytes of a typical chat message's text.
pub const TEXT_BYTES: usize = 200;
