//! How an outcome is told: as text, as JSON.

pub mod text;
