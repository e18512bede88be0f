//! What a run sees: times, counts, and the books.

pub mod latency;
pub mod ledger;
pub(crate) mod mark;
pub(crate) mod meters;
pub mod names;
pub mod process;
pub mod tick;
