//! What a run sees: times, counts, and the books.

pub mod environment;
pub mod kernel;
pub mod latency;
pub mod ledger;
pub(crate) mod mark;
pub(crate) mod meters;
pub mod names;
pub mod process;
pub mod server;
pub mod tick;
